"""Features that died or changed are found, features that did not are not, and each is told."""

from __future__ import annotations

import json
from typing import Any

import drift
import numpy as np
import pytest
from feature_changes import find_changes
from feature_sentences import findings, side_text, title
from hypothesis import given
from hypothesis import strategies as st

from brewtrain.domain.evaluation import gate

SEED = 20261201
NAN = float("nan")


def profile(columns: dict[str, np.ndarray]) -> dict[str, Any]:
    table = np.stack([np.asarray(column, dtype=np.float32) for column in columns.values()], axis=1)
    made = drift.profile_rows(list(columns), table, np.arange(len(table)) % 2 == 0)
    return json.loads(json.dumps(made, allow_nan=False))  # type: ignore[no-any-return]


def changes(
    before: dict[str, np.ndarray] | None, now: dict[str, np.ndarray], *, gone: tuple[str, ...] = (), bound: float = 0.25
) -> list[dict[str, Any]]:
    shared = None
    if before is not None:
        table = np.stack([np.asarray(column, dtype=np.float32) for column in now.values()], axis=1)
        shared = drift.count_over_bins_of(profile(before), list(now), table)
    return [change.as_dict() for change in find_changes(profile(now), shared, list(gone), max_psi=bound)]


def kinds(found: list[dict[str, Any]]) -> dict[str, str]:
    return {change["name"]: change["change"] for change in found}


def random() -> np.random.Generator:
    print(f"seed {SEED}")
    return np.random.default_rng(SEED)


def share_of_ones(share: float, rows: int = 1000) -> np.ndarray:
    return (np.arange(rows) < share * rows).astype(float)


def with_nulls(share: float, rows: int = 1000) -> np.ndarray:
    return np.where(np.arange(rows) < share * rows, NAN, np.arange(rows) % 97)


ALIVE = with_nulls(0.0)
# Champion's window, this window, and what became of the feature.
CASES: dict[str, tuple[np.ndarray, np.ndarray, str | None]] = {
    "a number that lost its values": (ALIVE, with_nulls(1.0), "all_null"),
    "a category that lost its values": (share_of_ones(0.3), with_nulls(1.0), "all_null"),
    "a constant that lost its value": (np.ones(1000), with_nulls(1.0), "all_null"),
    "a number that became constant": (ALIVE, np.full(1000, 4.856), "constant"),
    "a category that no row has any more": (share_of_ones(0.3), np.zeros(1000), "constant"),
    "an empty feature that became constant": (with_nulls(1.0), np.ones(1000), "constant"),
    "a constant with gaps that became constant": (np.where(ALIVE > 5, 1.0, NAN), np.ones(1000), "constant"),
    "a number of more nulls": (with_nulls(0.01), with_nulls(0.4), "more_nulls"),
    "a number of the first nulls": (ALIVE, with_nulls(0.1), "more_nulls"),
    "a number of a few more nulls": (with_nulls(0.1), with_nulls(0.15), None),
    "a number of fewer nulls": (with_nulls(0.6), with_nulls(0.01), None),
    "an empty feature that has values again": (with_nulls(1.0), ALIVE, None),
    "one value and gaps": (np.where(ALIVE > 20, 1.0, NAN), np.where(ALIVE > 20, 1.0, NAN), None),
    "a category that jumped": (share_of_ones(0.1), share_of_ones(0.5), "other_categories"),
    "a category that fell": (share_of_ones(0.5), share_of_ones(0.05), "other_categories"),
    "a category that moved a little": (share_of_ones(0.3), share_of_ones(0.35), None),
    "a label code that is new": (ALIVE % 5, np.where(ALIVE > 60, 9.0, ALIVE % 5), "other_categories"),
    "a number that moved": (ALIVE, ALIVE + 40, None),
    "a few rows by chance": (share_of_ones(0.2, rows=30), share_of_ones(0.5, rows=30), None),
}  # fmt: skip


@pytest.mark.parametrize(("before", "now", "change"), CASES.values(), ids=CASES)
def test_what_became_of_a_feature_is_found(before: np.ndarray, now: np.ndarray, change: str | None) -> None:
    found = changes({"x": before}, {"x": now})
    assert [(one["name"], one["change"], one["became"]) for one in found] == ([("x", change, True)] if change else [])
    told = {finding.change: finding.found for finding in findings(found, compared=True)}
    assert told == {kind: kind == change for kind in gate.FEATURE_CHANGES}


def test_the_cases_have_every_change_and_none() -> None:
    assert {change for *_, change in CASES.values()} == {*gate.FEATURE_CHANGES, None} - {gate.GONE}
    assert len(CASES) == 19


_columns = st.sampled_from(["normal", "codes", "ones", "gaps", "rare"])


def column(kind: str, source: np.random.Generator, rows: int) -> np.ndarray:
    if kind == "normal":
        return source.normal(size=rows)
    if kind == "codes":
        return source.integers(0, 15, rows).astype(float)
    if kind == "gaps":
        return np.where(source.random(rows) < 0.3, NAN, source.normal(size=rows))
    return (source.random(rows) < (0.4 if kind == "ones" else 0.01)).astype(float)


def alive(values: np.ndarray) -> bool:
    present = values[np.isfinite(values)]
    return present.size > 0 and (np.unique(present).size > 1 or present.size < values.size)


@given(st.lists(_columns, min_size=1, max_size=8), st.integers(0, 2**32 - 1), st.integers(2, 400))
def test_a_window_has_not_changed_from_itself(wanted: list[str], seed: int, rows: int) -> None:
    source = np.random.default_rng(seed)
    made = {f"f{place}": column(kind, source, rows) for place, kind in enumerate(wanted)}
    made = {name: values for name, values in made.items() if alive(values.astype(np.float32))}
    if made:
        assert changes(made, made, bound=1e-9) == []
        assert changes(None, made) == []


@given(st.lists(_columns, min_size=1, max_size=8), st.integers(0, 2**32 - 1), st.data())
def test_a_dead_feature_is_always_found(wanted: list[str], seed: int, data: st.DataObject) -> None:
    source = np.random.default_rng(seed)
    rows = data.draw(st.integers(1, 300))
    before = {f"f{place}": column(kind, source, 300) for place, kind in enumerate(wanted)}
    dead = data.draw(st.dictionaries(st.sampled_from(sorted(before)), st.sampled_from(["all_null", "constant"])))
    value = np.float32(data.draw(st.floats(-1e6, 1e6)))
    now = {name: np.resize(values, rows) for name, values in before.items()}
    now.update({name: np.full(rows, NAN if kind == "all_null" else value) for name, kind in dead.items()})
    for champion in (before, None):
        found = kinds(changes(champion, now))
        assert {name: found.get(name) for name in dead} == dead


def test_windows_of_one_distribution_are_not_told_apart_however_few_rows() -> None:
    source = random()
    told = 0
    for rows in (40, 200, 1000):
        for _ in range(30):
            before, now = ({f"f{place}": column("codes", source, rows) for place in range(20)} for _ in range(2))
            told += len(changes(before, now))
    # The share beyond the bound of chance is about 1 in 10,000, here of 1,800.
    assert told <= 2


def test_without_a_champion_only_dead_features_are_found() -> None:
    now = {"empty": with_nulls(1.0), "same": np.full(1000, 7.0), "alive": ALIVE, "gaps": with_nulls(0.9)}
    found = changes(None, now)
    assert kinds(found) == {"empty": "all_null", "same": "constant"}
    assert {change["became"] for change in found} == {None}
    assert [finding.sentence for finding in findings(found, compared=False)] == [
        "1 feature has no value in any row: empty",
        "1 feature has the same value in every row: same (7)",
    ]


def test_a_feature_that_was_dead_before_is_listed_and_no_finding() -> None:
    window = {"empty": with_nulls(1.0), "same": np.full(1000, 7.0), "alive": ALIVE}
    found = changes(window, window)
    assert kinds(found) == {"empty": "all_null", "same": "constant"}
    assert {change["became"] for change in found} == {False}
    told = findings(found, compared=True)
    assert not any(finding.found for finding in told)
    assert told[0].sentence == "no feature lost all its values; without a value as in the champion's window: empty"


def test_a_dead_feature_that_the_champion_lacks_is_new() -> None:
    found = changes({"x": ALIVE}, {"x": ALIVE, "added": with_nulls(1.0)})
    assert [(change["name"], change["became"], change["before"]) for change in found] == [("added", None, None)]
    assert findings(found, compared=True)[0].found


def test_the_sentences_have_numbers_of_both_sides_and_what_to_do() -> None:
    before = {"a": with_nulls(0.012), "b": ALIVE, "c": with_nulls(0.01), "d": share_of_ones(0.11)}
    now = {"a": with_nulls(1.0), "b": np.zeros(1000), "c": with_nulls(0.4), "d": share_of_ones(0.5)}
    told = findings(changes(before, now, gone=("e",)), compared=True)
    assert [finding.sentence for finding in told] == [
        "1 feature has no value in any row: a (nulls 1.2% → 100.0%)",
        "1 feature of the champion is no longer there: e",
        "1 feature has the same value in every row: b (more than 20 values → only 0)",
        "1 feature has many more nulls than in the champion's window: c (nulls 1.0% → 40.0%, PSI 1.63)",
        "1 feature has its values in other shares than in the champion's window: d (value 0: 89.0% → 50.0%, PSI 0.82)",
    ]
    assert all(finding.advice for finding in told)


@pytest.mark.parametrize("name", ["x{}", "ü" * 300 + "{}"], ids=["short names", "long names"])
def test_a_sentence_about_thousands_of_features_is_short_and_counts_the_rest(name: str) -> None:
    count = 3000
    before = {name.format(place): share_of_ones(0.1, rows=400) for place in range(count)}
    dead = changes(before, {key: np.full(400, NAN) for key in before})
    moved = changes(before, {key: share_of_ones(0.9, rows=400) for key in before})
    assert len(dead) == len(moved) == count
    for found in (dead, moved):
        finding = next(one for one in findings(found, compared=True) if one.found)
        asked = gate.GateRules(better_than_majority=False, features="refuse")
        evidence = gate.Evidence(1, 1, {}, 0.5, features=(finding,))
        sentence = gate.decide(asked, evidence).checks[-1].sentence
        assert len(sentence) <= 500, "outputs.py cuts a reason there"
        named = sentence.count("%") // 2
        assert 1 <= named <= 10
        assert f" and {count - named} more; " in sentence


def test_a_page_describes_both_sides() -> None:
    before = {"a": with_nulls(0.1), "b": share_of_ones(0.2), "c": ALIVE, "d": share_of_ones(0.1)}
    now = {"a": with_nulls(1.0), "b": np.zeros(1000), "c": with_nulls(0.5), "d": share_of_ones(0.6)}
    found = {change["name"]: change for change in changes(before, now, gone=("e",))}
    told = {
        name: (title(one["change"]), side_text(one, "before"), side_text(one, "now")) for name, one in found.items()
    }
    assert told == {
        "a": ("no value", "more than 20 values, 10.0% nulls", "no value"),
        "b": ("constant", "2 values", "only 0"),
        "c": ("more nulls", "0.0% nulls", "50.0% nulls"),
        "d": ("other categories", "value 0: 90.0%", "value 0: 40.0%"),
        "e": ("gone", "a feature", "no such feature"),
    }
