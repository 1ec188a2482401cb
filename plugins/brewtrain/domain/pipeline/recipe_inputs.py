"""Which other data a recipe reads: JOIN and UNION may name S3 locations of their own.

A recipe that reads another bucket, or another pipeline's runs, is refused before anything is
deployed: the DataBrew role would refuse it at night. Must not import Airflow or boto3.

Source: AWS Glue DataBrew Developer Guide, recipe actions JOIN (``secondInputLocation``) and UNION
(``secondaryInputs``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from brewtrain.domain import names
from brewtrain.domain.errors import RecipeFileError
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.pipeline.plain_text import key_problem

_LOCATION = "secondinputlocation"
_INPUTS = "secondaryinputs"
_URI = re.compile(r"(?:s3[an]?)://([^/]*)/?(.*)", re.DOTALL)
# The bucket that storage.yaml makes, whose account is not known before AWS has been asked.
_DEFAULT_BUCKET = re.compile(rf"{names.PREFIX}-[0-9]{{12}}-[a-z0-9-]+")


def check_second_inputs(steps: Sequence[Mapping[str, Any]], pipeline: Pipeline, *, source: str) -> None:
    """Check that every S3 location in a recipe is in a bucket of the pipeline.

    It must also be outside what pipelines write.

    :param steps: As :func:`brewtrain.domain.pipeline.recipe_document.parse_recipe` returns them.
    :param pipeline: The pipeline file.
    :param source: The recipe file's path, for messages.
    :raises RecipeFileError: If one does not, or is not plainly written; names the step.
    """
    own = pipeline.bucket
    known = {pipeline.source.bucket(own or "")} | ({own} if own else set())
    for where, bucket, key in _second_inputs(steps, source):
        if (problem := key_problem(key)) is not None:
            raise RecipeFileError(f"{where}: the key {key!r} of its second input {problem}")
        if key.startswith(f"{names.PREFIX}/"):
            raise RecipeFileError(
                f"{where}: its second input is inside {names.PREFIX}/, where the pipelines keep their own files; store "
                "data elsewhere"
            )
        if bucket not in known and not (own is None and _DEFAULT_BUCKET.fullmatch(bucket)):
            raise RecipeFileError(
                f"{where}: its second input is in bucket {bucket!r}, which is neither the bucket nor the source of "
                f"pipeline {pipeline.name}; copy the data there"
            )


def _second_inputs(steps: Sequence[Mapping[str, Any]], source: str) -> Iterator[tuple[str, str, str]]:
    for number, step in enumerate(steps, start=1):
        action = step["Action"]
        where = f"{source}: step {number} ({action['Operation']})"
        for name, text in (action.get("Parameters") or {}).items():
            if name.lower() == _LOCATION:
                match = _URI.fullmatch(text)
                if match is None:
                    raise RecipeFileError(f"{where}: {name} is {text!r}; write s3://BUCKET/KEY")
                yield where, match[1], match[2]
            elif name.lower() == _INPUTS:
                for one in _inputs(text, where=f"{where}: {name}"):
                    yield where, *one


def _inputs(text: str, *, where: str) -> Iterator[tuple[str, str]]:
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        raise RecipeFileError(f"{where} is not a JSON list of inputs; write it as the step's reference page does")
    for entry in entries:
        if entry is None or (isinstance(entry, dict) and not entry):
            continue
        place = entry.get("S3InputDefinition", entry) if isinstance(entry, dict) else None
        if not isinstance(place, dict) or not isinstance(place.get("Bucket"), str):
            raise RecipeFileError(f"{where} has {entry!r}; write S3InputDefinition with Bucket and Key")
        key = place.get("Key", "")
        if not isinstance(key, str):
            raise RecipeFileError(f"{where} has the key {key!r}; write text")
        yield place["Bucket"], key
