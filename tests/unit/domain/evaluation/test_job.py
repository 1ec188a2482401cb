"""What the evaluation's job is told, and how its code is told apart."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.evaluation.gate import GateRules
from brewtrain.domain.evaluation.job import Code, container_arguments, execution_section


def arguments(rules: GateRules | None = None, **changes: Any) -> list[str]:
    given: dict[str, Any] = {
        "run_id": "p-20240102T0000-g0",
        "pipeline": "p",
        "data_date": "2024-01-01",
        "recipe_version": "3.0",
        "validation_fraction": 0.25,
        **changes,
    }
    return container_arguments(rules if rules is not None else GateRules(), **given)


def test_the_script_is_told_the_run_and_then_the_rules() -> None:
    assert arguments(GateRules(floors={"auc": 0.7}))[:12] == [
        *("--run-id", "p-20240102T0000-g0"),
        *("--pipeline", "p"),
        *("--data-date", "2024-01-01"),
        *("--recipe-version", "3.0"),
        *("--validation-fraction", "0.25"),
        *("--rule", "floor.auc=0.7"),
    ]


def test_an_argument_may_have_256_characters_and_no_more() -> None:
    longest = "r" * 256
    assert longest in arguments(run_id=longest)
    with pytest.raises(DeploymentError) as caught:
        arguments(run_id=f"{longest}r")
    assert str(caught.value) == (
        f"the evaluation of {longest}r has 26 arguments, the longest of 257 characters; SageMaker allows 100 of 256; "
        "shorten the gate"
    )


def test_the_section_names_what_the_job_reads_and_writes() -> None:
    section = execution_section(
        ["--run-id", "r"],
        bucket="b",
        run_prefix="brewtrain/p/runs/r/",
        code_prefix="brewtrain/p/code/evaluation-abc/",
        instance_type="ml.m5.xlarge",
        volume_gb=10,
        max_runtime_seconds=3600,
        timeout_seconds=5400,
    )
    assert section == {
        "instance_type": "ml.m5.xlarge",
        "volume_gb": 10,
        "max_runtime_seconds": 3600,
        "timeout_seconds": 5400,
        "arguments": ["--run-id", "r"],
        "code_uri": "s3://b/brewtrain/p/code/evaluation-abc/",
        "train_uri": "s3://b/brewtrain/p/runs/r/train/",
        "validation_uri": "s3://b/brewtrain/p/runs/r/validation/",
        "summary_uri": "s3://b/brewtrain/p/runs/r/split.json",
        "output_uri": "s3://b/brewtrain/p/runs/r/evaluation/",
        "verdict_bucket": "b",
        "verdict_key": "brewtrain/p/runs/r/evaluation/verdict.json",
    }


def test_the_codes_hash_is_of_names_lengths_and_contents_in_order_of_name() -> None:
    code = Code({"b.py": b"second", "a.py": b"first"})
    assert code.sha256 == hashlib.sha256(b"a.py\x005\x00firstb.py\x006\x00second").hexdigest()
    assert Code({"a.py": b"first", "b.py": b"second"}).sha256 == code.sha256, "the order makes no difference"
    assert Code({"a.py": b"first", "b.py": b"secon2"}).sha256 != code.sha256
    assert Code({"a.py": b"first", "c.py": b"second"}).sha256 != code.sha256
