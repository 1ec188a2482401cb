"""What a failed execution means: its class, what to do about it, and the on-call card.

Must not import Airflow or boto3.
"""
