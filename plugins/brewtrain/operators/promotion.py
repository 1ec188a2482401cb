"""The tasks of the promote DAG, and the retrain DAG's request for an approval.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException, DagRunTriggerException

from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError, InputError
from brewtrain.domain.evaluation.job import PAGE_FILE
from brewtrain.domain.run.execution_input import promotion_input
from brewtrain.domain.run.outcome import Outcome
from brewtrain.domain.serving.model_package import RUN_ID, Decision
from brewtrain.domain.serving.promotion import Request, best_of, body, of_backfill, read_request, refusal, subject
from brewtrain.operators import run_context
from brewtrain.operators.endpoint_deployment import (
    CheckEndpointOperator,
    Entry,
    RecordDeploymentOperator,
    StartDeploymentOperator,
    approved,
    evaluation_uri,
    read_result,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.domain.pipeline.file import Pipeline
    from brewtrain.hooks.s3_pipeline import S3PipelineHook

CHOOSE_CANDIDATE = "choose_candidate"
APPROVE_CANDIDATE = "approve_candidate"
START_DEPLOYMENT = "start_deployment"
RECORD_RESULT = "record_result"


class CheckPromotionOperator(CheckEndpointOperator):
    """Checks what a promotion needs; see :class:`CheckEndpointOperator`."""

    def check_params(self, params: Mapping[str, Any]) -> None:
        """Check the params of a promotion."""
        read_request(params, pipeline=self.pipeline.name)


class ChooseCandidateOperator(BaseOperator):
    """Finds the run whose model is to be deployed, and checks that it can be.

    Returns ``{"run_id", "data_date", "metrics", "model_artifacts", "model_package_arn",
    "evaluation_uri", "serving", "deploy_policy", "subject", "body"}``.

    :param pipeline: The pipeline file.
    :param aws_conn_id: Airflow connection of type ``aws``.
    """

    template_fields = ()

    def __init__(self, *, pipeline: Pipeline, aws_conn_id: str = run_context.CONNECTION_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Choose.

        :raises InputError: If a param is not what it may be, there is no such candidate, or it was
            refused.
        :raises DeploymentError: If its model archive is gone, or another pipeline file names the
            same endpoint.
        :raises AirflowSkipException: If the endpoint serves this very model already.
        """
        request = read_request(context["params"], pipeline=self.pipeline.name)
        from brewtrain import resources
        from brewtrain.hooks.s3_pipeline import S3PipelineHook

        resources.check_endpoint_claim(self.pipeline)
        s3 = S3PipelineHook(self.aws_conn_id)
        bucket = self.pipeline.bucket_name(s3.account)
        result = self._find(request, s3, bucket)
        run_id = str(result["run_id"])
        package = result.get("model_package_arn")
        status = self._status(s3, str(package)) if package else None
        reason = refusal(result) or ("it was rejected in the model registry" if status == "Rejected" else None)
        if reason and not request.even_if_refused:
            raise InputError(
                f"run {run_id} may not be promoted: {reason} ({_line(result.get('message'))}); choose another "
                "candidate, or trigger with even_if_refused if a person has looked at it"
            )
        artifacts = result.get("model_artifacts")
        if not artifacts or not s3.exists(str(artifacts)):
            raise DeploymentError(
                f"the model archive of run {run_id} is gone ({artifacts or 'its result names none'}): restore it from "
                f"the bucket's versions, or train that interval again with {self.pipeline.name}__retrain"
            )
        serving = self._serving(s3, str(artifacts), run_id)
        uri = evaluation_uri(result)
        chosen = {
            "run_id": run_id,
            "data_date": result["data_date"],
            "metrics": result.get("metrics") or {},
            "model_artifacts": artifacts,
            "model_package_arn": package,
            "evaluation_uri": uri,
            "serving": serving[0],
            "deploy_policy": request.deploy_policy,
            "subject": subject(
                pipeline=self.pipeline.name,
                endpoint=self.pipeline.endpoint_name,
                run_id=run_id,
                data_date=str(result["data_date"]),
            ),
            "body": body(
                result,
                serving=serving[1],
                report=f"{uri}{PAGE_FILE}" if uri else None,
                deploy_policy=request.deploy_policy,
                note=f"Refused before: {reason}" if reason else None,
            ),
        }
        self.log.info("candidate: run %s, data up to %s\n%s", run_id, result["data_date"], chosen["body"])
        return chosen

    def _find(self, request: Request, s3: S3PipelineHook, bucket: str) -> Mapping[str, Any]:
        name = self.pipeline.name
        if request.best_of_backfill:
            folders = s3.folders(bucket, names.runs_prefix(name))
            keys = [f"{folder}{names.RESULT_FILE}" for folder in folders]
            found = of_backfill((document for _, document in s3.read_documents(bucket, keys)), request)
            for result in found:
                value = result["metrics"].get(request.metric)
                self.log.info(
                    "  %s  %s  %s = %s  %s",
                    result["data_date"],
                    result["run_id"],
                    request.metric,
                    value,
                    result["reason"],
                )
            best = best_of(found, request, pipeline=name)
            self.log.info("best of %s by %s: %s", len(found), request.metric, best["run_id"])
            return best
        run_id = request.run_id or self._run_of_version(s3, request.version or 0)
        document = read_result(s3, self.pipeline, bucket, run_id)
        if document is None:
            raise InputError(
                f"run {run_id} has no result.json in s3://{bucket}/{names.run_folder(name, run_id)}: it never ended, "
                "or was cleaned up; choose another candidate"
            )
        if document.get("run_id") != run_id or not isinstance(document.get("data_date"), str):
            raise DeploymentError(
                f"s3://{bucket}/{names.run_folder(name, run_id)}{names.RESULT_FILE} is not the result of run {run_id}; "
                "restore it from the bucket's versions, or choose another candidate"
            )
        return document

    def _run_of_version(self, s3: S3PipelineHook, version: int) -> str:
        from brewtrain.hooks.model_registry import ModelRegistryHook

        hook = ModelRegistryHook(self.aws_conn_id, beside=s3)
        group = names.model_package_group(self.pipeline.name)
        package = hook.describe_package(s3.account.model_package_arn(self.pipeline.name, version))
        if package is None:
            raise InputError(f"model package group {group} has no version {version}; choose another candidate")
        run_id = str((package.get("CustomerMetadataProperties") or {}).get(RUN_ID) or "")
        if not names.is_run_id(self.pipeline.name, run_id):
            raise InputError(
                f"version {version} of model package group {group} names no run of this pipeline, so it was not "
                "registered by brewtrain; choose another candidate"
            )
        return run_id

    def _status(self, s3: S3PipelineHook, arn: str) -> str | None:
        from brewtrain.hooks.model_registry import ModelRegistryHook

        package = ModelRegistryHook(self.aws_conn_id, beside=s3).describe_package(arn)
        return None if package is None else package.get("ModelApprovalStatus")

    def _serving(self, s3: S3PipelineHook, artifacts: str, run_id: str) -> tuple[str | None, str]:
        """Return the config that serves, and a phrase about it."""
        from brewtrain.hooks.sagemaker_hosting import SageMakerHostingHook, artifacts_of, models_of

        hook = SageMakerHostingHook(self.aws_conn_id, beside=s3)
        name = self.pipeline.endpoint_name
        endpoint = hook.describe_endpoint(name)
        if endpoint is None or not endpoint.get("EndpointConfigName"):
            return None, f"nothing: endpoint {name} does not exist and is created"
        config_name = str(endpoint["EndpointConfigName"])
        config = hook.describe_config(config_name)
        tags = {} if config is None else hook.tags(config["EndpointConfigArn"])
        addresses = {
            address for model in models_of(config or {}) for address in artifacts_of(hook.describe_model(model) or {})
        }
        if addresses == {artifacts} and endpoint["EndpointStatus"] == "InService":
            raise AirflowSkipException(f"endpoint {name} serves the model of run {run_id} already")
        return config_name, f"`{config_name}`, data up to {tags.get(names.DATE_TAG, 'unknown')}"


class StartPromotionOperator(StartDeploymentOperator):
    """Starts the execution that deploys the candidate; see :class:`StartDeploymentOperator`."""

    entry: ClassVar[Entry] = "promote"

    def _document(self, hook: Any, chosen: Mapping[str, Any], name: str, *, started: bool) -> dict[str, Any]:
        from brewtrain import resources
        from brewtrain.hooks.s3_pipeline import S3PipelineHook

        s3 = S3PipelineHook(self.aws_conn_id, beside=hook)
        run_id = str(chosen["run_id"])
        result = read_result(s3, self.pipeline, self.pipeline.bucket_name(s3.account), run_id)
        if result is None:
            raise DeploymentError(f"run {run_id} has no result.json any more; choose another candidate")
        return promotion_input(
            self.pipeline,
            s3.account,
            Outcome.of(result),
            deployment_id=name,
            images=resources.images(),
            deploy_policy=chosen["deploy_policy"],
        )


class RecordPromotionOperator(RecordDeploymentOperator):
    """Records a promotion; see :class:`RecordDeploymentOperator`."""

    entry: ClassVar[Entry] = "promote"

    def _refused(self, chosen: Mapping[str, Any], approval: Mapping[str, Any] | None) -> None:
        user = (approval or {}).get("responded_by_user")
        if approval is None or approved(approval) or not isinstance(user, Mapping):
            # Nobody answered: the candidate goes on waiting for an approval, which a promotion may
            # ask for again.
            return
        who = user.get("name") or user.get("id")
        self._note(chosen, Decision("rejected", "approval_refused", f"{who} did not approve it", f"person:{who}"))


class RequestApprovalOperator(BaseOperator):
    """Asks a person to approve the run's candidate, by triggering the promote DAG for it.

    :param pipeline: The pipeline file.
    """

    template_fields = ()

    def __init__(self, *, pipeline: Pipeline, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline

    def execute(self, context: Context) -> NoReturn:
        """Trigger.

        :raises AirflowSkipException: If there is nothing to approve, or the run is a backfill's:
            nobody is asked for each of its models.
        :raises DeploymentError: If the promote DAG is paused: the question would wait unseen.
        """
        recorded = run_context.pull(context, RECORD_RESULT) or {}
        run_id = str(recorded.get("run_id"))
        promote = f"{self.pipeline.name}__promote"
        if recorded.get("outcome") != "pending":
            raise AirflowSkipException(f"{recorded.get('outcome') or 'nothing recorded'}: nothing to approve")
        dag_run = context["dag_run"]
        assert dag_run is not None
        if str(getattr(dag_run.run_type, "value", dag_run.run_type)) == "backfill":
            raise AirflowSkipException(
                f"nobody is asked for the models of a backfill; {promote} with candidate=best_of_backfill deploys its "
                "best"
            )
        if context["ti"].get_dag(promote).is_paused:
            raise DeploymentError(
                f"{promote} is paused, so nobody would be asked to approve run {run_id}; unpause it, then clear this "
                "task"
            )
        policy = "always" if context["params"].get("deploy_policy") == "always" else "newest"
        raise DagRunTriggerException(
            trigger_dag_id=promote,
            dag_run_id=f"approval__{run_id}",
            conf={"candidate": run_id, "deploy_policy": policy},
            logical_date=None,
            reset_dag_run=False,
            skip_when_already_exists=True,
            wait_for_completion=False,
            allowed_states=["success"],
            failed_states=["failed"],
            poke_interval=60,
            deferrable=False,
        )


def _line(value: Any) -> str:
    return " ".join(str(value if value is not None else "").split())
