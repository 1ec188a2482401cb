"""``check_input`` judges the newest day by the days before: its rows, and whether it is new."""

from __future__ import annotations

import bz2
import gzip
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from brewtrain.domain import names
from brewtrain.domain.errors import InputError, RetrainingFailedError, TransientError
from tests.fixtures.quality_runs import HEADER, QualityRun, csv_of, read_json
from tests.functional.quality.conftest import make_pipeline

NewRun = Callable[..., QualityRun]


@pytest.fixture
def judged(new_run: NewRun) -> Callable[..., QualityRun]:
    """``judged(section, days_later, **params)``: a run of a pipeline with that section."""
    first = new_run()

    def make(section: dict[str, Any], days_later: int = 0, **more: Any) -> QualityRun:
        pipeline = make_pipeline(first.pipeline.name, quality=section)
        end = first.interval.end.date() + timedelta(days=days_later)
        return QualityRun(first.account, end, pipeline=pipeline, **more)

    return make


def deliver(run: QualityRun, rows: int, *, days_before: int = 0, first_age: int = 20) -> None:
    run.account.deliver(run.day - timedelta(days=days_before), body=csv_of(*range(first_age, first_age + rows)))


SOME = {"row_count": {"min": 1}}
DROP = {"row_count": {"drop_max": "50%"}}


def test_a_day_with_half_the_rows_is_stopped_before_anything_is_started(judged: Callable[..., QualityRun]) -> None:
    for number, rows in enumerate((40, 44, 36)):
        run = judged(DROP, number)
        deliver(run, rows)
        assert run.check_input()["quality"]["outcome"] == "passed"
    run = judged(DROP, 3)
    deliver(run, 15)
    with pytest.raises(RetrainingFailedError, match=r"check_input failed \(Brewtrain\.DataQualityFailed\)") as raised:
        run.check_input()
    assert not raised.value.retryable
    assert "then clear `check_input`" in str(raised.value)
    card = run.xcoms["check_input", "on_call_card"]
    assert "has 15 rows: 62% fewer than the usual 40" in card
    trend = read_json(run.account, names.quality_trend_key(run.pipeline.name))["rules"]["row_count"]
    assert [one["outcome"] for one in trend][-4:] == ["passed", "passed", "passed", "blocked"]


def test_a_bad_day_is_not_what_later_days_are_compared_with(judged: Callable[..., QualityRun]) -> None:
    for number, rows in enumerate((40, 10, 10)):
        run = judged(DROP, number)
        deliver(run, rows)
        if rows == 40:
            run.check_input()
        else:
            with pytest.raises(RetrainingFailedError):
                run.check_input()


def test_days_that_were_validated_before_there_was_a_row_count_are_known(judged: Callable[..., QualityRun]) -> None:
    run = judged({"learn": True})
    deliver(run, 40)
    run.check_input()
    run.prepare()
    run.validate()
    run = judged(DROP, 1)
    deliver(run, 15)
    with pytest.raises(RetrainingFailedError, match="row_count"):
        run.check_input()


def test_the_rows_of_an_accepted_day_are_not_what_later_days_are_compared_with(
    judged: Callable[..., QualityRun],
) -> None:
    run = judged({"rules": [{"at_most": {"age": 30}}]}, accept_quality="known")
    deliver(run, 40)
    run.check_input()
    run.prepare()
    assert run.validate()["outcome"] == "accepted"
    known = read_json(run.account, names.quality_memory_key(run.pipeline.name))["days"][run.day.isoformat()]
    assert set(known) == {"digest", "rules"}


def test_a_warning_and_an_acceptance_let_the_run_go_on(judged: Callable[..., QualityRun]) -> None:
    run = judged({"row_count": {"min": 10, "on_fail": "warn"}})
    deliver(run, 3)
    assert run.check_input()["quality"]["warned"] == ["row_count"]
    run = judged({"row_count": {"min": 10}}, accept_quality="a bank holiday")
    run.user = "nina"
    quality = run.check_input()["quality"]
    assert (quality["outcome"], quality["blocked"]) == ("accepted", ["row_count"])
    assert quality["accepted"] == {"reason": "a bank holiday", "user": "nina"}


def test_a_day_is_counted_once_as_long_as_its_files_are_the_same(
    judged: Callable[..., QualityRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    from brewtrain.hooks.s3_quality import S3QualityHook

    counted: list[int] = []
    count = S3QualityHook.count_rows

    def counting(self: Any, *arguments: Any, **more: Any) -> int:
        counted.append(1)
        return count(self, *arguments, **more)

    monkeypatch.setattr(S3QualityHook, "count_rows", counting)
    run = judged(SOME)
    deliver(run, 5)
    run.check_input()
    run.check_input()
    assert len(counted) == 1
    deliver(run, 6)
    run.check_input()
    assert len(counted) == 2


def test_rows_are_counted_as_csv_has_them(judged: Callable[..., QualityRun]) -> None:
    """Line breaks in quotes, blank lines, CRLF, no line break at the end, several files."""
    run = judged(DROP)
    bodies = {
        "a.csv": f'{HEADER}\r\n30;"of\r\ntwo ""lines""";no\r\n\r\n31;admin;no'.encode(),
        "b.csv": f"\ufeff{HEADER}\n32;admin;no\n".encode(),
        "c.csv": f"{HEADER}\n".encode(),
        "d.csv.gz": gzip.compress(csv_of(1, 2, 3)),
        "e.csv.bz2": bz2.compress(csv_of(1, 2)),
        "_hidden.csv": csv_of(*range(50)),
        "f.csv": b"",
    }
    counted = count(run, bodies)
    assert counted == 2 + 1 + 0 + 3 + 2


def count(run: QualityRun, bodies: dict[str, bytes]) -> int:
    from brewtrain.domain.run.days import Window
    from brewtrain.hooks.s3_quality import S3QualityHook

    s3 = run.account.client("s3")
    prefix = run.pipeline.source.layout.prefix(run.day)
    for item in s3.list_objects_v2(Bucket=run.account.bucket, Prefix=prefix).get("Contents", ()):
        s3.delete_object(Bucket=run.account.bucket, Key=item["Key"])
    for name, body in bodies.items():
        key = run.pipeline.source.layout.object_key(run.day, name)
        s3.put_object(Bucket=run.account.bucket, Key=key, Body=body)
    hook = S3QualityHook("brewtrain_aws")
    files = hook.files(run.pipeline, Window(run.day, run.day), bucket=run.account.bucket)[run.day]
    return hook.count_rows(run.pipeline, files, bucket=run.account.bucket)


def test_random_files_have_the_rows_that_were_written(judged: Callable[..., QualityRun]) -> None:
    seed = 20261201
    print(f"seed {seed}")
    generator = random.Random(seed)
    run = judged(DROP)
    for _ in range(5):
        rows = [generator.randrange(0, 4000) for _ in range(3)]
        assert count(run, {f"{number}.csv": csv_of(*range(one)) for number, one in enumerate(rows)}) == sum(rows)


def test_a_cut_archive_is_a_sentence(judged: Callable[..., QualityRun]) -> None:
    run = judged(DROP)
    with pytest.raises(InputError, match=r"the rows of s3://.*a\.csv\.gz cannot be counted"):
        count(run, {"a.csv.gz": gzip.compress(csv_of(*range(5000)))[:-20]})


def test_a_file_that_is_replaced_while_rows_are_counted_is_tried_again(
    judged: Callable[..., QualityRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    from brewtrain.hooks.s3_quality import S3QualityHook

    run = judged(DROP)
    listed = S3QualityHook.files

    def replaced(*args: Any, **options: Any) -> Any:
        found = listed(*args, **options)
        deliver(run, 7)
        return found

    monkeypatch.setattr(S3QualityHook, "files", replaced)
    deliver(run, 5)
    with pytest.raises(TransientError, match=r"part\.csv was changed or removed while its rows were counted"):
        run.check_input()


def test_a_connection_that_breaks_is_no_fault_of_the_data(
    judged: Callable[..., QualityRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.exceptions import ReadTimeoutError
    from botocore.response import StreamingBody

    run = judged(DROP)

    def broken(self: StreamingBody, amt: int | None = None) -> bytes:
        raise ReadTimeoutError(endpoint_url="https://s3")

    monkeypatch.setattr(StreamingBody, "read", broken)
    with pytest.raises(TransientError, match="S3 stopped sending an object"):
        count(run, {"a.csv": csv_of(*range(5))})


def test_a_day_with_the_files_of_an_earlier_day_is_not_new(judged: Callable[..., QualityRun]) -> None:
    section: dict[str, Any] = {"freshness": {}}
    run = judged(section)
    deliver(run, 5, days_before=1)
    deliver(run, 5)
    with pytest.raises(RetrainingFailedError, match="freshness"):
        run.check_input()
    before = (run.day - timedelta(days=1)).isoformat()
    assert f"has exactly the files of {before}" in run.xcoms["check_input", "on_call_card"]
    deliver(run, 5, first_age=40)
    assert run.check_input()["quality"]["outcome"] == "passed"


def test_a_day_that_came_after_the_run_was_due_is_fresh(judged: Callable[..., QualityRun]) -> None:
    run = judged({"freshness": {"max_age_hours": 1}})
    deliver(run, 5)
    assert run.check_input()["quality"]["outcome"] == "passed"


def test_both_parts_stand_in_one_document(judged: Callable[..., QualityRun]) -> None:
    run = judged({**SOME, "rules": [{"not_null": "age"}]})
    deliver(run, 5)
    run.check_input()
    run.prepare()
    run.validate()
    document = run.document()
    assert (document["outcome"], document["passed"]) == ("passed", 2)
    assert [one["rule"] for one in document["input"]["results"]] == ["row_count"]
    assert [one["rule"] for one in document["data"]["results"]] == ["age not_null"]


def test_a_pipeline_without_quality_is_checked_as_before(new_run: NewRun) -> None:
    first = new_run()
    plain = make_pipeline(first.pipeline.name).model_copy(update={"quality": None})
    run = QualityRun(first.account, first.interval.end.date(), pipeline=plain)
    deliver(run, 5)
    assert "quality" not in run.check_input()
    assert {"quality_job", "quality_days"} & set(run.prepare()) == set()


def test_a_memory_that_cannot_be_read_is_begun_anew(judged: Callable[..., QualityRun]) -> None:
    run = judged(SOME)
    deliver(run, 5)
    key = names.quality_memory_key(run.pipeline.name)
    run.account.client("s3").put_object(Bucket=run.account.bucket, Key=key, Body=b"<html>")
    run.check_input()
    assert run.day.isoformat() in read_json(run.account, key)["days"]


def test_a_document_that_another_run_changes_meanwhile_loses_nothing(judged: Callable[..., QualityRun]) -> None:
    from brewtrain.hooks.s3_quality import S3QualityHook

    run = judged(DROP)
    hook, key = S3QualityHook("brewtrain_aws"), "brewtrain/test/counter.json"
    rivals = iter(range(3))

    def add(document: object) -> dict[str, Any]:
        found = document if isinstance(document, dict) else {"count": 0}
        if next(rivals, None) is not None:
            hook.put_document(run.account.bucket, key, {"count": found["count"] + 10})
        return {"count": found["count"] + 1}

    hook.update_document(run.account.bucket, key, add)
    assert read_json(run.account, key) == {"count": 31}
