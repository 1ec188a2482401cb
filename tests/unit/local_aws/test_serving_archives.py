"""What is taken out of a model archive: plain files with plain names, within bounds."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import pytest

from local_aws.jobs.entry import JobError
from local_aws.sagemaker import serving_worker
from local_aws.sagemaker.serving_worker import load_booster, unpack_model


def archive(path: Path, *members: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w:gz", format=format) as made:
        for info, content in members:
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def test_the_model_is_taken_out_of_its_archive(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.tar.gz", (member("./code/x.py"), b"x"), (member("./xgboost-model"), b"model"))
    assert unpack_model(path, tmp_path / "out").read_bytes() == b"model"


@pytest.mark.parametrize(
    "bad",
    [
        member("../../evil"),
        member("/tmp/evil"),
        member("a/../../evil"),
        member("link", tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("link", tarfile.SYMTYPE, linkname="xgboost-model"),
        member("link", tarfile.LNKTYPE, linkname="../../etc/passwd"),
        member("pipe", tarfile.FIFOTYPE),
        member("disk", tarfile.BLKTYPE, devmajor=8),
        member("terminal", tarfile.CHRTYPE, devmajor=5),
    ],
    ids=lambda info: f"{info.name} {info.type.decode()} {info.linkname}",
)
def test_an_archive_with_a_member_that_is_not_a_plain_file_is_refused(bad: tarfile.TarInfo, tmp_path: Path) -> None:
    path = archive(tmp_path / "m.tar.gz", (member("xgboost-model"), b"model"), (bad, b""))
    with pytest.raises(JobError, match="member"):
        unpack_model(path, tmp_path / "out")
    assert [name for name in os.listdir(tmp_path) if name not in ("m.tar.gz", "out")] == []


def test_a_link_cannot_redirect_a_later_member(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = archive(
        tmp_path / "m.tar.gz",
        (member("folder", tarfile.SYMTYPE, linkname=str(elsewhere)), b""),
        (member("folder/xgboost-model"), b"x"),
    )
    with pytest.raises(JobError):
        unpack_model(path, tmp_path / "out")
    assert list(elsewhere.iterdir()) == []


def test_sizes_are_bounded_while_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_worker, "MAX_MODEL_BYTES", 1_000_000)
    bomb = archive(tmp_path / "bomb.tar.gz", (member("xgboost-model"), bytes(3_000_000)))
    assert bomb.stat().st_size < 10_000
    # Headers are read whole before any member is seen.
    headers = archive(tmp_path / "headers.tar.gz", (member("m", pax_headers={"x": "y" * 3_000_000}), b""))
    for path in (bomb, headers):
        with pytest.raises(JobError, match="more than 1000000 bytes"):
            unpack_model(path, tmp_path / path.stem)


def test_an_archive_with_too_many_members_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_worker, "MAX_MEMBERS", 5)
    path = archive(tmp_path / "m.tar.gz", *((member(f"f{number}"), b"") for number in range(9)))
    with pytest.raises(JobError, match="more than 5 members"):
        unpack_model(path, tmp_path / "out")


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", gzip.compress(b"no tar"), gzip.compress(bytes(10_240))],
    ids=["empty", "not compressed", "no tar", "zeros"],  # what gzip writes has the time in it
)
def test_a_file_that_is_not_an_archive_is_reported(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.tar.gz"
    path.write_bytes(content)
    with pytest.raises(JobError, match="the model archive"):
        unpack_model(path, tmp_path / "out")


class Runs:
    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_never_loaded(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "xgboost-model"
    path.write_bytes(pickle.dumps(Runs(tmp_path / "ran"), protocol))
    with pytest.raises(JobError):
        load_booster(path)
    assert not (tmp_path / "ran").exists()
