"""Which run a task works for: pipeline, data interval and generation.

The generation is the DAG run's ``clear_number`` as ``start_execution`` saw it, and only that task's
view counts: every clear raises the number, but clearing a failed stage must find the execution that
exists. Must not import Airflow or boto3.
"""

from __future__ import annotations

from brewtrain.domain import names
from brewtrain.domain.errors import InputError
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run.interval import DataInterval
from brewtrain.domain.run.ladder import RerunMode


def identity_for_start(
    pipeline: Pipeline, interval: DataInterval, *, clear_number: int, rerun_mode: RerunMode, dag_run_id: str
) -> names.RunIdentity:
    """Return the identity under which ``start_execution`` will look for, or start, its execution.

    :param pipeline: The pipeline file.
    :param interval: Data interval of the DAG run.
    :param clear_number: The DAG run's, now.
    :param rerun_mode: ``fresh`` gives the DAG run an execution of its own even where another run of
        the interval has one.
    :param dag_run_id: The DAG run's id.
    :raises InputError: If the DAG run was cleared so often that the generation no longer fits the
        names.
    """
    generation = names.generation(clear_number, fresh_key=dag_run_id if rerun_mode == "fresh" else None)
    return _identity(pipeline, interval, generation)


def identity_of_run(pipeline: Pipeline, interval: DataInterval, run_id: str) -> names.RunIdentity:
    """Return the identity that an existing execution's name tells.

    :raises InputError: If the text is not a run id.
    """
    try:
        generation = names.generation_of(run_id)
    except ValueError as error:
        raise InputError(f"{error}; clear prepare_run with everything downstream") from error
    return _identity(pipeline, interval, generation)


def _identity(pipeline: Pipeline, interval: DataInterval, generation: str) -> names.RunIdentity:
    try:
        return names.RunIdentity(
            pipeline.name, interval.start, interval.end, generation, pipeline.data_days.newest(interval.end)
        )
    except ValueError as error:
        # No retry helps a name: the retry policy must see one of the package's own errors.
        raise InputError(str(error)) from error


def earlier_generations(identity: names.RunIdentity, *, clear_number: int) -> list[names.RunIdentity]:
    """Return the identities that the same DAG run may have had before, newest first.

    :param identity: The present one.
    :param clear_number: The DAG run's, now.
    """
    suffix = identity.generation.lstrip("0123456789")
    return [identity.with_generation(f"{number}{suffix}") for number in range(clear_number - 1, -1, -1)]
