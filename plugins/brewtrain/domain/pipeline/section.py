"""What all sections of a pipeline file share: strict types, and text without invisible characters.

The text of a ``ValueError`` in any section goes on from "field 'x' …". Must not import Airflow or
boto3.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from brewtrain.domain.pipeline.plain_text import hidden_character

INSTANCE_TYPE_PATTERN = r"^ml\.[a-z0-9-]{1,30}\.[a-z0-9]{1,30}$"


class Section(BaseModel):
    """Base of every section: unknown fields are refused, and nothing is converted."""

    # Strict: YAML has types of its own, so that a number given as text, or yes for 1, is a mistake.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def check_visible(value: str) -> str:
    """Refuse a text of one line that has an invisible character."""
    return _check_characters(value, allowed="")


def _check_lines(value: str) -> str:
    return _check_characters(value, allowed="\n\t")


def _check_characters(value: str, *, allowed: str) -> str:
    if (hidden := hidden_character(value, allowed=allowed)) is not None:
        raise ValueError(f"contains the invisible character {hidden}; remove it")
    return value


def check_once_each(value: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a list that names something twice."""
    for name in value:
        if value.count(name) > 1:
            raise ValueError(f"names {name!r} twice; name each once")
    return value


OneLine = Annotated[str, AfterValidator(check_visible)]
Lines = Annotated[str, AfterValidator(_check_lines)]
