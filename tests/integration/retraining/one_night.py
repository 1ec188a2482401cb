"""One night: training fails, a person reads the card and clears the task, the redrive succeeds.

``PYTHONPATH=plugins python -m tests.integration.retraining.one_night`` plays it against the shipped
state machine and records it in docs/one-night.md; a test plays it too.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.fixtures.places import DOCS
from tests.integration.retraining.night import Night, Run
from tests.integration.retraining.whole_run import WholePipeline

PAGE = DOCS / "one-night.md"
PIPELINE = "whole_c"
WIDTH = 160
# What somebody did in the evening: SageMaker's role may no longer read the bucket.
REFUSED_READ = {
    "service": "s3", "operation": "GetObject", "principal": "*brewtrain-sagemaker*",
    "resource": f"*/{PIPELINE}/*", "effect": "error", "code": "AccessDenied", "status": 403, "message": "Access Denied",
}  # fmt: skip


@dataclass
class Told:
    """What the page shows of the night.

    :ivar times: The time of each moment by its name.
    :ivar texts: Texts by name.
    """

    run: Run
    times: dict[str, datetime] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def now(self, moment: str) -> None:
        """Record the time of a moment."""
        self.times[moment] = datetime.now(UTC)


def play(night: Night, pipeline: WholePipeline) -> Told:
    """Play the night and check what the on-call person relies on.

    :param pipeline: A deployed pipeline.
    """
    rule = night.add_fault(**REFUSED_READ)
    run = pipeline.begin()
    told = Told(run)
    told.now("begun")
    run.wait("failed")
    told.now("red")
    states = run.states()
    assert (states["split"], states["train"]) == ("success", "failed"), states
    told.texts["grid"] = ", ".join(f"`{task}` {states[task]}" for task in run.order())
    told.texts["card"] = card_of(run.log("train"))
    assert "job says" in told.texts["card"]
    assert "AccessDenied" in told.texts["card"]
    assert "docs/runbooks/access-denied.md" in told.texts["card"]
    told.texts["reason"] = str(run.kept_failure("train")["reason"])
    night.remove_fault(rule)
    told.now("cleared")
    cleared = run.clear("train")
    told.texts["cleared"] = ", ".join(task for task in run.order() if task in cleared)
    run.wait("success", timeout_seconds=300)
    told.now("green")
    told.texts["prepare_run"] = _messages(run.log("prepare_run", 2))
    told.texts["train"] = _messages(run.log("train", 2))
    assert told.texts["prepare_run"] and told.texts["train"], run.tries()  # noqa: PT018 - either may be empty
    execution = run.execution()
    assert execution["redriveCount"] == 1
    started = {name: run.jobs_started(name) for name in ("StartJobRun", "CreateTrainingJob")}
    assert len(started["CreateTrainingJob"]) == 2, "the redrive trains under a name of its own"
    told.texts["jobs"] = ", ".join(sorted(arn.rsplit("/", 1)[-1] for arn in started["CreateTrainingJob"]))
    run.check_invariants(redrives=1)
    return told


def card_of(log: str) -> str:
    """Return the on-call card at the end of a task's log."""
    lines = log.splitlines()
    first = next(number for number, line in enumerate(lines) if "ON CALL" in line) - 1
    last = next(number for number in range(first + 2, len(lines)) if lines[number].startswith("────"))
    # The first rule shares its line with the log's own time and level.
    return "\n".join([lines[last], *lines[first + 1 : last + 1]])


def _messages(log: str) -> str:
    """Return the task's own messages, without those of Airflow."""
    known = re.compile(r"(run \S+ (has|is)|[+=~-] (dataset|job) |redrove|stage \S+ is over)")
    return "\n".join(line for line in log.splitlines() if known.search(line))


def page(told: Told) -> str:
    """Return docs/one-night.md."""

    def block(name: str) -> str:
        text = re.sub(r"\b\d{12}\b", "123456789012", told.texts[name])
        return "\n".join(line if len(line) <= WIDTH else line[: WIDTH - 1] + "…" for line in text.splitlines())

    grid = textwrap.fill(told.texts["grid"], width=100)
    clock = {moment: f"{at:%H:%M:%S}" for moment, at in told.times.items()}
    seconds = (told.times["green"] - told.times["cleared"]).total_seconds()
    return f"""\
# One night

Training fails, the on-call person reads the card and clears the task, and the redrive succeeds.
Recorded by `PYTHONPATH=plugins python -m tests.integration.retraining.one_night` with a real
scheduler, triggerer and PostgreSQL, the shipped state machine and jobs that really ran on local
AWS; long lines are cut. In the evening somebody removed the right to read the bucket from
SageMaker's role.

**{clock["begun"]}** The run of {told.run.day} starts. **{clock["red"]}** It has failed. The grid
shows:
{grid}.

This is the end of `train`'s log, which the SNS topic `brewtrain-on-call` also sends:

```text
{block("card")}
```

There was no automatic retry, because a retry does not restore the right. The task's state store
keeps the reason under `failure`:

```text
{block("reason")}
```

**{clock["cleared"]}** The right is restored and `train` is cleared. Airflow also clears the tasks
that depend on it, and the run's setup and teardown:

```text
{block("cleared")}
```

`prepare_run` finds that the run has an execution, keeps its recipe version, and restores what
`release_run` removed:

```text
{block("prepare_run")}
```

The second try of `train`, in the triggerer:

```text
{block("train")}
```

**{clock["green"]}** The run succeeds {seconds:.0f} seconds after the clear. There is one execution,
redriven once; `transform` and `split` ran once, and training ran twice, as
`{block("jobs")}`.
"""


def main() -> int:
    """Play the night on a stack of its own and write the page."""
    from tests.integration.retraining.running import running_night

    with running_night() as night:
        pipeline = WholePipeline(night, PIPELINE)
        pipeline.deploy()
        text = page(play(night, pipeline))
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
