"""Reading the split's output: what is right comes back to the bit, what is wrong is named."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from evaluation_errors import DataError
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from labelled_csv import read_labelled_csv

from tests.fixtures.evaluation_run import write_rows

_values = st.one_of(st.just(np.float32(np.nan)), st.floats(-1e6, 1e6, width=32))


@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 4)), elements=_values), st.booleans())
def test_rows_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, features: np.ndarray, label: bool
) -> None:
    labels = np.full(features.shape[0], label)
    rows = read_labelled_csv(write_rows(tmp_path_factory.mktemp("rows"), labels, features), what="validation")
    np.testing.assert_array_equal(rows.features, features)
    np.testing.assert_array_equal(rows.labels, labels)
    assert (rows.rows, rows.positives) == (labels.size, labels.sum())


@pytest.mark.parametrize(
    ("text", "features"),
    [
        pytest.param("1,2,3\n0,4,5\n", [[2, 3], [4, 5]], id="plain"),
        pytest.param("1,2,3\r\n0,4,5", [[2, 3], [4, 5]], id="carriage returns"),
        pytest.param('"1","2",""\n0,,5\n\n', [[2, None], [None, 5]], id="quotes"),
        pytest.param("1.0,NaN,1e-3\n\n0,nan,-.5\n", [[None, 0.001], [None, -0.5]], id="nan and exponents"),
        pytest.param("1,,\n", [[None, None]], id="empty fields only"),
        pytest.param("1,2", [[2]], id="one row"),
    ],
)
def test_every_dialect_of_the_split_is_read(tmp_path: Path, text: str, features: list[list[float | None]]) -> None:
    (tmp_path / "part.csv").write_bytes(text.encode())
    expected = np.array([[np.nan if value is None else value for value in row] for row in features], dtype=np.float32)
    np.testing.assert_array_equal(read_labelled_csv(tmp_path, what="train").features, expected)


def test_files_below_folders_in_order_of_name_without_markers(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "part-1.csv").write_text("1,3\n")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"0,1\n1,2\n"))
    (tmp_path / "empty.csv").write_text("\n")
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / "_temporary").mkdir()
    (tmp_path / "_temporary" / "part.csv").write_text("half")
    rows = read_labelled_csv(tmp_path, what="train")
    assert rows.features[:, 0].tolist() == [1, 2, 3]
    assert rows.labels.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        pytest.param({}, "the validation data has no rows", id="no file"),
        pytest.param({"a.csv": b"\n \n"}, "the validation data has no rows", id="blank file"),
        pytest.param({"a.csv": b"1\n0\n"}, "no feature besides the label", id="label only"),
        pytest.param(
            {"a.csv": b"y,age\n1,30\n"}, "validation file a.csv has 'y' in row 1, column 1, which", id="header"
        ),
        pytest.param(
            {"a.csv": b"1,30\n0,married\n"}, "validation file a.csv has 'married' in row 2, column 2", id="word"
        ),
        pytest.param(
            {"a.csv": b"1,30\n0,30,1\n"}, "has 3 columns in row 2 where the rows before have 2", id="ragged file"
        ),
        pytest.param(
            {"a.csv": b"1,30\n", "b.csv": b"0,30,1\n"},
            "validation file b.csv has 3 columns where the files before have 2",
            id="files of two widths",
        ),
        pytest.param({"a.csv": b"1,30\n2,30\n"}, "has the label 2 in row 2", id="label 2"),
        pytest.param({"a.csv": b"1,30\n,30\n"}, "has the label nan in row 2", id="no label"),
        pytest.param({"a.csv": b"1,30\n0,inf\n"}, "has an infinite number in row 2, column 2", id="infinite"),
        pytest.param({"a.csv": b"1,30\n0,1e60\n"}, "has an infinite number in row 2, column 2", id="too large"),
        pytest.param(
            {"a.csv.gz": gzip.compress(b"1,30\n")[:-6]}, "a.csv.gz is incomplete or broken gzip", id="cut gzip"
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path: Path, files: dict[str, bytes], says: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_labelled_csv(tmp_path, what="validation")
    assert says in str(caught.value)
