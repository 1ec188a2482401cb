"""What the deploy DAG creates and checks on AWS, one resource per module.

Knows hooks and domain. Must not import Airflow or boto3 (hooks are handed in), so that importing it
is cheap.
"""
