"""The version has one home, `brewtrain.__version__`; whatever else names a version follows it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

import brewtrain

ROOT = Path(__file__).resolve().parents[3]


def test_the_version_is_three_numbers() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", brewtrain.__version__)


def test_pyproject_reads_the_version_from_the_package() -> None:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in document["project"]
    assert document["project"]["dynamic"] == ["version"]
    assert document["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "brewtrain.__version__"}


def test_the_image_of_docker_compose_has_the_version_as_its_tag() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]
    tags = {service["image"] for service in services.values() if "build" in service}
    assert tags == {f"brewtrain-dev:{brewtrain.__version__}"}
