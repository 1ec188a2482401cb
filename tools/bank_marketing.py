"""Facts about the UCI bank marketing data that give its rows a date.

The file has a month but neither year nor day. Its rows are in order of time, and each month of each
year has its own economic indicators, so the order or the indicators tell when a call was made.
`load_data` dates rows by them; `sample_data` generates rows that follow them.

Source: S. Moro, P. Cortez, P. Rita, Bank Marketing (bank-additional-full.csv), UCI
Machine Learning Repository, CC BY 4.0.

Must not import polars or boto3: this is only a table.
"""

from __future__ import annotations

import calendar
import datetime
from typing import NamedTuple

COLUMNS = (
    "age", "job", "marital", "education", "default", "housing", "loan", "contact", "month", "day_of_week", "duration",
    "campaign", "pdays", "previous", "poutcome", "emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m",
    "nr.employed", "y",
)  # fmt: skip
"""The 21 columns of the file, in its order."""

DELIMITER = ";"


class CallMonth(NamedTuple):
    """One month of the campaign.

    :ivar rows: Number of rows in the full file.
    :ivar employment_variation_rate: Percent, quarterly; like the next three, the same in all rows.
    :ivar consumer_price_index: Monthly.
    :ivar consumer_confidence_index: Monthly.
    :ivar employees: Thousands, quarterly.
    :ivar euribor_first: 3-month Euribor at the month's start, percent.
    :ivar euribor_last: The same at its end.
    :ivar yes_share: Share of the calls that sold a deposit.
    """

    year: int
    month: int
    rows: int
    employment_variation_rate: float
    consumer_price_index: float
    consumer_confidence_index: float
    employees: float
    euribor_first: float
    euribor_last: float
    yes_share: float

    @property
    def abbreviation(self) -> str:
        """The month's name in the file, e.g. ``may``."""
        return calendar.month_abbr[self.month].lower()

    @property
    def days(self) -> int:
        """Number of days in the month."""
        return calendar.monthrange(self.year, self.month)[1]

    def business_days(self) -> list[datetime.date]:
        """Return the month's Mondays to Fridays; there were no calls at weekends."""
        days = (datetime.date(self.year, self.month, day) for day in range(1, self.days + 1))
        return [day for day in days if day.weekday() < 5]


CALL_MONTHS = (
    CallMonth(2008, 5, 7763, 1.1, 93.994, -36.4, 5191.0, 4.857, 4.864, 0.033),
    CallMonth(2008, 6, 4374, 1.4, 94.465, -41.8, 5228.1, 4.864, 4.967, 0.045),
    CallMonth(2008, 7, 6685, 1.4, 93.918, -42.7, 5228.1, 4.968, 4.955, 0.065),
    CallMonth(2008, 8, 5175, 1.4, 93.444, -36.1, 5228.1, 4.970, 4.962, 0.050),
    CallMonth(2008, 10, 67, -0.1, 93.798, -40.4, 5195.8, 5.045, 4.794, 0.420),
    CallMonth(2008, 11, 3616, -0.1, 93.200, -42.0, 5195.8, 4.663, 3.853, 0.058),
    CallMonth(2008, 12, 10, -0.2, 92.756, -45.9, 5176.3, 3.563, 3.329, 0.300),
    CallMonth(2009, 3, 282, -1.8, 92.843, -50.0, 5099.1, 1.811, 1.510, 0.420),
    CallMonth(2009, 4, 2458, -1.8, 93.075, -47.1, 5099.1, 1.498, 1.365, 0.175),
    CallMonth(2009, 5, 5794, -1.8, 92.893, -46.2, 5099.1, 1.354, 1.244, 0.087),
    CallMonth(2009, 6, 715, -2.9, 92.963, -40.8, 5076.2, 1.281, 1.099, 0.330),
    CallMonth(2009, 7, 178, -2.9, 92.469, -33.6, 5076.2, 1.085, 0.914, 0.300),
    CallMonth(2009, 8, 770, -2.9, 92.201, -31.4, 5076.2, 0.884, 0.825, 0.360),
    CallMonth(2009, 9, 267, -3.4, 92.379, -29.8, 5017.5, 0.819, 0.741, 0.440),
    CallMonth(2009, 10, 447, -3.4, 92.431, -26.9, 5017.5, 0.754, 0.720, 0.400),
    CallMonth(2009, 11, 357, -3.4, 92.649, -30.1, 5017.5, 0.722, 0.714, 0.420),
    CallMonth(2009, 12, 172, -3.0, 92.713, -33.0, 5023.5, 0.721, 0.700, 0.500),
    CallMonth(2010, 3, 264, -1.8, 93.369, -34.8, 5008.7, 0.655, 0.635, 0.600),
    CallMonth(2010, 4, 174, -1.8, 93.749, -34.6, 5008.7, 0.640, 0.659, 0.626),
    CallMonth(2010, 5, 212, -1.8, 93.876, -40.0, 5008.7, 0.668, 0.699, 0.594),
    CallMonth(2010, 6, 229, -1.7, 94.055, -39.8, 4991.6, 0.702, 0.767, 0.550),
    CallMonth(2010, 7, 311, -1.7, 94.215, -40.3, 4991.6, 0.782, 0.896, 0.518),
    CallMonth(2010, 8, 233, -1.7, 94.027, -38.3, 4991.6, 0.905, 0.898, 0.510),
    CallMonth(2010, 9, 303, -1.1, 94.199, -37.5, 4963.6, 0.876, 0.886, 0.459),
    CallMonth(2010, 10, 204, -1.1, 94.601, -49.5, 4963.6, 0.942, 1.043, 0.530),
    CallMonth(2010, 11, 128, -1.1, 94.767, -50.8, 4963.6, 1.050, 1.028, 0.440),
)
"""May 2008 to November 2010, in the order of the file."""

FULL_ROWS = sum(month.rows for month in CALL_MONTHS)
"""Rows of bank-additional-full.csv: 41,188."""

NEWEST_DATE = datetime.date(CALL_MONTHS[-1].year, CALL_MONTHS[-1].month, CALL_MONTHS[-1].days)
"""The newest date in the data: 2010-11-30."""
