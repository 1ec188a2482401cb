"""The recipe brought to what the repository says, from whatever a person has left."""

from __future__ import annotations

from typing import Any

import pytest

from brewtrain.deployment.recipe import Recipe
from brewtrain.domain.names import Account

ACCOUNT = Account("123456789012", "eu-central-1")
STEPS = [{"Action": {"Operation": "DELETE", "Parameters": {"sourceColumns": '["a"]'}}}]
OTHER = [{"Action": {"Operation": "DELETE", "Parameters": {"sourceColumns": '["b"]'}}}]


class FakeDataBrew:
    """Stands for the hook: one recipe with its two versions, and the calls that were made."""

    def __init__(self, *, working: list[Any] | None, published: list[Any] | None) -> None:
        self.versions = {"LATEST_WORKING": working, "LATEST_PUBLISHED": published}
        self.tags: dict[str, str] = {}
        self.calls: list[str] = []

    def describe_recipe(self, name: str, version: str) -> dict[str, Any] | None:
        steps = self.versions[version]
        return None if steps is None else {"Steps": steps, "RecipeVersion": "1.0", "Tags": self.tags}

    def create_recipe(self, name: str, steps: list[Any], *, tags: dict[str, str]) -> bool:
        self.calls.append("create")
        if any(found is not None for found in self.versions.values()):
            return False
        self.versions["LATEST_WORKING"], self.tags = steps, dict(tags)
        return True

    def update_recipe(self, name: str, steps: list[Any]) -> None:
        self.calls.append("update")
        self.versions["LATEST_WORKING"] = steps

    def publish_recipe(self, name: str, *, description: str) -> None:
        self.calls.append("publish")
        self.versions["LATEST_PUBLISHED"] = self.versions["LATEST_WORKING"]

    def tag(self, arn: str, tags: dict[str, str]) -> None:
        self.tags |= tags


@pytest.mark.parametrize(
    ("working", "published", "calls"),
    [
        (None, None, ["create", "publish"]),
        (STEPS, None, ["publish"]),
        (STEPS, STEPS, []),
        (OTHER, OTHER, ["update", "publish"]),
        (OTHER, STEPS, ["update"]),
        (None, STEPS, ["create", "update"]),
        (None, OTHER, ["create", "update", "publish"]),
    ],
)
def test_only_what_is_needed_is_done_and_then_nothing_is_left(
    working: list[Any] | None, published: list[Any] | None, calls: list[str]
) -> None:
    databrew = FakeDataBrew(working=working, published=published)
    recipe = Recipe("churn", STEPS, ACCOUNT, databrew)  # type: ignore[arg-type]
    assert recipe.plan().action.value == ("create" if working is None and published is None else "update")
    recipe.apply()
    assert databrew.calls == calls
    assert databrew.versions == {"LATEST_WORKING": STEPS, "LATEST_PUBLISHED": STEPS}
    assert recipe.plan().action.value == "unchanged"


def test_a_deleted_working_version_is_named() -> None:
    recipe = Recipe("churn", STEPS, ACCOUNT, FakeDataBrew(working=None, published=STEPS))  # type: ignore[arg-type]
    assert recipe.plan().differences == ("the working version was deleted by hand and is restored",)
