"""The suites of `expectations/`, run on documents and on the whole warehouse. Great Expectations lives only here.

The library is imported only when a suite is run.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.archive import Document
from lightwell.errors import BuildError, DeclarationError
from lightwell.harmonise import Harmonised
from lightwell.quality.checks import Check, tell_few
from lightwell.quality.frame import make_frame
from lightwell.settings import resource
from lightwell.source import Source

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule of a suite found. `rows` are the numbers of the failing rows in the frame, in order."""

    rule: str
    severity: str
    explanation: str
    passed: bool
    rows: tuple[int, ...]
    observed: str  # what an expectation on the whole table saw; empty for one on rows


def expect(documents: Sequence[tuple[Harmonised, Document, Source]]) -> list[list[Outcome]]:
    """What the suites found in each document, with row numbers counted within the document."""
    origins = [(i, n) for i, (h, _, _) in enumerate(documents) for n in range(len(h.observations))]
    found: list[list[Outcome]] = [[] for _ in documents]
    if not origins:
        return found
    frame = make_frame(documents)
    everything = set(range(len(documents)))
    _share(_run("observation", frame, {}), origins, everything, found)
    for source_id in sorted({source.id for _, _, source in documents}):
        if (resource("expectations") / f"{source_id}.json").is_file():
            own = {i for i, (_, _, source) in enumerate(documents) if source.id == source_id}
            rows = [row for row, (i, _) in enumerate(origins) if i in own]
            if rows:
                _share(_run(source_id, frame.iloc[rows], {}), origins, own, found)
    return found


def _share(
    outcomes: Iterable[Outcome], origins: Sequence[tuple[int, int]], own: set[int], found: list[list[Outcome]]
) -> None:
    """Give each of the documents `own` its part of every outcome."""
    for outcome in outcomes:
        failing = [origins[row] for row in outcome.rows]
        if not outcome.passed and not failing:
            raise DeclarationError(f"expectations: {outcome.rule}: a rule for documents must be one on rows")
        for i in own:
            rows = tuple(n for document, n in failing if document == i)
            found[i].append(Outcome(outcome.rule, outcome.severity, outcome.explanation, not rows, rows, ""))


def release_columns() -> list[str]:
    """The columns of `observation` that the rules of `expectations/release.json` name, by themselves or in a
    condition."""
    suite = read_suite(resource("expectations") / "release.json")["expectations"]
    named = {v for e in suite for k, v in e["kwargs"].items() if k in ("column", "column_A", "column_B")}
    named |= {c for e in suite for c in e["kwargs"].get("column_list", [])}
    return sorted(named | {"observation_id", "obs_status", "unit_measure"})


def check_release(frame: "pd.DataFrame", previous_sources: set[str] | None) -> list[Check]:
    """Judge the built warehouse's table `observation`: one check a rule of `expectations/release.json`.

    `frame` has `release_columns` at least. `previous_sources` are the ids of the sources in the release that this one
    would replace; None where there is none. Raises BuildError where the table lacks a column that a rule names.
    """
    if missing := sorted(set(release_columns()) - set(frame.columns)):
        raise BuildError(f"the table to check has no column {', '.join(missing)}; expectations/release.json names them")
    numbered = frame.reset_index(drop=True).assign(row=range(len(frame)))
    outcomes = _run("release", numbered, {"previous_sources": sorted(previous_sources or ())})
    return [_found(outcome, numbered) for outcome in outcomes]


def _found(outcome: Outcome, frame: "pd.DataFrame") -> Check:
    """An outcome over the whole warehouse in words, with the rows that failed."""
    ids = tuple(str(frame["observation_id"].iloc[row]) for row in outcome.rows)
    told = outcome.observed or f"{len(frame):,} rows, none fails"
    if ids:
        told = f"{len(ids):,} of {len(frame):,} rows: {tell_few(ids)}"
    if not outcome.passed:
        told = f"{told}. {outcome.explanation}"
    return Check(outcome.rule, outcome.severity, outcome.passed, told, ids)


def _run(name: str, frame: "pd.DataFrame", parameters: Mapping[str, Any]) -> list[Outcome]:
    """Run one suite on a frame that has a column `row`; one outcome a rule, in the suite's order."""
    path = resource("expectations") / f"{name}.json"
    batch = _engine().get_batch(batch_parameters={"dataframe": frame})
    result = batch.validate(_suite(path), result_format="BOOLEAN_ONLY", expectation_parameters=dict(parameters))
    if not result.success:  # naming the rows takes twice the time, and is seldom needed
        rows = {"result_format": "COMPLETE", "unexpected_index_column_names": ["row"]}
        result = batch.validate(_suite(path), result_format=rows, expectation_parameters=dict(parameters))
    found = {one.expectation_config.meta["rule"]: _outcome(one) for one in result.results}
    rules = [expectation["meta"]["rule"] for expectation in read_suite(path)["expectations"]]
    if missing := [rule for rule in rules if rule not in found]:
        raise BuildError(f"expectations/{path.name}: Great Expectations gave no result for {', '.join(missing)}")
    return [found[rule] for rule in rules]


@cache
def read_suite(path: Path) -> Mapping[str, Any]:
    """A suite file as JSON. Raises DeclarationError where a rule lacks its id, explanation or severity."""
    try:
        suite: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise DeclarationError(f"expectations/{path.name} cannot be read: {error}") from None
    rules = [rule.get("meta", {}).get("rule") for rule in suite["expectations"]]
    for rule, expectation in zip(rules, suite["expectations"], strict=True):
        where = f"expectations/{path.name}: {rule or expectation['type']}"
        if not rule or not expectation["meta"].get("explanation") or rules.count(rule) > 1:
            raise DeclarationError(f"{where}: needs a meta.rule of its own and a meta.explanation")
        if expectation.get("severity") not in ("critical", "warning", "info"):
            raise DeclarationError(f"{where}: severity must be critical, warning or info")
    return suite


@cache
def _suite(path: Path) -> Any:
    import great_expectations as gx

    suite = read_suite(path)
    return gx.ExpectationSuite(name=suite["name"], expectations=list(suite["expectations"]), meta=suite["meta"])


@cache
def _engine() -> Any:
    """Great Expectations, once a process: nothing is sent, nothing is written, no bar is drawn."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("lightwell").add_dataframe_asset("observations")
    return asset.add_batch_definition_whole_dataframe("all")


def _outcome(result: Any) -> Outcome:
    meta, seen = result.expectation_config.meta, result.result or {}
    if not result.success and not seen.keys() & {"unexpected_index_list", "observed_value"}:
        raise BuildError(f"the rule {meta['rule']} could not be run: {result.exception_info}")
    return Outcome(
        rule=meta["rule"],
        severity=str(result.expectation_config.severity.value),
        explanation=meta["explanation"],
        passed=bool(result.success),
        rows=tuple(sorted(int(entry["row"]) for entry in seen.get("unexpected_index_list") or [])),
        observed=_seen(seen),
    )


def _seen(seen: Mapping[str, Any]) -> str:
    """What an expectation on the whole table saw, in words."""
    if absent := seen.get("partial_missing_list"):
        return f"not there: {tell_few(map(str, absent))}"
    return f"seen: {seen['observed_value']:,}" if isinstance(seen.get("observed_value"), int) else ""
