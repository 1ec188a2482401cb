"""Generate any number of rows like those of the UCI bank marketing file, from a seed.

They have its columns, value sets, marginals, economics and drift. The project ships no data, and
must run where none can be downloaded. The label depends on the features about as much as in the
real file: a gradient-boosted model reaches an AUC near 0.79 without `duration` and near 0.94 with
it, and always predicting "no" is wrong for 11 % of the calls. The rows are invented; only small
tables of shares come from the data (source: see `tools.bank_marketing`).

    python -m tools.sample_data --rows 41188 --seed 1 --out bank.csv

Must not import Airflow or boto3.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from tools.bank_marketing import CALL_MONTHS, COLUMNS, FULL_ROWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.intp]

DEFAULT_SEED = 20101130
CHUNK_ROWS = 1_000_000
"""Rows generated at once. A change changes the rows of a seed: each chunk has its own stream."""

JOBS = (
    "admin.", "blue-collar", "technician", "services", "management", "retired", "entrepreneur", "self-employed",
    "housemaid", "unemployed", "student", "unknown",
)  # fmt: skip
MARITAL = ("married", "single", "divorced", "unknown")
EDUCATION = (
    "university.degree", "high.school", "basic.9y", "professional.course", "basic.4y", "basic.6y", "unknown",
    "illiterate",
)  # fmt: skip
YES_NO_UNKNOWN = ("no", "yes", "unknown")
CONTACTS = ("cellular", "telephone")
POUTCOMES = ("nonexistent", "failure", "success")
DAYS_OF_WEEK = ("mon", "tue", "wed", "thu", "fri")
MONTHS = ("mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
LABELS = ("no", "yes")

# Share of each job in the mass campaign (to May 2009) and in the small, selective one after it.
_JOB_SHARES_MASS = (0.250, 0.235, 0.165, 0.100, 0.072, 0.031, 0.037, 0.035, 0.026, 0.024, 0.016, 0.009)
_JOB_SHARES_LATE = (0.285, 0.105, 0.155, 0.062, 0.077, 0.115, 0.018, 0.030, 0.027, 0.037, 0.075, 0.014)
# Mean and standard deviation of the age, years, by job.
_JOB_AGE = (
    (38.2, 8.8), (39.5, 8.8), (38.5, 8.7), (37.9, 8.9), (42.3, 9.2), (62.0, 10.2), (41.7, 8.9), (39.9, 9.4), (45.5,
    11.4), (39.7, 9.6), (25.9, 4.5), (45.6, 10.9),
)  # fmt: skip
# Married, single, divorced, unknown by job.
_JOB_MARITAL = (
    (0.507, 0.370, 0.121, 0.002), (0.717, 0.205, 0.076, 0.002), (0.555, 0.330, 0.113, 0.002), (0.580, 0.285, 0.133,
    0.002), (0.719, 0.160, 0.119, 0.002), (0.740, 0.060, 0.197, 0.003), (0.725, 0.140, 0.133, 0.002), (0.640, 0.260,
    0.098, 0.002), (0.730, 0.120, 0.148, 0.002), (0.630, 0.250, 0.118, 0.002), (0.045, 0.940, 0.012, 0.003), (0.710,
    0.220, 0.040, 0.030),
)  # fmt: skip
# Weights of EDUCATION by job (per mille, about).
_JOB_EDUCATION = (
    (555, 310, 48, 36, 8, 15, 27, 0.1), (10, 95, 392, 49, 250, 155, 48, 0.9), (270, 130, 57, 490, 9, 13, 31, 0.1),
    (44, 676, 98, 55, 33, 57, 37, 0.1), (706, 102, 57, 31, 34, 29, 41, 0.1), (166, 160, 84, 140, 347, 44, 57, 2.0),
    (419, 161, 144, 93, 94, 49, 39, 1.4), (538, 83, 155, 118, 65, 18, 20, 2.1), (131, 164, 89, 56, 447, 73, 39, 1.0),
    (259, 255, 183, 140, 110, 34, 19, 0.1), (194, 408, 113, 49, 30, 15, 191, 0.1), (137, 112, 94, 36, 158, 67, 396,
    0.1),
)  # fmt: skip

# By month, in the order of CALL_MONTHS: share of cellular calls, of clients never called before, of
# clients to whom an earlier campaign sold, of unknown defaults; mean number of calls in this
# campaign.
_BY_MONTH = (
    (0.001, 1.0, 0.0, 0.31, 2.6),  # may 2008
    (0.001, 1.0, 0.0, 0.3, 3.25),  # jun 2008
    (0.86, 1.0, 0.0, 0.24, 3.15),  # jul 2008
    (0.975, 1.0, 0.0, 0.19, 2.9),  # aug 2008
    (0.02, 0.85, 0.02, 0.05, 1.3),  # oct 2008
    (0.91, 0.79, 0.016, 0.1, 1.85),  # nov 2008
    (0.9, 0.9, 0.03, 0.05, 1.4),  # dec 2008
    (0.95, 0.83, 0.04, 0.04, 1.85),  # mar 2009
    (0.89, 0.68, 0.012, 0.16, 1.95),  # apr 2009
    (0.93, 0.68, 0.022, 0.15, 2.2),  # may 2009
    (0.89, 0.8, 0.08, 0.04, 1.75),  # jun 2009
    (0.87, 0.7, 0.06, 0.05, 2.0),  # jul 2009
    (0.93, 0.57, 0.18, 0.04, 1.6),  # aug 2009
    (0.8, 0.5, 0.27, 0.02, 1.6),  # sep 2009
    (0.85, 0.62, 0.12, 0.04, 1.45),  # oct 2009
    (0.81, 0.48, 0.27, 0.03, 1.75),  # nov 2009
    (0.86, 0.45, 0.25, 0.02, 2.4),  # dec 2009
    (0.87, 0.3, 0.35, 0.02, 2.0),  # mar 2010
    (0.86, 0.36, 0.34, 0.02, 2.0),  # apr 2010
    (0.83, 0.32, 0.37, 0.02, 1.6),  # may 2010
    (0.8, 0.42, 0.32, 0.05, 1.65),  # jun 2010
    (0.92, 0.27, 0.39, 0.02, 2.0),  # jul 2010
    (0.9, 0.38, 0.31, 0.04, 2.0),  # aug 2010
    (0.75, 0.44, 0.25, 0.04, 1.8),  # sep 2010
    (0.8, 0.45, 0.17, 0.04, 1.7),  # oct 2010
    (0.94, 0.46, 0.34, 0.02, 2.0),  # nov 2010
)
_CELLULAR, _NEW_CLIENT, _SOLD_BEFORE, _UNKNOWN_DEFAULT, _MEAN_CALLS = np.array(_BY_MONTH).T

# Effects on the log-odds of "yes" within a month.
_JOB_EFFECT = (0.30, -0.25, 0.10, -0.10, 0.05, 0.45, -0.30, 0.0, -0.05, 0.20, 0.60, 0.0)
_EDUCATION_EFFECT = (0.22, 0.05, -0.10, 0.12, -0.10, -0.12, 0.10, 0.0)
_MARITAL_EFFECT = (0.0, 0.12, -0.08, 0.0)
_DAY_EFFECT = (-0.20, 0.02, 0.08, 0.10, 0.02)
_CELLULAR_EFFECT = 0.60
_UNKNOWN_DEFAULT_EFFECT = -0.30
_POUTCOME_EFFECT = (0.0, -0.25, 1.85)
_CALLS_EFFECT = -0.09
_EURIBOR_EFFECT = -0.35  # per standard deviation within the month
_EFFECT_SCALE = 0.95

# Logarithm of the call's duration in seconds: mean and standard deviation. The less likely a sale
# was, the longer it takes.
_LOG_DURATION_NO = (5.05, 0.86)
_LOG_DURATION_YES = (5.65, 0.55)
_LOG_DURATION_BY_LOG_ODDS = -0.33

_PDAYS = (3, 6, 4, 9, 2, 7, 12, 10, 5, 13, 11, 1, 15, 14, 8, 0, 16, 17, 18, 21)
_PDAYS_WEIGHT = (439, 412, 118, 64, 61, 60, 58, 52, 46, 36, 28, 26, 24, 20, 18, 15, 11, 8, 7, 2)


class _Economics(NamedTuple):
    """The Euribor on each business day of the campaign, and where each month's days begin."""

    euribor: Floats  # (business days,), percent, rounded to 3 decimals
    day_of_week: Codes  # (business days,), 0 = Monday
    first_day: Codes  # (months,)
    day_count: Codes  # (months,)


def _economics() -> _Economics:
    euribor: list[float] = []
    day_of_week: list[int] = []
    first_day: list[int] = []
    day_count: list[int] = []
    for month in CALL_MONTHS:
        days = month.business_days()
        first_day.append(len(euribor))
        day_count.append(len(days))
        euribor.extend(np.round(np.linspace(month.euribor_first, month.euribor_last, len(days)), 3).tolist())
        day_of_week.extend(day.weekday() for day in days)
    return _Economics(np.array(euribor), np.array(day_of_week), np.array(first_day), np.array(day_count))


def rows_per_month(rows: int) -> NDArray[np.int64]:
    """Distribute rows over the campaign's months as in the full file, by largest remainder.

    :returns: An array of shape (26,) whose sum is `rows`.
    :raises ValueError: `rows` is negative.
    """
    if rows < 0:
        raise ValueError(f"rows is {rows}; it must be 0 or more.")
    weights = np.array([month.rows for month in CALL_MONTHS], dtype=np.int64)
    counts = weights * rows // FULL_ROWS
    order = np.argsort(-(weights * rows % FULL_ROWS), kind="stable")
    counts[order[: rows - int(counts.sum())]] += 1
    return counts


def _choice_by_row(random: np.random.Generator, weights: Floats, row_codes: Codes) -> Codes:
    """Pick a column of `weights` (groups × choices) for each row, by the weights of its group."""
    cumulative = np.cumsum(weights, axis=1)
    cumulative /= cumulative[:, -1:]
    draw = random.random(row_codes.size)
    picked = np.zeros(row_codes.size, dtype=np.intp)
    for choice in range(weights.shape[1] - 1):
        picked += draw >= cumulative[row_codes, choice]
    return picked


class _Clients(NamedTuple):
    """What is known before the call, as codes into the value sets; arrays of shape (rows,)."""

    age: Codes
    job: Codes
    marital: Codes
    education: Codes
    default: Codes
    housing: Codes
    loan: Codes
    contact: Codes
    day: Codes  # index into the campaign's business days
    campaign: Codes
    pdays: Codes
    previous: Codes
    poutcome: Codes


def _draw_clients(random: np.random.Generator, month: Codes, position: Floats, economics: _Economics) -> _Clients:
    """Draw the features of each row.

    :param month: Index into CALL_MONTHS; shape (rows,).
    :param position: Place of the row in its month, in [0, 1); shape (rows,).
    """
    rows, late = month.size, (month >= 10).astype(np.intp)  # June 2009 and after
    job = _choice_by_row(random, np.array([_JOB_SHARES_MASS, _JOB_SHARES_LATE]), late)
    age_table = np.array(_JOB_AGE)
    spread = np.where(late == 1, 1.35, 1.0)
    age = np.rint(
        age_table[job, 0]
        + spread * age_table[job, 1] * random.gamma(9.0, 1 / 3.0, rows)
        - 3.0 * spread * age_table[job, 1]
    )
    age = np.clip(age, 17, 98).astype(np.intp)
    marital = _choice_by_row(random, np.array(_JOB_MARITAL), job)
    education = _choice_by_row(random, np.array(_JOB_EDUCATION), job)

    # Blue-collar workers and older people more often do not say whether they have defaulted.
    unknown_default = (
        _UNKNOWN_DEFAULT[month] * np.where(np.isin(job, (1, 3, 8, 11)), 1.35, 0.82) * np.clip(age / 40, 0.6, 1.5)
    )
    default = np.where(
        random.random(rows) < np.clip(unknown_default, 0, 0.9), 2, np.where(random.random(rows) < 0.00009, 1, 0)
    )
    # Housing and personal loans are unknown together.
    unknown_loans = random.random(rows) < 0.024
    housing = np.where(unknown_loans, 2, random.random(rows) < 0.537)
    loan = np.where(unknown_loans, 2, random.random(rows) < 0.155 + 0.02 * (housing == 1))

    contact = (random.random(rows) >= _CELLULAR[month]).astype(np.intp)
    day = economics.first_day[month] + (position * economics.day_count[month]).astype(np.intp)
    campaign = np.minimum(random.geometric(1 / _MEAN_CALLS[month]), 56).astype(np.intp)

    history = random.random(rows)
    new = _NEW_CLIENT[month]
    poutcome = np.where(history < new, 0, np.where(history < 1 - _SOLD_BEFORE[month], 1, 2)).astype(np.intp)
    more_calls = np.where(poutcome == 2, 0.36, 0.16) + np.where(late == 1, 0.10, 0.0)
    previous = np.where(poutcome == 0, 0, np.minimum(random.geometric(1 - more_calls), 7)).astype(np.intp)
    recent = (poutcome == 2) & (random.random(rows) < 0.95) | (poutcome == 1) & (random.random(rows) < 0.034)
    pdays_weight = np.array(_PDAYS_WEIGHT) / sum(_PDAYS_WEIGHT)
    pdays = np.where(
        recent, np.array(_PDAYS)[np.searchsorted(np.cumsum(pdays_weight)[:-1], random.random(rows))], 999
    ).astype(np.intp)
    return _Clients(
        age=age,
        job=job,
        marital=marital,
        education=education,
        default=default.astype(np.intp),
        housing=housing.astype(np.intp),
        loan=loan.astype(np.intp),
        contact=contact,
        day=day,
        campaign=campaign,
        pdays=pdays,
        previous=previous,
        poutcome=poutcome,
    )


def _log_odds(clients: _Clients, economics: _Economics, month: Codes) -> Floats:
    """Return the part of the log-odds of "yes" that differs within a month; shape (rows,)."""
    euribor = economics.euribor[clients.day]
    centre = np.array([(m.euribor_first + m.euribor_last) / 2 for m in CALL_MONTHS])[month]
    spread = np.array([max(abs(m.euribor_first - m.euribor_last) / 3.46, 0.01) for m in CALL_MONTHS])[month]
    score: Floats = (
        np.array(_JOB_EFFECT)[clients.job]
        + np.array(_EDUCATION_EFFECT)[clients.education]
        + np.array(_MARITAL_EFFECT)[clients.marital]
        + np.array(_DAY_EFFECT)[economics.day_of_week[clients.day]]
        + np.where(clients.contact == 0, _CELLULAR_EFFECT, 0.0)
        + np.where(clients.default == 2, _UNKNOWN_DEFAULT_EFFECT, 0.0)
        + np.array(_POUTCOME_EFFECT)[clients.poutcome]
        + np.where(clients.pdays < 999, 0.25, 0.0)
        + _CALLS_EFFECT * (np.minimum(clients.campaign, 15) - 1)
        + 0.9 * np.square(np.clip((clients.age - 41) / 25.0, -1.2, 1.6))  # the young and the old say yes more often
        + _EURIBOR_EFFECT * np.clip((euribor - centre) / spread, -2.0, 2.0)
    )
    return _EFFECT_SCALE * score


def _month_intercepts(economics: _Economics) -> Floats:
    """Return the log-odds of each month that give it the real file's share of "yes"; shape (26,).

    Newton's method finds them on a separate pilot sample, so that they depend on neither the seed
    nor the number of rows.
    """
    pilot_rows = 4000
    random = np.random.default_rng(0)
    month = np.repeat(np.arange(len(CALL_MONTHS)), pilot_rows)
    position = np.tile((np.arange(pilot_rows) + 0.5) / pilot_rows, len(CALL_MONTHS))
    score = _log_odds(_draw_clients(random, month, position, economics), economics, month).reshape(
        len(CALL_MONTHS), pilot_rows
    )
    target = np.array([m.yes_share for m in CALL_MONTHS])
    intercept: Floats = np.log(target / (1 - target)) - score.mean(axis=1)
    for _ in range(25):
        probability = 1 / (1 + np.exp(-(score + intercept[:, None])))
        slope = (probability * (1 - probability)).mean(axis=1)
        intercept -= np.clip((probability.mean(axis=1) - target) / slope, -1, 1)
    return intercept


class _Calls(NamedTuple):
    month: Codes
    clients: _Clients
    duration: Codes  # seconds
    label: Codes


def _chunks(rows: int, seed: int, economics: _Economics) -> Iterator[_Calls]:
    """Yield the calls in order of time, CHUNK_ROWS at once."""
    counts = rows_per_month(rows)
    ends = np.cumsum(counts)
    intercepts = _month_intercepts(economics)
    for index, start in enumerate(range(0, rows, CHUNK_ROWS)):
        random = np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(index,)))
        number = np.arange(start, min(start + CHUNK_ROWS, rows))
        month = np.searchsorted(ends, number, side="right")
        position = (number - (ends - counts)[month]) / counts[month]
        clients = _draw_clients(random, month, position, economics)
        log_odds = _log_odds(clients, economics, month) + intercepts[month]
        label = (random.random(number.size) < 1 / (1 + np.exp(-log_odds))).astype(np.intp)
        noise = random.standard_normal(number.size)
        sold = (
            _LOG_DURATION_YES[0]
            + _LOG_DURATION_BY_LOG_ODDS * np.clip(log_odds, -4.5, 1.0)
            + _LOG_DURATION_YES[1] * noise
        )
        log_duration = np.where(label == 1, sold, _LOG_DURATION_NO[0] + _LOG_DURATION_NO[1] * noise)
        yield _Calls(month, clients, np.clip(np.exp(log_duration).astype(np.intp), 0, 4918), label)


def _text_column(values: tuple[str, ...] | list[str], codes: Codes) -> pl.Series:
    """Return codes into distinct `values` as a categorical column, which stores each text once."""
    return pl.Series(values, dtype=pl.Enum(values)).gather(codes)


def _number_text(value: float) -> str:
    return f"{value:.10g}"


def _columns(
    calls: _Calls, economics: _Economics, text: Callable[[str], str], number: Callable[[str, Floats, Codes], pl.Series]
) -> dict[str, pl.Series]:
    """Return the 21 columns of the file.

    :param text: Spells a text value.
    :param number: Makes a column from its name, a table of numbers and codes into it.
    """
    clients = calls.clients

    def texts(values: tuple[str, ...], codes: Codes) -> pl.Series:
        return _text_column([text(value) for value in values], codes)

    month_names = np.array([MONTHS.index(m.abbreviation) for m in CALL_MONTHS])
    monthly = {
        "emp.var.rate": [m.employment_variation_rate for m in CALL_MONTHS],
        "cons.price.idx": [m.consumer_price_index for m in CALL_MONTHS],
        "cons.conf.idx": [m.consumer_confidence_index for m in CALL_MONTHS],
        "nr.employed": [m.employees for m in CALL_MONTHS],
    }
    columns = {
        "age": pl.Series(clients.age, dtype=pl.Int64),
        "job": texts(JOBS, clients.job),
        "marital": texts(MARITAL, clients.marital),
        "education": texts(EDUCATION, clients.education),
        "default": texts(YES_NO_UNKNOWN, clients.default),
        "housing": texts(YES_NO_UNKNOWN, clients.housing),
        "loan": texts(YES_NO_UNKNOWN, clients.loan),
        "contact": texts(CONTACTS, clients.contact),
        "month": texts(MONTHS, month_names[calls.month]),
        "day_of_week": texts(DAYS_OF_WEEK, economics.day_of_week[clients.day]),
        "duration": pl.Series(calls.duration, dtype=pl.Int64),
        "campaign": pl.Series(clients.campaign, dtype=pl.Int64),
        "pdays": pl.Series(clients.pdays, dtype=pl.Int64),
        "previous": pl.Series(clients.previous, dtype=pl.Int64),
        "poutcome": texts(POUTCOMES, clients.poutcome),
        "euribor3m": number("euribor3m", economics.euribor, clients.day),
        "y": texts(LABELS, calls.label),
    }
    columns |= {name: number(name, np.array(values), calls.month) for name, values in monthly.items()}
    return {name: columns[name] for name in COLUMNS}


def generate(rows: int = FULL_ROWS, seed: int = DEFAULT_SEED) -> pl.DataFrame:
    """Generate calls in order of time.

    :param rows: Number of calls.
    :param seed: The same seed and number of rows give the same frame.
    :returns: A polars frame of shape (`rows`, 21) with `tools.bank_marketing.COLUMNS` as integers,
        floats and strings.
    :raises ValueError: `rows` or `seed` is negative.
    """
    economics = _economics()

    def number(_: str, values: Floats, codes: Codes) -> pl.Series:
        return pl.Series(values[codes], dtype=pl.Float64)

    frames = [
        pl.DataFrame(_columns(calls, economics, str, number)).with_columns(pl.selectors.enum().cast(pl.String))
        for calls in _chunks(rows, _checked_seed(seed), economics)
    ]
    if not frames:
        return generate(1, seed).clear()
    return pl.concat(frames)


def _checked_seed(seed: int) -> int:
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or more.")
    return seed


def write_csv(path: str | os.PathLike[str], rows: int = FULL_ROWS, seed: int = DEFAULT_SEED) -> Path:
    """Write ``generate(rows, seed)`` in the original's format, completely or not at all.

    Fields are separated by ``;``, text and header are in double quotes. It writes chunk by chunk,
    so memory does not grow with the number of rows.

    :returns: The path.
    :raises ValueError: `rows` or `seed` is negative.
    :raises OSError: The file cannot be written.
    """
    target = Path(path)
    economics = _economics()
    positions: dict[str, tuple[list[str], Codes]] = {}

    def number(name: str, values: Floats, codes: Codes) -> pl.Series:
        if name not in positions:
            spelt = [_number_text(value) for value in values.tolist()]
            distinct = list(dict.fromkeys(spelt))
            place = {value: index for index, value in enumerate(distinct)}
            positions[name] = (distinct, np.array([place[value] for value in spelt]))
        distinct, place_of = positions[name]
        return _text_column(distinct, place_of[codes])

    def quoted(value: str) -> str:
        return f'"{value}"'

    chunks = _chunks(rows, _checked_seed(seed), economics) if rows else iter(())
    rows_per_month(rows)  # raises for a negative number before anything is written
    scratch = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with scratch.open("wb") as file:
            file.write((";".join(quoted(name) for name in COLUMNS) + "\n").encode())
            for calls in chunks:
                frame = pl.DataFrame(_columns(calls, economics, quoted, number))
                frame.write_csv(file, include_header=False, separator=";", quote_style="never")
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return target


def main(arguments: list[str] | None = None) -> int:
    """Write a sample file.

    :returns: The exit code: 0 written, 2 not.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.sample_data", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rows", type=int, default=FULL_ROWS, help="number of calls (default %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, help="the same seed gives the same file (default %(default)s)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to write the CSV file")
    options = parser.parse_args(arguments)
    try:
        write_csv(options.out, options.rows, options.seed)
    except (OSError, ValueError) as error:
        print(f"sample_data: cannot write {options.out}: {error}", file=sys.stderr)
        return 2
    print(f"sample_data: wrote {options.rows} invented rows (seed {options.seed}) to {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
