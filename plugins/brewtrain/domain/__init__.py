"""What a retraining run is, in plain Python: pipeline files, names, identity, ladder, outcomes.

Must not import Airflow, boto3 or anything that reads the network; its tests need no mock.
"""
