"""Which model a promotion deploys: its params, the best of a backfill, and what is refused.

Pure: result documents come in as mappings. Must not import Airflow or boto3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, cast

from brewtrain.domain import names
from brewtrain.domain.errors import InputError
from brewtrain.domain.evaluation.metrics import METRICS, Metric, higher_is_better, short_name

BEST_OF_BACKFILL = "best_of_backfill"
# What Airflow checks params with. A plain $ would let a line break at the end pass.
BACKFILL_PATTERN = r"^[A-Za-z0-9]([._-]?[A-Za-z0-9]){0,63}(?!\n)$"
DATE_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?!\n)$"
PromotionPolicy = Literal["newest", "always"]
POLICIES: tuple[PromotionPolicy, ...] = ("newest", "always")
# A model that the gate refused, or whose scores differ from the evaluated ones.
_REFUSED = {
    "quality_gate": "the gate refused it",
    "serving_skew": "it served other scores than the evaluation measured",
}


@dataclass(frozen=True)
class Request:
    """The params of a promotion, checked.

    :param run_id: Run that is asked for; ``None`` for the others.
    :param version: Version of the model package that is asked for; ``None`` for the others.
    :param backfill: Only runs of the backfill that was labelled so; ``None``: see
        :func:`of_backfill`.
    :param from_date: Earliest data date of a backfilled run.
    :param to_date: Latest data date of a backfilled run.
    :param metric: By which the best is chosen.
    """

    run_id: str | None = None
    version: int | None = None
    backfill: str | None = None
    from_date: date | None = None
    to_date: date | None = None
    metric: Metric = "validation:auc"
    deploy_policy: PromotionPolicy = "newest"
    even_if_refused: bool = False

    @property
    def best_of_backfill(self) -> bool:
        """Whether the best of a backfill is asked for."""
        return self.run_id is None and self.version is None


def candidate_pattern(pipeline: str) -> str:
    """Return the pattern of the param ``candidate``: exactly what :func:`read_request` accepts.

    :param pipeline: Name of the pipeline.
    """
    run_id = rf"{names.slug(pipeline)}-[0-9]{{8}}T[0-9]{{4}}-g[0-9]{{1,6}}(f[0-9a-f]{{4}})?"
    return rf"^({BEST_OF_BACKFILL}|[1-9][0-9]{{0,8}}|{run_id})(?!\n)$"


def read_request(params: Mapping[str, Any], *, pipeline: str) -> Request:
    """Check the params of a promotion.

    :param params: As Airflow hands them over, whatever they hold.
    :param pipeline: Name of the pipeline.
    :raises InputError: If one of them is not what it may be; says which and what to write.
    """
    candidate = params.get("candidate", BEST_OF_BACKFILL)
    run_id, version = None, None
    if isinstance(candidate, int) and not isinstance(candidate, bool):
        candidate = str(candidate)
    if not isinstance(candidate, str):
        raise InputError(f"param candidate is {candidate!r}; {_candidates(pipeline)}")
    if not re.fullmatch(candidate_pattern(pipeline), candidate):
        raise InputError(f"param candidate is {candidate!r}; {_candidates(pipeline)}")
    if candidate.isdecimal():
        version = int(candidate)
    elif candidate != BEST_OF_BACKFILL:
        run_id = candidate
    request = Request(
        run_id=run_id,
        version=version,
        backfill=_text(params, "backfill", BACKFILL_PATTERN, "the label that the backfill's runs were given"),
        from_date=_day(params, "from_date"),
        to_date=_day(params, "to_date"),
        metric=cast("Metric", _choice(params, "metric", METRICS, "validation:auc")),
        deploy_policy=cast("PromotionPolicy", _choice(params, "deploy_policy", POLICIES, "newest")),
        even_if_refused=_flag(params, "even_if_refused"),
    )
    if request.from_date and request.to_date and request.from_date > request.to_date:
        raise InputError(f"param from_date ({request.from_date}) is after to_date ({request.to_date}); swap them")
    return request


def _candidates(pipeline: str) -> str:
    return (
        f"write a run's id such as {names.slug(pipeline)}-20240131T0000-g0, the number of a model package version, or "
        f"{BEST_OF_BACKFILL}"
    )


def _text(params: Mapping[str, Any], name: str, pattern: str, what: str) -> str | None:
    value = params.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise InputError(f"param {name} is {value!r}; write {what}, or leave it empty")
    return value


def _day(params: Mapping[str, Any], name: str) -> date | None:
    text = _text(params, name, DATE_PATTERN, "a day such as 2024-01-31")
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"param {name} is {text!r}, which is not a day; write one such as 2024-01-31") from None


def _choice(params: Mapping[str, Any], name: str, known: Sequence[str], default: str) -> str:
    value = params.get(name, default)
    if value not in known:
        raise InputError(f"param {name} is {value!r}; write one of {', '.join(known)}")
    return str(value)


def _flag(params: Mapping[str, Any], name: str) -> bool:
    value = params.get(name, False)
    if not isinstance(value, bool):
        raise InputError(f"param {name} is {value!r}; write true or false")
    return value


def of_backfill(results: Iterable[Mapping[str, Any]], request: Request) -> list[Mapping[str, Any]]:
    """Return the results that belong to the backfill that is asked for, by data date.

    A task is not told which backfill its run belongs to. So a label tells (the conf of the
    backfill, ``{"backfill": "…"}``, which every run of it records), and where none is asked for,
    the newest run tells which: its label's runs, or, of a backfill without a label, all backfilled
    runs without one. The dates narrow it down. Of several runs of a data date the newest counts.

    :param results: Result documents of the pipeline's runs.
    """
    backfilled = [one for one in results if one.get("run_type") == "backfill" and _usable(one)]
    label = request.backfill
    if label is None and backfilled:
        label = max(backfilled, key=_recorded).get("backfill")
    newest: dict[str, Mapping[str, Any]] = {}
    for result in sorted(backfilled, key=_recorded):
        day = str(result["data_date"])
        if result.get("backfill") != label:
            continue
        if request.from_date and day < request.from_date.isoformat():
            continue
        if request.to_date and day > request.to_date.isoformat():
            continue
        newest[day] = result
    return [newest[day] for day in sorted(newest)]


def _usable(result: Mapping[str, Any]) -> bool:
    return isinstance(result.get("data_date"), str) and isinstance(result.get("metrics"), Mapping)


def _recorded(result: Mapping[str, Any]) -> tuple[str, str]:
    return str(result.get("recorded_at") or result.get("stopped_at") or ""), str(result.get("run_id"))


def best_of(results: Sequence[Mapping[str, Any]], request: Request, *, pipeline: str) -> Mapping[str, Any]:
    """Return the best of a backfill; of equals the one with the newest data.

    :param results: From :func:`of_backfill`.
    :raises InputError: If none may be promoted; names what was found.
    """
    if not results:
        label = f" labelled {request.backfill!r}" if request.backfill else ""
        dates = f" from {request.from_date or 'the first'} to {request.to_date or 'the last'} data date"
        raise InputError(
            f"no backfilled run of {pipeline}{label}{dates} has been recorded; run a backfill of {pipeline}__retrain, "
            "or name a run as candidate"
        )
    sign = 1 if higher_is_better(request.metric) else -1
    measured = [
        (sign * float(result["metrics"][request.metric]), str(result["data_date"]), result)
        for result in results
        if _number(result["metrics"].get(request.metric)) and (request.even_if_refused or refusal(result) is None)
    ]
    if not measured:
        raise InputError(
            f"none of the {len(results)} backfilled runs of {pipeline} passed the gate with a {request.metric}; name a "
            "run as candidate, choose another metric, or set even_if_refused"
        )
    return max(measured, key=lambda one: one[:2])[2]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def refusal(result: Mapping[str, Any]) -> str | None:
    """Say why a run's model may not be promoted without ``even_if_refused``; ``None`` if it may.

    :param result: The run's result document.
    """
    reason = str(result.get("reason"))
    return _REFUSED.get(reason)


def subject(*, pipeline: str, endpoint: str, run_id: str, data_date: str) -> str:
    """Return the headline of the question whether a candidate may be deployed."""
    return f"{pipeline}: deploy the model of {data_date} (run {run_id}) to endpoint {endpoint}?"


def body(
    result: Mapping[str, Any], *, serving: str, report: str | None, deploy_policy: str, note: str | None = None
) -> str:
    """Return what a person needs to answer that question, in Markdown.

    :param result: The candidate's result document.
    :param serving: One phrase: what serves now.
    :param report: Address of the evaluation's page.
    :param note: A sentence that must not be missed.
    """
    found = result.get("evaluation")
    evaluation: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    champion = {short_name(str(name)): value for name, value in (evaluation.get("champion_metrics") or {}).items()}
    lines = [f"**{note}**", ""] if note else []
    lines += [
        f"- run: `{result.get('run_id')}`, data up to **{result.get('data_date')}**",
        f"- serving now: {serving}",
        f"- outcome of its run: {result.get('outcome')} ({result.get('reason')}): {_line(result.get('message'))}",
        f"- deploy_policy: {deploy_policy}"
        + (
            " (not deployed if something newer serves by then)"
            if deploy_policy == "newest"
            else " (even if a newer model serves)"
        ),
        f"- evaluation: {report or 'none'}",
        "",
        "| metric | candidate | champion then | better is |",
        "|---|---:|---:|---|",
    ]
    for name, value in sorted((result.get("metrics") or {}).items()):
        other = champion.get(short_name(name))
        direction = "higher" if higher_is_better(name) else "lower"
        lines.append(f"| {name} | {_shown(value)} | {_shown(other)} | {direction} |")
    for reason in evaluation.get("reasons") or ():
        lines.append(f"\n- gate: {_line(reason)}")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    return f"{value:.4f}" if _number(value) else "–"


def _line(value: Any) -> str:
    return " ".join(str(value if value is not None else "").split())
