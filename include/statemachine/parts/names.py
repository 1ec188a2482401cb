"""Names of what the state machine creates on AWS."""

from __future__ import annotations

PREFIX = "$$.Execution.Input.training.job_name_prefix"
# Unique per attempt: a redrive starts RetryCount again, and a retry keeps RedriveCount.
ATTEMPT_NAME = f"States.Format('{{}}-{{}}-{{}}', {PREFIX}, $$.Execution.RedriveCount, $$.State.RetryCount)"
