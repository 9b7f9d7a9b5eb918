"""Expectations, reconciliation, verdict and report: each rule with the figure that breaks it."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lightwell import codes, quality
from lightwell.archive import Document
from lightwell.errors import BuildError, DeclarationError
from lightwell.harmonise import Harmonised, Observation, Quarantined
from lightwell.quality import Check, Verdict, expectations
from lightwell.settings import resource
from lightwell.source import Source
from lightwell.tables import Figure, Locator

SHA = "ab" * 32
COUNTRIES = ["Albania", "Brazil", "Chad", "Denmark", "Estonia"]
AREAS = ["ALB", "BRA", "TCD", "DNK", "EST"]


def make_source(source_id: str = "sample_counts", **changes: Any) -> Source:
    """A source with one list table, `counts`, whose parts stand under the label `name`."""
    declared: dict[str, Any] = {
        "id": source_id,
        "title": "Sample counts",
        "publisher": "sample",
        "reporter": "sample",
        "description": "Reports by name.",
        "landing_page": "https://example.org/counts",
        "licence": "none",
        "cadence": "annual",
        "hosts": ["example.org"],
        "media_type": "application/pdf",
        "layouts": [
            {"tables": [{"name": "counts", "kind": "list", "label": "name", "header": "Name", "columns": {"n": "N"}}]}
        ],
        "observe": [
            {
                "table": "counts",
                "metric": "cybertip_reports",
                "time_period": {"label": "year"},
                "totals": {"name": "Totals?:?"},
            }
        ],
        "reconcile": [{"table": "counts", "across": "name"}],
    }
    return Source.model_validate(declared | changes)


def make_document(source_id: str = "sample_counts", **changes: Any) -> Document:
    document = Document(
        document_id=SHA,
        source_id=source_id,
        url="https://example.org/counts-2022.pdf",
        title="2022 counts",
        published_on=date(2023, 5, 1),
        published_basis="document",
        retrieved_at=datetime(2023, 6, 1, 12, tzinfo=UTC),
        media_type="application/pdf",
        bytes=1000,
        licence="none",
        method="fetched",
    )
    return replace(document, **changes)


def observe(number: int, name: str, text: str, value: float | None, **changes: Any) -> Observation:
    """A sound observation: `name text` of 2022, the `number`th of its document."""
    labels = {"year": "2022", "name": name, "column": "Reports"} | changes.pop("labels", {})
    figure = Figure(changes.pop("table", "counts"), labels, text, Locator(page=1, box=(1.0, 2.0, 3.0, 4.0)))
    total = name.lower().startswith("total")
    observation = Observation(
        observation_id=f"{number:016x}",
        series_id=f"{number + 1000:016x}",
        source_id="sample_counts",
        document_id=SHA,
        reporter="sample",
        subject="_T",
        metric="cybertip_reports",
        harm="_T",
        ref_area="_T" if total else AREAS[number % len(AREAS)],
        dimensions={},
        freq="A",
        time_period="2022",
        period_start=date(2022, 1, 1),
        period_end=date(2022, 12, 31),
        obs_value=value,
        value_low=None,
        value_high=None,
        comparator="=",
        unit_measure="reports",
        obs_status="A" if value is not None else "O",
        is_total=total,
        obs_text=text,
        label_text=name,
        locator=str(figure.locator),
        extractor_version="0123456789ab",
        figure=figure,
    )
    return replace(observation, **changes)


def make_table(*numbers: int | None, total: int | None = None, **changes: Any) -> list[Observation]:
    """Parts named after COUNTRIES, "-" for None, and the printed total (their sum unless given)."""
    rows = [
        observe(i, COUNTRIES[i % 5], "-" if n is None else f"{n:,}", None if n is None else float(n), **changes)
        for i, n in enumerate(numbers)
    ]
    printed = sum(n or 0 for n in numbers) if total is None else total
    return [*rows, observe(99, "Total", f"{printed:,}", float(printed), **changes)]


def harmonised(observations: list[Observation], *quarantined: Quarantined) -> Harmonised:
    return Harmonised(observations, list(quarantined), {})


def unknown_row(**changes: Any) -> Quarantined:
    row = Quarantined(
        source_id="sample_counts",
        document_id=SHA,
        scope="row",
        reason="no area is called 'Atlantis'",
        table="counts",
        label_text="Atlantis",
        obs_text="12",
    )
    return replace(row, **changes)


def failed(verdict: Verdict) -> set[str]:
    return {check.name for check in verdict.checks if not check.passed}


# ---- each rule with the observation that breaks it

BROKEN: dict[str, Callable[[Observation], Observation]] = {
    "observation_id_well_formed": lambda o: replace(o, observation_id="XYZ"),
    "observation_id_unique": lambda o: replace(o, observation_id=f"{1:016x}"),
    "series_id_well_formed": lambda o: replace(o, series_id=None),
    "series_and_period_unique": lambda o: replace(o, series_id=f"{1001:016x}"),
    "series_and_period_agree": lambda o: replace(o, series_id=f"{1001:016x}"),
    "belongs_to_its_document": lambda o: replace(o, document_id="cd" * 32),
    "reporter_is_a_code": lambda o: replace(o, reporter="NCMEC"),
    "subject_is_a_code": lambda o: replace(o, subject=None),
    "metric_is_a_code": lambda o: replace(o, metric="reports sent"),
    "harm_is_a_code": lambda o: replace(o, harm="_X"),
    "ref_area_is_a_code": lambda o: replace(o, ref_area="Eretria"),
    "dimensions_are_named": lambda o: replace(o, dimensions={"kind": ""}),
    "freq_known": lambda o: replace(o, freq="W"),
    "time_period_fits_freq": lambda o: replace(o, time_period="2022-S1"),
    "period_starts_in_its_year": lambda o: replace(o, time_period="2021"),
    "period_ends_after_it_starts": lambda o: replace(o, period_end=date(2021, 12, 31)),
    "period_not_in_the_future": lambda o: replace(
        o, time_period="2030", period_start=date(2030, 1, 1), period_end=date(2030, 12, 31), obs_status="P"
    ),
    "period_is_over": lambda o: replace(
        o, time_period="2023", period_start=date(2023, 1, 1), period_end=date(2023, 12, 31)
    ),
    "obs_status_known": lambda o: replace(o, obs_status="Z"),
    "missing_has_no_value": lambda o: replace(o, obs_status="Q"),
    "value_present": lambda o: replace(o, obs_value=None),
    "count_not_negative": lambda o: replace(o, obs_value=-3.0, obs_text="(3)"),
    "count_is_whole": lambda o: replace(o, obs_value=3.5, obs_text="3.5"),
    "value_held_exactly": lambda o: replace(o, obs_value=2.0**53 + 2, obs_text="two numbers run together"),
    "ratio_within_0_and_1": lambda o: replace(o, unit_measure="ratio", obs_value=1.5, obs_text="1.5"),
    "percent_within_0_and_100": lambda o: replace(o, unit_measure="percent", obs_value=101.0, obs_text="101%"),
    "value_equals_printed_text": lambda o: replace(o, obs_value=30.0, obs_text="3,000"),
    "comparator_known": lambda o: replace(o, comparator="≈"),
    "value_not_below_its_low_bound": lambda o: replace(o, value_low=4.0),
    "value_not_above_its_high_bound": lambda o: replace(o, value_high=2.0),
    "bounds_in_order": lambda o: replace(o, obs_value=None, obs_status="Q", value_low=9.0, value_high=1.0),
    "unit_measure_is_a_code": lambda o: replace(o, unit_measure=None),
    "obs_text_present": lambda o: replace(o, obs_text=" "),
    "label_text_present": lambda o: replace(o, label_text=""),
    "locator_well_formed": lambda o: replace(o, locator="somewhere"),
    "extractor_version_present": lambda o: replace(o, extractor_version=""),
}
NCMEC_BROKEN: dict[tuple[str, str], Callable[[Observation], Observation]] = {
    ("ncmec_by_country", "ncmec_area_known"): lambda o: replace(o, ref_area="_Z"),
    ("ncmec_by_country", "ncmec_counts_reports"): lambda o: replace(o, unit_measure="files"),
    ("ncmec_by_country", "area_total_is_marked"): lambda o: replace(o, ref_area="_T"),
    ("ncmec_by_country", "country_count_plausible"): lambda o: replace(o, obs_value=2e8, obs_text="200,000,000"),
    ("ncmec_by_esp", "no_area_by_provider"): lambda o: replace(o, ref_area="USA"),
    ("ncmec_by_esp", "ncmec_counts_reports"): lambda o: replace(o, unit_measure="files"),
    ("ncmec_by_esp", "provider_named"): lambda o: replace(o, subject="esp"),
    ("ncmec_by_esp", "provider_count_plausible"): lambda o: replace(o, obs_value=2e8, obs_text="200,000,000"),
}


def ncmec(source_id: str, broken: Callable[[Observation], Observation] | None = None) -> list[Observation]:
    """A sound table of an NCMEC source, or one whose first part is broken."""
    fields: dict[str, Any] = {"source_id": source_id}
    rows = make_table(3, 4, 5, **fields)
    if source_id == "ncmec_by_esp":
        rows = [replace(o, ref_area="_T", subject="esp" if o.is_total else "facebook") for o in rows]
    return [broken(rows[0]) if broken else rows[0], *rows[1:]]


@pytest.fixture(scope="module")
def verdicts() -> dict[object, Verdict]:
    """All of BROKEN and NCMEC_BROKEN, and the sound tables, judged in one run."""
    cases: dict[object, tuple[Harmonised, Document, Source]] = {}
    sound = make_table(3, 4, 5)
    sources = {
        name: make_source(name, quarantined_rows=1, reconcile=[]) for name in ("ncmec_by_country", "ncmec_by_esp")
    }
    plain = make_source(quarantined_rows=1, reconcile=[])
    for rule, broken in BROKEN.items():
        cases[rule] = (harmonised([broken(sound[0]), *sound[1:]]), make_document(), plain)
    for (source_id, rule), broken in NCMEC_BROKEN.items():
        rows = ncmec(source_id, broken)
        cases[source_id, rule] = (harmonised(rows), make_document(source_id), sources[source_id])
    for source_id, source in sources.items():
        cases[source_id] = (harmonised(ncmec(source_id)), make_document(source_id), source)
    cases["sound"] = (harmonised(sound), make_document(), make_source())
    return dict(zip(cases, quality.check_all(list(cases.values())), strict=True))


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_observation_fails_its_rule_and_is_quarantined(verdicts: dict[object, Verdict], rule: str) -> None:
    verdict = verdicts[rule]
    assert rule in failed(verdict)
    broken = BROKEN[rule](make_table(3, 4, 5)[0])
    assert broken.observation_id in verdict.rejected_ids
    [row] = [q for q in verdict.quarantined if q.label_text == broken.label_text and q.obs_text == broken.obs_text]
    assert (row.scope, row.table, row.observation_id) == ("row", "counts", broken.observation_id)
    assert rule in row.reason
    assert row.expectation in failed(verdict)


@pytest.mark.parametrize(("source_id", "rule"), NCMEC_BROKEN)
def test_a_source_has_bounds_of_its_own(verdicts: dict[object, Verdict], source_id: str, rule: str) -> None:
    verdict = verdicts[source_id, rule]
    assert failed(verdict) == {rule}
    assert [q.expectation for q in verdict.quarantined] == [rule]
    assert verdict.released  # one row in quarantine is within this source's bound
    assert verdict.rejected_ids == {f"{0:016x}"}


@pytest.mark.parametrize("case", ["sound", "ncmec_by_country", "ncmec_by_esp"])
def test_a_sound_document_passes_every_rule(verdicts: dict[object, Verdict], case: str) -> None:
    verdict = verdicts[case]
    assert (failed(verdict), verdict.quarantined, verdict.released) == (set(), [], True)
    assert verdict.rejected_ids == frozenset()
    names = [check.name for check in verdict.checks]
    assert set(BROKEN) <= set(names)
    assert {rule for source_id, rule in NCMEC_BROKEN if source_id == case} <= set(names)


def test_every_rule_of_the_documents_suites_has_a_test_that_breaks_it() -> None:
    assert rules_of("observation") == set(BROKEN)
    for source_id in ("ncmec_by_country", "ncmec_by_esp"):
        assert rules_of(source_id) == {rule for s, rule in NCMEC_BROKEN if s == source_id}


def rules_of(suite: str) -> set[str]:
    text = (resource("expectations") / f"{suite}.json").read_text(encoding="utf-8")
    return {expectation["meta"]["rule"] for expectation in json.loads(text)["expectations"]}


# ---- the verdict


def test_a_failing_row_quarantines_a_document_of_a_source_that_allows_none() -> None:
    rows = make_table(3, 4, 5)
    rows[0] = replace(rows[0], obs_value=-3.0, obs_text="(3)")
    verdict = quality.check(harmonised(rows), make_document(), make_source(reconcile=[]))
    assert not verdict.released
    assert verdict.rejected_ids == {o.observation_id for o in rows}
    row, document = verdict.quarantined
    assert (row.scope, row.expectation) == ("row", "count_not_negative")
    assert (document.scope, document.expectation) == ("document", "quarantined_rows_within_bound")
    assert "Albania '(3)'" in document.reason
    assert "1 rows in quarantine, 0 allowed" in document.reason


def test_a_failing_row_leaves_a_sum_that_cannot_be_proven() -> None:
    rows = make_table(3, 4, 5)
    rows[1] = replace(rows[1], series_id=rows[0].series_id)
    verdict = quality.check(harmonised(rows), make_document(), make_source(quarantined_rows=5))
    assert not verdict.released
    assert [q.expectation for q in verdict.quarantined if q.scope == "row"] == ["series_and_period_unique"] * 2
    assert "cannot be proven: Albania '3', Brazil '4'" in verdict.quarantined[-1].reason


def test_rows_within_the_bound_are_kept_back_and_the_rest_released() -> None:
    source = make_source(quarantined_rows=1, reconcile=[])
    within = quality.check(harmonised(make_table(1), unknown_row()), make_document(), source)
    assert (within.released, within.quarantined, within.rejected_ids) == (True, [unknown_row()], frozenset())
    verdict = quality.check(harmonised(make_table(1), unknown_row(), unknown_row()), make_document(), source)
    assert not verdict.released
    assert "no area is called 'Atlantis'" in verdict.quarantined[-1].reason


def test_a_document_without_rows_is_quarantined() -> None:
    verdict = quality.check(harmonised([]), make_document(), make_source())
    assert not verdict.released
    assert "no rows" in verdict.quarantined[0].reason


def test_a_document_or_table_of_which_nothing_is_left_says_why_the_first_row_is_held_back() -> None:
    lost = harmonised([], unknown_row(), unknown_row(reason="another reason"))
    verdict = quality.check(lost, make_document(), make_source(quarantined_rows=5))
    for said in ("no rows", "left to add up"):
        (observed,) = [check.observed for check in verdict.checks if said in check.observed]
        assert observed.endswith("; the first held back is Atlantis '12': no area is called 'Atlantis'"), observed


def test_a_document_that_could_not_be_read_stays_in_quarantine_under_its_own_reason() -> None:
    unread = Quarantined("sample_counts", SHA, "document", "page 2: no header like the layout's")
    verdict = quality.check(harmonised([], unread), make_document(), make_source())
    assert (verdict.released, verdict.quarantined) == (False, [unread])


def test_documents_judged_together_do_not_mix() -> None:
    sound, broken = make_table(3, 4, 5), make_table(3, 4, 5)
    broken[2] = replace(broken[2], comparator="?")
    other = "cd" * 32
    broken = [replace(o, document_id=other) for o in broken]
    first, second, third = quality.check_all(
        [
            (harmonised(sound), make_document(), make_source()),
            (harmonised([]), make_document(), make_source()),
            (harmonised(broken), make_document(document_id=other), make_source(quarantined_rows=1, reconcile=[])),
        ]
    )
    assert first.released
    assert "document_has_rows" in failed(second)
    assert third.rejected_ids == {f"{2:016x}"}
    assert quality.check_all([]) == []


def test_a_value_that_is_no_number_is_refused() -> None:
    for value in (float("nan"), float("inf")):
        rows = make_table(3, 4, 5)
        rows[0] = replace(rows[0], obs_value=value, obs_text="?")
        verdict = quality.check(harmonised(rows), make_document(), make_source())
        assert rows[0].observation_id in {q.observation_id for q in verdict.quarantined}
        assert not verdict.released


# ---- reconciliation


def one(checks: list[Check]) -> Check:
    assert [check.name for check in checks] == [quality.SUM]
    return checks[0]


def test_the_printed_total_is_met_exactly() -> None:
    check = one(quality.reconcile(make_table(12_000_000, 20_059_029), make_source()))
    assert check.passed
    assert check.observed == "counts 2022, Reports: 2 parts add up to 32,059,029, the printed total is 32,059,029"
    assert check.observation_ids == ()


@pytest.mark.parametrize(("off", "words"), [(1, "(1 short)"), (-1, "(1 too many)")])
def test_one_lost_report_in_thirty_two_million_fails(off: int, words: str) -> None:
    rows = make_table(12_000_000, 20_059_029, total=32_059_029 + off)
    verdict = quality.check(harmonised(rows), make_document(), make_source())
    assert not verdict.released
    assert verdict.quarantined[0].scope == "document"
    assert verdict.quarantined[0].expectation == quality.SUM
    assert verdict.quarantined[0].reason == (
        f"counts 2022, Reports: 2 parts add up to 32,059,029, the printed total is {32_059_029 + off:,} {words}"
    )
    assert one([c for c in verdict.checks if not c.passed]).observation_ids == tuple(o.observation_id for o in rows)


def test_a_sum_that_is_refused_alone_leaves_the_document_and_counts_against_the_bound() -> None:
    rows = make_table(3, 4, total=8)
    rule = [{"table": "counts", "across": "name", "refuse": "sum"}]
    verdict = quality.check(harmonised(rows), make_document(), make_source(reconcile=rule, quarantined_rows=3))
    assert verdict.released
    assert verdict.rejected_ids == {o.observation_id for o in rows}
    assert {(q.scope, q.expectation) for q in verdict.quarantined} == {("row", quality.SUM)}
    assert verdict.quarantined[0].reason.startswith("counts 2022, Reports: 2 parts add up to 7, the printed total is 8")
    strict = quality.check(harmonised(rows), make_document(), make_source(reconcile=rule, quarantined_rows=2))
    assert not strict.released


def test_a_table_that_need_not_be_there_needs_no_sum() -> None:
    table = {"name": "counts", "kind": "list", "label": "name", "header": "Name", "columns": {"n": "N"}}
    optional = make_source(layouts=[{"tables": [{**table, "required": False}]}])
    assert one(quality.reconcile([], optional)).passed
    assert not one(quality.reconcile([], make_source())).passed


def test_decimals_add_up_without_float_error() -> None:
    rows = [observe(i, COUNTRIES[i], "0.1", 0.1) for i in range(3)] + [observe(9, "Total", "0.3", 0.3)]
    assert sum(o.obs_value or 0 for o in rows[:3]) != 0.3
    assert one(quality.reconcile(rows, make_source())).passed


def test_figures_printed_as_a_dash_are_absent_and_named() -> None:
    check = one(quality.reconcile(make_table(3, None, 5, None), make_source()))
    assert check.passed
    assert check.observed.endswith(
        "2 parts add up to 8, the printed total is 8; printed without a number: Brazil, Denmark"
    )


def test_a_total_without_a_number_proves_nothing() -> None:
    total = observe(9, "Total", "-", None)
    check = one(quality.reconcile([observe(0, "Chad", "3", 3.0), total], make_source()))
    assert not check.passed
    assert "printed without a number" in check.observed
    assert one(quality.reconcile([observe(0, "Chad", "-", None), total], make_source())).passed


def test_percentages_are_not_added_up() -> None:
    shares = [
        observe(i + 20, COUNTRIES[i], "40%", 40.0, unit_measure="percent", metric="share", labels={"column": "Share"})
        for i in range(3)
    ]
    assert one(quality.reconcile(make_table(3, 4, 5) + shares, make_source())).passed
    lost = unknown_row(obs_text="40%")
    assert one(quality.reconcile(make_table(3, 4, 5), make_source(), [lost])).passed


def test_each_year_and_column_has_a_sum_of_its_own() -> None:
    older = [
        replace(o, figure=replace(o.figure, labels=dict(o.figure.labels) | {"year": "2021"})) for o in make_table(1, 2)
    ]
    older[0] = replace(older[0], obs_value=2.0)
    good, bad = quality.reconcile(make_table(3, 4, 5) + older, make_source())
    assert (good.passed, bad.passed) == (True, False)
    assert bad.observed.startswith("counts 2021, Reports: 2 parts add up to 4, the printed total is 3 (1 too many)")


def test_metrics_are_added_apart() -> None:
    files = make_table(7, 8, metric="files")
    checks = quality.reconcile(make_table(3, 4) + files, make_source())
    assert [check.passed for check in checks] == [True, True]
    assert checks[1].observed.startswith("counts 2022, Reports (files): 2 parts add up to 15")


def test_subtotals_are_added_by_rules_of_their_own() -> None:
    def row(number: int, name: str, value: int) -> Observation:
        return observe(number, name, str(value), float(value), is_total="total" in name.lower())

    source = make_source(
        observe=[{"table": "counts", "metric": "m", "time_period": "2022", "totals": {"name": ".*total.*"}}],
        reconcile=[
            {"table": "counts", "across": "name", "parts": "a[12]", "total": "a, subtotal"},
            {"table": "counts", "across": "name", "parts": "b[12]", "total": "b, subtotal"},
            {"table": "counts", "across": "name", "parts": "[ab], subtotal", "total": "total"},
        ],
    )
    rows = [("a1", 1), ("a2", 2), ("a, subtotal", 3), ("b1", 3), ("b2", 4), ("b, subtotal", 7), ("Total", 10)]
    checks = quality.reconcile([row(i, *r) for i, r in enumerate(rows)], source)
    assert [c.passed for c in checks] == [True] * 3
    assert checks[2].observed == "counts 2022, Reports, Total: 2 parts add up to 10, the printed total is 10"
    rows[3] = ("b1", 4)
    assert [c.passed for c in quality.reconcile([row(i, *r) for i, r in enumerate(rows)], source)] == [
        True,
        False,
        True,
    ]
    only_total = make_source(
        observe=source.observe, reconcile=[{"table": "counts", "across": "name", "total": "total"}]
    )
    rows[3] = ("b1", 3)
    assert one(quality.reconcile([row(i, *r) for i, r in enumerate(rows)], only_total)).passed  # subtotals are no parts


def test_a_total_printed_twice_or_not_at_all_fails() -> None:
    rows = make_table(3, 4, 5)
    twice = one(quality.reconcile([*rows, observe(98, "Totals:", "12", 12.0)], make_source()))
    none = one(quality.reconcile(rows[:-1], make_source()))
    assert (twice.passed, none.passed) == (False, False)
    assert "2 printed totals for 3 parts: 12, 12" in twice.observed
    assert "0 printed totals for 3 parts" in none.observed
    held = one(quality.reconcile(rows[:-1], make_source(), [unknown_row(label_text="Total", obs_text="1 2")]))
    assert held.observed.endswith("there must be exactly one; rows in quarantine: Total '1 2'")


def test_a_total_without_parts_fails_where_a_rule_names_it() -> None:
    total = make_table(3, 4)[-1:]
    assert not one(quality.reconcile(total, make_source())).passed
    assert quality.reconcile(total, make_source(reconcile=[])) == []


def test_a_quarantined_part_leaves_the_sum_unproven() -> None:
    check = one(quality.reconcile(make_table(3, 4, 5), make_source(), [unknown_row()]))
    assert not check.passed
    assert "so the sum cannot be proven: Atlantis '12'" in check.observed
    assert one(quality.reconcile(make_table(3, 4, 5), make_source(), [unknown_row(table="other")])).passed


def test_all_parts_in_quarantine_fail() -> None:
    assert not one(quality.reconcile([], make_source(), [unknown_row()])).passed


@pytest.mark.parametrize(
    "changes", [{"comparator": ">"}, {"obs_value": None, "obs_status": "Q", "value_low": 1.0, "value_high": 9.0}]
)
def test_a_bound_is_no_part_of_an_exact_sum(changes: dict[str, Any]) -> None:
    rows = make_table(3, 4, 5, total=9 if "obs_value" in changes else 12)
    rows[0] = replace(rows[0], **changes)
    check = one(quality.reconcile(rows, make_source()))
    assert not check.passed
    assert "no exact number, so the sum cannot be proven: Albania '3'" in check.observed


def test_a_total_that_is_not_marked_fails() -> None:
    rows = make_table(3, 4, 5)
    rows[-1] = replace(rows[-1], is_total=False)
    assert "not marked" in one(quality.reconcile(rows, make_source())).observed


def test_a_part_without_the_label_fails() -> None:
    rows = make_table(3, 4, 5)
    labels = {k: v for k, v in rows[0].figure.labels.items() if k != "name"}
    rows[0] = replace(rows[0], figure=replace(rows[0].figure, labels=labels))
    check = one(quality.reconcile(rows, make_source()))
    assert not check.passed
    assert "parts without the label 'name': 3" in check.observed


def test_a_table_that_is_not_in_every_layout_may_be_absent() -> None:
    def tables(*names: str) -> dict[str, Any]:
        return {
            "tables": [
                {"name": n, "kind": "list", "label": "name", "header": "Name", "columns": {"n": "N"}} for n in names
            ]
        }

    observe_both = [
        {"table": n, "metric": "m", "time_period": "2022", "totals": {"name": "Total"}} for n in ("counts", "more")
    ]
    rule = [{"table": "more", "across": "name"}]
    sometimes = make_source(layouts=[tables("counts"), tables("counts", "more")], observe=observe_both, reconcile=rule)
    always = make_source(layouts=[tables("counts", "more")], observe=observe_both, reconcile=rule)
    assert one(quality.reconcile(make_table(3), sometimes)) == Check(
        quality.SUM, "info", True, "more: no figure of this table is left to add up"
    )
    assert not one(quality.reconcile(make_table(3), always)).passed


def test_a_rule_without_a_total_is_a_fault_of_the_declaration() -> None:
    source = make_source(observe=[{"table": "counts", "metric": "m", "time_period": "2022"}])
    with pytest.raises(DeclarationError, match=r"sample_counts.yml: reconcile: counts: .* give `total`"):
        quality.reconcile(make_table(3), source)


# ---- the suites


@pytest.mark.parametrize("path", sorted(resource("expectations").glob("*.json")), ids=lambda p: p.stem)
def test_suites_are_sound(path: Path) -> None:
    import great_expectations as gx

    suite = quality.read_suite(path)
    assert suite["name"] == path.stem
    for expectation in suite["expectations"]:
        assert hasattr(gx.expectations, "".join(word.title() for word in expectation["type"].split("_")))
        assert re.fullmatch(r"[a-z][a-z0-9_]*", expectation["meta"]["rule"])
        assert expectation["meta"]["explanation"].endswith(".")
        assert len(expectation["meta"]["explanation"]) > 30
        assert expectation["severity"] in ("critical", "warning", "info")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"meta": {"rule": "r"}}, "meta.explanation"),
        ({"meta": {"explanation": "e"}}, "meta.rule"),
        ({"severity": "fatal"}, "severity must be"),
    ],
)
def test_a_rule_without_id_explanation_or_severity_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    rule = {"type": "t", "kwargs": {}, "severity": "critical", "meta": {"rule": "r", "explanation": "e"}}
    path = tmp_path / "broken.json"
    path.write_text(json.dumps({"name": "broken", "meta": {}, "expectations": [rule | change]}))
    with pytest.raises(DeclarationError, match=message):
        quality.read_suite(path)


def test_a_warning_is_told_and_keeps_nothing_out() -> None:
    rows = make_table(3, 4)
    odd = expectations.Outcome("odd_value", "warning", "Look at it.", False, (1,), "")
    verdict = quality._judge(harmonised(rows), make_document(), make_source(), [odd])
    assert (verdict.released, verdict.quarantined, verdict.rejected_ids) == (True, [], frozenset())
    assert verdict.checks[-1] == Check("odd_value", "warning", False, "1 of 3 rows: Brazil '4'", (f"{1:016x}",))


def test_a_rule_on_whole_tables_is_refused_in_a_suite_for_documents() -> None:
    whole = expectations.Outcome("row_count", "critical", "Look at it.", False, (), "seen: 3")
    with pytest.raises(DeclarationError, match="row_count: a rule for documents must be one on rows"):
        expectations._share([whole], [(0, 0)], {0}, [[]])


def test_every_code_that_is_listed_has_the_form_that_the_suites_ask_for() -> None:
    lists = codes.codelists()
    suite = quality.read_suite(resource("expectations") / "observation.json")
    forms = {e["meta"]["rule"]: e["kwargs"].get("regex") for e in suite["expectations"]}
    listed = {
        "ref_area_is_a_code": lists.area,
        "subject_is_a_code": lists.organisation,
        "metric_is_a_code": lists.metric,
        "harm_is_a_code": lists.harm,
        "unit_measure_is_a_code": lists.unit,
    }
    for rule, known in listed.items():
        assert [code for code in known if not re.search(forms[rule], code)] == [], rule


def test_a_rule_on_a_column_that_is_not_there_stops_the_build() -> None:
    frame = pd.DataFrame({"row": [0], "obs_text": ["1"]})
    with pytest.raises(BuildError, match="could not be run"):
        expectations._run("observation", frame, {})


# ---- the whole warehouse


def make_frame(*rows: dict[str, Any]) -> pd.DataFrame:
    """A table `observation` as the warehouse hands it over: three sound rows with the given changes."""
    sound = [
        {
            "observation_id": f"{i:016x}",
            "series_id": f"{i + 50:016x}",
            "source_id": "ncmec_by_esp",
            "document_id": SHA,
            "reporter": "ncmec",
            "subject": "facebook",
            "metric": "cybertip_reports",
            "harm": "_T",
            "ref_area": "_T",
            "freq": "A",
            "time_period": "2022",
            "period_start": pd.Timestamp(2022, 1, 1),
            "period_end": pd.Timestamp(2022, 12, 31),
            "obs_value": 3.0,
            "comparator": "=",
            "unit_measure": "reports",
            "obs_status": "A",
            "is_total": False,
            "obs_text": "3",
            "locator": "page=1&box=1,2,3,4",
            "retrieved_at": pd.Timestamp(2023, 6, 1),
        }
        for i in range(max(3, len(rows)))
    ]
    for row, change in zip(sound, rows, strict=False):
        row |= change
    return pd.DataFrame(sound)


REQUIRED = [
    "series_id",
    "source_id",
    "document_id",
    "retrieved_at",
    "reporter",
    "subject",
    "metric",
    "harm",
    "ref_area",
]
REQUIRED += ["unit_measure", "obs_text", "locator", "time_period", "is_total"]
RELEASE_BROKEN: dict[str, dict[str, Any]] = {
    "observation_id_present": {"observation_id": None},
    "observation_id_unique": {"observation_id": f"{1:016x}"},
    "one_figure_per_series_and_period": {"series_id": f"{51:016x}"},
    "document_id_is_a_sha256": {"document_id": "ab"},
    "ref_area_is_a_code": {"ref_area": "Europe"},
    "time_period_well_formed": {"time_period": "2022/23"},
    "period_ends_after_it_starts": {"period_end": pd.Timestamp(2021, 12, 31)},
    "freq_known": {"freq": "W"},
    "obs_status_known": {"obs_status": "Z"},
    "comparator_known": {"comparator": "?"},
    "missing_has_no_value": {"obs_status": "O"},
    "value_present": {"obs_value": None},
    "count_not_negative": {"obs_value": -1.0},
    "percent_within_0_and_100": {"unit_measure": "percent", "obs_value": 100.5},
    "ratio_within_0_and_1": {"unit_measure": "ratio", "obs_value": 1.5},
    **{f"{column}_present": {column: None} for column in REQUIRED},
}


def test_every_rule_of_the_release_has_a_test_that_breaks_it() -> None:
    assert rules_of("release") == {*RELEASE_BROKEN, "release_has_observations", "sources_still_present"}


@pytest.fixture(scope="module")
def broken_release() -> dict[str, Check]:
    """The checks of a warehouse with sound rows 0 to 2 and, for each rule, one row that breaks it."""
    changes = [{"observation_id": f"{i:016x}", "series_id": f"{i + 50:016x}"} for i in range(3 + len(RELEASE_BROKEN))]
    for change, broken in zip(changes[3:], RELEASE_BROKEN.values(), strict=True):
        change |= broken
    return {check.name: check for check in quality.check_release(make_frame(*changes), None)}


@pytest.mark.parametrize("rule", RELEASE_BROKEN)
def test_a_broken_row_fails_the_release(broken_release: dict[str, Check], rule: str) -> None:
    check, number = broken_release[rule], 3 + list(RELEASE_BROKEN).index(rule)
    assert (check.passed, check.severity) == (False, "critical")
    broken = str(RELEASE_BROKEN[rule].get("observation_id", f"{number:016x}")).replace("None", "nan")
    assert broken in check.observation_ids
    assert f"{0:016x}" not in check.observation_ids
    assert "rows: " in check.observed


def test_a_sound_release_passes() -> None:
    checks = quality.check_release(make_frame(), {"ncmec_by_esp"})
    assert [check for check in checks if not check.passed] == []
    assert {check.name for check in checks} == rules_of("release")


def test_a_source_must_not_vanish() -> None:
    checks = quality.check_release(make_frame(), {"ncmec_by_esp", "ncmec_ojjdp"})
    [gone] = [check for check in checks if not check.passed]
    assert (gone.name, gone.severity) == ("sources_still_present", "critical")
    assert gone.observed.startswith("not there: ncmec_ojjdp. A source that was released before")


def test_an_empty_warehouse_fails() -> None:
    checks = quality.check_release(make_frame().iloc[:0], {"ncmec_by_esp"})
    assert {c.name: c.observed.split(".")[0] for c in checks if not c.passed} == {
        "release_has_observations": "seen: 0",
        "sources_still_present": "not there: ncmec_by_esp",
    }


def test_a_release_without_a_column_cannot_be_checked() -> None:
    with pytest.raises(BuildError, match="no column locator"):
        quality.check_release(make_frame().drop(columns="locator"), None)


# ---- the library: imported late, silent, fast


def run_python(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GX_")} | {"HOME": str(home)}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)


def test_the_module_does_not_import_the_library(tmp_path: Path) -> None:
    heavy = "{'great_expectations', 'pandas', 'jinja2', 'duckdb', 'airflow'}"
    done = run_python(f"import lightwell.quality, sys; print(sorted(set(sys.modules) & {heavy}))", tmp_path)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


@pytest.mark.slow
def test_nothing_is_sent_and_nothing_is_written(tmp_path: Path) -> None:
    code = f"""
import sys
seen = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        seen.append(event)
        raise OSError("this test allows no network")
sys.addaudithook(watch)
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_quality as t
verdict = t.quality.check(t.harmonised(t.make_table(3, 4)), t.make_document(), t.make_source())
t.quality.check_release(t.make_frame(), None)
import os
print(verdict.released, seen, os.environ["GX_ANALYTICS_ENABLED"])
"""
    done = run_python(code, tmp_path)
    assert (done.stdout.strip(), done.stderr.strip()) == ("True [] false", "")
    assert [p for p in tmp_path.rglob("*") if p.is_file() and "matplotlib" not in str(p)] == []


def test_a_document_of_250_rows_is_judged_in_under_a_second() -> None:
    rows = [replace(o, series_id=f"{i:016x}") for i, o in enumerate(make_table(*range(250)))]
    rows = [replace(o, observation_id=f"{i:016x}") for i, o in enumerate(rows)]
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        assert quality.check(harmonised(rows), make_document(), make_source()).released
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1.0  # 0.2 s on a quiet machine with two cores


# ---- the report


class Loads(HTMLParser):
    """Collects what a page would load, the anchors it has, and the elements that no page of ours may have."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.anchors: list[str] = []
        self.scripts = 0
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if tag == "a" and name == "href":
                self.anchors.append(value or "")
            elif name in ("src", "href", "srcset", "data", "poster", "action", "background"):
                self.loads.append(f"{tag} {value}")
        self.scripts += tag in ("script", "iframe", "object", "embed", "link", "base", "img")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def report(tmp_path: Path, rows: list[tuple[Source, Document, Verdict]], checks: list[Check]) -> tuple[str, Loads]:
    path = tmp_path / "quality.html"
    quality.write_report(path, "2023-06-01T120000", datetime(2023, 6, 1, 12, tzinfo=UTC), rows, checks)
    html = path.read_text(encoding="utf-8")
    page = Loads()
    page.feed(html)
    return html, page


def test_the_report_loads_nothing_and_escapes_what_publishers_print(tmp_path: Path) -> None:
    rows = make_table(3, 4, 5)
    evil = "<script>alert(1)</script>"
    rows[0] = replace(rows[0], label_text=evil, obs_text='"><img src=x>', obs_value=-3.0, locator="page=1&box=<b>")
    document = make_document(title=evil, url="javascript:alert(2)")
    verdict = quality.check(harmonised(rows), document, make_source())
    source = make_source(title="A <b>bold</b> title", landing_page="https://example.org/?a=1&b=\"2'")
    checks = [Check("rule", "critical", False, evil), Check("other", "warning", False, "odd")]
    html, page = report(tmp_path, [(source, document, verdict)], checks)
    assert (page.loads, page.scripts) == ([], 0)
    assert page.anchors == ["https://example.org/?a=1&b=\"2'"]
    assert evil not in html
    assert evil in " ".join(page.text)
    assert "url(" not in html
    assert "@import" not in html


def test_the_report_tells_what_was_released_and_what_was_not(tmp_path: Path) -> None:
    good = quality.check(harmonised(make_table(3, None, 5)), make_document(), make_source())
    short = quality.check(harmonised(make_table(3, 4, total=8)), make_document(), make_source())
    rows = [(make_source(), make_document(), good), (make_source(), make_document(document_id="cd" * 32), short)]
    _, page = report(tmp_path, rows, quality.check_release(make_frame(), None))
    text = " ".join(" ".join(page.text).split())
    assert "1 documents released" in text
    assert "1 documents quarantined" in text
    assert "2 parts add up to 8, the printed total is 8; printed without a number: Brazil" in text
    assert "2 parts add up to 7, the printed total is 8 (1 short)" in text
    assert SHA[:12] in text
    assert "built 2023-06-01 12:00 UTC" in text


def test_the_report_of_a_release_without_documents(tmp_path: Path) -> None:
    _, page = report(tmp_path, [], [])
    assert "There is no document in this release." in " ".join(page.text)
