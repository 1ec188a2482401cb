"""What the package's errors carry."""

from __future__ import annotations

import pytest

from brewtrain.domain import errors


def test_a_pipeline_files_problems_stand_on_a_line_each() -> None:
    error = errors.PipelineFileError("a.yaml", ["field 'x' is 1; write 2", "field 'y' is missing; add it"])
    assert str(error) == "a.yaml: field 'x' is 1; write 2\na.yaml: field 'y' is missing; add it"
    assert (error.source, error.problems) == ("a.yaml", ["field 'x' is 1; write 2", "field 'y' is missing; add it"])


@pytest.mark.parametrize("retryable", [True, False])
def test_a_failed_retraining_says_whether_a_retry_may_help(retryable: bool) -> None:
    error = errors.RetrainingFailedError("the card", retryable=retryable)
    assert (str(error), error.retryable) == ("the card", retryable)


def test_a_failure_that_was_told_before_is_not_tried_again() -> None:
    error = errors.AlreadyToldError("split failed")
    assert (str(error), error.retryable) == ("split failed", False)
