"""Words that state machine and package must share, although neither imports the other."""

from __future__ import annotations

import json
import re
from typing import Any

from brewtrain.domain.evaluation.metrics import METRICS, short_name
from brewtrain.domain.names import DATE_TAG
from brewtrain.domain.serving.absence import is_absent


def test_what_the_state_machine_takes_for_absent_is_absent_to_the_hooks(definition: dict[str, Any]) -> None:
    texts = set(re.findall(r'"StringMatches": "\*([^"*]*[Ff]ind[^"*]*)\*"', json.dumps(definition)))
    assert texts == {"Could not find endpoint", "Could not find endpoint configuration", "Could not find model"}
    assert all(is_absent("ValidationException", f'{text} "arn:aws:sagemaker:…".') for text in texts)


def test_the_state_machine_reads_the_date_from_the_tag_that_a_run_writes(definition: dict[str, Any]) -> None:
    keys = re.findall(r"@\.Key=='([^']+)'", json.dumps(definition))
    assert set(keys) == {DATE_TAG}
    assert len(keys) == 2


def test_the_state_machine_reports_every_metric_by_its_full_name(definition: dict[str, Any]) -> None:
    reported = definition["States"]["Record Promotion"]["Parameters"]["metrics"]
    assert reported == {f"{metric}.$": f"$.verdict.metrics.{short_name(metric)}" for metric in METRICS}
