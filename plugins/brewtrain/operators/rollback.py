"""The tasks of the rollback DAG, but for those it shares with the promote DAG.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from brewtrain.airflow_names import ROLLBACK
from brewtrain.domain.errors import DeploymentError, TransientError
from brewtrain.domain.names import DATE_TAG, PIPELINE_TAG, RUN_TAG
from brewtrain.domain.run.execution_input import rollback_input
from brewtrain.domain.serving.rollback import Target, body, choose, read_target, subject
from brewtrain.operators.base import BrewtrainOperator
from brewtrain.operators.check_endpoint import CheckEndpointOperator
from brewtrain.operators.record_deployment import RecordDeploymentOperator
from brewtrain.operators.start_deployment import StartDeploymentOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.hooks.s3_pipeline import S3PipelineHook
    from brewtrain.hooks.sagemaker_hosting import SageMakerHostingHook
    from brewtrain.hooks.stepfunctions import StepFunctionsHook

# While the endpoint is changing, nobody knows what a rollback would go back from.
_CHANGING = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})


class CheckRollbackOperator(CheckEndpointOperator):
    """Checks what a rollback needs; see :class:`CheckEndpointOperator`."""

    def check_params(self, params: Mapping[str, Any]) -> None:
        """Check the params of a rollback.

        :raises InputError: If one has no valid value.
        """
        read_target(params)


class ChooseVersionOperator(BrewtrainOperator):
    """Finds the endpoint config to go back to, and checks that it can serve."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Choose the endpoint config.

        :returns: ``endpoint_config``, ``model``, ``run_id``, ``data_date``, ``metrics``,
            ``model_package_arn``, ``evaluation_uri``, ``serving`` (the config that serves), and the
            question to a person: ``subject`` and ``body``.
        :raises InputError: If the param ``target`` cannot be the name of an endpoint config.
        :raises DeploymentError: If there is nothing to go back to, or it cannot serve; the endpoint
            is untouched.
        :raises TransientError: If the endpoint is being updated, or AWS was not available.
        """
        wanted = read_target(context["params"])
        from brewtrain import resources
        from brewtrain.hooks.s3_pipeline import S3PipelineHook
        from brewtrain.hooks.sagemaker_hosting import SageMakerHostingHook
        from brewtrain.serving.history import serving_history_of

        resources.check_endpoint_claim(self.pipeline)
        s3 = S3PipelineHook(self.aws_conn_id)
        sagemaker = SageMakerHostingHook(self.aws_conn_id, beside=s3)
        bucket = self.pipeline.bucket_name(s3.account)
        serving = self._serving(sagemaker)
        target, notes = choose(
            wanted,
            pipeline=self.pipeline.name,
            endpoint=self.pipeline.endpoint_name,
            serving=serving,
            serving_history=serving_history_of(
                self.pipeline, s3, bucket=bucket, configs=sagemaker.configs(self.pipeline.name)
            ),
            look=lambda name: self._look(name, sagemaker, s3),
        )
        chosen = self._chosen(target, notes, serving, sagemaker, s3)
        self.log.info("%s\n%s", chosen["subject"], chosen["body"])
        return chosen

    def _chosen(
        self,
        target: Target,
        notes: list[str],
        serving: str,
        sagemaker: SageMakerHostingHook,
        s3: S3PipelineHook,
    ) -> dict[str, Any]:
        from brewtrain.recording.results import evaluation_prefix, read_result

        found = sagemaker.describe_config(serving)
        serving_date = None if found is None else sagemaker.tags(found["EndpointConfigArn"]).get(DATE_TAG)
        bucket = self.pipeline.bucket_name(s3.account)
        result = (read_result(s3, self.pipeline, bucket, target.run_id) if target.run_id else None) or {}
        metrics = result.get("metrics") or {}
        return {
            "endpoint_config": target.name,
            "model": target.models[0] if target.models else None,
            "run_id": target.run_id,
            "data_date": target.data_date,
            "metrics": metrics,
            "model_package_arn": result.get("model_package_arn"),
            "evaluation_uri": evaluation_prefix(result.get("evaluation")),
            "serving": serving,
            "subject": subject(
                target,
                pipeline=self.pipeline.name,
                endpoint=self.pipeline.endpoint_name,
                serving=serving,
                serving_date=serving_date,
            ),
            "body": body(target, serving=serving, serving_date=serving_date, metrics=metrics, notes=notes),
        }

    def _serving(self, sagemaker: SageMakerHostingHook) -> str:
        name = self.pipeline.endpoint_name
        endpoint = sagemaker.describe_endpoint(name)
        if endpoint is None or not endpoint.get("EndpointConfigName"):
            raise DeploymentError(
                f"endpoint {name!r} does not exist, so there is nothing to roll back; {self.pipeline.name}__promote "
                "creates it with the model of an earlier run"
            )
        if endpoint["EndpointStatus"] in _CHANGING:
            raise TransientError(
                f"endpoint {name!r} is {endpoint['EndpointStatus']}: what it will serve is not known yet; try again "
                "when it is InService"
            )
        return str(endpoint["EndpointConfigName"])

    def _look(self, name: str, sagemaker: SageMakerHostingHook, s3: S3PipelineHook) -> Target | None:
        from brewtrain.hooks.sagemaker_hosting import artifacts_of, models_of

        config = sagemaker.describe_config(name)
        if config is None:
            return None
        tags = sagemaker.tags(config["EndpointConfigArn"])
        missing: list[str] = []
        models = models_of(config)
        # Another pipeline's model may lie where this role must not look.
        for model in models if tags.get(PIPELINE_TAG) == self.pipeline.name else ():
            found = sagemaker.describe_model(model)
            if found is None:
                missing.append(f"its model {model} was deleted")
                continue
            missing += [f"its archive {address} is gone" for address in artifacts_of(found) if not s3.exists(address)]
        return Target(
            name=name,
            pipeline=tags.get(PIPELINE_TAG),
            run_id=tags.get(RUN_TAG),
            data_date=tags.get(DATE_TAG),
            models=models,
            missing=tuple(missing),
        )


class StartRollbackOperator(StartDeploymentOperator):
    """Starts the execution that goes back to the config; see :class:`StartDeploymentOperator`."""

    tasks = ROLLBACK

    def check_before_start(self, context: Context, hook: StepFunctionsHook) -> None:
        """Check that nothing was deployed since a person was asked.

        :raises DeploymentError: If the endpoint serves another config now.
        """
        from brewtrain.hooks.sagemaker_hosting import SageMakerHostingHook

        endpoint = SageMakerHostingHook(self.aws_conn_id, beside=hook).describe_endpoint(self.pipeline.endpoint_name)
        now = None if endpoint is None else endpoint.get("EndpointConfigName")
        confirmed = self.chosen(context)["serving"]
        if now != confirmed:
            raise DeploymentError(
                f"endpoint {self.pipeline.endpoint_name!r} serves {now or 'nothing'} now, and not {confirmed} as when "
                "the rollback was confirmed; trigger a new rollback"
            )

    def document(self, hook: StepFunctionsHook, chosen: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Build the input of a rollback to the config that was chosen."""
        return rollback_input(
            self.pipeline,
            endpoint_config_name=chosen["endpoint_config"],
            model_name=chosen["model"],
            run_id=chosen["run_id"],
            data_date=chosen["data_date"],
        )


class RecordRollbackOperator(RecordDeploymentOperator):
    """Records a rollback; see :class:`RecordDeploymentOperator`."""

    tasks = ROLLBACK
