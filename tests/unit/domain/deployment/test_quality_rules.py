"""A deployment says which quality rules are new, gone or different."""

from __future__ import annotations

from brewtrain.domain.deployment.quality_rules import described, differences, document
from tests.fixtures.pipelines import pipeline_of
from tests.fixtures.quality import pipeline_with_quality

BEFORE = pipeline_with_quality("rules:\n- between: {age: [17, 98]}\n- not_null: plan\nrow_count: {drop_max: 50%}")


def test_a_change_is_a_phrase_for_each_rule() -> None:
    after = pipeline_with_quality("rules:\n- between: {age: [17, 99]}\n- unique: id\n  on_fail: warn\nof: window")
    assert differences(after, document(BEFORE)) == [
        "age between: age must be between 17 and 98 (block) → age must be between 17 and 99 (block)",
        "days that are checked: new_days → window",
        "id unique: none → id must not repeat a value (warn)",
        "plan not_null: plan must not be missing (block) → none",
        "row_count: drop_max 50, on_fail block → none",
    ]


def test_the_same_rules_are_no_change() -> None:
    assert differences(BEFORE, document(BEFORE)) == []
    assert differences(pipeline_of(), None) == []


def test_rules_that_are_gone_altogether_are_told() -> None:
    found = differences(pipeline_of(), document(BEFORE))
    assert len(found) == len(described(BEFORE)) == 4
    assert all(phrase.endswith("→ none") for phrase in found)


def test_a_document_that_cannot_be_read_has_no_rules() -> None:
    assert len(differences(BEFORE, "text")) == 4
