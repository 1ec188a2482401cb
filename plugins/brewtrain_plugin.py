"""Airflow's door to this package: registers what the web server and the scheduler must know about, and nothing else.

plugins/.airflowignore keeps Airflow's plugin loader out of brewtrain/ itself: it would import every module there a
second time under its bare stem. Must not import boto3: every Airflow component loads this file when it starts.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class BrewtrainPlugin(AirflowPlugin):
    """The package's plugin."""

    name = "brewtrain"
