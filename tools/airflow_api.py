"""A client for the part of Airflow's REST API that the tools and the integration tests need.

https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html

Must not import Airflow: it talks to one that runs elsewhere.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Any, TypeVar

ENDED = frozenset({"success", "failed"})


Found = TypeVar("Found")


def _poll(look: Callable[[], Found | None], problem: Callable[[], str], timeout_seconds: float) -> Found:
    """Look until something is found: often at first, then once a second to spare the server.

    :param problem: Makes the message of the TimeoutError.
    """
    deadline = time.monotonic() + timeout_seconds
    pause = 0.25
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(problem())
        time.sleep(pause)
        pause = min(1.0, pause * 1.3)
    return found


def _quoted(name: str) -> str:
    """Quote a name for a path; run ids hold a time with a ``+``."""
    return urllib.parse.quote(name, safe="")


class AirflowApiError(Exception):
    """The api-server refused a request.

    :ivar status: The HTTP status code.
    """

    def __init__(self, method: str, path: str, status: int, body: str) -> None:
        super().__init__(f"{method} {path} returned {status}: {body[:1000]}")
        self.status = status


class AirflowApi:
    """Call the api-server as the user `admin`.

    :param url: Address of the api-server.
    :param password: Password of `admin`.
    """

    def __init__(self, url: str, password: str) -> None:
        self._url = url
        answer = self._send("POST", "/auth/token", {"username": "admin", "password": password}, token=None)
        self._token: str = answer["access_token"]

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
        """Call a path below ``/api/v2`` and return the response's JSON document.

        :raises AirflowApiError: The status code is not 2xx.
        """
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
        """Return the stack traces of DAG files that cannot be imported, by file."""
        return {item["filename"]: item["stack_trace"] for item in self.call("GET", "/importErrors")["import_errors"]}

    def dag_ids(self) -> set[str]:
        """Return the ids of all DAGs that the dag-processor has found."""
        found: set[str] = set()
        while True:
            # A page has at most a hundred DAGs, and seventeen pipelines have more.
            page = self.call("GET", "/dags", limit=100, offset=len(found), order_by="dag_id", exclude_stale=True)
            found |= {dag["dag_id"] for dag in page["dags"]}
            if not page["dags"] or len(found) >= page["total_entries"]:
                return found

    def wait_for_dag(self, dag_id: str, timeout_seconds: float = 90.0) -> None:
        """Wait until the dag-processor has found a DAG.

        :raises TimeoutError: It has not in time; the message has what it found instead.
        """
        _poll(
            lambda: self._has_dag(dag_id) or None,
            lambda: f"DAG {dag_id} was not found in time; found {self.dag_ids()}, errors {self.import_errors()}",
            timeout_seconds,
        )

    def _has_dag(self, dag_id: str) -> bool:
        try:
            return not self.call("GET", f"/dags/{dag_id}")["is_stale"]
        except AirflowApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return False

    def unpause(self, dag_id: str) -> None:
        """Unpause a DAG."""
        self.call("PATCH", f"/dags/{dag_id}", {"is_paused": False})

    # runs

    def trigger(
        self, dag_id: str, logical_date: str | None = None, conf: dict[str, Any] | None = None, **more: Any
    ) -> str:
        """Unpause a DAG, start a manual run, and return its run id."""
        self.wait_for_dag(dag_id)
        self.unpause(dag_id)
        body = {"logical_date": logical_date, "conf": conf or {}, **more}
        run_id: str = self.call("POST", f"/dags/{dag_id}/dagRuns", body)["dag_run_id"]
        return run_id

    def runs(self, dag_id: str, **query: Any) -> list[dict[str, Any]]:
        """Return the DAG runs that a query selects, ordered by logical date.

        :param query: For example ``run_type="backfill"``.
        """
        found: list[dict[str, Any]] = []
        while True:
            page = self.call(
                "GET", f"/dags/{dag_id}/dagRuns", limit=100, offset=len(found), order_by="logical_date", **query
            )
            found += page["dag_runs"]
            if len(found) >= page["total_entries"] or not page["dag_runs"]:
                return found

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return one DAG run as the API shows it."""
        found: dict[str, Any] = self.call("GET", f"/dags/{dag_id}/dagRuns/{_quoted(run_id)}")
        return found

    def wait_for_run(
        self, dag_id: str, run_id: str, states: Collection[str] = ENDED, timeout_seconds: float = 240.0
    ) -> dict[str, Any]:
        """Wait until a run is in one of `states`, and return it.

        :raises TimeoutError: It is not in time; the message has the state of every task.
        """

        def look() -> dict[str, Any] | None:
            found = self.run(dag_id, run_id)
            return found if found["state"] in states else None

        return _poll(look, lambda: self._all_states(dag_id, run_id), timeout_seconds)

    def _all_states(self, dag_id: str, run_id: str) -> str:
        return f"{dag_id} {run_id} is {self.run(dag_id, run_id)['state']}: {self.task_states(dag_id, run_id)}"

    # tasks

    def task_instances(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """Return the task instances of a run by task id."""
        path = f"/dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances"
        return {item["task_id"]: item for item in self.call("GET", path, limit=100)["task_instances"]}

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Return the state of each task of a run."""
        return {task_id: item["state"] for task_id, item in self.task_instances(dag_id, run_id).items()}

    def wait_for_task(
        self, dag_id: str, run_id: str, task_id: str, states: Collection[str], timeout_seconds: float = 120.0
    ) -> dict[str, Any]:
        """Wait until a task is in one of `states`, and return its instance.

        :raises TimeoutError: It is not in time; the message has the state of every task.
        """
        path = f"/dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances/{task_id}"

        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.call("GET", path)
            return found if found["state"] in states else None

        return _poll(look, lambda: self._all_states(dag_id, run_id), timeout_seconds)

    def set_task_state(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Set a task's state, as "mark as failed" and "mark as success" in the UI do."""
        path = f"/dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances/{task_id}"
        self.call("PATCH", path, {"new_state": state})

    def clear(self, dag_id: str, run_id: str, task_ids: Collection[str], **more: Any) -> list[str]:
        """Clear tasks of a run as a person does in the UI.

        :param more: Fields of the request that win over the defaults.
        :returns: The ids of all task instances that were cleared.
        """
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
        """Return a task's log as text, one message per line."""
        path = f"/dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances/{task_id}/logs/{try_number}"
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
        """Return an XCom value of a task."""
        path = f"/dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.call("GET", path, deserialize=True)["value"]

    def backfill(self, dag_id: str, from_date: str, to_date: str, **more: Any) -> int:
        """Start a backfill of the intervals between two dates, and return its id."""
        self.wait_for_dag(dag_id)
        self.unpause(dag_id)
        body = {"dag_id": dag_id, "from_date": from_date, "to_date": to_date, "run_backwards": False, **more}
        backfill_id: int = self.call("POST", "/backfills", body)["id"]
        return backfill_id

    # pools

    def pool(self, name: str) -> dict[str, Any]:
        """Return a pool and how many of its slots are taken."""
        found: dict[str, Any] = self.call("GET", f"/pools/{_quoted(name)}")
        return found
