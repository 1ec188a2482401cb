"""Checks of ``Retry`` and ``Catch``.

See https://states-language.net/spec.html#errors.
"""

from __future__ import annotations

from typing import Any

from local_aws.states.asl import jsonpath
from local_aws.states.asl.validation import fields
from local_aws.states.asl.validation.expressions import check_result_path
from local_aws.states.asl.validation.findings import Findings
from local_aws.states.asl.validation.values import entries, is_positive

_MAX_DELAY_SECONDS = 31622400


def check_error_handling(state: dict[str, Any], at: str, findings: Findings) -> None:
    """Check the retriers and catchers of a state."""
    for kind, check in (("Retry", _check_retrier), ("Catch", _check_catcher)):
        listed = entries(state.get(kind))
        for index, entry in enumerate(listed):
            where = f"{at}/{kind}[{index}]"
            if isinstance(entry, dict):
                check(entry, where, index == len(listed) - 1, findings)
            else:
                findings.error(where, "Expected value of type Object")


def _check_retrier(retrier: dict[str, Any], at: str, last: bool, findings: Findings) -> None:
    for field in sorted(set(retrier) - fields.RETRIER):
        findings.error(f"{at}/{field}", f"Field '{field}' is not supported in a retrier")
    _check_error_equals(retrier, at, last, findings)
    if "IntervalSeconds" in retrier and not is_positive(retrier["IntervalSeconds"]):
        findings.error(f"{at}/IntervalSeconds", "Value must be a positive integer")
    attempts = retrier.get("MaxAttempts", 3)
    if not (attempts == 0 or is_positive(attempts)) or isinstance(attempts, bool):
        findings.error(f"{at}/MaxAttempts", "Value must be a non-negative integer of at most 99999999")
    rate = retrier.get("BackoffRate", 2.0)
    if not jsonpath.is_number(rate) or rate < 1:
        findings.error(f"{at}/BackoffRate", "Value must be a number of at least 1.0")
    delay, interval = retrier.get("MaxDelaySeconds"), retrier.get("IntervalSeconds", 1)
    if delay is not None and (
        not is_positive(delay) or delay > _MAX_DELAY_SECONDS or (is_positive(interval) and delay <= interval)
    ):
        findings.error(
            f"{at}/MaxDelaySeconds", "Value must be an integer greater than IntervalSeconds and at most 31622400"
        )
    if retrier.get("JitterStrategy", "NONE") not in ("FULL", "NONE"):
        findings.error(f"{at}/JitterStrategy", "Value must be one of [FULL, NONE]")


def _check_catcher(catcher: dict[str, Any], at: str, last: bool, findings: Findings) -> None:
    for field in sorted(set(catcher) - fields.CATCHER):
        findings.error(f"{at}/{field}", f"Field '{field}' is not supported in a catcher")
    _check_error_equals(catcher, at, last, findings)
    if not isinstance(catcher.get("Next"), str):
        findings.error(at, "These required fields are missing: [Next]")
    check_result_path(catcher.get("ResultPath"), at, findings)


def _check_error_equals(entry: dict[str, Any], at: str, last: bool, findings: Findings) -> None:
    names = entry.get("ErrorEquals")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        findings.error(f"{at}/ErrorEquals", "ErrorEquals must be a non-empty list of error names")
    elif "States.ALL" in names and (len(names) > 1 or not last):
        findings.error(f"{at}/ErrorEquals", "States.ALL must appear alone and in the last entry")
