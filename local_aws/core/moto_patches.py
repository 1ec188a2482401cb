"""Every change to moto's own objects, in one place and in order.

Each patch asserts that what it replaces is still there, names the behaviour of moto that it changes
and says when it can go. Each has a contract test in
tests/functional/local_aws/test_moto_patches.py.
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


def attribute(owner: Any, name: str) -> Any:
    """Return an attribute of moto that a patch is about to replace.

    :raises MotoIncompatibleError: it does not exist.
    """
    try:
        return getattr(owner, name)
    except AttributeError:
        where = getattr(owner, "__name__", owner)
        raise MotoIncompatibleError(
            f"moto {version('moto')} has no {where}.{name}, which local_aws extends; install moto=={MOTO_VERSION}."
        ) from None


def check_version(installed: str) -> None:
    """Refuse a moto that these patches were not checked against.

    :param installed: version of moto.
    :raises MotoIncompatibleError: it is not `MOTO_VERSION`.
    """
    if installed != MOTO_VERSION:
        raise MotoIncompatibleError(
            f"local_aws extends moto {MOTO_VERSION} but {installed} is installed; install moto=={MOTO_VERSION}."
        )


def apply_patches() -> None:
    """Apply every patch once per process, before the first request.

    :raises MotoIncompatibleError: another moto version is installed, or an attribute that is
        patched does not exist.
    """
    global _applied
    if _applied:
        return
    check_version(version("moto"))
    for patch in PATCHES:
        patch()
    _applied = True


def state_machines_of_stacks() -> None:
    """Make a stack's state machines ones that can be executed."""
    # moto 5.2.5 keeps a stack's state machines in its own backend, where they cannot be executed.
    # Goes when local_aws serves Step Functions from moto's backend again.
    from moto.stepfunctions.models import StateMachine

    from local_aws.states import cloudformation

    for name, function in (
        ("create_from_cloudformation_json", cloudformation.create),
        ("update_from_cloudformation_json", cloudformation.update),
        ("delete_from_cloudformation_json", cloudformation.delete),
    ):
        attribute(StateMachine, name)
        setattr(StateMachine, name, classmethod(function))
    attribute(StateMachine, "has_cfn_attr")
    StateMachine.has_cfn_attr = classmethod(
        lambda cls, attribute: cloudformation.StackStateMachine.has_cfn_attr(attribute)
    )


def aws_managed_policies_on_demand() -> None:
    """Know AWS's managed policies when one is attached."""
    # moto 5.2.5 knows AWS's managed policies only when all 1,500 are loaded into every partition at
    # start. Goes when moto loads them one by one.
    from moto.iam.models import AWSManagedPolicy, IAMBackend

    attribute(AWSManagedPolicy, "from_data")

    def load(self: Any, policy_arn: str) -> None:
        if policy_arn.startswith("arn:aws:iam::aws:policy/") and policy_arn not in self.managed_policies:
            from moto.iam.aws_managed_policies import aws_managed_policies_data

            name = policy_arn.rsplit("/", 1)[1]
            data = json.loads(aws_managed_policies_data).get(name)
            if data is not None:
                policy = AWSManagedPolicy.from_data(name, self.account_id, self.region_name, data)
                self.managed_policies[policy.arn] = policy

    for name in ("attach_role_policy", "attach_user_policy", "attach_group_policy"):
        attach = attribute(IAMBackend, name)

        def attach_known_policy(self: Any, policy_arn: str, owner: str, attach: Any = attach) -> None:
            load(self, policy_arn)
            attach(self, policy_arn, owner)

        setattr(IAMBackend, name, attach_known_policy)


def managed_policies_of_stack_roles() -> None:
    """Attach the managed policies of a stack's roles."""
    # moto 5.2.5 ignores ManagedPolicyArns of AWS::IAM::Role, so that such a role could do nothing
    # under enforcement. Goes when moto attaches them.
    from moto.iam.models import Role, iam_backends

    create = attribute(Role, "create_from_cloudformation_json")

    def create_with_policies(
        cls: type, /, resource_name: str, cloudformation_json: Any, *place: str, **kwargs: Any
    ) -> Any:
        role = create(resource_name, cloudformation_json, *place, **kwargs)
        for arn in cloudformation_json["Properties"].get("ManagedPolicyArns", []):
            iam_backends[role.account_id]["aws"].attach_role_policy(arn, role.name)
        return role

    delete = attribute(Role, "delete_from_cloudformation_json")

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


def nothing_in_lists_of_stacks() -> None:
    """Remove ``AWS::NoValue`` from lists in templates."""
    # moto 5.2.5 leaves None where a list has AWS::NoValue, such as a policy's statements,
    # although AWS removes the element. Goes when moto does.
    from moto.cloudformation import parsing

    clean = attribute(parsing, "clean_json")

    def clean_without_nothing(resource_json: Any, resources_map: Any) -> Any:
        cleaned = clean(resource_json, resources_map)
        return [item for item in cleaned if item is not None] if isinstance(cleaned, list) else cleaned

    parsing.clean_json = clean_without_nothing


def inline_policies_of_stack_roles() -> None:
    """Store and update a stack's inline policies as JSON."""
    # moto 5.2.5 stores them as Python objects, which GetRolePolicy cannot return as JSON, and a
    # stack's update changes neither them nor trust policy or boundary. Goes when moto does both.
    from moto.iam.models import Role

    create = attribute(Role, "create_from_cloudformation_json")
    update = attribute(Role, "update_from_cloudformation_json")

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


def bucket_policies_of_stacks() -> None:
    """Serve ``AWS::S3::BucketPolicy``."""
    # moto 5.2.5 skips AWS::S3::BucketPolicy with a warning. It finds a type's class once the class
    # exists. Goes when moto has one.
    from moto.core.common_models import CloudFormationModel

    from local_aws.s3.stack_bucket_policy import StackBucketPolicy

    attribute(CloudFormationModel, "cloudformation_type")
    assert StackBucketPolicy.cloudformation_type() == "AWS::S3::BucketPolicy"


def queue_policies_of_stacks() -> None:
    """Serve ``AWS::SQS::QueuePolicy``."""
    # moto 5.2.5 skips it with a warning. It finds a type's class once the class exists. Goes when
    # moto has one.
    from moto.core.common_models import CloudFormationModel

    from local_aws.s3.stack_queue_policy import StackQueuePolicy

    attribute(CloudFormationModel, "cloudformation_type")
    assert StackQueuePolicy.cloudformation_type() == "AWS::SQS::QueuePolicy"


def notifications_of_stack_buckets() -> None:
    """Give a stack's bucket its NotificationConfiguration."""
    # moto 5.2.5 ignores the property when it creates the bucket and when it updates it. Goes when
    # moto reads it.
    from moto.s3.models import FakeBucket, s3_backends

    from local_aws.s3 import notifications

    create = attribute(FakeBucket, "create_from_cloudformation_json")
    update = attribute(FakeBucket, "update_from_cloudformation_json")

    def put(bucket: Any, cloudformation_json: Any, account_id: str) -> Any:
        wanted = notifications.of_stack(cloudformation_json.get("Properties", {}))
        if wanted or bucket.notification_configuration is not None:
            s3_backends[account_id]["aws"].put_bucket_notification_configuration(bucket.name, wanted)
        return bucket

    def create_with_notifications(
        cls: type, /, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **more: Any
    ) -> Any:
        bucket = create(resource_name, cloudformation_json, account_id, region_name, **more)
        return put(bucket, cloudformation_json, account_id)

    def update_with_notifications(
        cls: type,
        /,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> Any:
        bucket = update(original_resource, new_resource_name, cloudformation_json, account_id, region_name)
        return put(bucket, cloudformation_json, account_id)

    FakeBucket.create_from_cloudformation_json = classmethod(create_with_notifications)
    FakeBucket.update_from_cloudformation_json = classmethod(update_with_notifications)


def events_of_buckets() -> None:
    """Send a bucket's events in AWS's form, and only to a queue whose policy allows it."""
    # moto 5.2.5 leaves out the sequencer, the version and who asked, encodes the slashes of keys,
    # and takes any queue, also one that does not exist. Goes when moto does as AWS.
    from moto.s3 import notifications as moto_notifications
    from moto.s3.exceptions import S3ClientError
    from moto.s3.models import FakeBucket

    from local_aws.s3 import notifications

    made_by_moto = attribute(moto_notifications, "_get_s3_event")
    configure = attribute(FakeBucket, "set_notification_configuration")

    def event(event_name: str, bucket: Any, key: Any, notification_id: str) -> Any:
        made = made_by_moto(event_name, bucket, key, notification_id)
        return notifications.event(bucket, key, made_by_moto=made)

    def set_notification_configuration(self: Any, notification_config: Any) -> None:
        queues = [one["Queue"] for one in (notification_config or {}).get("QueueConfiguration") or ()]
        if notifications.refused_queues(self, queues):
            raise S3ClientError("InvalidArgument", notifications.UNVERIFIABLE)
        configure(self, notification_config)

    moto_notifications._get_s3_event = event
    FakeBucket.set_notification_configuration = set_notification_configuration


def bucket_policies_are_not_decided_twice() -> None:
    """Leave decisions on bucket policies to ``local_aws.iam``."""
    # moto 5.2.5 applies a bucket's policy without its conditions and principals, so that a policy
    # against plain HTTP denies every call. With --iam enforce, local_aws.iam decides. Goes when
    # moto can be told not to.
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket

    from local_aws.core import authorisation

    attribute(FakeBucket, "get_permission")

    def permission(self: Any, action: str, resource: str) -> Any:
        # DeleteObjects is asked for each key and refuses each on its own.
        refused = resource in authorisation.refused_resources.get()
        return PermissionResult.DENIED if refused else PermissionResult.NEUTRAL

    FakeBucket.get_permission = permission


def policy_simulation() -> None:
    """Serve ``iam:SimulatePrincipalPolicy``."""
    # moto 5.2.5 has no SimulatePrincipalPolicy. Goes when it has one that evaluates.
    from moto.core.responses import ActionResult
    from moto.iam.exceptions import IAMException
    from moto.iam.responses import IamResponse

    from local_aws.iam import simulation

    read = attribute(IamResponse, "_get_params")

    def simulate_principal_policy(self: Any) -> Any:
        try:
            return ActionResult(simulation.simulate(read(self)))
        except simulation.SimulationError as error:
            raise IAMException(error.code, str(error)) from error

    IamResponse.simulate_principal_policy = simulate_principal_policy


def list_modules_once() -> None:
    """List moto's modules once, not in every request."""
    # moto 5.2.5 reads its own folder and asks for 170 files twice in every request, a third of what
    # a request costs. Goes when moto remembers what it found.
    from moto import backends

    modules = tuple(attribute(backends, "list_of_moto_modules")())
    backends.list_of_moto_modules = lambda: modules


def long_listings() -> None:
    """List a bucket of many objects in milliseconds a page."""
    # moto 5.2.5 sorts all of a bucket for every page, and serializes each object of it field by
    # field. Goes when a page of 1,000 of 20,000 objects takes moto less than 20 ms.
    from moto.s3.models import FakeTableStorageBucket
    from moto.s3.responses import S3Response

    from local_aws.s3 import listing

    of_moto = attribute(S3Response, "list_objects_v2")

    def list_objects_v2(self: Any) -> Any:
        bucket = self.backend.get_bucket(self.bucket_name)
        query = self._get_querystring(self.request, self.uri)
        if isinstance(bucket, FakeTableStorageBucket) or not listing.is_plain(query):
            return of_moto(self)
        self.data["Action"] = "ListObjectsV2"
        return 200, {"Content-Type": "application/xml"}, listing.page(self.backend, bucket, query)

    S3Response.list_objects_v2 = list_objects_v2


#: Applied in this order.
PATCHES = (
    state_machines_of_stacks,
    aws_managed_policies_on_demand,
    managed_policies_of_stack_roles,
    nothing_in_lists_of_stacks,
    inline_policies_of_stack_roles,
    bucket_policies_of_stacks,
    queue_policies_of_stacks,
    notifications_of_stack_buckets,
    events_of_buckets,
    bucket_policies_are_not_decided_twice,
    policy_simulation,
    list_modules_once,
    long_listings,
)
