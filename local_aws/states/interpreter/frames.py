"""Positions in a definition, as plain data that a snapshot can keep.

Must not import moto or boto3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Frame:
    """A position in a list of states: what to run next and with which data. Picklable.

    :param state: name of the current state; None when the branch has ended.
    :param input: input of the current state.
    :param variables: variables set by ``Assign`` so far.
    :param status: ``READY``, ``RUNNING``, ``SUCCEEDED``, ``FAILED`` or ``ABORTED``.
    :param output: output of the branch, once it has succeeded.
    :param entered: whether the current state has been entered (and not yet left).
    :param entered_time: when it was entered, as the context object writes it.
    :param retry_count: retries of the current state.
    :param retries: index of a retrier → how often it has allowed a retry.
    :param branches: frames of a Parallel state's branches or a Map state's iterations.
    :param item: item of the Map iteration that this frame belongs to.
    :param item_index: index of that item, from 0.
    """

    state: str | None = None
    input: Any = None
    variables: dict[str, Any] = field(default_factory=dict)
    status: str = "READY"
    output: Any = None
    entered: bool = False
    entered_time: str = ""
    retry_count: int = 0
    retries: dict[int, int] = field(default_factory=dict)
    branches: list[Frame] | None = None
    item: Any = None
    item_index: int | None = None
