"""Data science actions: features for a model.

https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.data-science.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import polars as pl

from recipe_runner.errors import RecipeError
from recipe_runner.language.declaration import Step, action
from recipe_runner.language.operands import per_value
from recipe_runner.language.parameters import (
    boolean,
    choice,
    column,
    json_map,
    new_column,
    number,
    numbers,
    strings,
    text,
    to_number,
)
from recipe_runner.tables.datatypes import as_text, divided, listed_text, listed_value
from recipe_runner.tables.streaming import mapped, one_of
from recipe_runner.tables.table import Change, Columns, NewColumn, Table, type_name

FAMILY = "Data science"
MAX_CATEGORIES = 10


@action(
    "BINARIZATION",
    FAMILY,
    column(),
    new_column(),
    number("threshold"),
    boolean("flip"),
    ambiguities=[("Null in the source", "null", "a comparison with null has no result")],
)
def binarization(step: Step, table: Table) -> Change:
    """Write 1 where a number is above the threshold, else 0; `flip` swaps them."""
    source = step["sourceColumn"]
    above = table.without_decimals(source) > step["threshold"]
    return Columns([NewColumn(step["targetColumn"], (~above if step["flip"] else above).cast(pl.Int32), source)])


def _check_buckets(arguments: Mapping[str, Any]) -> Sequence[str]:
    names, splits, share = arguments["bucketNames"], arguments["splits"], arguments["percentage"]
    problems = []
    if splits is not None and share is not None:
        problems.append("give either splits or percentage, not both")
    if splits is not None:
        if len(splits) < 2 or any(low >= high for low, high in pairwise(splits)):
            problems.append("splits must be at least two numbers in ascending order")
        elif len(names) != len(splits) - 1:
            problems.append(
                f"{len(splits)} splits make {len(splits) - 1} buckets, but there are {len(names)} bucketNames"
            )
    # 33 and 33.3 percent are three buckets, the last of which takes the rest.
    if share is not None and len(names) not in (math.ceil(100 / share), round(100 / share)):
        problems.append(
            f"buckets of {share:g} percent make {math.ceil(100 / share)}, but there are {len(names)} bucketNames"
        )
    return problems


@action(
    "BUCKETIZATION",
    FAMILY,
    column(),
    new_column(),
    strings("bucketNames"),
    numbers("splits", required=False),
    number("percentage", required=False, minimum=0.0001, maximum=100),
    one_of=[("splits", "percentage")],
    check=_check_buckets,
    ambiguities=[
        (
            "The last bucket's upper edge",
            "belongs to the last bucket",
            "as Spark's Bucketizer; else the maximum would be lost",
        ),
        ("A value outside the splits", "null", "no bucket holds it"),
        (
            "A percentage that does not divide 100, such as 33",
            "three buckets, the last one wider; with four names also a fourth for the rest",
            "the page says only that each bucket is a percentage",
        ),
        (
            "What percentage splits",
            "the range from minimum to maximum, into equal widths",
            "the console's binning shows equal ranges for a percentage",
        ),
    ],
)
def bucketization(step: Step, table: Table) -> Change:
    """Write the name of the bucket that each number falls into."""
    source = step["sourceColumn"]
    value = table.double(source)
    splits: list[float] = [float(split) for split in step["splits"] or []]
    if not splits:
        bounds = table.collect_one(low=value.min(), high=value.max())
        if bounds["low"] is None:
            return Columns([NewColumn(step["targetColumn"], pl.lit(None, dtype=pl.String), source)])
        low, high = float(bounds["low"]), float(bounds["high"])
        width = (high - low) * step["percentage"] / 100
        splits = [low + width * index for index in range(len(step["bucketNames"]))] + [high]
    names = step["bucketNames"]
    expression = pl.when(value.is_null() | value.is_nan()).then(pl.lit(None, dtype=pl.String))
    # Polars sorts NaN above infinity, so NaN is taken out first.
    chain = expression.when((value < splits[0]) | (value > splits[-1])).then(pl.lit(None, dtype=pl.String))
    for name, upper in zip(names[:-1], splits[1:-1], strict=True):
        chain = chain.when(value < upper).then(pl.lit(name))
    return Columns([NewColumn(step["targetColumn"], chain.otherwise(pl.lit(names[-1])), source)])


def _check_mapping(arguments: Mapping[str, Any]) -> Sequence[str]:
    problems = []
    if not arguments["categoryMap"]:
        problems.append("categoryMap must map at least one value")
    if any(isinstance(value, list | dict) for value in arguments["categoryMap"].values()):
        problems.append("categoryMap must map texts to single values")
    if arguments["deleteOtherRows"] and (arguments["keepOthers"] or arguments["other"] not in (None, "")):
        problems.append("deleteOtherRows contradicts keepOthers and other; give only one of them")
    if arguments["mapType"] == "NUMERIC":
        values = list(arguments["categoryMap"].values()) + (
            [arguments["other"]] if arguments["other"] not in (None, "") else []
        )
        for value in values:
            try:
                to_number(value)
            except (ValueError, TypeError):
                problems.append(f"mapType NUMERIC needs numbers, but categoryMap or other has {value!r}")
    return problems


@action(
    "CATEGORICAL_MAPPING",
    FAMILY,
    column(),
    json_map("categoryMap"),
    boolean("deleteOtherRows"),
    text("other", required=False),
    boolean("keepOthers"),
    choice("mapType", "NUMERIC", "TEXT", "STRING", default="TEXT"),
    new_column(),
    check=_check_mapping,
    ambiguities=[
        ("A value outside the map, with neither other nor keepOthers", "null", "there is no other rule for it"),
        (
            "keepOthers with mapType NUMERIC and a text value",
            "the value if it is a number, else null",
            "the new column is numeric",
        ),
        (
            "Null in the source",
            "counts as not mapped: other applies, deleteOtherRows removes it",
            "the page speaks of all non-mapped rows",
        ),
        ("Whole numbers in a NUMERIC map", "a whole-number column", "the service was seen to show 0 and 1"),
    ],
)
def categorical_mapping(step: Step, table: Table) -> Change:
    """Map values to other values, with a rule for the values that are not in the map."""
    source, target = step["sourceColumn"], step["targetColumn"]
    dtype = table.dtype(source)
    if dtype.is_nested():
        raise RecipeError(f"the column holds {type_name(dtype)}; only single values can be mapped", column=source)
    table.require_free(target, unless=source)
    # JSON keys are texts: "1" has to find 1.0 too.
    key = listed_text(pl.col(source), dtype)
    mapping = {listed_value(k, dtype): v for k, v in step["categoryMap"].items()}
    default: pl.Expr
    if step["mapType"] == "NUMERIC":
        values = {k: to_number(v) for k, v in mapping.items()}
        other = to_number(step["other"]) if step["other"] not in (None, "") else None
        given = [*values.values(), *([] if other is None else [other])]
        whole = all(isinstance(v, int) and abs(v) < 2**63 for v in given)
        value_type: pl.DataType = pl.Int64() if whole else pl.Float64()
        kept = key.cast(pl.Float64, strict=False)
        if step["keepOthers"] and not dtype.is_integer():
            value_type = pl.Float64()  # a text that is kept may be 2.5, whatever the map's numbers are
        default = pl.lit(other, dtype=value_type)
        if step["keepOthers"]:
            default = kept.cast(value_type, strict=False)
        # 1 and 2.5 in one map: polars does not accept a list of both.
        numbers = values if value_type == pl.Int64 else {k: float(v) for k, v in values.items()}
        result = mapped(key, numbers, default, value_type)
    else:
        texts = {
            k: "true" if v is True else "false" if v is False else None if v is None else str(v)
            for k, v in mapping.items()
        }
        default = as_text(pl.col(source), dtype) if step["keepOthers"] else pl.lit(step["other"], dtype=pl.String)
        result = mapped(key, texts, default, pl.String())
    if step["deleteOtherRows"]:
        known = one_of(key, list(mapping), pl.String()).fill_null(False)
        table = table.filter(known | ~_condition(step, table))
    return table.with_columns(
        [NewColumn(target, result, source, in_place=target == source)], _optional_condition(step, table)
    )


def _optional_condition(step: Step, table: Table) -> pl.Expr | None:
    from recipe_runner.language.conditions import combined

    return combined(step.conditions, table)


def _condition(step: Step, table: Table) -> pl.Expr:
    condition = _optional_condition(step, table)
    return pl.lit(True) if condition is None else condition


@action(
    "ONE_HOT_ENCODING",
    FAMILY,
    column(),
    ambiguities=[
        ("Order of the new columns", "alphabetical", "seen on the service; the page's example orders by size"),
        ("Null rows", "0 in every new column, and no column for null", "the row is in none of the categories"),
        ("More than ten values", "an error", "the page's limit; truncating would change a model's features silently"),
        ("Rows that fail the condition", "null in every new column", "as for every step that adds columns"),
    ],
)
def one_hot_encoding(step: Step, table: Table) -> Change:
    """Add a column of 0 and 1 for each distinct value, at most ten."""
    source = step["sourceColumn"]
    dtype = table.dtype(source)
    if dtype.is_nested():
        raise RecipeError(f"the column holds {type_name(dtype)}; only single values can be encoded", column=source)
    # One more than the limit is enough to know that there are too many.
    found = table.frame.select(pl.col(source).unique()).collect(engine="streaming").to_series().drop_nulls().sort()
    if len(found) > MAX_CATEGORIES:
        raise RecipeError(
            f"the column has {len(found)} distinct values, and one-hot encoding takes at most {MAX_CATEGORIES}; "
            "combine rare values with CATEGORICAL_MAPPING first",
            column=source,
        )
    names = pl.DataFrame({"v": found}).select(as_text(pl.col("v"), dtype)).to_series()
    return Columns(
        [
            NewColumn(f"{source}_{name}", (pl.col(source) == value).fill_null(False).cast(pl.Int32), source)
            for name, value in zip(names, found, strict=True)
        ]
    )


SKEW_FUNCTIONS = ("ROOT", "LOG", "SQUARE")


def skewed(value: pl.Expr, function: str, argument: float | None) -> pl.Expr:
    """Apply ROOT, LOG or SQUARE to a value; null where the result is undefined."""
    if function == "SQUARE":
        return value * value
    if function == "LOG":
        base = math.e if argument is None else float(argument)
        return (
            pl.when(value > 0).then(divided(value.log(), math.log(base)))
            if base > 0 and base != 1
            else pl.lit(None, dtype=pl.Float64)
        )
    degree = 2.0 if argument is None else float(argument)
    if degree == 0:
        return pl.lit(None, dtype=pl.Float64)
    # A third has no exact double: the power would make 3.9999999999999996 of 64.
    root = value.abs().cbrt() if degree == 3 else value.abs().pow(1.0 / degree)
    odd = degree.is_integer() and int(degree) % 2 == 1
    result = pl.when(value < 0).then(-root).otherwise(root) if odd else pl.when(value >= 0).then(root)
    return pl.when(result.is_finite()).then(result)


@action(
    "SKEWNESS",
    FAMILY,
    column(),
    new_column(),
    choice("skewFunction", *SKEW_FUNCTIONS),
    number("value", required=False),
    ambiguities=[
        ("value absent", "the square root; the natural logarithm", "the pages' names for them"),
        ("An odd root of a negative number", "the negative root", "the cube root is recommended for negative skew"),
        ("A logarithm or even root that is not defined", "null", "as the math functions"),
    ],
)
def skewness(step: Step, table: Table) -> Change:
    """Reduce the skew of a column with a root, a logarithm or a square."""
    source = step["sourceColumn"]
    value = skewed(table.double(source), step["skewFunction"], step["value"])
    return Columns([NewColumn(step["targetColumn"], value, source)])


STRATEGIES = ("MIN_MAX", "SCALE_BETWEEN", "MEAN_NORMALIZATION", "Z_SCORE")


def _check_scale(arguments: Mapping[str, Any]) -> Sequence[str]:
    if arguments["strategy"] == "SCALE_BETWEEN":
        if arguments["minValue"] is None or arguments["maxValue"] is None:
            return ["SCALE_BETWEEN needs minValue and maxValue"]
        if arguments["minValue"] >= arguments["maxValue"]:
            return ["minValue must be below maxValue"]
    return []


@action(
    "NORMALIZATION",
    FAMILY,
    column(),
    choice("strategy", *STRATEGIES),
    number("minValue", required=False, aliases=("min", "lowerBound")),
    number("maxValue", required=False, aliases=("max", "upperBound")),
    new_column(),
    check=_check_scale,
    page="https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.data-science.html",
    ambiguities=[
        (
            "Names of SCALE_BETWEEN's two values",
            "minValue and maxValue",
            "the names of the outlier actions; the page gives none",
        ),
        ("A column without spread", "0 (the lower bound for SCALE_BETWEEN)", "a division by zero otherwise"),
        ("Standard deviation", "sample", "as the guide's profile statistics"),
        ("MEAN_NORMALIZATION", "(x - mean) / (max - min)", "the formula that keeps within [-1, 1], as the page says"),
    ],
)
def normalization(step: Step, table: Table) -> Change:
    """Scale a column by one of four strategies, after a first pass over the data."""
    source = step["sourceColumn"]
    value = table.double(source)
    facts = table.collect_one(low=value.min(), high=value.max(), mean=value.mean(), spread=value.std(ddof=1))
    strategy = step["strategy"]
    width = (
        facts["spread"] if strategy == "Z_SCORE" else (facts["high"] - facts["low"] if facts["low"] is not None else 0)
    )
    origin = facts["low"] if strategy in ("MIN_MAX", "SCALE_BETWEEN") else facts["mean"]
    scaled = divided(value - origin, width) if width else value * 0
    if strategy == "SCALE_BETWEEN":
        scaled = scaled * (step["maxValue"] - step["minValue"]) + step["minValue"]
    return Columns([NewColumn(step["targetColumn"], scaled, source)])


STOP_WORDS = frozenset(
    [
        "a",
        "about",
        "above",
        "after",
        "again",
        "against",
        "all",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "before",
        "being",
        "below",
        "between",
        "both",
        "but",
        "by",
        "can",
        "did",
        "do",
        "does",
        "doing",
        "down",
        "during",
        "each",
        "few",
        "for",
        "from",
        "further",
        "had",
        "has",
        "have",
        "having",
        "he",
        "her",
        "here",
        "hers",
        "herself",
        "him",
        "himself",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "itself",
        "just",
        "me",
        "more",
        "most",
        "my",
        "myself",
        "no",
        "nor",
        "not",
        "now",
        "of",
        "off",
        "on",
        "once",
        "only",
        "or",
        "other",
        "our",
        "ours",
        "ourselves",
        "out",
        "over",
        "own",
        "same",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "theirs",
        "them",
        "themselves",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "too",
        "under",
        "until",
        "up",
        "very",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "why",
        "will",
        "with",
        "you",
        "your",
        "yours",
        "yourself",
        "yourselves",
    ]
)
_IRREGULAR = {
    "won't": "will not",
    "can't": "can not",
    "shan't": "shall not",
    "ain't": "is not",
    "let's": "let us",
    "y'all": "you all",
}
_ENDINGS = (("n't", " not"), ("'re", " are"), ("'ve", " have"), ("'ll", " will"), ("'m", " am"), ("'d", " would"))


def expanded(word: str) -> str:
    """Return a contracted English word in full, and any other word as it is."""
    plain = word.replace("\u2019", "'")
    lowered = plain.lower()
    if lowered in _IRREGULAR:
        full = _IRREGULAR[lowered]
        return full.capitalize() if plain[0].isupper() else full
    for ending, full in _ENDINGS:
        if lowered.endswith(ending) and len(plain) > len(ending):
            return plain[: -len(ending)] + full
    if lowered in ("it's", "he's", "she's", "that's", "what's", "there's", "who's", "where's", "here's"):
        return plain[:-2] + " is"
    return word


@action(
    "TOKENIZATION",
    FAMILY,
    column(),
    text("delimiter", required=False),
    choice("expandContractions", "ENABLED", "DISABLED", "NONE", "true", "false", required=False),
    choice("stemmingMode", "PORTER", "LANCASTER", "NONE", required=False),
    choice("stopWordRemovalMode", "DEFAULT", "CUSTOM", "NONE", required=False),
    strings("customStopWords", required=False),
    new_column(),
    ambiguities=[
        (
            "What the new column holds",
            "the tokens, joined by the delimiter (a blank by default)",
            "the page: a custom delimiter that appears between tokenized words",
        ),
        ("What a token is", "a run of letters, digits and inner apostrophes", "words or terms, in the page's words"),
        (
            "customStopWords",
            "are removed with DEFAULT, together with its words; with CUSTOM; and where stopWordRemovalMode is absent",
            "the page: a custom list for stopWordRemovalMode",
        ),
        ("The default stop words", "a list of common English words", "the service's is not published"),
        (
            "Letter case",
            "lower case if stemmed, else unchanged",
            "the page speaks of lowercase words under stemmingMode",
        ),
    ],
)
def tokenization(step: Step, table: Table) -> Change:
    """Split text into words, without stop words and optionally stemmed."""
    source = step["sourceColumn"]
    stem = _stemmer(step["stemmingMode"])
    expand = step["expandContractions"] in ("ENABLED", "true")
    mode = step["stopWordRemovalMode"]
    stop = {word.lower() for word in step["customStopWords"] or []}
    if mode == "DEFAULT":
        stop |= STOP_WORDS
    elif mode == "NONE":
        stop = set()
    delimiter = step["delimiter"] or " "

    def tokens(value: str) -> str:
        words = [piece for word in _WORD.findall(value) for piece in (expanded(word) if expand else word).split()]
        return delimiter.join(stem(word) for word in words if word.lower() not in stop)

    return Columns(
        [
            NewColumn(
                step["targetColumn"],
                per_value(tokens, as_text(pl.col(source), table.dtype(source)), pl.String()),
                source,
            )
        ]
    )


_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


def _stemmer(mode: str | None) -> Callable[[str], str]:
    if mode in (None, "NONE"):
        return lambda word: word
    if mode == "PORTER":
        import snowballstemmer  # type: ignore[import-untyped]

        porter = snowballstemmer.stemmer("porter")
        return lambda word: str(porter.stemWord(word.lower()))
    from nltk.stem.lancaster import LancasterStemmer  # type: ignore[import-untyped]  # seconds to import: only those who ask for it pay for it

    lancaster = LancasterStemmer()
    return lambda word: str(lancaster.stem(word.lower()))
