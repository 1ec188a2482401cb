"""One retraining run: its identity, the days it reads, its execution, its stages and its outcome.

Must not import Airflow or boto3.
"""
