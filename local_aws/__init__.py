"""AWS on one machine, for development and tests of the retraining pipeline.

``python -m local_aws`` runs as a separate process. It builds on moto and adds what moto lacks: job
runs that do real work, a Step Functions interpreter, IAM, fault injection, a call log. ``core`` has
what every request passes, ``iam`` the policies, ``jobs`` the engine for job runs; every other
package is an AWS service. It must never be imported by ``dags/`` or ``plugins/``, which only see an
endpoint URL in the Airflow connection, and it imports nothing of them either.
"""

from __future__ import annotations

__all__ = ["DEFAULT_ACCOUNT_ID", "DEFAULT_PORT", "DEFAULT_REGION"]

#: The account every caller belongs to unless its access key says otherwise (moto's default
#: account).
DEFAULT_ACCOUNT_ID = "123456789012"
DEFAULT_REGION = "us-east-1"
DEFAULT_PORT = 4566
