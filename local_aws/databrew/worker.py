"""Executes a DataBrew job run: selects files on S3, applies the recipe or profiles, writes outputs.

Runs in a forked process with the job role's keys; every S3 call carries them. Must not import moto
or anything of the server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_aws.databrew import file_names
from local_aws.jobs import entry
from local_aws.jobs.entry import JobError, reports_result, split_s3_uri

DOWNLOADS_AT_ONCE = 8


def warm_up() -> None:
    """Import the recipe engine before the fork."""
    import recipe_runner.api  # noqa: F401

    entry.warm_up()


@reports_result
def run_recipe_job(payload: dict[str, Any]) -> dict[str, Any]:
    """Execute a run of a recipe job; the worker's entry point.

    :param payload: ``job_name``, ``started_ms``, ``dataset``, ``datasets``, ``steps``,
        ``outputs``, as the service recorded them.
    :returns: rows read and written, and the S3 URIs written.
    """
    from recipe_runner.api import RecipeError, run_recipe

    if payload["unsupported_outputs"]:
        raise JobError(
            f"{payload['unsupported_outputs'][0]} cannot be written on local AWS; use Outputs with an S3 location"
        )
    s3 = entry.client("s3")
    started_at = datetime.fromtimestamp(payload["started_ms"] / 1000, UTC)
    files = _fetch_dataset(s3, payload["dataset"], started_at, Path("input"))
    print(
        f"job {payload['job_name']} run {payload['run_id']}: {len(payload['steps'])} steps over"
        f" {len(files.paths)} files"
    )
    folders = [Path(f"output-{number}").absolute() for number in range(len(payload["outputs"]))]
    try:
        report = run_recipe(
            payload["steps"],
            files.paths,
            input_format=files.input_format,
            input_options=files.input_options,
            output_dir=folders,
            outputs=payload["outputs"],
            job_name=payload["job_name"],
            started_at=started_at,
            extra_columns=files.extra_columns,
            names=files.names,
            secondary=_secondary_inputs(s3, payload["datasets"], started_at),
        )
    except RecipeError as error:
        raise JobError(f"Dataset {payload['dataset']['Name']}: {_one_line(error)}") from error
    written = [
        uri
        for output, folder in zip(payload["outputs"], folders, strict=True)
        for uri in _publish(s3, output, folder, payload["job_name"])
    ]
    print(f"rows read {report.rows_in}, rows written {report.rows_out}, objects written {len(written)}")
    return {"rows_in": report.rows_in, "rows_out": report.rows_out, "written": written}


def _secondary_inputs(s3: Any, datasets: list[dict[str, Any]], started_at: datetime) -> Callable[[Any], Any]:
    """Return how the recipe runner gets the further inputs that a join or union names."""
    from recipe_runner.api import RecipeError

    by_name = {dataset["Name"]: dataset for dataset in datasets}

    def fetch(wanted: Any) -> Any:
        dataset = by_name.get(wanted.name.rsplit("/", 1)[-1]) if wanted.name else None
        if dataset is None and wanted.location:
            bucket, key = split_s3_uri(wanted.location)
            dataset = {
                "Name": wanted.location,
                "Source": "S3",
                "Input": {"S3InputDefinition": {"Bucket": bucket, "Key": key}},
            }
        if dataset is None:
            raise RecipeError(f"the dataset {wanted.name!r} does not exist; create it or correct the step")
        return _fetch_dataset(s3, dataset, started_at, Path("secondary") / dataset["Name"].replace("/", "_"))

    return fetch


@reports_result
def run_profile_job(payload: dict[str, Any]) -> dict[str, Any]:
    """Execute a run of a profile job; the worker's entry point.

    Statistics per column and the rulesets' results are one JSON document each.

    :param payload: ``dataset``, ``configuration``, ``job_sample``, ``rulesets``, ``outputs``, as
        the service recorded them.
    :returns: the S3 URIs written.
    """
    from recipe_runner.api import RecipeError, run_profile, validation_report

    s3 = entry.client("s3")
    started_at = datetime.fromtimestamp(payload["started_ms"] / 1000, UTC)
    name = payload["dataset"]["Name"]
    location = payload["outputs"][0]["Location"]
    bucket = location["Bucket"]
    # As in the service's examples: dataset and run id; the validation report is a separate object.
    stem = _join(location.get("Key", ""), f"{name}_{payload['run_id'].removeprefix('db_')}")
    files = _fetch_dataset(s3, payload["dataset"], started_at, Path("input"))
    try:
        profile = run_profile(
            files,
            configuration=payload["configuration"],
            job_sample=payload["job_sample"],
            rulesets=payload["rulesets"],
            job_name=payload["job_name"],
            started_at=started_at,
            dataset_name=name,
            job_run_id=payload["run_id"],
            location=f"s3://{bucket}/{stem}.json",
        )
    except RecipeError as error:
        raise JobError(f"Dataset {name}: {_one_line(error)}") from error
    documents = {f"{stem}.json": profile}
    if payload["rulesets"]:
        key = f"{stem}_dq-validation-report.json"
        documents[key] = validation_report(profile, location=f"s3://{bucket}/{key}")
        for result in profile.pop("rulesetResults"):
            print(f"ruleset {result['name']}: {result['status']}")
    for key, document in documents.items():
        body = json.dumps(document, default=str).encode()
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    return {"written": [f"s3://{bucket}/{key}" for key in documents]}


def _fetch_dataset(s3: Any, dataset: Mapping[str, Any], started_at: datetime, folder: Path) -> Any:
    from botocore.exceptions import ClientError

    from recipe_runner.api import DatasetFiles

    if dataset.get("Source", "S3") != "S3":
        raise JobError(
            f"Dataset {dataset['Name']} reads from {dataset['Source']}, which local AWS does not have; use an S3 input"
        )
    source = dataset["Input"]["S3InputDefinition"]
    bucket, key = source["Bucket"], source.get("Key", "")
    try:
        selected = _select(s3, dataset["Name"], bucket, key, dataset.get("PathOptions") or {}, started_at)
    except ClientError as error:
        raise JobError(
            f"Dataset {dataset['Name']}: s3://{bucket}/{key} cannot be listed:"
            f" {error.response['Error']['Code']}: {error}"
        ) from error
    chosen = str(dataset.get("Format") or "") or file_names.format_of(selected)
    if (problem := file_names.problem_of(selected, chosen)) is not None:
        raise JobError(f"Dataset {dataset['Name']}: {problem}")

    def fetch(number_and_name: tuple[int, str]) -> Path:
        number, name = number_and_name
        target = folder.absolute() / f"{number:05d}" / (Path(name).name or "data")
        try:
            return entry.download(s3, bucket, name, target)
        except ClientError as error:
            raise JobError(
                f"Dataset {dataset['Name']}: s3://{bucket}/{name} cannot be read:"
                f" {error.response['Error']['Code']}: {error}"
            ) from error

    # A training window is hundreds of small objects, one or a few a day.
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE, thread_name_prefix="download") as pool:
        paths = list(pool.map(fetch, enumerate(selected)))
    extra = {path: columns for path, columns in zip(paths, selected.values(), strict=True) if columns}
    names = {path: f"s3://{bucket}/{name}" for path, name in zip(paths, selected, strict=True)}
    return DatasetFiles(paths, chosen, _format_options(dataset, chosen), extra, names)


def _select(
    s3: Any, name: str, bucket: str, key: str, options: Mapping[str, Any], started_at: datetime
) -> dict[str, dict[str, Any]]:
    from recipe_runner.api import RecipeError, select_files

    fixed = key[: min((key.index(sign) for sign in "<{" if sign in key), default=len(key))]
    listing = [
        (item.key, item.last_modified) for item in entry.list_objects(s3, bucket, fixed) if not item.key.endswith("/")
    ]
    try:
        chosen = select_files(listing, key, options, now=started_at)
    except RecipeError as error:
        raise JobError(f"Dataset {name}: {_one_line(error)}") from error
    found = {one: dict(columns) for one, columns in chosen.items()}
    if not found:
        shown = f" that meets its path conditions ({json.dumps(options)})" if options else ""
        raise JobError(
            f"Dataset {name}: no file found at s3://{bucket}/{key}{shown}; check the path or load the data first"
        )
    return found


def _format_options(dataset: Mapping[str, Any], chosen: str) -> Mapping[str, Any]:
    """Return a dataset's FormatOptions with what DataBrew takes where they say nothing."""
    options: dict[str, Any] = dict(dataset.get("FormatOptions") or {})
    if chosen == "JSON":
        # "The default format is JSON Lines": Connecting to data in a text file with DataBrew.
        options["Json"] = {"MultiLine": False, **(options.get("Json") or {})}
    return options


def _publish(s3: Any, output: Mapping[str, Any], folder: Path, job_name: str) -> list[str]:
    from botocore.exceptions import ClientError

    location = output["Location"]
    bucket, prefix = location["Bucket"], location.get("Key", "")
    files = {
        _join(prefix, path.relative_to(folder).as_posix()): path for path in sorted(folder.rglob("*")) if path.is_file()
    }
    stale = []
    done: list[str] = []
    try:
        if output.get("Overwrite"):
            # A run that writes fewer files than the one before must not leave the others behind.
            base = prefix.rstrip("/") + "/" if prefix.rstrip("/") else ""
            stale = [
                item.key
                for item in entry.list_objects(s3, bucket, base)
                if Path(item.key).name.startswith(f"{job_name}_part") and item.key not in files
            ]
        for key, path in files.items():
            entry.upload(s3, path, bucket, key)
            done.append(key)
        for key in stale:
            s3.delete_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if not output.get("Overwrite"):
            for key in done:
                s3.delete_object(Bucket=bucket, Key=key)
        code = error.response["Error"]["Code"]
        raise JobError(f"The output s3://{bucket}/{prefix} cannot be written: {code}: {error}") from error
    return [f"s3://{bucket}/{key}" for key in files]


def _join(prefix: str, name: str) -> str:
    return f"{prefix.rstrip('/')}/{name}" if prefix.rstrip("/") else name


def _one_line(error: Exception) -> str:
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
