"""The pipeline file and its recipe: what a user writes, checked before anything is deployed.

Must not import Airflow or boto3.
"""
