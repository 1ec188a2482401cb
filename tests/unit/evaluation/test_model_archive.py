"""Archives are untrusted: a model loads in every format, anything else is refused by name."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tarfile
from pathlib import Path

import model_archive
import numpy as np
import pytest
from evaluation_errors import ModelArchiveError, PickledModelError
from model_archive import ScoredModel, score_archive

from tests.fixtures.evaluation_run import Run, train, write_archive


def test_a_crash_of_xgboost_is_reported(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """A damaged model can end XGBoost's process; the evaluation must survive to say so."""
    crash = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"]
    start = subprocess.run
    monkeypatch.setattr(model_archive.subprocess, "run", lambda _, **options: start(crash, **options))
    with pytest.raises(ModelArchiveError, match="XGBoost was ended by signal 11"):
        load_model(run.folder / "champion" / "model.tar.gz", role="champion")


def load_model(archive: Path, *, role: str) -> ScoredModel:
    return score_archive(archive, np.zeros((2, 5), dtype=np.float32), role=role)


@pytest.mark.usefixtures("scoring_in_process")
@pytest.mark.parametrize("raw_format", ["ubj", "json"])
@pytest.mark.parametrize("name", ["xgboost-model", "./xgboost-model", "model.json"])
def test_a_model_loads_in_every_format_and_under_every_name(
    tmp_path: Path, run: Run, raw_format: str, name: str
) -> None:
    import xgboost

    content = bytes(run.booster.save_raw(raw_format))
    archive = write_archive(tmp_path / "model.tar.gz", {name: content})
    model = score_archive(archive, run.features, role="challenger")
    assert model.feature_count == 5
    assert model.feature_names is None
    expected = run.booster.predict(xgboost.DMatrix(run.features)).astype(np.float64)
    np.testing.assert_array_equal(model.scores, expected)


@pytest.mark.usefixtures("scoring_in_process")
@pytest.mark.parametrize("raw_format", ["ubj", "json"])
def test_a_model_of_a_newer_xgboost_is_refused(
    tmp_path: Path, run: Run, raw_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XGBoost 1.7 loads a model of 3.2 without complaint, and its probabilities are wrong."""
    import score_model
    import xgboost

    content = bytes(run.booster.save_raw(raw_format))
    ours = tuple(int(part) for part in xgboost.__version__.split(".")[:2])
    assert score_model.version_that_wrote(content) == ours
    assert score_model.version_that_wrote(b"binf\x00\x00\x00?") is None
    monkeypatch.setattr(xgboost, "__version__", f"{ours[0]}.{ours[1] - 1}.9")
    archive = write_archive(tmp_path / "model.tar.gz", {"xgboost-model": content})
    with pytest.raises(ModelArchiveError, match=rf"XGBoost {ours[0]}\.{ours[1]} wrote it, this is"):
        load_model(archive, role="champion")


@pytest.mark.usefixtures("scoring_in_process")
def test_what_save_model_writes_without_extension(tmp_path: Path, run: Run) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # XGBoost says that it takes UBJSON, which is the point here
        run.booster.save_model(tmp_path / "xgboost-model")
    content = (tmp_path / "xgboost-model").read_bytes()
    archive = write_archive(tmp_path / "model.tar.gz", {"xgboost-model": content, ".checkpoint": b"x"})
    assert load_model(archive, role="champion").feature_count == 5


@pytest.mark.usefixtures("scoring_in_process")
def test_a_model_may_name_its_features(tmp_path: Path, run: Run) -> None:
    booster = run.booster.copy()
    booster.feature_names = run.names
    archive = write_archive(tmp_path / "model.tar.gz", {"xgboost-model": bytes(booster.save_raw("ubj"))})
    model = load_model(archive, role="champion")
    assert model.feature_names == run.names
    assert model.scores is not None


@pytest.mark.usefixtures("scoring_in_process")
def test_rows_of_another_width_are_not_scored(run: Run) -> None:
    model = score_archive(run.folder / "challenger" / "model.tar.gz", run.features[:, :4], role="challenger")
    assert (model.feature_count, model.scores) == (5, None)


class _Trap:
    """Unpickling it would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "trace"
    content = pickle.dumps(_Trap(trace), protocol)
    archive = write_archive(tmp_path / "model.tar.gz", {"xgboost-model": content})
    expected = PickledModelError if protocol >= 2 else ModelArchiveError
    with pytest.raises(expected, match="champion's model"):
        load_model(archive, role="champion")
    assert not trace.exists()


def test_a_pickled_booster_is_refused(tmp_path: Path, run: Run) -> None:
    archive = write_archive(tmp_path / "model.tar.gz", {"xgboost-model": pickle.dumps(run.booster)})
    with pytest.raises(PickledModelError, match="train it again with image"):
        load_model(archive, role="champion")


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, size, link
    return made


@pytest.mark.parametrize(
    ("refused", "says"),
    [
        pytest.param(member("xgboost-model", tarfile.SYMTYPE, link="/etc/passwd"), "a link or a device", id="symlink"),
        pytest.param(member("xgboost-model", tarfile.LNKTYPE, link="other"), "a link or a device", id="hard link"),
        pytest.param(member("pipe", tarfile.FIFOTYPE), "a link or a device", id="pipe"),
        pytest.param(member("disk", tarfile.BLKTYPE), "a link or a device", id="device"),
        pytest.param(member("../xgboost-model"), "path leaves the archive", id="parent"),
        pytest.param(member("a/../../xgboost-model"), "path leaves the archive", id="parent of a parent"),
        pytest.param(member("/xgboost-model"), "path leaves the archive", id="absolute"),
        pytest.param(member("..\\xgboost-model"), "path leaves the archive", id="backslash"),
        pytest.param(member("xgboost-model", size=3 * 1024**3), "unpacks to more than 2048 MiB", id="too large"),
    ],
)
def test_an_archive_is_refused_for_one_bad_member(tmp_path: Path, refused: tarfile.TarInfo, says: str) -> None:
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as opened:
        opened.addfile(refused, None)  # a size without content behind it
    with pytest.raises(ModelArchiveError, match="the champion's archive model") as caught:
        load_model(archive, role="champion")
    assert says in str(caught.value)


def test_an_archive_of_many_members_is_refused(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "model.tar.gz", {f"file{number}": b"" for number in range(101)})
    with pytest.raises(ModelArchiveError, match="more than 100 members"):
        load_model(archive, role="champion")


@pytest.mark.usefixtures("scoring_in_process")
@pytest.mark.parametrize(
    ("members", "says"),
    [
        pytest.param({}, "holds no xgboost-model \\(it holds nothing\\)", id="no file"),
        pytest.param({"a": b"1", "b": b"2"}, "holds no xgboost-model \\(it holds a, b\\)", id="other files"),
        pytest.param({"xgboost-model-0": b"1", "xgboost-model-1": b"2"}, "an ensemble of folds", id="folds"),
        pytest.param({"xgboost-model": b""}, "does not load", id="empty file"),
        pytest.param({"xgboost-model": b"not a model"}, "does not load", id="text"),
        pytest.param({"xgboost-model": b"{}"}, "does not load", id="empty JSON"),
        pytest.param({"xgboost-model": b'{"learner": {}}'}, "does not load", id="JSON without trees"),
    ],
)
def test_an_archive_without_a_model_is_refused(tmp_path: Path, members: dict[str, bytes], says: str) -> None:
    with pytest.raises(ModelArchiveError, match=says):
        load_model(write_archive(tmp_path / "model.tar.gz", members), role="challenger")


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("raw_format", ["ubj", "json"])
def test_a_model_that_was_cut_is_refused(tmp_path: Path, run: Run, raw_format: str, share: float) -> None:
    content = bytes(run.booster.save_raw(raw_format))
    archive = write_archive(tmp_path / "model.tar.gz", {"xgboost-model": content[: int(len(content) * share)]})
    with pytest.raises(ModelArchiveError, match=r"model does not load \(XGBoost"):
        load_model(archive, role="challenger")


@pytest.mark.parametrize("kept", [0, 10, 200, -20])
def test_an_archive_that_was_cut_is_refused(tmp_path: Path, run: Run, kept: int) -> None:
    whole = (run.folder / "challenger" / "model.tar.gz").read_bytes()
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(whole[:kept])
    with pytest.raises(ModelArchiveError, match="not a complete tar"):
        load_model(archive, role="challenger")


def test_an_archive_that_was_damaged_is_refused(tmp_path: Path, run: Run) -> None:
    content = bytearray((run.folder / "challenger" / "model.tar.gz").read_bytes())
    content[len(content) // 2] ^= 0xFF
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(content)
    with pytest.raises(ModelArchiveError, match="archive model"):
        load_model(archive, role="champion")


def test_an_archive_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelArchiveError, match="does not exist; check the training job's output"):
        load_model(tmp_path / "model.tar.gz", role="challenger")


@pytest.mark.usefixtures("scoring_in_process")
def test_a_model_of_another_objective_is_refused(tmp_path: Path, run: Run) -> None:
    booster = train(run.features, run.labels.astype(float), objective="reg:squarederror", rounds=2)
    archive = write_archive(tmp_path / "model.tar.gz", {"xgboost-model": bytes(booster.save_raw("ubj"))})
    with pytest.raises(
        ModelArchiveError, match="trained for 'reg:squarederror', but the evaluation needs 'binary:logistic'"
    ):
        load_model(archive, role="challenger")


def test_nothing_is_left_behind(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_archive.tempfile, "tempdir", str(tmp_path))
    load_model(run.folder / "challenger" / "model.tar.gz", role="challenger")
    assert list(tmp_path.iterdir()) == []


def test_sizes_are_bounded_while_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that are read count, not the sizes that members claim: headers are read whole."""
    monkeypatch.setattr(model_archive, "MOST_BYTES", 1_000_000)
    bomb = write_archive(tmp_path / "bomb.tar.gz", {"xgboost-model": bytes(3_000_000)})
    headers = tmp_path / "headers.tar.gz"
    with tarfile.open(headers, "w:gz", format=tarfile.PAX_FORMAT) as made:
        member = tarfile.TarInfo("xgboost-model")
        member.pax_headers = {"comment": "x" * 3_000_000}
        made.addfile(member)
    for path in (bomb, headers):
        assert path.stat().st_size < 20_000
        with pytest.raises(ModelArchiveError, match="unpacks to more than"):
            load_model(path, role="champion")
