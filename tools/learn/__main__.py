"""Quality rules from good windows, as a diff to commit: ``make learn PIPELINE=churn``.

Reads the data profiles that good runs have left in the pipeline's bucket; with ``--profile`` it
lets DataBrew profile the window instead, for a pipeline that has none. It asks AWS with your own
credentials, as the AWS CLI does (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL). Nothing is written:
``make learn PIPELINE=churn > rules.diff`` and ``git apply rules.diff`` do.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from brewtrain import resources, strict_yaml
from brewtrain.domain import names
from brewtrain.domain.errors import BrewtrainError
from brewtrain.domain.pipeline.file import Pipeline, parse_pipeline
from brewtrain.domain.quality.learning import GoodWindow, learn
from brewtrain.domain.quality.proposal_text import rule_lines, unsaid, with_rules
from tools.learn.kept_profiles import kept_profiles
from tools.learn.pipeline_text import NotBlockStyleError, inner_indent, place_of_rules
from tools.learn.profile_job import profile_window


def proposed_text(pipeline: Pipeline, text: str, windows: Sequence[GoodWindow]) -> str:
    """Return the pipeline file with what it does not say yet; the same text if it says all.

    :param pipeline: The pipeline file.
    :param text: Its text.
    :param windows: Good windows.
    :raises NotBlockStyleError: If rules cannot be added to its text.
    """
    learnt = unsaid(learn(windows), pipeline.quality)
    if not learnt:
        return text
    rows = sum(window.rows for window in windows)
    newest = max(window.newest_day for window in windows)
    counted = "1 window" if len(windows) == 1 else f"{len(windows)} windows"
    bounds = ", ".join(f"{name}: {value}" for name, value in learnt.row_count.items())
    tail = [f"{' ' * inner_indent(text)}row_count: {{{bounds}}}"] if bounds else []
    comment = f"Learnt from {counted} up to {newest}, {rows:,} rows."
    if learnt.left_out:
        comment += f" {learnt.left_out} more do not fit into a ruleset."
    changed = with_rules(text, place_of_rules(text), rule_lines(learnt), comment, tail)
    # What is proposed must be a pipeline file again.
    parse_pipeline(strict_yaml.load(changed), source=f"{pipeline.name}.yaml with the rules")
    return changed


def diff(path: str, before: str, after: str) -> str:
    """Return a diff that ``git apply`` takes.

    :param path: The file, from the repository's root.
    :param before: Its text.
    :param after: Its new text.
    """
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )  # fmt: skip
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def main(arguments: list[str] | None = None, clients: Callable[[str], Any] | None = None) -> int:
    """Print the diff.

    :param arguments: The command line's; default: the process's.
    :param clients: Makes a boto3 client by service name; default: with the person's credentials.
    :returns: The exit code: 2 for a pipeline file that is missing or not valid, 1 if there is
        nothing to learn from.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    options = _parser().parse_args(arguments)
    try:
        pipeline = resources.find_pipeline(options.pipeline)
        windows = _windows(pipeline, options, clients or _own_clients())
    except BrewtrainError as error:
        return _fail(str(error), 2)
    except (BotoCoreError, ClientError) as error:
        return _fail(f"AWS cannot be asked: {error}; check credentials, region and permissions", 2)
    if not windows:
        return _fail(
            f"no good run of {pipeline.name} has left a profile; write 'quality: learn' into the pipeline file and let "
            "it run, or add PROFILE=1 to profile the window now",
            1,
        )
    path = resources.include_dir() / "pipelines" / f"{pipeline.name}.yaml"
    text = path.read_text("utf-8")
    try:
        changed = proposed_text(pipeline, text, windows)
    except NotBlockStyleError as error:
        return _fail(f"{error}; write it one field a line, then learn again", 2)
    if changed == text:
        print(f"learn: {pipeline.name} says all that its data shows.", file=sys.stderr)
    print(diff(_shown(path), text, changed), end="")
    return 0


def _windows(pipeline: Pipeline, options: argparse.Namespace, clients: Callable[[str], Any]) -> list[GoodWindow]:
    s3 = clients("s3")
    account = names.Account(str(clients("sts").get_caller_identity()["Account"]), s3.meta.region_name)
    if not options.profile:
        return kept_profiles(s3, pipeline.bucket_name(account), pipeline.name, options.windows)
    interval = pipeline.run_schedule.newest_complete(options.at)
    found = profile_window(clients, pipeline, account, interval, poll_seconds=options.poll_seconds, say=_say)
    return [found] if found.rows else []


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.learn", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pipeline", help="name of the pipeline")
    parser.add_argument(
        "--windows",
        type=_whole,
        default=30,
        metavar="N",
        help="newest good windows to learn from (default %(default)s)",
    )
    parser.add_argument("--profile", action="store_true", help="profile the window now, instead of kept profiles")
    parser.add_argument(
        "--at", type=_moment, default=datetime.now(UTC), metavar="TIME",
        help="with --profile: when the run would be due, ISO 8601, in UTC unless it says otherwise (default: now)",
    )  # fmt: skip
    parser.add_argument("--poll-seconds", type=float, default=10.0, help="between two looks at the profile job")
    return parser


def _own_clients() -> Callable[[str], Any]:
    import boto3

    return lambda service: boto3.client(service)


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of windows; write one such as 30")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write one such as 2026-11-30T04:00") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _shown(path: Path) -> str:
    return f"include/pipelines/{path.name}"


def _say(line: str) -> None:
    print(f"learn: {line}", file=sys.stderr)


def _fail(problem: str, code: int) -> int:
    _say(problem)
    return code


if __name__ == "__main__":
    sys.exit(main())
