"""One late night: the data comes three hours late, and half of it is bad.

``PYTHONPATH=plugins python -m tests.integration.retraining.late_night`` plays it with a real
scheduler, triggerer and PostgreSQL and records it in docs/late-night.md; a test plays it too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.fixtures.places import DOCS
from tests.integration.retraining.night import TRIGGER_STARTS, Night, Run
from tests.integration.retraining.one_night import card_of
from tests.integration.retraining.whole_run import BAD_AGE, ROWS, VALIDATED, WholePipeline

PAGE = DOCS / "late-night.md"
LATE = timedelta(hours=3)
WIDTH = 160
ORDER = ("prepare_run", "validate", *Run.order()[2:])


@dataclass
class Told:
    """What the page shows of the night.

    :ivar before: The run whose model serves when the night begins.
    :ivar times: The time of each moment by its name.
    :ivar texts: Texts by name.
    """

    run: Run
    before: str
    times: dict[str, datetime] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def now(self, moment: str) -> None:
        """Record the time of a moment."""
        self.times[moment] = datetime.now(UTC)


def play(night: Night, pipeline: WholePipeline) -> Told:
    """Play the night and check what the on-call person relies on.

    :param pipeline: A deployed pipeline that waits for its data, and validates it.
    """
    good = pipeline.begin()
    good.wait("success", timeout_seconds=300)
    run = night.new_run(pipeline.name)
    told = Told(run, before=good.run_id())
    due = datetime.now(UTC) - LATE
    told.times["due"] = due
    # Due three hours ago by Airflow's own clock: that it was not begun then is all that is played.
    run.dag_run_id = night.api.trigger(run.dag_id, f"{run.day}T00:00:00Z", run_after=due.isoformat())
    run.wait_for("check_input", {"deferred"})
    run.wait_for_message("check_input", TRIGGER_STARTS)
    told.texts["waiting"] = _messages(run.log("check_input"), "waiting until")
    run.account.deliver(run.day - timedelta(days=1), body=pipeline.with_bad_rows(run, ROWS // 2))
    told.now("delivered")
    run.wait("failed")
    told.now("red")
    states = run.states()
    assert (states["check_input"], states["validate"], states["start_execution"]) == (
        "success", "failed", "upstream_failed",
    )  # fmt: skip
    assert run.tries()["validate"] == 1, f"bad data is not tried again: {run.log('validate')}"
    told.texts["card"] = card_of(run.log("validate"))
    for part in ("Brewtrain.DataQualityFailed", "1,500 of 3,000 rows fail (50.0%)", f"'{BAD_AGE}' in row 1 of"):
        assert part in told.texts["card"]
    assert run.executions() == {}
    assert pipeline.served_run() == good.run_id(), "the last good model stays"
    run.account.deliver(run.day - timedelta(days=1), body=pipeline.rows(run))
    told.now("cleared")
    cleared = run.clear("validate")
    assert "check_input" not in cleared
    told.texts["cleared"] = ", ".join(sorted(cleared, key=ORDER.index))
    run.wait("success", timeout_seconds=300)
    told.now("green")
    told.texts["validated"] = _messages(run.log("validate", 2), "age between", "quality results")
    assert night.api.xcom(run.dag_id, run.dag_run_id, "validate")["outcome"] == "passed"
    assert pipeline.served_run() == run.run_id(1)
    run.check_invariants()
    return told


def _messages(log: str, *words: str) -> str:
    """Return the lines of a log that have one of the words."""
    found = "\n".join(line for line in log.splitlines() if any(word in line for word in words))
    assert found, log
    return found


def page(told: Told) -> str:
    """Return docs/late-night.md."""

    def block(name: str) -> str:
        text = re.sub(r"\b\d{12}\b", "123456789012", told.texts[name])
        return "\n".join(line if len(line) <= WIDTH else line[: WIDTH - 1] + "…" for line in text.splitlines())

    clock = {moment: f"{at:%H:%M:%S}" for moment, at in told.times.items()}
    return f"""\
# A night of late and bad data

The data comes three hours late, and half of it is bad. Recorded by
`PYTHONPATH=plugins python -m tests.integration.retraining.late_night` with a real scheduler,
triggerer and PostgreSQL, and jobs that really ran on local AWS; long lines are cut. The pipeline
file says `wait: 6h` under `source`, and has one quality rule: `between: {{age: [17, 98]}}`. The
model of `{told.before}` serves.

**{clock["due"]}** The run of {told.run.day} is due, and its data is not there. `check_input` waits
in the triggerer, without a worker:

```text
{block("waiting")}
```

**{clock["delivered"]}** The partition arrives, three hours late. `check_input` goes on by itself.

**{clock["red"]}** `validate` is red, and nothing was trained. This is the end of its log, which
the SNS topic `brewtrain-on-call` also sends, without the values of the data:

```text
{block("card")}
```

The model of `{told.before}` still serves.

**{clock["cleared"]}** The producer has delivered the day again, and the on-call person clears
`validate`. Airflow clears with it:

```text
{block("cleared")}
```

The second try reads the data again:

```text
{block("validated")}
```

**{clock["green"]}** The run has succeeded, and the endpoint serves its model.
"""


def main() -> int:
    """Play the night on a stack of its own and write the page."""
    from tests.integration.retraining.running import running_night

    with running_night() as night:
        pipeline = WholePipeline(night, VALIDATED)
        pipeline.deploy()
        text = page(play(night, pipeline))
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
