"""Pipeline files: what a valid one means, and the sentence that each mistake ends in."""

from __future__ import annotations

from datetime import date

import pytest

from brewtrain.domain.errors import PipelineFileError
from brewtrain.domain.names import Account
from brewtrain.domain.pipeline.file import Pipeline
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
    # What the file says, what the user wrote instead, the sentence.
    (
        "name: churn\n",
        "name: Churn-EU\n",
        "field 'name' is 'Churn-EU'; write lower case words joined by single '_', at most 24 characters",
    ),
    (
        "name: churn\n",
        "name: 12\n",
        "field 'name' is 12; write text: put it in quotes",
    ),
    (
        "name: churn\n",
        "name: yes\n",
        "field 'name' is true; YAML reads yes, no, on and off as true or false: put the word in quotes",
    ),
    (
        "name: churn\n",
        "name:\n",
        "field 'name' is empty; write a value, or remove the line if it has a default",
    ),
    (
        "name: churn\n",
        "",
        "field 'name' is missing; add it",
    ),
    (
        '"@daily"',
        '"@dayly"',
        "field 'schedule' is not a schedule; write one of @hourly, @daily, @weekly, @monthly or cron of "
        "five fields such as '0 4 * * *' (it says '@dayly')",
    ),
    (
        '"@daily"',
        '"0 4 * *"',
        "field 'schedule' is not a schedule; write one of @hourly, @daily, @weekly, @monthly or cron of "
        "five fields such as '0 4 * * *' (it says '0 4 * *')",
    ),
    (
        '"@daily"',
        '"99 4 * * *"',
        "field 'schedule' is not a schedule; write one of @hourly, @daily, @weekly, @monthly or cron of "
        "five fields such as '0 4 * * *' (it says '99 4 * * *')",
    ),
    (
        '"@daily"',
        '"0 4 31 2 *"',
        "field 'schedule' names a day that never comes; write one of @hourly, @daily, @weekly, @monthly "
        "or cron of five fields such as '0 4 * * *' (it says '0 4 31 2 *')",
    ),
    (
        '"@daily"',
        "12:30:00",
        "field 'schedule' is 45000; write text: put it in quotes",
    ),
    (
        '"@daily"',
        "on",
        "field 'schedule' is true; YAML reads yes, no, on and off as true or false: put the word in quotes",
    ),
    (
        "window_days: 30",
        "timezone: Europe/Berln",
        "field 'timezone' is not a time zone; write a name such as 'Europe/Berlin' or 'UTC'; did you mean "
        "'Europe/Berlin'? (it says 'Europe/Berln')",
    ),
    (
        "window_days: 30",
        "timezone: ../etc/passwd",
        "field 'timezone' is not a time zone; write a name such as 'Europe/Berlin' or 'UTC' (it says '../etc/passwd')",
    ),
    (
        "window_days: 30",
        "timezone: 2",
        "field 'timezone' is 2; write text: put it in quotes",
    ),
    (
        "source:\n",
        "source:\n  lag_days: -1\n",
        "field 'source.lag_days' is -1; write at least 0",
    ),
    (
        "source:\n",
        "source:\n  days: [mon, tuesday]\n",
        "field 'source.days[1]' is 'tuesday'; write 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or 'sun'",
    ),
    (
        "source:\n",
        "source:\n  days: []\n",
        "field 'source.days' is a list; write at least one",
    ),
    (
        "source:\n",
        "source:\n  days: [mon, mon]\n",
        "field 'source.days' names 'mon' twice; name each once",
    ),
    (
        "source:\n",
        "source:\n  wait: 6\n",
        "field 'source.wait' is 6; write a number and one of s, m, h, d, such as 30m, 6h or 2d",
    ),
    (
        "source:\n",
        "source:\n  wait: 8d\n",
        "field 'source.wait' is longer than a run may wait; write at most 7d (it says '8d')",
    ),
    (
        "source:\n",
        "source:\n  complete_when: marker\n",
        "field 'source.complete_when' is 'marker'; write any_file, or a condition below it such as 'marker: _SUCCESS'",
    ),
    (
        "source:\n",
        "source:\n  complete_when: {marker: DONE}\n",
        "field 'source.complete_when.marker' is not a marker's name; write one that begins with '_' or '.', which is "
        "no data, such as '_SUCCESS', or '.done' beside one file a day (it says 'DONE')",
    ),
    (
        "source:\n",
        "source:\n  complete_when: {minimum_bytes: 0}\n",
        "field 'source.complete_when.minimum_bytes' is 0; write at least 1",
    ),
    (
        "source:\n",
        "source:\n  complete_when: {unchanged_for: 10m}\n",
        "field 'source.complete_when' has an unchanged_for that is longer than source.wait; write a longer source.wait",
    ),
    (
        "source:\n",
        "source:\n  wait: 6h\n  complete_when: {unchanged_for: 2d}\n",
        "field 'source.complete_when.unchanged_for' is not a time to wait for changes; write more than 0s and at most "
        "1d (it says '2d')",
    ),
    (
        "2024-01-01",
        "tomorrow",
        "field 'start_date' is 'tomorrow'; write a day such as 2024-01-31",
    ),
    (
        "2024-01-01",
        "2024-01-01T10:00:00",
        "field 'start_date' is '2024-01-01 10:00:00'; write a day such as 2024-01-31",
    ),
    (
        "2024-01-01",
        "20240101",
        "field 'start_date' is '20240101'; write a day such as 2024-01-31",
    ),
    (
        "window_days: 30",
        "window_days: a month",
        "field 'window_days' is 'a month'; write a whole number, without quotes",
    ),
    (
        "window_days: 30",
        "window_days: true",
        "field 'window_days' is true; write a whole number, without quotes",
    ),
    (
        "window_days: 30",
        "window_days: 1.5",
        "field 'window_days' is 1.5; write a whole number, without quotes",
    ),
    (
        "window_days: 30",
        "window_days: 0",
        "field 'window_days' is 0; write at least 1",
    ),
    (
        "window_days: 30",
        "window_day: 30",
        "field 'window_day' is not known; did you mean 'window_days'?",
    ),
    (
        "window_days: 30",
        "colour: red",
        "field 'colour' is not known; known here: name, description, owner, schedule, timezone, "
        "start_date, bucket, kms_key, source, window_days, quality, recipe, label, split, transform, training, "
        "evaluation, gate, approval, endpoint, pool, retention, limits",
    ),
    (
        "window_days: 30",
        "on: 30",
        "key true is not known; YAML reads yes, no, on and off as true or false: put the name in quotes, or remove it",
    ),
    (
        "window_days: 30",
        "3: 30",
        "key 3 is not known; YAML reads it as another type than text: put the name in quotes, or remove it",
    ),
    (
        '";"',
        '"::"',
        "field 'source.delimiter' is '::'; write ',', ':', ';', '|', '\\t', '^', '\\\\' or ' '",
    ),
    (
        'delimiter: ";"',
        "format: jsonl",
        "field 'source.format' is 'jsonl'; write 'csv', 'json' or 'parquet'",
    ),
    (
        'delimiter: ";"',
        'delimiter: ";"\n  format: parquet',
        "field 'source' has 'delimiter', which only csv has, and its format is parquet; remove 'delimiter'",
    ),
    (
        'delimiter: ";"',
        "header: false\n  format: json",
        "field 'source' has 'header', which only csv has, and its format is json; remove 'header'",
    ),
    (
        'delimiter: ";"',
        'delimiter: ";"\n  header: false',
        "field 'source' has no header and names the column 'age'; DataBrew names the columns of such files Column_1, "
        "Column_2 and so on: write these in columns, and rename them in the recipe",
    ),
    (
        "dt={date}/",
        "{date}.parquet",
        "field 'source' has a path whose file '{date}.parquet' has the extension '.parquet' of a file in the format "
        "parquet, but source.format is csv; write 'format: parquet' in source, or give the files another extension",
    ),
    (
        "dt={date}/",
        "{date}.csv.zst",
        "field 'source' has a path whose file '{date}.csv.zst' ends with '.zst', and DataBrew reads CSV compressed as "
        ".gz, .snappy, .lz4, .bz2, .deflate only; use one of these",
    ),
    (
        "{date}/",
        "{day}/",
        "field 'source.path' has the unknown placeholder {day}; write {date}, {date:%Y%m%d} or {hour} (it "
        "says 's3://{bucket}/data/churn/dt={day}/')",
    ),
    (
        "dt={date}/",
        "dt={date}",
        "field 'source.path' must end with '/' for a prefix, or with the extension of a file, such as "
        "'.csv' (it says 's3://{bucket}/data/churn/dt={date}')",
    ),
    (
        "dt={date}/",
        "dt={date/",
        "field 'source.path' has unbalanced braces (expected '}' before end of string); only {bucket}, "
        "{date} and {hour} are allowed in braces (it says 's3://{bucket}/data/churn/dt={date/')",
    ),
    (
        "dt={date}/",
        "all/",
        "field 'source.path' must contain {date}, where the day of a partition stands, e.g. 'dt={date}/', "
        "or all of {date:%Y}, {date:%m} and {date:%d} (it says 's3://{bucket}/data/churn/all/')",
    ),
    (
        "churn/dt=",
        "../dt=",
        "field 'source.path' must not contain '..', '//', '%', '\\' or a folder '.': name the prefix "
        "plainly (it says 's3://{bucket}/data/../dt={date}/')",
    ),
    (
        "dt={date}",
        "dt={{date}}",
        "field 'source.path' has doubled braces; write {bucket} and {date} in single braces (it says "
        "'s3://{bucket}/data/churn/dt={{date}}/')",
    ),
    (
        "dt={date}",
        "<.*>/dt={date}",
        "field 'source.path' has a character that is not safe in an S3 key; write letters, digits and ! - "
        "_ . ' ( ) = + , @ (it says 's3://{bucket}/data/churn/<.*>/dt={date}/')",
    ),
    (
        "dt={date}",
        "my data/dt={date}",
        "field 'source.path' has a character that is not safe in an S3 key; write letters, digits and ! - "
        "_ . ' ( ) = + , @ (it says 's3://{bucket}/data/churn/my data/dt={date}/')",
    ),
    (
        "s3://{bucket}/",
        "s3://{bucket}-x/",
        "field 'source.path' does not name a valid bucket; write {bucket}, or the name of an S3 bucket "
        "(it says 's3://{bucket}-x/data/churn/dt={date}/')",
    ),
    (
        "s3://{bucket}/",
        "s3://UPPER/",
        "field 'source.path' does not name a valid bucket; write {bucket}, or the name of an S3 bucket "
        "(it says 's3://UPPER/data/churn/dt={date}/')",
    ),
    (
        "s3://{bucket}/",
        "/data/",
        "field 'source.path' is not an S3 prefix; write one such as 's3://{bucket}/data/NAME/dt={date}/' "
        "(it says '/data/data/churn/dt={date}/')",
    ),
    (
        "s3://{bucket}/",
        "s3://data-{date}/",
        "field 'source.path' has {date} in the bucket; partitions are prefixes inside one bucket (it says "
        "'s3://data-{date}/data/churn/dt={date}/')",
    ),
    (
        "[age, plan, y]",
        "[age, no, y]",
        "field 'source.columns[1]' is false; YAML reads yes, no, on and off as true or false: put the word in quotes",
    ),
    (
        "[age, plan, y]",
        "[age, 3, y]",
        "field 'source.columns[1]' is 3; write text: put it in quotes",
    ),
    (
        "[age, plan, y]",
        "[age, age, y]",
        "field 'source.columns' names 'age' twice; name each column once",
    ),
    (
        "[age, plan, y]",
        "age",
        "field 'source.columns' is 'age'; write a list, as [a, b] or one item per line after '- '",
    ),
    (
        "churn.json",
        "../churn.json",
        "field 'recipe' is not a plain file name; write only the file's name: recipes are in "
        "include/recipes/ (it says '../churn.json')",
    ),
    (
        "churn.json",
        "churn.yaml",
        "field 'recipe' must end with .json (it says 'churn.yaml')",
    ),
    (
        "label:\n  column: left",
        "label: left",
        "field 'label' is 'left'; write its fields below it, indented, as 'field: value'",
    ),
    (
        "fraction: 0.3",
        "fraction: 30",
        "field 'split.validation_fraction' is 30; write at most 0.5",
    ),
    (
        "fraction: 0.3",
        "fraction: 30%",
        "field 'split.validation_fraction' is '30%'; write a number, without quotes and unit",
    ),
    (
        "fraction: 0.3",
        "fraction: .nan",
        "field 'split.validation_fraction' is nan; write a finite number",
    ),
    (
        "ml.m5.xlarge",
        "m5.xlarge",
        "field 'training.instance_type' is 'm5.xlarge'; write a SageMaker instance type such as 'ml.m5.xlarge'",
    ),
    (
        '"1.7-1"',
        "1.7",
        "field 'training.image_version' is 1.7; write text: put it in quotes",
    ),
    (
        '"1.7-1"',
        '"latest"',
        "field 'training.image_version' is 'latest'; write a version of the built-in XGBoost image such as '1.7-1'",
    ),
    (
        "num_round: 100",
        "num_rounds: 100",
        "field 'training.hyperparameters' sets 'num_rounds', which XGBoost does not have; did you mean 'num_round'?",
    ),
    (
        "    num_round: 100\n",
        "",
        "field 'training.hyperparameters' has no num_round, the number of boosting rounds; add e.g. 'num_round: 100'",
    ),
    (
        "num_round: 100",
        "num_round: many",
        "field 'training.hyperparameters' sets num_round to 'many'; write a whole number of at least 1",
    ),
    (
        "num_round: 100",
        "num_round: 0",
        "field 'training.hyperparameters' sets num_round to 0; write a whole number of at least 1",
    ),
    (
        "eta: 0.1",
        "eta: true",
        "field 'training.hyperparameters' sets eta to True; write a number, or text in quotes",
    ),
    (
        "eta: 0.1",
        "eta: .inf",
        "field 'training.hyperparameters' sets eta to inf; write a finite number",
    ),
    (
        "eta: 0.1",
        "eta: [0.1]",
        "field 'training.hyperparameters' sets eta to [0.1]; write a number, or text in quotes",
    ),
    (
        "eta: 0.1",
        "eval_metric: auc",
        "field 'training.hyperparameters' sets eval_metric, which brewtrain sets to the metrics that it "
        "reads; remove it",
    ),
    (
        "eta: 0.1",
        "objective: reg:linear",
        "field 'training.hyperparameters' sets objective to 'reg:linear'; write 'binary:logistic', which "
        "the gate's metrics are for",
    ),
    (
        "validation:auc:",
        "auc:",
        "field 'gate.metrics' has the unknown metric 'auc'; write one of validation:auc, "
        "validation:aucpr, validation:error, validation:logloss, validation:brier, validation:ece, "
        "validation:lift_top_decile",
    ),
    (
        "{min: 0.70}",
        "0.7",
        "field 'gate.metrics.validation:auc' is 0.7; write its fields below it, indented, as 'field: value'",
    ),
    (
        "{min: 0.70}",
        "{max: 0.7}",
        "field 'gate.metrics' sets max for validation:auc, where higher is better; write 'min'",
    ),
    (
        "{min: 0.70}",
        "{}",
        "field 'gate.metrics.validation:auc' has no bound; write 'min' or 'max'",
    ),
    (
        "{min: 0.70}",
        "{minimum: 0.7}",
        "field 'gate.metrics.validation:auc.minimum' is not known; did you mean 'min'?",
    ),
    (
        "on_reject: skip",
        "on_reject: stop",
        "field 'gate.on_reject' is 'stop'; write 'skip', 'fail' or 'fail_below_bounds'",
    ),
    (
        "on_reject: skip",
        "on_reject: no",
        "field 'gate.on_reject' is false; YAML reads yes, no, on and off as true or false: put the word "
        "in quotes; write 'skip', 'fail' or 'fail_below_bounds'",
    ),
    (
        "  on_reject",
        "  minimum_rows: -1\n  on_reject",
        "field 'gate.minimum_rows' is -1; write at least 0",
    ),
    (
        "  on_reject",
        "  first_run: no\n  on_reject",
        "field 'gate.first_run' is false; YAML reads yes, no, on and off as true or false: put the word "
        "in quotes; write 'pass' or 'refuse'",
    ),
    (
        "  on_reject",
        "  champion: {auc: {max_drop: 0}}\n  on_reject",
        "field 'gate.champion' has the unknown metric 'auc'; write one of validation:auc, "
        "validation:aucpr, validation:error, validation:logloss, validation:brier, validation:ece, "
        "validation:lift_top_decile",
    ),
    (
        "  on_reject",
        "  champion: {validation:auc: {}}\n  on_reject",
        "field 'gate.champion.validation:auc.max_drop' is missing; add it",
    ),
    (
        "  on_reject",
        "  champion: {validation:auc: {max_drop: -1}}\n  on_reject",
        "field 'gate.champion.validation:auc.max_drop' is -1; write at least 0",
    ),
    (
        "  on_reject",
        "  champion: {validation:auc: {max_dorp: 1}}\n  on_reject",
        "field 'gate.champion.validation:auc.max_dorp' is not known; did you mean 'max_drop'?",
    ),
    (
        "  on_reject",
        "  champion_not_comparable: skip\n  on_reject",
        "field 'gate.champion_not_comparable' is 'skip'; write 'refuse' or 'ignore'",
    ),
    (
        "  on_reject",
        "  features: ignore\n  on_reject",
        "field 'gate.features' is 'ignore'; write 'refuse', 'refuse_all_null' or 'warn'",
    ),
    (
        "  on_reject",
        "  max_psi: 0\n  on_reject",
        "field 'gate.max_psi' is 0; write more than 0",
    ),
    (
        "{min: 0.70}",
        "{min: 0.7}\n    validation:ece: {min: 0.1}",
        "field 'gate.metrics' sets min for validation:ece, where lower is better; write 'max'",
    ),
    (
        "gate:",
        "approval: maybe\ngate:",
        "field 'approval' is 'maybe'; write 'none' or 'required'",
    ),
    (
        "gate:",
        "evaluation: {instance_type: big}\ngate:",
        "field 'evaluation.instance_type' is 'big'; write a SageMaker instance type such as 'ml.m5.xlarge'",
    ),
    (
        "endpoint:",
        "endpoint:\n  update: {traffic: slow}",
        "field 'endpoint.update.traffic' is 'slow'; write 'all_at_once', 'canary' or 'linear'",
    ),
    (
        "endpoint:",
        "endpoint:\n  update: {step_percent: 51}",
        "field 'endpoint.update.step_percent' is 51; write at most 50",
    ),
    (
        "endpoint:",
        "endpoint:\n  update: {traffic: linear, step_percent: 5}",
        "field 'endpoint.update' has linear steps of 5 %; SageMaker allows 'step_percent' 10 to 50",
    ),
    (
        "endpoint:",
        "endpoint:\n  update: {alarms: [a, a]}",
        "field 'endpoint.update.alarms' names 'a' twice; name each once",
    ),
    (
        "endpoint:",
        "endpoint:\n  update: {alarms: ['']}",
        "field 'endpoint.update.alarms[0]' is ''; write at least one character",
    ),
    (
        "endpoint:",
        "endpoint:\n  update: {alarms: a}",
        "field 'endpoint.update.alarms' is 'a'; write a list, as [a, b] or one item per line after '- '",
    ),
    (
        "endpoint:",
        "endpoint:\n  update: {traffic: linear}",
        "field 'endpoint.update' plans to wait 2700 s, but 'max_execution_seconds' is 1800, so every "
        "update would be rolled back; raise it, or wait less",
    ),
    (
        "endpoint:",
        "endpoint:\n  update: {traffic: canary}",
        "field 'endpoint' has 'instance_count' 1 and an update with traffic 'canary', which SageMaker "
        "refuses: at most half of the instances may be replaced first; write at least 2, or 'all_at_once'",
    ),
    (
        "endpoint:",
        "endpoint:\n  ready_minutes: 5\n  update: {termination_wait_seconds: 300}",
        "field 'endpoint' has 'ready_minutes' 5 and an update that plans to wait 300 s, so every update "
        "would count as stuck; raise 'ready_minutes', or wait less",
    ),
    (
        "churn-live",
        "churn_live",
        "field 'endpoint.name' is 'churn_live'; write letters, digits and '-', starting and ending with a "
        "letter or digit, at most 63 characters",
    ),
    (
        "instance_count: 1",
        "instance_count: 0",
        "field 'endpoint.instance_count' is 0; write at least 1",
    ),
    (
        "run_days: 90",
        "run_days: '90'",
        "field 'retention.run_days' is '90'; write a whole number, without quotes",
    ),
    (
        "retention:",
        "retension:",
        "field 'retension' is not known; did you mean 'retention'?",
    ),
    (
        "window_days: 30",
        'description: "a\\u200Bb"',
        "field 'description' contains the invisible character U+200B; remove it (it says 'a\\u200bb')",
    ),
    (
        "window_days: 30",
        "owner: ''",
        "field 'owner' is ''; write at least one character",
    ),
    (
        "window_days: 30",
        'owner: "a\\u202Eb"',
        "field 'owner' contains the invisible character U+202E; remove it (it says 'a\\u202eb')",
    ),
    (
        "window_days: 30",
        'owner: "a\\tb"',
        "field 'owner' contains the invisible character U+0009; remove it (it says 'a\\tb')",
    ),
    (
        "window_days: 30",
        "window_days: 2024-01-31",
        "field 'window_days' is the date 2024-01-31; write a whole number, without quotes",
    ),
    (
        "window_days: 30",
        "window_days: {a: 1}",
        "field 'window_days' is a mapping; write a whole number, without quotes",
    ),
    (
        "window_days: 30",
        "window_days: [1]",
        "field 'window_days' is a list; write a whole number, without quotes",
    ),
    (
        "window_days: 30",
        "window_days: 36501",
        "field 'window_days' is 36501; write at most 36500",
    ),
    (
        "window_days: 30",
        "bucket: My-Lake",
        "field 'bucket' is not a valid bucket name; write the name of an S3 bucket: lower case letters, "
        "digits, '.' and '-', 3 to 63 characters (it says 'My-Lake')",
    ),
    (
        "window_days: 30",
        "bucket: 192.168.0.1",
        "field 'bucket' is not a valid bucket name; write the name of an S3 bucket: lower case letters, "
        "digits, '.' and '-', 3 to 63 characters (it says '192.168.0.1')",
    ),
    (
        "window_days: 30",
        "bucket: a..b",
        "field 'bucket' is not a valid bucket name; write the name of an S3 bucket: lower case letters, "
        "digits, '.' and '-', 3 to 63 characters (it says 'a..b')",
    ),
    (
        "window_days: 30",
        "bucket: ab",
        "field 'bucket' is not a valid bucket name; write the name of an S3 bucket: lower case letters, "
        "digits, '.' and '-', 3 to 63 characters (it says 'ab')",
    ),
    (
        "window_days: 30",
        "kms_key: alias/mine",
        "field 'kms_key' is 'alias/mine'; write the ARN of a KMS key, arn:aws:kms:REGION:ACCOUNT:key/ID",
    ),
    (
        '"@daily"',
        "2024-01-31",
        "field 'schedule' is the date 2024-01-31; write text: put it in quotes",
    ),
    (
        "name: churn\n",
        "name: aaaaaaaaaaaaaaaaaaaaaaaaa\n",
        "field 'name' is 'aaaaaaaaaaaaaaaaaaaaaaaaa'; write lower case words joined by single '_', at "
        "most 24 characters",
    ),
    (
        "dt={date}/",
        "dt={date}}/",
        "field 'source.path' has doubled braces; write {bucket} and {date} in single braces (it says "
        "'s3://{bucket}/data/churn/dt={date}}/')",
    ),
    (
        "dt={date}/",
        "{bucket}/dt={date}/",
        "field 'source.path' has the unknown placeholder {bucket}; write {date}, {date:%Y%m%d} or {hour} "
        "(it says 's3://{bucket}/data/churn/{bucket}/dt={date}/')",
    ),
    (
        "dt={date}/",
        "dt={date}/%41/",
        "field 'source.path' must not contain '..', '//', '%', '\\' or a folder '.': name the prefix "
        "plainly (it says 's3://{bucket}/data/churn/dt={date}/%41/')",
    ),
    (
        "dt={date}/",
        "dt={date}/./",
        "field 'source.path' must not contain '..', '//', '%', '\\' or a folder '.': name the prefix "
        "plainly (it says 's3://{bucket}/data/churn/dt={date}/./')",
    ),
    (
        "dt={date}/",
        "dt={date}//",
        "field 'source.path' must not contain '..', '//', '%', '\\' or a folder '.': name the prefix "
        "plainly (it says 's3://{bucket}/data/churn/dt={date}//')",
    ),
    (
        "dt={date}/",
        "dt={date}\\/",
        "field 'source.path' must not contain '..', '//', '%', '\\' or a folder '.': name the prefix "
        "plainly (it says 's3://{bucket}/data/churn/dt={date}\\\\/')",
    ),
    (
        "s3://{bucket}/data",
        "s3://{bucket}//data",
        "field 'source.path' must not begin with '/' after the bucket: name the prefix plainly (it says "
        "'s3://{bucket}//data/churn/dt={date}/')",
    ),
    (
        "s3://{bucket}/data",
        "s3://{bucket}/brewtrain",
        "field 'source.path' is inside brewtrain/, where the pipelines keep their own files; store data "
        "elsewhere (it says 's3://{bucket}/brewtrain/churn/dt={date}/')",
    ),
    (
        "s3://{bucket}/data",
        "s3://my_lake/data",
        "field 'source.path' does not name a valid bucket; write {bucket}, or the name of an S3 bucket "
        "(it says 's3://my_lake/data/churn/dt={date}/')",
    ),
    (
        "churn.json",
        "a\\b.json",
        "field 'recipe' is not a plain file name; write only the file's name: recipes are in "
        "include/recipes/ (it says 'a\\\\b.json')",
    ),
    (
        "churn.json",
        ".churn.json",
        "field 'recipe' is not a plain file name; write only the file's name: recipes are in "
        "include/recipes/ (it says '.churn.json')",
    ),
    (
        "churn.json",
        "churn$.json",
        "field 'recipe' has a character that is not allowed in a recipe's file name; write letters, "
        "digits, '_', '-', '.' (it says 'churn$.json')",
    ),
    (
        "column: left",
        "column: -left",
        "field 'label.column' begins with '-', which Glue would read as an option; rename the column in "
        "the recipe (it says '-left')",
    ),
    (
        "column: left",
        "column: ''",
        "field 'label.column' is ''; write at least one character",
    ),
    (
        "fraction: 0.3",
        "fraction: 0.04",
        "field 'split.validation_fraction' is 0.04; write at least 0.05",
    ),
    (
        "  hyperparameters:\n    num_round: 100\n    eta: 0.1",
        "  hyperparameters: [eta]",
        "field 'training.hyperparameters' is not a mapping; write one hyperparameter per line, e.g. 'num_round: 100'",
    ),
    (
        "eta: 0.1",
        "1: 0.1",
        "field 'training.hyperparameters' has the name 1, which YAML does not read as text; put it in quotes",
    ),
    (
        "eta: 0.1",
        "yes: 0.1",
        "field 'training.hyperparameters' has the name True, which YAML does not read as text; put it in quotes",
    ),
    (
        "eta: 0.1",
        "e-ta: 0.1",
        "field 'training.hyperparameters' has the name 'e-ta'; write a name of letters, digits and '_'",
    ),
    (
        "eta: 0.1",
        "sagemaker_program: train.py",
        "field 'training.hyperparameters' sets sagemaker_program, which would run a script instead of the "
        "built-in algorithm; remove it",
    ),
    (
        "eta: 0.1",
        "eta: $(pwd)",
        "field 'training.hyperparameters' sets eta to '$(pwd)', which XGBoost does not accept; write a number or words",
    ),
    (
        "eta: 0.1",
        "updater: arn:aws:s3",
        "field 'training.hyperparameters' sets updater to 'arn:aws:s3', which XGBoost does not accept; "
        "write a number or words",
    ),
    (
        "eta: 0.1",
        "eta:",
        "field 'training.hyperparameters' sets eta to None; write a number, or text in quotes",
    ),
    (
        "eta: 0.1",
        "max_dept: 3",
        "field 'training.hyperparameters' sets 'max_dept', which XGBoost does not have; did you mean 'max_depth'?",
    ),
    (
        "num_round: 100",
        "num_round: 1000000000",
        "field 'training.hyperparameters' sets num_round to 1000000000; write a whole number of at least 1",
    ),
    (
        "num_round: 100",
        "num_round: 1.5",
        "field 'training.hyperparameters' sets num_round to 1.5; write a whole number of at least 1",
    ),
    (
        "num_round: 100",
        "num_round: -1",
        "field 'training.hyperparameters' sets num_round to -1; write a whole number of at least 1",
    ),
    (
        "{min: 0.70}",
        "{min: high}",
        "field 'gate.metrics.validation:auc.min' is 'high'; write a number, without quotes and unit",
    ),
    (
        "on_reject: skip",
        "better_than_majority: maybe",
        "field 'gate.better_than_majority' is 'maybe'; write true or false, without quotes",
    ),
    (
        "gate:\n  metrics:\n    validation:auc: {min: 0.70}",
        "gate:\n  metrics: {}",
        "field 'gate.metrics' is a mapping; write at least one",
    ),
    (
        "endpoint:",
        'endpoint:\n  update: {alarms: ["a\\u200Bb"]}',
        "field 'endpoint.update.alarms[0]' contains the invisible character U+200B; remove it (it says 'a\\u200bb')",
    ),
    (
        "endpoint:",
        "endpoint:\n  update: {termination_wait_seconds: 1800}",
        "field 'endpoint.update' plans to wait 1800 s, but 'max_execution_seconds' is 1800, so every "
        "update would be rolled back; raise it, or wait less",
    ),
    (
        "endpoint:",
        "endpoint:\n  update: {traffic: linear, step_percent: 9}",
        "field 'endpoint.update' has linear steps of 9 %; SageMaker allows 'step_percent' 10 to 50",
    ),
    (
        "endpoint:",
        "endpoint:\n  nam: x",
        "field 'endpoint.nam' is not known; did you mean 'name'?",
    ),
    (
        "retention:",
        "limits: {split_minutes: 0}\nretention:",
        "field 'limits.split_minutes' is 0; write at least 1",
    ),
    (
        "start_date: 2024-01-01",
        "start_date: 7",
        "field 'start_date' is '7'; write a day such as 2024-01-31",
    ),
    (
        "dt={date}/",
        "{date:%y%m%d}/",
        "field 'source.path' has '%y' in {date:%y%m%d}; write %Y, %m and %d there (it says "
        "'s3://{bucket}/data/churn/{date:%y%m%d}/')",
    ),
    (
        "dt={date}/",
        "{date:%Y}/{bucket}/",
        "field 'source.path' has the unknown placeholder {bucket}; write {date}, {date:%Y%m%d} or {hour} "
        "(it says 's3://{bucket}/data/churn/{date:%Y}/{bucket}/')",
    ),
    (
        "dt={date}/",
        "{date}/{hour:%M}/",
        "field 'source.path' has the unknown placeholder {hour:%M}; write {date}, {date:%Y%m%d} or {hour} "
        "(it says 's3://{bucket}/data/churn/{date}/{hour:%M}/')",
    ),
    (
        "s3://{bucket}/",
        "s3://data-{hour}/",
        "field 'source.path' has {hour} in the bucket; partitions are prefixes inside one bucket (it says "
        "'s3://data-{hour}/data/churn/dt={date}/')",
    ),
]


def case_of(right: str, wrong: str) -> str:
    """Name a mistake by what was written instead of what, without backslashes: ids double them."""
    return f"{' '.join(wrong.split()) or 'nothing'} instead of {' '.join(right.split())}".replace("\\", "(backslash)")


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"), MISTAKES, ids=[case_of(right, wrong) for right, wrong, _ in MISTAKES]
)
def test_a_mistake_ends_in_a_sentence(right: str, wrong: str, sentence: str) -> None:
    assert right in CHURN
    with pytest.raises(PipelineFileError) as caught:
        pipeline_of(CHURN.replace(right, wrong, 1))
    assert caught.value.source == CHURN_FILE
    assert caught.value.problems == [sentence]


def test_the_table_of_mistakes_is_whole() -> None:
    assert len(MISTAKES) == 164


def written(right: str, wrong: str) -> Pipeline:
    assert right in CHURN
    return pipeline_of(CHURN.replace(right, wrong, 1))


OPTION, PARTITION, ETA = "window_days: 30", "dt={date}/", "eta: 0.1"
# What a text stands for, the longest that is taken, and the sentence about one character more.
LONGEST: dict[str, tuple[str, str, int, str]] = {
    "a description": (
        OPTION,
        "description: {}",
        500,
        "field 'description' is {text!r}; write at most 500 characters",
    ),
    "an owner": (OPTION, "owner: {}", 100, "field 'owner' is {text!r}; write at most 100 characters"),
    "a pool": (OPTION, "pool: {}", 256, "field 'pool' is {text!r}; write at most 256 characters"),
    "a path": (
        PARTITION,
        "{}/dt={{date}}/",
        # 700 with "data/churn/" before it and "/dt=2024-01-31/" behind.
        674,
        "field 'source.path' has 701 characters; write at most 700 (it says "
        "'s3://{{bucket}}/data/churn/{text}/dt={{date}}/')",
    ),
    "a recipe": (
        "churn.json",
        "{}.json",
        195,
        "field 'recipe' has a character that is not allowed in a recipe's file name; write letters, digits, '_', '-', "
        "'.' (it says '{text}.json')",
    ),
    "a hyperparameter's name": (
        ETA,
        "{}: 0.1",
        256,
        "field 'training.hyperparameters' has the name {text!r}; write a name of letters, digits and '_'",
    ),
    "a hyperparameter's text": (
        ETA,
        "updater: {}",
        2500,
        "field 'training.hyperparameters' sets updater to a text of 2501 characters; SageMaker allows 2500",
    ),
}


@pytest.mark.parametrize(("right", "wrong", "longest", "sentence"), LONGEST.values(), ids=LONGEST)
def test_a_text_may_be_as_long_as_it_says_and_no_longer(right: str, wrong: str, longest: int, sentence: str) -> None:
    written(right, wrong.format("x" * longest))
    text = "x" * (longest + 1)
    with pytest.raises(PipelineFileError) as caught:
        written(right, wrong.format(text))
    assert caught.value.problems == [sentence.format(text=text)]


ACCEPTED: dict[str, tuple[str, str]] = {
    "a description of several lines": (OPTION, 'description: "first\\n\\tsecond"'),
    "a bucket of three characters": (OPTION, "bucket: a.b"),
    "a bucket that begins like an address": (OPTION, "bucket: 192.168.0.1.x"),
    "a key of KMS": (OPTION, "kms_key: arn:aws:kms:eu-central-1:123456789012:key/1234abcd"),
    "a key of KMS in China": (OPTION, "kms_key: arn:aws-cn:kms:cn-north-1:123456789012:key/1234abcd"),
    "a source in another bucket": ("s3://{bucket}/", "s3://my-lake/"),
    "a key that begins like brewtrain's": ("s3://{bucket}/data", "s3://{bucket}/brewtrains"),
    "the date within the key": (PARTITION, "dt={date}/part/"),
    "a recipe with a space": ("churn.json", "churn 2024.json"),
    "a hyperparameter that is newer": (ETA, "device: cuda"),
    "a list as text": (ETA, "interaction_constraints: '[[0, 1], [2]]'"),
    "the most rounds": ("num_round: 100", "num_round: 999999999"),
    "one round, as text": ("num_round: 100", "num_round: '1'"),
    "the objective that there is": (ETA, "objective: binary:logistic"),
    "a leap day": ('"@daily"', '"0 0 29 2 *"'),
    "the smallest fraction": ("fraction: 0.3", "fraction: 0.05"),
    "the largest fraction": ("fraction: 0.3", "fraction: 0.5"),
}


@pytest.mark.parametrize(("right", "accepted"), ACCEPTED.values(), ids=ACCEPTED)
def test_what_is_unusual_and_right_is_accepted(right: str, accepted: str) -> None:
    assert isinstance(written(right, accepted), Pipeline)


def test_a_misspelt_field_is_one_problem_and_not_two() -> None:
    with pytest.raises(PipelineFileError) as caught:
        pipeline_of(CHURN.replace("  column: left", "  colum: left"))
    assert caught.value.problems == ["field 'label.colum' is not known; did you mean 'column'?"]


def test_a_list_of_nothing_but_unknown_days_is_told_by_its_first() -> None:
    with pytest.raises(PipelineFileError) as caught:
        pipeline_of(CHURN.replace("source:\n", "source:\n  days: [monday]\n"))
    assert caught.value.problems[0] == (
        "field 'source.days[0]' is 'monday'; write 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or 'sun'"
    )


def test_every_problem_of_a_file_is_told_at_once() -> None:
    with pytest.raises(PipelineFileError) as caught:
        pipeline_of(CHURN.replace("window_days: 30", "window_days: 0").replace("run_days: 90", "run_days: 0"))
    assert len(caught.value.problems) == 2
    assert str(caught.value).count(CHURN_FILE) == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "is empty", id="nothing"),
        pytest.param("- 1", "is not a mapping", id="a list"),
        pytest.param("word", "is not a mapping", id="a word"),
    ],
)
def test_what_is_no_mapping_is_no_pipeline(text: str, problem: str) -> None:
    with pytest.raises(PipelineFileError) as caught:
        pipeline_of(text)
    assert caught.value.problems == [f"{problem}; start it with 'name: …' as the files in include/pipelines/ do"]
