"""Every change to moto's own objects, in one place and in order.

Each patch asserts that what it replaces is still there, names the moto behaviour it mends and says
when it can go. Each has a contract test in tests/functional/local_aws/test_compat.py.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

#: The only version these patches were checked against.
MOTO_VERSION = "5.2.5"

_applied = False


class MotoIncompatibleError(RuntimeError):
    """The installed moto is not the one local_aws was written against."""


def _attribute(owner: Any, name: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        where = getattr(owner, "__name__", owner)
        raise MotoIncompatibleError(
            f"moto {version('moto')} has no {where}.{name}, which local_aws extends; install moto=={MOTO_VERSION}."
        ) from None


def apply_patches() -> None:
    """Apply every patch once per process, before the first request.

    :raises MotoIncompatibleError: another moto version is installed, or an attribute that is
        patched is gone.
    """
    global _applied
    if _applied:
        return
    installed = version("moto")
    if installed != MOTO_VERSION:
        raise MotoIncompatibleError(
            f"local_aws extends moto {MOTO_VERSION} but {installed} is installed; install moto=={MOTO_VERSION}."
        )
    for patch in PATCHES:
        patch()
    _applied = True


def _state_machines_of_stacks() -> None:
    # moto 5.2.5 keeps a stack's state machines in its own backend, where they cannot be executed.
    # Goes when local_aws serves Step Functions from moto's backend again.
    from moto.stepfunctions.models import StateMachine

    from local_aws.states import cloudformation

    for name, function in (
        ("create_from_cloudformation_json", cloudformation.create),
        ("update_from_cloudformation_json", cloudformation.update),
        ("delete_from_cloudformation_json", cloudformation.delete),
    ):
        _attribute(StateMachine, name)
        setattr(StateMachine, name, classmethod(function))
    _attribute(StateMachine, "has_cfn_attr")
    StateMachine.has_cfn_attr = classmethod(
        lambda cls, attribute: cloudformation.StackStateMachine.has_cfn_attr(attribute)
    )


def _aws_managed_policies_on_demand() -> None:
    # moto 5.2.5 knows AWS's managed policies only when all 1,500 are loaded into every partition at
    # start. Goes when moto loads them one by one.
    from moto.iam.models import AWSManagedPolicy, IAMBackend

    _attribute(AWSManagedPolicy, "from_data")

    def load(self: Any, policy_arn: str) -> None:
        if policy_arn.startswith("arn:aws:iam::aws:policy/") and policy_arn not in self.managed_policies:
            from moto.iam.aws_managed_policies import aws_managed_policies_data

            name = policy_arn.rsplit("/", 1)[1]
            data = json.loads(aws_managed_policies_data).get(name)
            if data is not None:
                policy = AWSManagedPolicy.from_data(name, self.account_id, self.region_name, data)
                self.managed_policies[policy.arn] = policy

    for name in ("attach_role_policy", "attach_user_policy", "attach_group_policy"):
        attach = _attribute(IAMBackend, name)

        def attach_known_policy(self: Any, policy_arn: str, owner: str, attach: Any = attach) -> None:
            load(self, policy_arn)
            attach(self, policy_arn, owner)

        setattr(IAMBackend, name, attach_known_policy)


def _managed_policies_of_stack_roles() -> None:
    # moto 5.2.5 ignores ManagedPolicyArns of AWS::IAM::Role, so that such a role could do nothing
    # under enforcement. Goes when moto attaches them.
    from moto.iam.models import Role, iam_backends

    create = _attribute(Role, "create_from_cloudformation_json")

    def create_with_policies(
        cls: type, /, resource_name: str, cloudformation_json: Any, *place: str, **kwargs: Any
    ) -> Any:
        role = create(resource_name, cloudformation_json, *place, **kwargs)
        for arn in cloudformation_json["Properties"].get("ManagedPolicyArns", []):
            iam_backends[role.account_id]["aws"].attach_role_policy(arn, role.name)
        return role

    delete = _attribute(Role, "delete_from_cloudformation_json")

    def delete_with_policies(
        cls: type, /, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> None:
        # CloudFormation detaches what it attached; IAM refuses to delete a role with policies.
        backend = iam_backends[account_id]["aws"]
        for role in list(backend.roles.values()):
            if role.name == resource_name:
                for arn in list(role.managed_policies):
                    backend.detach_role_policy(arn, role.name)
        delete(resource_name, cloudformation_json, account_id, region_name)

    Role.create_from_cloudformation_json = classmethod(create_with_policies)
    Role.delete_from_cloudformation_json = classmethod(delete_with_policies)


def _nothing_in_lists_of_stacks() -> None:
    # moto 5.2.5 leaves None where AWS::NoValue stands in a list, such as a policy's statements,
    # although AWS removes the element. Goes when moto does.
    from moto.cloudformation import parsing

    clean = _attribute(parsing, "clean_json")

    def clean_without_nothing(resource_json: Any, resources_map: Any) -> Any:
        cleaned = clean(resource_json, resources_map)
        return [item for item in cleaned if item is not None] if isinstance(cleaned, list) else cleaned

    parsing.clean_json = clean_without_nothing


def _inline_policies_of_stack_roles() -> None:
    # moto 5.2.5 stores them as Python objects, which GetRolePolicy cannot answer as JSON, and a
    # stack's update changes neither them nor trust policy or boundary. Goes when moto does both.
    from moto.iam.models import Role

    create = _attribute(Role, "create_from_cloudformation_json")
    update = _attribute(Role, "update_from_cloudformation_json")

    def put(role: Any, properties: Any) -> Any:
        role.policies = {
            policy["PolicyName"]: json.dumps(policy["PolicyDocument"], default=str)
            for policy in properties.get("Policies", [])
        }
        return role

    def create_with_documents(
        cls: type, /, resource_name: str, cloudformation_json: Any, *place: str, **kwargs: Any
    ) -> Any:
        return put(create(resource_name, cloudformation_json, *place, **kwargs), cloudformation_json["Properties"])

    def update_with_documents(
        cls: type, /, original_resource: Any, new_resource_name: str, cloudformation_json: Any, **place: str
    ) -> Any:
        role = update(original_resource, new_resource_name, cloudformation_json, **place)
        properties = cloudformation_json["Properties"]
        document = properties["AssumeRolePolicyDocument"]
        role.assume_role_policy_document = document if isinstance(document, str) else json.dumps(document, default=str)
        role.permissions_boundary_arn = properties.get("PermissionsBoundary", "")
        return put(role, properties)

    Role.create_from_cloudformation_json = classmethod(create_with_documents)
    Role.update_from_cloudformation_json = classmethod(update_with_documents)


def _bucket_policies_of_stacks() -> None:
    # moto 5.2.5 skips AWS::S3::BucketPolicy with a warning. It knows a type by its model's class,
    # once that exists. Goes when moto has one.
    from moto.core.common_models import CloudFormationModel

    from local_aws.s3.stack_bucket_policy import StackBucketPolicy

    _attribute(CloudFormationModel, "cloudformation_type")
    assert StackBucketPolicy.cloudformation_type() == "AWS::S3::BucketPolicy"


def _bucket_policies_are_not_decided_twice() -> None:
    # moto 5.2.5 looks at a bucket's policy on its own account, without conditions and principals,
    # so that a policy against plain HTTP denies every call. local_aws.iam decides, when asked to.
    # Goes when moto can be told not to.
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket

    from local_aws.core import authorisation

    _attribute(FakeBucket, "get_permission")

    def permission(self: Any, action: str, resource: str) -> Any:
        # DeleteObjects asks for every key, and answers for each.
        refused = resource in authorisation.refused_resources.get()
        return PermissionResult.DENIED if refused else PermissionResult.NEUTRAL

    FakeBucket.get_permission = permission


def _policy_simulation() -> None:
    # moto 5.2.5 has no SimulatePrincipalPolicy. Goes when it has one that evaluates.
    from moto.core.responses import ActionResult
    from moto.iam.exceptions import IAMException
    from moto.iam.responses import IamResponse

    from local_aws.iam import simulation

    read = _attribute(IamResponse, "_get_params")

    def simulate_principal_policy(self: Any) -> Any:
        try:
            return ActionResult(simulation.simulate(read(self)))
        except simulation.SimulationError as error:
            raise IAMException(error.code, str(error)) from error

    IamResponse.simulate_principal_policy = simulate_principal_policy


def _list_modules_once() -> None:
    # moto 5.2.5 reads its own folder and asks for 170 files twice in every request, a third of what
    # a request costs. Goes when moto remembers what it found.
    from moto import backends

    modules = tuple(_attribute(backends, "list_of_moto_modules")())
    backends.list_of_moto_modules = lambda: modules


#: Applied in this order.
PATCHES = (
    _state_machines_of_stacks,
    _aws_managed_policies_on_demand,
    _managed_policies_of_stack_roles,
    _nothing_in_lists_of_stacks,
    _inline_policies_of_stack_roles,
    _bucket_policies_of_stacks,
    _bucket_policies_are_not_decided_twice,
    _policy_simulation,
    _list_modules_once,
)
