"""What an evaluation leaves: the page, the smoke test and the verdict."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import outputs
import plots
import report_page

from brewtrain.domain.evaluation import gate
from tests.fixtures.evaluation_run import PLOTS, PNG_SIGNATURE, SCHEMA, Run, read_json


def test_smoke_rows_are_the_scored_rows_themselves(run: Run, score: Any, tmp_path: Path) -> None:
    score("floor.auc=0.5")
    smoke = read_json(tmp_path / "output" / "smoke.json")
    assert len(smoke["rows"]) == len(smoke["scores"]) == outputs.SMOKE_ROWS
    assert smoke["scores"] == sorted(smoke["scores"])
    validation = run.features[run.validation].astype(np.float32)
    for text in smoke["rows"]:
        row = np.array([float(field or "nan") for field in text.split(",")], dtype=np.float32)
        assert (np.isclose(validation, row, rtol=0, atol=0, equal_nan=True).all(axis=1)).any(), text


def test_a_smoke_test_of_few_rows_leaves_out_empty_ones() -> None:
    features = np.array([[1.5, np.nan], [np.nan, np.nan], [0.1, 2.0]], dtype=np.float32)
    smoke = outputs.make_smoke_test(features, np.array([0.9, 0.5, 0.2]))
    assert smoke["rows"] == ["0.100000001,2", "1.5,"]
    assert smoke["scores"] == [0.2, 0.9]


def test_a_verdict_of_many_long_reasons_stays_small() -> None:
    document: dict[str, Any] = {
        "gate": {"outcome": "refuse", "red": False, "below_bounds": True, "reasons": ["ü" * 2000] * 40, "checks": []},
        "challenger": {"metrics": {name: {"value": 0.123456789012345} for name in gate.METRICS}},
        "champion": None,
        "baseline": {"majority_class_error": 0.1},
        "comparison": {"status": "absent"},
        "data": {"validation_rows": 10, "validation_positives": 5},
    }
    verdict = outputs.make_verdict(document)
    assert len(json.dumps(verdict)) <= 8192
    assert verdict["reasons"]


def test_feature_names_cannot_write_html(run: Run, score: Any, tmp_path: Path) -> None:
    hostile = ["<script>alert(1)</script>", "$x_{$", 'a"b', "ü" * 80, "%s"]
    summary = tmp_path / "split.json"
    summary.write_text(json.dumps({"features": hostile}))
    archive = str(run.folder / "champion" / "model.tar.gz")
    score(summary=str(summary), champion=archive)
    page = (tmp_path / "output" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    document = read_json(tmp_path / "output" / "evaluation.json")
    document["drift"] = {
        "reference_rows": 10,
        "features": [{"name": name, "psi": 0.1, "level": "moderate"} for name in hostile],
        "label": {"name": "(label)", "psi": 0.0, "level": "stable"},
    }
    document["feature_changes"]["changes"] = [
        {"name": name, "change": "gone", "became": True, "before": None, "now": None, "psi": None} for name in hostile
    ]
    jsonschema.validate(document, SCHEMA)
    assert plots.draw_drift(document).startswith(PNG_SIGNATURE)
    assert "<script" not in report_page.render_page(document, {})


def test_the_page_needs_no_other_file(run: Run, score: Any, tmp_path: Path) -> None:
    score("floor.auc=0.99", champion=str(run.folder / "champion" / "model.tar.gz"))
    opened, sources = [], []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found = dict(attrs)
            assert not {"href", "srcset"} & set(found)
            if "src" in found:
                sources.append(found["src"])
                assert found["alt"]
            if tag not in ("meta", "img", "br"):
                opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    page = (tmp_path / "output" / "report.html").read_text(encoding="utf-8")
    Reader().feed(page)
    assert opened == []
    assert len(sources) == len(PLOTS)
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "The gate refused the candidate." in page
