"""The DataBrew recipe: its working version, its newest published version, and its tags.

A tag says what is published. Runs are pinned to a published version, so that one counts. Creating
or updating, publishing and tagging are three calls, any of which may be the last before a failure:
each is made unless its own effect is already there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from brewtrain.domain import names
from brewtrain.domain.deployment.plan import Change, change
from brewtrain.domain.pipeline.recipe_document import content_hash, step_differences

if TYPE_CHECKING:
    from brewtrain.hooks.databrew_recipe import DataBrewRecipeHook


@dataclass(frozen=True)
class _Deployed:
    """A recipe as AWS has it.

    :param working: Steps of the working version; ``None`` without a recipe, or if somebody deleted
        that version.
    :param published: Steps of the newest published version; ``None`` if none was published.
    """

    working: Sequence[Mapping[str, Any]] | None
    published: Sequence[Mapping[str, Any]] | None
    published_version: str
    tags: Mapping[str, str]


class Recipe:
    """The recipe of a pipeline.

    :param pipeline: Name of the pipeline.
    :param steps: Steps as CreateRecipe takes them.
    """

    def __init__(
        self, pipeline: str, steps: Sequence[Mapping[str, Any]], account: names.Account, databrew: DataBrewRecipeHook
    ) -> None:
        self._name = names.recipe(pipeline)
        self._steps = steps
        self._hash = content_hash(steps)
        self._arn = account.recipe_arn(pipeline)
        self._tags = {names.PIPELINE_TAG: pipeline, names.CONTENT_HASH_TAG: self._hash}
        self._databrew = databrew

    def plan(self) -> Change:
        """Say in what the deployed recipe differs."""
        deployed = self._read()
        if deployed.working is None and deployed.published is None:
            return change("DataBrew recipe", self._name, exists=False)
        differences = []
        if deployed.working is None:
            differences.append("the working version was deleted by hand and is restored")
        elif deployed.published is None:
            differences.append("not published yet")
        elif not self._is_current(deployed.published):
            differences += step_differences(self._steps, deployed.published)
        elif not self._is_current(deployed.working):
            steps = ", ".join(step_differences(self._steps, deployed.working))
            differences.append(
                f"the working version was edited by hand ({steps}) and is reset; published version "
                f"{deployed.published_version} stays"
            )
        if not differences:
            differences += [
                f"tag {key} {'is missing' if key not in deployed.tags else 'is out of date'}"
                for key in self._missing_tags(deployed.tags)
            ]
        return change("DataBrew recipe", self._name, exists=True, differences=differences)

    def apply(self) -> None:
        """Create or update, publish, and tag, each only if needed."""
        deployed = self._read()
        # The tag with the hash speaks of the published version, so it comes last and not with the
        # recipe.
        own_tag = {names.PIPELINE_TAG: self._tags[names.PIPELINE_TAG]}
        created = deployed.working is None and self._databrew.create_recipe(self._name, self._steps, tags=own_tag)
        if deployed.working is None and not created:
            deployed = self._read()
        if not created and (deployed.working is None or not self._is_current(deployed.working)):
            self._databrew.update_recipe(self._name, self._steps)
        if deployed.published is None or not self._is_current(deployed.published):
            self._databrew.publish_recipe(self._name, description=f"{names.CONTENT_HASH_TAG} {self._hash}")
        if missing := self._missing_tags(deployed.tags):
            self._databrew.tag(self._arn, missing)

    def _missing_tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        return {key: value for key, value in self._tags.items() if tags.get(key) != value}

    def _is_current(self, steps: Sequence[Mapping[str, Any]]) -> bool:
        return content_hash(steps) == self._hash

    def _read(self) -> _Deployed:
        working = self._databrew.describe_recipe(self._name, "LATEST_WORKING")
        published = self._databrew.describe_recipe(self._name, "LATEST_PUBLISHED")
        return _Deployed(
            working=None if working is None else working.get("Steps", []),
            published=None if published is None else published.get("Steps", []),
            published_version="" if published is None else published.get("RecipeVersion", ""),
            tags=(working or published or {}).get("Tags", {}),
        )
