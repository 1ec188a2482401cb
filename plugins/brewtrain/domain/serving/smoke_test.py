"""Whether the endpoint answers as the evaluated model did: the comparison after a deployment.

The evaluation writes some validation rows with the scores that it judged; the endpoint is asked for
the same rows. A difference means training/serving skew: another model, another container or another
reading of the rows serves than the one that passed the gate. Must not import Airflow or boto3.

Source: "Rules of Machine Learning", rule 37 (training/serving skew); the CSV that SageMaker's
XGBoost container answers (sagemaker-xgboost-container, algorithm_mode/serve.py: one line a score;
up to 1.2-1 commas between them).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from brewtrain.domain.errors import DeploymentError

LAYOUT = 1
# Scores are float32 and travel as text; another machine's arithmetic differs in the seventh digit.
TOLERANCE = 1e-4
# InvokeEndpoint takes 6 MiB; the container's server some less, depending on its version.
LARGEST_BODY = 4 * 1024**2
_SEPARATOR = re.compile(r"[,\s]+")


@dataclass(frozen=True)
class SmokeTest:
    """Rows with the scores that the evaluation gave them.

    :param content_type: Of the rows, ``text/csv``.
    :param rows: One row each, without label and line break.
    :param scores: Evaluated score of each row.
    """

    content_type: str
    rows: tuple[str, ...]
    scores: tuple[float, ...]

    def bodies(self, *, largest: int = LARGEST_BODY) -> Iterator[bytes]:
        """Return the rows as bodies of requests, in order.

        :param largest: Bytes that a body may have; a longer row makes a body of its own.
        """
        body = b""
        for row in self.rows:
            line = row.encode() + b"\n"
            if body and len(body) + len(line) > largest:
                yield body
                body = b""
            body += line
        if body:
            yield body


def parse(text: str, *, source: str) -> SmokeTest:
    """Read a smoke.json.

    :param text: Its content.
    :param source: Its S3 URI, for messages.
    :raises DeploymentError: If it is none of this layout.
    """
    try:
        document = json.loads(text)
        rows = tuple(document["rows"])
        scores = tuple(float(score) for score in document["scores"])
        if (
            document["layout"] != LAYOUT
            or not rows
            or len(rows) != len(scores)
            or not all(isinstance(row, str) and row.strip() and "\n" not in row.strip() for row in rows)
            or not all(math.isfinite(score) for score in scores)
        ):
            raise ValueError
        return SmokeTest(str(document["content_type"]), tuple(row.strip() for row in rows), scores)
    except (ValueError, KeyError, TypeError):
        raise DeploymentError(
            f"{source} is not a smoke test of layout {LAYOUT}, so it is not known whether the endpoint serves what was "
            "evaluated; deploy the pipeline again so that script and DAGs match, then clear start_execution with "
            "everything downstream"
        ) from None


def parse_scores(body: str) -> list[float] | None:
    """Return the scores in the endpoint's answer; ``None`` if it is not a list of numbers."""
    try:
        return [float(text) for text in _SEPARATOR.split(body.strip()) if text]
    except ValueError:
        return None


def skew(test: SmokeTest, served: Sequence[float] | None, *, tolerance: float = TOLERANCE) -> str | None:
    """Say how the endpoint's answers differ from the evaluated scores; ``None`` if they do not.

    :param served: What the endpoint answered; ``None`` for something that is no list of scores.
    :param tolerance: Largest difference of a score that counts as none.
    """
    if served is None:
        return "its answer is not a list of scores"
    if len(served) != len(test.scores):
        return f"it answered {len(served)} scores for {len(test.scores)} rows"
    differences = [
        abs(answered - evaluated) if math.isfinite(answered) else math.inf
        for answered, evaluated in zip(served, test.scores, strict=True)
    ]
    wrong = [index for index, difference in enumerate(differences) if difference > tolerance]
    if not wrong:
        return None
    worst = max(wrong, key=lambda index: differences[index])
    return (
        f"{len(wrong)} of {len(test.scores)} rows score differently; the largest difference is in row {worst + 1}: "
        f"{test.scores[worst]:.6f} evaluated, {served[worst]:.6f} served"
    )
