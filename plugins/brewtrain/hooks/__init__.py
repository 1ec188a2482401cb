"""Thin wrappers of boto3, one module per AWS service. The only modules of the package that touch boto3.

Importing one pulls in botocore, so DAG files, operators and triggers import hooks inside the
methods that need them.
"""
