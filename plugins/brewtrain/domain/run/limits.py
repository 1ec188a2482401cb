"""Every clock of a run, each derived from the one before; nothing else computes a timeout.

0. The *data* is waited for (``source.wait``) from when the run was due; then check_input is red.
1. The *job* is stopped by its service (StoppingCondition; DataBrew's and Glue's Timeout).
2. The *state* that waits for the job fails (TimeoutSeconds): also while it starts and stops.
3. The *stage* in Airflow stops the execution, so it covers the state's retries and the API calls
   around the job. It is a backstop: the state machine should always fail first, with its own words.
4. The *model is late* when every state has had its time once since the data was due, which is at
   the end of the wait. Nothing is stopped.

A contract test holds these against the timeouts of the real state machine. Must not import Airflow
or boto3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from brewtrain.domain.quality.validation_job import has_job
from brewtrain.domain.run.stages import Stage

if TYPE_CHECKING:
    from brewtrain.domain.pipeline.endpoint import Endpoint
    from brewtrain.domain.pipeline.file import Pipeline

# In which SageMaker starts instances, downloads, uploads and stops the job.
JOB_GRACE = timedelta(minutes=30)
# The state machine starts a job again that AWS gave up on, not one that reached its limit.
JOB_RUNS = 2
# Between the tries of a job that AWS has no capacity for; the longest pauses come to 40 minutes.
RETRY_PAUSES = timedelta(hours=1)
# TimeoutSeconds of every API call of the state machine.
CALL_TIMEOUT = timedelta(minutes=1)
# All tries of one call at their timeout, and the pauses between them.
CALL_WITH_RETRIES = timedelta(minutes=15)
API_CALLS: Mapping[Stage, int] = {Stage.EVALUATE: 9, Stage.DEPLOY: 8}
"""API calls of the state machine, by stage."""
ENDPOINT_POLL = timedelta(seconds=15)
# A look at the endpoint is 13 events, it is waited for up to twice (until it is free, and until it
# serves), and an execution ends with its 25,000th event (Step Functions quotas): 720 looks are
# 18,720.
ENDPOINT_MAX_LOOKS = 360
ENDPOINT_WAITS = 2
# What a look at the endpoint takes besides the wait before it.
ENDPOINT_LOOK = timedelta(seconds=5)
# Airflow fails a trigger at its timeout without asking it, so the trigger sees the limit this much
# earlier and can stop the execution.
DEADLINE_MARGIN = timedelta(minutes=2)
_NONE = timedelta()


@dataclass(frozen=True)
class StageLimits:
    """The clocks of one stage.

    :param job: After which the service stops the stage's job; zero without a job.
    :param grace: How much longer the state waits for it.
    :param waits: How long the state machine waits between its looks at the endpoint.
    :param calls: Number of its API calls.
    """

    job: timedelta = _NONE
    grace: timedelta = _NONE
    waits: timedelta = _NONE
    calls: int = 0

    @property
    def state(self) -> timedelta:
        """TimeoutSeconds of the state that waits for the job."""
        return self.job + self.grace

    @property
    def once(self) -> timedelta:
        """What all states of the stage may take when nothing is tried again."""
        return self.state + self.waits + self.calls * CALL_TIMEOUT

    @property
    def stage(self) -> timedelta:
        """After which Airflow stops the execution: all its states with all their retries."""
        return JOB_RUNS * self.state + self.waits + self.calls * CALL_WITH_RETRIES + RETRY_PAUSES


@dataclass(frozen=True)
class EndpointWait:
    """How the state machine waits for an endpoint.

    :param poll_seconds: Seconds before each look.
    :param max_looks: Looks after which the endpoint counts as stuck.
    """

    poll_seconds: int
    max_looks: int

    @property
    def longest(self) -> timedelta:
        """Until the endpoint counts as stuck, the looks included."""
        return self.max_looks * (timedelta(seconds=self.poll_seconds) + ENDPOINT_LOOK)


def endpoint_wait(endpoint: Endpoint) -> EndpointWait:
    """Return how to wait for the endpoint, within the events that one execution may have.

    :param endpoint: The pipeline's endpoint.
    """
    ready_seconds = endpoint.ready_minutes * 60
    poll_seconds = max(whole_seconds(ENDPOINT_POLL), math.ceil(ready_seconds / ENDPOINT_MAX_LOOKS))
    return EndpointWait(poll_seconds, max_looks=ready_seconds // poll_seconds)


def stage_limits(pipeline: Pipeline, stage: Stage) -> StageLimits:
    """Return the clocks of one stage.

    :param pipeline: The pipeline file, which bounds the jobs.
    :param stage: The stage.
    """
    calls = API_CALLS.get(stage, 0)
    match stage:
        case Stage.TRANSFORM:
            return StageLimits(timedelta(minutes=pipeline.limits.transform_minutes), calls=calls)
        case Stage.SPLIT:
            return StageLimits(timedelta(minutes=pipeline.limits.split_minutes), calls=calls)
        case Stage.TRAIN:
            return StageLimits(timedelta(seconds=pipeline.training.max_runtime_seconds), JOB_GRACE, calls=calls)
        case Stage.EVALUATE:
            return StageLimits(timedelta(seconds=pipeline.evaluation.max_runtime_seconds), JOB_GRACE, calls=calls)
        case Stage.DEPLOY:
            return StageLimits(waits=ENDPOINT_WAITS * endpoint_wait(pipeline.endpoint).longest, calls=calls)
        case Stage.GATE:
            return StageLimits(calls=calls)


def quality_limits(pipeline: Pipeline) -> StageLimits:
    """Return the clocks of the profile job that validates the data; zero if the run has none.

    :param pipeline: The pipeline file.
    """
    if not has_job(pipeline):
        return StageLimits()
    return StageLimits(timedelta(minutes=pipeline.limits.quality_minutes), JOB_GRACE)


def stage_limit(pipeline: Pipeline, stage: Stage) -> timedelta:
    """Return how long Airflow waits for a stage before it stops the execution.

    :param pipeline: The pipeline file.
    :param stage: The stage.
    """
    return stage_limits(pipeline, stage).stage


def late_after(pipeline: Pipeline) -> timedelta:
    """Return how long after a run was due its model counts as late.

    The data is due at the latest when the wait for it ends.

    :param pipeline: The pipeline file.
    """
    stages = sum((stage_limits(pipeline, stage).once for stage in Stage), _NONE)
    return data_wait(pipeline) + quality_limits(pipeline).once + stages


def data_wait(pipeline: Pipeline) -> timedelta:
    """Return how long a run waits for its data, from when it was due or was cleared.

    :param pipeline: The pipeline file.
    """
    return pipeline.source.wait or _NONE


def whole_seconds(duration: timedelta) -> int:
    """Return a clock as the number that AWS takes."""
    return duration // timedelta(seconds=1)


def whole_minutes(duration: timedelta) -> int:
    """Return a clock as the number that DataBrew and Glue take."""
    return duration // timedelta(minutes=1)
