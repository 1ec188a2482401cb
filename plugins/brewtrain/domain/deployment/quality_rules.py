"""The quality rules as a deployment compares them with those that were deployed last.

Rulesets are made anew for every run, so DataBrew cannot tell. Must not import Airflow or boto3.
"""

from __future__ import annotations

from collections.abc import Mapping

from brewtrain.domain.deployment.plan import mapping_differences
from brewtrain.domain.pipeline.file import Pipeline

VERSION = 1


def described(pipeline: Pipeline) -> dict[str, str]:
    """Return each rule by its name: what it demands, and what follows if it fails.

    :param pipeline: The pipeline file.
    """
    quality = pipeline.quality
    if quality is None:
        return {}
    rules = {rule.name: f"{rule.expectation} ({rule.on_fail})" for rule in quality.databrew_rules}
    for name in ("row_count", "freshness"):
        section = getattr(quality, name)
        if section is not None:
            fields = section.model_dump(mode="json", exclude_none=True)
            rules[name] = ", ".join(f"{field} {value}" for field, value in fields.items())
    return {**rules, "days that are checked": quality.of} if quality.databrew_rules else rules


def document(pipeline: Pipeline) -> dict[str, object]:
    """Return what is kept of the rules when they are deployed.

    :param pipeline: The pipeline file.
    """
    return {"version": VERSION, "rules": described(pipeline)}


def differences(pipeline: Pipeline, deployed: object) -> list[str]:
    """Return how the rules differ from those deployed last, a phrase for each rule.

    :param pipeline: The pipeline file.
    :param deployed: The document that is kept; ``None`` if there is none that can be read.
    """
    rules = deployed.get("rules") if isinstance(deployed, Mapping) else None
    return mapping_differences(described(pipeline), rules if isinstance(rules, Mapping) else {})
