"""The tasks of the promote DAG, but for those it shares with the rollback DAG.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from brewtrain.airflow_names import PROMOTION
from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError, InputError
from brewtrain.domain.evaluation.job import PAGE_FILE
from brewtrain.domain.run.execution_input import promotion_input
from brewtrain.domain.run.outcome import Outcome
from brewtrain.domain.serving.model_package import RUN_ID, Decision
from brewtrain.domain.serving.promotion import Request, best_of, body, of_backfill, read_request, refusal, subject
from brewtrain.operators.base import BrewtrainOperator
from brewtrain.operators.check_endpoint import CheckEndpointOperator
from brewtrain.operators.record_deployment import RecordDeploymentOperator
from brewtrain.operators.start_deployment import StartDeploymentOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.approval import Answer
    from brewtrain.hooks.s3_pipeline import S3PipelineHook
    from brewtrain.hooks.stepfunctions import StepFunctionsHook


class CheckPromotionOperator(CheckEndpointOperator):
    """Checks what a promotion needs; see :class:`CheckEndpointOperator`."""

    def check_params(self, params: Mapping[str, Any]) -> None:
        """Check the params of a promotion.

        :raises InputError: If one has no valid value.
        """
        read_request(params, pipeline=self.pipeline.name)


class ChooseCandidateOperator(BrewtrainOperator):
    """Finds the run whose model is to be deployed, and checks that it can be."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Choose the candidate.

        :returns: ``run_id``, ``data_date``, ``metrics``, ``model_artifacts``,
            ``model_package_arn``, ``evaluation_uri``, ``serving`` (the config that serves),
            ``deploy_policy``, and the question to a person: ``subject`` and ``body``.
        :raises InputError: If a param has no valid value, or the candidate does not exist or was
            refused.
        :raises DeploymentError: If the candidate's model archive is gone, or another pipeline file
            names the same endpoint.
        :raises AirflowSkipException: If the endpoint serves this very model already.
        """
        request = read_request(context["params"], pipeline=self.pipeline.name)
        from brewtrain import resources
        from brewtrain.hooks.s3_pipeline import S3PipelineHook

        resources.check_endpoint_claim(self.pipeline)
        s3 = S3PipelineHook(self.aws_conn_id)
        result = self._find(request, s3, self.pipeline.bucket_name(s3.account))
        reason = self._refusal(result, request, s3)
        self._check_archive(result, s3)
        serving_config, serving = self._serving(result, s3)
        chosen = self._chosen(result, request, serving_config=serving_config, serving=serving, refused=reason)
        self.log.info("candidate: run %s, data up to %s\n%s", chosen["run_id"], chosen["data_date"], chosen["body"])
        return chosen

    def _chosen(
        self,
        result: Mapping[str, Any],
        request: Request,
        *,
        serving_config: str | None,
        serving: str,
        refused: str | None,
    ) -> dict[str, Any]:
        from brewtrain.recording.results import evaluation_prefix

        run_id, data_date = str(result["run_id"]), str(result["data_date"])
        evaluation_uri = evaluation_prefix(result.get("evaluation"))
        return {
            "run_id": run_id,
            "data_date": data_date,
            "metrics": result.get("metrics") or {},
            "model_artifacts": result["model_artifacts"],
            "model_package_arn": result.get("model_package_arn"),
            "evaluation_uri": evaluation_uri,
            "serving": serving_config,
            "deploy_policy": request.deploy_policy,
            "subject": subject(
                pipeline=self.pipeline.name,
                endpoint=self.pipeline.endpoint_name,
                run_id=run_id,
                data_date=data_date,
            ),
            "body": body(
                result,
                serving=serving,
                report=f"{evaluation_uri}{PAGE_FILE}" if evaluation_uri else None,
                deploy_policy=request.deploy_policy,
                note=f"Refused before: {refused}" if refused else None,
            ),
        }

    def _find(self, request: Request, s3: S3PipelineHook, bucket: str) -> Mapping[str, Any]:
        """Return the candidate's result document."""
        if request.best_of_backfill:
            return self._best_of_backfill(request, s3, bucket)
        from brewtrain.recording.results import read_result

        name = self.pipeline.name
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

    def _best_of_backfill(self, request: Request, s3: S3PipelineHook, bucket: str) -> Mapping[str, Any]:
        name = self.pipeline.name
        folders = s3.folders(bucket, names.runs_prefix(name))
        keys = [f"{folder}{names.RESULT_FILE}" for folder in folders]
        found = of_backfill((document for _, document in s3.read_documents(bucket, keys)), request)
        for result in found:
            self.log.info(
                "  %s  %s  %s = %s  %s",
                result["data_date"],
                result["run_id"],
                request.metric,
                result["metrics"].get(request.metric),
                result["reason"],
            )
        best = best_of(found, request, pipeline=name)
        self.log.info("best of %s by %s: %s", len(found), request.metric, best["run_id"])
        return best

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

    def _refusal(self, result: Mapping[str, Any], request: Request, s3: S3PipelineHook) -> str | None:
        """Return why the candidate was refused, if it was and a person wants it all the same."""
        reason = refusal(result) or ("it was rejected in the model registry" if self._rejected(result, s3) else None)
        if reason and not request.even_if_refused:
            raise InputError(
                f"run {result['run_id']} may not be promoted: {reason} ({_line(result.get('message'))}); choose "
                "another candidate, or trigger with even_if_refused if a person has looked at it"
            )
        return reason

    def _rejected(self, result: Mapping[str, Any], s3: S3PipelineHook) -> bool:
        from brewtrain.hooks.model_registry import ModelRegistryHook

        arn = result.get("model_package_arn")
        if not arn:
            return False
        package = ModelRegistryHook(self.aws_conn_id, beside=s3).describe_package(str(arn))
        return package is not None and package.get("ModelApprovalStatus") == "Rejected"

    def _check_archive(self, result: Mapping[str, Any], s3: S3PipelineHook) -> None:
        artifacts = result.get("model_artifacts")
        if not artifacts or not s3.exists(str(artifacts)):
            raise DeploymentError(
                f"the model archive of run {result['run_id']} is gone ({artifacts or 'its result names none'}): "
                "restore it from the bucket's versions, or train that interval again with "
                f"{self.pipeline.name}__retrain"
            )

    def _serving(self, result: Mapping[str, Any], s3: S3PipelineHook) -> tuple[str | None, str]:
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
        if addresses == {str(result["model_artifacts"])} and endpoint["EndpointStatus"] == "InService":
            raise AirflowSkipException(f"endpoint {name} serves the model of run {result['run_id']} already")
        return config_name, f"`{config_name}`, data up to {tags.get(names.DATE_TAG, 'unknown')}"


class StartPromotionOperator(StartDeploymentOperator):
    """Starts the execution that deploys the candidate; see :class:`StartDeploymentOperator`."""

    tasks = PROMOTION

    def document(self, hook: StepFunctionsHook, chosen: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Build the input of a promotion from the candidate's result document.

        :raises DeploymentError: If the document is gone.
        """
        from brewtrain import resources
        from brewtrain.hooks.s3_pipeline import S3PipelineHook
        from brewtrain.recording.results import read_result

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

    tasks = PROMOTION

    def note_refusal(self, chosen: Mapping[str, Any], answer: Answer) -> None:
        """Note in the model registry that a person refused the candidate.

        Where nobody answered, the candidate goes on waiting for an approval, and another promotion
        may ask for it again.
        """
        if answer.approved or answer.user is None:
            return
        decision = Decision(
            "rejected", "approval_refused", f"{answer.user} did not approve it", f"person:{answer.user}"
        )
        self.note(chosen, decision)


def _line(value: Any) -> str:
    return " ".join(str(value if value is not None else "").split())
