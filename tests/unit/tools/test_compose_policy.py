"""What docker-compose.yaml must never do; tests/integration/test_compose.py starts its services."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"init-keys", "bootstrap", "migrate"}
CODE = {"dags", "plugins", "include", "tools", "local_aws", "recipe_runner"}


def test_exactly_the_known_services_are_there() -> None:
    assert set(SERVICES) == {
        *ONE_SHOT, "postgres", "local-aws", "api-server", "scheduler", "dag-processor", "triggerer",
    }  # fmt: skip


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True, f"{name}: set read_only and give it a tmpfs or a volume for what it writes"
    assert service["cap_drop"] == ["ALL"], f"{name}: drop all capabilities"
    assert service["security_opt"] == ["no-new-privileges:true"]
    user = service["user"].split(":")[0]
    assert user.isdigit(), f"{name}: name the user by number"
    assert int(user) > 0, f"{name}: must not run as root"
    assert not service.get("privileged")
    assert service.get("network_mode") != "host"


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned(name: str) -> None:
    tag = SERVICES[name]["image"].partition(":")[2]
    assert re.match(r"\d+\.\d+", tag), f"{name}: pin the image to an exact version, not {tag or 'latest'!r}"


@pytest.mark.parametrize("name", SERVICES)
def test_code_is_mounted_read_only_and_nothing_else_of_this_machine(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source, target, *mode = volume.split(":")
        if source in COMPOSE["volumes"]:
            continue
        assert source.removeprefix("./") in CODE, f"{name}: {source} of this machine must not be mounted"
        assert target == f"/opt/brewtrain/{source.removeprefix('./')}"
        assert mode == ["ro"], f"{name}: mount {source} read-only"


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert str(port).startswith("127.0.0.1:"), f"{name}: publish {port} on 127.0.0.1"


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_stands_in_the_file(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if re.search(r"(PASSWORD|SECRET|FERNET|TOKEN|SQL_ALCHEMY_CONN)", variable):
            assert variable.endswith(("_CMD", "_FILE")), f"{name}: take {variable} from a file of init-keys"
        assert not re.search(r"://[^/\s]*:[^/\s]*@", str(value)), f"{name}: {variable} holds a password"
        assert "${" not in str(value), f"{name}: {variable} takes a value from the shell, which may be a default"


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOT))
def test_a_service_has_a_health_check_and_is_restarted(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD", f"{name}: a health check without a shell"
    assert check["start_period"], f"{name}: needs time to start"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_dependencies_are_waited_for() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
            assert how == {"condition": wanted}, f"{name} must wait until {needed} is {wanted}"


def test_the_image_holds_exactly_the_lock() -> None:
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    assert re.search(r"^FROM \S+:\d+\.\d+\.\d+", dockerfile, re.MULTILINE)
    assert re.findall(r"pip install (.*)$", dockerfile, re.MULTILINE) == [
        "--require-hashes --no-deps -r /tmp/requirements-dev.txt \\"
    ]
    assert "\nUSER 50000:0\n" in dockerfile
