"""Shows broken pipeline files in the UI, and defines no DAG.

The other DAG files leave out a pipeline file that is not valid, so that a typo in one pipeline
stops no other. Somebody must see that all the same: this file fails to import while any is broken,
and Airflow lists the sentences under "Dag Import Errors" and in `airflow dags list-import-errors`.
The broken pipeline's DAGs are gone until its file is fixed.
"""

from __future__ import annotations

from brewtrain.domain.errors import BrewtrainError
from brewtrain.resources import pipeline_file_errors

broken = pipeline_file_errors()
if broken:
    raise BrewtrainError("\n".join(str(error) for error in broken))
