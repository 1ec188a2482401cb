# ruff: noqa: N802  names are AWS's
"""``awsglue.utils``: a script's arguments."""

from __future__ import annotations


class GlueArgumentError(Exception):
    """A job argument that the script needs was not given."""


def getResolvedOptions(args: list[str], options: list[str]) -> dict[str, str]:
    """Return the named job arguments.

    :param args: ``sys.argv``.
    :param options: names without the leading dashes.
    :raises GlueArgumentError: one is missing or has no value.
    """
    given: dict[str, str | None] = {}
    position = 1
    while position < len(args):
        word = args[position]
        position += 1
        if not word.startswith("--"):
            continue
        name, equals, value = word[2:].partition("=")
        if equals:
            given[name] = value
        elif position < len(args) and not args[position].startswith("--"):
            given[name] = args[position]
            position += 1
        else:
            given[name] = None
    missing = [name for name in options if given.get(name) is None]
    if missing:
        raise GlueArgumentError(f"the following arguments are required: {', '.join('--' + name for name in missing)}")
    reserved = {name: str(given[name]) for name in ("JOB_NAME", "JOB_RUN_ID", "JOB_ID") if given.get(name)}
    return {**reserved, **{name: str(given[name]) for name in options}}
