"""docs/pipelines.md names every field of a pipeline file, with its default, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

import yaml
from pydantic import BaseModel

from brewtrain.domain.pipeline.file import Pipeline
from tests.fixtures.places import DOCS

DOCUMENT = DOCS / "pipelines.md"
ROW = re.compile(r"^\| `([a-z_.]+)` \| (.*?)\| (.+) \|$", re.MULTILINE)


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from _fields(section, f"{prefix}{name}.")
        elif (optional := _optional(section)) is not None:
            yield f"{prefix}{name}", "none"
            yield from _fields(optional, f"{prefix}{name}.")
        elif field.is_required():
            yield f"{prefix}{name}", ""
        else:
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            yield f"{prefix}{name}", "none" if default is None else f"`{_yaml(default)}`"


def _optional(annotation: object) -> type[BaseModel] | None:
    sections = [one for one in get_args(annotation) if isinstance(one, type) and issubclass(one, BaseModel)]
    return sections[0] if sections and type(None) in get_args(annotation) else None


def _yaml(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return str(yaml.safe_dump(value, default_flow_style=True)).splitlines()[0]


def test_the_table_is_that_of_the_model() -> None:
    rows = [(name, default.strip()) for name, default, _ in ROW.findall(DOCUMENT.read_text())]
    assert dict(rows) == dict(_fields(Pipeline))
    assert len(rows) == 75, "document each field once"
