"""What a run leaves behind: result document, version in the registry, record of the deployment.

Called by tasks when they run: must not be imported while DAG files are parsed.
"""
