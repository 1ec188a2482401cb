"""`python -m tools.policy` covers every name of the pipeline, and no name of another one."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from brewtrain.domain import names
from tests.fixtures.pipelines import smallest_pipeline
from tools.policy import __main__ as command
from tools.policy.narrowing import MANAGED_LIMIT, TEMPLATE, UnknownResourceError, narrowed, policies, size

REPOSITORY = Path(__file__).resolve().parents[3]
SHIPPED = REPOSITORY / "include" / "pipelines" / "bank_marketing.yaml"
ACCOUNT = names.Account("210987654321", "eu-central-1")
WHERE = f"{ACCOUNT.region}:{ACCOUNT.account_id}"


def matches(pattern: str, text: str) -> bool:
    """As IAM compares: ``*`` and ``?`` and nothing else."""
    expression = "".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def allows(policy: dict[str, Any], action: str, resource: str) -> bool:
    return any(
        action in statement["Action"] and any(matches(pattern, resource) for pattern in statement["Resource"])
        for statement in policy["Statement"]
    )


def run(name: str = "bank", day: int = 29, generation: str = "0") -> names.RunIdentity:
    end = datetime(2010, 11, day, tzinfo=UTC)
    return names.RunIdentity(name, end - timedelta(days=1), end, generation)


def resources_of(name: str) -> list[tuple[str, str, str]]:
    """Role, action and resource of what a pipeline's runs use, by the module that makes names."""
    identity = run(name, generation="3f00ab")
    bucket = f"arn:aws:s3:::{names.default_bucket(ACCOUNT.account_id, ACCOUNT.region)}"
    prefix, job = names.run_prefix(identity), identity.job_name_prefix
    sagemaker = f"arn:aws:sagemaker:{WHERE}"
    databrew = f"arn:aws:databrew:{WHERE}"
    return [
        ("airflow", "databrew:UpdateRecipe", ACCOUNT.recipe_arn(name)),
        ("airflow", "databrew:DescribeDataset", f"{databrew}:dataset/{job}"),
        ("airflow", "databrew:DeleteJob", f"{databrew}:job/{job}"),
        ("airflow", "glue:UpdateJob", f"arn:aws:glue:{WHERE}:job/{names.split_job(name)}"),
        ("airflow", "states:UpdateStateMachine", ACCOUNT.state_machine_arn(name)),
        ("airflow", "states:StartExecution", ACCOUNT.alias_arn(name)),
        ("airflow", "states:DescribeExecution", ACCOUNT.execution_arn(name, identity.run_id)),
        ("airflow", "sagemaker:DescribeTrainingJob", f"{sagemaker}:training-job/{job.lower()}-0-1"),
        ("airflow", "s3:PutObject", f"{bucket}/{prefix}result.json"),
        ("airflow", "s3:PutObject", f"{bucket}/{names.split_script_key(name, 'a' * 64)}"),
        ("states", "databrew:StartJobRun", f"{databrew}:job/{job}"),
        ("states", "glue:StartJobRun", f"arn:aws:glue:{WHERE}:job/{names.split_job(name)}"),
        ("states", "sagemaker:CreateTrainingJob", f"{sagemaker}:training-job/{job.lower()}-0-0"),
        ("states", "sagemaker:CreateModel", f"{sagemaker}:model/{job.lower()}-0-0"),
        ("states", "sagemaker:CreateEndpointConfig", f"{sagemaker}:endpoint-config/{job}-0-0"),
        ("states", "sagemaker:UpdateEndpoint", f"{sagemaker}:endpoint/{names.slug(name)}"),
        ("databrew", "s3:PutObject", f"{bucket}/{prefix}transform/part-1.csv"),
        ("glue", "s3:PutObject", f"{bucket}/{prefix}train/part-1.csv"),
        ("sagemaker", "s3:PutObject", f"{bucket}/{prefix}model/{job}-0-0/output/model.tar.gz"),
    ]


@pytest.mark.parametrize(("role", "action", "resource"), resources_of("bank"))
def test_the_names_of_the_pipeline_are_covered(role: str, action: str, resource: str) -> None:
    assert allows(policies(smallest_pipeline(), ACCOUNT)[role], action, resource)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param("bank_marketing", id="begins like it"),
        pytest.param("bank_b", id="begins like it, with a short rest"),
        pytest.param("big_bank", id="ends like it"),
    ],
)
def test_the_names_of_another_pipeline_are_not_covered(other: str) -> None:
    found = policies(smallest_pipeline(), ACCOUNT)
    reached = [case for case in resources_of(other) if allows(found[case[0]], *case[1:])]
    assert reached == []


@pytest.mark.parametrize("other", ["bank", "bank_b"])
def test_the_deployment_of_a_promotion_is_covered(other: str) -> None:
    name = f"arn:aws:sagemaker:{WHERE}:model/brewtrain-{names.slug(other)}-p20101129t0000-1a2b-g0-0-0"
    assert allows(policies(smallest_pipeline(), ACCOUNT)["states"], "sagemaker:CreateModel", name) is (other == "bank")


def test_the_source_is_covered_and_nothing_beside_it() -> None:
    elsewhere = smallest_pipeline(source={"path": "s3://their-lake/raw/dt={date}/eu/"}, bucket="mine-1")
    for role in ("airflow", "databrew"):
        policy = policies(elsewhere, ACCOUNT)[role]
        assert allows(policy, "s3:GetObject", "arn:aws:s3:::their-lake/raw/dt=2024-01-31/eu/part.csv")
        assert allows(policy, "s3:ListBucket", "arn:aws:s3:::their-lake")
        assert allows(policy, "s3:ListBucket", "arn:aws:s3:::mine-1")
        assert not allows(policy, "s3:GetObject", "arn:aws:s3:::their-lake/raw/dt=2024-01-31/us/part.csv")
        assert not allows(policy, "s3:GetObject", "arn:aws:s3:::their-lake/secrets")
        assert not allows(policy, "s3:PutObject", "arn:aws:s3:::their-lake/raw/dt=2024-01-31/eu/part.csv")


def test_an_endpoint_is_named_as_its_arn_names_it() -> None:
    found = policies(smallest_pipeline(endpoint={"name": "Bank-Live"}), ACCOUNT)["states"]
    assert allows(found, "sagemaker:UpdateEndpoint", f"arn:aws:sagemaker:{WHERE}:endpoint/bank-live")
    assert not allows(found, "sagemaker:UpdateEndpoint", f"arn:aws:sagemaker:{WHERE}:endpoint/bank")


def test_alarms_are_those_of_the_pipeline_file() -> None:
    def alarms(**endpoint: Any) -> set[str]:
        found = policies(smallest_pipeline(endpoint=endpoint), ACCOUNT)
        return {one for policy in found.values() for item in policy["Statement"] for one in item["Resource"]
                if ":alarm:" in one}  # fmt: skip

    assert alarms() == set(), "a statement about no alarm would be one that IAM refuses"
    assert alarms(update={"alarms": ["bank errors"]}) == {f"arn:aws:cloudwatch:{WHERE}:alarm:bank errors"}
    for policy in policies(smallest_pipeline(), ACCOUNT).values():
        assert all(statement["Resource"] for statement in policy["Statement"])


def test_what_is_made_without_a_resource_must_carry_the_pipelines_tag() -> None:
    (statement,) = (
        one
        for one in policies(smallest_pipeline(), ACCOUNT)["airflow"]["Statement"]
        if one["Sid"] == "MakeDataBrewResources"
    )
    assert statement["Condition"] == {"StringEquals": {"aws:RequestTag/brewtrain:pipeline": "bank"}}


def test_arns_are_in_the_partition_of_the_region() -> None:
    found = policies(smallest_pipeline(), names.Account("210987654321", "cn-north-1"))
    resources = [one for policy in found.values() for item in policy["Statement"] for one in item["Resource"]]
    assert all(one == "*" or one.startswith("arn:aws-cn:") for one in resources)


def test_only_the_accounts_roles_are_shared_by_every_pipeline() -> None:
    left = {
        one
        for policy in policies(smallest_pipeline(), ACCOUNT).values()
        for statement in policy["Statement"]
        for one in statement["Resource"]
        if re.search(r"brewtrain[-/]\*", one)
    }
    assert left == {f"arn:aws:iam::{ACCOUNT.account_id}:role/brewtrain-*"}, "the five roles are the account's"


def test_a_resource_without_a_rule_is_refused() -> None:
    with pytest.raises(UnknownResourceError, match="narrowing"):
        narrowed("arn:aws:lambda:eu-central-1:210987654321:function:brewtrain-*", smallest_pipeline())


def test_the_key_reaches_every_role() -> None:
    key = "arn:aws:kms:eu-central-1:210987654321:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    for policy in policies(smallest_pipeline(), ACCOUNT, kms_key_arn=key).values():
        assert allows(policy, "kms:Decrypt", key)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = command.main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def test_the_command_prints_what_iam_takes(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = (str(SHIPPED), "--account", ACCOUNT.account_id, "--region", ACCOUNT.region)
    code, out, err = printed(capsys, *arguments)
    assert code == 0
    found = json.loads(out)
    assert list(found) == list(command.ROLES)
    for role, policy in found.items():
        code, out, _ = printed(capsys, *arguments, "--role", role)
        assert (code, json.loads(out)) == (0, policy)
        assert set(policy) == {"Version", "Statement"}
        sids = [statement["Sid"] for statement in policy["Statement"]]
        assert len(set(sids)) == len(sids)
        assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)
        for statement in policy["Statement"]:
            assert set(statement) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
            assert statement["Action"]
            assert statement["Resource"]
        assert "<" not in out, "a function of the template was not resolved"
        assert f"policy: {role}: {size(policy)} characters" in err
    assert "default" not in err


def test_the_command_says_which_account_it_took(capsys: pytest.CaptureFixture[str]) -> None:
    assert "123456789012 in us-east-1" in printed(capsys, str(SHIPPED))[2]


def test_the_command_says_when_a_policy_is_too_long(monkeypatch: pytest.MonkeyPatch,
                                                    capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.setattr(command, "INLINE_LIMIT", 100)
    assert f"too long; put the statements into several managed policies of at most {MANAGED_LIMIT} each" in printed(
        capsys, str(SHIPPED)
    )[2]  # fmt: skip


@pytest.mark.parametrize("file", ["missing.yaml", "broken.yaml"])
def test_a_file_that_is_no_pipeline_is_reported_in_one_sentence(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.yaml").write_text("name: ../x\n")
    code, out, err = printed(capsys, str(tmp_path / file))
    assert (code, out) == (2, "")
    assert file in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--account", "1"], id="account"),
        pytest.param(["--region", "nowhere"], id="region"),
        pytest.param(["--kms-key", "alias/x"], id="key"),
    ],
)
def test_an_argument_that_is_malformed_is_refused_with_an_example(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main([str(SHIPPED), *arguments])
    assert ended.value.code == 2
    assert "write" in capsys.readouterr().err


def test_the_template_is_the_one_that_is_deployed() -> None:
    assert TEMPLATE == REPOSITORY / "include" / "cloudformation" / "roles.yaml"
