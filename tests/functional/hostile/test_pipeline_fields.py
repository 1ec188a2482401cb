"""Any value in a field of a pipeline file is refused, or nothing made of it leaves its place."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from brewtrain import strict_yaml
from brewtrain.domain import names
from brewtrain.domain.deployment import glue_job
from brewtrain.domain.errors import PipelineFileError
from brewtrain.domain.pipeline.file import Pipeline, parse_pipeline
from brewtrain.domain.run import transform_job
from brewtrain.domain.run.execution_input import execution_input
from brewtrain.resources import evaluation_code, images, load_pipeline
from tests.functional.hostile.texts import KNOWN, hostile
from tools.policy.narrowing import policies

REPOSITORY = Path(__file__).resolve().parents[3]
CODE = evaluation_code()
ACCOUNT = names.Account("123456789012", "eu-central-1")
START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)
# Read by people and by nobody else: never in what is sent to AWS.
PROSE = {("description",), ("owner",), ("pool",)}
FULL: dict[str, Any] = {
    **yaml.safe_load((REPOSITORY / "include/pipelines/bank_marketing.yaml").read_text("utf-8")),
    "bucket": "mine-1",
    "kms_key": "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
}
FULL["start_date"] = "2024-01-01"
FULL.setdefault("endpoint", {})["name"] = "bank"
FULL["endpoint"] |= {"update": {"traffic": "canary", "alarms": ["bank errors"]}, "instance_count": 2}
FULL |= {"approval": "none", "pool": "retraining", "schedule": "@daily", "window_days": 30}
FULL["source"]["columns"] = ["age", "y"]


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from leaves(value, (*path, index))
    else:
        yield path


def holders(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, dict):
        yield path
        for key, value in node.items():
            yield from holders(value, (*path, key))


def put(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    document = copy.deepcopy(FULL)
    place: Any = document
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return document


def parsed(document: Any) -> Pipeline | None:
    try:
        return parse_pipeline(document, source="include/pipelines/x.yaml")
    except PipelineFileError:
        return None


def texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from texts(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from texts(value)
    elif isinstance(node, str):
        yield node


def check_contained(pipeline: Pipeline) -> None:
    """Everything derived lies inside the pipeline's own names, prefixes and alphabets."""
    bucket, slug = pipeline.bucket_name(ACCOUNT), names.slug(pipeline.name)
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket)
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,23}", slug)
    identity = names.RunIdentity(pipeline.name, START, END, "0")
    document = execution_input(pipeline, identity, ACCOUNT, images=images(), recipe_version="1.0", code=CODE)
    own = tuple(f"s3://{bucket}/{prefix}" for prefix in (names.run_prefix(identity), names.code_prefix(pipeline.name)))
    # The label is the name of a column, an alarm that of an alarm: data, which nothing takes for an
    # address.
    label = document["split"]["arguments"]["--label"]
    alarms = pipeline.endpoint.update.alarms if pipeline.endpoint.update is not None else ()
    for text in texts(document):
        if text in (label, *alarms):
            continue
        assert not text.startswith("s3://") or (text.startswith(own) and not unsafe_key(text.removeprefix("s3://")))
        assert not any(unicodedata.category(one) in ("Cc", "Cs", "Cf") for one in text)
        assert not text.startswith("arn:") or re.fullmatch(r"arn:aws:iam::123456789012:role/brewtrain-[a-z]+", text)
    json.dumps(document, ensure_ascii=False).encode()
    arguments = document["split"]["arguments"]
    for name, value in arguments.items():
        assert name.startswith("--")
        assert not value.startswith("-"), "Glue would read it as an option"
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", document["endpoint"]["name"])
    assert re.fullmatch(r"[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/sagemaker-xgboost:[0-9.-]+",
                        document["training"]["image_uri"])  # fmt: skip
    hyperparameters = document["training"]["hyperparameters"]
    assert not [key for key in hyperparameters if key.startswith("sagemaker_")], "another script than the algorithm"
    check_requests(pipeline, identity, bucket)
    for policy in policies(pipeline, ACCOUNT).values():
        for statement in policy["Statement"]:
            for resource in statement["Resource"]:
                if ":alarm:" in resource:
                    assert resource.split(":alarm:", 1)[1] in alarms
                    assert not set("*?$") & set(resource)
                    continue
                assert re.fullmatch(r"[A-Za-z0-9*?$_./:=+,@!'()-]+", resource), resource


def check_requests(pipeline: Pipeline, identity: names.RunIdentity, bucket: str) -> None:
    """Check that what AWS is sent fits the patterns of its own models."""
    dataset = transform_job.dataset(pipeline, identity, bucket=bucket)
    job = transform_job.job(pipeline, identity, ACCOUNT, bucket=bucket, recipe_version="1.0")
    key = dataset["Input"]["S3InputDefinition"]["Key"]
    literal, _, expression = key.partition("<")
    assert not literal or not unsafe_key(literal)
    assert expression.count(">") == 1, "one regular expression, as brewtrain writes it, to the key's end"
    assert expression.endswith(">")
    assert re.compile(expression[:-1])
    day = pipeline.source.layout.object_key(date.fromisoformat(identity.data_date), "part.csv")
    assert re.fullmatch(expression[:-1], day.removeprefix(literal))
    assert not unsafe_key(day)
    assert not key.startswith("brewtrain/")
    assert job["Outputs"][0]["Location"]["Bucket"] == bucket
    assert job["Outputs"][0]["Location"]["Key"] == f"{names.run_prefix(identity)}transform/"
    script = f"s3://{bucket}/{names.split_script_key(pipeline.name, 'a' * 64)}"
    for service, operation, request in (
        ("databrew", "CreateDataset", {"Name": identity.job_name_prefix, **dataset}),
        ("databrew", "CreateRecipeJob", {"Name": identity.job_name_prefix, **job}),
        ("glue", "CreateJob", {"Name": names.split_job(pipeline.name),
                               **glue_job.definition(pipeline, ACCOUNT, script_uri=script)}),
    ):  # fmt: skip
        check_shape(input_shape(service, operation), request, operation)


@functools.cache
def input_shape(service: str, operation: str) -> Any:
    return botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape


def check_shape(shape: Any, value: Any, where: str) -> None:
    if shape.type_name == "structure":
        for key, member in value.items():
            check_shape(shape.members[key], member, f"{where}.{key}")
    elif shape.type_name == "list":
        for member in value:
            check_shape(shape.member, member, f"{where}[]")
    elif shape.type_name == "map":
        for key, member in value.items():
            check_shape(shape.key, key, f"{where} key")
            check_shape(shape.value, member, f"{where}.{key}")
    elif shape.type_name == "string":
        limits = shape.metadata
        assert limits.get("min", 0) <= len(value) <= limits.get("max", 10**9), where
        if "enum" in limits:
            assert value in limits["enum"], where


def unsafe_key(key: str) -> bool:
    folders = key.rstrip("/").split("/")
    return bool({"", ".", ".."} & set(folders)) or any(sign in key for sign in "\\%<>*?\"'`$;|&#~^[]")


FIELDS = sorted(set(leaves(FULL)), key=str)


def test_every_section_has_a_field_here() -> None:
    """Any new field is tested: the document names every section and text of the model."""
    assert len(FIELDS) > 25
    assert {path[0] for path in FIELDS} >= set(Pipeline.model_json_schema()["required"])


def test_the_document_itself_is_valid_and_contained() -> None:
    pipeline = parsed(FULL)
    assert pipeline is not None
    check_contained(pipeline)


@pytest.mark.parametrize("path", FIELDS, ids=lambda path: ".".join(map(str, path)))
def test_known_attacks(path: tuple[Any, ...]) -> None:
    accepted = []
    for text in KNOWN:
        pipeline = parsed(put(path, text))
        if pipeline is not None:
            accepted.append(text)
            check_contained(pipeline)
    # A source may be another bucket, and a column or an alarm may be called anything that can be
    # seen.
    if path in PROSE or path[0] in ("source", "label") or "alarms" in path:
        return
    evil = [text for text in accepted if "evil" in text]
    assert evil == []


@settings(max_examples=150)
@given(st.sampled_from(FIELDS), hostile)
def test_any_text_in_any_field(path: tuple[Any, ...], text: str) -> None:
    pipeline = parsed(put(path, text))
    if pipeline is not None:
        check_contained(pipeline)


@settings(max_examples=60)
@given(st.sampled_from(sorted(holders(FULL), key=str)), hostile, hostile)
def test_any_text_as_a_key(path: tuple[Any, ...], key: str, value: str) -> None:
    pipeline = parsed(put((*path, key), value))
    if pipeline is not None:
        check_contained(pipeline)


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), hostile),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(hostile, inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=100)
@given(st.sampled_from(FIELDS), values)
def test_any_value_in_any_field(path: tuple[Any, ...], value: Any) -> None:
    pipeline = parsed(put(path, value))
    if pipeline is not None:
        check_contained(pipeline)


def test_another_bucket_is_the_sources_alone() -> None:
    """A source may lie in another bucket, plainly named; nothing is ever written there."""
    pipeline = parsed(put(("source", "path"), "s3://their-lake/raw/{date}/"))
    assert pipeline is not None
    check_contained(pipeline)


@pytest.mark.parametrize(
    "path",
    [
        "s3://{bucket}//data/{date}/",
        "s3://{bucket}/./data/{date}/",
        "s3://{bucket}/data/{bucket}/{date}/",
        "s3://{bucket}/{date}/{date!r}/",
        "s3://{bucket}/brewtrain/bank/runs/{date}/",
        "s3://a..b/{date}/",
        "s3://169.254.169.254/{date}/",
        "s3://{bucket}/" + "a/" * 500 + "{date}/",
    ],
)
def test_a_path_that_is_not_plain_is_refused(path: str) -> None:
    assert parsed(put(("source", "path"), path)) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sagemaker_program", "train.py"),
        ("sagemaker_submit_directory", "s3://evil-bucket/code.tar.gz"),
        ("process_type", "s3://evil-bucket/x"),
        ("eta", "0.1\x00"),
        ("e t a", "0.1"),
        ("updater", "x" * 3000),
        ("num_round", "१००"),
    ],
)
def test_a_hyperparameter_that_is_none_is_refused(name: str, value: str) -> None:
    assert parsed(put(("training", "hyperparameters", name), value)) is None


@pytest.mark.parametrize(
    "text",
    [
        "[" * 60_000,
        "a: {" * 4_000,
        "name: !!int x",
        "name: " + "9" * 5_000,
        "name: !!bool x",
        "name: !!map x",
        "name: !!python/object/apply:os.system [id]",
        "name: &a [*a]",
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\nname: [*c,*c,*c,*c]\n",
        "name: " + "x" * 30_000,
    ],
    ids=lambda text: text[:20],
)
def test_a_file_that_attacks_the_reader_is_refused_as_a_file(text: str, tmp_path: Path) -> None:
    """One such file must not take the other pipelines' DAGs with it."""
    folder = tmp_path / "include" / "pipelines"
    folder.mkdir(parents=True)
    path = folder / "bank.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(PipelineFileError):
        load_pipeline(path)


@settings(max_examples=100)
@given(st.text(max_size=60))
def test_any_text_as_a_file(text: str) -> None:
    with contextlib.suppress(strict_yaml.YamlError):
        strict_yaml.load(text)
