"""Personal data actions (https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.pii.html).

Hashing and deterministic encryption need a secret. `RunContext.secret` gives its bytes; without one
a key is derived from the secret's name, so that a recipe can be tried, but never equals what the
service writes. ENCRYPT and DECRYPT wrap their keys with AWS KMS and are refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl
import regex

from recipe_runner.actions.math_functions import SEEDED, between, shares
from recipe_runner.errors import RecipeError
from recipe_runner.language.conditions import combined
from recipe_runner.language.declaration import Step, action
from recipe_runner.language.operands import per_value
from recipe_runner.language.parameters import Parameter, boolean, choice, columns, integer, number, strings, text
from recipe_runner.language.patterns import SECONDS_PER_VALUE, compiled, literal
from recipe_runner.tables.advanced_datatypes import ENTITY_TYPES, entity_pattern
from recipe_runner.tables.datatypes import as_text, parse_timestamp_text, timestamp_text
from recipe_runner.tables.table import Change, Columns, NewColumn, Table

FAMILY = "PII"
SOURCES = columns(aliases=("sourceColumn",))
ENTITIES = strings("entityTypeFilter", required=False)
ALPHABET = strings("alphabet", required=False)
SYMBOL = text("maskSymbol", default="#")
KEYS: tuple[Parameter, ...] = (
    text("secretId", required=False),
    text("secretVersion", required=False),
    boolean("createSecretIfMissing"),
)
SECRET = (
    "The secret's value, locally",
    "what the caller gives; else a key derived from secretId",
    "there is no Secrets Manager; the result has the service's form, not its value",
)
DETECTED = (
    "How personal data is found (entityTypeFilter)",
    "by the formats' own rules; PERSON_NAME is refused",
    "the service's detection is not published, and names need its language model",
)
MAX_CELL = 400 * 1024


def _check_entities(arguments: Mapping[str, Any]) -> Sequence[str]:
    problems = [
        f"entityTypeFilter has no type {kind!r}; the types are {', '.join(ENTITY_TYPES)}"
        for kind in arguments.get("entityTypeFilter") or []
        if kind not in ENTITY_TYPES
    ]
    problems.extend(
        f"alphabet takes SYMBOLS and WHITESPACE only; it has {kind!r}"
        for kind in arguments.get("alphabet") or []
        if kind not in ("SYMBOLS", "WHITESPACE")
    )
    if "maskSymbol" in arguments and len(arguments["maskSymbol"]) != 1:
        problems.append(f"maskSymbol must be one character; it is {arguments['maskSymbol']!r}")
    return problems


def _within_entities(step: Step, change: Callable[[str], str]) -> Callable[[str], str]:
    """Apply a change to the whole text, or to each piece of personal data in it."""
    if not step["entityTypeFilter"]:
        return change
    found = entity_pattern(list(step["entityTypeFilter"]))
    return lambda value: found.sub(lambda hit: change(hit.group(0)), value)


def _in_place(step: Step, table: Table, change: Callable[[str], str | None]) -> Change:
    table.require(*step["sourceColumns"])
    return Columns(
        [
            NewColumn(name, per_value(change, as_text(pl.col(name), table.dtype(name)), pl.String()), in_place=True)
            for name in step["sourceColumns"]
        ]
    )


def _secret(step: Step, table: Table) -> bytes:
    name = step["secretId"] or "databrew!default"
    if table.context.secret is not None:
        return table.context.secret(name)
    return hashlib.sha256(b"local_aws " + name.encode()).digest()


ALGORITHMS = ("HMAC_SHA256", "MD5", "SHA1", "SHA256", "SHA512", "HMAC_MD5", "HMAC_SHA1", "HMAC_SHA512")


def _check_hash(arguments: Mapping[str, Any]) -> Sequence[str]:
    problems = list(_check_entities(arguments))
    if arguments["algorithm"].startswith("HMAC") and not arguments["secretId"]:
        problems.append(f"{arguments['algorithm']} needs secretId")
    return problems


@action(
    "CRYPTOGRAPHIC_HASH",
    FAMILY,
    SOURCES,
    *KEYS,
    ENTITIES,
    choice("algorithm", *ALGORITHMS, default="HMAC_SHA256"),
    check=_check_hash,
    ambiguities=[
        SECRET,
        DETECTED,
        (
            "Where the hashes go",
            "into new columns `<source>_hashed`, right of the last source, in Base64",
            "AWS Glue's CryptographicHash; the DataBrew guide does not say",
        ),
        ("What is hashed", "the value as text in UTF-8", "the page does not say"),
    ],
)
def cryptographic_hash(step: Step, table: Table) -> Change:
    """Write an HMAC or hash of columns into new columns."""
    algorithm = step["algorithm"].removeprefix("HMAC_").lower()
    key = _secret(step, table) if step["algorithm"].startswith("HMAC") else None

    def digest(value: str) -> str:
        raw = value.encode()
        made = (
            hmac.new(key, raw, algorithm).digest()
            if key is not None
            else hashlib.new(algorithm, raw, usedforsecurity=False).digest()
        )
        return base64.b64encode(made).decode()

    change = _within_entities(step, digest)
    last = step["sourceColumns"][-1]
    table.require(*step["sourceColumns"])
    return Columns(
        [
            NewColumn(f"{name}_hashed", per_value(change, as_text(pl.col(name), table.dtype(name)), pl.String()), last)
            for name in step["sourceColumns"]
        ]
    )


def _check_cipher(arguments: Mapping[str, Any]) -> Sequence[str]:
    problems = list(_check_entities(arguments))
    if not arguments["secretId"]:
        problems.append("the parameter 'secretId' is missing")
    return problems


def _cipher(step: Step, table: Table) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

    secret = _secret(step, table)
    key = secret if len(secret) == 32 else hashlib.sha256(secret).digest()
    try:
        return AESGCMSIV(key)
    except UnsupportedAlgorithm as problem:
        raise RecipeError("AES-GCM-SIV needs the package cryptography with OpenSSL 3.2 or later") from problem


_NONCE = bytes(12)


@action(
    "DETERMINISTIC_ENCRYPT",
    FAMILY,
    SOURCES,
    *KEYS,
    ENTITIES,
    check=_check_cipher,
    ambiguities=[
        SECRET,
        DETECTED,
        (
            "Form of the encrypted text",
            "Base64 of AES-GCM-SIV with a zero nonce",
            "the page names the cipher; deterministic means one nonce",
        ),
    ],
)
def deterministic_encrypt(step: Step, table: Table) -> Change:
    """Encrypt values so that equal values give equal results."""
    cipher = _cipher(step, table)

    def encrypt(value: str) -> str:
        """Refuse to run: the action needs AWS KMS."""
        raw = value.encode()
        if len(raw) > MAX_CELL:
            raise RecipeError(f"a value has {len(raw)} bytes; the operation encrypts up to {MAX_CELL}")
        return base64.b64encode(cipher.encrypt(_NONCE, raw, None)).decode()

    return _in_place(step, table, _within_entities(step, encrypt))


@action(
    "DETERMINISTIC_DECRYPT",
    FAMILY,
    SOURCES,
    *KEYS,
    check=_check_cipher,
    ambiguities=[
        SECRET,
        (
            "A value that this secret does not decrypt",
            "stays as it is",
            "the page: a no-op if the secret does not match",
        ),
    ],
)
def deterministic_decrypt(step: Step, table: Table) -> Change:
    """Decrypt what DETERMINISTIC_ENCRYPT wrote; other values stay as they are."""
    from cryptography.exceptions import InvalidTag

    cipher = _cipher(step, table)

    def decrypt(value: str) -> str:
        """Refuse to run: the action needs AWS KMS."""
        try:
            plain: bytes = cipher.decrypt(_NONCE, base64.b64decode(value, validate=True), None)
            return plain.decode()
        except (InvalidTag, ValueError, binascii.Error):
            return value

    return _in_place(step, table, decrypt)


KMS = (
    "its data keys are wrapped by AWS KMS in the AWS Encryption SDK's message format, which needs a real KMS key; use "
    "DETERMINISTIC_ENCRYPT to try a recipe"
)
KMS_KEY = text("kmsKeyArn")


@action("ENCRYPT", FAMILY, SOURCES, KMS_KEY, ENTITIES, boolean("preserveDataType", default=True), refusal=KMS)
def encrypt(step: Step, table: Table) -> Change:
    """Refuse to run: the action needs AWS KMS."""
    raise RecipeError("the operation needs AWS KMS")


@action("DECRYPT", FAMILY, SOURCES, KMS_KEY, refusal=KMS)
def decrypt(step: Step, table: Table) -> Change:
    """Refuse to run: the action needs AWS KMS."""
    raise RecipeError("the operation needs AWS KMS")


def _masker(step: Step) -> Callable[[str], str]:
    symbol, kept = step["maskSymbol"], step["alphabet"] or []

    def mask(piece: str) -> str:
        return "".join(
            character
            if ("WHITESPACE" in kept and character.isspace())
            or ("SYMBOLS" in kept and not character.isalnum() and not character.isspace())
            else symbol
            for character in piece
        )

    return mask


@action(
    "MASK_CUSTOM",
    FAMILY,
    SOURCES,
    SYMBOL,
    text("customValue"),
    boolean("regex"),
    ENTITIES,
    check=lambda arguments: [*_check_entities(arguments), *_check_custom(arguments)],
    ambiguities=[
        DETECTED,
        ("maskSymbol absent", "#", "the symbol of the page's examples"),
        ("Length of the mask", "as long as what it hides", "masks characters"),
    ],
)
def mask_custom(step: Step, table: Table) -> Change:
    """Mask every occurrence of a text or a regular expression."""
    found = compiled(step["customValue"] if step["regex"] else literal(step["customValue"]))
    symbol = step["maskSymbol"]

    def mask(value: str) -> str:
        try:
            return str(found.sub(lambda hit: symbol * len(hit.group(0)), value, timeout=SECONDS_PER_VALUE))
        except TimeoutError:
            raise RecipeError(
                f"the regular expression {step['customValue']!r} takes too long to match; simplify it"
            ) from None

    return _in_place(step, table, _within_entities(step, mask))


def _check_custom(arguments: Mapping[str, Any]) -> Sequence[str]:
    if not arguments["customValue"]:
        return ["customValue must not be empty"]
    if arguments["regex"]:
        try:
            compiled(arguments["customValue"])
        except regex.error as problem:
            return [f"customValue is not a valid regular expression: {problem}"]
    return []


@action(
    "MASK_RANGE",
    FAMILY,
    SOURCES,
    SYMBOL,
    integer("start", required=False),
    integer("stop", required=False),
    ALPHABET,
    ENTITIES,
    check=_check_entities,
    ambiguities=[DETECTED],
)
def mask_range(step: Step, table: Table) -> Change:
    """Mask the characters between two positions."""
    start, stop, mask = step["start"], step["stop"], _masker(step)

    def masked(value: str) -> str:
        first, last, _ = slice(start, stop).indices(len(value))
        return value[:first] + mask(value[first:last]) + value[max(first, last) :]

    return _in_place(step, table, _within_entities(step, masked))


@action(
    "MASK_DELIMITER",
    FAMILY,
    SOURCES,
    SYMBOL,
    text("startDelimiter", required=False),
    text("endDelimiter", required=False),
    boolean("preserveDelimiters"),
    ALPHABET,
    ENTITIES,
    check=_check_entities,
    ambiguities=[
        DETECTED,
        (
            "preserveDelimiters",
            "true keeps the delimiters, false masks them",
            "the page says the opposite of the name, and authors of recipes read the name",
        ),
        ("A delimiter that is not found", "the text stays as it is", "there is nothing between the delimiters"),
        ("Several delimited parts", "each is masked", "masks characters between two delimiters"),
    ],
)
def mask_delimiter(step: Step, table: Table) -> Change:
    """Mask the text between two delimiters."""
    mask = _masker(step)
    start, end = step["startDelimiter"] or "", step["endDelimiter"] or ""
    opening = re.escape(start) if start else r"\A"
    closing = re.escape(end) if end else r"\Z"
    found = re.compile(f"({opening})(.*?)({closing})", re.DOTALL)
    keep = step["preserveDelimiters"]

    def replaced(hit: re.Match[str]) -> str:
        return hit.group(1) + mask(hit.group(2)) + hit.group(3) if keep else mask(hit.group(0))

    return _in_place(step, table, _within_entities(step, lambda value: found.sub(replaced, value)))


COMPONENTS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND")
_CLOCK = r"(?:[T ](?P<HOUR>\d{1,2}):(?P<MINUTE>\d{2})(?::(?P<SECOND>\d{2})(?:\.(?P<MILLISECOND>\d+))?)?.*)?"
_DATE_SHAPES = [
    re.compile(rf"(?P<YEAR>\d{{4}})[-/. ](?P<MONTH>\d{{1,2}})[-/. ](?P<DAY>\d{{1,2}}){_CLOCK}"),
    re.compile(rf"(?P<YEAR>(?:19|20)\d{{2}})(?P<MONTH>0[1-9]|1[0-2])(?P<DAY>0[1-9]|[12]\d|3[01]){_CLOCK}"),
    re.compile(rf"(?P<MONTH>0?[1-9]|1[0-2])[-/. ](?P<DAY>\d{{1,2}})[-/. ](?P<YEAR>\d{{4}}|\d{{2}}){_CLOCK}"),
    re.compile(rf"(?P<DAY>\d{{1,2}})[-/. ](?P<MONTH>\d{{1,2}})[-/. ](?P<YEAR>\d{{4}}|\d{{2}}){_CLOCK}"),
    re.compile(rf"(?P<MONTH>[A-Za-z]{{3,9}})[-/. ](?P<DAY>\d{{1,2}}),?[-/. ](?P<YEAR>\d{{4}}){_CLOCK}"),
    re.compile(rf"(?P<DAY>\d{{1,2}})[-/. ](?P<MONTH>[A-Za-z]{{3,9}}),?[-/. ](?P<YEAR>\d{{4}}){_CLOCK}"),
    re.compile(r"(?P<HOUR>\d{1,2}):(?P<MINUTE>\d{2})(?::(?P<SECOND>\d{2})(?:\.(?P<MILLISECOND>\d+))?)?"),
]


def _check_redact(arguments: Mapping[str, Any]) -> Sequence[str]:
    problems = list(_check_entities(arguments))
    problems.extend(
        f"redact takes only {', '.join(COMPONENTS)}; it has {part!r}"
        for part in arguments["redact"]
        if part not in COMPONENTS
    )
    if (arguments["locale"] or "en").split("-")[0] != "en":
        problems.append(
            f"the locale {arguments['locale']!r} cannot be read locally: only English month names are known"
        )
    return problems


@action(
    "MASK_DATE",
    FAMILY,
    SOURCES,
    SYMBOL,
    strings("redact"),
    text("locale", required=False),
    check=_check_redact,
    ambiguities=[
        ("A text that is not a date", "stays as it is", "there is no component to mask"),
        ("Form of the masked date", "that of the text; yyyy-MM-dd HH:mm:ss for date columns", "the page does not say"),
    ],
)
def mask_date(step: Step, table: Table) -> Change:
    """Mask components of a date; a text that is not a date stays as it is."""
    symbol, redact = step["maskSymbol"], step["redact"]

    def mask(value: str) -> str:
        shape = next((hit for one in _DATE_SHAPES if (hit := one.fullmatch(value.strip()))), None)
        if shape is None:
            return value
        text_value = value.strip()
        for part in redact:
            if part in shape.re.groupindex and shape.group(part) is not None:
                start, end = shape.span(part)
                text_value = text_value[:start] + symbol * (end - start) + text_value[end:]
        return text_value

    return _in_place(step, table, mask)


def _check_bounds(arguments: Mapping[str, Any]) -> Sequence[str]:
    return ["lowerBound must not be above upperBound"] if arguments["lowerBound"] > arguments["upperBound"] else []


def _share(step: Step, table: Table, salt: int) -> pl.Expr:
    row = pl.row_index().cast(pl.UInt64)
    return shares(row.hash(table.context.seed, step.number, salt, 5))


KEPT_NULL = ("Null", "stays null", "there is no value to replace")


@action(
    "REPLACE_WITH_RANDOM_BETWEEN",
    FAMILY,
    SOURCES,
    number("lowerBound"),
    number("upperBound"),
    check=_check_bounds,
    ambiguities=[SEEDED, KEPT_NULL, ("Whole or fractional", "whole where both bounds are whole", "as RANDOM_BETWEEN")],
)
def replace_with_random_between(step: Step, table: Table) -> Change:
    """Replace values with random numbers between two bounds; nulls stay."""
    table.require(*step["sourceColumns"])
    return Columns(
        [
            NewColumn(
                name,
                pl.when(pl.col(name).is_not_null()).then(between(step, table, _share(step, table, salt))),
                in_place=True,
            )
            for salt, name in enumerate(step["sourceColumns"])
        ]
    )


def _check_dates(arguments: Mapping[str, Any]) -> Sequence[str]:
    moments = {name: parse_timestamp_text(arguments[name]) for name in ("startDate", "endDate")}
    problems = [
        f"{name} must be a date such as 2020-12-12 12:12:12; it is {arguments[name]!r}"
        for name, moment in moments.items()
        if moment is None
    ]
    if not problems and moments["startDate"] > moments["endDate"]:  # type: ignore[operator]
        problems.append("startDate must not be after endDate")
    return problems


@action(
    "REPLACE_WITH_RANDOM_DATE_BETWEEN",
    FAMILY,
    SOURCES,
    text("startDate"),
    text("endDate"),
    check=_check_dates,
    ambiguities=[
        SEEDED,
        KEPT_NULL,
        (
            "Form of the new value",
            "yyyy-MM-dd HH:mm:ss, or the column's type where it holds dates",
            "the page's example",
        ),
    ],
)
def replace_with_random_date_between(step: Step, table: Table) -> Change:
    """Replace values with random dates between two dates; nulls stay."""
    start, end = parse_timestamp_text(step["startDate"]), parse_timestamp_text(step["endDate"])
    assert start is not None
    assert end is not None
    seconds = int((end - start).total_seconds())
    new = []
    for salt, name in enumerate(step["sourceColumns"]):
        dtype = table.dtype(name)
        moment = pl.lit(start).cast(pl.Datetime("us")) + pl.duration(
            seconds=(_share(step, table, salt) * (seconds + 1)).floor().cast(pl.Int64).clip(0, seconds)
        )
        value = moment.cast(dtype) if dtype.is_temporal() else timestamp_text(moment)
        new.append(NewColumn(name, pl.when(pl.col(name).is_not_null()).then(value), in_place=True))
    return Columns(new)


@action(
    "SHUFFLE_ROWS",
    FAMILY,
    SOURCES,
    columns("groupByColumns", required=False),
    ambiguities=[
        SEEDED,
        (
            "Several columns",
            "are shuffled together, so that the values of a row stay together",
            "the page shuffles the source columns as one",
        ),
    ],
)
def shuffle_rows(step: Step, table: Table) -> Change:
    """Shuffle the values of columns together, optionally within groups."""
    table.require(*step["sourceColumns"], *(step["groupByColumns"] or []))
    groups = [pl.col(name) for name in step["groupByColumns"] or []]
    met = combined(step.conditions, table)
    if met is not None:
        groups.append(met)  # or a value would go to a row that keeps its own, and another be lost
    seed = table.context.seed + step.number
    new = []
    for name in step["sourceColumns"]:
        shuffled = pl.col(name).shuffle(seed=seed)
        new.append(NewColumn(name, shuffled.over(groups) if groups else shuffled, in_place=True))
    return Columns(new)
