"""A run to evaluate, and the script called on it, for the tests of the evaluation."""

from __future__ import annotations

import contextlib
import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import jsonschema
import pytest
from botocore.stub import Stubber

from tests.fixtures.evaluation_run import PLOTS, PNG_SIGNATURE, SCHEMA, Run, make_run, read_json


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Make one run for all tests."""
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def scoring_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call score_model.py here: to start Python for it takes most of a test's time."""
    import model_archive
    import score_model

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            code = score_model.main(Path(command[2]), Path(command[3]))
        return subprocess.CompletedProcess(command, code, b"", said.getvalue().encode())

    # In this module alone: matplotlib starts fc-list where it has no cache of fonts yet.
    monkeypatch.setattr(model_archive, "subprocess", SimpleNamespace(run=run))


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Replace S3 by a mapping from URI to content."""
    import s3_objects
    from evaluation_errors import MissingObjectError

    objects: dict[str, bytes] = {}

    def download(uri: str, target: Path) -> None:
        if uri not in objects:
            raise MissingObjectError(f"{uri} no longer exists; promote a model whose archive exists")
        target.write_bytes(objects[uri])

    monkeypatch.setattr(s3_objects, "download", download)
    return objects


@pytest.fixture
def stub_s3(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Stubber], None]], None]:
    """Return a function that makes boto3 answer with what it adds to a stub."""
    client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")

    def call(prepare: Callable[[Stubber], None]) -> None:
        stubber = Stubber(client)
        prepare(stubber)
        stubber.activate()
        monkeypatch.setattr(boto3, "client", lambda *_, **__: client)

    return call


@pytest.fixture
def score(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    scoring_in_process: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[int, dict[str, Any], str]]:
    """Return a function that runs the script.

    It returns the exit code, evaluation.json (empty after an error) and what is on standard error.
    """
    import evaluate
    import plots

    def draw(document: dict[str, Any]) -> dict[str, bytes]:
        return dict.fromkeys([*PLOTS, "drift.png"] if document["drift"] else PLOTS, PNG_SIGNATURE)

    # Matplotlib takes a second a figure when the machine is busy; tests of the plots themselves
    # call it.
    monkeypatch.setattr(plots, "draw_evaluation", draw)

    def call(*rules: str, **changes: str) -> tuple[int, dict[str, Any], str]:
        output = tmp_path / "output"
        arguments = run.arguments(output, **changes) + [part for rule in rules for part in ("--rule", rule)]
        code = evaluate.main(arguments)
        said = capsys.readouterr().err
        if code:
            assert not output.exists() or list(output.iterdir()) == []
            return code, {}, said
        document = read_json(output / "evaluation.json")
        jsonschema.validate(document, SCHEMA)
        assert (output / "verdict.json").stat().st_size <= 8192
        assert not [path for path in output.iterdir() if path.name.startswith(".")]
        return code, document, said

    return call
