"""The script as a whole: what it writes, what it decides, what it refuses, and that it never leaves half a result."""

from __future__ import annotations

import ast
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import boto3
import drift
import evaluate
import jsonschema
import numpy as np
import over_time
import plots
import pytest
from botocore.response import StreamingBody
from botocore.session import Session
from botocore.stub import Stubber
from botocore.validate import ParamValidator
from evaluation_errors import DownloadError, MissingObjectError, ModelArchiveError

from brewtrain.domain.errors import DeploymentError, RetrainingFailedError
from brewtrain.domain.evaluation import gate
from brewtrain.domain.evaluation import job as domain
from tests.unit.evaluation.conftest import REPOSITORY, SOURCE, Run, train, write_archive, write_rows

SCHEMA = json.loads((SOURCE / "evaluation.schema.json").read_text(encoding="utf-8"))
CHAMPION_URI = "s3://bucket/brewtrain/bank_marketing/runs/before-g0/model/job/output/model.tar.gz"
PROFILE_URI = "s3://bucket/brewtrain/bank_marketing/runs/before-g0/evaluation/profile.json"
PLOTS = {"roc.png", "pr.png", "calibration.png", "lift.png"}
FILES = {"evaluation.json", "verdict.json", "profile.json", "smoke.json", "report.html", *PLOTS}
_PNG = b"\x89PNG\r\n\x1a\n"


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """URI → content, standing for S3; what is not there raises as :func:`evaluate.download` does."""
    objects: dict[str, bytes] = {}

    def download(uri: str, target: Path, *, missing_ok: bool = False) -> bool:
        if uri not in objects:
            if missing_ok:
                return False
            raise MissingObjectError(f"{uri} is not there any more; promote a model whose archive exists")
        target.write_bytes(objects[uri])
        return True

    monkeypatch.setattr(evaluate, "download", download)
    return objects


@pytest.fixture
def score(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    scoring_in_process: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[int, dict[str, Any], str]]:
    """Run the script: exit code, evaluation.json (or nothing), what it said on standard error."""

    def draw(document: dict[str, Any]) -> dict[str, bytes]:
        return dict.fromkeys([*PLOTS, "drift.png"] if document["drift"] else PLOTS, _PNG)

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
        document = load(output / "evaluation.json")
        jsonschema.validate(document, SCHEMA)
        assert (output / "verdict.json").stat().st_size <= 8192
        assert not [path for path in output.iterdir() if path.name.startswith(".")]
        return code, document, said

    return call


def profile_of(run: Run, **changes: Any) -> bytes:
    made = drift.profile_rows(run.names, run.features, run.labels)
    settings = {"run_id": "before-g0", "data_date": "2010-10-31", "recipe_version": "1.0", "validation_fraction": 0.3}
    return json.dumps({**made, **settings, **changes}).encode()


@pytest.mark.slow
def test_as_it_is_shipped(run: Run, tmp_path: Path) -> None:
    """In a fresh process, from a folder that holds what the deploy ships and nothing else, warnings being errors."""
    code = tmp_path / "code"
    code.mkdir()
    for name in domain.SCRIPT_FILES:
        shutil.copy(SOURCE / name, code)
    shutil.copy(REPOSITORY / "plugins" / "brewtrain" / "domain" / "gate.py", code / domain.GATE_FILE)
    ended = subprocess.run(
        [sys.executable, "-s", "-W", "error", str(code / "evaluate.py"), *run.arguments(tmp_path / "out", champion="")],
        env={"BREWTRAIN_CHAMPION": "", "MPLCONFIGDIR": str(tmp_path / "matplotlib"), "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES


def test_first_run(run: Run, score: Any, tmp_path: Path) -> None:
    code, document, _ = score("floor.auc=0.5", "minimum_rows=100")
    assert code == 0
    output = tmp_path / "output"
    assert {path.name for path in output.iterdir()} == FILES
    assert document["champion"] is None
    assert document["drift"] is None
    assert document["comparison"]["status"] == "absent"
    assert document["gate"]["outcome"] == "pass"
    assert document["features"] == run.names
    assert document["data"]["validation_rows"] == run.validation.sum()
    assert document["data"]["validation_positives"] == run.labels[run.validation].sum()
    assert document["data"]["window_rows"] == 900
    share = run.labels[run.validation].mean()
    assert document["baseline"]["majority_class_error"] == pytest.approx(min(share, 1 - share))
    for measured in document["challenger"]["metrics"].values():
        assert measured["low"] <= measured["high"]
    verdict = domain.parse_verdict((output / "verdict.json").read_text(), source="verdict.json")
    assert verdict.passed
    assert not verdict.red
    assert verdict.metrics == {name: m["value"] for name, m in document["challenger"]["metrics"].items()}
    assert all((output / name).read_bytes().startswith(_PNG) for name in PLOTS)


@pytest.mark.slow
@pytest.mark.usefixtures("scoring_in_process")
def test_again_gives_the_same_bytes(run: Run, tmp_path: Path) -> None:
    champion = str(run.folder / "champion" / "model.tar.gz")
    for folder in ("once", "twice"):
        assert evaluate.main(run.arguments(tmp_path / folder, champion=champion)) == 0
    for path in (tmp_path / "once").iterdir():
        assert path.read_bytes() == (tmp_path / "twice" / path.name).read_bytes(), path.name


def test_better_and_worse_than_the_champion(run: Run, score: Any) -> None:
    strong, weak = (str(run.folder / name / "model.tar.gz") for name in ("challenger", "champion"))
    _, better, _ = score("champion.auc=0.01", champion=weak)
    assert better["gate"]["outcome"] == "pass"
    assert better["comparison"]["differences"]["auc"]["low"] > 0
    _, worse, _ = score("champion.auc=0.01", challenger=weak, champion=strong)
    assert worse["gate"]["outcome"] == "refuse"
    assert "auc is worse than the champion's by more than 0.0100" in worse["gate"]["reasons"][-1]
    for name, difference in worse["comparison"]["differences"].items():
        assert difference["value"] == pytest.approx(-better["comparison"]["differences"][name]["value"])


def test_the_same_model_differs_from_itself_by_nothing(run: Run, score: Any) -> None:
    """Differences are paired: two copies of one model have no spread, however wide their own intervals are."""
    _, document, _ = score("champion.auc=0.0", champion=str(run.folder / "challenger" / "model.tar.gz"))
    assert document["gate"]["outcome"] == "pass"
    differences = document["comparison"]["differences"]
    assert set(differences) == set(gate.METRICS)
    assert all(set(difference.values()) == {0.0} for difference in differences.values())


def test_champion_on_s3_with_its_profile(run: Run, score: Any, s3: dict[str, bytes], tmp_path: Path) -> None:
    s3[CHAMPION_URI] = (run.folder / "champion" / "model.tar.gz").read_bytes()
    s3[PROFILE_URI] = profile_of(run)
    _, document, _ = score("champion.auc=0.01", champion=CHAMPION_URI)
    assert document["comparison"] == {**document["comparison"], "status": "compared", "notes": []}
    assert document["champion"]["run_id"] == "before-g0"
    assert document["champion"]["data_date"] == "2010-10-31"
    assert {entry["name"] for entry in document["drift"]["features"]} == set(run.names)
    assert all(entry["psi"] < 0.001 for entry in document["drift"]["features"])
    assert (tmp_path / "output" / "drift.png").read_bytes().startswith(_PNG)


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"validation_fraction": 0.2}, "the champion's validation fraction was 0.2 and is now 0.3"),
        ({"recipe_version": "0.9"}, "the champion's recipe version was 0.9 and is now 1.0"),
        ({"layout": 2}, "the champion's profile cannot be used"),
        (None, "so drift is not measured"),
        ({"features": "none"}, "is not a profile, so drift is not measured"),
    ],
)
def test_what_weakens_the_comparison_is_noted(
    run: Run, score: Any, s3: dict[str, bytes], changes: dict[str, Any] | None, note: str
) -> None:
    s3[CHAMPION_URI] = (run.folder / "champion" / "model.tar.gz").read_bytes()
    if changes is not None:
        s3[PROFILE_URI] = profile_of(run, **changes)
    _, document, _ = score("champion.auc=0.01", champion=CHAMPION_URI)
    assert document["comparison"]["status"] == "compared"
    assert any(note in said for said in document["comparison"]["notes"])


def test_same_number_of_other_features(run: Run, score: Any, s3: dict[str, bytes]) -> None:
    s3[CHAMPION_URI] = (run.folder / "champion" / "model.tar.gz").read_bytes()
    profile = json.loads(profile_of(run))
    profile["features"][0]["name"] = "duration"
    s3[PROFILE_URI] = json.dumps(profile).encode()
    code, document, _ = score("champion.auc=0.01", champion=CHAMPION_URI)
    assert code == 0
    assert document["gate"]["outcome"] == "refuse"
    assert document["comparison"]["status"] == "not_comparable"
    assert "(no longer there: duration; new: age)" in document["gate"]["reasons"][0]
    assert document["champion"]["metrics"] is None
    assert len(document["drift"]["features"]) == 4


@pytest.mark.parametrize("content", [b"not an archive", None])
def test_champion_that_does_not_load(run: Run, score: Any, s3: dict[str, bytes], content: bytes | None) -> None:
    if content is not None:
        s3[CHAMPION_URI] = content
    _, document, _ = score("champion.auc=0.01", champion=CHAMPION_URI)
    assert document["gate"]["outcome"] == "refuse"
    _, document, _ = score("champion.auc=0.01", "champion_not_comparable=ignore", champion=CHAMPION_URI)
    assert document["gate"]["outcome"] == "pass"
    assert document["comparison"]["status"] == "not_comparable"


def test_a_champion_that_cannot_be_found_is_not_comparable(run: Run, score: Any, tmp_path: Path) -> None:
    reason = "endpoint config c that serves was deleted by hand"
    _, document, _ = score("champion.auc=0.01", champion="unknown", champion_reason=reason)
    assert document["comparison"] == {"status": "not_comparable", "reason": reason, "notes": [], "differences": {}}
    assert document["champion"]["archive"] is None
    assert document["gate"]["outcome"] == "refuse"
    assert reason in load(tmp_path / "output" / "verdict.json")["message"]
    _, document, _ = score("champion.auc=0.01", "champion_not_comparable=ignore", champion="unknown")
    assert document["gate"]["outcome"] == "pass"
    assert document["comparison"]["reason"] == "it is not known which model serves"


def test_smoke_rows_are_the_scored_rows_themselves(run: Run, score: Any, tmp_path: Path) -> None:
    score("floor.auc=0.5")
    smoke = load(tmp_path / "output" / "smoke.json")
    assert len(smoke["rows"]) == len(smoke["scores"]) == evaluate.SMOKE_ROWS
    assert smoke["scores"] == sorted(smoke["scores"])
    validation = run.features[run.validation].astype(np.float32)
    for text in smoke["rows"]:
        row = np.array([float(field or "nan") for field in text.split(",")], dtype=np.float32)
        assert (np.isclose(validation, row, rtol=0, atol=0, equal_nan=True).all(axis=1)).any(), text


def test_smoke_rows_of_few_rows_and_of_empty_ones() -> None:
    features = np.array([[1.5, np.nan], [np.nan, np.nan], [0.1, 2.0]], dtype=np.float32)
    smoke = evaluate.make_smoke_test(features, np.array([0.9, 0.5, 0.2]))
    assert smoke["rows"] == ["0.100000001,2", "1.5,"]
    assert smoke["scores"] == [0.2, 0.9]


def test_champion_of_another_width(run: Run, score: Any, tmp_path: Path) -> None:
    booster = train(run.features[:, :3], run.labels, rounds=2)
    archive = write_archive(tmp_path / "narrow" / "model.tar.gz", {"xgboost-model": bytes(booster.save_raw("ubj"))})
    _, document, _ = score("champion.auc=0.01", champion=str(archive))
    assert "the champion was trained on 3 features and the candidate on 5" in document["gate"]["reasons"][0]


def test_errors_have_names_and_leave_nothing(run: Run, score: Any, tmp_path: Path) -> None:
    one_class = write_rows(tmp_path / "one", np.zeros(20), run.features[:20])
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    narrow = write_rows(tmp_path / "narrow", run.labels[:20], run.features[:20, :4])
    other = tmp_path / "split.json"
    other.write_text(json.dumps({"features": ["a"]}))
    unnamed = tmp_path / "unnamed.json"
    unnamed.write_text("{}")
    broken = write_archive(tmp_path / "broken.tar.gz", {"xgboost-model": b"oops"})
    cases = [
        ({"validation": str(one_class)}, "OneClassError: all 20 validation rows have the label 0"),
        ({"validation": str(nothing)}, "DataError: the validation data has no row"),
        ({"train": str(nothing)}, "DataError: the train data has no row"),
        ({"train": str(narrow)}, "DataError: the train rows have 4 features and the validation rows 5"),
        ({"validation": str(narrow)}, "DataError: split.json names 5 features and the validation rows have 4"),
        ({"summary": str(other)}, "DataError: split.json names 1 features"),
        ({"summary": str(unnamed)}, "DataError: unnamed.json is not there or names no features"),
        ({"challenger": str(broken)}, "ModelArchiveError: the challenger's model does not load"),
        ({"challenger": str(nothing / "model.tar.gz")}, "ModelArchiveError: the challenger's archive"),
    ]
    for changes, says in cases:
        code, _, said = score(**changes)
        assert code == 1
        assert says in said, (changes, said)
        assert said.count("\n") == 1
    code, _, said = score("floor.roc=1")
    assert (code, "GateRulesError: metric 'roc' is not known" in said) == (1, True)


def test_results_of_an_attempt_before_do_not_survive(run: Run, score: Any, tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.mkdir()
    (output / "drift.png").write_bytes(b"old")
    score()
    assert {path.name for path in output.iterdir()} == FILES


def test_a_full_disk_leaves_nothing(score: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bytes = Path.write_bytes

    def fail_on_page(path: Path, content: bytes) -> int:
        if "report.html" in path.name:
            raise OSError(28, "No space left on device")
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", fail_on_page)
    with pytest.raises(OSError, match="No space left"):
        evaluate.main(run.arguments(tmp_path / "output"))
    assert list((tmp_path / "output").iterdir()) == []


def test_exit_message_is_what_sagemaker_shows(
    run: Run, score: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = tmp_path / "ml" / "message"
    message.parent.mkdir()
    monkeypatch.setattr(evaluate, "EXIT_MESSAGE", message)
    score("floor.auc=1.0")
    assert message.read_text().startswith("The quality gate refused the candidate: auc ")
    _, _, said = score(validation=str(tmp_path / "ml" / "none"))
    assert message.read_text() == said.strip()


def test_feature_names_cannot_write_html(run: Run, score: Any, tmp_path: Path) -> None:
    hostile = ["<script>alert(1)</script>", "$x_{$", 'a"b', "ü" * 80, "%s"]
    summary = tmp_path / "split.json"
    summary.write_text(json.dumps({"features": hostile}))
    archive = str(run.folder / "champion" / "model.tar.gz")
    score(summary=str(summary), champion=archive)
    page = (tmp_path / "output" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    document = load(tmp_path / "output" / "evaluation.json")
    document["drift"] = {
        "reference_rows": 10,
        "features": [{"name": name, "psi": 0.1, "level": "moderate"} for name in hostile],
        "label": {"name": "(label)", "psi": 0.0, "level": "stable"},
    }
    jsonschema.validate(document, SCHEMA)
    assert plots._drift(document).startswith(_PNG)
    assert "<script" not in evaluate.report_page.render_page(document, {})


def test_page_is_self_contained(run: Run, score: Any, tmp_path: Path) -> None:
    score("floor.auc=0.99", champion=str(run.folder / "champion" / "model.tar.gz"))
    opened, sources = [], []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found = dict(attrs)
            assert not {"href", "srcset"} & set(found)
            if "src" in found:
                sources.append(found["src"])
                assert found["alt"]
            if tag not in ("meta", "img", "br"):
                opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    page = (tmp_path / "output" / "report.html").read_text(encoding="utf-8")
    Reader().feed(page)
    assert opened == []
    assert len(sources) == len(PLOTS)
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "The gate refused the candidate." in page


_make_client = boto3.client


def _stubbed(monkeypatch: pytest.MonkeyPatch, prepare: Callable[[Stubber], None]) -> None:
    client = _make_client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    stubber = Stubber(client)
    prepare(stubber)
    stubber.activate()
    monkeypatch.setattr(boto3, "client", lambda *_, **__: client)


def test_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"Body": StreamingBody(io.BytesIO(b"abc"), 3), "ContentLength": 3}
    asked = {"Bucket": "bucket", "Key": "a/model.tar.gz"}
    _stubbed(monkeypatch, lambda stub: stub.add_response("get_object", body, asked))
    assert evaluate.download("s3://bucket/a/model.tar.gz", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"abc"


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        ("NoSuchKey", MissingObjectError, "is not there any more"),
        ("NoSuchBucket", MissingObjectError, "is not there any more"),
        ("AccessDenied", DownloadError, "allow the SageMaker role s3:GetObject"),
        ("SlowDown", DownloadError, r"cannot be read \(SlowDown\)"),
    ],
)
def test_download_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, error: type[Exception], says: str
) -> None:
    for _ in range(2):
        _stubbed(monkeypatch, lambda stub: stub.add_client_error("get_object", service_error_code=code))
        with pytest.raises(error, match=says):
            evaluate.download("s3://bucket/a", tmp_path / "x")
    _stubbed(monkeypatch, lambda stub: stub.add_client_error("get_object", service_error_code=code))
    if error is MissingObjectError:
        assert not evaluate.download("s3://bucket/a", tmp_path / "x", missing_ok=True)
    else:
        with pytest.raises(DownloadError):
            evaluate.download("s3://bucket/a", tmp_path / "x", missing_ok=True)


def test_download_of_what_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"Body": StreamingBody(io.BytesIO(b""), 0), "ContentLength": 3 * 1024**3}
    _stubbed(monkeypatch, lambda stub: stub.add_response("get_object", body))
    with pytest.raises(ModelArchiveError, match="larger than 2048 MiB"):
        evaluate.download("s3://bucket/a", tmp_path / "x")


def test_a_champion_that_may_not_be_read_breaks_the_run(run: Run, score: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing permission is no verdict on the candidate."""

    def denied(stub: Stubber) -> None:
        stub.add_client_error("get_object", service_error_code="AccessDenied")

    _stubbed(monkeypatch, denied)
    code, _, said = score("champion.auc=0.01", champion=CHAMPION_URI)
    assert code == 1
    assert "DownloadError" in said


# The two sides of the contract


def test_both_sides_agree() -> None:
    assert set(gate.METRICS) == set(evaluate.binary_metrics.METRICS)
    assert domain.CHAMPION_VARIABLE == evaluate.CHAMPION_VARIABLE
    assert domain.NO_CHAMPION == evaluate.NO_CHAMPION
    assert domain.VERDICT_LAYOUT == evaluate.LAYOUT == over_time.LAYOUT
    defaults = evaluate.parse_arguments(
        [
            "--run-id",
            "a",
            "--pipeline",
            "b",
            "--data-date",
            "c",
            "--recipe-version",
            "d",
            "--validation-fraction",
            "0.3",
        ]
    )
    folders = domain.INPUT_FOLDERS
    assert [str(defaults.validation), str(defaults.train), str(defaults.output)] == [
        folders["validation"],
        folders["train"],
        domain.OUTPUT_FOLDER,
    ]
    assert str(defaults.challenger.parent) == folders["challenger"]
    assert str(defaults.summary.parent) == folders["summary"]
    assert domain.CONTAINER_ENTRYPOINT[1] == f"{folders['code']}/evaluate.py"
    assert domain.PROFILE_FILE in FILES
    assert PROFILE_URI.endswith(f"/{domain.EVALUATION_FOLDER}{domain.PROFILE_FILE}")


def test_everything_that_runs_on_aws_is_shipped() -> None:
    here = {path.name for path in SOURCE.glob("*.py")}
    assert set(domain.SCRIPT_FILES) == here - {"over_time.py"}


@pytest.mark.parametrize(
    "path", [*sorted(SOURCE.glob("*.py")), REPOSITORY / "plugins/brewtrain/domain/evaluation/gate.py"], ids=str
)
def test_runs_on_the_oldest_image(path: Path) -> None:
    """Python 3.7's grammar, and imports of what every image has."""
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
    assert any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body) or (
        path.name == "evaluation_errors.py"
    )
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    siblings = {Path(name).stem for name in (*domain.SCRIPT_FILES, domain.GATE_FILE)}
    image = {"numpy", "xgboost", "matplotlib", "boto3", "botocore"}
    foreign = imported - set(sys.stdlib_module_names) - siblings - image
    assert not foreign
    if path.name == "gate.py":
        assert not imported & (siblings | image)


def test_container_arguments_are_what_the_script_reads() -> None:
    rules = gate.GateRules(floors={"auc": 0.7}, champion=(gate.ChampionRule("auc", 0.02),), minimum_rows=200)
    arguments = domain.container_arguments(
        rules,
        run_id="bank-marketing-20101129T0000-g0",
        pipeline="bank_marketing",
        data_date="2010-11-28",
        recipe_version="3.0",
        validation_fraction=0.3,
    )
    options = evaluate.parse_arguments(arguments)
    assert gate.from_arguments(options.rule) == rules
    assert (options.recipe_version, options.validation_fraction) == ("3.0", 0.3)
    with pytest.raises(DeploymentError, match="SageMaker takes 100 of 256"):
        domain.container_arguments(
            rules, run_id="x" * 257, pipeline="b", data_date="c", recipe_version="d", validation_fraction=0.3
        )


def test_section_makes_a_job_that_sagemaker_accepts() -> None:
    rules = gate.GateRules(
        floors=dict.fromkeys(gate.HIGHER_IS_BETTER, 0.123456789),
        ceilings=dict.fromkeys(gate.LOWER_IS_BETTER, 0.987654321),
        champion=tuple(gate.ChampionRule(metric, 0.0123456789) for metric in gate.METRICS),
        minimum_rows=10**9,
        minimum_positives=10**9,
    )
    names = {
        "run_id": "r",
        "pipeline": "p",
        "data_date": "2010-11-28",
        "recipe_version": "1.0",
        "validation_fraction": 0.3,
    }
    section = domain.execution_section(
        domain.container_arguments(rules, **names),
        bucket="bucket",
        run_prefix="brewtrain/p/runs/r/",
        code_prefix="brewtrain/p/code/evaluation-abc/",
        instance_type="ml.m5.xlarge",
        volume_gb=10,
        max_runtime_seconds=3600,
        timeout_seconds=5400,
    )
    uris = {name: section.get(f"{name}_uri", "s3://bucket/model.tar.gz") for name in domain.INPUT_FOLDERS}
    request = {
        "ProcessingJobName": "brewtrain-r-0-0",
        "AppSpecification": {
            "ImageUri": "1.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
            "ContainerEntrypoint": list(domain.CONTAINER_ENTRYPOINT),
            "ContainerArguments": section["arguments"],
        },
        "Environment": {domain.CHAMPION_VARIABLE: domain.NO_CHAMPION},
        "ProcessingInputs": [
            {
                "InputName": name,
                "S3Input": {"S3Uri": uri, "LocalPath": domain.INPUT_FOLDERS[name], "S3DataType": "S3Prefix"},
            }
            for name, uri in uris.items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "evaluation",
                    "S3Output": {
                        "S3Uri": section["output_uri"],
                        "LocalPath": domain.OUTPUT_FOLDER,
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": section["instance_type"],
                "VolumeSizeInGB": section["volume_gb"],
            }
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": section["max_runtime_seconds"]},
        "RoleArn": "arn:aws:iam::123456789012:role/brewtrain-sagemaker",
    }
    shape = Session().get_service_model("sagemaker").operation_model("CreateProcessingJob").input_shape
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()
    assert len(section["arguments"]) <= 100
    assert section["verdict_key"] == "brewtrain/p/runs/r/evaluation/verdict.json"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"layout": 2}', '{"layout": 1, "outcome": "maybe"}'])
def test_a_verdict_that_cannot_be_read_has_not_passed(text: str) -> None:
    with pytest.raises(RetrainingFailedError, match=r"s3://b/verdict\.json is not a verdict of layout 1"):
        domain.parse_verdict(text, source="s3://b/verdict.json")


def test_verdict_stays_small() -> None:
    document: dict[str, Any] = {
        "gate": {"outcome": "refuse", "red": False, "below_bounds": True, "reasons": ["ü" * 2000] * 40},
        "challenger": {"metrics": {name: {"value": 0.123456789012345} for name in gate.METRICS}},
        "champion": None,
        "baseline": {"majority_class_error": 0.1},
        "comparison": {"status": "absent"},
        "data": {"validation_rows": 10, "validation_positives": 5},
    }
    verdict = evaluate.make_verdict(document)
    assert len(json.dumps(verdict)) <= 8192
    assert verdict["reasons"]


# Over time


@pytest.mark.slow
@pytest.mark.usefixtures("scoring_in_process")
def test_over_time(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for date, rule in (
        ("2010-11-28", "floor.auc=0.5"),
        ("2010-10-28", "floor.auc=1.0"),
        ("2010-09-28", "floor.auc=0.5"),
    ):
        folder = tmp_path / date
        champion = "none" if date == "2010-09-28" else str(run.folder / "champion" / "model.tar.gz")
        assert evaluate.main([*run.arguments(folder, data_date=date, champion=champion), "--rule", rule]) == 0
        files.append(str(folder / "evaluation.json"))
    output = tmp_path / "plots"
    assert over_time.main([*files, "--output", str(output), "--metric", "auc"]) == 0
    assert {path.name for path in output.iterdir()} == {"auc_over_time.png", "over_time.csv"}
    assert (output / "auc_over_time.png").read_bytes().startswith(_PNG)
    lines = (output / "over_time.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["2010-09-28", "2010-10-28", "2010-11-28"]
    assert [line.split(",")[4] for line in lines[1:]] == ["pass", "refuse", "pass"]
    capsys.readouterr()
    other = load(Path(files[0]))
    other["run"]["pipeline"] = "another"
    (tmp_path / "other.json").write_text(json.dumps(other))
    (tmp_path / "text.json").write_text("text")
    for arguments, says in (
        ([files[0], str(tmp_path / "other.json")], "of several pipelines (another, bank_marketing)"),
        ([str(tmp_path / "text.json")], "is not readable JSON"),
        ([str(tmp_path / "2010-11-28" / "verdict.json")], "is no evaluation of layout 1"),
        ([files[0], "--metric", "f1"], "metric 'f1' is not known"),
    ):
        assert over_time.main([*arguments, "--output", str(tmp_path / "none")]) == 1
        assert says in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
