"""Cases of single actions: input, step, expected columns, and the evidence for them.

Grades: OBS seen on the service; DOC an example or statement of the DataBrew guide; GLUE an example
of AWS Glue's transform of the same name; AMB not stated anywhere: what docs/recipe-ambiguities.md
chose. The coverage page counts these cases.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One step over a small table.

    :param operation: the action.
    :param parameters: its parameters as a recipe writes them.
    :param columns: the input, column by column.
    :param expected: expected columns after the step; those not named are not compared.
    :param grade: OBS, DOC, GLUE or AMB.
    :param names: expected column names in order, where the order is the point.
    :param conditions: ConditionExpressions.
    """

    operation: str
    parameters: dict[str, Any]
    columns: dict[str, list[Any]]
    expected: dict[str, list[Any]]
    grade: str = "DOC"
    names: list[str] | None = None
    conditions: list[dict[str, str]] = field(default_factory=list)

    @property
    def step(self) -> dict[str, Any]:
        """The step in the API's shape."""
        action = {"Operation": self.operation, "Parameters": self.parameters}
        return {"Action": action, "ConditionExpressions": self.conditions}

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The input, row by row."""
        height = len(next(iter(self.columns.values())))
        return [{name: values[row] for name, values in self.columns.items()} for row in range(height)]


S = {"sourceColumn": "a"}
T = {"targetColumn": "t"}
ST = {**S, **T}
TEXTS = ["b", None, "a"]


def one(operation: str, values: list[Any], expected: list[Any], grade: str = "DOC", **parameters: Any) -> Case:
    """Return a case with source column a and new column t."""
    return Case(
        operation,
        {**ST, **parameters},
        {"a": values, "z": list(range(len(values)))},
        {"t": expected},
        grade,
        ["a", "t", "z"],
    )


def inplace(operation: str, values: list[Any], expected: list[Any], grade: str = "DOC", **parameters: Any) -> Case:
    """Return a case that rewrites column a."""
    return Case(
        operation, {**S, **parameters}, {"a": values, "z": list(range(len(values)))}, {"a": expected}, grade, ["a", "z"]
    )


def replaced_outliers(expected: list[Any], kind: str, **parameters: Any) -> Case:
    """Return a case on :data:`NUMBERS`, whose last value is an outlier by interquartile range."""
    return inplace(
        "REPLACE_OUTLIERS",
        NUMBERS,
        expected,
        outlierStrategy="IQR",
        threshold="1.5",
        replaceType=kind,
        **parameters,
    )


def across(
    operation: str, columns: dict[str, list[Any]], expected: list[Any], grade: str = "DOC", **parameters: Any
) -> Case:
    """Return a case over all columns of the input, with the new column t at the right."""
    sources = "[" + ",".join(f'"{name}"' for name in columns) + "]"
    return Case(
        operation, {"sourceColumns": sources, **T, **parameters}, columns, {"t": expected}, grade, [*columns, "t"]
    )


def pair(
    operation: str, left: list[Any], right: list[Any], expected: list[Any], grade: str = "DOC", **parameters: Any
) -> Case:
    return Case(
        operation,
        {"sourceColumn1": "a", "sourceColumn2": "b", **T, **parameters},
        {"a": left, "b": right},
        {"t": expected},
        grade,
        ["a", "b", "t"],
    )


def rows(
    operation: str,
    columns: dict[str, list[Any]],
    expected: dict[str, list[Any]],
    grade: str = "DOC",
    conditions: list[dict[str, str]] | None = None,
    **parameters: Any,
) -> Case:
    return Case(operation, parameters, columns, expected, grade, list(expected), conditions or [])


ABC = {"a": [1], "b": [2], "c": [3]}
DUPLICATES = {"a": [105.111, 13.12, None, 13.12, None], "b": [13.12] * 5}
NUMBERS = [1.0, 2.0, 3.0, 4.0, 100.0]
DAY = ["2021-03-30 06:35:45.658", None, "no date"]
# The key that the runner derives from the secret id `s` if no caller gives the secret.
DERIVED_KEY = hashlib.sha256(b"local_aws s").digest()
LETTERS = {"a": ["x", "y", "x", None]}

CASES: list[Case] = [
    # Basic column
    inplace("CHANGE_DATA_TYPE", ["123", "ABC", None], [123, None, None], columnDataType="int"),
    inplace("CHANGE_DATA_TYPE", ["12.7", " 5 ", "1e3"], [12, 5, 1000], "AMB", columnDataType="long"),
    inplace("CHANGE_DATA_TYPE", ["300", "-128", "x"], [None, -128, None], columnDataType="byte"),
    inplace("CHANGE_DATA_TYPE", ["true", "no", "Yes", "maybe"], [True, False, True, None], columnDataType="boolean"),
    inplace(
        "CHANGE_DATA_TYPE", ["03/30/2021", "2021-03-30", "x"], ["2021-03-30", "2021-03-30", None], columnDataType="date"
    ),
    inplace(
        "CHANGE_DATA_TYPE",
        ["03/04/2021", "31/12/2020", "2020-02-01", "x", None],
        ["2021-04-03", "2020-12-31", "2020-02-01", None, None],
        "AMB",
        columnDataType="date",
        dateTimeFormat="dd/mm/yyyy",
    ),
    inplace(
        "CHANGE_DATA_TYPE",
        ["10:11:12"],
        ["1970-01-01 10:11:12"],
        "AMB",
        columnDataType="timestamp",
        dateTimeFormat="HH:MM:SS",
    ),
    inplace("CHANGE_DATA_TYPE", [1, 2, None], ["1", "2", None], columnDataType="string"),
    inplace("CHANGE_DATA_TYPE", ["1.5", "x"], [1.5, None], columnDataType="decimal"),
    inplace("CHANGE_DATA_TYPE", [True, False, None], [1.0, 0.0, None], columnDataType="decimal"),
    rows("DELETE", ABC, {"a": [1], "c": [3]}, sourceColumn="b"),
    rows("DELETE", ABC, {"c": [3]}, "OBS", sourceColumns='["a","b"]'),
    Case("DUPLICATE", ST, ABC, {"t": [1]}, names=["a", "t", "b", "c"]),
    Case(
        "JSON_TO_STRUCTS",
        {"sourceColumns": '["a"]', "removeSourceColumn": "true", "unnestLevel": "2"},
        {"a": ['{"x":{"y":1}}', "no", None]},
        {"a": [{"x": {"y": 1}}, None, None]},
    ),
    Case(
        "JSON_TO_STRUCTS",
        {
            "sourceColumns": '["a"]',
            "removeSourceColumn": "false",
            "conditionExpressions": '[{"Condition":"IS","Value":"[\\"1\\"]","TargetColumn":"b"}]',
        },
        {"a": ['{"x":1}', '{"x":2}'], "b": [1, 2]},
        {"a_struct": [{"x": 1}, None]},
    ),
    # The most generic schema of a number and an object, or of a list and an object, is a text.
    Case(
        "JSON_TO_STRUCTS",
        {"sourceColumns": '["a"]', "removeSourceColumn": "true", "unnestLevel": "3"},
        {"a": ['{"x":{"y":1},"z":[1]}', '{"x":5,"z":{"q":true}}', '{"z":null}']},
        {"a": [{"x": '{"y": 1}', "z": "[1]"}, {"x": "5", "z": '{"q": true}'}, {"x": None, "z": None}]},
    ),
    Case(
        "JSON_TO_STRUCTS",
        {"sourceColumns": '["a"]'},
        {"a": [None], "b": [1]},
        {"a_struct": [None]},
        "AMB",
    ),
    Case(
        "JSON_TO_STRUCTS",
        {"sourceColumns": '["a"]', "targetColumn": "t"},
        {"a": ['{"x":1}'], "b": [1]},
        {"t": [{"x": 1}]},
        "AMB",
        ["a", "t", "b"],
    ),
    Case(
        "JSON_TO_STRUCTS",
        {"regexColumnSelector": "a[0-9]", "removeSourceColumn": "true"},
        {"a1": ['{"x":1}'], "a2": ['{"y":2}'], "ab": ['{"z":3}']},
        {"a1": [{"x": 1}], "a2": [{"y": 2}], "ab": ['{"z":3}']},
    ),
    rows("MOVE_AFTER", ABC, {"b": [2], "a": [1], "c": [3]}, sourceColumn="a", targetColumn="b"),
    rows("MOVE_BEFORE", ABC, {"a": [1], "c": [3], "b": [2]}, sourceColumn="c", targetColumn="b"),
    rows("MOVE_TO_END", ABC, {"b": [2], "c": [3], "a": [1]}, sourceColumn="a"),
    rows("MOVE_TO_INDEX", ABC, {"b": [2], "a": [1], "c": [3]}, sourceColumn="a", targetIndex="1"),
    rows("MOVE_TO_START", ABC, {"c": [3], "a": [1], "b": [2]}, "OBS", sourceColumn="c", targetIndex="NaN"),
    rows("RENAME", ABC, {"a": [1], "q": [2], "c": [3]}, sourceColumn="b", targetColumn="q"),
    rows(
        "SORT",
        {"a": [2, None, 1]},
        {"a": [None, 1, 2]},
        expressions='[{"sourceColumn":"a","ordering":"ASCENDING","nullsOrdering":"NULLS_TOP"}]',
    ),
    rows(
        "SORT",
        {"a": ["tue", "MON", "wed"]},
        {"a": ["wed", "tue", "MON"]},
        expressions='[{"sourceColumn":"a","ordering":"DESCENDING","nullsOrdering":"NULLS_BOTTOM","customOrder":["Mon","Tue","Wed"],"isCustomOrderCaseSensitive":false}]',
    ),
    rows(
        "SORT",
        {"a": ["b", None, "", "a"]},
        {"a": ["a", "b", None, ""]},
        expressions='[{"sourceColumn":"a","ordering":"ASCENDING","nullsOrdering":"NULLS_BOTTOM"}]',
    ),
    rows(
        "SORT",
        {"a": [2, None, 1]},
        {"a": [None, 1, 2]},
        "AMB",
        expressions='{"sourceColumn":"a","ordering":"ASCENDING"}',
    ),
    rows(
        "SORT",
        {"a": [2, None, 1]},
        {"a": [2, 1, None]},
        "AMB",
        expressions='["{\\"sourceColumn\\":\\"a\\",\\"ordering\\":\\"DESCENDING\\"}"]',
    ),
    rows(
        "SORT",
        {"a": [2, None, 1]},
        {"a": [None, 1, 2]},
        "AMB",
        expressions='[{"sourceColumn":"a","ordering":"ascending","nullsOrdering":"","customOrder":null}]',
    ),
    rows(
        "SORT",
        {"a": [2.0, 10.5, 9.0, None]},
        {"a": [9.0, 2.0, 10.5, None]},
        "AMB",
        expressions='[{"sourceColumn":"a","ordering":"ASCENDING","nullsOrdering":"NULLS_BOTTOM","customOrder":["9","2"]}]',
    ),
    inplace("TO_BOOLEAN_COLUMN", ["true", "x"], [True, None], columnDataType="boolean"),
    inplace("TO_DOUBLE_COLUMN", ["1", "x"], [1.0, None]),
    inplace("TO_NUMBER_COLUMN", ["1.5", "x"], [1.5, None], columnDataType="number"),
    inplace("TO_STRING_COLUMN", [1.0, None], ["1.0", None]),
    # Data cleaning
    inplace("CAPITAL_CASE", ["the quick BROWN fox", None], ["The Quick Brown Fox", None]),
    inplace("LOWER_CASE", ["ÄbC", None], ["äbc", None]),
    inplace("UPPER_CASE", ["äbC", None], ["ÄBC", None]),
    inplace("SENTENCE_CASE", ["THE QUICK. JUMPED over", None], ["The quick. Jumped over", None]),
    inplace("SENTENCE_CASE", ["(the END). 'so IT was'"], ["(The end). 'So it was'"]),
    inplace("ADD_DOUBLE_QUOTES", ["x", None], ['"x"', None]),
    inplace("ADD_SINGLE_QUOTES", ["x", None], ["'x'", None]),
    inplace("ADD_PREFIX", ["x", None], ["aaax", None], pattern="aaa"),
    inplace("ADD_SUFFIX", ["x", None], ["xaaa", None], pattern="aaa"),
    inplace(
        "FORMAT_DATE",
        ["2021-03-30", "03/04/2021", "x", None],
        ["03-30-2021", "03-04-2021", None, None],
        targetDateFormat="mm-dd-yyyy",
    ),
    inplace("FORMAT_DATE", ["2021-03-30"], ["30 March 2021"], targetDateFormat="dd month yyyy"),
    one(
        "EXTRACT_BETWEEN_DELIMITERS",
        ["http://a.b/c", "none", None],
        ["a.b", None, None],
        startPattern="\\/\\/",
        endPattern="\\/",
    ),
    one(
        "EXTRACT_BETWEEN_POSITIONS",
        ["abcdefghijk", "ab", None],
        ["cdefghi", "", None],
        "AMB",
        startPosition="3",
        endPosition="9",
    ),
    one("EXTRACT_PATTERN", ["ab12", "cd", None], ["12", None, None], pattern="[0-9]+"),
    one("EXTRACT_PATTERN", ["price 12", "12"], ["12", None], pattern="(?<=price )[0-9]+"),
    Case("EXTRACT_VALUE", {**ST, "path": "`a`.`x`[1]"}, {"a": [{"x": [1, 2]}, {"x": [3]}]}, {"t": [2, None]}),
    inplace("REMOVE_COMBINED", ["a-b!c", None], ["abc", None], removeSpecialCharacters="true"),
    inplace("REMOVE_COMBINED", ["¶x¶"], ["x"], customCharacters="¶", removeCustomCharacters="true"),
    inplace(
        "REMOVE_COMBINED",
        ["  'M 1a  b'. "],
        [""],
        collapseConsecutiveWhitespace="true",
        customValue="M",
        removeAllPunctuation="true",
        removeCustomValue="true",
        removeLeadingAndTrailingQuotes="true",
        removeLeadingAndTrailingWhitespace="true",
        removeLetters="true",
        removeNumbers="true",
    ),
    inplace(
        "REPLACE_BETWEEN_DELIMITERS",
        ["a<b>c", "x", None],
        ["a<?>c", "x", None],
        startPattern="<",
        endPattern=">",
        value="?",
    ),
    inplace(
        "REPLACE_BETWEEN_POSITIONS",
        ["abcdef", "a", None],
        ["aXe" + "f", "a", None],
        "AMB",
        startPosition="2",
        endPosition="4",
        value="X",
    ),
    inplace("REPLACE_TEXT", ["box", None], ["boa", None], pattern="x", value="a"),
    inplace("REPLACE_TEXT", ["a1b22"], ["a!b!!"], pattern="[0-9]", value="!"),
    inplace("REPLACE_TEXT", ["a$b+c.d é"], ["a#b#c#d é"], pattern="\\p{Punct}", value="#"),
    inplace("REPLACE_TEXT", ["a$b+c é-1"], ["abc é1"], pattern="[^\\p{Alnum}\\sé]", value=""),
    inplace("REPLACE_TEXT", ["a.b axb"], ["a* axb"], pattern="\\Q.b\\E", value="*"),
    inplace("REPLACE_TEXT", ["aé1"], ["a##"], pattern="(?!a)\\P{Alpha}", value="#"),
    inplace("REPLACE_TEXT", ["2021-03"], ["03/2021"], "AMB", pattern="(\\d+)-(\\d+)", value="$2/$1"),
    inplace("REPLACE_TEXT", ["2021-03"], ["03/2021 ${q}"], "AMB", pattern="(?<y>\\d+)-(\\d+)", value="$2/${y} ${q}"),
    inplace("REPLACE_TEXT", ["a1b"], ["a[b]1"], "AMB", pattern="(?<=a)(?<n>\\d)(b)", value="[$2]${n}"),
    # Data quality
    rows(
        "ADVANCED_DATATYPE_FILTER",
        {"a": ["https://a.example.co.uk/x", "http://b.org", None]},
        {"a": ["https://a.example.co.uk/x"]},
        **S,
        pattern="PROTOCOL",
        advancedDataType="URL",
        filterValues='["https"]',
        strategy="KEEP_ROWS",
    ),
    rows(
        "ADVANCED_DATATYPE_FILTER",
        {"a": ["https://a.example.co.uk/x", "http://b.org"]},
        {"a": ["https://a.example.co.uk/x", ""]},
        "AMB",
        **S,
        pattern="PROTOCOL",
        advancedDataType="URL",
        filterValues='["https"]',
        strategy="CLEAR_OTHERS",
        clearWithEmpty="true",
    ),
    one(
        "ADVANCED_DATATYPE_FLAG",
        ["4111111111111111", "1"],
        ["yes", "no"],
        pattern="NETWORK",
        advancedDataType="Credit Card",
        filterValues='["Visa"]',
        trueString="yes",
        falseString="no",
    ),
    rows("DELETE_DUPLICATE_ROWS", DUPLICATES, {"a": [105.111, 13.12, None], "b": [13.12] * 3}),
    one(
        "EXTRACT_ADVANCED_DATATYPE_DETAILS",
        ["90210", "00000", None],
        ["America/Los_Angeles", None, None],
        pattern="TIMEZONE",
        advancedDataType="ZipCode",
    ),
    one("EXTRACT_ADVANCED_DATATYPE_DETAILS", ["2021-05-30"], ["2"], pattern="QUARTER", advancedDataType="Date Time"),
    inplace("FILL_WITH_AVERAGE", [1.0, None, 3.0], [1.0, 2.0, 3.0]),
    inplace("FILL_WITH_CUSTOM", ["x", None, ""], ["x", "none", "none"], columnDataType="string", value="none"),
    inplace("FILL_WITH_CUSTOM", [1, None], [1, 7], columnDataType="number", value="7"),
    inplace("FILL_WITH_EMPTY", ["x", None], ["x", ""]),
    inplace("FILL_WITH_LAST_VALID", [None, "x", None, "y"], [None, "x", "x", "y"], columnDataType="string"),
    inplace("FILL_WITH_MEDIAN", [1.0, None, 3.0, 8.0], [1.0, 3.0, 3.0, 8.0]),
    inplace(
        "FILL_WITH_MODE", [1.0, 2.0, 2.0, 3.0, 3.0, 4.0, None], [1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 2.5], modeType="AVERAGE"
    ),
    inplace("FILL_WITH_MODE", [1, 2, 2, 3, 3, 4, None], [1, 2, 2, 3, 3, 4, 3], modeType="MAXIMUM"),
    inplace("FILL_WITH_MODE", ["a", "b", "b", "c", "c", None], ["a", "b", "b", "c", "c", "c"], modeType="MAXIMUM"),
    inplace("FILL_WITH_MODE", [True, None, True, False], [True, True, True, False], modeType="MINIMUM"),
    inplace("FILL_WITH_MOST_FREQUENT", ["x", "y", "y", None], ["x", "y", "y", "y"]),
    inplace("FILL_WITH_NULL", ["x", "y"], [None, None]),
    rows("FILL_WITH_NULL", ABC, {"a": [None], "b": [2], "c": [None]}, "AMB", sourceColumns='["a","c"]'),
    inplace("FILL_WITH_SUM", [1, None, 3], [1, 4, 3]),
    Case(
        "FLAG_DUPLICATE_ROWS",
        {**T, "trueString": "TRUE", "falseString": "FALSE"},
        DUPLICATES,
        {"t": ["FALSE", "FALSE", "FALSE", "TRUE", "TRUE"]},
        names=["a", "b", "t"],
    ),
    one(
        "FLAG_DUPLICATES_IN_COLUMN", ["x", "y", "x"], ["FALSE", "FALSE", "TRUE"], trueString="TRUE", falseString="FALSE"
    ),
    Case(
        "GET_ADVANCED_DATATYPE",
        S,
        {"a": ["x@example.com", "y@example.org"]},
        {"a_advanced_datatype": ["EMAIL", "EMAIL"]},
        "AMB",
    ),
    Case(
        "GET_ADVANCED_DATATYPE",
        S,
        {"a": ["x@example.com", "nobody", "y@example.org", "?"]},
        {"a_advanced_datatype": ["EMAIL"] * 4},
    ),
    rows("REMOVE_DUPLICATES", DUPLICATES, {"a": [105.111, 13.12, None], "b": [13.12] * 3}, "GLUE", **S),
    rows("REMOVE_INVALID", {"a": ["1", "x", None]}, {"a": ["1", None]}, **S, columnDataType="number"),
    rows(
        "REMOVE_INVALID",
        {"a": ["a@b.example", "x"]},
        {"a": ["a@b.example"]},
        **S,
        columnDataType="string",
        advancedDataType="Email",
    ),
    rows("REMOVE_MISSING", {"a": ["x", None, ""]}, {"a": ["x"]}, **S),
    rows(
        "REMOVE_INVALID",
        {"a": ["SE", "SWE", "Sweden", "netherlands", "Narnia", "XXX"]},
        {"a": ["SE", "SWE", "Sweden", "netherlands"]},
        **S,
        advancedDataType="Country",
    ),
    Case(
        "REPLACE_WITH_CUSTOM",
        {**S, "sourceColumns": "[]", "columnDataType": "number", "value": "0"},
        {"a": ["1", "x"]},
        {"a": [1.0, 0.0]},
    ),
    rows(
        "REMOVE_VALUES",
        {"a": [1700, None, 1900]},
        {"a": [None, 1900]},
        conditions=[{"Condition": "LESS_THAN", "Value": "1800", "TargetColumn": "a"}],
        **S,
    ),
    inplace("REPLACE_WITH_AVERAGE", ["1", "x", "3", None], [1.0, 2.0, 3.0, None], columnDataType="number"),
    rows(
        "REPLACE_WITH_AVERAGE",
        {"a": [1, 4, 500, None]},
        {"a": [1.0, 4.0, 2.5, None]},
        "AMB",
        conditions=[{"Condition": "GREATER_THAN", "Value": "100", "TargetColumn": "a"}],
        **S,
        columnDataType="number",
    ),
    rows(
        "REPLACE_WITH_LAST_VALID",
        {"a": [500, 1, 500, 400, 2]},
        {"a": [None, 1, 1, 1, 2]},
        "AMB",
        conditions=[{"Condition": "GREATER_THAN", "Value": "100", "TargetColumn": "a"}],
        **S,
        columnDataType="number",
    ),
    inplace("REPLACE_WITH_AVERAGE", ["1", "NaN", "3", "-inf"], [1.0, 2.0, 3.0, 2.0], columnDataType="number"),
    inplace("REPLACE_WITH_CUSTOM", ["1", "x", None], [1.0, 0.0, None], columnDataType="number", value=0),
    inplace("REPLACE_WITH_EMPTY", ["1", "x", None], ["1", "", None], columnDataType="number"),
    inplace("REPLACE_WITH_EMPTY", [1, None], [1, None], columnDataType="number"),
    rows(
        "REPLACE_WITH_EMPTY",
        {"a": ["x", "?", None]},
        {"a": ["x", "", None]},
        "AMB",
        conditions=[{"Condition": "IS", "Value": '["?"]', "TargetColumn": "a"}],
        **S,
        columnDataType="string",
    ),
    inplace("REPLACE_WITH_LAST_VALID", ["x", "1", "y"], [None, 1.0, 1.0], columnDataType="number"),
    inplace("REPLACE_WITH_MEDIAN", ["1", "x", "3", "8"], [1.0, 3.0, 3.0, 8.0], columnDataType="number"),
    inplace(
        "REPLACE_WITH_MODE", ["1", "x", "2", "2"], [1.0, 2.0, 2.0, 2.0], columnDataType="number", modeType="MAXIMUM"
    ),
    inplace("REPLACE_WITH_MOST_FREQUENT", ["1", "x", "2", "2"], [1.0, 2.0, 2.0, 2.0], columnDataType="number"),
    inplace("REPLACE_WITH_NULL", ["1", "x"], [1.0, None], columnDataType="number"),
    inplace("REPLACE_WITH_ROLLING_AVERAGE", [1.0, 3.0, 5.0], [None, 1.0, 2.0], columnDataType="number", period="2"),
    inplace("REPLACE_WITH_ROLLING_SUM", [1, 3, 5], [None, 1, 4], columnDataType="number", period="2"),
    inplace("REPLACE_WITH_SUM", ["1", "x", "3"], [1.0, 4.0, 3.0], columnDataType="number"),
    # PII
    Case(
        "CRYPTOGRAPHIC_HASH",
        {"sourceColumns": '["a"]', "algorithm": "SHA256"},
        {"a": ["abc", None]},
        {"a_hashed": ["ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", None]},
    ),
    Case(
        "CRYPTOGRAPHIC_HASH",
        {"sourceColumns": '["a"]', "algorithm": "HMAC_SHA256", "secretId": "s"},
        {"a": ["abc", None]},
        {"a_hashed": [base64.b64encode(hmac.digest(DERIVED_KEY, b"abc", "sha256")).decode(), None]},
        "AMB",
    ),
    Case(
        "MASK_CUSTOM",
        {"sourceColumns": ["a"], "maskSymbol": "#", "customValue": "amazon"},
        {"a": ["amazon web", None]},
        {"a": ["###### web", None]},
    ),
    Case(
        "MASK_CUSTOM",
        {"sourceColumns": ["a"], "maskSymbol": "#", "customValue": "[0-9]+", "regex": True},
        {"a": ["a12b"]},
        {"a": ["a##b"]},
    ),
    Case(
        "MASK_CUSTOM",
        {"sourceColumns": ["a"], "maskSymbol": "#", "customValue": "\\Q1.\\E\\p{Punct}", "regex": True},
        {"a": ["1.$ 123"]},
        {"a": ["### 123"]},
    ),
    Case(
        "MASK_CUSTOM",
        {"sourceColumns": ["a"], "maskSymbol": "#", "customValue": "[a-z&&[^aeiou]]", "regex": True},
        {"a": ["abe-c"]},
        {"a": ["a#e-#"]},
    ),
    Case(
        "MASK_DATE",
        {"sourceColumns": ["a"], "maskSymbol": "#", "redact": ["YEAR"]},
        {"a": ["2021-03-30", "03/30/2021 10:11", "x", None]},
        {"a": ["####-03-30", "03/30/#### 10:11", "x", None]},
    ),
    Case(
        "MASK_DATE",
        {"sourceColumns": ["a"], "maskSymbol": "#", "redact": ["YEAR", "DAY"]},
        {"a": ["20210330", "20211330"]},
        {"a": ["####03##", "20211330"]},
    ),
    Case(
        "MASK_DELIMITER",
        {
            "sourceColumns": ["a"],
            "maskSymbol": "#",
            "startDelimiter": "<",
            "endDelimiter": ">",
            "preserveDelimiters": True,
            "alphabet": ["WHITESPACE", "SYMBOLS"],
        },
        {"a": ["a<b c-d>e", None]},
        {"a": ["a<# #-#>e", None]},
        "AMB",
    ),
    Case(
        "MASK_RANGE",
        {"sourceColumns": '["a"]', "maskSymbol": "#", "start": "1", "stop": "4"},
        {"a": ["abcdef", None]},
        {"a": ["a###ef", None]},
    ),
    Case(
        "MASK_RANGE", {"sourceColumns": '["a"]', "maskSymbol": "#", "start": "-2"}, {"a": ["abcdef"]}, {"a": ["abcd##"]}
    ),
    # Outliers (1, 2, 3, 4, 100: mean 22, sample deviation 43.6, median 3, MAD 1, quartiles 2 and 4)
    one(
        "FLAG_OUTLIERS",
        NUMBERS,
        ["No", "No", "No", "No", "Yes"],
        outlierStrategy="IQR",
        threshold="1.5",
        trueString="Yes",
        falseString="No",
    ),
    one("FLAG_OUTLIERS", NUMBERS, ["False"] * 4 + ["True"], outlierStrategy="MODIFIED_Z_SCORE"),
    rows(
        "REMOVE_OUTLIERS",
        {"a": NUMBERS},
        {"a": NUMBERS[:4]},
        **S,
        outlierStrategy="Z_SCORE",
        threshold="1.5",
        removeType="DELETE_ROWS",
    ),
    inplace(
        "REMOVE_OUTLIERS", NUMBERS, [*NUMBERS[:4], None], outlierStrategy="Z_SCORE", threshold="1.5", removeType="CLEAR"
    ),
    replaced_outliers([*NUMBERS[:4], 2.5], "REPLACE_WITH_MEDIAN"),
    replaced_outliers([*NUMBERS[:4], 52.0], "WINSORIZE_VALUES", minValue="0", maxValue="87.5"),
    # trimValue is TRUE for this replaceType, and no value lies outside these percentiles.
    replaced_outliers(NUMBERS, "REPLACE_WITH_NULL", minValue="0", maxValue="100"),
    replaced_outliers([*NUMBERS[:4], None], "REPLACE_WITH_NULL", trimValue="FALSE", minValue="0", maxValue="100"),
    replaced_outliers([*NUMBERS[:4], 2.5], "REPLACE_WITH_AVERAGE", minValue="0", maxValue="100"),
    replaced_outliers([*NUMBERS[:4], 7.0], "REPLACE_WITH_CUSTOM", value="7"),
    one(
        "RESCALE_OUTLIERS_WITH_Z_SCORE",
        [1.0, 2.0, 3.0],
        [-1.0, 0.0, 1.0],
        "AMB",
        outlierStrategy="Z_SCORE",
        threshold="3",
    ),
    one(
        "RESCALE_OUTLIERS_WITH_SKEW",
        NUMBERS,
        [*NUMBERS[:4], 10.0],
        "AMB",
        outlierStrategy="IQR",
        threshold="1.5",
        skewFunction="ROOT",
        value="2",
    ),
    # Column structure
    Case(
        "BOOLEAN_OPERATION",
        {
            **T,
            "trueValueExpression": "It is true.",
            "falseValueExpression": "It is false.",
            "valueExpression": "`a` < 2000",
        },
        {"a": [1, 3000, None]},
        {"t": ["It is true.", "It is false.", "It is false."]},
    ),
    Case(
        "BOOLEAN_OPERATION",
        {
            **T,
            "trueValueExpression": "`:mina`",
            "falseValueExpression": "`a`",
            "valueExpression": "`a` < `:avga`",
            "withExpressions": '[{"name":"mina","value":"min(`a`)","type":"aggregate"},{"name":"avga","value":"avg(`a`)","type":"aggregate"}]',  # noqa: E501
        },
        {"a": [2, 4, 6]},
        {"t": [2, 4, 6]},
    ),
    Case(
        "CASE_OPERATION",
        {
            **T,
            "valueExpression": "case when `a` < `b` then 'result1' when `c` < 'value2' then 'result2' else 'high' end",
        },
        {"a": [1, 5, 5], "b": [2, 2, 2], "c": ["z", "value1", "z"]},
        {"t": ["result1", "result2", "high"]},
    ),
    Case(
        "CASE_OPERATION",
        {
            **T,
            "valueExpression": "case when !isMissing(`a`) and (startsWith(`a`, 'x') or matches(`a`, '^y+$')) then 1 "
            "end",
        },
        {"a": ["xa", "yy", "q", None]},
        {"t": [1, 1, None, None]},
    ),
    Case(
        "CASE_OPERATION",
        {
            **T,
            "valueExpression": "CASE WHEN pressure IS NULL THEN 'N/A' WHEN pressure > 1020 THEN 'HIGH' "
            "WHEN `pressure` NOT IN (1, 1010) AND pressure BETWEEN 5 AND 20 THEN 'LOW' ELSE 'NORMAL' END",
        },
        {"pressure": [None, 1021.5, 10, 1010]},
        {"t": ["N/A", "HIGH", "LOW", "NORMAL"]},
        "AMB",
    ),
    one("FLAG_COLUMN_FROM_NULL", [1.5, None], ["False", "True"], flagType="Null values"),
    one(
        "FLAG_COLUMN_FROM_PATTERN",
        ["N", "S", None],
        ["yes", "No", "No"],
        flagType="Pattern",
        pattern="N.*",
        trueString="yes",
        falseString="No",
    ),
    across("MERGE", {"a": ["x", None], "b": ["y", "z"]}, ["x y", "z"], delimiter=" "),
    Case(
        "SPLIT_COLUMN_BETWEEN_DELIMITER",
        {
            **S,
            "patternOption1": '{"pattern":"H","includeInSplit":true}',
            "patternOption2": '{"pattern":"M","includeInSplit":true}',
        },
        {"a": ["12H30M5", "x"]},
        {"a_1": ["12", None], "a_2": ["H30M", None], "a_3": ["5", None]},
        "AMB",
    ),
    Case(
        "SPLIT_COLUMN_BETWEEN_POSITIONS",
        {**S, "startPosition": "2", "endPosition": "4"},
        {"a": ["abcdef", None]},
        {"a_1": ["ab", None], "a_2": ["cd", None], "a_3": ["ef", None]},
        "AMB",
    ),
    Case(
        "SPLIT_COLUMN_FROM_END",
        {**S, "position": "1"},
        {"a": ["abc", None]},
        {"a_1": ["ab", None], "a_2": ["c", None]},
        names=["a", "a_1", "a_2"],
    ),
    Case(
        "SPLIT_COLUMN_FROM_START",
        {**S, "position": "1"},
        {"a": ["abc", None]},
        {"a_1": ["a", None], "a_2": ["bc", None]},
    ),
    Case(
        "SPLIT_COLUMN_MULTIPLE_DELIMITER",
        {
            **S,
            "limit": "1",
            "patternOptions": '[{"pattern":",","includeInSplit":true},{"pattern":" ","includeInSplit":true}]',
        },
        {"a": ["x,y z", "q"]},
        {"a_1": ["x,", "q"], "a_2": ["y z", None]},
    ),
    Case(
        "SPLIT_COLUMN_SINGLE_DELIMITER",
        {**S, "limit": "1", "pattern": "/", "includeInSplit": "false"},
        {"a": ["x/y/z", "q", None]},
        {"a_1": ["x", "q", None], "a_2": ["y/z", None, None]},
    ),
    Case(
        "SPLIT_COLUMN_SINGLE_DELIMITER",
        {**S, "limit": "1", "pattern": "/", "includeInSplit": "true"},
        {"a": ["x/y"]},
        {"a_1": ["x/"], "a_2": ["y"]},
        "AMB",
    ),
    Case(
        "SPLIT_COLUMN_WITH_INTERVALS",
        {**S, "startPosition": "1", "interval": "2"},
        {"a": ["abcde"]},
        {"a_1": ["a"], "a_2": ["bc"], "a_3": ["de"]},
        "AMB",
    ),
    # Column formatting
    inplace(
        "NUMBER_FORMAT",
        [1234567.891, -1500.0, None],
        ["1,234.57K", "-1.50K", None],
        decimalPlaces="2",
        numericDecimalSeparator=".",
        numericThousandSeparator=",",
        numericAbbreviatedUnit="THOUSAND",
        numericUnitAbbreviation="K",
    ),
    inplace(
        "NUMBER_FORMAT",
        [1234.5],
        ["1.235"],
        "AMB",
        decimalPlaces="0",
        numericDecimalSeparator=",",
        numericThousandSeparator=".",
    ),
    inplace("NUMBER_FORMAT", [1.5, 1e27], ["1.5" + "0" * 29, "1" + "0" * 27 + "." + "0" * 30], decimalPlaces=30),
    inplace(
        "FORMAT_PHONE_NUMBER",
        ["408-341-5669", "4083415669", "x", None],
        ["+14083415669", "+14083415669", "x", None],
        defaultRegion="US",
    ),
    inplace("FORMAT_PHONE_NUMBER", ["408-341-5669"], ["+14083415669"], defaultRegion="USA"),
    Case(
        "FORMAT_PHONE_NUMBER",
        {**S, "defaultRegionColumn": "b"},
        {"a": ["408-341-5669", "020 7946 0958", "030 123456", "1"], "b": ["us", "GBR", "Germany", None]},
        {"a": ["+14083415669", "+442079460958", "+4930123456", "1"]},
    ),
    # Data structure
    across("NEST_TO_ARRAY", {"a": [1], "b": [2.5]}, [[1.0, 2.5]]),
    Case(
        "NEST_TO_MAP",
        {"sourceColumns": '["a","b"]', **T, "removeSourceColumns": "true"},
        {"a": [1], "b": ["x"]},
        {"t": [{"a": "1", "b": "x"}]},
        names=["t"],
    ),
    Case(
        "NEST_TO_STRUCT",
        {"sourceColumns": '["a","b"]', **T, "removeSourceColumns": "true"},
        {"a": [1], "b": ["x"]},
        {"t": [{"a": 1, "b": "x"}]},
        names=["t"],
    ),
    rows("UNNEST_ARRAY", {"a": [[1, 2], [3], None]}, {"a": [1, 2, 3, None]}, sourceColumn="a", targetColumn="a"),
    rows(
        "UNNEST_MAP",
        {"a": [{"x": 1, "y": 2}, {"x": 3, "y": None}]},
        {"a.key": ["x", "y", "x"], "a.value": [1, 2, 3]},
        "AMB",
        sourceColumn="a",
        removeSourceColumn="true",
    ),
    rows(
        "UNNEST_STRUCT",
        {"a": [{"x": 1, "y": {"q": 2}}]},
        {"add.x": [1], "add.y": [{"q": 2}]},
        "AMB",
        sourceColumn="a",
        removeSourceColumn="true",
        targetColumn="add",
    ),
    rows(
        "UNNEST_STRUCT_N",
        {"a": [{"x": 1, "y": {"q": 2}}]},
        {"a/x": [1], "a/y/q": [2]},
        sourceColumns='["a"]',
        removeSourceColumn="true",
        unnestLevel="2",
        delimiter="/",
    ),
    rows(
        "UNNEST_STRUCT_N",
        {"a1": [{"x": 1}], "a2": [{"x": 2}], "b": [{"x": 3}]},
        {"a1.x": [1], "a2.x": [2], "b": [{"x": 3}]},
        regexColumnSelector="a.",
        removeSourceColumn="true",
    ),
    rows(
        "GROUP_BY",
        {"w": ["b", "a", "b"], "v": ["m", "m", "m"], "n": [1, 2, 3]},
        {"w": ["b", "a"], "v": ["m", "m"], "w_count": [2, 1], "total": [4, 2]},
        sourceColumns='["w","v"]',
        groupByAggFunctionOptions='[{"sourceColumnName":"w","targetColumnName":"w_count","targetColumnDataType":"int","functionName":"COUNT"},{"sourceColumnName":"n","targetColumnName":"total","targetColumnDataType":"number","functionName":"SUM"}]',
        useNewDataFrame="true",
    ),
    rows(
        "GROUP_BY",
        {"w": ["b", "a", "b"], "n": [1, 2, 3]},
        {"w": ["b", "a", "b"], "n": [1, 2, 3], "m": [3, 2, 3]},
        "AMB",
        sourceColumns='["w"]',
        groupByAggFunctionOptions='[{"sourceColumnName":"n","targetColumnName":"m","functionName":"MAX"}]',
        useNewDataFrame="false",
    ),
    rows(
        "GROUP_BY",
        {"w": ["b", "a", "b"], "n": [1, 2, None]},
        {"w": ["b", "a", "b"], "n": [1, 2, None], "l": [[1], [2], [1]]},
        "AMB",
        sourceColumns='["w"]',
        groupByAggFunctionOptions='[{"sourceColumnName":"n","targetColumnName":"l","functionName":"COLLECT_LIST"}]',
        useNewDataFrame="false",
    ),
    rows(
        "GROUP_BY",
        {"w": ["b", "a", "b"], "n": [1, 2, 3]},
        {"w": ["b", "a"], "s": [0.0, None]},
        "AMB",
        sourceColumns='["w"]',
        groupByAggFunctionOptions='[{"sourceColumnName":"n","targetColumnName":"s","functionName":"SKEWNESS"}]',
    ),
    *(
        rows(
            "GROUP_BY",
            {"w": ["b", "a", "b"], "n": [1, 2, 3]},
            {"w": ["b", "a"]},
            "AMB",
            sourceColumns='["w"]',
            groupByAggFunctions=written,
            useNewDataFrame="true",
        )
        for written in ("UNAGGREGATED", '"UNAGGREGATED"', '["UNAGGREGATED"]', ["UNAGGREGATED"])
    ),
    rows(
        "PIVOT",
        {"k": [1, 1, 2], "a": ["x", "y", "x"], "v": [10, 20, 30]},
        {"k": [1, 2], "x": [10, 30]},
        "AMB",
        [{"Condition": "IS", "Value": '["x"]', "TargetColumn": "a"}],
        aggregateFunction="SUM",
        sourceColumn="a",
        valueColumn="v",
    ),
    rows(
        "PIVOT",
        {"a": ["x", "y", "x"], "v": [10, 20, 30]},
        {"x": [[10, 30]], "y": [[20]]},
        "AMB",
        aggregateFunction="COLLECT_LIST",
        sourceColumn="a",
        valueColumn="v",
    ),
    rows(
        "PIVOT",
        {"k": [1, 1, 2], "a": ["x", "y", "x"], "v": [10, 20, 30]},
        {"k": [1, 2], "x": [10, 30], "y": [20, None]},
        aggregateFunction="SUM",
        sourceColumn="a",
        valueColumn="v",
    ),
    rows(
        "TRANSPOSE",
        {"Teacher": ["May", "Ann"], "Tom": [1, 2], "John": [3, 4]},
        {"Student": ["Tom", "John"], "May": [[1], [3]], "Ann": [[2], [4]]},
        pivotColumns='["Teacher"]',
        valueColumns='["Tom","John"]',
        aggregateFunction="COLLECT_LIST",
        newColumn="Student",
    ),
    rows(
        "TRANSPOSE",
        {"t": ["p", "q"], "x": [None, None]},
        {"n": ["x"], "p": [None], "q": [None]},
        pivotColumns='["t"]',
        valueColumns='["x"]',
        aggregateFunction="SUM",
        newColumn="n",
    ),
    rows(
        "UNPIVOT",
        {"k": [1, 2], "a": [10, 20], "b": [30, None]},
        {"k": [1, 1, 2, 2], "n": ["a", "b", "a", "b"], "v": [10, 30, 20, None]},
        sourceColumns='["a","b"]',
        unpivotColumn="n",
        valueColumn="v",
    ),
    # Data science
    one("BINARIZATION", [299, 300, 301, None], [0, 0, 1, None], "OBS", threshold="300", flip="false"),
    one("BINARIZATION", [99.0, 100.0, 100.5], [1, 1, 0], threshold="100.0", flip="true"),
    one(
        "BUCKETIZATION",
        [1.0, 2.0, 20.0, None],
        ["Bin1", "Bin2", "Bin3", None],
        "OBS",
        bucketNames='["Bin1","Bin2","Bin3"]',
        splits='["-Infinity","2","20","Infinity"]',
    ),
    one(
        "BUCKETIZATION",
        [0.0, 4.9, 5.0, 10.0],
        ["Bin1", "Bin1", "Bin2", "Bin2"],
        "AMB",
        bucketNames='["Bin1","Bin2"]',
        percentage="50",
    ),
    one(
        "BUCKETIZATION",
        [0, 50, 98, 100],
        ["a", "b", "c", "c"],
        "AMB",
        bucketNames='["a","b","c"]',
        percentage="33.3",
    ),
    one(
        "CATEGORICAL_MAPPING",
        ["no", "yes", "maybe", None],
        [0, 1, None, None],
        "OBS",
        categoryMap='{"no":"0","yes":"1"}',
        mapType="NUMERIC",
        deleteOtherRows="false",
    ),
    one("CATEGORICAL_MAPPING", ["x", "q", None], ["1", "9", "9"], categoryMap='{"x":"1"}', mapType="TEXT", other="9"),
    one(
        "CATEGORICAL_MAPPING",
        ["x", "q", None],
        ["1", "q", None],
        categoryMap='{"x":"1"}',
        mapType="TEXT",
        keepOthers="true",
    ),
    one(
        "CATEGORICAL_MAPPING",
        ["x", "y", "q"],
        [1e20, 1.0, 2.0],
        "AMB",
        categoryMap='{"x":"100000000000000000000","y":1}',
        mapType="NUMERIC",
        other="2",
    ),
    one("CATEGORICAL_MAPPING", ["x", "y", "q"], [1.0, 2.5, None], categoryMap='{"x":"1","y":"2.5"}', mapType="NUMERIC"),
    one(
        "CATEGORICAL_MAPPING",
        ["x", "2.5", "q"],
        [1.0, 2.5, None],
        "AMB",
        categoryMap='{"x":"1"}',
        mapType="NUMERIC",
        keepOthers="true",
    ),
    rows(
        "CATEGORICAL_MAPPING",
        {"a": ["x", "q", None]},
        {"a": ["x"], "t": ["1"]},
        **ST,
        categoryMap='{"x":"1"}',
        mapType="TEXT",
        deleteOtherRows="true",
        other="",
    ),
    rows(
        "CATEGORICAL_MAPPING",
        {"a": ["x", "q", None]},
        {"a": ["x"], "t": [1]},
        **ST,
        categoryMap='{"x":"1"}',
        mapType="NUMERIC",
        deleteOtherRows="true",
    ),
    Case(
        "ONE_HOT_ENCODING",
        S,
        {"a": ["b", "a", None], "z": [1, 2, 3]},
        {"a_a": [0, 1, 0], "a_b": [1, 0, 0]},
        "OBS",
        ["a", "a_a", "a_b", "z"],
    ),
    one("SKEWNESS", [1.0, 4.0, -1.0, None], [1.0, 2.0, None, None], skewFunction="ROOT", value="2"),
    # Whole numbers here are compared exactly.
    one("SKEWNESS", [64.0, -125.0, 1000.0], [4, -5, 10], skewFunction="ROOT", value="3"),
    one("SKEWNESS", [3.0], [9.0], skewFunction="SQUARE"),
    one(
        "TOKENIZATION",
        ["I don't like the cats", None],
        ["do- not- like- cats", None],
        "AMB",
        delimiter="- ",
        expandContractions="ENABLED",
        stopWordRemovalMode="CUSTOM",
        customStopWords='["i","the"]',
    ),
    one("TOKENIZATION", ["running cats"], ["run cat"], stemmingMode="PORTER", customStopWords="[]"),
    one("TOKENIZATION", ["big dogs run"], ["big run"], "AMB", customStopWords='["Dogs"]'),
    one("TOKENIZATION", ["the big dogs"], ["the big dogs"], stopWordRemovalMode="NONE", customStopWords='["dogs"]'),
    one("NORMALIZATION", [0.0, 5.0, 10.0, None], [0.0, 0.5, 1.0, None], strategy="MIN_MAX"),
    one("NORMALIZATION", [1.0, 2.0, 3.0], [-1.0, 0.0, 1.0], strategy="Z_SCORE"),
    one(
        "NORMALIZATION", [0.0, 5.0, 10.0], [1.0, 2.0, 3.0], "AMB", strategy="SCALE_BETWEEN", minValue="1", maxValue="3"
    ),
    # Math functions
    one("ABSOLUTE", [-1, 2, None], [1, 2, None]),
    pair("ADD", [1, None], [2, 3], [3, None]),
    Case("ADD", {"sourceColumn1": "a", "value1": "1.5", **T}, {"a": [1]}, {"t": [2.5]}),
    one("CEILING", [1.2, -1.2, None], [2, -1, None]),
    one("DEGREES", [3.141592653589793, None], [180.0, None]),
    pair("DIVIDE", [1, 1, None], [2, 0, 1], [0.5, None, None]),
    one("EXPONENT", [0.0, None], [1.0, None]),
    Case("FLOOR", {"sourceColumn1": "a", **T}, {"a": [1.8, -1.2]}, {"t": [1, -2]}),
    one(
        "IS_EVEN",
        [5, 0, -1, 2, None],
        ["Not even", "Even", "Not even", "Even", None],
        "GLUE",
        trueString="Even",
        falseString="Not even",
    ),
    one("IS_ODD", [5, 0, -1, None], ["T", "F", "T", None], trueString="T", falseString="F"),
    one("LN", [1.0, 0.0, None], [0.0, None, None]),
    one("LOG", [100, -1, None], [2.0, None, None], base="10"),
    pair("MOD", [7, -7, 5], [3, 3, 0], [1, -1, None], "AMB"),
    pair("MOD", [49.0, 98.0, -7.5, 0.3, None], [49.0, 49.0, 2.0, 0.0, 1.0], [0, 0, -1.5, None, None], "AMB"),
    # Whole numbers here are compared exactly.
    Case("MOD", {"sourceColumn1": "a", "value2": "49", **T}, {"a": [49.0, 98.0, 0.5]}, {"t": [0, 0, 0.5]}, "AMB"),
    Case("DIVIDE", {"sourceColumn1": "a", "value2": "49", **T}, {"a": [49, 98, None]}, {"t": [1, 2, None]}),
    Case("DIVIDE", {"value1": "98", "sourceColumn2": "a", **T}, {"a": [49, 0, None]}, {"t": [2, None, None]}),
    Case(
        "CASE_OPERATION",
        {**T, "valueExpression": "case when `a` / 49 = 2 and `a` % 49 = 0 then 1 else 0 end"},
        {"a": [98, 99, None]},
        {"t": [1, 0, 0]},
        "AMB",
    ),
    one("LOG", [8, 1024, 0.5], [3, 10, -1], base="2"),
    one("NORMALIZATION", [0.0, 49.0], [0, 1], strategy="MIN_MAX"),
    pair("MULTIPLY", [2, None], [3, 3], [6, None]),
    one("NEGATE", [1, -2, None], [-1, 2, None]),
    Case("PI", T, {"a": [1]}, {"t": [3.141592653589793]}, names=["a", "t"]),
    one("POWER", [2, None], [8.0, None], exponent="3"),
    one("RADIANS", [180.0, None], [3.141592653589793, None]),
    one("ROUND", [1.5, 2.4, -2.5, None], [2, 2, -3, None]),
    one("SIGN", [-3, 0, 4.5, None], [-1, 0, 1, None]),
    one("SQUARE_ROOT", [9.0, -1.0, None], [3.0, None, None]),
    pair("SUBTRACT", [5, None], [3, 1], [2, None]),
    Case("SUBTRACT", {"value1": "10", "sourceColumn2": "a", **T}, {"a": [3]}, {"t": [7]}),
    # Aggregate functions
    across("ANY", {"a": [None, "x"], "b": ["y", "z"]}, ["y", "x"]),
    across("ANY", {"a": [None, None], "b": [1, 2]}, [1, 2], "AMB"),
    across("AVERAGE", {"a": ["1", "x"], "b": [3, 5]}, [2.0, 5.0]),
    across("COUNT", {"a": ["", "x"], "b": [1, None]}, [1, 1]),
    across("COUNT_DISTINCT", {"a": ["x", "x"], "b": ["x", "y"]}, [1, 2]),
    across("KTH_LARGEST", {"a": [1, None], "b": [3, 3], "c": [3, None]}, [3, None], value="2"),
    across("KTH_LARGEST_UNIQUE", {"a": [1], "b": [3], "c": [3]}, [1], value="2"),
    across("MAX", {"a": [1, None], "b": [3, None]}, [3, None]),
    across("MEDIAN", {"a": [1], "b": [3], "c": [8]}, [3.0]),
    across("MIN", {"a": [1], "b": [3]}, [1]),
    across("MODE", {"a": [1, 1], "b": [3, 3], "c": [3, 1]}, [3, 1], modeType="MINIMUM"),
    across("STANDARD_DEVIATION", {"a": [1.0, 4.0], "b": [3.0, None]}, [1.0, 0.0], "AMB"),
    across("SUM", {"a": [1, None], "b": [3, 4]}, [4, 4]),
    across("SUM", {"a": [None, None], "b": [3, 4]}, [3, 4]),
    across("SUM", {"a": ["x", None, ""], "b": ["y", None, "2.5"]}, [0.0, 0.0, 2.5]),
    across("SUM", {"a": [None, 1], "b": [None, 2]}, [0, 3]),
    across("VARIANCE", {"a": [1.0, 4.0, None], "b": [3.0, None, None]}, [1.0, 0.0, None]),
    # Text functions
    Case("CHAR", {"value": 42, **T}, {"a": [1]}, {"t": ["*"]}),
    one("ENDS_WITH", ["British", "Paris", None], [False, True, None], pattern="[Ss]"),
    Case(
        "EXACT",
        {"sourceColumn1": "a", "value2": "Argentina", **T},
        {"a": ["Argentina", "argentina", None]},
        {"t": [True, False, None]},
    ),
    one("FIND", ["xAbA", "q", None], [2, 0, None], "AMB", pattern="[AEIOU]", position="1", ignoreCase="false"),
    one("FIND", ["aeb", "ae"], [3, 0], "AMB", pattern="[a-z&&[^aeiou]]"),
    one("LEFT", ["abcdef", None], ["abc", None], position="3"),
    one("LEN", ["héllo", None], [5, None]),
    one("LEN", ["héllo"], [5], "AMB", value=""),
    Case("LEN", {"sourceColumn": "", "value": "", **T}, {"a": [1]}, {"t": [0]}, "AMB"),
    Case(
        "EXACT",
        {"sourceColumn1": "a", "sourceColumn2": "", "value1": "", "value2": "x", **T},
        {"a": ["x", ""]},
        {"t": [True, False]},
        "AMB",
    ),
    Case("EXACT", {"sourceColumn1": "a", "value2": "", **T}, {"a": ["x", ""]}, {"t": [False, True]}),
    one("LOWER", ["aB", None], ["ab", None]),
    across("MERGE_COLUMNS_AND_VALUES", {"a": ["x"], "b": ["y"]}, ["x was born on: y"], delimiter=" was born on: "),
    one("PROPER", ["MR. H. SMITH, ESQ.", None], ["Mr. H. Smith, Esq.", None]),
    one("REMOVE_SYMBOLS", ["$&#$&HEY!#@@", "é x_1"], ["HEY", "é x1"]),
    one("REMOVE_WHITESPACE", ["a b\tc", None], ["abc", None]),
    one("REPEAT_STRING", ["ab", None], ["ababab", None], count=3),
    one("RIGHT", ["abcdef", "ab", None], ["def", "ab", None], position="3"),
    one("RIGHT_FIND", ["asbs", "q"], [4, 0], "AMB", pattern="S", position="1", ignoreCase="true"),
    one("STARTS_WITH", ["abc", "xabc", None], [True, False, None], pattern="a."),
    pair("STRING_GREATER_THAN", ["b", "a"], ["a", "a"], [True, False]),
    pair("STRING_GREATER_THAN_EQUAL", ["b", "a"], ["a", "a"], [True, True]),
    pair("STRING_LESS_THAN", ["b", "a"], ["a", "b"], [False, True]),
    pair("STRING_LESS_THAN_EQUAL", ["b", "a"], ["a", "a"], [False, True]),
    one("SUBSTRING", ["abcdefghij", None], ["efgh", None], startPosition="5", endPosition="8"),
    one("TRIM", ["  a b ", None], ["a b", None]),
    one("UNICODE", ["?", "", None], [63, None, None]),
    one("UPPER", ["aB", None], ["AB", None]),
    # Date and time functions
    one(
        "CONVERT_TIMEZONE",
        ["2021-01-01 12:00:00", None],
        ["2021-01-01 20:00:00", None],
        fromTimeZone="UTC",
        toTimeZone="UTC+08:00",
    ),
    one("CONVERT_TIMEZONE", ["2021-07-01 12:00:00"], ["2021-07-01 05:00:00"], toTimeZone="US/Pacific"),
    one(
        "CONVERT_TIMEZONE",
        ["2021-07-01 12:00:00"],
        ["2021-07-01 05:00:00"],
        "AMB",
        fromTimeZone="utc",
        toTimeZone="us/pacific",
    ),
    one("CONVERT_TIMEZONE", ["2021-07-01 12:00:00"], ["2021-07-01 05:00:00"], "AMB", toTimeZone="PST"),
    one("CONVERT_TIMEZONE", ["2021-07-01 12:00:00"], ["2021-07-01 13:30:00"], "AMB", toTimeZone="utc+01:30"),
    Case(
        "DATE",
        {
            **T,
            "dateTimeFormat": "mm/dd/yy",
            "dateTimeParameters": '{"year":{"value":"2019"},"month":{"value":"12"},"day":{"value":"31"},"hour":{},"minute":{},"second":{}}',  # noqa: E501
        },
        {"a": [1]},
        {"t": ["12/31/19"]},
    ),
    one(
        "DATE_ADD",
        ["2021-01-31", None],
        ["02/14/2021", None],
        units="DAYS",
        dateAddValue="14",
        dateTimeFormat="mm/dd/yyyy",
    ),
    one("DATE_ADD", ["2021-01-31"], ["2021-02-28 00:00:00"], "AMB", units="MONTHS", dateAddValue="1"),
    Case("DATE_DIFF", {**T, "value1": "2020-01-01", "value2": "2020-10-06", "units": "DAYS"}, {"a": [1]}, {"t": [279]}),
    pair("DATE_DIFF", ["2020-01-31", "2021-05-01"], ["2020-02-29", "2021-03-02"], [0, -1], "AMB", units="MONTHS"),
    one("DATE_FORMAT", ["2021-03-30", None], ["March*30*2021", None], dateTimeFormat="month*dd*yyyy"),
    Case("DATE_FORMAT", {**T, "value": "22:10:47", "dateTimeFormat": "HH:MM:SS"}, {"a": [1]}, {"t": ["22:10:47"]}),
    Case(
        "DATE_TIME",
        {
            **T,
            "dateTimeFormat": "yyyy-mm-dd HH:MM:SS",
            "dateTimeParameters": '{"year":{"value":"2010"},"month":{"value":"5"},"day":{"value":"21"},"hour":{"value":"13"},"minute":{"value":"34"},"second":{"value":"25"}}',  # noqa: E501
        },
        {"a": [1]},
        {"t": ["2010-05-21 13:34:25"]},
    ),
    one("DATE_FORMAT", [20200304, 20201332, None], ["2020-03-04", None, None], "AMB", dateTimeFormat="yyyy-mm-dd"),
    one("DATE_FORMAT", ["20200304", "20182012"], ["2020-03-04", None], "AMB", dateTimeFormat="yyyy-mm-dd"),
    one("DAY", DAY, [30, None, None]),
    one("HOUR", DAY, [6, None, None]),
    one("MILLISECOND", DAY, [658, None, None]),
    one("MINUTE", DAY, [35, None, None]),
    one("MONTH", DAY, [3, None, None]),
    one(
        "MONTH_NAME",
        ["20-2018-12", "2018-20-12", "02/02/02", "August 02 2009"],
        ["December", None, "February", "August"],
        "GLUE",
    ),
    one("QUARTER", DAY, [1, None, None]),
    one("SECOND", DAY, [45, None, None]),
    Case("NOW", {**T, "timeZone": "US/Pacific"}, {"a": [1]}, {"t": ["2024-05-01 05:34:56"]}),
    Case(
        "TIME",
        {
            **T,
            "dateTimeFormat": "HH:MM:SS",
            "dateTimeParameters": '{"year":{},"month":{},"day":{},"hour":{"sourceColumn":"h"},"minute":{"sourceColumn":"m"},"second":{"value":"7"}}',  # noqa: E501
        },
        {"h": [5, 25], "m": [6, 0]},
        {"t": ["05:06:07", None]},
    ),
    Case("TODAY", T, {"a": [1]}, {"t": ["2024-05-01"]}),
    one("UNIX_TIME", ["2020-10-05 22:22:34", None], [1601936554, None]),
    Case(
        "UNIX_TIME_FORMAT",
        {**T, "value": "1601936554", "dateTimeFormat": "yyyy-mm-dd HH:MM:SS"},
        {"a": [1]},
        {"t": ["2020-10-05 22:22:34"]},
    ),
    one("WEEK_DAY", ["2024-04-28", "2024-05-04"], [1, 7], "AMB"),
    one("WEEK_NUMBER", ["2021-01-04", "2021-12-30"], [1, 52]),
    one("YEAR", DAY, [2021, None, None]),
    # Window functions
    one("FILL", [None, "x", None, None, "y"], ["x", "x", "x", "y", "y"], numRowsBefore="1", numRowsAfter="1"),
    one("NEXT", [1, 2, 3], [2, 3, None], numRows="1"),
    one("PREV", [1, 2, 3], [None, 1, 2], numRows="1"),
    one("ROLLING_AVERAGE", [1.0, 2.0, 6.0], [1.5, 3.0, 4.0], numRowsBefore="1", numRowsAfter="1"),
    one("ROLLING_COUNT_A", ["x", None, "y"], [1, 2, 1], numRowsBefore="1", numRowsAfter="1"),
    one("ROLLING_KTH_LARGEST", [1, 5, 5], [1, 5, 5], numRowsBefore="1", numRowsAfter="1", value="2"),
    one("ROLLING_KTH_LARGEST_UNIQUE", [1, 5, 5], [1, 1, None], numRowsBefore="1", numRowsAfter="1", value="2"),
    one("ROLLING_MAX", [1, 5, 2], [1, 5, 5], numRowsBefore="1", numRowsAfter="0"),
    one("ROLLING_MIN", [1, 5, 2], [1, 2, 2], numRowsBefore="0", numRowsAfter="1"),
    one("ROLLING_MODE", [1, 1, 2], [1, 1, 1], numRowsBefore="2", numRowsAfter="1", modeType="MINIMUM"),
    one("ROLLING_MODE", ["y", "x", "x", None], ["x", "x", "x", "x"], numRowsBefore="1", numRowsAfter="2"),
    one("ROLLING_STANDARD_DEVIATION", [1.0, 3.0], [2**0.5, 2**0.5], numRowsBefore="1", numRowsAfter="1"),
    one("ROLLING_SUM", [1, 2, None], [3, 3, 2], numRowsBefore="1", numRowsAfter="1"),
    one("ROLLING_VARIANCE", [1.0, 3.0], [2.0, 2.0], numRowsBefore="1", numRowsAfter="1"),
    Case(
        "ROW_NUMBER",
        {**T, "groupByColumns": '["g"]', "orderByColumns": '["o"]'},
        {"g": ["x", "y", "x"], "o": [2, 1, 1]},
        {"t": [2, 1, 1]},
        "AMB",
    ),
    Case(
        "ROW_NUMBER",
        {**T, "groupByColumns": "[]", "orderByColumns": '["o"]'},
        {"o": [3, 1, 2]},
        {"t": [3, 1, 2]},
        "AMB",
    ),
    Case(
        "SESSION",
        {**ST, "units": "MINUTES", "value": "10", "groupByColumns": '["g"]', "orderByColumns": '["a"]'},
        {"a": ["2021-01-01 00:00", "2021-01-01 00:30", "2021-01-01 00:09"], "g": ["x", "x", "x"]},
        {"t": [1, 2, 1]},
        "AMB",
    ),
    # Web functions
    one("IP_TO_INT", ["192.168.1.1", "abc", "321.1.1.1", None], [3232235777, None, None, None]),
    one("INT_TO_IP", [167772410, -1, 4294967296, None], ["10.0.0.250", None, None, None]),
    one(
        "URL_PARAMS",
        ["http://example.com/?firstParam=answer&secondParam=42", None],
        ['{"firstParam": ["answer"], "secondParam": ["42"]}', None],
    ),
    # Other functions
    across("COALESCE", {"a": [None, None], "b": [1, 2]}, [1, 2]),
    across("COALESCE", {"a": [None, None], "b": [None, None]}, [None, None]),
    across("COALESCE", {"a": [None, "a", None], "b": ["b", "b", None]}, ["b", "a", None]),
]

# Actions whose result has no fixed expectation, or that need a second dataset: they are tested in
# test_properties.py and test_command_line.py.
BY_PROPERTY = (
    "RANDOM",
    "RANDOM_BETWEEN",
    "REPLACE_WITH_RANDOM_BETWEEN",
    "REPLACE_WITH_RANDOM_DATE_BETWEEN",
    "SHUFFLE_ROWS",
    "DETERMINISTIC_ENCRYPT",
    "DETERMINISTIC_DECRYPT",
    "JOIN",
    "UNION",
)
