"""What an endpoint serves and has served, as tasks read it from AWS.

Called by tasks when they run: must not be imported while DAG files are parsed.
"""
