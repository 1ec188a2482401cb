"""Tools of a person's machine: sample data, `make run`, `make up`. Never shipped to Airflow;
nothing in plugins/ or dags/ imports them.
"""
