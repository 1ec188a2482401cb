"""The command line: run, check and preview a recipe without AWS.

Exit codes: 0 done, 1 the recipe or the data is wrong, 2 the command line is wrong. Results go to
stdout, everything else to stderr. polars is imported by the command that needs it, so that
`--help` is fast.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipe_runner.errors import RecipeError, RecipeErrors, StepError

if TYPE_CHECKING:
    from recipe_runner.tables.table import DatasetFiles, SecondaryInput, Table

OUTPUT_FORMATS = {
    ".csv": "CSV",
    ".tsv": "CSV",
    ".json": "JSON",
    ".jsonl": "JSON",
    ".ndjson": "JSON",
    ".parquet": "PARQUET",
}
PROGRESS_BYTES = 50_000_000


class UsageError(Exception):
    """An error in the command line itself."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="python -m recipe_runner",
        description="Run, check and preview AWS Glue DataBrew recipes on this machine.",
    )
    commands = top.add_subparsers(dest="command", required=True)

    def with_input(command: argparse.ArgumentParser) -> None:
        command.add_argument("--delimiter", default=",", help="field delimiter of CSV input; default ,")
        command.add_argument(
            "--no-header", action="store_true", help="CSV input has no header row; columns are named Column_1 …"
        )
        command.add_argument(
            "--input-format",
            choices=["csv", "json", "jsonl", "parquet", "excel", "orc"],
            help="default: by the extension",
        )
        command.add_argument(
            "--dataset",
            action="append",
            default=[],
            metavar="NAME=PATH",
            help="file of a second dataset that a JOIN or UNION names",
        )
        command.add_argument(
            "--secret",
            action="append",
            default=[],
            metavar="ID=FILE",
            help="file with a secret's value, for hashing and encryption",
        )
        command.add_argument("--started-at", metavar="ISO", help="time that NOW and TODAY return; default: now")

    run = commands.add_parser("run", help="run a recipe over a file")
    run.add_argument("recipe", type=Path)
    run.add_argument("input", type=Path)
    run.add_argument("output", type=Path)
    with_input(run)
    run.add_argument("--output-format", choices=["csv", "json", "jsonl", "parquet"], help="default: by the extension")
    run.add_argument("--output-delimiter", default=",", help="field delimiter of CSV output; default ,")
    run.add_argument("--quiet", action="store_true", help="no progress and no summary")

    check = commands.add_parser("check", help="show everything that is wrong with a recipe")
    check.add_argument("recipe", type=Path)
    check.add_argument(
        "--schema", type=Path, metavar="INPUT", help="a file of the dataset, to check columns and types too"
    )
    with_input(check)

    preview = commands.add_parser("preview", help="show what each step does to a file")
    preview.add_argument("recipe", type=Path)
    preview.add_argument("input", type=Path)
    preview.add_argument("--rows", type=int, default=5, help="rows to show after each step; default 5")
    with_input(preview)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    :param arguments: the command line without the program's name; by default that of the process.
    """
    options = parser().parse_args(arguments)
    commands: dict[str, Callable[[argparse.Namespace], int]] = {"run": _run, "check": _check, "preview": _preview}
    try:
        return commands[options.command](options)
    except UsageError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except RecipeErrors as problem:
        _print_errors(problem.errors)
        return 1
    except RecipeError as problem:
        _print_errors([problem.detail])
        return 1
    except BrokenPipeError:
        # The reader closed the pipe; Python must not try to flush the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as problem:
        print(f"error: {problem.strerror or problem}: {problem.filename or ''}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _print_errors(errors: Sequence[StepError]) -> None:
    for error in errors:
        print(f"error: {error}", file=sys.stderr)


def _pairs(entries: Sequence[str], option: str) -> dict[str, Path]:
    pairs: dict[str, Path] = {}
    for entry in entries:
        name, separator, path = entry.partition("=")
        if not separator or not name or not path:
            raise UsageError(f"{option} takes NAME=PATH, not {entry!r}")
        pairs[name] = Path(path)
    return pairs


def _need_file(path: Path, what: str) -> None:
    if not path.is_file():
        raise UsageError(f"the {what} {path} does not exist")


def _delimiter(text: str, option: str) -> str:
    from recipe_runner.tables.table import can_delimit

    delimiter = text.replace("\\t", "\t")
    if not can_delimit(delimiter):
        raise UsageError(f"{option} takes one ASCII character other than a quote or a line end, not {text!r}")
    return delimiter


def _is_tsv(path: Path) -> bool:
    """Whether a file's name says tab-separated; the extension of a codec may follow (`.tsv.gz`)."""
    return ".tsv" in (suffix.lower() for suffix in path.suffixes[-2:])


def _files(options: argparse.Namespace, path: Path) -> DatasetFiles:
    from recipe_runner.files.inputs import format_of
    from recipe_runner.tables.table import DatasetFiles

    _need_file(path, "input")
    try:
        kind = format_of(path, (options.input_format or "").replace("jsonl", "json"))
    except RecipeError as problem:
        raise UsageError(problem.message) from problem
    delimiter = _delimiter(options.delimiter, "--delimiter")
    if _is_tsv(path) and options.delimiter == ",":
        delimiter = "\t"
    header = {"HeaderRow": not options.no_header}
    return DatasetFiles([path], kind, {"Csv": {"Delimiter": delimiter, **header}, "Excel": header})


def _open(options: argparse.Namespace, path: Path, all_rows: bool) -> Table:
    from recipe_runner.api import open_table
    from recipe_runner.tables.table import DatasetFiles

    datasets = _pairs(options.dataset, "--dataset")
    secrets = _pairs(options.secret, "--secret")

    def secondary(asked: SecondaryInput) -> DatasetFiles:
        beside = options.recipe.parent / asked.location
        path = datasets.get(asked.name) or datasets.get(asked.location)
        if path is None and asked.location and not asked.location.startswith("s3://") and beside.is_file():
            path = beside
        if path is None:
            name = asked.name or asked.location
            raise RecipeError(f"the second dataset {name!r} cannot be found; name its file with --dataset {name}=PATH")
        return DatasetFiles([path], "", {"Csv": {"Delimiter": "\t" if _is_tsv(path) else ",", "HeaderRow": True}})

    def secret(name: str) -> bytes:
        if name not in secrets:
            raise RecipeError(
                f"the secret {name!r} is missing; give a file that holds its value with --secret {name}=FILE"
            )
        return secrets[name].read_bytes().strip()

    started_at = datetime.now(UTC)
    if options.started_at:
        try:
            started_at = datetime.fromisoformat(options.started_at)
        except ValueError:
            raise UsageError(
                f"--started-at takes a time such as 2024-05-01T06:00:00+00:00, not {options.started_at!r}"
            ) from None
        if started_at.tzinfo is None:
            started_at = started_at.replace(tzinfo=UTC)
    return open_table(
        _files(options, path),
        started_at=started_at,
        secondary=secondary,
        secret=secret if secrets else None,
        all_rows=all_rows,
    )


def _document(options: argparse.Namespace) -> Any:
    from recipe_runner.language.reader import read_recipe_file

    _need_file(options.recipe, "recipe")
    return read_recipe_file(options.recipe)


def _run(options: argparse.Namespace) -> int:
    from recipe_runner.api import rows_of_dataset, with_types
    from recipe_runner.checking import typed_steps
    from recipe_runner.files.outputs import check_output, printable, write_file
    from recipe_runner.plan import build_plan

    suffix = options.output.suffix.lower()
    kind = {"csv": "CSV", "json": "JSON", "jsonl": "JSON", "parquet": "PARQUET"}.get(
        options.output_format or ""
    ) or OUTPUT_FORMATS.get(suffix)
    if kind is None:
        raise UsageError(
            f"the format of {options.output} is not known from its extension; name it with --output-format"
        )
    delimiter = _delimiter(options.output_delimiter, "--output-delimiter")
    if suffix == ".tsv" and options.output_delimiter == ",":
        delimiter = "\t"
    if not options.output.parent.is_dir():
        raise UsageError(f"the folder {options.output.parent} does not exist")
    # A link stays a link, and a folder or device is not replaced by a file.
    target = options.output.resolve()
    if target.exists() and not target.is_file():
        raise UsageError(f"the output {options.output} exists and is not a file; name a file")
    steps = typed_steps(_document(options))
    _files(options, options.input)
    output = {"Format": kind, "FormatOptions": {"Csv": {"Delimiter": delimiter}}}
    with _writing(options.output):
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))

    def attempt(all_rows: bool) -> tuple[int, int, Path]:
        table = _open(options, options.input, all_rows)
        result = build_plan(steps, table)
        check_output(output, result)
        # A failed query may still open its file later, so the second attempt writes another one.
        written = staging / ("again" if all_rows else "first")
        write_file(printable(result, kind), written, output, kind)
        return rows_of_dataset(table), len(result.names), written

    try:
        with _writing(options.output), _progress(options, staging):
            rows, columns, written = with_types(attempt)
            umask = os.umask(0)
            os.umask(umask)
            written.chmod(0o666 & ~umask)
            written.replace(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    if not options.quiet:
        print(f"{len(steps)} steps over {rows:,} rows: {columns} columns in {options.output}", file=sys.stderr)
    return 0


@contextmanager
def _writing(output: Path) -> Iterator[None]:
    """Turn an error of the file system into one that names the output, which was not written."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise RecipeError(f"the output {output} was not written: {reason}") from problem


@contextmanager
def _progress(options: argparse.Namespace, staging: Path) -> Iterator[None]:
    """Show how much has been written, for long inputs on a terminal."""
    if options.quiet or not sys.stderr.isatty() or options.input.stat().st_size < PROGRESS_BYTES:
        yield
        return
    import threading

    from rich.console import Console
    from rich.progress import (
        DownloadColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TransferSpeedColumn,
    )

    done = threading.Event()
    bar = Progress(
        SpinnerColumn(),
        TextColumn("written"),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("written", total=None)

    def watch() -> None:
        while not done.wait(0.2):
            with suppress(FileNotFoundError):
                bar.update(task, completed=max((file.stat().st_size for file in staging.iterdir()), default=0))

    watcher = threading.Thread(target=watch, daemon=True)
    with bar:
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


def _check(options: argparse.Namespace) -> int:
    from recipe_runner.checking import check_document

    steps, errors = check_document(_document(options))
    if options.schema is not None and not any(error.step == 0 for error in errors):
        from recipe_runner.api import with_types
        from recipe_runner.plan import check_plan

        _files(options, options.schema)
        errors = errors + with_types(
            lambda all_rows: check_plan(steps, _open(options, options.schema, all_rows), skipped=bool(errors))
        )
        errors.sort(key=lambda error: error.step)
    if errors:
        _print_errors(errors)
        print(f"{len(errors)} {'error' if len(errors) == 1 else 'errors'} in {options.recipe}", file=sys.stderr)
        return 1
    print(f"{options.recipe}: {len(steps)} steps, no error")
    return 0


def _preview(options: argparse.Namespace) -> int:
    from recipe_runner.api import with_types
    from recipe_runner.checking import typed_steps
    from recipe_runner.preview import preview

    if options.rows < 0:
        raise UsageError("--rows takes a number of rows; it must not be negative")
    steps = typed_steps(_document(options))
    _files(options, options.input)
    with_types(lambda all_rows: preview(steps, _open(options, options.input, all_rows), options.rows))
    return 0
