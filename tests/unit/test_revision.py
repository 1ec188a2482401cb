"""The revision that a run records: bundle, environment, checkout, in this order."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from brewtrain import revision

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder deep inside a checkout on branch ``main``."""
    git = tmp_path / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "refs" / "heads" / "main").write_text(f"{COMMIT}\n")
    deep = tmp_path / "plugins" / "brewtrain"
    deep.mkdir(parents=True)
    return deep


def test_a_branch_a_packed_branch_and_a_detached_head(checkout: Path) -> None:
    assert revision.commit_of(checkout) == COMMIT
    git = checkout.parents[1] / ".git"
    (git / "refs" / "heads" / "main").unlink()
    assert revision.commit_of(checkout) is None
    (git / "packed-refs").write_text(f"# pack-refs\n{OTHER} refs/heads/other\n{COMMIT} refs/heads/main\n^{OTHER}\n")
    assert revision.commit_of(checkout) == COMMIT
    (git / "HEAD").write_text(f"{OTHER}\n")
    assert revision.commit_of(checkout) == OTHER


def test_a_worktree(checkout: Path, tmp_path: Path) -> None:
    main = tmp_path / ".git"
    (main / "worktrees" / "w").mkdir(parents=True)
    (main / "worktrees" / "w" / "HEAD").write_text("ref: refs/heads/main\n")
    (main / "worktrees" / "w" / "commondir").write_text("../..\n")
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / ".git").write_text(f"gitdir: {main / 'worktrees' / 'w'}\n")
    assert revision.commit_of(folder) == COMMIT


def test_outside_of_a_checkout(tmp_path: Path) -> None:
    assert revision.commit_of(tmp_path / "nowhere") is None


def test_who_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = SimpleNamespace(bundle_instance=SimpleNamespace(version="from-bundle"))
    no_version = SimpleNamespace(bundle_instance=SimpleNamespace(version=None))
    monkeypatch.setattr(revision, "commit_of", lambda folder: None)
    assert revision.revision_of({}) == "unknown"
    monkeypatch.setattr(revision, "commit_of", lambda folder: COMMIT)
    assert revision.revision_of({"ti": no_version}) == COMMIT
    monkeypatch.setenv("BREWTRAIN_REVISION", " v1.2 ")
    assert revision.revision_of({"ti": no_version}) == "v1.2"
    assert revision.revision_of({"ti": bundle}) == "from-bundle"
