"""Prints the IAM policies of one pipeline: ``python -m tools.policy include/pipelines/NAME.yaml``."""
