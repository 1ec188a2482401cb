"""A local AWS of its own: healthy when it is handed over, and its failure explained by its log."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools.local_aws_clients import local_clients
from tools.local_aws_process import start_local_aws, wait_until_healthy
from tools.run.processes import Processes, free_port


@pytest.mark.slow
def test_a_started_local_aws_answers_its_own_clients(tmp_path: Path) -> None:
    with Processes() as processes:
        clients = local_clients(start_local_aws(processes, tmp_path / "log"))
        assert clients("sts").get_caller_identity()["Account"] == "123456789012"


def test_a_local_aws_that_ends_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Processes() as processes:
        ended = processes.start([sys.executable, "-c", "print('no such option')"], log_file=log, environment={})
        with pytest.raises(
            RuntimeError, match=r"local_aws did not start \(.*\); its log is .*log\.\nno such option\n$"
        ):
            wait_until_healthy(ended, f"http://127.0.0.1:{free_port()}", log)
