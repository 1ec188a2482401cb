"""How an action is declared, and the register of all of them.

An action is a small declared thing: name, family, parameters with types, function. The checker, the
command line and the coverage page all read these declarations; nothing about an action is said
twice. Must not import polars.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recipe_runner.language.parameters import Declarations, Parameter

if TYPE_CHECKING:
    from recipe_runner.tables.table import Change, Table

PAGES = "https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions."


@dataclass(frozen=True)
class Condition:
    """A validated condition: name of the 15, parsed value (None, text, number list …), column."""

    name: str
    value: Any
    column: str


@dataclass(frozen=True)
class Step:
    """A validated step: number from 1, its action, typed arguments by parameter name, conditions (all must hold)."""

    number: int
    action: Action
    arguments: Mapping[str, Any]
    conditions: tuple[Condition, ...] = ()

    def __getitem__(self, name: str) -> Any:
        return self.arguments.get(name)

    @property
    def operation(self) -> str:
        return self.action.name


@dataclass(frozen=True)
class Ambiguity:
    """A question the guide leaves open, what was chosen, and why."""

    question: str
    choice: str
    why: str


@dataclass(frozen=True)
class Action:
    """Declaration of one recipe action.

    Attributes:
        name: operation as in the API.
        family: group of the guide it belongs to.
        declared: its parameters.
        function: makes the change to a table; raises RecipeError where the data does not fit.
        takes_conditions: whether ConditionExpressions make sense for it.
        needs_condition: whether it does nothing sensible without one.
        check: further checks over the typed arguments alone; yields messages.
        ambiguities: what the guide leaves open.
        refusal: why it cannot be done locally; empty if it can.
        page: address of the guide's page.
    """

    name: str
    family: str
    declared: Declarations
    function: Callable[[Step, Table], Change]
    takes_conditions: bool = True
    needs_condition: bool = False
    check: Callable[[Mapping[str, Any]], Sequence[str]] | None = None
    ambiguities: tuple[Ambiguity, ...] = ()
    refusal: str = ""
    page: str = ""


ACTIONS: dict[str, Action] = {}
# Names that the guide uses too: the examples of the two rolling functions, the heading of
# NORMALIZATION.
OTHER_NAMES = {
    "ROLLING_STDEV": "ROLLING_STANDARD_DEVIATION",
    "ROLLING_VAR": "ROLLING_VARIANCE",
    "SCALE": "NORMALIZATION",
}


def action(
    name: str,
    family: str,
    *parameters: Parameter,
    one_of: Sequence[tuple[str, ...]] = (),
    takes_conditions: bool = True,
    needs_condition: bool = False,
    check: Callable[[Mapping[str, Any]], Sequence[str]] | None = None,
    ambiguities: Sequence[tuple[str, str, str]] = (),
    refusal: str = "",
    page: str | None = None,
) -> Callable[[Callable[[Step, Table], Change]], Callable[[Step, Table], Change]]:
    """Declare an action; the decorated function does its work. Several declarations may share one function.

    Parameters:
        ambiguities: triples of question, choice, reason, for docs/recipe-ambiguities.md.
        (others as in Action)
    """

    def register(function: Callable[[Step, Table], Change]) -> Callable[[Step, Table], Change]:
        if name in ACTIONS:
            raise ValueError(f"{name} is declared twice")
        ACTIONS[name] = Action(
            name,
            family,
            Declarations(parameters, one_of),
            function,
            takes_conditions,
            needs_condition,
            check,
            tuple(Ambiguity(*entry) for entry in ambiguities),
            refusal,
            f"{PAGES}{name}.html" if page is None else page,
        )
        return function

    return register
