"""The IAM user of Airflow's workers where policies are enforced.

It may only assume the role `brewtrain-airflow`, and takes the place of the execution role of an
MWAA environment. Must not import Airflow.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from tools.airflow_env import AwsLogin

if TYPE_CHECKING:
    from collections.abc import Callable

USER = "brewtrain-airflow-workers"
ROLE = "brewtrain-airflow"


def make_airflow_login(client_for: Callable[[str], Any]) -> AwsLogin:
    """Create the user if it does not exist, give it new keys, and return them with its role.

    The role belongs to the stack of include/cloudformation/roles.yaml and need not exist yet.

    :param client_for: Makes a boto3 client by service name that may manage users.
    """
    iam = client_for("iam")
    account = client_for("sts").get_caller_identity()["Account"]
    role_arn = f"arn:aws:iam::{account}:role/{ROLE}"
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=USER)
    statement = {"Sid": "Assume", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role_arn}
    iam.put_user_policy(
        UserName=USER, PolicyName="assume",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )  # fmt: skip
    for old in iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=USER, AccessKeyId=old["AccessKeyId"])
    key = iam.create_access_key(UserName=USER)["AccessKey"]
    return AwsLogin(key["AccessKeyId"], key["SecretAccessKey"], role_arn)
