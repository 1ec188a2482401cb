"""What a run reads, and how it is judged before anything is started.

Must not import Airflow or boto3.
"""
