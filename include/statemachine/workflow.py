"""Render the retraining state machine, which the Step Functions Data Science SDK builds.

Two files come out, both committed, so that neither Airflow nor the machine that deploys needs the
SDK:

* ``retraining.asl.json``: the definition. It names no pipeline: everything a run needs comes in by
  input paths (docs/architecture.md has the input), so every pipeline deploys the same text.
* ``images.json``: registry of SageMaker's built-in XGBoost image by version and region.

Run ``python workflow.py --write`` to render and ``--check`` to compare with the committed files.
Runs in the authoring environment (``make statemachine``) and must not be imported by anything.

To add a stage: write its Task in parts/jobs.py (retries of a new service in parts/retries.py), and
put it into the chain in :func:`definition`. The rest of the path is in CONTRIBUTING.md. Decisions
that are not visible in the text are in docs/adr/0010-state-machine.md.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from pathlib import Path
from typing import Any

from parts import jobs
from parts.deployment import deploy
from parts.entries import begin_rollback, choose_entry
from parts.evaluation import evaluate, gate
from parts.images import images
from parts.sdk import Graph, steps

HERE = Path(__file__).resolve().parent
DEFINITION_FILE = HERE / "retraining.asl.json"
IMAGES_FILE = HERE / "images.json"

LAYOUT_VERSION = 2
# Seven days. A redrive starts the clock again; SageMaker's own longest training job is 28 days,
# ours is one.
EXECUTION_TIMEOUT_SECONDS = 604_800


def definition() -> dict[str, Any]:
    """Build the state machine's definition as a document of the Amazon States Language."""
    transform = jobs.transform()
    evaluation, verdict = evaluate()
    policy, prepare = deploy()
    steps.Chain([transform, jobs.split(), jobs.train(), evaluation])
    steps.Chain([verdict, gate(policy)])
    graph = Graph(
        choose_entry(retrain=transform, promote=policy, rollback=begin_rollback(prepare)),
        comment=f"brewtrain retraining, layout {LAYOUT_VERSION}: rendered by include/statemachine/workflow.py",
        timeout_seconds=EXECUTION_TIMEOUT_SECONDS,
    )
    document: dict[str, Any] = graph.to_dict()
    return {key: document[key] for key in ("Comment", "StartAt", "TimeoutSeconds", "States")}


def main(arguments: list[str] | None = None) -> int:
    """Write the rendered files, or compare them with the committed ones.

    :param arguments: The command's arguments; default: those of this process.
    :returns: 0, or 1 when ``--check`` found a difference, which is printed.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true", help="render the files")
    mode.add_argument("--check", action="store_true", help="compare with the committed files")
    options = parser.parse_args(arguments)

    rendered = {DEFINITION_FILE: _text(definition()), IMAGES_FILE: _text(images())}
    if options.write:
        for path, text in rendered.items():
            path.write_text(text, encoding="utf-8")
        return 0
    differences = [line for path, text in rendered.items() for line in _difference(path, text)]
    sys.stdout.writelines(differences)
    if differences:
        sys.stderr.write("The committed files are not what workflow.py renders: run `make statemachine` and commit.\n")
    return int(bool(differences))


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _difference(path: Path, rendered: str) -> list[str]:
    committed = path.read_text(encoding="utf-8") if path.exists() else ""
    return list(
        difflib.unified_diff(
            committed.splitlines(keepends=True),
            rendered.splitlines(keepends=True),
            f"committed {path.name}",
            f"rendered {path.name}",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
