"""Finds the champion, the model that serves, and scores it on the candidate's validation rows.

What is wrong with a champion is a finding about the champion, not an error of the evaluation: the
reason is recorded, and the gate decides. Must not import anything outside the standard library,
numpy and boto3.
"""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import drift
import gate
import numpy as np
import s3_objects
from drift import SharedBins, count_over_bins_of
from evaluation_errors import FeatureMismatchError, MissingObjectError, ModelArchiveError
from model_archive import score_archive
from split_output import SplitOutput

NO_CHAMPION = "none"
UNKNOWN_CHAMPION = "unknown"
_NAMES_SHOWN = 5
_RUN_PREFIX = re.compile(r"^(?P<prefix>s3://.+/runs/(?P<run>[^/]+)/)model/")


@dataclass
class Champion:
    """What is known of the champion.

    :param uri: Its archive, :data:`NO_CHAMPION` or :data:`UNKNOWN_CHAMPION`.
    :param status: ``CHAMPION_ABSENT``, ``CHAMPION_COMPARED`` or ``CHAMPION_NOT_COMPARABLE`` of the
        gate.
    :param reason: Why it is not comparable; one sentence without full stop.
    :param run_id: The run that trained it, if its URI tells.
    :param scores: Shape ``(validation rows,)``; ``None`` unless compared.
    :param profile: The profile of the window it was trained on, if its run left one.
    :param profile_problem: Why that window is not known; no full stop.
    :param shared_bins: Every feature of both windows, if that profile can be used.
    :param drift: How far this run's window has moved from that one, if it could be measured.
    :param notes: What weakens the comparison, one sentence each.
    """

    uri: str
    status: str
    reason: str = ""
    run_id: str | None = None
    scores: np.ndarray | None = None
    profile: dict[str, Any] | None = None
    profile_problem: str = ""
    shared_bins: list[SharedBins] | None = None
    drift: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)

    def describe(self, measured: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return the section ``champion`` of evaluation.json, ``None`` without a champion.

        :param measured: Its metrics, curves, reliability and lift, if it was compared.
        """
        if self.status == gate.CHAMPION_ABSENT:
            return None
        archive = None if self.uri == UNKNOWN_CHAMPION else self.uri
        nothing = {"metrics": None, "curves": None, "reliability": None, "lift": None}
        data_date = self.profile.get("data_date") if self.profile else None
        return {"archive": archive, "run_id": self.run_id, "data_date": data_date, **(measured or nothing)}


def find_champion(
    uri: str, unknown_reason: str, rows: SplitOutput, *, recipe_version: str, validation_fraction: float
) -> Champion:
    """Find the champion, score it, and measure the drift since its training.

    :param uri: ``s3://…/model.tar.gz``, a local file, :data:`NO_CHAMPION` or
        :data:`UNKNOWN_CHAMPION`.
    :param unknown_reason: Why it is unknown, if it is.
    :param rows: The candidate's run.
    :param recipe_version: Of the candidate's run.
    :param validation_fraction: Of the candidate's run.
    :raises DownloadError: If the champion exists and cannot be read.
    """
    uri = uri.strip()
    if uri in ("", NO_CHAMPION):
        return Champion(uri, gate.CHAMPION_ABSENT)
    champion = Champion(uri, gate.CHAMPION_NOT_COMPARABLE)
    if uri == UNKNOWN_CHAMPION:
        champion.reason = unknown_reason.strip().rstrip(".") or "it is not known which model serves"
        champion.profile_problem = champion.reason
        return champion
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _find_profile(champion, folder)
        try:
            champion.scores = _score(champion, rows, folder)
            champion.status = gate.CHAMPION_COMPARED
        except (ModelArchiveError, FeatureMismatchError, MissingObjectError) as error:
            champion.reason = str(error)
    if champion.status == gate.CHAMPION_COMPARED:
        champion.notes += _notes_on_split(champion.profile, recipe_version, validation_fraction)
    if champion.profile is not None:
        _compare_windows(champion, champion.profile, rows)
    return champion


def _find_profile(champion: Champion, folder: Path) -> None:
    """Fetch the profile that the champion's run left, or note why there is none."""
    found = _RUN_PREFIX.match(champion.uri)
    if not found:
        champion.profile_problem = f"{champion.uri} does not lie in the folder of a run"
        return
    champion.run_id = found.group("run")
    path = folder / "profile.json"
    uri = f"{found.group('prefix')}evaluation/profile.json"
    try:
        s3_objects.download(uri, path)
        profile: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _names_of(profile)
    except MissingObjectError:
        _note_problem(champion, f"the champion's run has no profile ({uri} does not exist)")
    except (ValueError, KeyError, TypeError):
        _note_problem(champion, f"{uri} is not a profile")
    else:
        champion.profile = profile


def _note_problem(champion: Champion, problem: str) -> None:
    champion.profile_problem = problem
    champion.notes.append(f"{problem}, so drift is not measured")


def _names_of(profile: dict[str, Any]) -> list[str]:
    return [str(entry["name"]) for entry in profile["features"]]


def _score(champion: Champion, rows: SplitOutput, folder: Path) -> np.ndarray:
    if champion.uri.startswith("s3://"):
        archive = folder / "model.tar.gz"
        s3_objects.download(champion.uri, archive)
    else:
        archive = Path(champion.uri)
    model = score_archive(archive, rows.validation.features, role="champion")
    names = model.feature_names
    if names is None and champion.profile is not None:
        names = _names_of(champion.profile)
    if model.scores is None:
        raise FeatureMismatchError(
            f"the champion was trained on {model.feature_count} features and the candidate on {len(rows.features)}"
            + (_name_difference(names, rows.features) if names else "")
        )
    if names is None:
        champion.notes.append("the champion's feature names are not known; only their number was compared")
    elif names != rows.features:
        raise FeatureMismatchError(
            "the champion was trained on other features than the candidate" + _name_difference(names, rows.features)
        )
    return model.scores


def _name_difference(before: list[str], now: list[str]) -> str:
    known, there = set(before), set(now)
    gone = [name for name in before if name not in there]
    new = [name for name in now if name not in known]
    if not gone and not new:
        return " (the same names in another order)"
    parts = []
    if gone:
        parts.append("no longer there: " + _first(gone))
    if new:
        parts.append("new: " + _first(new))
    return f" ({'; '.join(parts)})"


def _first(names: list[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _notes_on_split(profile: dict[str, Any] | None, recipe_version: str, validation_fraction: float) -> list[str]:
    """Say where the champion may have been trained on rows that it is now compared on."""
    if profile is None:
        return ["it is not known how the champion's rows were split: it may have trained on these rows"]
    notes = []
    if profile.get("validation_fraction") != validation_fraction:
        notes.append(
            f"the champion's validation fraction was {profile.get('validation_fraction')} and is now "
            f"{validation_fraction}: it may have trained on some of these rows, which flatters it"
        )
    if profile.get("recipe_version") != recipe_version:
        notes.append(
            f"the champion's recipe version was {profile.get('recipe_version')} and is now "
            f"{recipe_version}: where the recipe changes values, it may have trained on some of "
            "these rows, or read them differently"
        )
    return notes


def _compare_windows(champion: Champion, profile: dict[str, Any], rows: SplitOutput) -> None:
    window = rows.window
    try:
        shared = count_over_bins_of(profile, rows.features, window.features)
        champion.drift = drift.drift(profile, shared, window.labels)
        champion.shared_bins = shared
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        _note_problem(champion, f"the champion's profile cannot be used ({error})")
