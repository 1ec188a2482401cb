"""The sample generator makes rows like the real file's, reproducibly and in any number."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import xgboost

from tools.bank_marketing import CALL_MONTHS, COLUMNS, FULL_ROWS
from tools.sample_data import CHUNK_ROWS, generate, main, rows_per_month, write_csv


@pytest.fixture(scope="module")
def sample() -> pl.DataFrame:
    return generate(seed=7)


@pytest.fixture(scope="module")
def real(shared_dir: Path) -> pl.DataFrame:
    path = shared_dir / "data" / "bank-additional.csv"
    if not path.exists():
        pytest.skip(f"no {path}")
    return pl.read_csv(path, separator=";")


def is_yes(frame: pl.DataFrame) -> pl.Series:
    return frame["y"] == "yes"


def test_the_sample_has_the_shape_and_order_of_the_full_file(sample: pl.DataFrame) -> None:
    assert sample.shape == (FULL_ROWS, 21)
    assert FULL_ROWS == 41_188
    assert tuple(sample.columns) == COLUMNS
    assert sample.null_count().row(0) == (0,) * 21
    runs = sample["month"].rle().struct.unnest()
    assert runs.rows() == [(month.rows, month.abbreviation) for month in CALL_MONTHS]


def test_share_of_yes_is_the_real_one_overall_and_in_the_last_fifth(sample: pl.DataFrame) -> None:
    assert is_yes(sample).mean() == pytest.approx(0.1127, abs=0.006)
    assert is_yes(sample).tail(FULL_ROWS // 5).mean() == pytest.approx(0.31, abs=0.02)


def test_economics_of_a_month_are_its_own(sample: pl.DataFrame) -> None:
    indicators = ["emp.var.rate", "cons.price.idx", "cons.conf.idx", "nr.employed"]
    assert set(sample.select("month", *indicators).unique().rows()) == {
        (
            m.abbreviation,
            m.employment_variation_rate,
            m.consumer_price_index,
            m.consumer_confidence_index,
            m.employees,
        )
        for m in CALL_MONTHS
    }


def test_values_are_those_of_the_real_file(sample: pl.DataFrame, real: pl.DataFrame) -> None:
    text = [name for name, kind in real.schema.items() if kind == pl.String]
    assert len(text) == 11
    for name in text:
        assert set(sample[name].unique()) - set(real[name].unique()) == set(), name
        # the 4,119-row sample holds no value that is rarer than 1 in 1,000 for certain
        common = real[name].value_counts().filter(pl.col("count") > 5)[name]
        assert set(common) <= set(sample[name].unique()), name


def test_marginals_are_near_the_real_ones(sample: pl.DataFrame, real: pl.DataFrame) -> None:
    for name in ("job", "marital", "education", "default", "housing", "loan", "contact", "day_of_week", "poutcome"):
        shares = [dict(frame[name].value_counts(normalize=True).rows()) for frame in (sample, real)]
        for value in set(shares[0]) | set(shares[1]):
            assert shares[0].get(value, 0) == pytest.approx(shares[1].get(value, 0), abs=0.03), (name, value)
    for name, tolerance in {"age": 1.0, "duration": 20.0, "campaign": 0.25, "previous": 0.06}.items():
        assert sample[name].mean() == pytest.approx(float(real[name].mean()), abs=tolerance), name  # type: ignore[arg-type]


def area_under_curve(label: np.ndarray, score: np.ndarray) -> float:
    """Probability that a positive scores higher than a negative (Mann-Whitney)."""
    ranks = pl.Series(score).rank("average").to_numpy()
    positives = int(label.sum())
    return float((ranks[label].sum() - positives * (positives + 1) / 2) / (positives * (label.size - positives)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dropped", "low", "high"),
    [(["duration"], 0.77, 0.82), ([], 0.92, 0.955)],
    ids=["without duration", "with duration, which leaks"],
)
def test_label_depends_on_the_features_as_in_the_real_file(
    sample: pl.DataFrame, dropped: list[str], low: float, high: float
) -> None:
    features = sample.drop("y", *dropped).to_dummies(pl.selectors.string()).to_numpy()
    label = is_yes(sample).to_numpy()
    validation = np.random.default_rng(1).random(label.size) < 0.3
    model = xgboost.train(
        {"objective": "binary:logistic", "eta": 0.1, "max_depth": 4, "nthread": 2, "seed": 0},
        xgboost.DMatrix(features[~validation], label[~validation]),
        num_boost_round=100,
    )
    score = model.predict(xgboost.DMatrix(features[validation]))
    assert low < area_under_curve(label[validation], score) < high
    error = ((score > 0.5) != label[validation]).mean()
    assert error < label[validation].mean() - 0.005, "a good model is better than always answering no"


def test_a_seed_always_gives_the_same_rows_and_another_seed_others() -> None:
    assert generate(2000, seed=3).equals(generate(2000, seed=3))
    assert not generate(2000, seed=3).equals(generate(2000, seed=4))


@pytest.mark.parametrize("rows", [0, 1, 25, 26, 41_188, 100_003])
def test_rows_per_month_sum_up(rows: int) -> None:
    counts = rows_per_month(rows)
    assert counts.sum() == rows
    assert (counts >= 0).all()


def test_a_file_without_rows_has_a_header(tmp_path: Path) -> None:
    assert generate(0).shape == (0, 21)
    assert write_csv(tmp_path / "none.csv", 0).read_text().count("\n") == 1


def test_csv_is_written_as_the_original_is_and_reads_back(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "sample.csv", 3000, seed=5)
    first, second = path.read_text().splitlines()[:2]
    assert first == ";".join(f'"{name}"' for name in COLUMNS)
    assert second.split(";")[19] == "5191", "whole numbers are written without a fraction, as R does"
    frame = pl.read_csv(io.BytesIO(path.read_bytes()), separator=";", schema_overrides={"nr.employed": pl.Float64})
    assert frame.equals(generate(3000, seed=5))
    assert [file.name for file in tmp_path.iterdir()] == ["sample.csv"], "nothing half-written stays behind"


def test_more_rows_than_a_chunk_stay_in_order_of_time() -> None:
    rows = CHUNK_ROWS + 17
    months = generate(rows)["month"].rle().struct.unnest()
    assert months["len"].to_list() == rows_per_month(rows).tolist()


def test_the_command_says_what_is_wrong_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rows", "-1", "--out", str(tmp_path / "x.csv")]) == 2
    assert main(["--out", str(tmp_path / "no" / "folder.csv")]) == 2
    assert capsys.readouterr().err.count("\n") == 2
    assert list(tmp_path.iterdir()) == []
