"""Registers with Airflow what its web server and scheduler must know of this package.

plugins/.airflowignore keeps Airflow's plugin loader out of brewtrain/ itself: it would import every
module there a second time under its bare stem. Must not import boto3: every Airflow component loads
this file when it starts.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from brewtrain.deadlines import RunAfterDeadline
from brewtrain.priority import ScheduledBeforeBackfill


class BrewtrainPlugin(AirflowPlugin):
    """The package's plugin."""

    name = "brewtrain"
    deadline_references = [RunAfterDeadline]  # noqa: RUF012 - declared so by AirflowPlugin
    priority_weight_strategies = [ScheduledBeforeBackfill]  # noqa: RUF012 - declared so by AirflowPlugin
