"""DataBrew recipes: read, create, update, publish, tag.

Source: AWS Glue DataBrew API reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from botocore.exceptions import ClientError

from brewtrain.hooks.aws_errors import error_code
from brewtrain.hooks.connection import AwsClientHook


class DataBrewRecipeHook(AwsClientHook):
    """DataBrew recipes."""

    service = "databrew"

    def describe_recipe(
        self, name: str, version: Literal["LATEST_WORKING", "LATEST_PUBLISHED"]
    ) -> dict[str, Any] | None:
        """Return what DescribeRecipe says, or ``None`` if the recipe has no such version."""
        # The reference documents the newest published version as what comes without a
        # RecipeVersion.
        which = {"RecipeVersion": version} if version == "LATEST_WORKING" else {}
        with self.errors(f"DataBrew recipe {name!r}"):
            try:
                recipe: dict[str, Any] = self.conn.describe_recipe(Name=name, **which)
            except ClientError as error:
                if error_code(error) == "ResourceNotFoundException":
                    return None
                raise
        return recipe

    def create_recipe(self, name: str, steps: Sequence[Mapping[str, Any]], *, tags: Mapping[str, str]) -> bool:
        """Make a recipe with a working version.

        :returns: Whether it was made; ``False`` if one of this name has just appeared.
        """
        with self.errors(f"DataBrew recipe {name!r}"):
            try:
                self.conn.create_recipe(Name=name, Steps=list(steps), Tags=dict(tags))
            except ClientError as error:
                if error_code(error) == "ConflictException":
                    return False
                raise
        return True

    def update_recipe(self, name: str, steps: Sequence[Mapping[str, Any]]) -> None:
        """Replace the steps of the working version."""
        with self.errors(f"DataBrew recipe {name!r}"):
            self.conn.update_recipe(Name=name, Steps=list(steps))

    def publish_recipe(self, name: str, *, description: str) -> None:
        """Publish the working version as the next version."""
        with self.errors(f"DataBrew recipe {name!r}"):
            self.conn.publish_recipe(Name=name, Description=description)

    def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags, replacing those of the same key."""
        with self.errors(f"tags of {arn}"):
            self.conn.tag_resource(ResourceArn=arn, Tags=dict(tags))
