"""What is known of days: by their files and rules, through JSON, and never more than was seen."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brewtrain.domain.quality.history import DayRows
from brewtrain.domain.quality.memory import DayMemory, KnownDay, StoredFile, day_files, digest_of, rules_digest
from tests.fixtures.quality import pipeline_with_quality

DAY, NEXT = date(2026, 11, 30), date(2026, 12, 1)
WRITTEN = datetime(2026, 12, 1, 2, tzinfo=UTC)


def file(key: str = "a.csv", etag: str = "1", size: int = 10) -> StoredFile:
    return StoredFile(key, etag, size, WRITTEN)


KNOWN = st.builds(
    KnownDay,
    digest=st.text("0123456789abcdef", min_size=32, max_size=32),
    rules=st.none() | st.text("0123456789abcdef", min_size=16, max_size=16),
    rows=st.none() | st.integers(0, 10**12),
)


@given(st.dictionaries(st.dates(), KNOWN, max_size=5))
def test_a_memory_is_read_as_it_was_written(days: dict[date, KnownDay]) -> None:
    memory = DayMemory(days)
    assert DayMemory.of(json.loads(json.dumps(memory.document()))) == memory


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="a-list"),
        pytest.param({"version": 2, "days": {"2026-11-30": {"digest": "a"}}}, id="another-version"),
        pytest.param({"version": 1, "days": []}, id="days-are-a-list"),
        pytest.param({"version": 1, "days": {"2026-11-30": {"rows": 1}}}, id="a-day-without-digest"),
        pytest.param({"version": 1, "days": {"yesterday": {"digest": "a"}}}, id="no-date"),
    ],
)
def test_what_cannot_be_read_is_not_known(document: Any) -> None:
    assert DayMemory.of(document) == DayMemory()


def test_a_day_is_validated_with_the_same_files_and_rules_alone() -> None:
    memory = DayMemory().with_validated({DAY: "files"}, "rules")
    assert memory.validated({DAY: "files", NEXT: "files"}, "rules") == {DAY}
    assert memory.validated({DAY: "other"}, "rules") == set()
    assert memory.validated({DAY: "files"}, "other") == set()


def test_rows_and_validation_of_the_same_files_stand_together() -> None:
    memory = DayMemory().with_rows(DAY, "files", 7).with_validated({DAY: "files"}, "rules")
    assert memory.days[DAY] == KnownDay("files", "rules", 7)
    assert memory.history == [DayRows(DAY, 7)]
    assert memory.rows_of(DAY, "other") is None
    assert memory.with_rows(DAY, "other", 8).days[DAY] == KnownDay("other", None, 8)


CHANGES = {
    "another-file": [file(), file("b.csv")],
    "no-file": [],
    "other-content": [file(etag="2")],
    "other-size": [file(size=11)],
    "other-name": [file("b.csv")],
}


@pytest.mark.parametrize("files", CHANGES.values(), ids=CHANGES)
def test_a_change_of_a_days_files_changes_its_digest(files: list[StoredFile]) -> None:
    assert digest_of(files) != digest_of([file()])


def test_the_order_of_a_listing_changes_nothing() -> None:
    files = [file("a.csv"), file("b.csv", "2")]
    assert digest_of(files) == digest_of(files[::-1])


def test_freshness_looks_at_contents_and_not_at_names_or_empty_files() -> None:
    found = day_files(DAY, [file("a.csv"), file("_SUCCESS", size=0)])
    assert found.contents == day_files(DAY, [file("other.csv")]).contents
    assert found.written == WRITTEN


def test_rules_and_their_consequence_make_their_digest() -> None:
    texts = ["not_null: age", "not_null: plan", "not_null: age\n  on_fail: warn", "unique: age"]
    digests = [rules_digest(pipeline_with_quality(f"rules:\n- {text}")) for text in texts]
    assert len(set(digests)) == len(texts)
