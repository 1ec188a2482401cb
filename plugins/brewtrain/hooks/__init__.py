"""Thin wrappers of boto3, the only modules of the package that import it.

Importing one pulls in botocore, so DAG files, operators and triggers import hooks inside the
methods that need them.
"""
