"""What may be deleted of a pipeline, and why: a decision for every resource of an inventory.

One place, pure, so that "never what serves, never a rollback target" is a property that tests can
search for counter-examples of. Whatever this module does not know to be dead is kept. Must not
import Airflow or boto3.

Source: DeleteEndpointConfig and DeleteModel in the Amazon SageMaker API Reference: a config must
not be deleted while an endpoint serves it or is being updated to it, and a serving endpoint needs
its model to scale out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from brewtrain.domain import names
from brewtrain.domain.run.ladder import REDRIVE_PERIOD
from brewtrain.domain.serving.serving_history import Serving, last_served, served_before

# A resource is older than this only if no execution that uses it is about to start, however long
# Airflow's queue is.
SETTLING_PERIOD = timedelta(days=2)
# What a run wrote that is needed for as long as its model may serve again: the model, and the
# evaluation that the next candidate is compared with, and the digests of what the run has read. The
# rest is the data itself, which is what run_days is about.
KEPT_OF_A_MODEL = ("model/", "evaluation/", "split.json", "result.json", "input.json")
_CODE = re.compile(r"split-[0-9a-f]{12}\.py|evaluation-[0-9a-f]{12}/")
# Not finished by any of these: an endpoint in them may be on its way to, or back from, a config.
SETTLED_ENDPOINT = frozenset({"InService", "Failed", "OutOfService"})


class Kind(StrEnum):
    """Kinds of resources in the order of deletion: what refers to something goes before it."""

    ENDPOINT_CONFIG = "endpoint config"
    MODEL = "model"
    DATABREW_JOB = "DataBrew job"
    DATABREW_RULESET = "DataBrew ruleset"
    DATABREW_DATASET = "DataBrew dataset"
    RUN_FILES = "run files"
    CODE = "code"
    RECIPE_VERSION = "recipe version"


@dataclass(frozen=True)
class EndpointConfig:
    """An endpoint config that carries this pipeline's tag.

    :param models: Names of the models of all its variants.
    :param run_id: Value of its tag ``brewtrain:run-id``.
    """

    name: str
    created_at: datetime
    models: tuple[str, ...]
    run_id: str | None = None


@dataclass(frozen=True)
class Model:
    """A SageMaker model that carries this pipeline's tag.

    :param artifacts: S3 address of each of its containers' model data.
    :param run_id: Value of its tag ``brewtrain:run-id``.
    """

    name: str
    created_at: datetime
    artifacts: tuple[str, ...] = ()
    run_id: str | None = None


@dataclass(frozen=True)
class Files:
    """Objects in S3 below one prefix, or one object.

    :param prefix: Key prefix with its slash, or the object's key.
    :param newest_at: Newest LastModified.
    :param objects: Path below the prefix → size in bytes.
    """

    prefix: str
    newest_at: datetime
    objects: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RunResource:
    """A DataBrew job, ruleset or dataset of one run."""

    kind: Kind
    name: str
    created_at: datetime


@dataclass(frozen=True)
class RecipeVersion:
    """A published version of the pipeline's recipe."""

    version: str
    published_at: datetime


@dataclass(frozen=True)
class Endpoint:
    """An endpoint of the account that may use what is this pipeline's.

    :param configs: The config that it serves and, while it is updated, the one that it is updated
        to.
    :param models: Models that these name.
    :param artifacts: S3 addresses of the model data of these.
    """

    name: str
    status: str
    configs: frozenset[str]
    models: frozenset[str] = frozenset()
    artifacts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ExecutionFact:
    """An execution of the pipeline's state machine that runs or may be redriven.

    :param name: Its name: a run's id, or a promotion's or rollback's.
    :param stopped_at: ``None`` while it runs.
    :param text: Its input, as text, in which what it refers to is looked for.
    """

    name: str
    stopped_at: datetime | None
    text: str = ""


@dataclass(frozen=True)
class Inventory:
    """All resources of one pipeline.

    :param pipeline: Its name.
    :param endpoint: Name of its endpoint.
    :param bucket: Its bucket.
    :param now: When the inventory was taken, aware.
    :param endpoints: Endpoints of the account, the pipeline's own among them if it exists.
    :param executions: Running ones, and failed ones that may still be redriven.
    :param serving_history: What served when, oldest first.
    :param code_in_use: Keys or prefixes below the code prefix that something deployed refers to.
    :param newest_recipe_version: The one that the next run is pinned to.
    """

    pipeline: str
    endpoint: str
    bucket: str
    now: datetime
    endpoints: Sequence[Endpoint] = ()
    configs: Sequence[EndpointConfig] = ()
    models: Sequence[Model] = ()
    runs: Sequence[Files] = ()
    code: Sequence[Files] = ()
    databrew: Sequence[RunResource] = ()
    recipe_versions: Sequence[RecipeVersion] = ()
    executions: Sequence[ExecutionFact] = ()
    serving_history: Sequence[Serving] = ()
    code_in_use: frozenset[str] = frozenset()
    newest_recipe_version: str | None = None


@dataclass(frozen=True)
class Decision:
    """What is to become of one resource.

    :param delete: Whether it goes.
    :param why: One phrase.
    :param keys: For files: the S3 keys that go.
    :param size_bytes: For files: how much that is.
    """

    kind: Kind
    name: str
    delete: bool
    why: str
    keys: tuple[str, ...] = ()
    size_bytes: int = 0


def rollback_targets(
    configs: Iterable[EndpointConfig], serving_history: Sequence[Serving], *, serving: str | None, count: int
) -> list[str]:
    """Return the configs that are kept to roll back to.

    First those that "the previous" leads to, one rollback after the other; then, after a rollback,
    as many of those that served later. Where fewer than promised are left, the newest of the others
    fill up, and where nothing serves the last config that did is one of them in addition.

    :param serving_history: What served when, oldest first.
    :param serving: The config that serves.
    :param count: ``retention.rollback_targets``.
    """
    if serving is None:
        count += 1
    there = {config.name: config for config in configs if config.name != serving}
    before = [name for name in served_before(serving_history, serving) if name in there][:count]
    times = {name: time for name, time in last_served(serving_history).items() if name in there}
    latest = sorted(times, key=lambda name: (times[name], name), reverse=True)[:count]
    found = list(dict.fromkeys([*before, *latest]))
    others = sorted(there.values(), key=lambda config: (config.created_at, config.name), reverse=True)
    found += [config.name for config in others if config.name not in found][: max(0, count - len(found))]
    return found


def plan(inventory: Inventory, *, run_days: int, keep_targets: int) -> list[Decision]:
    """Decide on every resource of the inventory, in the order in which what goes is to be deleted.

    :param run_days: ``retention.run_days``.
    :param keep_targets: ``retention.rollback_targets``.
    """
    return _Planner(inventory, run_days=run_days, keep_targets=keep_targets).decisions()


class _Planner:
    def __init__(self, inventory: Inventory, *, run_days: int, keep_targets: int) -> None:
        self._all = inventory
        self._keep_targets = keep_targets
        self._expiry = timedelta(days=run_days)
        self._run_days = run_days
        self._kept_configs: set[str] = set()
        self._used_by: dict[str, str] = {}
        for endpoint in inventory.endpoints:
            for config in endpoint.configs:
                settled = endpoint.status in SETTLED_ENDPOINT
                text = (
                    f"endpoint {endpoint.name} serves it"
                    if settled
                    else f"endpoint {endpoint.name} is {endpoint.status}"
                )
                self._used_by.setdefault(config, text)
        self._unsettled = next(
            (
                one
                for one in inventory.endpoints
                if one.name == inventory.endpoint and one.status not in SETTLED_ENDPOINT
            ),
            None,
        )
        self._targets = rollback_targets(
            inventory.configs, inventory.serving_history, serving=_serving(inventory), count=keep_targets
        )

    def decisions(self) -> list[Decision]:
        configs = [self._config(config) for config in sorted(self._all.configs, key=_age)]
        kept = {decision.name for decision in configs if not decision.delete}
        self._kept_configs = kept | set(self._used_by)
        reasons: dict[str, str] = {}
        for config in self._all.configs:
            if config.name in kept:
                for model in config.models:
                    reasons.setdefault(model, f"endpoint config {config.name} is kept and uses it")
        models = [self._model(model, reasons) for model in sorted(self._all.models, key=_age)]
        kept_models = {decision.name for decision in models if not decision.delete}
        needed = self._needed_runs(kept_models)
        found = [
            *configs,
            *models,
            *(self._databrew(resource) for resource in self._all.databrew),
            *(self._run(files, needed) for files in self._all.runs),
            *(self._code(files) for files in self._all.code),
            *(self._recipe_version(version) for version in self._all.recipe_versions),
        ]
        order = {kind: number for number, kind in enumerate(Kind)}
        return sorted(found, key=lambda decision: order[decision.kind])

    # -- endpoint configs and models ---------------------------------------------------------------

    def _config(self, config: EndpointConfig) -> Decision:
        def decide(delete: bool, why: str) -> Decision:
            return Decision(Kind.ENDPOINT_CONFIG, config.name, delete, why)

        if config.name in self._used_by:
            return decide(False, self._used_by[config.name])
        if config.name in self._targets:
            return decide(False, f"one of the rollback targets (retention.rollback_targets is {self._keep_targets})")
        reason = self._alive(config.name, config.run_id, config.created_at)
        if reason:
            return decide(False, reason)
        served = (
            "served before, and " if config.name in last_served(self._all.serving_history) else "never served, and "
        )
        return decide(True, f"{served}is not one of the last {self._keep_targets} rollback targets")

    def _model(self, model: Model, named_by_kept: Mapping[str, str]) -> Decision:
        def decide(delete: bool, why: str) -> Decision:
            return Decision(Kind.MODEL, model.name, delete, why)

        if model.name in named_by_kept:
            return decide(False, named_by_kept[model.name])
        for endpoint in self._all.endpoints:
            if model.name in endpoint.models:
                return decide(False, f"endpoint {endpoint.name} serves it")
        reason = self._alive(model.name, model.run_id, model.created_at)
        return decide(False, reason) if reason else decide(True, "no endpoint config that is kept uses it")

    def _alive(self, name: str, run_id: str | None, created_at: datetime) -> str | None:
        """Return why something made by an execution may still be needed; ``None`` if it is not."""
        if self._unsettled is not None:
            return f"endpoint {self._unsettled.name} is {self._unsettled.status}: what it may need is kept"
        if self._all.now - created_at < SETTLING_PERIOD:
            return f"made less than {SETTLING_PERIOD.days} days ago"
        for run in (run_id, names.run_of_job(self._all.pipeline, name)):
            reason = self._execution_of(run)
            if reason:
                return reason
        return None

    def _execution_of(self, run_id: str | None) -> str | None:
        for execution in self._all.executions:
            if run_id is None or (execution.name != run_id and run_id not in execution.text):
                continue
            if execution.stopped_at is None:
                return f"execution {execution.name} is running"
            if self._all.now - execution.stopped_at < REDRIVE_PERIOD:
                return f"execution {execution.name} failed and may still be redriven"
        return None

    # -- files -------------------------------------------------------------------------------------

    def _needed_runs(self, kept_models: set[str]) -> dict[str, str]:
        """Return prefix of a run folder → what uses its model: a kept model, or an endpoint."""
        artifacts = {address: one.name for one in self._all.endpoints for address in one.artifacts}
        artifacts |= {
            address: model.name
            for model in self._all.models
            if model.name in kept_models
            for address in model.artifacts
        }
        needed: dict[str, str] = {}
        for files in self._all.runs:
            for address, model in artifacts.items():
                if address.startswith(f"s3://{self._all.bucket}/{files.prefix}"):
                    needed[files.prefix] = model
        return needed

    def _run(self, files: Files, needed: Mapping[str, str]) -> Decision:
        run_id = files.prefix.rstrip("/").rsplit("/", 1)[-1]

        def decide(why: str, paths: Iterable[str] = ()) -> Decision:
            gone = sorted(paths)
            size = sum(files.objects[path] for path in gone)
            keys = tuple(files.prefix + path for path in gone)
            return Decision(Kind.RUN_FILES, files.prefix, bool(gone), why, keys, size)

        if not names.is_run_id(self._all.pipeline, run_id) or not files.prefix.endswith("/"):
            return decide("does not have a run's name")
        reason = self._execution_of(run_id)
        if reason:
            return decide(reason)
        age = self._all.now - files.newest_at
        if age < self._expiry:
            return decide(f"{age.days} days old, kept for {self._run_days}")
        model = needed.get(files.prefix)
        if model is None:
            return decide(f"{age.days} days old, kept for {self._run_days}", files.objects)
        data = [path for path in files.objects if not path.startswith(KEPT_OF_A_MODEL)]
        if not data:
            return decide(f"the model of {model} is stored here")
        return decide(f"its data is {age.days} days old; the model of {model} and its evaluation stay", data)

    def _code(self, files: Files) -> Decision:
        def decide(delete: bool, why: str) -> Decision:
            keys = tuple(files.prefix + path for path in sorted(files.objects)) if delete else ()
            return Decision(Kind.CODE, files.prefix, delete, why, keys, sum(files.objects.values()) if delete else 0)

        if not _CODE.fullmatch(files.prefix.rsplit("/code/", 1)[-1]):
            return decide(False, "does not have the name of deployed code")
        used = [key for key in self._all.code_in_use if key.startswith(files.prefix) or files.prefix.startswith(key)]
        if used:
            return decide(False, "deployed: the next run uses it")
        for execution in self._all.executions:
            if files.prefix.rstrip("/") in execution.text:
                return decide(False, f"execution {execution.name} refers to it")
        age = self._all.now - files.newest_at
        if age < max(self._expiry, SETTLING_PERIOD):
            return decide(False, f"{age.days} days old, kept for {self._run_days}")
        return decide(True, f"{age.days} days old and nothing refers to it")

    # -- DataBrew ----------------------------------------------------------------------------------

    def _databrew(self, resource: RunResource) -> Decision:
        def decide(delete: bool, why: str) -> Decision:
            return Decision(resource.kind, resource.name, delete, why)

        run_id = names.run_of_job(self._all.pipeline, resource.name)
        if run_id is None:
            return decide(False, "does not have a run's name")
        running = next(
            (
                one
                for one in self._all.executions
                if one.stopped_at is None and run_id in (one.name, *one.text.split('"'))
            ),
            None,
        )
        if running is not None:
            return decide(False, f"execution {running.name} is running")
        if self._all.now - resource.created_at < SETTLING_PERIOD:
            return decide(False, f"made less than {SETTLING_PERIOD.days} days ago")
        return decide(True, f"left over: run {run_id} is not running")

    def _recipe_version(self, version: RecipeVersion) -> Decision:
        def decide(delete: bool, why: str) -> Decision:
            return Decision(Kind.RECIPE_VERSION, version.version, delete, why)

        if self._all.newest_recipe_version is None or version.version == self._all.newest_recipe_version:
            return decide(False, "the next run is pinned to it")
        for entry in self._all.serving_history:
            if entry.recipe_version == version.version and entry.endpoint_config in self._kept_configs:
                return decide(False, f"made the data of endpoint config {entry.endpoint_config}, which is kept")
        for execution in self._all.executions:
            if f'"recipe_version": "{version.version}"' in execution.text:
                return decide(False, f"execution {execution.name} is pinned to it")
        age = self._all.now - version.published_at
        if age < max(self._expiry, SETTLING_PERIOD):
            return decide(False, f"published {age.days} days ago, kept for {self._run_days}")
        return decide(True, f"published {age.days} days ago and nothing is pinned to it")


def _age(resource: EndpointConfig | Model) -> tuple[datetime, str]:
    return resource.created_at, resource.name


def _serving(inventory: Inventory) -> str | None:
    """Return the config that the pipeline's endpoint serves.

    Of two, while it is updated, the one that served first.
    """
    own = next((one for one in inventory.endpoints if one.name == inventory.endpoint), None)
    if own is None:
        return None
    times = last_served(inventory.serving_history)
    return min(own.configs, key=lambda name: (name not in times, times.get(name, inventory.now), name), default=None)


def table(decisions: Sequence[Decision]) -> list[str]:
    """Return the decisions as lines of a table: what, which, why, sizes last."""
    rows = [
        (
            "delete" if one.delete else "keep",
            one.kind.value,
            one.name,
            one.why + (f" ({_size(one)})" if one.keys else ""),
        )
        for one in decisions
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    return ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows]


def summary(decisions: Sequence[Decision]) -> str:
    """Return the plan in one sentence."""
    going = [one for one in decisions if one.delete]
    size = sum(one.size_bytes for one in going)
    return (
        f"{len(going)} of {len(decisions)} resources can be deleted, including "
        f"{sum(len(one.keys) for one in going)} files of {size / 1e6:.1f} MB"
    )


def _size(decision: Decision) -> str:
    return f"{len(decision.keys)} files, {decision.size_bytes / 1e6:.1f} MB"
