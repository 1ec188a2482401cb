"""The tasks of the cleanup DAG: the plan of what may be deleted, and the deletion.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowSkipException

from brewtrain import run_context
from brewtrain.airflow_names import PLAN_CLEANUP
from brewtrain.domain import names
from brewtrain.domain.deployment.cleanup import (
    SETTLED_ENDPOINT,
    Decision,
    ExecutionFact,
    Inventory,
    Kind,
    plan,
    summary,
    table,
)
from brewtrain.domain.run.ladder import REDRIVE_PERIOD
from brewtrain.operators.base import BrewtrainOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.hooks.databrew_leftovers import DataBrewLeftoversHook
    from brewtrain.hooks.s3_pipeline import S3PipelineHook
    from brewtrain.hooks.sagemaker_hosting import SageMakerHostingHook

DRY_RUN = "dry_run"
"""Param of the DAG."""


class CleanupOperator(BrewtrainOperator):
    """What planning and deleting have in common: a look at AWS, and decisions."""

    @cached_property
    def _s3(self) -> S3PipelineHook:
        from brewtrain.hooks.s3_pipeline import S3PipelineHook

        return S3PipelineHook(self.aws_conn_id)

    @cached_property
    def _sagemaker(self) -> SageMakerHostingHook:
        from brewtrain.hooks.sagemaker_hosting import SageMakerHostingHook

        return SageMakerHostingHook(self.aws_conn_id, beside=self._s3)

    @cached_property
    def _databrew(self) -> DataBrewLeftoversHook:
        from brewtrain.hooks.databrew_leftovers import DataBrewLeftoversHook

        return DataBrewLeftoversHook(self.aws_conn_id, beside=self._s3)

    @property
    def _bucket(self) -> str:
        return self.pipeline.bucket_name(self._s3.account)

    @staticmethod
    def now() -> datetime:
        """Return the time by which the age of everything is judged."""
        return datetime.now(UTC)

    def decide(self) -> list[Decision]:
        """Look at everything and decide what may go; nothing is changed."""
        retention = self.pipeline.retention
        return plan(self._inventory(), run_days=retention.run_days, keep_targets=retention.rollback_targets)

    def _inventory(self) -> Inventory:
        from brewtrain.serving.history import serving_history_of

        name = self.pipeline.name
        # Executions are looked at before what they may use: what one makes afterwards is not in the
        # inventory at all.
        executions = self._executions()
        endpoints, problems = self._sagemaker.endpoints(self.pipeline.endpoint_name)
        for problem in problems:
            self.log.warning("%s", problem)
        configs = self._sagemaker.configs(name)
        return Inventory(
            pipeline=name,
            endpoint=self.pipeline.endpoint_name,
            bucket=self._bucket,
            now=self.now(),
            endpoints=endpoints,
            configs=configs,
            models=self._sagemaker.models(name),
            runs=self._s3.files(self._bucket, names.runs_prefix(name)),
            code=self._s3.files(self._bucket, names.code_prefix(name)),
            databrew=self._databrew.resources(name),
            recipe_versions=self._databrew.recipe_versions(name),
            executions=executions,
            serving_history=serving_history_of(self.pipeline, self._s3, bucket=self._bucket, configs=configs),
            code_in_use=self._code_in_use(),
            newest_recipe_version=self._databrew.newest_recipe_version(name),
        )

    def _executions(self) -> list[ExecutionFact]:
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        hook = StepFunctionsHook(self.aws_conn_id, beside=self._s3)
        machine = hook.account.state_machine_arn(self.pipeline.name)
        found = []
        for arn, stopped_at in hook.unfinished(machine, since=self.now() - REDRIVE_PERIOD):
            execution = hook.describe(arn)
            if execution is not None:
                found.append(ExecutionFact(execution.name, stopped_at, json.dumps(execution.input, sort_keys=True)))
        return found

    def _code_in_use(self) -> frozenset[str]:
        from brewtrain import resources
        from brewtrain.hooks.glue_job import GlueJobHook

        job = GlueJobHook(self.aws_conn_id, beside=self._s3).get_job(names.split_job(self.pipeline.name))
        location = str((job or {}).get("Command", {}).get("ScriptLocation", ""))
        _, _, key = location.removeprefix("s3://").partition("/")
        # The evaluation's files are named by the next run's input and by nothing on AWS.
        evaluation = names.evaluation_code_prefix(self.pipeline.name, resources.evaluation_code().sha256)
        return frozenset({evaluation, key} if key else {evaluation})


class PlanCleanupOperator(CleanupOperator):
    """Says of every resource whether it may go, and why; changes nothing."""

    def execute(self, context: Context) -> list[dict[str, str]]:
        """Log the table and return what may go.

        :returns: ``kind``, ``name`` and ``why`` of each resource that may go.
        :raises InputError: If the param ``dry_run`` is neither true nor false.
        :raises TransientError: If AWS was not available.
        """
        run_context.flag(context, DRY_RUN)
        decisions = self.decide()
        for line in table(decisions):
            self.log.info("%s", line)
        self.log.info("%s", summary(decisions))
        return [
            {"kind": decision.kind.value, "name": decision.name, "why": decision.why}
            for decision in decisions
            if decision.delete
        ]


class ApplyCleanupOperator(CleanupOperator):
    """Deletes what the plan named and a second look finds may still go.

    Before each endpoint config and model the endpoint is asked again what it serves. Every deletion
    is idempotent: a second try goes on where the first one ended.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Delete what was planned.

        :returns: Number of resources ``deleted`` and ``kept``, and of ``bytes`` freed.
        :raises AirflowSkipException: If the run was asked for the plan only, or there is nothing to
            delete.
        :raises TransientError: If AWS was not available; what was deleted so far stays deleted.
        """
        if run_context.flag(context, DRY_RUN):
            raise AirflowSkipException("dry_run: nothing was deleted")
        planned = context["ti"].xcom_pull(task_ids=PLAN_CLEANUP, map_indexes=-1) or []
        named = {(one["kind"], one["name"]) for one in planned}
        if not named:
            raise AirflowSkipException("there is nothing to delete")
        going = [one for one in self.decide() if one.delete and (one.kind.value, one.name) in named]
        results = [self._delete(decision) for decision in going if decision.kind is not Kind.RECIPE_VERSION]
        results += self._delete_recipe_versions([one.name for one in going if one.kind is Kind.RECIPE_VERSION])
        deleted = sum(results)
        size = sum(decision.size_bytes for decision in going)
        self.log.info(
            "deleted %s of %s planned, %.1f MB; %s kept after all",
            deleted,
            len(named),
            size / 1e6,
            len(named) - deleted,
        )
        return {"deleted": deleted, "kept": len(named) - deleted, "bytes": size}

    def _delete(self, decision: Decision) -> bool:
        """Delete one resource, unless it must stay after all, and return whether it is gone."""
        kept = self._refused(decision)
        if kept is None:
            kept = self._call(decision)
        if kept is not None:
            self.log.info("= %s %s is kept: %s", decision.kind.value, decision.name, kept)
            return False
        self.log.info("- %s %s: %s", decision.kind.value, decision.name, decision.why)
        return True

    def _refused(self, decision: Decision) -> str | None:
        """Return why a config or model must stay by what the endpoint serves right now."""
        if decision.kind not in (Kind.ENDPOINT_CONFIG, Kind.MODEL):
            return None
        name = self.pipeline.endpoint_name
        endpoint = self._sagemaker.describe_endpoint(name)
        if endpoint is None:
            return None
        if endpoint["EndpointStatus"] not in SETTLED_ENDPOINT:
            return f"endpoint {name} is {endpoint['EndpointStatus']} now"
        configs = self._sagemaker.configs_of(endpoint)
        if decision.kind is Kind.ENDPOINT_CONFIG:
            return f"endpoint {name} serves it now" if decision.name in configs else None
        from brewtrain.hooks.sagemaker_hosting import models_of

        for config in configs:
            if decision.name in models_of(self._sagemaker.describe_config(config) or {}):
                return f"endpoint {name} serves it now"
        return None

    def _call(self, decision: Decision) -> str | None:
        """Delete one resource, and return why not, if AWS keeps it."""
        if decision.kind is Kind.ENDPOINT_CONFIG:
            self._sagemaker.delete_config(decision.name)
        elif decision.kind is Kind.MODEL:
            self._sagemaker.delete_model(decision.name)
        elif decision.kind is Kind.DATABREW_JOB:
            return "something still uses it" if self._databrew.delete_job(decision.name) == "in use" else None
        elif decision.kind is Kind.DATABREW_RULESET:
            return "something still uses it" if self._databrew.delete_ruleset(decision.name) == "in use" else None
        elif decision.kind is Kind.DATABREW_DATASET:
            return "something still uses it" if self._databrew.delete_dataset(decision.name) == "in use" else None
        else:
            self._s3.delete(self._bucket, decision.keys)
        return None

    def _delete_recipe_versions(self, versions: list[str]) -> list[bool]:
        kept = self._databrew.delete_recipe_versions(self.pipeline.name, versions)
        for version in versions:
            if version in kept:
                self.log.info("= recipe version %s is kept: %s", version, kept[version])
            else:
                self.log.info("- recipe version %s", version)
        return [version not in kept for version in versions]
