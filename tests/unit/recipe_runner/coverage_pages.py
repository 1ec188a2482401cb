"""Make docs/recipe-coverage.md and docs/recipe-ambiguities.md from declarations and cases.

`python -m tests.unit.recipe_runner.coverage_pages` writes them; a test fails if they are out of
date.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from pathlib import Path

from recipe_runner.checking import ACTIONS
from recipe_runner.language.conditions import CONDITIONS
from tests.unit.recipe_runner.action_cases import BY_PROPERTY, CASES

DOCS = Path(__file__).resolve().parents[3] / "docs"
GRADES = ("OBS", "DOC", "GLUE", "AMB")
GENERATED = "<!-- Made by `python -m tests.unit.recipe_runner.coverage_pages`. Do not edit. -->"
GENERAL = [
    ("An empty field of a CSV file", "null", "seen on the service, which does not tell an empty text from no value"),
    (
        "Types of a CSV file's columns",
        "whole number, double, boolean or text, by all values; dates stay texts",
        "the date actions take texts, and a guessed date would lose its spelling",
    ),
    (
        "A text such as 007",
        "a whole number where all values of the column are",
        "Spark's inference, which the service uses",
    ),
    (
        "A row with too few or too many fields",
        "an error with the line's number",
        "a shifted row would train a model on wrong columns",
    ),
    (
        "Quotes inside a CSV field that has none around it, and blank lines",
        "quotes belong to the field; blank lines are skipped, except in files of one column, where they are nulls",
        "as Spark's reader does; one column of nulls must come back as it was written",
    ),
    (
        "A whole number beyond 128 bits",
        "its column is text, unless it has doubles too",
        "as a double it would lose digits, and a number that long is an identifier",
    ),
    (
        "JSON values in the same place without a common type",
        "texts, inside lists and objects too",
        "no value is lost; the guide says nothing",
    ),
    (
        "A path parameter whose column the files already have",
        "an error",
        "one of the two would be lost",
    ),
    (
        "What is inside a compressed ORC or Parquet file",
        "its format's own compression; the name has the extension of the guide's table",
        "no reader accepts such a file compressed once more",
    ),
    (
        "What is inside a compressed CSV or JSON file",
        "Hadoop's forms: DEFLATE is zlib's format, SNAPPY and LZ4 are its blocks; also read: raw deflate, snappy and "
        "LZ4 frames, raw snappy. LZO is refused by name",
        "as Spark writes and reads them",
    ),
    ("Two columns of the same name", "an error", "a recipe could not say which one it means"),
    ("A new column whose name is taken", "an error, unless it is the step's own source", "the console rejects it too"),
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
    (
        "Null under a condition",
        "meets IS_MISSING only, and none of the negative conditions",
        "SQL's three-valued logic",
    ),
    (
        "Empty text under IS_MISSING",
        "is missing",
        "the guide's profile page: null and empty strings are considered as missing",
    ),
    (
        "IS_INVALID",
        "NaN and infinities in number columns; nothing in others",
        "a typed column holds no other invalid value: the others became null",
    ),
    (
        "Encoding of IS_BETWEEN's value",
        '`["1","5"]`, `1,5` or an object with GREATER_THAN_EQUAL and LESS_THAN_EQUAL; both bounds are included',
        "the guide names the two parameters and not their encoding",
    ),
    (
        "Whether conditions limit the rows of a statistic",
        "no: statistics are over all rows, those of REPLACE_WITH_… over the other rows",
        "conditions say which values change",
    ),
    (
        'A number\'s text in an IS list (`"1"` against 1.0)',
        "numbers are compared as numbers",
        "the console writes all values as texts",
    ),
    (
        "Null and empty text in a CSV output",
        'a null is an empty field, an empty text is `""`',
        "reading the file back gives the same values",
    ),
    ("Doubles from 1e7", "plain digits with `.0`, up to 1e16", "every reader accepts them"),
    (
        "Timestamps in CSV and JSON output",
        "`yyyy-MM-dd HH:mm:ss`, a fraction only where there is one",
        "the format of the guide's date functions",
    ),
    ("Maps", "structs whose null fields are absent keys", "JSON writes both alike"),
    (
        "A rule that cannot be checked (no such column, a value that is not of the column's type)",
        "the rule and its ruleset have status ERROR, with `errorMessage`; the job succeeds. A malformed rule "
        "is refused when its ruleset is made",
        "the guide says that a result is SUCCEEDED, FAILED or ERROR, but not when it is which",
    ),
    (
        "ColumnSelectors that name a column which does not exist",
        "a result of that column with status ERROR",
        "a rule that is about nothing must not pass",
    ),
    (
        "Spelling of the check for a missing value",
        "`:col IS_MISSING`, `:col NOT IS_MISSING` (also with blanks); missing as in MISSING_VALUES_COUNT",
        "the guide names the check and not its expression",
    ),
    (
        "A text column compared with a number (`:col > :val`)",
        "== and != compare exactly, as texts; the others compare as numbers where the value is one",
        "007 is not 7 as a text, and texts in alphabetical order would not fit a number",
    ),
    (
        "Which columns of a profile contain personal data, and how the report says so",
        "text columns with a match in at least one row; `entity` has rowsCount, and entityTypes with the rows of each",
        "the guide: no statistics, or the allowed ones, on columns that contain detected entities",
    ),
    ("A rule of rows without Threshold", "every row must pass; null does not pass", "the guide: each row is validated"),
]


def coverage_page() -> str:
    """Return the text of docs/recipe-coverage.md."""
    cases = Counter((case.operation, case.grade) for case in CASES)
    done = [name for name, action in ACTIONS.items() if not action.refusal]
    refused = [name for name in ACTIONS if name not in done]
    best: Counter[str] = Counter()
    rows: list[str] = []
    for name, action in sorted(ACTIONS.items(), key=lambda entry: (entry[1].family, entry[0])):
        counts = [cases.get((name, grade), 0) for grade in GRADES]
        evidence = next(
            (grade for grade, count in zip(GRADES, counts, strict=True) if count),
            "property" if name in BY_PROPERTY else "",
        )
        if not action.refusal:
            best[evidence] += 1
        state = f"refused: {action.refusal}" if action.refusal else "done"
        rows.append(
            f"| {action.family} | [{name}]({action.page}) | {state} | "
            f"{' | '.join(str(count or '') for count in counts)} | {evidence} |"
        )
    summary = ", ".join(f"{kind} {best[kind]}" for kind in (*GRADES, "property"))
    lines = [
        "# Which recipe actions run locally",
        "",
        GENERATED,
        "",
        *paragraph(
            f"{len(done)} of the {len(ACTIONS)} operations in the guide's catalogue run (REMOVE_VALUES and "
            f"NORMALIZATION included), and {len(CONDITIONS)} conditions. Refused by name: {', '.join(refused)}."
        ),
        "",
        *paragraph(f"Actions by their best evidence: {summary}."),
        "",
        *paragraph(
            "Grades of the cases: OBS was seen on the service; DOC is an example or statement of the DataBrew guide; "
            "GLUE is an example of AWS Glue's transform of the same name; AMB means that nothing is stated and the "
            "[choice](recipe-ambiguities.md) is ours. `property` means that the result is checked against bounds "
            "instead of values."
        ),
        "",
        "| family | action | state | " + " | ".join(GRADES) + " | best evidence |",
        "|---|---|---|" + "---:|" * len(GRADES) + "---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def ambiguities_page() -> str:
    """Return the text of docs/recipe-ambiguities.md."""
    by_action = [(name, entry) for name, action in sorted(ACTIONS.items()) for entry in action.ambiguities]
    lines = [
        "# What the guide leaves open, and what was chosen",
        "",
        GENERATED,
        "",
        *paragraph(
            "The recipe runner follows the DataBrew guide and what was seen on the service. Where both are silent or "
            "contradict themselves, it does the following. If the real service does something else, that is a bug: "
            "report it with the step and a row."
        ),
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
        *(
            f"| {name} | {_cell(entry.question)} | {_cell(entry.choice)} | {_cell(entry.why)} |"
            for name, entry in by_action
        ),
    ]
    return "\n".join(lines) + "\n"


def paragraph(text: str) -> list[str]:
    """Wrap text at the documents' 100 columns."""
    return textwrap.wrap(text, width=100, break_long_words=False, break_on_hyphens=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES = {"recipe-coverage.md": coverage_page, "recipe-ambiguities.md": ambiguities_page}

if __name__ == "__main__":
    for page, make in PAGES.items():
        (DOCS / page).write_text(make(), encoding="utf-8")
