"""What all deployed resources have in common."""

from __future__ import annotations

from typing import Protocol

from brewtrain.domain.deployment.plan import Change


class DeployedResource(Protocol):
    """One thing on AWS that a deployment brings to what the repository says.

    Both methods look at AWS first and rely on nothing an earlier attempt may have left unfinished,
    so that repeating them after any failure ends in the same state.
    """

    def plan(self) -> Change:
        """Say what :meth:`apply` would do, and change nothing."""
        ...

    def apply(self) -> None:
        """Bring the resource to what it should be; does nothing if it is."""
        ...
