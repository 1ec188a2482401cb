"""Operators, filed by what they do.

Imported while DAG files are parsed: they must not import hooks or boto3 at module level.
"""
