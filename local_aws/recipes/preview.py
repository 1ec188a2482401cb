"""What each step of a recipe does to a file, as tables in the terminal. Prints; knows no action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from local_aws.recipes.datatypes import json_text
from local_aws.recipes.declaration import Step
from local_aws.recipes.plan import apply_step
from local_aws.recipes.table import Table, type_name

PLAIN_WIDTH = 200  # of the tables where the output is no terminal
MAX_CELL = 40


def preview(steps: Sequence[Step], table: Table, rows: int) -> None:
    """Print, for the input and after each step: columns added and removed, rows, nulls made, first rows.

    Parameters:
        steps: validated steps.
        table: the input.
        rows: how many rows to show each time.

    Raises:
        RecipeError: a step does not fit; what came before it has been shown.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, PLAIN_WIDTH))
    frame = table.lazy().collect(engine="streaming")
    console.print(Text(f"input: {frame.height:,} rows, {frame.width} columns", style="bold"))
    _first_rows(console, frame, table, rows, set())
    for step in steps:
        before, names = frame, table.names
        table = apply_step(step, replace(table, frame=frame.lazy()))
        frame = table.lazy().collect(engine="streaming")
        added = [name for name in table.names if name not in names]
        removed = [name for name in names if name not in table.schema]
        nulls_before = sum(before[name].null_count() for name in names if name in table.schema)
        nulls_after = sum(frame[name].null_count() for name in table.names)
        facts = [
            f"{frame.height:,} of {before.height:,} rows kept"
            if frame.height <= before.height
            else f"{before.height:,} rows became {frame.height:,}"
        ]
        if added:
            facts.append(f"added {', '.join(added)}")
        if removed:
            facts.append(f"removed {', '.join(removed)}")
        if not added and not removed and names != table.names:
            facts.append("columns reordered")
        made = nulls_after - nulls_before
        facts.append(f"{max(made, 0):,} nulls made")
        console.print()
        console.print(Text(f"step {step.number}: {step.operation}", style="bold"), Text("; ".join(facts)))
        changed = {
            name
            for name in table.names
            if name in names and frame.height == before.height and not frame[name].equals(before[name])
        }
        _first_rows(console, frame, table, rows, {*added, *changed})


def _first_rows(console: Console, frame: pl.DataFrame, table: Table, rows: int, marked: set[str]) -> None:
    if rows == 0:
        return
    shown = frame.head(rows)
    chosen = _fitting(console.width, _widths(shown, table), table.names, marked)
    grid = RichTable(show_lines=False)
    for name in chosen:
        header = Text(name, style="bold green" if name in marked else "bold")
        header.append(f"\n{type_name(table.schema[name])}", style="dim")
        grid.add_column(header, overflow="fold")
    for row in shown.select(chosen).iter_rows():
        grid.add_row(*(Text("null", style="dim") if cell is None else Text(_shown(cell)) for cell in row))
    console.print(grid)
    if len(chosen) < len(table.names):
        console.print(Text(f"{len(table.names) - len(chosen)} more columns", style="dim"))


def _widths(frame: pl.DataFrame, table: Table) -> dict[str, int]:
    """Characters each column takes, with its borders."""
    return {
        name: min(
            MAX_CELL,
            max(len(name), len(type_name(table.schema[name])), *(len(_shown(cell)) for cell in frame[name]), 4),
        )
        + 3
        for name in table.names
    }


def _fitting(width: int, widths: dict[str, int], names: list[str], marked: set[str]) -> list[str]:
    """A run of columns that fits the width, around the first one that the step touched."""
    first = next((index for index, name in enumerate(names) if name in marked), 0)
    start = end = first
    room = width - 1 - widths[names[first]]
    while True:
        if end + 1 < len(names) and widths[names[end + 1]] <= room:
            end += 1
            room -= widths[names[end]]
        elif start > 0 and widths[names[start - 1]] <= room:
            start -= 1
            room -= widths[names[start]]
        else:
            return names[start : end + 1]


def _shown(cell: object) -> str:
    if cell is None:
        return "null"
    if isinstance(cell, pl.Series):
        cell = cell.to_list()
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return json_text(cell) if isinstance(cell, dict | list) else str(cell)
