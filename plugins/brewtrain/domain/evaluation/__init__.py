"""How a candidate is judged: the evaluation job and the quality gate.

Must not import Airflow or boto3.
"""
