"""Scores the candidate of one run, and the champion that serves, on the run's validation rows, and asks the gate.

Runs as a SageMaker processing job in the built-in XGBoost image (Python 3.7 to 3.12, numpy 1.19 to
2, matplotlib; no brewtrain there). Its neighbours are shipped with it, and so is ``gate.py``, which
is plugins/brewtrain/domain/evaluation/gate.py. Must not import anything else outside the standard
library, numpy and boto3.

Results appear in the output folder all at once, ``verdict.json`` last; after an error there are
none, the exit code is 1 and the error's sentence is in /opt/ml/output/message, which
DescribeProcessingJob returns as ExitMessage
(https://docs.aws.amazon.com/sagemaker/latest/dg/byoc-metadata.html). A candidate that the gate
refuses is no error.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import binary_metrics
import bootstrap
import drift
import gate
import numpy as np
import plots
import report_page
from evaluation_errors import (
    DataError,
    DownloadError,
    EvaluationError,
    FeatureMismatchError,
    MissingObjectError,
    ModelArchiveError,
    OneClassError,
)
from labelled_csv import LabelledRows, read_labelled_csv
from model_archive import ScoredModel, score_archive

LAYOUT = 1
PROCESSING = Path("/opt/ml/processing")
EXIT_MESSAGE = Path("/opt/ml/output/message")
CHAMPION_VARIABLE = "BREWTRAIN_CHAMPION"
REASON_VARIABLE = "BREWTRAIN_CHAMPION_REASON"
NO_CHAMPION = "none"
UNKNOWN_CHAMPION = "unknown"
VERDICT_BYTES = 8192
SMOKE_ROWS = 20
_CURVE_POINTS = 101
_LARGEST_DOWNLOAD = 2 * 1024**3
_RUN_PREFIX = re.compile(r"^(?P<prefix>s3://.+/runs/(?P<run>[^/]+)/)model/")


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
    """Read the arguments."""
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
    _empty(options.output)
    rules = gate.from_arguments(options.rule)
    validation = read_labelled_csv(options.validation, what="validation")
    if validation.positives in (0, validation.rows):
        raise OneClassError(
            f"all {validation.rows} validation rows have the label {int(validation.positives > 0)}, so that no model "
            "can be judged on them; widen window_days or check the label"
        )
    features = _feature_names(options.summary, validation)
    challenger = score_archive(options.challenger, validation.features, role="challenger")
    if challenger.scores is None:
        raise FeatureMismatchError(
            f"the challenger was trained on {challenger.feature_count} features and the rows have {len(features)}; "
            "clear the run from start_execution so that both come from one split"
        )
    window = _window(read_labelled_csv(options.train, what="train"), validation)
    profile = {
        **drift.profile_rows(features, window.features, window.labels),
        "run_id": options.run_id,
        "data_date": options.data_date,
        "recipe_version": options.recipe_version,
        "validation_fraction": options.validation_fraction,
    }

    champion = _Champion(options, features, validation)
    # The run's identity, so that a retry and a redrive draw the same resamples.
    seed = int(hashlib.sha256(options.run_id.encode("utf-8")).hexdigest()[:8], 16)
    scores = {"challenger": challenger.scores}
    if champion.scores is not None:
        scores["champion"] = champion.scores
    measured, differences = _measure(validation.labels, scores, options.resamples, options.confidence, seed)

    majority_class_error = min(validation.positives, validation.rows - validation.positives) / validation.rows
    decision = gate.decide(
        rules,
        gate.Evidence(
            rows=validation.rows,
            positives=validation.positives,
            metrics={name: value["value"] for name, value in measured["challenger"]["metrics"].items()},
            majority_class_error=majority_class_error,
            champion_status=champion.status,
            champion_reason=champion.reason,
            differences={name: gate.Difference(**value) for name, value in differences.items()},
        ),
    )
    drifted = champion.drift(features, window)
    document = {
        "layout": LAYOUT,
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
        "features": features,
        "baseline": {
            "majority_class_error": majority_class_error,
            "positive_share": validation.positives / validation.rows,
        },
        "bootstrap": {"resamples": options.resamples, "confidence": options.confidence, "seed": seed},
        "challenger": measured["challenger"],
        "champion": champion.describe(measured.get("champion")),
        "comparison": {
            "status": champion.status,
            "reason": champion.reason,
            "notes": champion.notes,
            "differences": differences,
        },
        "drift": drifted,
        "gate": {
            "outcome": decision.outcome,
            "red": decision.red,
            "below_bounds": decision.below_bounds,
            "reasons": decision.reasons,
            "checks": [check.as_dict() for check in decision.checks],
            "rules": list(options.rule),
        },
    }
    verdict = make_verdict(document)
    smoke = make_smoke_test(validation.features, challenger.scores)
    _write_outputs(options.output, document, profile, smoke, verdict)
    return verdict


class _Champion:
    """The model that serves, as far as it can be had; what is wrong with it is a finding, not an error."""

    def __init__(self, options: argparse.Namespace, features: list[str], validation: LabelledRows) -> None:
        self.uri = options.champion.strip()
        self.scores: np.ndarray | None = None
        self.reason = ""
        self.notes: list[str] = []
        self.profile: dict[str, Any] | None = None
        found = _RUN_PREFIX.match(self.uri)
        self.run_id = found.group("run") if found else None
        if self.uri in ("", NO_CHAMPION):
            self.status = gate.CHAMPION_ABSENT
            return
        self.status = gate.CHAMPION_NOT_COMPARABLE
        if self.uri == UNKNOWN_CHAMPION:
            self.reason = options.champion_reason.strip().rstrip(".") or "it is not known which model serves"
            return
        with tempfile.TemporaryDirectory() as folder:
            if found:
                self.profile = self._read_profile(found.group("prefix"), Path(folder))
            try:
                self.scores = self._score(Path(folder), features, validation)
                self.status = gate.CHAMPION_COMPARED
            except (ModelArchiveError, FeatureMismatchError, MissingObjectError) as error:
                self.reason = str(error)
        if self.status == gate.CHAMPION_COMPARED:
            self._note_other_split(options)

    def _read_profile(self, prefix: str, folder: Path) -> dict[str, Any] | None:
        path = folder / "profile.json"
        uri = f"{prefix}evaluation/profile.json"
        if not download(uri, path, missing_ok=True):
            self.notes.append(f"the champion's run has no profile ({uri} is not there), so drift is not measured")
            return None
        try:
            profile = json.loads(path.read_text(encoding="utf-8"))
            [str(entry["name"]) for entry in profile["features"]]
        except (ValueError, KeyError, TypeError):
            self.notes.append(f"{uri} is not a profile, so drift is not measured")
            return None
        return profile

    def _score(self, folder: Path, features: list[str], validation: LabelledRows) -> np.ndarray:
        archive = folder / "model.tar.gz"
        if self.uri.startswith("s3://"):
            download(self.uri, archive)
        else:
            archive = Path(self.uri)
        model: ScoredModel = score_archive(archive, validation.features, role="champion")
        names = model.feature_names
        if names is None and self.profile is not None:
            names = [str(entry["name"]) for entry in self.profile["features"]]
        if model.scores is None:
            raise FeatureMismatchError(
                f"the champion was trained on {model.feature_count} features and the candidate on {len(features)}"
                + (_name_difference(names, features) if names else "")
            )
        if names is None:
            self.notes.append("the champion's feature names are not known; only their number was compared")
        elif names != features:
            raise FeatureMismatchError(
                "the champion was trained on other features than the candidate" + _name_difference(names, features)
            )
        return model.scores

    def _note_other_split(self, options: argparse.Namespace) -> None:
        if self.profile is None:
            self.notes.append("how the champion's rows were divided is not known: it may have trained on these rows")
            return
        before = self.profile
        if before.get("validation_fraction") != options.validation_fraction:
            self.notes.append(
                f"the champion's validation fraction was {before.get('validation_fraction')} and is now "
                f"{options.validation_fraction}: it may have trained on some of these rows, which flatters it"
            )
        if before.get("recipe_version") != options.recipe_version:
            self.notes.append(
                f"the champion's recipe version was {before.get('recipe_version')} and is now "
                f"{options.recipe_version}: where the recipe changes values, it may have trained on some of "
                "these rows, or read them otherwise"
            )

    def describe(self, measured: dict[str, Any] | None) -> dict[str, Any] | None:
        if self.status == gate.CHAMPION_ABSENT:
            return None
        archive = None if self.uri == UNKNOWN_CHAMPION else self.uri
        nothing = {"metrics": None, "curves": None, "reliability": None, "lift": None}
        data_date = self.profile.get("data_date") if self.profile else None
        return {"archive": archive, "run_id": self.run_id, "data_date": data_date, **(measured or nothing)}

    def drift(self, features: list[str], window: LabelledRows) -> dict[str, Any] | None:
        if self.profile is None:
            return None
        try:
            return drift.drift(self.profile, features, window.features, window.labels)
        except (ValueError, KeyError, TypeError) as error:
            self.notes.append(f"the champion's profile cannot be used ({error}), so drift is not measured")
            return None


def _name_difference(before: list[str], now: list[str]) -> str:
    gone = [name for name in before if name not in now][:5]
    new = [name for name in now if name not in before][:5]
    if not gone and not new:
        return " (the same names in another order)"
    parts = []
    if gone:
        parts.append("no longer there: " + ", ".join(gone))
    if new:
        parts.append("new: " + ", ".join(new))
    return f" ({'; '.join(parts)})"


def _feature_names(summary: Path, validation: LabelledRows) -> list[str]:
    """Names of the features in order, from the split's summary."""
    count = validation.features.shape[1]
    try:
        names = json.loads(summary.read_text(encoding="utf-8"))["features"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(
            f"{summary.name} is not there or names no features; re-run the split, which writes it"
        ) from None
    if not isinstance(names, list):
        raise DataError(f"{summary.name} has no list of features; re-run the split, which writes it")
    if len(names) != count:
        raise DataError(
            f"{summary.name} names {len(names)} features and the validation rows have {count}; re-run the split so "
            "that both come from one run"
        )
    return [str(name) for name in names]


def _window(train: LabelledRows, validation: LabelledRows) -> LabelledRows:
    if train.features.shape[1] != validation.features.shape[1]:
        raise DataError(
            f"the train rows have {train.features.shape[1]} features and the validation rows "
            f"{validation.features.shape[1]}; re-run the split"
        )
    return LabelledRows(
        np.concatenate((train.labels, validation.labels)), np.concatenate((train.features, validation.features))
    )


def _measure(
    labels: np.ndarray, scores: dict[str, np.ndarray], resamples: int, confidence: float, seed: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure every model on the rows and on the same resamples of them.

    :returns: Role → metrics, curves, reliability and lift; and metric → paired difference
        challenger − champion.
    """
    grid = np.linspace(0.0, 1.0, _CURVE_POINTS)
    sorted_once = {role: binary_metrics.ScoredRows(labels, values) for role, values in scores.items()}
    drawn: dict[str, list[dict[str, np.ndarray]]] = {role: [] for role in scores}
    bands: dict[str, list[dict[str, np.ndarray]]] = {role: [] for role in scores}
    for weights in bootstrap.resamples(labels, resamples, seed):
        for role, scored in sorted_once.items():
            drawn[role].append(binary_metrics.metrics(scored, weights))
            bands[role].append(binary_metrics.curves(scored, weights, grid))
    samples = {role: _joined(batches) for role, batches in drawn.items()}
    points = {
        role: {name: float(value[0]) for name, value in binary_metrics.metrics(scored).items()}
        for role, scored in sorted_once.items()
    }
    measured = {}
    for role, scored in sorted_once.items():
        curve = binary_metrics.curves(scored, np.ones((1, labels.size)), grid)
        band = _joined(bands[role])
        tail = (1.0 - confidence) / 2.0
        low, high = ({name: np.quantile(band[name], q, axis=0) for name in band} for q in (tail, 1.0 - tail))
        measured[role] = {
            "metrics": {
                name: _with_interval(value, samples[role][name], confidence) for name, value in points[role].items()
            },
            "curves": {
                name: {
                    "x": _rounded(grid),
                    "y": _rounded(curve[name][0]),
                    "low": _rounded(low[name]),
                    "high": _rounded(high[name]),
                }
                for name in ("roc", "pr")
            },
            "reliability": binary_metrics.reliability(scored),
            "lift": [
                {
                    "decile": index + 1,
                    "lift": float(curve["lift"][0][index]),
                    "low": float(low["lift"][index]),
                    "high": float(high["lift"][index]),
                }
                for index in range(binary_metrics.LIFT_GROUPS)
            ],
        }
    differences = {}
    if "champion" in scores:
        for name in binary_metrics.METRICS:
            paired = samples["challenger"][name] - samples["champion"][name]
            value = points["challenger"][name] - points["champion"][name]
            differences[name] = _with_interval(value, paired, confidence)
    return measured, differences


def _joined(batches: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def _with_interval(value: float, samples: np.ndarray, confidence: float) -> dict[str, float]:
    low, high = bootstrap.interval(samples, confidence)
    return {"value": value, "low": low, "high": high}


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]


def make_verdict(document: dict[str, Any]) -> dict[str, Any]:
    """Shorten an evaluation to what the state machine reads, at most 8 KiB of JSON.

    :param document: Content of evaluation.json.
    """
    decision = document["gate"]
    champion = document["champion"]
    verdict = {
        "layout": LAYOUT,
        "outcome": decision["outcome"],
        "red": decision["red"],
        "below_bounds": decision["below_bounds"],
        "message": _message(decision),
        "reasons": [reason[:500] for reason in decision["reasons"]],
        "metrics": {name: value["value"] for name, value in document["challenger"]["metrics"].items()},
        "majority_class_error": document["baseline"]["majority_class_error"],
        "champion_status": document["comparison"]["status"],
        "champion_metrics": (
            {name: value["value"] for name, value in champion["metrics"].items()}
            if champion is not None and champion["metrics"] is not None
            else {}
        ),
        "validation_rows": document["data"]["validation_rows"],
        "validation_positives": document["data"]["validation_positives"],
    }
    while len(json.dumps(verdict).encode("utf-8")) > VERDICT_BYTES and len(verdict["reasons"]) > 1:
        verdict["reasons"].pop()
    return verdict


def make_smoke_test(features: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """Choose rows whose scores the endpoint must repeat once it serves the candidate.

    :param features: Shape ``(rows, features)``, float32, ``nan`` for missing.
    :param scores: Shape ``(rows,)``, of the candidate.
    :returns: Content of smoke.json: CSV rows as the endpoint takes them, evenly over the range of
        scores.
    """
    usable = np.flatnonzero(~np.isnan(features).all(axis=1))  # a line without any number is no row
    by_score = usable[np.argsort(scores[usable], kind="stable")]
    chosen = by_score[np.unique(np.linspace(0, len(by_score) - 1, SMOKE_ROWS).round().astype(int))]
    return {
        "layout": LAYOUT,
        "content_type": "text/csv",
        # Nine digits bring back the very float32 that was scored.
        "rows": [",".join("" if np.isnan(value) else f"{value:.9g}" for value in features[row]) for row in chosen],
        "scores": [float(scores[row]) for row in chosen],
    }


def _message(decision: dict[str, Any]) -> str:
    if decision["outcome"] == gate.PASS:
        return "The candidate passed the quality gate."
    more = len(decision["reasons"]) - 1
    also = f", and {more} more reason{'s' if more > 1 else ''}" if more else ""
    return f"The quality gate refused the candidate: {decision['reasons'][0][:500]}{also}."


def _empty(output: Path) -> None:
    """Remove the results of an attempt before, so that none survive an error of this one."""
    output.mkdir(parents=True, exist_ok=True)
    for stale in output.iterdir():
        if stale.is_file():
            stale.unlink()


def _write_outputs(
    output: Path, document: dict[str, Any], profile: dict[str, Any], smoke: dict[str, Any], verdict: dict[str, Any]
) -> None:
    """Make every file whole first, then name them; ``verdict.json`` last, so that where it is, all are."""
    images = plots.draw_evaluation(document)
    files: dict[str, bytes] = {
        "evaluation.json": _json(document),
        "profile.json": _json(profile),
        "smoke.json": _json(smoke),
        **images,
        "report.html": report_page.render_page(document, images).encode("utf-8"),
        "verdict.json": _json(verdict),
    }
    # Parts lie in the output folder itself: each output of a processing job is a mount of its own.
    parts = {name: output / f".{name}.part" for name in files}
    try:
        for name, content in files.items():
            parts[name].write_bytes(content)
        for name, part in parts.items():
            os.replace(str(part), str(output / name))
    except OSError:
        for path in [*parts.values(), *(output / name for name in files)]:
            if path.exists():
                path.unlink()
        raise


def _json(document: dict[str, Any]) -> bytes:
    # allow_nan=False: NaN is not JSON, and Step Functions would choke on it far from here.
    return (json.dumps(document, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n").encode("utf-8")


def download(uri: str, target: Path, *, missing_ok: bool = False) -> bool:
    """Copy one S3 object to a file.

    :param uri: ``s3://bucket/key``.
    :param target: The file; absent if this fails.
    :param missing_ok: Return false for an object that does not exist instead of raising.
    :returns: Whether the file is there.
    :raises DownloadError: If it cannot be read.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, key = uri[len("s3://") :].partition("/")
    # The image sets AWS_REGION, which boto3 does not read.
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    try:
        answer = boto3.client("s3", region_name=region).get_object(Bucket=bucket, Key=key)
        if answer["ContentLength"] > _LARGEST_DOWNLOAD:
            raise ModelArchiveError(f"{uri} is larger than {_LARGEST_DOWNLOAD // 1024**2} MiB; it is refused")
        with target.open("wb") as file:
            shutil.copyfileobj(answer["Body"], file)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("NoSuchKey", "NoSuchBucket", "404"):
            if missing_ok:
                return False
            raise MissingObjectError(f"{uri} is not there any more; promote a model whose archive exists") from None
        raise DownloadError(
            f"{uri} cannot be read ({code}); allow the SageMaker role s3:GetObject on it and s3:ListBucket on {bucket}"
        ) from None
    except (BotoCoreError, OSError) as error:
        raise DownloadError(f"{uri} cannot be read ({type(error).__name__}: {error}); run the job again") from None
    return True


def _write_exit_message(text: str) -> None:
    # The folder exists in a processing container and nowhere else.
    if EXIT_MESSAGE.parent.is_dir():
        content = text.encode("utf-8")[:1024].decode("utf-8", "ignore")
        EXIT_MESSAGE.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
