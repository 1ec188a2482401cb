"""The process that serves one variant of an endpoint, and which endpoint has which processes.

Stands for the variant's container: it is started with the model's execution role and answers over
a Unix socket, see `serving_worker`.
"""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
import time
from pathlib import Path

from local_aws.jobs.runs import Outcome, Run, RunPlan, start_run
from local_aws.jobs.store import Record

from . import images

LOG_GROUP_PREFIX = "/aws/sagemaker/Endpoints/"
#: How long a variant's process may take until it answers.
START_SECONDS = 120.0
_POLL_SECONDS = 0.02


class VariantServer:
    """The process that serves one variant of an endpoint."""

    def __init__(self, endpoint: Record, variant: Record) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="local-aws-serve-"))
        self.socket_path = self._folder / "socket"
        self._ready = self._folder / "ready"
        self._outcome: Outcome | None = None
        self.log_stream = f"{variant['VariantName']}/i-{abs(hash((endpoint['EndpointName'], time.time()))):017x}"[:200]
        image = variant["_image"]
        plan = RunPlan(
            service="serving",
            worker_kind="xgboost",
            entry="local_aws.sagemaker.serving_worker:serve",
            payload={
                "model_uri": variant["_model_uri"],
                "image_problem": "" if images.is_xgboost(image) else images.unsupported(image),
                "socket_path": str(self.socket_path),
                "ready_path": str(self._ready),
            },
            role_arn=variant["_role_arn"],
            session_name="SageMaker",
            endpoint_url=endpoint["_endpoint_url"],
            region=endpoint["_region"],
            timeout_seconds=None,
            stdout_log=(LOG_GROUP_PREFIX + endpoint["EndpointName"], self.log_stream),
            environment={key: value for key, value in variant["_environment"].items() if not key.startswith("AWS_")},
            source_arn=endpoint["EndpointArn"],
            image=variant["_image"],
        )
        self._run: Run = start_run(plan, lambda: None, self._on_end)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._outcome is None

    def failure(self, timeout_seconds: float) -> tuple[str, str] | None:
        """Wait until the process answers.

        :returns: None when it does; otherwise the kind of failure and its message.
        """
        deadline = time.monotonic() + timeout_seconds
        while not self._ready.exists():
            if self._outcome is not None:
                return str(self._outcome.result.get("kind", "")), self._outcome.message
            if time.monotonic() > deadline:
                return "", "the container did not start in time"
            time.sleep(_POLL_SECONDS)
        return None

    def invoke(self, body: bytes, content_type: str, accept: str) -> tuple[int, str, bytes]:
        """Return HTTP status, content type and body of the container's answer to one invocation."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(60)
            connection.connect(str(self.socket_path))
            with connection.makefile("rwb") as stream:
                stream.write(
                    json.dumps({"content_type": content_type, "accept": accept, "length": len(body)}).encode()
                    + b"\n"
                    + body
                )
                stream.flush()
                head = json.loads(stream.readline())
                return head["status"], head["content_type"], stream.read(head["length"])

    def stop(self) -> None:
        """End the process; returns at once."""
        self._run.stop()

    def _on_end(self, outcome: Outcome) -> None:
        self._outcome = outcome
        shutil.rmtree(self._folder, ignore_errors=True)


#: The processes that serve: endpoint ARN → variant name → process. Guarded by the store's lock.
FLEETS: dict[str, dict[str, VariantServer]] = {}


def stop_fleet(endpoint_arn: str) -> None:
    """Stop the processes of an endpoint, if it has any; returns at once."""
    for server in FLEETS.pop(endpoint_arn, {}).values():
        server.stop()
