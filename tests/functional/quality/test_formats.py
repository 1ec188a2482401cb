"""Data is validated and counted in every format and layout that a pipeline file may name."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import polars
import pytest

from brewtrain.domain.errors import RetrainingFailedError
from tests.fixtures.quality_runs import QualityRun
from tests.functional.quality.conftest import make_pipeline

NewRun = Callable[..., QualityRun]
AGES = (30, 999, 40)


def parquet() -> bytes:
    out = io.BytesIO()
    polars.DataFrame({"age": AGES, "job": ["admin"] * 3, "y": ["no"] * 3}).write_parquet(out)
    return out.getvalue()


CSV = "".join(f"{age};admin;no\n" for age in AGES).encode()
JSON = "".join(json.dumps({"age": age, "job": "admin", "y": "no"}) + "\n" for age in AGES).encode()


@dataclass(frozen=True)
class Delivery:
    """A way to deliver three rows, the second of which is bad.

    :param name: The file's name.
    :param body: Its content.
    :param source: Fields of ``source``.
    :param below: Path of the day, after the pipeline's prefix.
    :param column: Name of the column with the ages.
    """

    name: str
    body: bytes
    source: dict[str, Any] = field(default_factory=dict)
    below: str = "dt={date}/"
    column: str = "age"


DELIVERIES = {
    "csv": Delivery("a.csv", b"age;job;y\n" + CSV),
    "csv-gzip": Delivery("a.csv.gz", gzip.compress(b"age;job;y\n" + CSV)),
    "csv-without-header": Delivery("a.csv", CSV, {"header": False, "columns": []}, column="Column_1"),
    "json": Delivery("a.json", JSON, {"format": "json", "delimiter": ","}),
    "json-gzip": Delivery("a.json.gz", gzip.compress(JSON), {"format": "json", "delimiter": ","}),
    "parquet": Delivery("a.parquet", parquet(), {"format": "parquet", "delimiter": ","}),
    "a-file-a-day": Delivery("", b"age;job;y\n" + CSV, below="{date:%Y%m%d}.csv"),
    "hours": Delivery("a.csv", b"age;job;y\n" + CSV, below="{date}/{hour}/"),
    "parts-of-a-date": Delivery(
        "a.csv", b"age;job;y\n" + CSV, below="year={date:%Y}/month={date:%m}/day={date:%d}/"
    ),
}  # fmt: skip


@pytest.mark.parametrize("delivery", DELIVERIES.values(), ids=DELIVERIES)
def test_a_bad_row_is_found_and_shown(
    new_run: NewRun, delivery: Delivery, capfd: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    first = new_run()
    name = f"of_{request.node.callspec.id.replace('-', '_')}"
    source = {"path": f"s3://{{bucket}}/data/{name}/{delivery.below}", "delimiter": ";", "columns": ["age", "job", "y"]}
    quality = {"rules": [{"between": {delivery.column: [17, 98]}}], "row_count": {"min": 4, "on_fail": "warn"}}
    pipeline = make_pipeline(first.pipeline.name, source={**source, **delivery.source}, quality=quality)
    run = QualityRun(first.account, first.interval.end.date(), pipeline=pipeline)
    key = pipeline.source.layout.object_key(run.day, delivery.name)
    run.account.client("s3").put_object(Bucket=run.account.bucket, Key=key, Body=delivery.body)
    assert run.check_input()["quality"]["warned"] == ["row_count"]
    run.prepare()
    with pytest.raises(RetrainingFailedError):
        run.validate()
    assert "1 of 3 rows fail (33.3%)" in run.card
    logged = "".join(capfd.readouterr())
    assert ("'999' in row 2 of" in logged) == (pipeline.source.format != "parquet")


def test_so_many_deliveries_are_tried() -> None:
    assert len(DELIVERIES) == 9
