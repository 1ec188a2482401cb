"""The pipeline file and its recipe: what a user writes, and what is refused before anything is deployed.

Must not import Airflow or boto3.
"""
