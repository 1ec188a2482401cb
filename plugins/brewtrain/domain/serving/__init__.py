"""What serves, what served before, and how another model comes to serve.

Must not import Airflow or boto3.
"""
