"""The progress of `make run`: one line per step, live in a terminal, otherwise in sequence."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

MARKS = {"success": "[green]✓[/]", "failed": "[red]✗[/]", "skipped": "[yellow]–[/]", "waiting": "[dim]·[/]"}


@dataclass
class Step:
    """One line of the progress: its group, its name and its state."""

    group: str
    name: str
    state: str = "waiting"
    note: str = ""
    started: float | None = None
    ended: float | None = None
    spinner: Spinner = field(default_factory=lambda: Spinner("dots"))

    @property
    def seconds(self) -> float | None:
        """Seconds since it started, or that it took; ``None`` before it starts."""
        if self.started is None:
            return None
        return (self.ended or time.monotonic()) - self.started


class Progress:
    """Show steps in the order in which they were announced."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps: dict[tuple[str, str], Step] = {}
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live = Live(get_renderable=self._table, console=self._console, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def announce(self, group: str, *names: str) -> None:
        """Show steps that have not started yet."""
        for name in names:
            self._steps.setdefault((group, name), Step(group, name))

    def set(self, group: str, name: str, state: str, note: str = "") -> None:
        """Change the state of a step.

        It starts with ``running`` and ends with any other state except ``waiting``.
        """
        self.announce(group, name)
        step = self._steps[group, name]
        if state == "running":
            step.started, step.ended = step.started or time.monotonic(), None
        elif state != "waiting" and step.state != state:
            step.started, step.ended = step.started or time.monotonic(), time.monotonic()
        changed = (step.state, step.note) != (state, note or step.note)
        step.state, step.note = state, note or step.note
        if self._live is None and changed and state not in ("running", "waiting"):
            seconds = f"{step.seconds:6.1f} s" if step.seconds is not None else ""
            self._console.print(f"{MARKS[state]} {group:8} {name:20} {seconds}  {escape(step.note)}", highlight=False)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        last_group = ""
        for step in self._steps.values():
            mark = step.spinner if step.state == "running" else Text.from_markup(MARKS[step.state])
            seconds = f"{step.seconds:.1f} s" if step.seconds is not None else ""
            group = step.group if step.group != last_group else ""
            last_group = step.group
            table.add_row(
                Text(group, "bold"), mark, step.name, Text(seconds, "dim", justify="right"), Text(step.note, "dim")
            )
        return table
