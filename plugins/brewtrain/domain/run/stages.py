"""Which part of the execution each stage task of Airflow shows, and when that part is over.

Airflow's grid shows by it how far a retraining is, although only one execution runs. The table
follows "Stages and states" in docs/architecture.md; a test checks it against the state machine.
Must not import Airflow or boto3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from brewtrain.domain.run.outcome import Outcome


class Stage(StrEnum):
    """The stages of a retraining, in the order in which the execution passes them."""

    TRANSFORM = "transform"
    SPLIT = "split"
    TRAIN = "train"
    EVALUATE = "evaluate"
    GATE = "gate"
    DEPLOY = "deploy"

    @property
    def position(self) -> int:
        """The stage's place in that order, from 0."""
        return list(Stage).index(self)


STAGE_OF_STATE: Mapping[str, Stage] = {
    "Choose Entry": Stage.TRANSFORM,
    "Unknown Entry": Stage.TRANSFORM,
    "Apply Transformation": Stage.TRANSFORM,
    "Split Train & Test DataSet": Stage.SPLIT,
    "Model Training": Stage.TRAIN,
    "Query Training Results": Stage.EVALUATE,
    "Read Split Summary": Stage.EVALUATE,
    "Query Champion Endpoint": Stage.EVALUATE,
    "Query Champion Endpoint Failed": Stage.EVALUATE,
    "Query Champion Endpoint Later": Stage.EVALUATE,
    "Query Champion Endpoint Again": Stage.EVALUATE,
    "No Champion": Stage.EVALUATE,
    "Champion Endpoint Has Config": Stage.EVALUATE,
    "Champion Endpoint Without Config": Stage.EVALUATE,
    "Look Up Champion Config": Stage.EVALUATE,
    "Look Up Champion Config Failed": Stage.EVALUATE,
    "Look Up Champion Config Later": Stage.EVALUATE,
    "Look Up Champion Config Again": Stage.EVALUATE,
    "Champion Config Deleted": Stage.EVALUATE,
    "One Champion Model": Stage.EVALUATE,
    "Champion Is Not One Model": Stage.EVALUATE,
    "Look Up Champion Model": Stage.EVALUATE,
    "Look Up Champion Model Failed": Stage.EVALUATE,
    "Look Up Champion Model Later": Stage.EVALUATE,
    "Look Up Champion Model Again": Stage.EVALUATE,
    "Champion Model Deleted": Stage.EVALUATE,
    "One Champion Archive": Stage.EVALUATE,
    "Champion Has No Archive": Stage.EVALUATE,
    "Take Champion": Stage.EVALUATE,
    "Evaluate Model": Stage.EVALUATE,
    "Read Verdict": Stage.EVALUATE,
    "Take Verdict": Stage.EVALUATE,
    "Accuracy > 90%": Stage.GATE,
    "Record Rejection": Stage.GATE,
    "Model Accuracy Too Low": Stage.GATE,
}
"""States of the stages before ``deploy``; see :func:`stage_of` for the rest."""


def stage_of(state: str) -> Stage:
    """Return the stage that a state belongs to.

    Everything that the gate lets through belongs to ``deploy``, so a state that this table does not
    name does too.

    :param state: Name of a top-level state.
    """
    return STAGE_OF_STATE.get(state, Stage.DEPLOY)


class StageProgress(StrEnum):
    """How far a stage is, as its task concludes from what it sees of the execution."""

    WAIT = "wait"
    OVER = "over"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNKNOWN = "unknown"


ACTIVE_STATUSES = frozenset({"RUNNING", "PENDING_REDRIVE"})
FAILED_STATUSES = frozenset({"FAILED", "TIMED_OUT", "ABORTED"})


@dataclass(frozen=True)
class Observation:
    """What one poll saw of one execution.

    :param status: The status in AWS's words (DescribeExecution, ListExecutions).
    :param redrive_count: How often the execution had been redriven; ``None`` if the poll could not
        tell.
    :param state: Name of the top-level state entered last; ``None`` if not known.
    :param output: The execution's output, once it has SUCCEEDED.
    """

    status: str
    redrive_count: int | None = None
    state: str | None = None
    output: Mapping[str, Any] | None = None


def progress_of(stage: Stage, seen: Observation) -> StageProgress:
    """Conclude from an observation how far one stage is.

    A stage is over when the execution has entered a state of a later stage or has ended well; it
    has failed when the execution ended badly in one of its states, or before it.

    :param stage: The stage whose task waits.
    :param seen: What the poll saw.
    :raises DeploymentError: If the stage is ``deploy`` and the output cannot be read.
    """
    reached = None if seen.state is None else stage_of(seen.state)
    if seen.status in ACTIVE_STATUSES:
        return StageProgress.OVER if reached is not None and reached.position > stage.position else StageProgress.WAIT
    if seen.status == "SUCCEEDED":
        if stage is Stage.DEPLOY and not Outcome.of(seen.output).promoted:
            return StageProgress.SKIPPED
        return StageProgress.OVER
    if seen.status in FAILED_STATUSES:
        return StageProgress.OVER if reached is not None and reached.position > stage.position else StageProgress.FAILED
    return StageProgress.UNKNOWN
