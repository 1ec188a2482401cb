"""Operators, one stem per AWS service or job to be done. Imported while DAG files are parsed: must
not import hooks or boto3 at module level.
"""
