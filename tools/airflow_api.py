"""A client of Airflow's REST API, as much of it as the tools and the integration tests need.

https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html

Must not import Airflow: it talks to one that runs elsewhere.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Collection, Iterator
from http import HTTPStatus
from typing import Any

ENDED = frozenset({"success", "failed"})


def _pauses() -> Iterator[float]:
    """Seconds between two looks: soon at first, then no oftener than once a second, since each costs the server."""
    pause = 0.25
    while True:
        yield pause
        pause = min(1.0, pause * 1.3)


class AirflowApiError(Exception):
    """The api-server refused a request; `status` is the HTTP code."""

    def __init__(self, method: str, path: str, status: int, body: str) -> None:
        super().__init__(f"{method} {path} answered {status}: {body[:1000]}")
        self.status = status


class AirflowApi:
    """Calls the api-server as the user `admin`.

    :param url: The api-server's address.
    :param password: Of `admin`.
    """

    def __init__(self, url: str, password: str) -> None:
        self._url = url
        answer = self._send("POST", "/auth/token", {"username": "admin", "password": password}, token=None)
        self._token: str = answer["access_token"]

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
        """Call ``/api/v2`` + `path`. Raises AirflowApiError for any answer that is not 2xx."""
        question = urllib.parse.urlencode(query, doseq=True)
        return self._send(method, f"/api/v2{path}{'?' if question else ''}{question}", body, self._token)

    def _send(self, method: str, path: str, body: dict[str, Any] | None, token: str | None) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                content = response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise AirflowApiError(method, path, error.code, error.read().decode(errors="replace")) from None
        return json.loads(content) if content else None

    # DAGs

    def import_errors(self) -> dict[str, str]:
        """Stack traces of DAG files that do not import, by file."""
        return {item["filename"]: item["stack_trace"] for item in self.call("GET", "/importErrors")["import_errors"]}

    def dag_ids(self) -> set[str]:
        """Every DAG that the dag-processor has found."""
        found: set[str] = set()
        while True:
            # One look gives a hundred at most, and seventeen pipelines have more.
            page = self.call("GET", "/dags", limit=100, offset=len(found), order_by="dag_id", exclude_stale=True)
            found |= {dag["dag_id"] for dag in page["dags"]}
            if not page["dags"] or len(found) >= page["total_entries"]:
                return found

    def wait_for_dag(self, dag_id: str, timeout_seconds: float = 90.0) -> None:
        """Wait until the dag-processor has found a DAG."""
        deadline = time.monotonic() + timeout_seconds
        pauses = _pauses()
        while not self._has_dag(dag_id):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"no DAG {dag_id} in time; there are {self.dag_ids()}, errors {self.import_errors()}"
                )
            time.sleep(next(pauses))

    def _has_dag(self, dag_id: str) -> bool:
        try:
            return not self.call("GET", f"/dags/{dag_id}")["is_stale"]
        except AirflowApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return False

    def set_paused(self, dag_id: str, paused: bool) -> None:
        """Pause or unpause a DAG."""
        self.call("PATCH", f"/dags/{dag_id}", {"is_paused": paused})

    # runs

    def trigger(
        self, dag_id: str, logical_date: str | None = None, conf: dict[str, Any] | None = None, **more: Any
    ) -> str:
        """Unpause a DAG and start a manual run; answers its run id."""
        self.wait_for_dag(dag_id)
        self.set_paused(dag_id, False)
        body = {"logical_date": logical_date, "conf": conf or {}, **more}
        run_id: str = self.call("POST", f"/dags/{dag_id}/dagRuns", body)["dag_run_id"]
        return run_id

    def runs(self, dag_id: str, **query: Any) -> list[dict[str, Any]]:
        """The DAG runs that a query selects, e.g. ``run_type="backfill"``, in order of their logical dates."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.call(
                "GET", f"/dags/{dag_id}/dagRuns", limit=100, offset=len(found), order_by="logical_date", **query
            )
            found += page["dag_runs"]
            if len(found) >= page["total_entries"] or not page["dag_runs"]:
                return found

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One DAG run."""
        found: dict[str, Any] = self.call("GET", f"/dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id, safe='')}")
        return found

    def wait_for_run(
        self, dag_id: str, run_id: str, states: Collection[str] = ENDED, timeout_seconds: float = 240.0
    ) -> dict[str, Any]:
        """Wait until a run is in one of `states`; the failure names every task's state."""
        deadline = time.monotonic() + timeout_seconds
        pauses = _pauses()
        while (found := self.run(dag_id, run_id))["state"] not in states:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{dag_id} {run_id} is {found['state']}: {self.task_states(dag_id, run_id)}")
            time.sleep(next(pauses))
        return found

    # tasks

    def task_instances(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """Task instances of a run by task id."""
        path = f"/dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id, safe='')}/taskInstances"
        return {item["task_id"]: item for item in self.call("GET", path, limit=100)["task_instances"]}

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """State of every task of a run."""
        return {task_id: item["state"] for task_id, item in self.task_instances(dag_id, run_id).items()}

    def wait_for_task(
        self, dag_id: str, run_id: str, task_id: str, states: Collection[str], timeout_seconds: float = 120.0
    ) -> dict[str, Any]:
        """Wait until a task is in one of `states`."""
        deadline = time.monotonic() + timeout_seconds
        pauses = _pauses()
        path = f"/dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id, safe='')}/taskInstances/{task_id}"
        while True:
            found: dict[str, Any] = self.call("GET", path)
            if found["state"] in states:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"{dag_id} {run_id}: {self.task_states(dag_id, run_id)}")
            time.sleep(next(pauses))

    def set_task_state(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """What "mark as failed" or "mark as success" does in the UI."""
        path = f"/dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id, safe='')}/taskInstances/{task_id}"
        self.call("PATCH", path, {"new_state": state})

    def clear(self, dag_id: str, run_id: str, task_ids: Collection[str], **more: Any) -> list[str]:
        """Clear tasks of a run as a person does; answers the ids of all task instances that were cleared with them."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": list(task_ids),
            "include_downstream": True,
            "only_failed": False,
            "reset_dag_runs": True,
            **more,
        }
        answer = self.call("POST", f"/dags/{dag_id}/clearTaskInstances", body)
        return [item["task_id"] for item in answer["task_instances"]]

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> str:
        """The task's log as text, one message a line."""
        run = urllib.parse.quote(run_id, safe="")
        path = f"/dags/{dag_id}/dagRuns/{run}/taskInstances/{task_id}/logs/{try_number}"
        content = self.call("GET", path, full_content=True)["content"]
        if isinstance(content, str):
            return content
        lines = []
        for line in content:
            lines.append(str(line.get("event", line)) if isinstance(line, dict) else str(line))
            if isinstance(line, dict):
                lines += [str(detail.get("exc_value")) for detail in line.get("error_detail") or ()]
        return "\n".join(lines)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """A value that a task has left for others."""
        run = urllib.parse.quote(run_id, safe="")
        path = f"/dags/{dag_id}/dagRuns/{run}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.call("GET", path, deserialize=True)["value"]

    def backfill(self, dag_id: str, from_date: str, to_date: str, **more: Any) -> int:
        """Start a backfill of the intervals between two dates; answers its id."""
        self.wait_for_dag(dag_id)
        self.set_paused(dag_id, False)
        body = {"dag_id": dag_id, "from_date": from_date, "to_date": to_date, "run_backwards": False, **more}
        backfill_id: int = self.call("POST", "/backfills", body)["id"]
        return backfill_id

    # pools

    def pool(self, name: str) -> dict[str, Any]:
        """A pool, with how its slots are taken."""
        found: dict[str, Any] = self.call("GET", f"/pools/{urllib.parse.quote(name, safe='')}")
        return found
