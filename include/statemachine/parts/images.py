"""The registries of SageMaker's built-in XGBoost image, from sagemaker's own tables."""

from __future__ import annotations

from typing import Any

from parts.sdk import image_uris

XGBOOST_VERSIONS = ("1.2-1", "1.2-2", "1.3-1", "1.5-1", "1.7-1", "3.0-5")


def images() -> dict[str, Any]:
    """Build the table of registries: framework → image version → region → registry host.

    :raises ValueError: If an image is not ``sagemaker-xgboost:VERSION`` in a registry of the
        account that sagemaker names.
    """
    versions = image_uris.config_for_framework("xgboost")["training"]["versions"]
    suffixes: dict[str, str] = {}
    table: dict[str, dict[str, str]] = {}
    for version in XGBOOST_VERSIONS:
        table[version] = {}
        for region, account in sorted(versions[version]["registries"].items()):
            if region not in suffixes:
                uri = image_uris.retrieve("xgboost", region, version=version)
                host, _, image = uri.partition("/")
                if image != f"sagemaker-xgboost:{version}" or not host.startswith(f"{account}."):
                    raise ValueError(
                        f"The image of XGBoost {version} in {region} is {uri}, which does not fit images.json."
                    )
                suffixes[region] = host.removeprefix(f"{account}.")
            table[version][region] = f"{account}.{suffixes[region]}"
    return {"xgboost": table}
