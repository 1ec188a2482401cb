"""Makes docs/recipe-coverage.md and docs/recipe-ambiguities.md out of the actions' declarations and cases.

`python -m tests.unit.recipe_runner.coverage_pages` writes them; a test fails when they are not what
this makes.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from recipe_runner.checking import ACTIONS
from recipe_runner.language.conditions import CONDITIONS
from tests.unit.recipe_runner.action_cases import BY_PROPERTY, CASES

DOCS = Path(__file__).resolve().parents[3] / "docs"
GRADES = ("OBS", "DOC", "GLUE", "AMB")
GENERATED = "<!-- Made by `python -m tests.unit.recipe_runner.coverage_pages`. Do not edit. -->"
GENERAL = [
    ("An empty field of a CSV file", "null", "as seen; the service tells no empty text from nothing there"),
    (
        "Types of a CSV file's columns",
        "whole number, double, boolean or text, by all values; dates stay texts",
        "the date actions take texts, and a guessed date would lose its spelling",
    ),
    ("A text such as 007", "a whole number where all values of the column are", "Spark's inference, below the service"),
    (
        "A row with too few or too many fields",
        "an error with the line's number",
        "a shifted row would train a model on wrong columns",
    ),
    (
        "Quotes inside a CSV field that has none around it, and blank lines",
        "quotes belong to the field; blank lines are passed over, but in files of one column, where they are nulls",
        "so Spark's reader does, below the service; one column of nulls must come back as it was written",
    ),
    (
        "A whole number that 128 bits do not hold",
        "its column is text, unless it has doubles too",
        "as a double it would lose digits; so long, it is an identifier",
    ),
    (
        "JSON values in one place that have no common type",
        "texts, inside lists and objects too",
        "no value is lost; the guide says nothing",
    ),
    (
        "A path parameter whose column the files have already",
        "an error",
        "one of the two would be lost",
    ),
    (
        "What is inside a compressed ORC or Parquet file",
        "its format's own compression; the name has the extension of the guide's table",
        "a compressed file of such a file is one that no reader takes",
    ),
    (
        "What is inside a compressed CSV or JSON file",
        "Hadoop's forms: DEFLATE is zlib's format, SNAPPY and LZ4 are its blocks; read too: raw deflate, snappy and "
        "LZ4 frames, raw snappy. LZO is refused by name",
        "Spark writes and reads them so, below the service",
    ),
    ("Two columns of the same name", "an error", "a recipe could not say which one it means"),
    ("A new column whose name is taken", "an error, unless it is the step's own source", "the console refuses it too"),
    (
        "Place of a new column",
        "right of its source (seen); of the last source listed; at the far right without a source",
        "seen for one source",
    ),
    (
        "Rows where the conditions fail",
        "null in a new column (seen), the old value in a changed one",
        "the guide: the action is only performed where the condition is true",
    ),
    (
        "Conditions on actions that move, rename or remove columns, or reshape the table",
        "an error",
        "a column cannot move in some rows only",
    ),
    ("Null under a condition", "meets IS_MISSING only, not the negative ones either", "SQL's three truth values"),
    (
        "Empty text under IS_MISSING",
        "is missing",
        "the guide's profile page: null and empty strings are considered as missing",
    ),
    (
        "IS_INVALID",
        "NaN and infinities in number columns; nothing in others",
        "a typed column holds no other invalid value: it became null",
    ),
    (
        "Encoding of IS_BETWEEN's value",
        '`["1","5"]`, `1,5` or an object with GREATER_THAN_EQUAL and LESS_THAN_EQUAL; both bounds belong to it',
        "the guide names the two parameters and not their encoding",
    ),
    (
        "Conditions over the rows that a statistic is taken of",
        "not narrowed: statistics are over all rows, but for REPLACE_WITH_…: over the other rows",
        "conditions say which values change",
    ),
    (
        'A number\'s text in an IS list (`"1"` against 1.0)',
        "numbers are compared as numbers",
        "the console writes all values as texts",
    ),
    (
        "Null and empty text in a CSV output",
        'null is nothing, an empty text is `""`',
        "so that reading the file back gives the same",
    ),
    ("Doubles from 1e7", "plain digits with `.0`, up to 1e16", "every reader takes them"),
    (
        "Timestamps in CSV and JSON output",
        "`yyyy-MM-dd HH:mm:ss`, a fraction only where there is one",
        "the format of the guide's date functions",
    ),
    ("Maps", "structs whose null fields are absent keys", "JSON writes both alike"),
    (
        "A rule that the rows do not allow to check (no such column, a value that is not of the column's type)",
        "status ERROR with `errorMessage`, and so its ruleset; the job succeeds. A malformed rule fails the job",
        "the guide: a ruleset's result is SUCCEEDED, FAILED or ERROR, and not when it is which",
    ),
    (
        "Spelling of the check that a row's value is missing",
        "`:col IS_MISSING`, `:col NOT IS_MISSING` (also with blanks); missing as in MISSING_VALUES_COUNT",
        "the guide names the check and not its expression",
    ),
    (
        "A text column compared with a number (`:col > :val`)",
        "== and != exactly, as texts; the others as numbers where the value is one",
        "007 is not 7 as a text, and a text has no other order that fits a number",
    ),
    (
        "Which columns of a profile contain personal data, and how the report says so",
        "text columns with a hit in at least one row; `entity`: rowsCount, and entityTypes with the rows of each",
        "the guide: no statistics, or the allowed ones, on columns that contain detected entities",
    ),
    ("A rule of rows without Threshold", "every row must pass; null does not pass", "the guide: each row is validated"),
]


def coverage_page() -> str:
    """Text of docs/recipe-coverage.md."""
    cases = Counter((case.operation, case.grade) for case in CASES)
    done = [name for name, action in ACTIONS.items() if not action.refusal]
    best: Counter[str] = Counter()
    lines = [
        "# Which recipe actions run locally",
        "",
        GENERATED,
        "",
        f"{len(done)} of the {len(ACTIONS)} operations in the guide's catalogue (REMOVE_VALUES and NORMALIZATION "
        f"included) are done, "
        f"and {len(CONDITIONS)} conditions. Refused by name: "
        f"{', '.join(name for name in ACTIONS if name not in done)}.",
        "",
        "Grades of the cases: OBS seen on the service, DOC an example or statement of the DataBrew guide, GLUE an "
        "example of AWS Glue's transform of "
        "the same name, AMB nothing is stated and the [choice](recipe-ambiguities.md) is ours. `property` means "
        "held to bounds instead of values.",
        "",
        "| family | action | state | " + " | ".join(GRADES) + " | best evidence |",
        "|---|---|---|" + "---:|" * len(GRADES) + "---|",
    ]
    for name, action in sorted(ACTIONS.items(), key=lambda entry: (entry[1].family, entry[0])):
        counts = [cases.get((name, grade), 0) for grade in GRADES]
        evidence = next(
            (grade for grade, count in zip(GRADES, counts, strict=True) if count),
            "property" if name in BY_PROPERTY else "",
        )
        if not action.refusal:
            best[evidence] += 1
        state = f"refused: {action.refusal}" if action.refusal else "done"
        lines.append(
            f"| {action.family} | [{name}]({action.page}) | {state} | "
            f"{' | '.join(str(count or '') for count in counts)} | {evidence} |"
        )
    summary = ", ".join(f"{kind} {best[kind]}" for kind in (*GRADES, "property"))
    lines[6:6] = [f"Actions by their best evidence: {summary}.", ""]
    return "\n".join(lines) + "\n"


def ambiguities_page() -> str:
    """Text of docs/recipe-ambiguities.md."""
    lines = [
        "# What the guide leaves open, and what was chosen",
        "",
        GENERATED,
        "",
        "The recipe runner follows the DataBrew guide and what was seen on the service. Where both are silent or "
        "contradict themselves, it does the following.",
        "A difference from the real service found here is a bug: report it with the step and a row.",
        "",
        "## In general",
        "",
        "| question | choice | why |",
        "|---|---|---|",
        *(f"| {_cell(question)} | {_cell(choice)} | {_cell(why)} |" for question, choice, why in GENERAL),
        "",
        "## By action",
        "",
        "| action | question | choice | why |",
        "|---|---|---|---|",
    ]
    for name, action in sorted(ACTIONS.items()):
        lines.extend(
            f"| {name} | {_cell(entry.question)} | {_cell(entry.choice)} | {_cell(entry.why)} |"
            for entry in action.ambiguities
        )
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES = {"recipe-coverage.md": coverage_page, "recipe-ambiguities.md": ambiguities_page}

if __name__ == "__main__":
    for page, make in PAGES.items():
        (DOCS / page).write_text(make(), encoding="utf-8")
