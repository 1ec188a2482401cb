"""The advice for whatever a section's field may ask, also where no field of a pipeline does yet."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field, ValidationError

from brewtrain.domain.pipeline.messages import sentences
from brewtrain.domain.pipeline.section import Section


class Example(Section):
    above: int = Field(default=1, gt=0)
    below: float = Field(default=1, lt=9.5)
    even: int = Field(default=2, multiple_of=2)
    text: str = "x"
    names: list[str] = Field(default=[])
    counts: dict[str, int] = Field(default={})


def problems(**document: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Example.model_validate(document)
    return sentences(caught.value, Example)


ADVICE: dict[str, tuple[dict[str, Any], str]] = {
    "a lower bound that is excluded": ({"above": 0}, "field 'above' is 0; write more than 0"),
    "an upper bound that is excluded": ({"below": 9.5}, "field 'below' is 9.5; write less than 9.5"),
    "a number for text": ({"text": 1.5}, "field 'text' is 1.5; write text: put it in quotes"),
    "a list for text": ({"text": ["a"]}, "field 'text' is a list; write text"),
    "a mapping for text": ({"text": {"a": 1}}, "field 'text' is a mapping; write text"),
    "text for a list": (
        {"names": "a"},
        "field 'names' is 'a'; write a list, as [a, b] or one item per line after '- '",
    ),
    "text for a mapping": (
        {"counts": "a"},
        "field 'counts' is 'a'; write its fields below it, indented, as 'field: value'",
    ),
    "what has no advice of its own": ({"even": 3}, "field 'even' is 3; input should be a multiple of 2"),
}


@pytest.mark.parametrize(("document", "sentence"), ADVICE.values(), ids=ADVICE)
def test_each_kind_of_problem_has_its_advice(document: dict[str, Any], sentence: str) -> None:
    assert problems(**document) == [sentence]
