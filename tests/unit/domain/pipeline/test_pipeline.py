"""Pipeline files: what a valid one means, and the sentence that each mistake ends in."""

from __future__ import annotations

from datetime import date

import pytest

from brewtrain.domain.errors import PipelineFileError
from brewtrain.domain.names import Account
from brewtrain.domain.run.days import DataDays
from brewtrain.domain.run.interval import Schedule
from tests.fixtures.pipelines import CHURN, CHURN_FILE, pipeline_of


def test_a_valid_file_gives_every_field_its_type() -> None:
    pipeline = pipeline_of()
    assert pipeline.name == "churn"
    assert pipeline.start_date == date(2024, 1, 1)
    assert pipeline.source.columns == ("age", "plan", "y")
    assert pipeline.training.hyperparameters == {"num_round": 100, "eta": 0.1}
    assert pipeline.gate.metrics["validation:auc"].min == 0.7
    assert pipeline.limits.transform_minutes == 120


def test_a_quoted_date_is_a_date() -> None:
    assert pipeline_of(CHURN.replace("2024-01-01", '"2024-01-01"')).start_date == date(2024, 1, 1)


def test_the_endpoint_is_called_like_the_pipeline_unless_it_has_a_name() -> None:
    named_otherwise = CHURN.replace("name: churn\n", "name: churn_eu\n").replace("  name: churn-live\n", "")
    assert pipeline_of().endpoint_name == "churn-live"
    assert pipeline_of(named_otherwise).endpoint_name == "churn-eu"


def test_the_days_are_those_of_the_file() -> None:
    assert pipeline_of().data_days == DataDays(window_days=30, start_date=date(2024, 1, 1))
    fields = "timezone: Asia/Tokyo\nsource:\n  lag_days: 2\n  days: [mon, fri]"
    found = pipeline_of(CHURN.replace("source:", fields)).data_days
    assert (found.timezone, found.lag_days, found.weekdays) == ("Asia/Tokyo", 2, ("mon", "fri"))
    assert pipeline_of(CHURN.replace("source:", fields)).run_schedule == Schedule("0 0 * * *", "Asia/Tokyo")


def test_the_bucket_is_the_accounts_unless_the_file_names_one() -> None:
    account = Account("123456789012", "eu-central-1")
    pipeline = pipeline_of()
    assert pipeline.bucket_name(account) == "brewtrain-123456789012-eu-central-1"
    assert pipeline.source.bucket("fallback") == "fallback"
    assert pipeline.source.layout.prefix(date(2024, 2, 3)) == "data/churn/dt=2024-02-03/"
    assert pipeline_of(f"{CHURN}bucket: my-lake\n").bucket_name(account) == "my-lake"


@pytest.mark.parametrize(
    ("schedule", "cron"),
    [("@hourly", "0 * * * *"), ("@weekly", "0 0 * * 0"), ("30 4 * * mon-fri", "30 4 * * mon-fri")],
)
def test_a_schedule_becomes_cron(schedule: str, cron: str) -> None:
    assert pipeline_of(CHURN.replace("@daily", schedule)).cron == cron


MISTAKES = [
    # What the file says, what the user wrote instead, a part of the sentence.
    ("name: churn\n", "name: Churn-EU\n", "field 'name' is 'Churn-EU'; write lower case words joined by single '_'"),
    ("name: churn\n", "name: 12\n", "field 'name' is 12; write text: put it in quotes"),
    ("name: churn\n", "name: yes\n", "field 'name' is true; YAML reads yes, no, on and off as true or false"),
    ("name: churn\n", "name:\n", "field 'name' is empty; write a value"),
    ("name: churn\n", "", "field 'name' is missing; add it"),
    ('"@daily"', '"@dayly"', "field 'schedule' is not a schedule; write one of @hourly, @daily"),
    ('"@daily"', '"0 4 * *"', "field 'schedule' is not a schedule"),
    ('"@daily"', '"99 4 * * *"', "field 'schedule' is not a schedule"),
    ('"@daily"', '"0 4 31 2 *"', "field 'schedule' names a day that never comes"),
    ('"@daily"', "12:30:00", "field 'schedule' is 45000; write text: put it in quotes"),
    ('"@daily"', "on", "field 'schedule' is true; YAML reads yes, no, on and off"),
    (
        "window_days: 30",
        "timezone: Europe/Berln",
        "field 'timezone' is not a time zone; write a name such as 'Europe/Berlin' or 'UTC'; did you mean 'Europe/Berl",
    ),
    ("window_days: 30", "timezone: ../etc/passwd", "field 'timezone' is not a time zone; write a name such as"),
    ("window_days: 30", "timezone: 2", "field 'timezone' is 2; write text: put it in quotes"),
    ("source:\n", "source:\n  lag_days: -1\n", "field 'source.lag_days' is -1; write at least 0"),
    ("source:\n", "source:\n  days: [monday]\n", "field 'source.days[0]' is 'monday'; write 'mon', 'tue', 'wed'"),
    ("source:\n", "source:\n  days: []\n", "field 'source.days' is a list; write at least one"),
    ("source:\n", "source:\n  days: [mon, mon]\n", "field 'source.days' names 'mon' twice; name each once"),
    ("2024-01-01", "tomorrow", "field 'start_date' is 'tomorrow'; write a day such as 2024-01-31"),
    ("2024-01-01", "2024-01-01T10:00:00", "field 'start_date' is '2024-01-01 10:00:00'; write a day"),
    ("2024-01-01", "20240101", "field 'start_date' is '20240101'; write a day"),
    ("window_days: 30", "window_days: a month", "field 'window_days' is 'a month'; write a whole number"),
    ("window_days: 30", "window_days: true", "field 'window_days' is true; write a whole number"),
    ("window_days: 30", "window_days: 1.5", "field 'window_days' is 1.5; write a whole number"),
    ("window_days: 30", "window_days: 0", "field 'window_days' is 0; write at least 1"),
    ("window_days: 30", "window_day: 30", "field 'window_day' is not known; did you mean 'window_days'?"),
    ("window_days: 30", "colour: red", "field 'colour' is not known; known here: name, description, owner"),
    ("window_days: 30", "on: 30", "key true is not known; YAML reads yes, no, on and off as true or false"),
    ("window_days: 30", "3: 30", "key 3 is not known"),
    ('";"', '"::"', r"field 'source.delimiter' is '::'; write ',', ';', '|', '\t' or ' '"),
    (
        "{date}/",
        "{day}/",
        "field 'source.path' has the unknown placeholder {day}; write {date}, {date:%Y%m%d}",
    ),
    ("dt={date}/", "dt={date}", "field 'source.path' must end with '/' for a prefix, or with the extension of"),
    ("dt={date}/", "{date:%y%m%d}/", "field 'source.path' has '%y' in {date:%y%m%d}; write %Y, %m and %d there"),
    ("dt={date}/", "{date:%Y}/{bucket}/", "field 'source.path' has the unknown placeholder {bucket}; write {date}"),
    ("dt={date}/", "{date}/{hour:%M}/", "field 'source.path' has the unknown placeholder {hour:%M}; write {date}"),
    ("s3://{bucket}/", "s3://data-{hour}/", "field 'source.path' has {hour} in the bucket"),
    ("dt={date}/", "dt={date/", "field 'source.path' has unbalanced braces"),
    ("dt={date}/", "all/", "field 'source.path' must contain {date}, where the day of a partition stands"),
    ("churn/dt=", "../dt=", "field 'source.path' must not contain '..'"),
    ("dt={date}", "dt={{date}}", "field 'source.path' has doubled braces"),
    ("dt={date}", "<.*>/dt={date}", "field 'source.path' has a character that is not safe in an S3 key"),
    ("dt={date}", "my data/dt={date}", "field 'source.path' has a character that is not safe"),
    ("s3://{bucket}/", "s3://{bucket}-x/", "field 'source.path' does not name a valid bucket"),
    ("s3://{bucket}/", "s3://UPPER/", "field 'source.path' does not name a valid bucket"),
    ("s3://{bucket}/", "/data/", "field 'source.path' is not an S3 prefix"),
    ("s3://{bucket}/", "s3://data-{date}/", "field 'source.path' has {date} in the bucket"),
    ("[age, plan, y]", "[age, no, y]", "field 'source.columns[1]' is false; YAML reads yes, no, on and off"),
    ("[age, plan, y]", "[age, 3, y]", "field 'source.columns[1]' is 3; write text: put it in quotes"),
    ("[age, plan, y]", "[age, age, y]", "field 'source.columns' names 'age' twice"),
    ("[age, plan, y]", "age", "field 'source.columns' is 'age'; write a list"),
    ("churn.json", "../churn.json", "field 'recipe' is not a plain file name"),
    ("churn.json", "churn.yaml", "field 'recipe' must end with .json"),
    ("label:\n  column: left", "label: left", "field 'label' is 'left'; write its fields below it, indented"),
    ("fraction: 0.3", "fraction: 30", "field 'split.validation_fraction' is 30; write at most 0.5"),
    ("fraction: 0.3", "fraction: 30%", "field 'split.validation_fraction' is '30%'; write a number"),
    ("fraction: 0.3", "fraction: .nan", "field 'split.validation_fraction' is nan; write a finite number"),
    ("ml.m5.xlarge", "m5.xlarge", "field 'training.instance_type' is 'm5.xlarge'; write a SageMaker instance type"),
    ('"1.7-1"', "1.7", "field 'training.image_version' is 1.7; write text: put it in quotes"),
    ('"1.7-1"', '"latest"', "field 'training.image_version' is 'latest'; write a version"),
    ("num_round: 100", "num_rounds: 100", "sets 'num_rounds', which XGBoost does not have; did you mean 'num_round'?"),
    ("    num_round: 100\n", "", "field 'training.hyperparameters' has no num_round"),
    ("num_round: 100", "num_round: many", "sets num_round to 'many'; write a whole number of at least 1"),
    ("num_round: 100", "num_round: 0", "sets num_round to 0"),
    ("eta: 0.1", "eta: true", "sets eta to True; write a number"),
    ("eta: 0.1", "eta: .inf", "sets eta to inf; write a finite number"),
    ("eta: 0.1", "eta: [0.1]", "sets eta to [0.1]"),
    ("eta: 0.1", "eval_metric: auc", "sets eval_metric, which brewtrain sets"),
    ("eta: 0.1", "objective: reg:linear", "sets objective to 'reg:linear'"),
    ("validation:auc:", "auc:", "field 'gate.metrics' has the unknown metric 'auc'; write one of validation:auc"),
    ("{min: 0.70}", "0.7", "field 'gate.metrics.validation:auc' is 0.7; write its fields below it"),
    ("{min: 0.70}", "{max: 0.7}", "field 'gate.metrics' sets max for validation:auc"),
    ("{min: 0.70}", "{}", "field 'gate.metrics.validation:auc' has no bound; write 'min' or 'max'"),
    ("{min: 0.70}", "{minimum: 0.7}", "field 'gate.metrics.validation:auc.minimum' is not known; did you mean 'min'?"),
    (
        "on_reject: skip",
        "on_reject: stop",
        "field 'gate.on_reject' is 'stop'; write 'skip', 'fail' or 'fail_below_bounds'",
    ),
    ("on_reject: skip", "on_reject: no", "put the word in quotes; write 'skip', 'fail' or"),
    ("  on_reject", "  minimum_rows: -1\n  on_reject", "field 'gate.minimum_rows' is -1; write at least 0"),
    ("  on_reject", "  first_run: no\n  on_reject", "field 'gate.first_run' is false; YAML reads yes, no, on and off"),
    (
        "  on_reject",
        "  champion: {auc: {max_drop: 0}}\n  on_reject",
        "field 'gate.champion' has the unknown metric 'auc'",
    ),
    (
        "  on_reject",
        "  champion: {validation:auc: {}}\n  on_reject",
        "'gate.champion.validation:auc.max_drop' is missing",
    ),
    ("  on_reject", "  champion: {validation:auc: {max_drop: -1}}\n  on_reject", "max_drop' is -1; write at least 0"),
    ("  on_reject", "  champion: {validation:auc: {max_dorp: 1}}\n  on_reject", "did you mean 'max_drop'?"),
    ("  on_reject", "  champion_not_comparable: skip\n  on_reject", "write 'refuse' or 'ignore'"),
    (
        "{min: 0.70}",
        "{min: 0.7}\n    validation:ece: {min: 0.1}",
        "sets min for validation:ece, where lower is better",
    ),
    ("gate:", "approval: maybe\ngate:", "field 'approval' is 'maybe'; write 'none' or 'required'"),
    (
        "gate:",
        "evaluation: {instance_type: big}\ngate:",
        "field 'evaluation.instance_type' is 'big'; write a SageMaker",
    ),
    ("endpoint:", "endpoint:\n  update: {traffic: slow}", "'endpoint.update.traffic' is 'slow'; write 'all_at_once'"),
    ("endpoint:", "endpoint:\n  update: {step_percent: 51}", "'endpoint.update.step_percent' is 51; write at most 50"),
    ("endpoint:", "endpoint:\n  update: {traffic: linear, step_percent: 5}", "allows 'step_percent' 10 to 50"),
    ("endpoint:", "endpoint:\n  update: {alarms: [a, a]}", "'endpoint.update.alarms' names 'a' twice"),
    ("endpoint:", "endpoint:\n  update: {alarms: ['']}", "field 'endpoint.update.alarms[0]' is ''"),
    ("endpoint:", "endpoint:\n  update: {alarms: a}", "field 'endpoint.update.alarms' is 'a'; write a list"),
    ("endpoint:", "endpoint:\n  update: {traffic: linear}", "field 'endpoint.update' plans to wait 2700 s"),
    (
        "endpoint:",
        "endpoint:\n  update: {traffic: canary}",
        "field 'endpoint' has 'instance_count' 1 and an update with traffic 'canary', which SageMaker refuses",
    ),
    (
        "endpoint:",
        "endpoint:\n  ready_minutes: 5\n  update: {termination_wait_seconds: 300}",
        "field 'endpoint' has 'ready_minutes' 5 and an update that plans to wait 300 s",
    ),
    ("churn-live", "churn_live", "field 'endpoint.name' is 'churn_live'; write letters, digits and '-'"),
    ("instance_count: 1", "instance_count: 0", "field 'endpoint.instance_count' is 0; write at least 1"),
    ("run_days: 90", "run_days: '90'", "field 'retention.run_days' is '90'; write a whole number, without quotes"),
    ("retention:", "retension:", "field 'retension' is not known; did you mean 'retention'?"),
]


@pytest.mark.parametrize(("right", "wrong", "sentence"), MISTAKES, ids=[sentence for _, _, sentence in MISTAKES])
def test_a_mistake_ends_in_a_sentence(right: str, wrong: str, sentence: str) -> None:
    assert right in CHURN
    with pytest.raises(PipelineFileError) as caught:
        pipeline_of(CHURN.replace(right, wrong, 1))
    assert caught.value.source == CHURN_FILE
    assert any(sentence in problem for problem in caught.value.problems), caught.value.problems


def test_the_table_of_mistakes_is_whole() -> None:
    assert len(MISTAKES) == 98


def test_a_misspelt_field_is_one_problem_and_not_two() -> None:
    with pytest.raises(PipelineFileError) as caught:
        pipeline_of(CHURN.replace("  column: left", "  colum: left"))
    assert caught.value.problems == ["field 'label.colum' is not known; did you mean 'column'?"]


def test_every_problem_of_a_file_is_told_at_once() -> None:
    with pytest.raises(PipelineFileError) as caught:
        pipeline_of(CHURN.replace("window_days: 30", "window_days: 0").replace("run_days: 90", "run_days: 0"))
    assert len(caught.value.problems) == 2
    assert str(caught.value).count(CHURN_FILE) == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [("", "is empty; start it with"), ("- 1", "is not a mapping; start it with"), ("word", "is not a mapping")],
)
def test_what_is_no_mapping_is_no_pipeline(text: str, problem: str) -> None:
    with pytest.raises(PipelineFileError, match=problem):
        pipeline_of(text)
