"""Two pipeline files that name one endpoint: neither is run."""

from __future__ import annotations

from typing import Any

import pytest

from brewtrain import resources
from brewtrain.domain.errors import DeploymentError
from tests.functional.deploy.conftest import Workshop


def test_a_run_is_refused_before_anything_starts(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    from brewtrain.operators.partition import CheckPartitionOperator

    monkeypatch.setattr("brewtrain.run_context.read", lambda *_: pytest.fail("went on"))
    text = (workshop.include / "pipelines" / f"{workshop.name}.yaml").read_text()
    twin = text.replace(f"name: {workshop.name}", "name: twin") + f"endpoint: {{name: {workshop.name}}}\n"
    (workshop.include / "pipelines" / "twin.yaml").write_text(twin)
    operator = CheckPartitionOperator(task_id="check_input", pipeline=resources.find_pipeline("twin"))
    context: dict[str, Any] = {}
    with pytest.raises(DeploymentError, match=rf"named by two pipeline files.*twin\.yaml.*{workshop.name}\.yaml"):
        operator.execute(context)
