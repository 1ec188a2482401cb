"""Open Excel workbooks as lazy frames."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from recipe_runner.errors import RecipeError
from recipe_runner.files.dataset_frames import repeated_column

_UNNAMED = re.compile("__UNNAMED__([0-9]+)")


def read_excel(path: Path, options: Mapping[str, Any]) -> pl.LazyFrame:
    """Read one sheet of a workbook: by name, by index from 0, or the first.

    :raises RecipeError: the file is not a workbook, has no such sheet, or repeats a column name.
    """
    import fastexcel

    try:
        book = fastexcel.read_excel(path)
    except fastexcel.FastExcelError:
        raise RecipeError(f"{path.name} is not an Excel workbook; set the input format") from None
    names, indexes = options.get("SheetNames"), options.get("SheetIndexes")
    sheets = book.sheet_names
    if names and names[0] not in sheets:
        raise RecipeError(f"{path.name} has no sheet {names[0]!r}; its sheets are {', '.join(sheets)}")
    number = sheets.index(names[0]) if names else int(indexes[0]) if indexes else 0
    if number >= len(sheets):
        raise RecipeError(f"{path.name} has no sheet {number}; it has {len(sheets)}, counted from 0")
    header = options.get("HeaderRow")
    header = True if header is None else bool(header)

    def read(**how: Any) -> pl.DataFrame:
        frame = pl.read_excel(path, sheet_id=number + 1, infer_schema_length=None, engine="calamine", **how)
        assert isinstance(frame, pl.DataFrame)
        return frame

    frame = read(has_header=header)
    if not header:
        return frame.rename({old: f"Column_{n}" for n, old in enumerate(frame.columns, 1)}).lazy()
    written = [cell for cell in read(has_header=False, read_options={"n_rows": 1, "dtypes": "string"}).row(0) if cell]
    twice = next((name for name in written if written.count(name) > 1), None)
    if twice is not None:
        raise repeated_column(path, twice)
    unnamed = {name: _UNNAMED.fullmatch(name) for name in frame.columns}
    return frame.rename({old: f"Column_{int(found[1]) + 1}" for old, found in unnamed.items() if found}).lazy()
