"""Bring Airflow's metadata database to where the DAGs can run on it: migrated, with the pools that pipelines name.

A task of a pool that does not exist is never scheduled, and the only sign of it is a warning in the
UI. So whatever starts Airflow on one machine runs this first. A pool that is there keeps the slots
that a person gave it. On an Airflow of your own, `airflow pools set NAME SLOTS DESCRIPTION
--include-deferred` does the same (docs/backfill.md).

    python -m tools.airflow_metadata

Imports Airflow: run it as a program, in the environment of `tools.airflow_env`.
"""

from __future__ import annotations

import sys

from tools.airflow_env import ROOT

sys.path.insert(0, str(ROOT / "plugins"))

RETRAINING_POOL = "retraining"
RETRAINING_SLOTS = 8
_DESCRIPTION = "Executions of retrainings at once; waiting stages count."


def migrate() -> None:
    """Do what ``airflow db migrate`` does."""
    from airflow.cli import cli_parser

    arguments = cli_parser.get_parser().parse_args(["db", "migrate"])
    arguments.func(arguments)


def create_pools() -> list[str]:
    """Create the pools that are not there yet, with deferred tasks counted; returns their names."""
    from airflow.models.pool import Pool

    from brewtrain.resources import valid_pipelines

    # A pipeline that names none runs in Airflow's own, which is always there.
    named = {pipeline.pool for pipeline in valid_pipelines()}
    created = []
    for name in sorted(named | {RETRAINING_POOL}):
        if Pool.get_pool(name) is None:
            Pool.create_or_update_pool(name, RETRAINING_SLOTS, _DESCRIPTION, include_deferred=True)
            created.append(name)
    return created


def main() -> int:
    """Migrate, then create the pools; answers the exit code."""
    migrate()
    for name in create_pools():
        print(f"pool {name}: created with {RETRAINING_SLOTS} slots, deferred tasks counted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
