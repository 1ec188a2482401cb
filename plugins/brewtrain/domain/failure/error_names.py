"""Names of the errors with which brewtrain itself ends an execution.

The state machine's Fail states carry them, see "Execution output" in docs/architecture.md. Airflow
tells by them what went wrong. Must not import Airflow or boto3.
"""

from __future__ import annotations

QUALITY_GATE_FAILED = "Brewtrain.QualityGateFailed"
UNKNOWN_ENTRY = "Brewtrain.UnknownEntry"
ENDPOINT_ROLLED_BACK = "Brewtrain.EndpointRolledBack"
ENDPOINT_FAILED = "Brewtrain.EndpointFailed"
ENDPOINT_STUCK = "Brewtrain.EndpointStuck"
DATA_QUALITY_FAILED = "Brewtrain.DataQualityFailed"
"""Not of an execution: the data is not what the pipeline file demands, and none was started."""

STOPPED = "Brewtrain.Stopped"
"""Not of a Fail state: StopExecution gets it when Airflow stops an execution."""

TASK_FAILED = "States.TaskFailed"
"""Step Functions' own: the job that a state ran has failed."""

TIMEOUT = "States.Timeout"
"""Step Functions' own: a state or the execution took longer than it may."""
