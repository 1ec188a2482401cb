"""The DataBrew recipe language on one machine: reader, checker, lazy polars plan, writer.

Importing the package itself costs nothing: polars is imported by the modules that build plans.
Nothing in here may import Airflow, boto3, moto or the plugins; the DataBrew service of local_aws
calls it through `recipe_runner.api`.
"""
