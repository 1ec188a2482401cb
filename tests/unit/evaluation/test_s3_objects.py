"""Downloads: what is fetched, and which error says what went wrong."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import s3_objects
from botocore.response import StreamingBody
from evaluation_errors import DownloadError, MissingObjectError, ModelArchiveError

from tests.fixtures.evaluation_run import CHAMPION_URI, Run


def test_an_object_is_copied_to_the_file(tmp_path: Path, stub_s3: Any) -> None:
    body = {"Body": StreamingBody(io.BytesIO(b"abc"), 3), "ContentLength": 3}
    asked = {"Bucket": "bucket", "Key": "a/model.tar.gz"}
    stub_s3(lambda stub: stub.add_response("get_object", body, asked))
    s3_objects.download("s3://bucket/a/model.tar.gz", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"abc"


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        pytest.param("NoSuchKey", MissingObjectError, "no longer exists; promote a model", id="no object"),
        pytest.param("NoSuchBucket", MissingObjectError, "no longer exists; promote a model", id="no bucket"),
        pytest.param("AccessDenied", DownloadError, "allow the SageMaker role s3:GetObject", id="denied"),
        pytest.param("SlowDown", DownloadError, r"cannot be read \(SlowDown\)", id="throttled"),
    ],
)
def test_a_failed_download_says_why_and_leaves_no_file(
    tmp_path: Path, stub_s3: Any, code: str, error: type[Exception], says: str
) -> None:
    stub_s3(lambda stub: stub.add_client_error("get_object", service_error_code=code))
    with pytest.raises(error, match=says) as caught:
        s3_objects.download("s3://bucket/a", tmp_path / "x")
    assert type(caught.value) is error
    assert not (tmp_path / "x").exists()


def test_an_object_that_is_too_large_is_refused(tmp_path: Path, stub_s3: Any) -> None:
    body = {"Body": StreamingBody(io.BytesIO(b""), 0), "ContentLength": 3 * 1024**3}
    stub_s3(lambda stub: stub.add_response("get_object", body))
    with pytest.raises(ModelArchiveError, match="larger than 2048 MiB"):
        s3_objects.download("s3://bucket/a", tmp_path / "x")


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchBucket"])
def test_a_missing_profile_is_a_note(run: Run, score: Any, stub_s3: Any, code: str) -> None:
    archive = (run.folder / "champion" / "model.tar.gz").read_bytes()
    body = {"Body": StreamingBody(io.BytesIO(archive), len(archive)), "ContentLength": len(archive)}

    def profile_then_archive(stub: Any) -> None:
        stub.add_client_error("get_object", service_error_code=code)
        stub.add_response("get_object", body)

    stub_s3(profile_then_archive)
    _, document, _ = score("champion.auc=0.01", champion=CHAMPION_URI)
    assert document["comparison"]["status"] == "compared"
    assert document["drift"] is None
    assert "so drift is not measured" in document["comparison"]["notes"][0]


def test_a_profile_that_may_exist_but_cannot_be_read_breaks_the_run(score: Any, stub_s3: Any) -> None:
    stub_s3(lambda stub: stub.add_client_error("get_object", service_error_code="SlowDown"))
    code, _, said = score("champion.auc=0.01", champion=CHAMPION_URI)
    assert code == 1
    assert "DownloadError" in said
