"""The script as a whole: what it writes, what it decides, and what it leaves after an error."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import drift
import evaluate
import numpy as np
import pytest
from botocore.stub import Stubber

from brewtrain.domain.evaluation import gate
from brewtrain.domain.evaluation import job as domain
from tests.fixtures.evaluation_run import (
    CHAMPION_URI,
    FILES,
    GATE,
    PLOTS,
    PNG_SIGNATURE,
    PROFILE_URI,
    SOURCE,
    Run,
    read_json,
    train,
    write_archive,
    write_rows,
)


def profile_of(run: Run, **changes: Any) -> bytes:
    made = drift.profile_rows(run.names, run.features, run.labels)
    settings = {"run_id": "before-g0", "data_date": "2010-10-31", "recipe_version": "1.0", "validation_fraction": 0.3}
    return json.dumps({**made, **settings, **changes}).encode()


@pytest.mark.slow
def test_the_shipped_files_are_enough_to_evaluate(run: Run, tmp_path: Path) -> None:
    """They run in a fresh process, alone in a folder, with warnings as errors."""
    code = tmp_path / "code"
    code.mkdir()
    for name in domain.SCRIPT_FILES:
        shutil.copy(SOURCE / name, code)
    shutil.copy(GATE, code / domain.GATE_FILE)
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


def test_a_first_run_is_judged_without_a_champion(run: Run, score: Any, tmp_path: Path) -> None:
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
    verdict = json.loads((output / "verdict.json").read_text())
    assert verdict["layout"] == 1
    assert verdict["outcome"] == "pass"
    assert verdict["red"] is False
    assert verdict["metrics"] == {name: m["value"] for name, m in document["challenger"]["metrics"].items()}
    assert all((output / name).read_bytes().startswith(PNG_SIGNATURE) for name in PLOTS)


@pytest.mark.slow
@pytest.mark.usefixtures("scoring_in_process")
def test_a_second_evaluation_gives_the_same_bytes(run: Run, tmp_path: Path) -> None:
    champion = str(run.folder / "champion" / "model.tar.gz")
    for folder in ("once", "twice"):
        assert evaluate.main(run.arguments(tmp_path / folder, champion=champion)) == 0
    for path in (tmp_path / "once").iterdir():
        assert path.read_bytes() == (tmp_path / "twice" / path.name).read_bytes(), path.name


def test_a_better_candidate_passes_and_a_worse_one_does_not(run: Run, score: Any) -> None:
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
    """Differences are paired, so that two copies of one model have no spread."""
    _, document, _ = score("champion.auc=0.0", champion=str(run.folder / "challenger" / "model.tar.gz"))
    assert document["gate"]["outcome"] == "pass"
    differences = document["comparison"]["differences"]
    assert set(differences) == set(gate.METRICS)
    assert all(set(difference.values()) == {0.0} for difference in differences.values())


def test_a_champion_on_s3_is_compared_and_drift_is_measured(
    run: Run, score: Any, s3: dict[str, bytes], tmp_path: Path
) -> None:
    s3[CHAMPION_URI] = (run.folder / "champion" / "model.tar.gz").read_bytes()
    s3[PROFILE_URI] = profile_of(run)
    _, document, _ = score("champion.auc=0.01", champion=CHAMPION_URI)
    assert document["comparison"] == {**document["comparison"], "status": "compared", "notes": []}
    assert document["champion"]["run_id"] == "before-g0"
    assert document["champion"]["data_date"] == "2010-10-31"
    assert {entry["name"] for entry in document["drift"]["features"]} == set(run.names)
    assert all(entry["psi"] < 0.001 for entry in document["drift"]["features"])
    assert (tmp_path / "output" / "drift.png").read_bytes().startswith(PNG_SIGNATURE)


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        pytest.param(
            {"validation_fraction": 0.2},
            "the champion's validation fraction was 0.2 and is now 0.3",
            id="another validation fraction",
        ),
        pytest.param(
            {"recipe_version": "0.9"}, "the champion's recipe version was 0.9 and is now 1.0", id="another recipe"
        ),
        pytest.param({"layout": 2}, "the champion's profile cannot be used", id="a profile of another layout"),
        pytest.param(None, "so drift is not measured", id="no profile"),
        pytest.param({"features": "none"}, "is not a profile, so drift is not measured", id="a broken profile"),
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


@pytest.fixture
def dead_window(run: Run, tmp_path: Path) -> dict[str, str]:
    """Rows in which one feature has no value and another always the same; as arguments."""
    features = run.features.copy()
    features[:, 1] = np.nan
    features[:, 4] = 1
    parts = {"validation": run.validation, "train": ~run.validation}
    return {name: str(write_rows(tmp_path / name, run.labels[part], features[part])) for name, part in parts.items()}


DEAD = "1 feature has no value in any row: campaign (nulls 0.0% → 100.0%)"
SAME = "1 feature has the same value in every row: housing_yes (2 values → only 1)"


def test_features_that_died_are_told_together_and_refuse_the_candidate(
    run: Run, score: Any, s3: dict[str, bytes], dead_window: dict[str, str], tmp_path: Path
) -> None:
    s3[CHAMPION_URI] = (run.folder / "champion" / "model.tar.gz").read_bytes()
    s3[PROFILE_URI] = profile_of(run)
    _, document, _ = score("better_than_majority=false", champion=CHAMPION_URI, **dead_window)
    assert (document["gate"]["outcome"], document["gate"]["below_bounds"]) == ("refuse", False)
    refused, warned = document["gate"]["reasons"]
    assert refused == f"{DEAD}; correct the source or the recipe, or promote the candidate by hand"
    assert warned.startswith(f"{SAME}; check the source")
    found = {change["name"]: change for change in document["feature_changes"]["changes"]}
    assert set(found) == {"campaign", "housing_yes"}
    assert (found["campaign"]["before"]["null_share"], found["campaign"]["now"]["null_share"]) == (0, 1)
    verdict = read_json(tmp_path / "output" / "verdict.json")
    assert verdict["reasons"] == [refused, warned]
    assert verdict["message"] == f"The quality gate refused the candidate: {refused}."
    page = (tmp_path / "output" / "report.html").read_text(encoding="utf-8")
    assert "<td>campaign</td><td>no value</td><td>more than 20 values</td><td>no value</td>" in page
    assert "<td>housing_yes</td><td>constant</td><td>2 values</td><td>only 1</td>" in page


def test_a_pipeline_may_ask_to_be_warned_only(
    run: Run, score: Any, s3: dict[str, bytes], dead_window: dict[str, str], tmp_path: Path
) -> None:
    s3[CHAMPION_URI] = (run.folder / "champion" / "model.tar.gz").read_bytes()
    s3[PROFILE_URI] = profile_of(run)
    _, document, _ = score("better_than_majority=false", "features=warn", champion=CHAMPION_URI, **dead_window)
    assert document["gate"]["outcome"] == "pass"
    assert [reason.partition(";")[0] for reason in document["gate"]["reasons"]] == [DEAD, SAME]
    message = read_json(tmp_path / "output" / "verdict.json")["message"]
    assert message == "The candidate passed the quality gate with 2 warnings."


def test_a_champion_that_trained_on_the_same_dead_features_is_no_reason_to_refuse(
    run: Run, score: Any, s3: dict[str, bytes], dead_window: dict[str, str], tmp_path: Path
) -> None:
    s3[CHAMPION_URI] = (run.folder / "champion" / "model.tar.gz").read_bytes()
    score("better_than_majority=false", **dead_window)
    s3[PROFILE_URI] = (tmp_path / "output" / "profile.json").read_bytes()
    _, document, _ = score("better_than_majority=false", "features=refuse", champion=CHAMPION_URI, **dead_window)
    assert document["gate"]["outcome"] == "pass"
    assert [change["became"] for change in document["feature_changes"]["changes"]] == [False, False]


def test_a_first_model_of_a_dead_feature_is_refused(run: Run, score: Any, dead_window: dict[str, str]) -> None:
    _, document, _ = score("better_than_majority=false", **dead_window)
    assert document["gate"]["outcome"] == "refuse"
    assert document["gate"]["reasons"][0].startswith("1 feature has no value in any row: campaign; correct")
    assert document["feature_changes"]["compared"] is False


def test_a_champion_without_a_profile_is_not_compared_and_its_dead_features_are(
    run: Run, score: Any, s3: dict[str, bytes]
) -> None:
    s3[CHAMPION_URI] = (run.folder / "champion" / "model.tar.gz").read_bytes()
    _, document, _ = score("better_than_majority=false", "features=refuse", champion=CHAMPION_URI)
    assert document["gate"]["outcome"] == "pass"
    reason = f"the champion's run has no profile ({PROFILE_URI} does not exist)"
    assert document["gate"]["reasons"] == [f"features were not compared with the champion's window: {reason}"]
    assert document["feature_changes"] == {"compared": False, "reason": reason, "max_psi": 0.25, "changes": []}


@pytest.mark.parametrize(
    ("recipe_version", "outcome"),
    [pytest.param("1.0", "refuse", id="the same recipe"), pytest.param("0.9", "pass", id="another recipe")],
)
def test_a_feature_that_the_same_recipe_no_longer_makes_has_died(
    run: Run, score: Any, s3: dict[str, bytes], recipe_version: str, outcome: str
) -> None:
    s3[CHAMPION_URI] = (run.folder / "champion" / "model.tar.gz").read_bytes()
    profile = json.loads(profile_of(run, recipe_version=recipe_version))
    profile["features"].append({**profile["features"][0], "name": "job_admin"})
    s3[PROFILE_URI] = json.dumps(profile).encode()
    rules = ("better_than_majority=false", "champion_not_comparable=ignore", "features=refuse")
    _, document, _ = score(*rules, champion=CHAMPION_URI)
    assert document["gate"]["outcome"] == outcome
    told = "1 feature of the champion is no longer there: job_admin" in "".join(document["gate"]["reasons"])
    assert told == (outcome == "refuse")


def test_a_champion_of_other_features_is_not_comparable(run: Run, score: Any, s3: dict[str, bytes]) -> None:
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


def test_of_many_features_that_differ_five_are_named_and_the_others_counted(
    run: Run, score: Any, s3: dict[str, bytes]
) -> None:
    s3[CHAMPION_URI] = (run.folder / "champion" / "model.tar.gz").read_bytes()
    profile = json.loads(profile_of(run))
    profile["features"] += [{**profile["features"][0], "name": f"job_{place}"} for place in range(12)]
    s3[PROFILE_URI] = json.dumps(profile).encode()
    _, document, _ = score("champion.auc=0.01", champion=CHAMPION_URI)
    assert "(no longer there: job_0, job_1, job_2, job_3, job_4 and 7 more)" in document["comparison"]["reason"]


def test_a_champion_of_fewer_features_is_not_comparable(run: Run, score: Any, tmp_path: Path) -> None:
    booster = train(run.features[:, :3], run.labels, rounds=2)
    archive = write_archive(tmp_path / "narrow" / "model.tar.gz", {"xgboost-model": bytes(booster.save_raw("ubj"))})
    _, document, _ = score("champion.auc=0.01", champion=str(archive))
    assert "the champion was trained on 3 features and the candidate on 5" in document["gate"]["reasons"][0]


@pytest.mark.parametrize(
    "content", [pytest.param(b"not an archive", id="broken archive"), pytest.param(None, id="no archive")]
)
def test_a_champion_that_does_not_load_is_not_comparable(
    run: Run, score: Any, s3: dict[str, bytes], content: bytes | None
) -> None:
    if content is not None:
        s3[CHAMPION_URI] = content
    _, document, _ = score("champion.auc=0.01", champion=CHAMPION_URI)
    assert document["gate"]["outcome"] == "refuse"
    _, document, _ = score("champion.auc=0.01", "champion_not_comparable=ignore", champion=CHAMPION_URI)
    assert document["gate"]["outcome"] == "pass"
    assert document["comparison"]["status"] == "not_comparable"


def test_a_champion_that_cannot_be_found_is_not_comparable(run: Run, score: Any, tmp_path: Path) -> None:
    reason = "the serving endpoint config c was deleted by hand"
    _, document, _ = score("champion.auc=0.01", champion="unknown", champion_reason=reason)
    assert document["comparison"] == {"status": "not_comparable", "reason": reason, "notes": [], "differences": {}}
    assert document["champion"]["archive"] is None
    assert document["gate"]["outcome"] == "refuse"
    assert reason in read_json(tmp_path / "output" / "verdict.json")["message"]
    _, document, _ = score("champion.auc=0.01", "champion_not_comparable=ignore", champion="unknown")
    assert document["gate"]["outcome"] == "pass"
    assert document["comparison"]["reason"] == "it is not known which model serves"


def test_a_champion_that_may_not_be_read_breaks_the_run(run: Run, score: Any, stub_s3: Any) -> None:
    """A missing permission is no verdict on the candidate."""

    def denied(stub: Stubber) -> None:
        stub.add_client_error("get_object", service_error_code="AccessDenied")

    stub_s3(denied)
    code, _, said = score("champion.auc=0.01", champion=CHAMPION_URI)
    assert code == 1
    assert "DownloadError" in said


# Inputs that cannot be evaluated: where each is wrong is made in :func:`broken`.
BROKEN = {
    "one label only": "OneClassError: all 20 validation rows have the label 0",
    "no validation rows": "DataError: the validation data has no rows",
    "validation rows without values": "DataError: none of 20 validation rows has a value in any feature",
    "no train rows": "DataError: the train data has no rows",
    "narrow train rows": "DataError: the train rows have 4 features and the validation rows 5",
    "narrow validation rows": "DataError: split.json names 5 features and the validation rows have 4",
    "summary of another split": "DataError: split.json names 1 features",
    "summary without features": "DataError: unnamed.json does not exist or names no features",
    "broken challenger": "ModelArchiveError: the challenger's model does not load",
    "no challenger": "ModelArchiveError: the challenger's archive",
}


@pytest.fixture
def broken(run: Run, tmp_path: Path) -> dict[str, dict[str, str]]:
    """Case of ``BROKEN`` → arguments."""
    one_class = write_rows(tmp_path / "one", np.zeros(20), run.features[:20])
    empty = write_rows(tmp_path / "empty", np.arange(20) % 2, np.full((20, 5), np.nan))
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    narrow = write_rows(tmp_path / "narrow", run.labels[:20], run.features[:20, :4])
    other = tmp_path / "split.json"
    other.write_text(json.dumps({"features": ["a"]}))
    unnamed = tmp_path / "unnamed.json"
    unnamed.write_text("{}")
    archive = write_archive(tmp_path / "broken.tar.gz", {"xgboost-model": b"oops"})
    return {
        "one label only": {"validation": str(one_class)},
        "no validation rows": {"validation": str(nothing)},
        "validation rows without values": {"validation": str(empty)},
        "no train rows": {"train": str(nothing)},
        "narrow train rows": {"train": str(narrow)},
        "narrow validation rows": {"validation": str(narrow)},
        "summary of another split": {"summary": str(other)},
        "summary without features": {"summary": str(unnamed)},
        "broken challenger": {"challenger": str(archive)},
        "no challenger": {"challenger": str(nothing / "model.tar.gz")},
    }


@pytest.mark.parametrize("case", BROKEN)
def test_an_error_has_a_name_and_one_line_and_leaves_nothing(
    score: Any, broken: dict[str, dict[str, str]], case: str
) -> None:
    code, _, said = score(**broken[case])
    assert code == 1
    assert BROKEN[case] in said
    assert said.count("\n") == 1


def test_a_rule_on_an_unknown_metric_is_an_error(score: Any) -> None:
    code, _, said = score("floor.roc=1")
    assert code == 1
    assert "GateRulesError: metric 'roc' is not known" in said


def test_results_of_an_earlier_attempt_do_not_survive(run: Run, score: Any, tmp_path: Path) -> None:
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


def test_the_exit_message_is_the_verdict_or_the_error(
    run: Run, score: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = tmp_path / "ml" / "message"
    message.parent.mkdir()
    monkeypatch.setattr(evaluate, "EXIT_MESSAGE", message)
    score("floor.auc=1.0")
    assert message.read_text().startswith("The quality gate refused the candidate: auc ")
    _, _, said = score(validation=str(tmp_path / "ml" / "none"))
    assert message.read_text() == said.strip()
