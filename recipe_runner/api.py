"""The public API: run, validate and profile a recipe's data, check rules, select files.

The DataBrew service of local_aws and the command line call nothing else. Knows neither moto nor
S3: files are local, and the caller moves them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import polars as pl
import polars.selectors as cs

from recipe_runner.checking import check_document, typed_steps
from recipe_runner.errors import RecipeError, RecipeErrors, StepError
from recipe_runner.files.compression import scratch
from recipe_runner.files.inputs import contradicts_types, scan_dataset
from recipe_runner.files.outputs import WrittenOutput, write_outputs
from recipe_runner.files.path_selection import select_files
from recipe_runner.language.declaration import Step
from recipe_runner.plan import build_plan, from_polars
from recipe_runner.tables.streaming import count_rows, sources
from recipe_runner.tables.table import DatasetFiles, RunContext, SecondaryInput, Table

T = TypeVar("T")

__all__ = [
    "DatasetFiles",
    "RecipeError",
    "RecipeErrors",
    "RunReport",
    "SecondaryInput",
    "StepError",
    "run_profile",
    "run_recipe",
    "select_files",
    "validate_rules",
    "validate_steps",
    "validation_report",
]


@dataclass(frozen=True)
class RunReport:
    """What a run did.

    :param outputs: for each output, its definition and the files written, relative to its folder.
    :param rows_in: rows read from the primary dataset; -1 if the format does not tell cheaply.
    :param rows_out: rows written to each output.
    :param columns: names of the written columns, in order.
    """

    outputs: list[WrittenOutput]
    rows_in: int
    rows_out: int
    columns: list[str] = field(default_factory=list)


def validate_steps(steps: Any, *, to_run: bool = True) -> list[StepError]:
    """Return every fault of a recipe that shows without data, in the order of its steps.

    :param steps: list of steps, in the API's shape or another dialect.
    :param to_run: whether operations that only the service can do are faults. CreateRecipe accepts
        them; a run does not.
    """
    return check_document(steps, to_run=to_run)[1]


def validate_rules(rules: Sequence[Mapping[str, Any]]) -> None:
    """Refuse rules that cannot be read, whatever the data is.

    :param rules: Rules as in the API.
    :raises RecipeError: a rule is malformed; names the rule.
    """
    from recipe_runner.profiling.rulesets import Rule

    for rule in rules:
        Rule(rule)


def run_recipe(
    steps: Any,
    inputs: Sequence[Path],
    *,
    input_format: str,
    input_options: Mapping[str, Any] | None = None,
    output_dir: Path | Sequence[Path],
    outputs: Sequence[Mapping[str, Any]],
    job_name: str,
    started_at: datetime,
    extra_columns: Mapping[Path, Mapping[str, Any]] | None = None,
    names: Mapping[Path, str] | None = None,
    secondary: Callable[[SecondaryInput], DatasetFiles] | None = None,
    secret: Callable[[str], bytes] | None = None,
) -> RunReport:
    """Run a recipe over local files and write its outputs.

    :param steps: the recipe's steps.
    :param inputs: files of the dataset, in order.
    :param input_format: CSV, JSON, PARQUET, EXCEL or ORC; empty to go by the extension.
    :param input_options: DataBrew's FormatOptions.
    :param output_dir: folder in place of the outputs' S3 location: one for all, or one each.
    :param outputs: DataBrew's Output shapes (Format, FormatOptions, CompressionFormat,
        PartitionColumns, Overwrite, MaxOutputFiles).
    :param job_name: name of the job.
    :param started_at: start of the run, with time zone.
    :param extra_columns: for each input file, columns to add with their values (path parameters
        with CreateColumn).
    :param secondary: finds the files of a second dataset (JOIN, UNION).
    :param secret: returns the value of a secret by its id (PII actions).
    :returns: the files written, and the rows read and written.
    :raises RecipeError: the recipe, the data or an output is wrong; no output has been written.
    """
    typed = typed_steps(steps)
    files = DatasetFiles(list(inputs), input_format, input_options or {}, extra_columns or {}, names or {})

    def attempt(all_rows: bool) -> RunReport:
        table = open_table(files, started_at=started_at, secondary=secondary, secret=secret, all_rows=all_rows)
        rows_in = rows_of_dataset(table)
        result = build_plan(typed, table)
        written, rows_out = write_outputs(result, outputs, output_dir, job_name=job_name, started_at=started_at)
        if rows_out < 0:
            rows_out = _rows_of(written, output_dir, rows_in, typed)
        return RunReport(written, rows_in, rows_out, result.names)

    return with_types(attempt)


def run_profile(
    files: DatasetFiles,
    *,
    configuration: Mapping[str, Any] | None = None,
    job_sample: Mapping[str, Any] | None = None,
    rulesets: Sequence[Mapping[str, Any]] = (),
    job_name: str,
    started_at: datetime,
    dataset_name: str = "",
    job_run_id: str = "",
    location: str = "",
) -> dict[str, Any]:
    """Profile a dataset, and validate it if there are rulesets.

    :param files: the dataset's local files.
    :param configuration: ProfileConfiguration as in the API.
    :param job_sample: JobSample as in the API; the first 20,000 rows by default.
    :param rulesets: the rulesets of the job's ValidationConfigurations, as in `apply_ruleset`.
    :param job_name: name of the job, for the report.
    :param started_at: start of the run, with time zone, for the report.
    :param dataset_name: name of the dataset, for the report.
    :param job_run_id: id of the run, for the report.
    :param location: S3 URI of the report itself.
    :returns: the report document, version 1.0, with `rulesetResults` if there are rulesets.
    :raises RecipeError: the data cannot be read, or a configuration or a rule is malformed.
    """
    from recipe_runner.profiling.profile import dataset_override, default_configuration, profile_columns
    from recipe_runner.profiling.rulesets import apply_ruleset

    frame = _sampled(files, job_sample or {})
    chosen = configuration or {}
    report: dict[str, Any] = {
        "defaultProfileConfiguration": default_configuration(),
        "datasetConfigurationOverride": dataset_override(chosen.get("DatasetStatisticsConfiguration") or {}),
        **profile_columns(frame, chosen),
        "datasetName": dataset_name,
        "jobName": job_name,
        "jobRunId": job_run_id,
        "location": location,
        "startedOn": started_at.replace(tzinfo=None).isoformat(),
        "writtenOn": datetime.now(UTC).replace(tzinfo=None).isoformat(),
        "version": "1.0",
    }
    if rulesets:
        report["rulesetResults"] = [apply_ruleset(ruleset, frame) for ruleset in rulesets]
    return report


def validation_report(profile: Mapping[str, Any], *, location: str) -> dict[str, Any]:
    """Return the document of a run's rule results, version 1.0, as the service writes it.

    :param profile: result of `run_profile` for a job with rulesets.
    :param location: S3 URI of the document itself.
    """
    about = {key: profile[key] for key in ("jobName", "jobRunId", "startedOn", "writtenOn", "version")}
    return {
        "sampleSize": profile["sampleSize"],
        "rulesetResults": profile["rulesetResults"],
        **about,
        "location": location,
    }


def _sampled(files: DatasetFiles, job_sample: Mapping[str, Any]) -> pl.DataFrame:
    from recipe_runner.profiling.profile import sample_size

    size = sample_size(job_sample)

    def attempt(all_rows: bool) -> pl.DataFrame:
        frame = scan_dataset(files, all_rows=all_rows).frame
        rows = (frame if size is None else frame.head(size)).collect(engine="streaming")
        # The service treats columns of only nulls, and of categories, as text.
        return rows.with_columns(cs.by_dtype(pl.Null, pl.Categorical, pl.Enum).cast(pl.String))

    return with_types(attempt)


def _rows_of(
    written: Sequence[WrittenOutput], output_dir: Path | Sequence[Path], rows_in: int, steps: Sequence[Step]
) -> int:
    folder = output_dir if isinstance(output_dir, Path) else output_dir[0]
    path = folder / written[0].files[0]
    kind = str(written[0].output.get("Format") or "CSV").upper()
    if written[0].output.get("CompressionFormat") and kind in ("CSV", "JSON"):
        return -1
    if kind == "CSV":
        return count_rows(pl.scan_csv(sources(path), infer_schema=False))
    if kind == "JSON":
        with path.open("rb") as stream:
            return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
    if kind in ("PARQUET", "GLUEPARQUET"):
        return count_rows(pl.scan_parquet(sources(path)))
    return -1


def open_table(
    files: DatasetFiles,
    *,
    started_at: datetime | None = None,
    secondary: Callable[[SecondaryInput], DatasetFiles] | None = None,
    secret: Callable[[str], bytes] | None = None,
    all_rows: bool = False,
    checked: bool = True,
) -> Table:
    """Open a dataset as a table to which steps can be applied.

    :raises RecipeError: a file does not exist or is not of its format.
    """

    def scan(other: DatasetFiles) -> pl.LazyFrame:
        return scan_dataset(other, all_rows=all_rows, checked=checked).frame

    context = RunContext(secondary=secondary, scan=scan, secret=secret)
    if started_at is not None:
        context = replace(context, started_at=started_at)
    dataset = scan_dataset(files, all_rows=all_rows, checked=checked)
    return Table.of(dataset.frame, context, dataset.rows)


def rows_of_dataset(table: Table) -> int:
    """Count the rows of a table as opened, unless opening its files has told the number."""
    return count_rows(table.frame) if table.dataset_rows is None else table.dataset_rows


def with_types(attempt: Callable[[bool], T]) -> T:
    """Run `attempt` with guessed types, and again with types from all rows if a value contradicts.

    :param attempt: gets False for types from the first rows, True for types from all rows.
    :raises RecipeError: what went wrong, also where polars raised it.
    """
    with scratch():
        try:
            return attempt(False)
        except (pl.exceptions.PolarsError, RecipeError) as problem:
            if not contradicts_types(problem):
                _raise_recipe_error(problem)
        try:
            return attempt(True)
        except (pl.exceptions.PolarsError, RecipeError) as problem:
            _raise_recipe_error(problem)


def _raise_recipe_error(problem: Exception) -> NoReturn:
    error = from_polars(problem)
    raise error from (None if error is problem else problem)
