"""Column formatting actions: numbers and phone numbers as formatted text.

https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.column-formatting.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

import polars as pl

from recipe_runner.errors import RecipeError
from recipe_runner.language.declaration import Step, action
from recipe_runner.language.operands import per_value
from recipe_runner.language.parameters import choice, column, integer, text
from recipe_runner.tables.advanced_datatypes import region_code
from recipe_runner.tables.datatypes import as_text
from recipe_runner.tables.table import Change, Columns, NewColumn, Table

FAMILY = "Column formatting"
# Digits for the largest double and the most decimal places.
_EXACT = Context(prec=400)
_UNITS = {"THOUSAND": 3, "MILLION": 6, "BILLION": 9, "TRILLION": 12}


def _null(value: str | None) -> str | None:
    return None if value is None or value.lower() == "null" else value


def _check_number_format(arguments: Mapping[str, Any]) -> Sequence[str]:
    problems = []
    decimal, thousand = arguments["numericDecimalSeparator"], _null(arguments["numericThousandSeparator"])
    if decimal not in (".", ","):
        problems.append(f"numericDecimalSeparator must be . or ,; it is {decimal!r}")
    if thousand not in (None, "", ",", " ", ".", "\\", "\\\\", "'"):
        problems.append(f"numericThousandSeparator must be one of , blank . \\ or null; it is {thousand!r}")
    if thousand and thousand == decimal:
        problems.append("numericThousandSeparator and numericDecimalSeparator must differ")
    unit = _null(arguments["numericAbbreviatedUnit"])
    if unit and unit.upper() not in _UNITS:
        problems.append(f"numericAbbreviatedUnit must be one of {', '.join(_UNITS)} or null; it is {unit!r}")
    return problems


@action(
    "NUMBER_FORMAT",
    FAMILY,
    column(),
    integer("decimalPlaces", default=0, minimum=0, maximum=38),
    text("numericDecimalSeparator", default="."),
    text("numericThousandSeparator", required=False),
    text("numericAbbreviatedUnit", required=False),
    text("numericUnitAbbreviation", required=False),
    check=_check_number_format,
    ambiguities=[
        ("Rounding", "half up, away from zero", "as ROUND"),
        (
            "Blank before the unit",
            "none: 1.50K",
            "the page's options K, bn, million; a custom value may begin with a blank",
        ),
        (
            "A unit without abbreviation",
            "the number is divided and nothing is appended",
            "they are separate parameters",
        ),
    ],
)
def number_format(step: Step, table: Table) -> Change:
    """Format numbers as text with decimal places, separators and an abbreviated unit."""
    source = step["sourceColumn"]
    places, point = step["decimalPlaces"], step["numericDecimalSeparator"]
    thousand = (_null(step["numericThousandSeparator"]) or "").replace("\\\\", "\\")
    unit = _null(step["numericAbbreviatedUnit"])
    suffix = _null(step["numericUnitAbbreviation"]) or ""
    power = _UNITS[unit.upper()] if unit else 0
    quantum = Decimal(1).scaleb(-places)

    def formatted(value: str) -> str | None:
        try:
            number = Decimal(value).scaleb(-power, _EXACT).quantize(quantum, ROUND_HALF_UP, _EXACT)
        except InvalidOperation:
            return None
        if number == 0:
            number = abs(number)
        whole, _, fraction = f"{number:,f}".partition(".")
        return whole.replace(",", thousand) + (point + fraction if places else "") + suffix

    table.numeric(source)
    return Columns(
        [
            NewColumn(
                source, per_value(formatted, as_text(pl.col(source), table.dtype(source)), pl.String()), in_place=True
            )
        ]
    )


def _check_phone(arguments: Mapping[str, Any]) -> Sequence[str]:
    if arguments["defaultRegion"] and arguments["defaultRegionColumn"]:
        return ["give defaultRegion or defaultRegionColumn, not both"]
    region = arguments["defaultRegion"]
    if region and not (2 <= len(region) <= 3 and region.isalpha() and region.isupper()):
        return [f"defaultRegion must be two or three upper-case letters; it is {region!r}"]
    return []


@action(
    "FORMAT_PHONE_NUMBER",
    FAMILY,
    column(),
    choice("phoneNumberFormat", "E164", "INTERNATIONAL", "NATIONAL", "RFC3966", default="E164"),
    text("defaultRegion", required=False),
    column("defaultRegionColumn", required=False),
    check=_check_phone,
    ambiguities=[
        (
            "Default format",
            "E.164",
            "the DataBrew guide's page; AWS Glue's page shows a national format for the same call",
        ),
        ("Other formats than E164", "INTERNATIONAL, NATIONAL and RFC3966 too", "the page says: include"),
        (
            "Whether a number must be valid or only possible",
            "possible",
            "example numbers such as 555-0100 are formatted too",
        ),
        (
            "What defaultRegionColumn may hold",
            "two letters, three letters or the English name of a country",
            "the page: a column of the advanced data type Country",
        ),
    ],
)
def format_phone_number(step: Step, table: Table) -> Change:
    """Format phone numbers; a text that is not a possible phone number stays as it is."""
    import phonenumbers

    source = step["sourceColumn"]
    style = getattr(phonenumbers.PhoneNumberFormat, step["phoneNumberFormat"])

    def formatted(value: str, region: str | None) -> str:
        try:
            number = phonenumbers.parse(value, region_code(region) if region else None)
        except phonenumbers.NumberParseException:
            return value
        return str(phonenumbers.format_number(number, style)) if phonenumbers.is_possible_number(number) else value

    text_value = as_text(pl.col(source), table.dtype(source))
    region_column = step["defaultRegionColumn"]
    if region_column is None:
        region = step["defaultRegion"]
        return Columns(
            [
                NewColumn(
                    source, per_value(lambda value: formatted(value, region), text_value, pl.String()), in_place=True
                )
            ]
        )
    if table.dtype(region_column) != pl.String:
        raise RecipeError("the column must hold region codes such as US", column=region_column)

    def by_row(pairs: pl.Series) -> pl.Series:
        values = [None if pair["value"] is None else formatted(pair["value"], pair["region"]) for pair in pairs]
        return pl.Series(pairs.name, values, dtype=pl.String)

    both = pl.struct(text_value.alias("value"), pl.col(region_column).alias("region"))
    return Columns(
        [NewColumn(source, both.map_batches(by_row, return_dtype=pl.String(), is_elementwise=True), in_place=True)]
    )
