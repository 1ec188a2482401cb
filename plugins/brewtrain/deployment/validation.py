"""What can be wrong with a deployment, found before it begins; all problems are told at once."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from brewtrain.deployment.stack import Content
from brewtrain.deployment.state_machine import for_partition
from brewtrain.domain import names
from brewtrain.domain.deployment.trust_policy import allows_service
from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.evaluation.job import GATE_FILE
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run.execution_input import ImageTable

if TYPE_CHECKING:
    from brewtrain.hooks.iam_role import IamRoleHook
    from brewtrain.hooks.sagemaker_endpoint import SageMakerEndpointHook
    from brewtrain.hooks.stepfunctions_state_machine import StepFunctionsStateMachineHook

PASSED_ROLES = ("states", "databrew", "glue", "sagemaker")
_DEPLOY_ROLES = (
    "aws cloudformation deploy --stack-name brewtrain-roles --template-file include/cloudformation/roles.yaml "
    "--capabilities CAPABILITY_NAMED_IAM"
)


@dataclass(frozen=True)
class Validation:
    """The checks of one pipeline's deployment. They change nothing.

    :param pipeline: The pipeline file.
    :param content: What is to be deployed.
    :param account: Where.
    :param images: Table of the training images.
    :param claim: Raises DeploymentError if another pipeline file names the same endpoint.
    """

    pipeline: Pipeline
    content: Content
    account: names.Account
    images: ImageTable
    claim: Callable[[Pipeline], None]
    iam: IamRoleHook
    sagemaker: SageMakerEndpointHook
    states: StepFunctionsStateMachineHook

    def run(self, report: Callable[[str], None]) -> None:
        """Run every check.

        :param report: Called with one line per check.
        :raises DeploymentError: With one sentence per problem, after all checks have run.
        :raises TransientError: If AWS could not be asked.
        """
        checks = {
            "state machine definition": self._definition_problems,
            "split script": self._script_problems,
            "evaluation code": self._evaluation_problems,
            "roles": self._role_problems,
            "training image": self._image_problems,
            "endpoint": self._endpoint_problems,
        }
        problems: list[str] = []
        for name, check in checks.items():
            found = _problems_of(check)
            report(f"{'FAILED' if found else 'ok':<6}  {name}")
            problems += found
        if problems:
            raise DeploymentError("\n".join(problems))

    def _definition_problems(self) -> Iterator[str]:
        for diagnostic in self.states.validate_definition(for_partition(self.content.definition, self.account)):
            if diagnostic["severity"] == "ERROR":
                where = f" at {diagnostic['location']}" if diagnostic.get("location") else ""
                yield (
                    f"include/statemachine/retraining.asl.json{where}: {diagnostic['message']} ({diagnostic['code']}); "
                    "correct include/statemachine/workflow.py and run: make statemachine"
                )

    def _script_problems(self) -> Iterator[str]:
        yield from _syntax_problems("include/glue/split.py", self.content.split_script.encode())

    def _evaluation_problems(self) -> Iterator[str]:
        for name, content in self.content.evaluation_code.files.items():
            folder = "plugins/brewtrain/domain/evaluation" if name == GATE_FILE else "include/evaluation"
            yield from _syntax_problems(f"{folder}/{name}", content)

    def _role_problems(self) -> Iterator[str]:
        for service in PASSED_ROLES:
            name = names.role(service)
            policy = self.iam.trust_policy(name)
            if policy is None:
                yield f"role {name!r} does not exist; create the roles: {_DEPLOY_ROLES}"
            elif not allows_service(policy, service):
                yield (
                    f"role {name!r} may not be assumed by {service}.amazonaws.com (trust policy); "
                    f"deploy the roles again: {_DEPLOY_ROLES}"
                )

    def _image_problems(self) -> Iterator[str]:
        self.images.xgboost(self.account.region, self.pipeline.training.image_version)
        yield from ()

    def _endpoint_problems(self) -> Iterator[str]:
        self.claim(self.pipeline)
        name = self.pipeline.endpoint_name
        tags = self.sagemaker.endpoint_tags(name)
        if tags is None or tags.get(names.PIPELINE_TAG) == self.pipeline.name:
            return
        owner = tags.get(names.PIPELINE_TAG)
        whose = (
            f"belongs to pipeline {owner!r}" if owner else f"was not made by brewtrain (no tag {names.PIPELINE_TAG})"
        )
        yield (
            f"endpoint {name!r} exists and {whose}; name another in include/pipelines/{self.pipeline.name}.yaml "
            f"(endpoint.name), or hand it over by tagging it {names.PIPELINE_TAG}={self.pipeline.name}"
        )


def _syntax_problems(path: str, content: bytes) -> Iterator[str]:
    try:
        ast.parse(content)
    except SyntaxError as error:
        yield f"{path} is not Python at line {error.lineno}: {error.msg}; correct it there"


def _problems_of(check: Callable[[], Iterator[str]]) -> list[str]:
    try:
        return list(check())
    except DeploymentError as error:
        return [str(error)]
