"""The ``endpoint`` section: what serves, and how traffic moves to a new model.

Must not import Airflow or boto3.

Source: "Update models in production" in the Amazon SageMaker AI Developer Guide; DeploymentConfig
in its API reference.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from brewtrain.domain.pipeline.section import INSTANCE_TYPE_PATTERN, Section, check_once_each, check_visible

ENDPOINT_NAME_PATTERN = r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$"
# Not * ? $, which would be a pattern in a policy that names the alarm.
ALARM_PATTERN = r"^[^*?$]*[^*?$\s][^*?$]*$"


class EndpointUpdate(Section):
    """How traffic moves to a new model: UpdateEndpoint's DeploymentConfig, always blue/green.

    :param traffic: ``all_at_once``; ``canary``: a part, then the rest; ``linear``: in equal steps.
        The last two need two instances or more.
    :param step_percent: Size of the canary (5 to 50) or of a step (10 to 50), in percent of the
        capacity.
    :param wait_seconds: Between two shifts of traffic, while the alarms are watched; ``canary`` and
        ``linear`` only.
    :param termination_wait_seconds: After the last shift, before the old instances are removed,
        while the alarms are watched.
    :param max_execution_seconds: SageMaker rolls back what takes longer.
    :param alarms: CloudWatch alarms that roll the update back.
    """

    traffic: Literal["all_at_once", "canary", "linear"] = "all_at_once"
    step_percent: int = Field(default=10, ge=1, le=50)
    wait_seconds: int = Field(default=300, ge=0, le=3600)
    termination_wait_seconds: int = Field(default=0, ge=0, le=3600)
    max_execution_seconds: int = Field(default=1800, ge=600, le=28800)
    alarms: Annotated[
        tuple[
            Annotated[str, Field(min_length=1, max_length=255, pattern=ALARM_PATTERN), AfterValidator(check_visible)],
            ...,
        ],
        Field(strict=False, max_length=10),
        AfterValidator(check_once_each),
    ] = ()

    @property
    def planned_seconds(self) -> int:
        """Seconds that an update waits by itself, without those that instances take to start."""
        shifts = {"all_at_once": 0, "canary": 1, "linear": math.ceil(100 / self.step_percent) - 1}[self.traffic]
        return shifts * self.wait_seconds + self.termination_wait_seconds

    @model_validator(mode="after")
    def _possible(self) -> EndpointUpdate:
        if self.traffic == "linear" and self.step_percent < 10:
            raise ValueError(f"has linear steps of {self.step_percent} %; SageMaker allows 'step_percent' 10 to 50")
        if self.planned_seconds >= self.max_execution_seconds:
            raise ValueError(
                f"plans to wait {self.planned_seconds} s, but 'max_execution_seconds' is {self.max_execution_seconds}, "
                "so every update would be rolled back; raise it, or wait less"
            )
        return self


class Endpoint(Section):
    """The SageMaker endpoint that serves.

    :param name: Name of the endpoint; default: the pipeline's name with ``-`` for ``_``.
    :param instance_type: For example ``ml.m5.large``.
    :param instance_count: Instances of a new endpoint; an existing one keeps the count that
        autoscaling set.
    :param ready_minutes: How long the endpoint may take until it serves the new model.
    :param update: How traffic moves to a new model; none: all at once, SageMaker's own default.
    """

    name: str | None = Field(default=None, pattern=ENDPOINT_NAME_PATTERN)
    instance_type: str = Field(default="ml.m5.large", pattern=INSTANCE_TYPE_PATTERN)
    instance_count: int = Field(default=1, ge=1, le=100)
    ready_minutes: int = Field(default=60, ge=5, le=480)
    update: EndpointUpdate | None = None

    @model_validator(mode="after")
    def _instances_to_shift(self) -> Endpoint:
        # The first shift may take half of the instances at most (TrafficRoutingConfig), and takes
        # one at least.
        if self.update is not None and self.update.traffic != "all_at_once" and self.instance_count < 2:
            raise ValueError(
                f"has 'instance_count' {self.instance_count} and an update with traffic {self.update.traffic!r}, which "
                "SageMaker refuses: at most half of the instances may be replaced first; write at least 2, or "
                "'all_at_once'"
            )
        return self

    @model_validator(mode="after")
    def _ready_after_the_update(self) -> Endpoint:
        if self.update is not None and self.update.planned_seconds >= self.ready_minutes * 60:
            raise ValueError(
                f"has 'ready_minutes' {self.ready_minutes} and an update that plans to wait "
                f"{self.update.planned_seconds} s, so every update would count as stuck; raise 'ready_minutes', or "
                "wait less"
            )
        return self
