"""What a deployment changes on AWS, and what a cleanup may remove.

Must not import Airflow or boto3.
"""
