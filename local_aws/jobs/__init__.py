"""One run store and one lifecycle for everything that executes work on local AWS.

DataBrew and Glue job runs, SageMaker training and processing jobs, endpoints and Lambda functions
all need the same things: a role's credentials, a process of their own, a state that moves forward
only, a way to be stopped or to time out, and a log in CloudWatch Logs. They live here once.

Must not import anything from `plugins` or from the services that use it (`local_aws.databrew`,
`.glue`, `.sagemaker`, `.lambda_`).
"""

from __future__ import annotations
