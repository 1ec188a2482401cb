"""Links on a task's page.

They must never fail a task, and must not import boto3.
"""
