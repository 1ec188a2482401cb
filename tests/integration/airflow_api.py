"""The client of Airflow's REST API under the name that tests know it by."""

from tools.airflow_api import ENDED, AirflowApi, AirflowApiError

__all__ = ["ENDED", "AirflowApi", "AirflowApiError"]
