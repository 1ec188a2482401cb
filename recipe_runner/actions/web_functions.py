"""Web functions (https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.web.html)."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import polars as pl

from recipe_runner.language.declaration import Step, action
from recipe_runner.language.operands import (
    ONE_OF_SOURCE_OR_VALUE,
    SOURCE_OR_VALUE,
    check_source_or_value,
    per_value,
    text_operand,
)
from recipe_runner.language.parameters import column, new_column, number
from recipe_runner.tables.table import Change, Columns, NewColumn, Table

FAMILY = "Web functions"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = rf"^{_OCTET}(?:\.{_OCTET}){{3}}$"


@action(
    "IP_TO_INT",
    FAMILY,
    *SOURCE_OR_VALUE,
    new_column(),
    one_of=ONE_OF_SOURCE_OR_VALUE,
    check=check_source_or_value,
    ambiguities=[("A text that is not an IPv4 address", "null", "AWS Glue's IpToInt table")],
)
def ip_to_int(step: Step, table: Table) -> Change:
    """Write an IPv4 address as a whole number; any other text gives null."""
    value = text_operand(step, table)
    octets = value.str.split(".").list.eval(pl.element().cast(pl.Int64, strict=False))
    number_value = sum(
        (octets.list.get(index, null_on_oob=True) * 256 ** (3 - index) for index in range(4)), pl.lit(0, dtype=pl.Int64)
    )
    return Columns(
        [NewColumn(step["targetColumn"], pl.when(value.str.contains(_IPV4)).then(number_value), step["sourceColumn"])]
    )


@action(
    "INT_TO_IP",
    FAMILY,
    column(required=False),
    number("value", required=False),
    new_column(),
    one_of=ONE_OF_SOURCE_OR_VALUE,
    check=check_source_or_value,
    ambiguities=[("A number outside 0 to 4294967295, or with a fraction", "null", "AWS Glue's IntToIp table")],
)
def int_to_ip(step: Step, table: Table) -> Change:
    """Write a whole number as an IPv4 address."""
    source = step["sourceColumn"]
    operand = table.numeric(source) if source else pl.lit(step["value"])
    whole = operand.cast(pl.Int64, strict=False)
    octets = [(whole // 256**index % 256).cast(pl.String) for index in (3, 2, 1, 0)]
    fits = whole.is_between(0, 2**32 - 1) & (operand == whole)
    return Columns([NewColumn(step["targetColumn"], pl.when(fits).then(pl.concat_str(octets, separator=".")), source)])


def url_parameters(value: str) -> str | None:
    """Return the query parameters of a URL as JSON (name → list of values); None without any."""
    try:
        query = urlsplit(value).query
    except ValueError:
        return None
    found = parse_qs(query, keep_blank_values=True)
    return json.dumps(found, ensure_ascii=False) if found else None


@action(
    "URL_PARAMS",
    FAMILY,
    *SOURCE_OR_VALUE,
    new_column(),
    one_of=ONE_OF_SOURCE_OR_VALUE,
    check=check_source_or_value,
    ambiguities=[("A URL without parameters", "null", "there is nothing to return")],
)
def url_params(step: Step, table: Table) -> Change:
    """Write the query parameters of a URL as JSON into a new column."""
    return Columns(
        [
            NewColumn(
                step["targetColumn"],
                per_value(url_parameters, text_operand(step, table), pl.String()),
                step["sourceColumn"],
            )
        ]
    )
