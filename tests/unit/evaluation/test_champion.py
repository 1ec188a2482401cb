"""Whatever is in the champion's profile, finding the champion is no error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import drift
import gate
import numpy as np
import s3_objects
from champion import find_champion
from evaluation_errors import MissingObjectError
from feature_changes import find_changes
from feature_sentences import findings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labelled_csv import LabelledRows
from split_output import SplitOutput

from tests.fixtures.evaluation_run import CHAMPION_URI, PROFILE_URI

NAMES = ["age", "job_admin", "pdays"]
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def rows() -> SplitOutput:
    source = np.random.default_rng(3)
    features = np.stack((source.normal(size=60), source.integers(0, 2, 60), np.full(60, np.nan)), axis=1)
    labelled = LabelledRows(np.arange(60) % 3 == 0, features.astype(np.float32))
    return SplitOutput(NAMES, labelled, labelled)


ROWS = rows()
PROFILE = drift.profile_rows(NAMES, ROWS.window.features, ROWS.window.labels)


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = document.items() if isinstance(document, dict) else enumerate(document)
    found = [path]
    for key, value in items if isinstance(document, (dict, list)) else ():
        found += places(value, (*path, key)) if isinstance(value, (dict, list)) else [(*path, key)]
    return found


def changed(path: tuple[Any, ...], value: Any) -> Any:
    document = json.loads(json.dumps(PROFILE))
    if not path:
        return value
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return document


def find(profile: bytes | None, monkeypatch: Any) -> Any:
    def download(uri: str, target: Path) -> None:
        if uri != PROFILE_URI or profile is None:
            raise MissingObjectError(f"{uri} no longer exists")
        target.write_bytes(profile)

    monkeypatch.setattr(s3_objects, "download", download)
    return find_champion(CHAMPION_URI, "", ROWS, recipe_version="1.0", validation_fraction=0.3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(places(PROFILE)), value=_json)
def test_a_damaged_profile_is_said_and_never_an_error(monkeypatch: Any, path: tuple[Any, ...], value: Any) -> None:
    champion = find(json.dumps(changed(path, value)).encode(), monkeypatch)
    assert champion.status == gate.CHAMPION_NOT_COMPARABLE
    assert (champion.shared_bins is None) == bool(champion.profile_problem)
    assert (champion.drift is None) == bool(champion.profile_problem)
    found = [change.as_dict() for change in find_changes(PROFILE, champion.shared_bins, [], max_psi=0.25)]
    told = findings(found, compared=champion.shared_bins is not None)
    assert json.dumps([found, champion.drift, [finding.sentence for finding in told]], allow_nan=False)


def test_a_good_profile_is_compared_even_if_the_archive_is_gone(monkeypatch: Any) -> None:
    champion = find(json.dumps(PROFILE).encode(), monkeypatch)
    assert [pair.name for pair in champion.shared_bins] == NAMES
    assert champion.profile_problem == ""


def test_a_profile_that_does_not_exist_is_said(monkeypatch: Any) -> None:
    assert find(None, monkeypatch).profile_problem == (
        f"the champion's run has no profile ({PROFILE_URI} does not exist)"
    )
    assert "is not a profile" in find(b"\xff", monkeypatch).profile_problem
