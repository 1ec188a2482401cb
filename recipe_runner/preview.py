"""Print what each step of a recipe does to a file. Knows no action."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from recipe_runner.language.declaration import Step
from recipe_runner.plan import apply_step
from recipe_runner.tables.datatypes import json_text
from recipe_runner.tables.table import Table, type_name

PLAIN_WIDTH = 200  # of the tables where the output is no terminal and COLUMNS does not say
MAX_CELL = 40
ADDED, CHANGED, MOVED = "+", "~", ">"
_STYLES = {ADDED: "bold green", CHANGED: "bold yellow", MOVED: "bold cyan"}


def preview(steps: Sequence[Step], table: Table, rows: int) -> None:
    """Print the input, and the effect of each step with the first rows after it.

    The effect is: columns added, changed and removed, rows kept, and nulls made.

    :param steps: validated steps.
    :param table: the input.
    :param rows: how many rows to show each time.
    :raises RecipeError: a step does not fit; what came before it has been printed.
    """
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(width=PLAIN_WIDTH, highlight=False)
    frame = table.lazy().collect(engine="streaming")
    nulls = sum(column.null_count() for column in frame)
    console.print(
        Text(f"input  {_count(frame.height, 'row')}, {_count(frame.width, 'column')}, {_count(nulls, 'null')}"),
        style="bold",
    )
    _first_rows(console, frame, table, rows, {})
    for step in steps:
        before, earlier = frame, table
        table = apply_step(step, replace(table, frame=frame.lazy()))
        frame = table.lazy().collect(engine="streaming")
        marks = _marks(before, earlier, frame, table)
        console.print()
        console.print(Text(f"step {step.number}  {step.operation}", style="bold"))
        facts = RichTable.grid(padding=(0, 2))
        for label, text in _facts(before, earlier, frame, table, marks):
            facts.add_row("", label, text)
        console.print(facts)
        _first_rows(console, frame, table, rows, marks)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _marks(before: pl.DataFrame, earlier: Table, frame: pl.DataFrame, table: Table) -> dict[str, str]:
    """Return what happened to each column that the step touched."""
    marks = {name: ADDED for name in table.names if name not in earlier.schema}
    same_rows = frame.height == before.height
    for name in table.names:
        if name in marks:
            continue
        retyped = table.schema[name] != earlier.schema[name]
        if retyped or (same_rows and not frame[name].equals(before[name])):
            marks[name] = CHANGED
    kept_before = [name for name in earlier.names if name in table.schema]
    kept_after = [name for name in table.names if name in earlier.schema]
    moved = _moved(kept_before, kept_after)
    if moved is not None:
        marks.setdefault(moved, MOVED)
    return marks


def _moved(before: list[str], after: list[str]) -> str | None:
    """Return the column whose move explains a new order, if one does."""
    if before == after:
        return None
    for name in dict.fromkeys([*after[:1], *after[-1:], *before]):
        if [other for other in before if other != name] == [other for other in after if other != name]:
            return name
    return after[0]


def _facts(
    before: pl.DataFrame, earlier: Table, frame: pl.DataFrame, table: Table, marks: dict[str, str]
) -> Iterator[tuple[str, Text]]:
    gone = before.height - frame.height
    kept = "all kept" if not gone else f"{abs(gone):,} {'removed' if gone > 0 else 'added'}"
    yield "rows", Text(f"{frame.height:,} of {before.height:,}, {kept}")
    for mark, label in ((ADDED, "added"), (CHANGED, "changed"), (MOVED, "moved")):
        names = [name for name, found in marks.items() if found == mark]
        if names:
            items = ", ".join(_described(name, mark, earlier, table) for name in names)
            yield label, Text(items, style=_STYLES[mark])
    removed = [name for name in earlier.names if name not in table.schema]
    if removed:
        yield "removed", Text(", ".join(removed), style="bold red")
    made, filled = _nulls(before, earlier, frame, table)
    text = ", ".join(f"{count:,} in {name}" for name, count in made.items()) or "none"
    yield "nulls", Text(f"made: {text}" + (f"; filled: {filled:,}" if filled else ""))


def _described(name: str, mark: str, earlier: Table, table: Table) -> str:
    kind = type_name(table.schema[name])
    if mark == ADDED:
        return f"{name} ({kind})"
    if mark == CHANGED:
        old = type_name(earlier.schema[name])
        return f"{name} ({kind})" if old == kind else f"{name} ({old} → {kind})"
    place = table.names.index(name)
    return f"{name} ({'first' if place == 0 else f'right of {table.names[place - 1]}'})"


def _nulls(before: pl.DataFrame, earlier: Table, frame: pl.DataFrame, table: Table) -> tuple[dict[str, int], int]:
    """Count, by column, the nulls that the step made and those it filled."""
    made: dict[str, int] = {}
    filled = 0
    gone = [name for name in earlier.names if name not in table.schema]
    for name in table.names:
        now = frame[name].null_count()
        # A renamed column has the nulls that it had.
        same = (old for old in gone if name not in earlier.schema and before[old].equals(frame[name]))
        source = name if name in earlier.schema else next(same, None)
        then = 0 if source is None else before[source].null_count()
        if now > then:
            made[name] = now - then
        elif frame.height >= before.height:
            filled += then - now
    return made, filled


def _first_rows(console: Console, frame: pl.DataFrame, table: Table, rows: int, marks: dict[str, str]) -> None:
    if rows == 0:
        return
    shown = frame.head(rows)
    chosen = _fitting(console.width, _widths(shown, table), table.names, set(marks))
    grid = RichTable(show_lines=False, box=box.ROUNDED)
    for name in chosen:
        mark = marks.get(name, "")
        header = Text(f"{mark} {name}".strip(), style=_STYLES.get(mark, "bold"))
        header.append(f"\n{type_name(table.schema[name])}", style="dim")
        grid.add_column(header, overflow="fold", justify="right" if table.is_numeric(name) else "left")
    for row in shown.select(chosen).iter_rows():
        grid.add_row(*(Text("null", style="dim italic") if cell is None else Text(_shown(cell)) for cell in row))
    console.print(grid)
    first, last = table.names.index(chosen[0]), table.names.index(chosen[-1])
    hidden = [f"{first:,} to the left"] if first else []
    hidden += [f"{len(table.names) - 1 - last:,} to the right"] if last < len(table.names) - 1 else []
    if hidden:
        console.print(Text(f"columns not shown: {', '.join(hidden)}", style="dim"))


def _widths(frame: pl.DataFrame, table: Table) -> dict[str, int]:
    """Return the width of each column in characters, with its borders."""
    return {
        name: min(
            MAX_CELL,
            max(len(name) + 2, len(type_name(table.schema[name])), *(len(_shown(cell)) for cell in frame[name]), 4),
        )
        + 3
        for name in table.names
    }


def _fitting(width: int, widths: dict[str, int], names: list[str], marked: set[str]) -> list[str]:
    """Return a run of columns that fits the width.

    It starts left of the first column that the step touched.
    """
    first = next((index for index, name in enumerate(names) if name in marked), 0)
    start = end = first
    room = width - 1 - widths[names[first]]
    if start > 0 and widths[names[start - 1]] <= room:
        # A new column stands right of its source.
        start -= 1
        room -= widths[names[start]]
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
