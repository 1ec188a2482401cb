"""Declarations of the recipe actions, and the register of all of them.

A declaration has name, family, parameters with types, and the function that does the work. The
checker, the command line and the coverage page all read it, so nothing about an action is written
twice. Must not import polars.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recipe_runner.language.parameters import Declarations, Parameter

if TYPE_CHECKING:
    from recipe_runner.tables.table import Change, Table

_PAGES = "https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions."


@dataclass(frozen=True)
class Condition:
    """A validated condition.

    :param name: one of the 15 names.
    :param value: the parsed value: None, a text, a list of numbers …
    :param column: the column it looks at.
    """

    name: str
    value: Any
    column: str


@dataclass(frozen=True)
class Step:
    """A validated step.

    :param number: position in the recipe, from 1.
    :param action: what it does.
    :param arguments: typed values by parameter name.
    :param conditions: conditions that must all hold.
    """

    number: int
    action: Action
    arguments: Mapping[str, Any]
    conditions: tuple[Condition, ...] = ()

    def __getitem__(self, name: str) -> Any:
        return self.arguments.get(name)

    @property
    def operation(self) -> str:
        """Name of the step's action."""
        return self.action.name


@dataclass(frozen=True)
class Ambiguity:
    """A question that the guide leaves open, what was chosen, and why."""

    question: str
    choice: str
    why: str


@dataclass(frozen=True)
class Action:
    """Declaration of one recipe action.

    :param name: operation as in the API.
    :param family: the guide's group of actions.
    :param declared: its parameters.
    :param function: changes a table; raises RecipeError if the data does not fit.
    :param takes_conditions: whether ConditionExpressions make sense for it.
    :param needs_condition: whether it makes no sense without a condition.
    :param check: further checks of the typed arguments alone; returns messages.
    :param ambiguities: what the guide leaves open.
    :param refusal: why it cannot be done locally; empty if it can.
    :param page: address of the guide's page.
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


def function_page(name: str) -> str:
    """Return the address of the guide's page on a function; those of other actions differ."""
    return f"{_PAGES}functions.{name}.html"


ACTIONS: dict[str, Action] = {}
# Other names in the guide: examples of the two rolling functions, the heading of NORMALIZATION.
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
    """Declare an action; the decorated function does its work and may have several declarations.

    The other parameters are those of `Action`.

    :param parameters: its parameters.
    :param one_of: groups of parameters of which at least one must be given.
    :param ambiguities: triples of question, choice and reason, for docs/recipe-ambiguities.md.
    :param page: address of the guide's page, if it is not the usual one for the name.
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
            f"{_PAGES}{name}.html" if page is None else page,
        )
        return function

    return register
