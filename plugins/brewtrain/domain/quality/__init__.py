"""Quality of the data that a run reads: rules, what DataBrew reports about them, and learning them.

Must not import Airflow or boto3.
"""
