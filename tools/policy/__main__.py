"""Print the IAM policies that one pipeline needs, as JSON.

Without ``--role``, this is an object with a policy for each of the five roles. With it, it is that
one policy document, for ``aws iam put-role-policy --policy-document file://…``. Sizes and defaults
are printed to stderr.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from brewtrain.domain.errors import BrewtrainError
from brewtrain.domain.names import Account
from brewtrain.resources import load_pipeline
from tools import cloudformation
from tools.policy.narrowing import INLINE_LIMIT, MANAGED_LIMIT, UnknownResourceError, policies, size

ROLES = ("airflow", "states", "databrew", "glue", "sagemaker")


def _account_id(value: str) -> str:
    if not re.fullmatch(r"\d{12}", value):
        raise argparse.ArgumentTypeError(f"{value!r} is not an account id; write its twelve digits")
    return value


def _region(value: str) -> str:
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", value):
        raise argparse.ArgumentTypeError(f"{value!r} is not a region; write one such as eu-central-1")
    return value


def _key(value: str) -> str:
    if not re.fullmatch(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+", value):
        raise argparse.ArgumentTypeError(f"{value!r} is not a key; write its ARN, arn:aws:kms:…:key/…")
    return value


def main(arguments: list[str] | None = None) -> int:
    """Print the policies.

    :returns: The exit code: 0 printed, 2 the pipeline file or the template cannot be used.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.policy", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pipeline", type=Path, help="pipeline file, e.g. include/pipelines/bank_marketing.yaml")
    parser.add_argument("--role", choices=ROLES, help="print only this role's policy document")
    parser.add_argument("--account", type=_account_id, help="account id (default: AWS's example account)")
    parser.add_argument("--region", type=_region, help=f"region (default: {cloudformation.REGION})")
    parser.add_argument("--kms-key", type=_key, metavar="ARN", help="KMS key that encrypts the bucket")
    options = parser.parse_args(arguments)
    account = Account(options.account or cloudformation.ACCOUNT_ID, options.region or cloudformation.REGION)
    try:
        if not options.pipeline.is_file():
            raise BrewtrainError(f"{options.pipeline} does not exist; name a pipeline file")
        found = policies(load_pipeline(options.pipeline.resolve()), account, kms_key_arn=options.kms_key or "")
    except (BrewtrainError, UnknownResourceError) as error:
        print(f"policy: {error}", file=sys.stderr)
        return 2
    shown = {options.role: found[options.role]} if options.role else {role: found[role] for role in ROLES}
    if not options.account or not options.region:
        print(
            f"policy: for account {account.account_id} in {account.region}; choose others with --account and --region",
            file=sys.stderr,
        )
    for role, document in shown.items():
        print(f"policy: {role}: {_fit(size(document))}", file=sys.stderr)
    print(json.dumps(shown[options.role] if options.role else shown, indent=2))
    return 0


def _fit(characters: int) -> str:
    text = f"{characters} characters without white space of the {INLINE_LIMIT} allowed for a role's inline policies"
    if characters > INLINE_LIMIT:
        return f"{text}: too long; put the statements into several managed policies of at most {MANAGED_LIMIT} each"
    if characters > MANAGED_LIMIT:
        return f"{text} (a managed policy may have {MANAGED_LIMIT})"
    return text


if __name__ == "__main__":
    sys.exit(main())
