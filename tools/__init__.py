"""What make calls: running, loading, checking and reporting.

Never deployed with Airflow; nothing in plugins/ or dags/ imports it.
"""
