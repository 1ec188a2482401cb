"""Prepare Airflow's metadata database: migrate it and create the pools that pipelines name.

Airflow never schedules a task whose pool does not exist, and only a warning in the UI says so. So
whatever starts Airflow on one machine runs this first. An existing pool keeps the slots that a
person gave it. On your own Airflow, `airflow pools set NAME SLOTS DESCRIPTION --include-deferred`
does the same (docs/backfill.md).

    python -m tools.airflow_metadata

Imports Airflow: run it as a program, in the environment of `tools.airflow_env`.
"""

from __future__ import annotations

import argparse
import sys

RETRAINING_POOL = "retraining"
RETRAINING_SLOTS = 8
_DESCRIPTION = "Retrainings that run at once; waiting stages count."


def migrate() -> None:
    """Migrate the database as ``airflow db migrate`` does."""
    from airflow.cli import cli_parser

    arguments = cli_parser.get_parser().parse_args(["db", "migrate"])
    arguments.func(arguments)


def create_pools() -> list[str]:
    """Create the missing pools, which count deferred tasks, and return their names."""
    from airflow.models.pool import Pool

    from brewtrain.resources import valid_pipelines

    # A pipeline that names no pool runs in Airflow's own, which always exists.
    named = {pipeline.pool for pipeline in valid_pipelines()}
    created = []
    for name in sorted(named | {RETRAINING_POOL}):
        if Pool.get_pool(name) is None:
            Pool.create_or_update_pool(name, RETRAINING_SLOTS, _DESCRIPTION, include_deferred=True)
            created.append(name)
    return created


def main(arguments: list[str] | None = None) -> int:
    """Migrate the database, then create the pools."""
    argparse.ArgumentParser(
        prog="python -m tools.airflow_metadata", description=(__doc__ or "").split("\n")[0]
    ).parse_args(arguments)
    migrate()
    for name in create_pools():
        print(f"pool {name}: created with {RETRAINING_SLOTS} slots, deferred tasks counted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
