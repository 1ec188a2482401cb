"""The server as a process: start, refusals, stop, and state that survives."""

from __future__ import annotations

import json
import pickle
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.http_json import http_json
from tests.fixtures.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[3]
ROLE = "arn:aws:iam::123456789012:role/r"


class Process:
    """``python -m local_aws`` with arguments."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local_aws", "--no-warm-up", *arguments],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.output: tuple[str, str] | None = None

    def endpoint(self) -> str:
        """Wait until it is ready, and return its address."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        match = re.search(r"ready on (http://127\.0\.0\.1:\d+) ", line)
        assert match, line + (self.process.stderr.read() if self.process.stderr else "")
        return match.group(1)

    def end(self, number: int | None = None) -> int:
        """Send a signal, wait, and return the exit code."""
        if number is not None and self.process.poll() is None:
            self.process.send_signal(number)
        self.output = self.process.communicate(timeout=30)
        return self.process.returncode


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    """Collect processes, and end those that still run."""
    started: list[Process] = []
    yield started
    for item in started:
        if item.output is None:
            item.end(signal.SIGKILL)


def client(service: str, endpoint: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="t",
        aws_secret_access_key="t",
        config=Config(proxies={}, s3={"addressing_style": "path"}),
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_server_starts_answers_and_stops(processes: list[Process], number: int) -> None:
    server = Process("--port", "0")
    processes.append(server)
    endpoint = server.endpoint()
    with urllib.request.urlopen(f"{endpoint}/health", timeout=5) as answer:
        assert json.loads(answer.read())["status"] == "ok"
    taken = Process("--port", endpoint.rsplit(":", 1)[1])
    processes.append(taken)
    assert taken.end() == 1
    assert taken.output is not None
    message = taken.output[1].strip()
    assert "\n" not in message
    assert "is in use" in message
    assert "--port" in message
    assert server.end(number) == 0
    assert server.output is not None
    assert "Traceback" not in server.output[1]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])
def test_an_address_that_is_not_loopback_is_refused(host: str) -> None:
    from local_aws.core import server

    with pytest.raises(server.ServerStartError, match="Refusing to bind"):
        server.start(host=host)


def test_the_flag_for_other_addresses_says_that_it_is_unsafe(capsys: pytest.CaptureFixture[str]) -> None:
    from local_aws import __main__ as command

    assert command.parse_arguments([]).unsafe_allow_non_loopback is False
    assert command.parse_arguments(["--unsafe-allow-non-loopback"]).unsafe_allow_non_loopback is True
    with pytest.raises(SystemExit):
        command.parse_arguments(["--allow-non-loopback"])
    with pytest.raises(SystemExit):
        command.parse_arguments(["--help"])
    assert "run programs as you" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_state_survives_a_stop_and_a_kill(processes: list[Process], tmp_path: Path) -> None:
    first = Process("--port", "0", "--state-dir", str(tmp_path / "state"))
    processes.append(first)
    endpoint = first.endpoint()
    s3, states, iam = (client(name, endpoint) for name in ("s3", "stepfunctions", "iam"))
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="k", Body=b"v" * 100_000)
    iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    client("sqs", endpoint).create_queue(QueueName="q")
    definition = {
        "StartAt": "P",
        "States": {"P": {"Type": "Pass", "Next": "W"}, "W": {"Type": "Wait", "Seconds": 60, "End": True}},
    }
    machine = states.create_state_machine(name="m", definition=json.dumps(definition), roleArn=ROLE, publish=True)[
        "stateMachineArn"
    ]
    states.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": f"{machine}:1", "weight": 100}]
    )
    arn = states.start_execution(stateMachineArn=f"{machine}:live", name="run")["executionArn"]
    second = Process("--port", "0", "--state-dir", str(tmp_path / "state"))
    processes.append(second)
    assert second.end() == 1
    assert second.output is not None
    assert "is in use by another local_aws" in second.output[1]
    assert first.end(signal.SIGTERM) == 0

    third = Process("--port", "0", "--state-dir", str(tmp_path / "state"))
    processes.append(third)
    endpoint = third.endpoint()
    s3, states, iam = (client(name, endpoint) for name in ("s3", "stepfunctions", "iam"))
    assert s3.get_object(Bucket="kept", Key="k")["Body"].read() == b"v" * 100_000
    assert [role["RoleName"] for role in iam.list_roles()["Roles"]] == ["r"]
    assert client("sqs", endpoint).list_queues()["QueueUrls"][0].endswith("/q")
    described = states.describe_execution(executionArn=arn)
    assert (described["status"], described["error"]) == ("ABORTED", "LocalAws.ServerStopped")
    assert described["redriveStatus"] == "REDRIVABLE"
    states.redrive_execution(executionArn=arn)
    states.stop_execution(executionArn=arn, error="Done")
    before, snapshot = time.time(), tmp_path / "state" / "snapshot.bin"
    s3.put_object(Bucket="kept", Key="later", Body=b"1")
    wait_until(lambda: snapshot.stat().st_mtime > before, seconds=20, what="the change is saved")
    third.end(signal.SIGKILL)

    fourth = Process("--port", "0", "--state-dir", str(tmp_path / "state"))
    processes.append(fourth)
    endpoint = fourth.endpoint()
    described = client("stepfunctions", endpoint).describe_execution(executionArn=arn)
    assert (described["status"], described["redriveCount"]) == ("ABORTED", 1)
    types = [
        item["type"] for item in client("stepfunctions", endpoint).get_execution_history(executionArn=arn)["events"]
    ]
    assert types.count("PassStateEntered") == 1
    assert fourth.end(signal.SIGTERM) == 0


def test_a_damaged_state_is_reported_and_left_alone(tmp_path: Path) -> None:
    from local_aws.core import persistence

    file = tmp_path / "snapshot.bin"
    file.write_bytes(b"garbage")
    state = persistence.StateDirectory(tmp_path)
    with pytest.raises(persistence.StateDirectoryError, match="move it away to start empty"):
        state.load()
    assert file.read_bytes() == b"garbage"


def test_a_state_file_cannot_run_code(tmp_path: Path) -> None:
    from local_aws.core import persistence

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "owned",)

    (tmp_path / "snapshot.bin").write_bytes(pickle.dumps(Evil()))
    state = persistence.StateDirectory(tmp_path)
    with pytest.raises(persistence.StateDirectoryError, match="not allowed in a state file"):
        state.load()
    assert not (tmp_path / "owned").exists()


def reference(module: str, name: str) -> bytes:
    """Return a pickle stream that names a global."""
    names = [pickle.SHORT_BINUNICODE + bytes([len(text)]) + text.encode() for text in (module, name)]
    return pickle.PROTO + b"\x04" + b"".join(names) + pickle.STACK_GLOBAL + b"."


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "__import__"),
        ("moto.s3.models", "os"),
        ("moto.s3.models", "datetime"),
        ("moto.core.base_backend", "re.compile"),
        ("local_aws.core.server", "start"),
    ],
)
def test_a_state_file_that_names_a_function_is_refused(module: str, name: str) -> None:
    from local_aws.core.persistence import load_safely

    with pytest.raises(pickle.UnpicklingError, match="not allowed in a state file"):
        load_safely(reference(module, name))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("local_aws.stack_bucket_policy", "StackBucketPolicy"),
        ("local_aws.states.cloudformation", "StackStateMachine"),
        ("local_aws.states.history", "History"),
        ("local_aws.states.interpreter", "Frame"),
        ("local_aws.states.models", "Alias"),
        ("local_aws.states.models", "Execution"),
        ("local_aws.states.models", "StateMachine"),
        ("local_aws.states.models", "Version"),
    ],
)
def test_the_classes_that_state_files_name_are_found_wherever_they_are_now(module: str, name: str) -> None:
    """Every class of local_aws in files of format 1: a class that moves stays readable."""
    from local_aws.core.persistence import load_safely

    assert load_safely(reference(module, name)).__name__ == name


def test_a_state_of_a_class_that_no_longer_exists_is_refused_in_one_sentence(tmp_path: Path) -> None:
    from local_aws.core import persistence

    file = tmp_path / "snapshot.bin"
    file.write_bytes(reference("local_aws.states.models", "Renamed"))
    state = persistence.StateDirectory(tmp_path)
    with pytest.raises(persistence.StateDirectoryError) as caught:
        state.load()
    assert str(caught.value) == (
        f"State in {file} cannot be read (UnpicklingError: local_aws.states.models.Renamed is not allowed in a state"
        " file: it does not exist in this version): move it away to start empty, or choose another --state-dir."
    )


@pytest.mark.slow
def test_a_container_network_reaches_it_under_another_name(processes: list[Process]) -> None:
    """As `docker-compose.yaml` does: workers in the server's container use the loopback."""
    server = Process("--port", "0", "--unsafe-allow-non-loopback")
    processes.append(server)
    credential = "Credential=t/20240101/us-east-1/sagemaker/aws4_request"
    headers = {
        "Host": "local-aws:4566",
        "Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0",
        "X-Amz-Target": "SageMaker.ListModels",
        "Content-Type": "application/x-amz-json-1.1",
    }
    assert http_json("POST", server.endpoint(), {}, headers) == (200, {"Models": []})
