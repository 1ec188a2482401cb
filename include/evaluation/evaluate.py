"""Evaluates one run: scores the candidate and the champion on the same rows, and asks the gate.

Runs as a SageMaker processing job in the built-in XGBoost image (Python 3.7 to 3.12, numpy 1.19 to
2, matplotlib; no brewtrain there). Its neighbours are shipped with it, and so is ``gate.py``, which
is plugins/brewtrain/domain/evaluation/gate.py. Must not import anything else outside the standard
library, numpy and boto3.

Results appear in the output folder all at once, ``verdict.json`` last; after an error there are
none, the process exits with 1 and the error's sentence is in /opt/ml/output/message, which
DescribeProcessingJob returns as ExitMessage
(https://docs.aws.amazon.com/sagemaker/latest/dg/byoc-metadata.html). A candidate that the gate
refuses is not an error.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import drift
import gate
import numpy as np
import outputs
from champion import NO_CHAMPION, UNKNOWN_CHAMPION, Champion, find_champion
from evaluation_errors import EvaluationError, FeatureMismatchError
from feature_changes import find_changes
from feature_sentences import findings
from measurement import Measurement, measure, paired_differences
from model_archive import score_archive
from split_output import SplitOutput, read_split_output

PROCESSING = Path("/opt/ml/processing")
EXIT_MESSAGE = Path("/opt/ml/output/message")
CHAMPION_VARIABLE = "BREWTRAIN_CHAMPION"
REASON_VARIABLE = "BREWTRAIN_CHAMPION_REASON"
CHALLENGER_ROLE = "challenger"
CHAMPION_ROLE = "champion"


def main(arguments: list[str] | None = None) -> int:
    """Evaluate, and return the process's exit code.

    :param arguments: The container's arguments; default: those of this process.
    """
    options = parse_arguments(arguments)
    try:
        verdict = evaluate(options)
    except (EvaluationError, gate.GateRulesError) as error:
        sentence = f"{type(error).__name__}: {error}"
        print(sentence, file=sys.stderr)
        _write_exit_message(sentence)
        return 1
    print(json.dumps(verdict, sort_keys=True))
    _write_exit_message(verdict["message"])
    return 0


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments of the container.

    :param arguments: The container's arguments; default: those of this process.
    :returns: The options, in the types that :func:`evaluate` takes.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--run-id", required=True)
    parser.add_argument("--pipeline", required=True)
    parser.add_argument("--data-date", required=True, help="YYYY-MM-DD, last day of the window")
    parser.add_argument("--recipe-version", required=True)
    parser.add_argument("--validation-fraction", required=True, type=float)
    parser.add_argument(
        "--champion",
        default=os.environ.get(CHAMPION_VARIABLE, NO_CHAMPION),
        help=(
            f"s3://…/model.tar.gz, a local file, '{NO_CHAMPION}', or '{UNKNOWN_CHAMPION}': a model serves that cannot "
            f"be found; default: ${CHAMPION_VARIABLE}"
        ),
    )
    parser.add_argument(
        "--champion-reason",
        default=os.environ.get(REASON_VARIABLE, ""),
        help=f"why the champion is '{UNKNOWN_CHAMPION}'; default: ${REASON_VARIABLE}",
    )
    parser.add_argument("--rule", action="append", default=[], help="name=value, see gate.from_arguments")
    parser.add_argument("--resamples", type=int, default=500)
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--validation", type=Path, default=PROCESSING / "input" / "validation")
    parser.add_argument("--train", type=Path, default=PROCESSING / "input" / "train")
    parser.add_argument("--challenger", type=Path, default=PROCESSING / "input" / "challenger" / "model.tar.gz")
    parser.add_argument("--summary", type=Path, default=PROCESSING / "input" / "summary" / "split.json")
    parser.add_argument("--output", type=Path, default=PROCESSING / "output" / "evaluation")
    options = parser.parse_args(arguments)
    if options.resamples < 20:
        parser.error("--resamples must be at least 20: fewer give no interval")
    if not 0.5 <= options.confidence < 1:
        parser.error("--confidence must be at least 0.5 and below 1")
    return options


def evaluate(options: argparse.Namespace) -> dict[str, Any]:
    """Make the evaluation and write every output.

    :param options: From :func:`parse_arguments`.
    :returns: The verdict, as ``verdict.json`` holds it.
    :raises EvaluationError: If there is nothing to evaluate or the candidate cannot be scored.
    :raises gate.GateRulesError: If the rules make no sense.
    """
    outputs.remove_old_outputs(options.output)
    rules = gate.from_arguments(options.rule)
    rows = read_split_output(train=options.train, validation=options.validation, summary=options.summary)
    scores = {CHALLENGER_ROLE: _score_challenger(options.challenger, rows)}
    champion = find_champion(
        options.champion,
        options.champion_reason,
        rows,
        recipe_version=options.recipe_version,
        validation_fraction=options.validation_fraction,
    )
    if champion.scores is not None:
        scores[CHAMPION_ROLE] = champion.scores
    # The run's identity, so that a retry and a redrive draw the same resamples.
    seed = int(hashlib.sha256(options.run_id.encode("utf-8")).hexdigest()[:8], 16)
    measured = measure(
        rows.validation.labels, scores, resamples=options.resamples, confidence=options.confidence, seed=seed
    )
    differences = {}
    if CHAMPION_ROLE in measured:
        differences = paired_differences(measured[CHALLENGER_ROLE], measured[CHAMPION_ROLE], options.confidence)
    profile = _profile(options, rows)
    changes = _feature_changes(profile, champion, rules)
    decision = _decide(rules, rows, measured[CHALLENGER_ROLE], champion, differences, changes)
    document = {
        **_facts_of_run(options, rows, seed),
        **_comparison(measured, champion, differences),
        "feature_changes": {
            "compared": champion.shared_bins is not None,
            "reason": champion.profile_problem,
            "max_psi": rules.max_psi,
            "changes": changes,
        },
        "gate": {**_described(decision), "rules": list(options.rule)},
    }
    verdict = outputs.make_verdict(document)
    smoke = outputs.make_smoke_test(rows.validation.features, scores[CHALLENGER_ROLE])
    outputs.write_outputs(options.output, document, profile, smoke, verdict)
    return verdict


def _score_challenger(archive: Path, rows: SplitOutput) -> np.ndarray:
    challenger = score_archive(archive, rows.validation.features, role="challenger")
    if challenger.scores is None:
        raise FeatureMismatchError(
            f"the challenger was trained on {challenger.feature_count} features and the rows have "
            f"{len(rows.features)}; clear the run from start_execution so that both come from one split"
        )
    return challenger.scores


def _majority_class_error(rows: SplitOutput) -> float:
    validation = rows.validation
    return min(validation.positives, validation.rows - validation.positives) / validation.rows


def _feature_changes(profile: dict[str, Any], champion: Champion, rules: gate.GateRules) -> list[dict[str, Any]]:
    gone: list[str] = []
    before = champion.profile
    # Another recipe version makes other features on purpose.
    if champion.shared_bins is not None and before and before.get("recipe_version") == profile["recipe_version"]:
        now = {entry["name"] for entry in profile["features"]}
        gone = [str(entry["name"]) for entry in before["features"] if entry["name"] not in now]
    found = find_changes(profile, champion.shared_bins, gone, max_psi=rules.max_psi)
    return [change.as_dict() for change in found]


def _decide(
    rules: gate.GateRules,
    rows: SplitOutput,
    challenger: Measurement,
    champion: Champion,
    differences: dict[str, dict[str, float]],
    changes: list[dict[str, Any]],
) -> gate.Decision:
    evidence = gate.Evidence(
        rows=rows.validation.rows,
        positives=rows.validation.positives,
        metrics=challenger.point,
        majority_class_error=_majority_class_error(rows),
        champion_status=champion.status,
        champion_reason=champion.reason,
        differences={name: gate.Difference(**value) for name, value in differences.items()},
        features=findings(changes, compared=champion.shared_bins is not None),
        champion_window_unknown=champion.profile_problem,
    )
    return gate.decide(rules, evidence)


def _facts_of_run(options: argparse.Namespace, rows: SplitOutput, seed: int) -> dict[str, Any]:
    """Return the sections of evaluation.json that no model changes."""
    validation, window = rows.validation, rows.window
    return {
        "layout": outputs.LAYOUT,
        "run": {
            "id": options.run_id,
            "pipeline": options.pipeline,
            "data_date": options.data_date,
            "recipe_version": options.recipe_version,
        },
        "data": {
            "validation_rows": validation.rows,
            "validation_positives": validation.positives,
            "validation_fraction": options.validation_fraction,
            "window_rows": window.rows,
            "window_positives": window.positives,
        },
        "features": rows.features,
        "baseline": {
            "majority_class_error": _majority_class_error(rows),
            "positive_share": validation.positives / validation.rows,
        },
        "bootstrap": {"resamples": options.resamples, "confidence": options.confidence, "seed": seed},
    }


def _comparison(
    measured: dict[str, Measurement], champion: Champion, differences: dict[str, dict[str, float]]
) -> dict[str, Any]:
    """Return the sections of evaluation.json about the two models."""
    champion_section = measured[CHAMPION_ROLE].section if CHAMPION_ROLE in measured else None
    return {
        "challenger": measured[CHALLENGER_ROLE].section,
        "champion": champion.describe(champion_section),
        "comparison": {
            "status": champion.status,
            "reason": champion.reason,
            "notes": champion.notes,
            "differences": differences,
        },
        "drift": champion.drift,
    }


def _described(decision: gate.Decision) -> dict[str, Any]:
    return {
        "outcome": decision.outcome,
        "red": decision.red,
        "below_bounds": decision.below_bounds,
        "reasons": decision.reasons,
        "checks": [check.as_dict() for check in decision.checks],
    }


def _profile(options: argparse.Namespace, rows: SplitOutput) -> dict[str, Any]:
    """Return the content of profile.json, against which a later run measures its drift."""
    return {
        **drift.profile_rows(rows.features, rows.window.features, rows.window.labels),
        "run_id": options.run_id,
        "data_date": options.data_date,
        "recipe_version": options.recipe_version,
        "validation_fraction": options.validation_fraction,
    }


def _write_exit_message(text: str) -> None:
    # The folder exists in a processing container and nowhere else.
    if EXIT_MESSAGE.parent.is_dir():
        content = text.encode("utf-8")[:1024].decode("utf-8", "ignore")
        EXIT_MESSAGE.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
