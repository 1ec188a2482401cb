"""The second inputs of a recipe: in the pipeline's own buckets, and plainly written."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from brewtrain.domain.errors import RecipeFileError
from brewtrain.domain.pipeline.recipe_inputs import check_second_inputs
from tests.fixtures.pipelines import smallest_pipeline

SOURCE = "include/recipes/x.json"
RENAME = {"Action": {"Operation": "RENAME", "Parameters": {"sourceColumn": "a", "targetColumn": "b"}}}
DEFAULT_BUCKET = "brewtrain-123456789012-eu-central-1"


def join(location: str, name: str = "secondInputLocation") -> dict[str, Any]:
    return {"Action": {"Operation": "JOIN", "Parameters": {"joinType": "INNER_JOIN", name: location}}}


def union(inputs: Any, name: str = "secondaryInputs") -> dict[str, Any]:
    text = inputs if isinstance(inputs, str) else json.dumps(inputs)
    return {"Action": {"Operation": "UNION", "Parameters": {name: text}}}


def place(bucket: str, key: str = "data/more/") -> dict[str, Any]:
    return {"S3InputDefinition": {"Bucket": bucket, "Key": key}}


def check(*steps: dict[str, Any], bucket: str | None = None, source: str | None = None) -> None:
    fields: dict[str, Any] = {} if bucket is None else {"bucket": bucket}
    if source is not None:
        fields["source"] = {"path": f"s3://{source}/bank/dt={{date}}/"}
    check_second_inputs(steps, smallest_pipeline("bank", **fields), source=SOURCE)


@pytest.mark.parametrize(
    ("step", "buckets"),
    [
        pytest.param(RENAME, {}, id="a step that reads nothing more"),
        pytest.param({"Action": {"Operation": "UPPER_CASE"}}, {}, id="a step without parameters"),
        pytest.param({"Action": {"Operation": "UPPER_CASE", "Parameters": None}}, {}, id="parameters left empty"),
        pytest.param(join(f"s3://{DEFAULT_BUCKET}/data/more/"), {}, id="the account's bucket"),
        pytest.param(join(f"s3a://{DEFAULT_BUCKET}/data/more/"), {}, id="Hadoop's s3a"),
        pytest.param(join(f"s3n://{DEFAULT_BUCKET}/data/more/"), {}, id="Hadoop's s3n"),
        pytest.param(join("s3://my-lake/data/more/"), {"bucket": "my-lake"}, id="the pipeline's bucket"),
        pytest.param(join("s3://raw/data/more/"), {"bucket": "my-lake", "source": "raw"}, id="the source's bucket"),
        pytest.param(join("s3://raw/data/more/"), {"source": "raw"}, id="the source's bucket beside the account's"),
        pytest.param(join(f"s3://{DEFAULT_BUCKET}/a"), {"source": "raw"}, id="the account's bucket beside the source"),
        pytest.param(join("s3://my-lake/brewtrains/"), {"bucket": "my-lake"}, id="a key that begins like brewtrain's"),
        pytest.param(union([place("my-lake")]), {"bucket": "my-lake"}, id="a list of inputs"),
        pytest.param(
            union([{"Bucket": "my-lake", "Key": "data/more/"}]), {"bucket": "my-lake"}, id="an input without a wrapper"
        ),
        pytest.param(union([]), {"bucket": "my-lake"}, id="no inputs"),
        pytest.param(union([None, {}, place("my-lake")]), {"bucket": "my-lake"}, id="empty inputs among others"),
    ],
)
def test_a_second_input_in_a_bucket_of_the_pipeline_may_be_read(step: dict[str, Any], buckets: dict[str, str]) -> None:
    check(step, **buckets)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another bucket": (
        join("s3://theirs/data/"),
        "(JOIN): its second input is in bucket 'theirs', which is neither the bucket nor the source of pipeline bank; "
        "copy the data there",
    ),
    "the account's bucket, where the pipeline names another": (
        join(f"s3://{DEFAULT_BUCKET}/data/"),
        f"(JOIN): its second input is in bucket '{DEFAULT_BUCKET}', which is neither the bucket nor the source of "
        "pipeline bank; copy the data there",
    ),
    "another bucket in a list": (
        union([place("my-lake"), place("theirs")]),
        "(UNION): its second input is in bucket 'theirs', which is neither the bucket nor the source of pipeline bank; "
        "copy the data there",
    ),
    "another bucket after an empty input": (
        union([None, place("theirs")]),
        "(UNION): its second input is in bucket 'theirs', which is neither the bucket nor the source of pipeline bank; "
        "copy the data there",
    ),
    "the pipelines' own files": (
        join("s3://my-lake/brewtrain/bank/runs/"),
        "(JOIN): its second input is inside brewtrain/, where the pipelines keep their own files; store data elsewhere",
    ),
    "a way out of a folder": (
        join("s3://my-lake/data/../brewtrain/"),
        "(JOIN): the key 'data/../brewtrain/' of its second input must not contain '..', '//', '%', '\\' or a folder "
        "'.': name the prefix plainly",
    ),
    "a line break in the key": (
        join("s3://my-lake/a\nb"),
        "(JOIN): the key 'a\\nb' of its second input has a character that is not safe in an S3 key; write letters, "
        "digits and ! - _ . ' ( ) = + , @",
    ),
    "a bucket alone": (
        join("s3://my-lake"),
        "(JOIN): the key '' of its second input has a character that is not safe in an S3 key; write letters, digits "
        "and ! - _ . ' ( ) = + , @",
    ),
    "no address": (join("data/more/"), "(JOIN): secondInputLocation is 'data/more/'; write s3://BUCKET/KEY"),
    "another scheme": (
        join("file:///etc/passwd", name="SecondInputLocation"),
        "(JOIN): SecondInputLocation is 'file:///etc/passwd'; write s3://BUCKET/KEY",
    ),
    "no JSON": (
        union("[", name="SecondaryInputs"),
        "(UNION): SecondaryInputs is not a JSON list of inputs; write it as the step's reference page does",
    ),
    "JSON nested too deeply": (
        union("[" * 100_000),
        "(UNION): secondaryInputs is not a JSON list of inputs; write it as the step's reference page does",
    ),
    "no list": (
        union(place("my-lake")),
        "(UNION): secondaryInputs is not a JSON list of inputs; write it as the step's reference page does",
    ),
    "an input that is text": (
        union(["s3://my-lake/data/"]),
        "(UNION): secondaryInputs has 's3://my-lake/data/'; write S3InputDefinition with Bucket and Key",
    ),
    "an input without a bucket": (
        union([{"S3InputDefinition": {"Key": "data/"}}]),
        "(UNION): secondaryInputs has {'S3InputDefinition': {'Key': 'data/'}}; write S3InputDefinition with Bucket and "
        "Key",
    ),
    "an input that is a catalogue's": (
        union([{"S3InputDefinition": "x"}]),
        "(UNION): secondaryInputs has {'S3InputDefinition': 'x'}; write S3InputDefinition with Bucket and Key",
    ),
    "a key that is no text": (
        union([{"Bucket": "my-lake", "Key": 7}]),
        "(UNION): secondaryInputs has the key 7; write text",
    ),
    "an input without a key": (
        union([{"Bucket": "my-lake"}]),
        "(UNION): the key '' of its second input has a character that is not safe in an S3 key; write letters, digits "
        "and ! - _ . ' ( ) = + , @",
    ),
}


@pytest.mark.parametrize(("step", "sentence"), REFUSED.values(), ids=REFUSED)
def test_any_other_second_input_is_refused_with_its_step(step: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeFileError, match=f"^{re.escape(f'{SOURCE}: step 2 {sentence}')}$"):
        check(RENAME, step, bucket="my-lake")


@pytest.mark.parametrize(
    "bucket",
    [
        pytest.param("brewtrain-12345678901-eu-central-1", id="a short account"),
        pytest.param(f"{DEFAULT_BUCKET}_", id="another character"),
        pytest.param(f"not-{DEFAULT_BUCKET}", id="something before it"),
        pytest.param("", id="no bucket"),
    ],
)
def test_only_the_name_of_the_accounts_bucket_is_taken_for_it(bucket: str) -> None:
    message = (
        f"{SOURCE}: step 1 (JOIN): its second input is in bucket {bucket!r}, which is neither the bucket nor the "
        "source of pipeline bank; copy the data there"
    )
    with pytest.raises(RecipeFileError, match=f"^{re.escape(message)}$"):
        check(join(f"s3://{bucket}/data/"), source="raw")
