"""The revision of the DAGs that a task runs from, which it records.

Reads git's files itself: a worker need not have git, and a task should not start a process for a
line of text. Must not be called while DAG files are parsed.

Source: gitrepository-layout(5) for HEAD, packed-refs, and the ``.git`` file of a worktree.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REVISION_VARIABLE = "BREWTRAIN_REVISION"
UNKNOWN = "unknown"
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def revision_of(context: Mapping[str, Any]) -> str:
    """Return the revision of Airflow's DAG bundle.

    Without one it is ``$BREWTRAIN_REVISION``, else the checkout's commit, else ``unknown``.

    :param context: The task's context.
    """
    bundle = getattr(context.get("ti"), "bundle_instance", None)
    version = getattr(bundle, "version", None)
    if isinstance(version, str) and version:
        return version
    return os.environ.get(REVISION_VARIABLE, "").strip() or commit_of(Path(__file__).resolve().parent) or UNKNOWN


def commit_of(folder: Path) -> str | None:
    """Return the commit of the checkout that a folder is in; ``None`` outside of a checkout.

    :param folder: Any folder inside the checkout.
    """
    try:
        for candidate in (folder, *folder.parents):
            if (candidate / ".git").exists():
                return _head(candidate / ".git")
    except (OSError, UnicodeDecodeError):
        return None
    return None


def _head(git: Path) -> str | None:
    if git.is_file():
        # A worktree or a submodule: "gitdir: <path>".
        git = (git.parent / git.read_text("utf-8").strip().removeprefix("gitdir:").strip()).resolve()
    head = (git / "HEAD").read_text("utf-8").strip()
    if not head.startswith("ref:"):
        return head if _COMMIT.fullmatch(head) else None
    name = head.removeprefix("ref:").strip()
    common = git
    if (git / "commondir").is_file():
        common = (git / (git / "commondir").read_text("utf-8").strip()).resolve()
    for loose in (git / name, common / name):
        if loose.is_file():
            commit = loose.read_text("utf-8").strip()
            return commit if _COMMIT.fullmatch(commit) else None
    packed = common / "packed-refs"
    if packed.is_file():
        for line in packed.read_text("utf-8").splitlines():
            commit, _, ref = line.partition(" ")
            if ref == name and _COMMIT.fullmatch(commit):
                return commit
    return None
