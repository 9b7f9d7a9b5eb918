"""Figures to observations: every figure is released with codes or quarantined with a reason; nothing is guessed."""

import json
import re
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightwell import codes, harmonise, source
from lightwell.archive import Document
from lightwell.errors import DeclarationError
from lightwell.harmonise import (
    Harmonised,
    ParsedNumber,
    parse_number,
    parse_period,
    to_observations,
    unused_corrections,
)
from lightwell.source import Source
from lightwell.tables import Figure, Locator

THIN, NO_BREAK, NARROW = "\u2009", "\u00a0", "\u202f"


LISTED = {"kind": "list", "label": "esp", "header": "ESP", "columns": {"reports": "Reports"}}
PROSE_TABLE = {"kind": "prose", "pattern": "(?P<text>.)"}


def make_document(source_id: str = "ncmec_by_esp", document_id: str = "a" * 64) -> Document:
    return Document(
        document_id=document_id,
        source_id=source_id,
        url=None,
        title=None,
        published_on=None,
        published_basis=None,
        retrieved_at=datetime(2026, 1, 1, tzinfo=UTC),
        media_type="application/pdf",
        bytes=1,
        licence="",
        method="added",
    )


def make_source(observe: list[dict[str, Any]], source_id: str = "ncmec_by_esp", **more: Any) -> Source:
    tables = [LISTED | {"name": name} for name in dict.fromkeys(rule["table"] for rule in observe)]
    tables = [PROSE_TABLE | {"name": t["name"]} if t["name"].startswith("prose") else t for t in tables]
    declared: dict[str, Any] = {
        "id": source_id,
        "title": "A title",
        "publisher": "ncmec",
        "reporter": "ncmec",
        "description": "What is counted",
        "landing_page": "https://example.org/",
        "licence": "none",
        "cadence": "annual",
        "hosts": [],
        "media_type": "application/pdf",
        "layouts": [{"tables": tables}],
        "observe": observe,
    }
    return Source.model_validate(declared | more)


BY_ESP: dict[str, Any] = {
    "table": "by_esp",
    "metric": "cybertip_reports",
    "subject": {"label": "esp", "total": "esp"},
    "time_period": {"label": "year"},
    "totals": {"esp": "Totals?:?"},
}
BY_COUNTRY: dict[str, Any] = {
    "table": "by_country",
    "metric": "cybertip_reports",
    "ref_area": {"label": "country"},
    "time_period": {"label": "year"},
    "totals": {"country": "Total:?"},
}


def figure(text: str, table: str = "by_esp", line: int = 1, **labels: str) -> Figure:
    return Figure(table, labels, text, Locator(line=line))


def esps(*rows: tuple[str, str], year: str = "2022") -> list[Figure]:
    return [figure(text, line=n, esp=name, year=year) for n, (name, text) in enumerate(rows, start=1)]


def countries(*rows: tuple[str, str], year: str = "2022") -> list[Figure]:
    return [figure(text, "by_country", n, country=name, year=year) for n, (name, text) in enumerate(rows, start=1)]


def harmonised(figures: list[Figure], *observe: dict[str, Any], source_id: str = "ncmec_by_esp") -> Harmonised:
    """Harmonise, and hold that every figure is in exactly one of the two lists."""
    result = to_observations(figures, make_document(source_id), make_source(list(observe), source_id), "v1")
    places = [str(o.locator) for o in result.observations] + [str(q.locator) for q in result.quarantined]
    assert sorted(places) == sorted(str(f.locator) for f in figures)
    return result


def one(figures: list[Figure], *observe: dict[str, Any], source_id: str = "ncmec_by_esp") -> harmonise.Observation:
    result = harmonised(figures, *observe, source_id=source_id)
    assert result.quarantined == []
    (observation,) = result.observations
    return observation


def reason(figures: list[Figure], *observe: dict[str, Any]) -> str:
    result = harmonised(figures, *observe)
    assert result.observations == []
    return result.quarantined[0].reason


# --- numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("21,165,208", 21165208),
        (f"1{THIN}234{THIN}567", 1234567),
        (f"1{NO_BREAK}234{NARROW}567", 1234567),
        ("1234567", 1234567),
        ("0", 0),
        (" 7 ", 7),
        ("69.1 million", 69_100_000),
        ("3.7 M", 3_700_000),
        ("3.7M", 3_700_000),
        (f"3.7{NO_BREAK}million", 3_700_000),
        ("12 thousand", 12_000),
        ("48K", 48_000),
        ("1.5 billion", 1_500_000_000),
        ("1,234.5 million", 1_234_500_000),
        ("9,007,199,254,740,992", 2**53),
    ],
)
def test_numbers_as_printed(text: str, value: int) -> None:
    assert parse_number(text, "reports") == ParsedNumber(float(value), None, None, None, "A")


@pytest.mark.parametrize("text", ["-", "--", "–", "—", "", " ", "N/A", "n/a"])
@pytest.mark.parametrize("unit", ["reports", "percent"])
def test_a_dash_is_no_value_and_no_zero(text: str, unit: str) -> None:
    assert parse_number(text, unit) == ParsedNumber(None, None, None, None, "O")


@pytest.mark.parametrize(
    ("text", "high", "comparator"),
    [("<50", 49, "<"), ("< 1,000", 999, "<"), ("≤50", 50, "<="), ("fewer than 10", 9, "<"), ("<1", 0, "<")],
)
def test_a_suppressed_count_keeps_its_bounds(text: str, high: int, comparator: str) -> None:
    assert parse_number(text, "reports") == ParsedNumber(None, 0.0, float(high), comparator, "Q")


@pytest.mark.parametrize(
    ("text", "value", "comparator"),
    [
        (">1,000", 1000, ">"),
        ("over 1,500", 1500, ">"),
        ("Over 1,500", 1500, ">"),
        ("more than 21.7 million", 21_700_000, ">"),
        ("at least 7", 7, ">="),
        ("nearly 2 million", 2_000_000, "<"),
        ("Nearly 2 million", 2_000_000, "<"),
        ("about 40", 40, "~"),
        ("~40", 40, "~"),
    ],
)
def test_comparators_are_kept(text: str, value: int, comparator: str) -> None:
    assert parse_number(text, "reports") == ParsedNumber(float(value), None, None, comparator, "A")


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("4%-5%", 4.0, 5.0), ("0.05% to 0.06%", 0.05, 0.06), ("0%–0.5 %", 0.0, 0.5), ("99.90% - 100%", 99.9, 100.0)],
)
def test_a_range_of_percentages_is_its_bounds(text: str, low: float, high: float) -> None:
    assert parse_number(text, "percent") == ParsedNumber(None, low, high, None, "Q")


@pytest.mark.parametrize("text", ["5%-4%", "5%-5%", "4-5%", "4%-5", "4%-5%-6%", "04%-5%", "4%--5%", "1,000%-2,000%"])
def test_what_is_no_range_of_percentages_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no range|is not a number"):
        parse_number(text, "percent")


def test_a_range_is_no_count() -> None:
    with pytest.raises(ValueError, match="is not a number"):
        parse_number("4%-5%", "reports")


@pytest.mark.parametrize(("text", "value"), [("4.1%", 4.1), ("6%", 6.0), ("94.7 %", 94.7), ("0%", 0.0)])
def test_percentages(text: str, value: float) -> None:
    assert parse_number(text, "percent").value == value


@pytest.mark.parametrize("mark", ["¹", "⁴", "¹⁰", "*"])
def test_every_footnotes_digit_is_known_as_one(mark: str) -> None:
    assert parse_number(f"12,345{mark}").value == 12345


def test_ten_with_a_raised_digit_may_be_a_power_of_ten() -> None:
    with pytest.raises(ValueError, match="a power of ten"):
        parse_number("10⁶")


def test_a_footnote_mark_stays_out_of_the_value_and_is_noted() -> None:
    for text in ("15,935*", "15,935 **", "15,935†", "15,935²"):
        number = parse_number(text, "reports")
        assert number.value == 15935
        assert number.note is not None and "footnote mark" in number.note


@pytest.mark.parametrize(
    ("text", "unit", "why"),
    [
        ("(5)", "reports", "negative"),
        ("-5", "reports", "negative"),
        ("−5", "reports", "negative"),
        ("– 5", "reports", "negative"),
        ("1,23", "reports", "grouping"),
        ("12,34,567", "reports", "grouping"),
        ("1.234.567", "reports", "grouping"),
        ("1,2345", "reports", "grouping"),
        ("0,123", "reports", "grouping"),
        (f"1,234{THIN}567", "reports", "grouping"),
        ("12 345", "reports", "grouping"),  # a plain space parts two numbers: two cells run together
        ("12.000", "reports", "whole"),  # twelve, or twelve thousand as Germans write it
        ("1.000", "reports", "whole"),
        ("3.5", "reports", "whole"),
        ("1.2345 thousand", "reports", "whole"),
        ("007", "reports", "zero"),
        ("4.1%", "reports", "percent sign"),
        ("4.1", "percent", "no percent sign"),
        ("4 million %", "percent", "scaled"),
        ("9,007,199,254,740,993", "reports", "exactly"),
        ("9" * 30, "reports", "too long"),
        ("9" * 5000, "reports", "too long"),
        ("1e5", "reports", "not a number"),
        ("NaN", "reports", "not a number"),
        ("inf", "reports", "not a number"),
        ("circa 5", "reports", "no comparator"),
        ("<0", "reports", "below zero"),
        ("٣٤٥", "reports", "not a number"),
        ("1_000", "reports", "not a number"),
        ("12 reports", "reports", "not a number"),
        ("*", "reports", "not a number"),
    ],
)
def test_what_could_be_misread_is_refused(text: str, unit: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_number(text, unit)


@given(st.integers(min_value=0, max_value=2**53), st.sampled_from([",", THIN, NO_BREAK, NARROW, ""]))
def test_formatted_counts_come_back(count: int, separator: str) -> None:
    assert parse_number(f"{count:,}".replace(",", separator), "reports").value == count


@given(st.integers(min_value=0, max_value=10**6), st.sampled_from([("thousand", 3), ("million", 6), ("B", 9)]))
def test_scaled_counts_come_back_exactly(tenths: int, scale: tuple[str, int]) -> None:
    text = f"{tenths // 10:,}.{tenths % 10} {scale[0]}"
    assert Decimal(parse_number(text, "reports").value or 0) == Decimal(tenths).scaleb(scale[1] - 1)


ALMOST_NUMBERS = st.text(alphabet="0123456789,.- %*<>~()KMBkmb nillionthousandover¹†–\u2009\u00a0ſK", max_size=16)


@given(st.one_of(st.text(), ALMOST_NUMBERS), st.sampled_from(["reports", "percent", "days"]))
@example("K", "reports")
def test_any_text_is_a_number_of_its_own_digits_or_refused(text: str, unit: str) -> None:
    try:
        number = parse_number(text, unit)
    except ValueError:
        return
    found = number.value if number.value is not None else number.high
    assert (found is None) == (number.status == "O")
    if found is None:
        return
    assert found >= 0 and found == found
    if number.status == "A":
        digits = re.sub("[^0-9]", "", f"{Decimal(repr(found)):f}").strip("0")
        assert digits in re.sub("[^0-9]", "", text)


# --- periods --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2022", ("2022", "A", date(2022, 1, 1), date(2022, 12, 31))),
        ("CY 2022", ("2022", "A", date(2022, 1, 1), date(2022, 12, 31))),
        ("CY2022", ("2022", "A", date(2022, 1, 1), date(2022, 12, 31))),
        ("2023-S1", ("2023-S1", "S", date(2023, 1, 1), date(2023, 6, 30))),
        ("H1 2023", ("2023-S1", "S", date(2023, 1, 1), date(2023, 6, 30))),
        ("2023 H2", ("2023-S2", "S", date(2023, 7, 1), date(2023, 12, 31))),
        ("2023-Q2", ("2023-Q2", "Q", date(2023, 4, 1), date(2023, 6, 30))),
        ("Q2 2023", ("2023-Q2", "Q", date(2023, 4, 1), date(2023, 6, 30))),
        ("2017Q4", ("2017-Q4", "Q", date(2017, 10, 1), date(2017, 12, 31))),
        ("2023-07", ("2023-07", "M", date(2023, 7, 1), date(2023, 7, 31))),
        ("July 2023", ("2023-07", "M", date(2023, 7, 1), date(2023, 7, 31))),
        ("Jul 2023", ("2023-07", "M", date(2023, 7, 1), date(2023, 7, 31))),
        ("February\n2024", ("2024-02", "M", date(2024, 2, 1), date(2024, 2, 29))),
        ("2024-01-31", ("2024-01-31", "D", date(2024, 1, 31), date(2024, 1, 31))),
    ],
)
def test_periods(text: str, expected: tuple[str, str, date, date]) -> None:
    assert parse_period(text) == expected


@pytest.mark.parametrize(
    ("text", "code", "freq", "start", "end"),
    [
        ("2022-07-01/P1Y", "2022-07-01/P1Y", "_O", date(2022, 7, 1), date(2023, 6, 30)),  # a fiscal year
        ("2020-07-01/P30M", "2020-07-01/P30M", "_O", date(2020, 7, 1), date(2022, 12, 31)),
        ("2010-01-01/P96M", "2010-01-01/P8Y", "_O", date(2010, 1, 1), date(2017, 12, 31)),
        ("2024-06-15/P6M", "2024-06-15/P6M", "_O", date(2024, 6, 15), date(2024, 12, 14)),
        ("2024-02-28/P2D", "2024-02-28/P2D", "_O", date(2024, 2, 28), date(2024, 2, 29)),
        ("2022-01-01/P1Y", "2022", "A", date(2022, 1, 1), date(2022, 12, 31)),  # a calendar period is written as one
        ("2022-04-01/P3M", "2022-Q2", "Q", date(2022, 4, 1), date(2022, 6, 30)),
        ("2022-07-01/P6M", "2022-S2", "S", date(2022, 7, 1), date(2022, 12, 31)),
        ("2022-05-01/P1M", "2022-05", "M", date(2022, 5, 1), date(2022, 5, 31)),
    ],
)
def test_a_time_range_is_its_first_day_and_length(text: str, code: str, freq: str, start: date, end: date) -> None:
    assert parse_period(text) == (code, freq, start, end)


@pytest.mark.parametrize(
    "text", ["2022-13-01/P1Y", "2022-02-30/P1Y", "1980-01-01/P1Y", "2099-01-01/P9Y", "2022-07-01/P0Y"]
)
def test_a_time_range_of_days_there_are_not_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        parse_period(text)


TIERS = {"table": "prose", "metric": "cybertip_reports", "time_period": "2022"}


def one_figure(text: str, rule: dict[str, Any], **labels: str) -> Harmonised:
    figure = Figure("prose", labels, text, Locator(page=1))
    return to_observations([figure], make_document(), make_source([TIERS | rule]), "v")


@pytest.mark.parametrize(
    ("text", "value", "status"), [("Tier 1", 1, "A"), ("tier 2WL", 2.5, "A"), ("Special Case", None, "O")]
)
def test_an_ordinal_word_is_its_place_on_the_scale(text: str, value: float | None, status: str) -> None:
    [seen] = one_figure(text, {"ranks": {"Tier 1": 1, "Tier 2WL": 2.5, "Special Case": None}}).observations
    assert (seen.obs_value, seen.obs_status, seen.obs_text) == (value, status, text)


def test_a_word_that_is_not_on_the_ordinal_scale_is_quarantined() -> None:
    harmonised = one_figure("Tier 4", {"ranks": {"Tier 1": 1}})
    assert not harmonised.observations and "0 places" in harmonised.quarantined[0].reason


def test_a_percentage_below_a_header_that_says_percent_needs_no_sign() -> None:
    share = {"metric": "cybertip_reports_share"}
    [seen] = one_figure("62.8838596491228", share | {"percent_sign": "header"}).observations
    assert seen.obs_value == 62.8838596491228
    assert "no percent sign" in one_figure("62.9", share).quarantined[0].reason
    assert "has a percent sign" in one_figure("62.9%", share | {"percent_sign": "header"}).quarantined[0].reason


BOUNDS = {"low": "from", "high": "to"}


@pytest.mark.parametrize(
    ("text", "low", "high", "expected"),
    [
        ("400", "300", "500", (400, 300, 500, "A")),
        ("", "300", "500", (None, 300, 500, "Q")),  # only the bounds are printed
        ("400", "", "", (400, None, None, "A")),
        ("400", "400", "400", (400, 400, 400, "A")),
    ],
)
def test_bounds_in_columns_of_their_own_go_with_the_value(
    text: str, low: str, high: str, expected: tuple[Any, ...]
) -> None:
    [seen] = one_figure(text, BOUNDS, **{"from": low, "to": high}).observations
    assert (seen.obs_value, seen.value_low, seen.value_high, seen.obs_status) == expected
    assert seen.label_text == ""  # bounds say no more of what is counted


@pytest.mark.parametrize(("text", "low", "high"), [("600", "300", "500"), ("400", "500", "300"), ("400", "300", "")])
def test_a_value_outside_its_bounds_is_quarantined(text: str, low: str, high: str) -> None:
    [refused] = one_figure(text, BOUNDS, **{"from": low, "to": high}).quarantined
    assert "is not between its bounds" in refused.reason


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("FY 2022", "fiscal"),
        ("FY2022", "fiscal"),
        ("Fiscal year 2022", "fiscal"),
        ("2022/23", "no period"),
        ("2021-22", "month"),
        ("2023-13", "month"),
        ("2023-00", "month"),
        ("2023-02-30", "month or day"),
        ("2023-Q5", "no period"),
        ("2023-S3", "no period"),
        ("Juli 2023", "month"),
        ("1889", "1990"),
        ("9999", "1990"),
        ("22", "no period"),
        ("", "no period"),
        ("_T", "no period"),
        ("٢٠٢٢", "no period"),
        ("2022 (revised)", "no period"),
    ],
)
def test_what_is_no_calendar_period_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_period(text)


@given(st.dates(date(1990, 1, 1), date(2100, 12, 31)))
def test_every_day_comes_back_in_its_day_month_quarter_half_and_year(day: date) -> None:
    quarter, half = (day.month + 2) // 3, (day.month + 5) // 6
    texts = [f"{day}", f"{day:%Y-%m}", f"{day.year}-Q{quarter}", f"{day.year}-S{half}", f"{day.year}"]
    for text, freq in zip(texts, "DMQSA", strict=True):
        period = parse_period(text)
        assert (period.time_period, period.freq) == (text, freq)
        assert period.start <= day <= period.end
        assert parse_period(period.time_period) == period


@given(st.one_of(st.text(), st.text(alphabet="0123456789-QSHCYFJulyan ſ", max_size=12)))
def test_any_text_is_a_period_or_refused(text: str) -> None:
    try:
        period = parse_period(text)
    except ValueError:
        return
    assert f"{period.start.year}" in text
    assert period.start <= period.end


# --- one figure -----------------------------------------------------------------------------------------------------


def test_facebook_2022_becomes_an_observation() -> None:
    box = (434.8, 677.1, 489.8, 688.1)
    printed = Figure("by_esp", {"year": "2022", "esp": "Facebook"}, "21,165,208", Locator(page=3, box=box))
    observation = one([printed], BY_ESP)
    assert (observation.reporter, observation.subject, observation.metric) == ("ncmec", "facebook", "cybertip_reports")
    assert (observation.harm, observation.ref_area, observation.dimensions) == ("_T", "_T", {})
    assert (observation.time_period, observation.freq) == ("2022", "A")
    assert (observation.period_start, observation.period_end) == (date(2022, 1, 1), date(2022, 12, 31))
    assert (observation.obs_value, observation.unit_measure, observation.obs_status) == (21165208.0, "reports", "A")
    assert (observation.obs_text, observation.label_text) == ("21,165,208", "2022 | Facebook")
    assert observation.locator == "page=3&box=434.80,677.10,489.80,688.10"
    assert (observation.comparator, observation.is_total, observation.note) == ("=", False, None)
    assert (observation.extractor_version, observation.figure) == ("v1", printed)
    assert re.fullmatch("[0-9a-f]{16}", observation.observation_id)
    assert re.fullmatch("[0-9a-f]{16}", observation.series_id)


def test_series_join_documents_and_observations_do_not() -> None:
    figures = esps(("Discord", "15,324"))
    declared = make_source([BY_ESP])
    results = [to_observations(figures, make_document(document_id=c * 64), declared, "v1") for c in "ab"]
    first, second = (r.observations[0] for r in results)
    later = one(esps(("Discord Inc.", "169,800"), year="2023"), BY_ESP)
    assert first.series_id == second.series_id == later.series_id
    assert len({first.observation_id, second.observation_id, later.observation_id}) == 3
    again = to_observations(figures, make_document(), declared, "v2").observations[0]
    assert again.observation_id == first.observation_id
    assert again.extractor_version == "v2"


def test_a_total_takes_the_declared_code_and_is_flagged() -> None:
    observation = one(esps(("Totals:", "31,802,525")), BY_ESP)
    assert (observation.subject, observation.is_total) == ("esp", True)
    assert one(countries(("Total", "32,059,029")), BY_COUNTRY).ref_area == "_T"


def test_a_subtotal_that_the_map_names_keeps_its_name() -> None:
    rule = {
        "table": "submissions",
        "metric": "cvip_submissions",
        "time_period": "2022",
        "dimensions": {"agency": {"label": "agency", "map": {"FBI": "fbi", "Total Federal": "federal"}}},
        "totals": {"agency": "Total.*"},
    }
    rows = [figure("1", "submissions", n, agency=a) for n, a in enumerate(("FBI", "Total Federal", "Total"))]
    found = {o.dimensions["agency"]: o.is_total for o in harmonised(rows, rule).observations}
    assert found == {"fbi": False, "federal": True, "_T": True}


def test_missing_and_suppressed_values() -> None:
    missing = one(countries(("Norfolk Island", "-")), BY_COUNTRY)
    assert (missing.obs_value, missing.obs_status, missing.obs_text) == (None, "O", "-")
    suppressed = one(countries(("Norfolk Island", "<50")), BY_COUNTRY)
    assert (suppressed.obs_value, suppressed.value_low, suppressed.value_high) == (None, 0.0, 49.0)
    assert (suppressed.obs_status, suppressed.comparator) == ("Q", "<")


def test_a_footnote_mark_on_a_number_is_noted_and_kept_in_the_text() -> None:
    observation = one(esps(("Discord", "15,324*")), BY_ESP)
    assert (observation.obs_value, observation.obs_text) == (15324.0, "15,324*")
    assert observation.note == "printed with the footnote mark *"


def test_the_declared_comparator_and_status_hold_unless_the_text_says_otherwise() -> None:
    rule = BY_ESP | {"comparator": "~", "obs_status": "E"}
    assert one(esps(("Discord", "2 million")), rule).comparator == "~"
    assert one(esps(("Discord", "2 million")), rule).obs_status == "E"
    assert one(esps(("Discord", "-")), rule).obs_status == "O"
    assert "says >" in reason(esps(("Discord", ">2 million")), rule)
    assert one(esps(("Discord", ">2 million")), BY_ESP).comparator == ">"


def test_an_unknown_organisation_is_released_under_its_name() -> None:
    result = harmonised(esps(("Zorbly, Inc.", "5"), ("Discord", "6"), ("Quux*", "7")), BY_ESP)
    assert result.quarantined == []
    assert [o.subject for o in result.observations] == ["zorbly", "discord", "quux"]
    assert result.provisional == {"zorbly": "Zorbly, Inc.", "quux": "Quux*"}
    assert result.observations[2].dimensions == {"footnote": "*"}
    (starred,) = harmonised(esps(("Quux*", "7"), year="2019"), BY_ESP).observations
    assert starred.dimensions == {"affiliates": "combined"}


def test_a_footnotes_digit_is_no_part_of_a_name_and_makes_a_series_of_its_own() -> None:
    plain, marked = (one(esps((name, "7")), BY_ESP) for name in ("Facebook", "Facebook²"))
    assert (marked.subject, marked.dimensions) == ("facebook", {"footnote": "²"})
    assert marked.series_id != plain.series_id
    assert one(countries(("Philippines¹", "7")), BY_COUNTRY).ref_area == "PHL"


def test_two_new_names_that_read_the_same_do_not_collide_silently() -> None:
    result = harmonised(esps(("Zorbly Inc", "5"), ("ZORBLY, LLC", "6"), ("Other", "7")), BY_ESP)
    assert [o.subject for o in result.observations] == ["other"]
    assert [q.label_text for q in result.quarantined] == ["Zorbly Inc | 2022", "ZORBLY, LLC | 2022"]
    assert all("'5'" in q.reason and "'6'" in q.reason for q in result.quarantined)
    assert result.provisional == {"other": "Other"}


@pytest.mark.parametrize("name", ["1,234", "", "***", "2022", "—"])
def test_what_is_no_name_is_no_organisation(name: str) -> None:
    assert "no name" in reason(esps((name, "5")), BY_ESP)


@pytest.mark.parametrize(
    "name", ["Grand Total", "Subtotal:", "Total Reports", "All", "All others", "All platforms", "All other companies"]
)
def test_an_undeclared_total_does_not_become_an_organisation(name: str) -> None:
    assert "looks like a total" in reason(esps((name, "5")), BY_ESP)


def test_an_unknown_area_is_quarantined_with_the_three_nearest() -> None:
    why = reason(countries(("Philipines", "5")), BY_COUNTRY)
    assert "'Philipines'" in why and "Philippines (PHL)" in why
    assert why.partition("the nearest: ")[2].count("(") == 3


def test_no_country_listed_is_a_code_of_its_own() -> None:
    rows = [one(countries((name, "5")), BY_COUNTRY) for name in ("No Country Listed*", "Null", "null*")]
    assert {(o.ref_area, tuple(o.dimensions)) for o in rows} == {("_U", ())}


def test_french_guiana_printed_twice_is_released_twice() -> None:
    result = harmonised(countries(("French Guiana", "593"), ("Guiana, French", "1"), year="2020"), BY_COUNTRY)
    assert result.quarantined == []
    assert [(o.ref_area, o.dimensions) for o in result.observations] == [
        ("GUF", {}),
        ("GUF", {"area_variant": "guiana_french"}),
    ]


# --- machine-written files: rates, whole numbers with a point, ranges of months, open labels, footnotes ---------------


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.821", 0.821), ("0.9109999999999999", 0.9109999999999999), ("0.013000000000000001", 0.013000000000000001)],
)
def test_a_ratio_keeps_every_digit(text: str, value: float) -> None:
    assert parse_number(text, "ratio").value == value
    assert parse_number("0", "ratio").value == 0 and parse_number("1", "ratio").value == 1
    with pytest.raises(ValueError, match="percent sign"):
        parse_number("82.1%", "ratio")


def test_a_count_that_a_program_wrote_is_whole() -> None:
    assert parse_number("920793.0", "accounts").value == 920793
    for ambiguous in ("920.793", "920793.00", "920793.5", "920.000"):
        with pytest.raises(ValueError, match="whole"):
            parse_number(ambiguous, "accounts")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Jul-Sep 2020", "2020-Q3"),
        ("Oct - Dec 2023", "2023-Q4"),
        ("January to June 2021", "2021-S1"),
        ("Jul. – Dec., 2022", "2022-S2"),
        ("January - December 2025", "2025"),
    ],
)
def test_a_range_of_months_is_a_calendar_period(text: str, code: str) -> None:
    assert parse_period(text).time_period == code


@pytest.mark.parametrize(
    "text",
    ["Jul-Aug 2020", "Feb-Apr 2020", "Apr-Sep 2020", "Sep-Jul 2020", "Jul-Foo 2020", "Jul-Sep 20", "Jul-Sep 1820"],
)
def test_other_ranges_of_months_are_no_period(text: str) -> None:
    with pytest.raises(ValueError, match=r"no calendar|no period|outside"):
        parse_period(text)


def test_a_label_that_is_no_codelists_may_become_its_words_where_that_is_declared() -> None:
    slug = {"label": "policy", "rest": "slug", "map": {"Hateful behaviou?r": "hateful_behavior"}}
    rule = BY_ESP | {"dimensions": {"policy": slug}}
    policies = ["Hateful behaviour", "Suicide & Self-Harm", "Café's rules (PII)"]
    found = [one([figure("1", esp="Facebook", year="2022", policy=p)], rule).dimensions["policy"] for p in policies]
    assert found == ["hateful_behavior", "suicide_self_harm", "cafes_rules_pii"]
    for nameless in ("", "&", "Политика"):
        assert "makes no code" in reason([figure("1", esp="Facebook", year="2022", policy=nameless)], rule)


@pytest.mark.parametrize("text", ["Total", "Grand total:", "Overall", "Sum"])
def test_words_of_a_total_become_no_code(text: str) -> None:
    rule = BY_ESP | {
        "totals": {},
        "subject": "facebook",
        "dimensions": {"policy_area": {"label": "esp", "rest": "slug"}},
    }
    (held,) = harmonised(esps((text, "7")), rule).quarantined
    assert "looks like a total" in held.reason


def test_a_map_may_leave_the_rest_to_the_codelist() -> None:
    rule = BY_COUNTRY | {"ref_area": {"label": "country", "map": {"": "_T"}, "rest": "codelist"}}
    assert one([figure("1", "by_country", country="", year="2022")], rule).ref_area == "_T"
    assert one([figure("1", "by_country", country="Philippines", year="2022")], rule).ref_area == "PHL"
    assert "no area" in reason([figure("1", "by_country", country="Atlantis", year="2022")], rule)


def test_a_footnote_becomes_the_note_and_a_doubt_the_reason() -> None:
    rule = BY_ESP | {"note": "said", "doubt": "doubt"}
    noted = one([figure("1,935*", esp="Facebook", year="2022", said="* restated", doubt="")], rule)
    assert noted.note == "printed with the footnote mark *; * restated"
    assert noted.label_text == "Facebook | 2022"
    doubted = figure("1,935", esp="Facebook", year="2022", said="", doubt="the note names another year")
    assert reason([doubted], rule) == "the note names another year"


BY_CATEGORY = {
    "table": "by_category",
    "metric": "cybertip_reports",
    "harm": {"label": "category"},
    "time_period": {"label": "year"},
}


def test_harms_follow_the_crosswalk_of_the_source() -> None:
    label = "Child Pornography (possession, manufacture, distribution)"
    printed = figure("31,901,234", "by_category", category=label, year="2022")
    assert one([printed], BY_CATEGORY, source_id="ncmec_ojjdp").harm == "csam"
    assert "harm_label.csv" in reason([printed], BY_CATEGORY)  # another source has no such crosswalk


# --- labels, maps and constants -------------------------------------------------------------------------------------


def by_location(**more: Any) -> dict[str, Any]:
    return {
        "table": "by_location",
        "metric": {"label": "measure", "map": {"": "cybertip_reports", "%": "cybertip_reports_share"}},
        "ref_area": {"label": "location", "map": {r"U\.S\.": "USA", "Unknown": "_U"}},
        "time_period": {"label": "range", "map": {r"CY ?(\d{4}) \(.*\)": r"\1"}},
    } | more


def test_a_map_reads_whole_squeezed_text_in_any_case_and_may_take_a_group() -> None:
    labels = {"location": " u.s.\n", "range": "CY2022 (1/1/22-12/31/22)"}
    observation = one([figure("887,252", "by_location", measure="", **labels)], by_location())
    assert (observation.metric, observation.ref_area, observation.time_period) == ("cybertip_reports", "USA", "2022")
    share = one([figure("4.1%", "by_location", measure="%", **labels)], by_location())
    assert (share.metric, share.unit_measure, share.obs_value) == ("cybertip_reports_share", "percent", 4.1)
    absent = one([figure("887,252", "by_location", **labels)], by_location())
    assert absent.metric == "cybertip_reports"


LOCATED = {"location": "U.S.", "measure": "", "range": "CY2022 (x)"}


@pytest.mark.parametrize(
    ("changed", "rule", "why"),
    [
        ({"location": "U.S.A"}, {}, "matches no pattern"),
        ({"location": "U.S.X"}, {"ref_area": {"label": "location", "map": {"U.*": "USA", ".*X": "_U"}}}, "2 codes"),
        ({}, {"ref_area": {"label": "location", "map": {"U.*": "ATLANTIS"}}}, "'ATLANTIS' is in no codelist"),
        ({}, {"subject": {"label": "location", "map": {"U.*": "nobody_known"}}}, "'nobody_known' is in no codelist"),
        ({}, {"harm": {"label": "location", "map": {"U.*": "nothing"}}}, "'nothing' is in no codelist"),
        ({}, {"metric": {"label": "location", "map": {"U.*": "nothing"}}}, "'nothing' is not in metric.csv"),
        ({}, {"metric": {"label": "location"}}, "'U.S.' is not in metric.csv"),
        ({}, {"dimensions": {"place": {"label": "location"}}}, "needs a map"),
        ({}, {"dimensions": {"place": {"label": "nowhere", "map": {"x": "y"}}}}, "matches no pattern"),
        ({}, {"time_period": "FY 2022"}, "fiscal"),
        ({}, {"time_period": "2022-Q1"}, "frequency Q"),
        ({}, {"time_period": {"label": "range"}}, "is no period"),
        ({}, {"totals": {"range": "CY.*"}, "time_period": {"label": "range"}}, "is no period"),
        ({"measure": "%"}, {}, "has no percent sign"),
    ],
)
def test_what_matches_nothing_is_quarantined(changed: dict[str, str], rule: dict[str, Any], why: str) -> None:
    result = harmonised([figure("5", "by_location", **(LOCATED | changed))], by_location(**rule))
    (aside,) = result.quarantined
    assert result.observations == [] and why in aside.reason
    assert (aside.scope, aside.table, aside.obs_text, aside.locator) == ("row", "by_location", "5", "line=1")
    assert aside.label_text == " | ".join((LOCATED | changed).values())


def test_a_label_may_print_the_code_of_a_metric() -> None:
    rule = BY_ESP | {"metric": {"label": "metric"}}
    printed = figure("5", esp="Discord", year="2022", metric="cybertip_reports")
    assert one([printed], rule).metric == "cybertip_reports"


def test_a_table_needs_exactly_one_rule() -> None:
    printed = esps(("Discord", "5"))
    assert "2 `observe` rules" in reason(printed, BY_ESP, BY_ESP)
    assert "0 `observe` rules" in reason(printed, BY_COUNTRY)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"metric": "nothing"}, "observe by_esp: metric: 'nothing'"),
        ({"subject": "nobody_known"}, "observe by_esp: subject: 'nobody_known'"),
        ({"ref_area": "ATL"}, "observe by_esp: ref_area: 'ATL'"),
        ({"harm": "nothing"}, "observe by_esp: harm: 'nothing'"),
    ],
)
def test_a_constant_in_no_codelist_is_a_fault_of_the_declaration(rule: dict[str, Any], why: str) -> None:
    with pytest.raises(DeclarationError, match=why):
        harmonised([], BY_ESP | rule)


def test_an_unknown_reporter_is_a_fault_of_the_declaration() -> None:
    with pytest.raises(DeclarationError, match="reporter: 'nobody_known'"):
        to_observations([], make_document(), make_source([BY_ESP], reporter="nobody_known"), "v1")


# --- duplicates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("texts", [("5", "6"), ("5", "5")])
def test_a_table_that_prints_a_series_twice_loses_both(texts: tuple[str, str]) -> None:
    result = harmonised(esps(("Discord", texts[0]), ("Discord Inc.", texts[1]), ("Reddit", "1")), BY_ESP)
    assert [o.subject for o in result.observations] == ["reddit"]
    assert len(result.quarantined) == 2
    for aside in result.quarantined:
        assert aside.reason.startswith("duplicate key")
        assert f"Discord | 2022: '{texts[0]}'" in aside.reason and f"Discord Inc. | 2022: '{texts[1]}'" in aside.reason
        assert aside.expectation and aside.observation_id


PROSE = BY_ESP | {"table": "prose"}


def said(*texts: str, first: int = 10) -> list[Figure]:
    return [figure(t, "prose", n, esp="Discord", year="2022") for n, t in enumerate(texts, start=first)]


def test_what_two_tables_print_alike_is_kept_each_time() -> None:
    result = harmonised([*said("5"), *esps(("Discord", "5"))], BY_ESP, PROSE)
    assert sorted(o.figure.table for o in result.observations) == ["by_esp", "prose"]
    assert len({o.series_id for o in result.observations}) == 1
    assert not result.quarantined


def test_what_two_tables_print_differently_is_quarantined() -> None:
    """As NCMEC's CY 2023 report does of 1998, in its text and in its appendix."""
    result = harmonised([*esps(("Discord", "4,560")), *said("2,772")], BY_ESP, PROSE)
    assert not result.observations
    assert all("'4,560'" in q.reason and "'2,772'" in q.reason for q in result.quarantined)


def test_one_table_that_prints_a_key_twice_is_quarantined_even_where_the_values_agree() -> None:
    assert len(harmonised(said("5", "5"), PROSE).quarantined) == 2


@pytest.mark.parametrize("rounded", ["over 21.7 million", "about 22 million", "more than 22 million"])
def test_a_rounded_figure_is_a_series_of_its_own(rounded: str) -> None:
    result = harmonised([*esps(("Discord", "21,751,085")), *said(rounded)], BY_ESP, PROSE)
    assert len({o.series_id for o in result.observations}) == 2
    assert not result.quarantined


# --- corrections ----------------------------------------------------------------------------------------------------

RECIPIENTS: dict[str, Any] = {
    "table": "recipients",
    "metric": "cybertip_reports_made_available",
    "time_period": {"label": "year"},
    "dimensions": {
        "recipient": {"label": "recipient", "map": {"Federal Law Enforcement": "federal", "Local.*": "local"}},
        "actionability": {"label": "measure", "map": {"Actionable": "actionable", "Informational": "informational"}},
    },
    "totals": {"measure": "Total"},
}


def received(measure: str, text: str, year: str = "2021", recipient: str = "Federal Law\nEnforcement") -> Figure:
    locator = Locator(pointer=f"/{measure}{text}")
    return Figure("recipients", {"recipient": recipient, "year": year, "measure": measure}, text, locator)


def test_the_publishers_slip_is_corrected_and_noted() -> None:
    cells = [received("Actionable", "916,064"), received("International", "590,383"), received("Total", "1,506,447")]
    result = harmonised(cells, RECIPIENTS, source_id="ncmec_ojjdp")
    assert result.quarantined == []
    actionable, informational, total = result.observations
    assert informational.dimensions == {"recipient": "federal", "actionability": "informational"}
    assert (actionable.obs_value or 0) + (informational.obs_value or 0) == total.obs_value
    assert informational.note == (
        "correction ojjdp_2021_federal_informational: measure printed 'International', read as 'Informational'"
    )
    assert informational.label_text == "Federal Law\nEnforcement | 2021 | International"  # as printed
    assert actionable.note is None
    assert unused_corrections(result.observations) == []


@pytest.mark.parametrize(
    "cell", [received("International", "1", year="2022"), received("International", "1", recipient="Local")]
)
def test_a_correction_reaches_no_further_than_its_match(cell: Figure) -> None:
    result = harmonised([cell], RECIPIENTS, source_id="ncmec_ojjdp")
    assert "matches no pattern" in result.quarantined[0].reason


def test_a_correction_of_another_source_or_table_is_not_made() -> None:
    assert "matches no pattern" in reason([received("International", "1")], RECIPIENTS)


def test_a_correction_whose_error_is_mended_upstream_is_told() -> None:
    mended = harmonised([received("Informational", "590,383")], RECIPIENTS, source_id="ncmec_ojjdp").observations
    assert [c.correction_id for c in unused_corrections(mended)] == ["ojjdp_2021_federal_informational"]
    other = harmonised([received("Informational", "3", year="2022")], RECIPIENTS, source_id="ncmec_ojjdp").observations
    assert unused_corrections(other) == unused_corrections([]) == []
    still = harmonised([received("International", "590,383")], RECIPIENTS, source_id="ncmec_ojjdp").observations
    assert unused_corrections([*mended, *still]) == []


# --- the whole ------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8), st.sampled_from(["2022", "FY 2022", "x"])), max_size=6)
)
def test_no_figure_is_lost_whatever_is_printed(rows: list[tuple[str, str, str]]) -> None:
    figures = [figure(text, line=n, esp=name, year=year) for n, (name, text, year) in enumerate(rows)]
    result = harmonised(figures, BY_ESP)
    keys = [(o.series_id, o.time_period) for o in result.observations]
    assert len(keys) == len(set(keys))
    assert all(q.reason for q in result.quarantined)


@pytest.mark.slow
def test_200_000_figures_take_seconds() -> None:
    names = [c.name for c in codes.codelists().organisation.values() if c.kind == "brand"]
    figures = [
        figure(f"{n:,}", line=n, year=str(1990 + n % 100), esp=f"{names[n % len(names)]} {n // 20_000}")
        for n in range(200_000)
    ]
    start = time.process_time()
    result = to_observations(figures, make_document(), make_source([BY_ESP]), "v1")
    assert len(result.observations) + len(result.quarantined) == 200_000
    assert time.process_time() - start < 30  # some 7 s here; a look-up that is not kept would take minutes


EXACT = {
    ("ncmec_by_esp", 2020): (168, 21_447_786),
    ("ncmec_by_esp", 2021): (230, 29_157_083),
    ("ncmec_by_esp", 2022): (236, 31_802_525),
    ("ncmec_by_country", 2020): (245, 21_751_085),
    ("ncmec_by_country", 2021): (245, 29_397_681),
    ("ncmec_by_country", 2022): (247, 32_059_029),
}


@pytest.mark.parametrize(("source_id", "year"), EXACT)
def test_the_originals_come_out_exact_and_wholly_known(originals: Path, source_id: str, year: int) -> None:
    declared = source.load(source_id)
    path = originals / "ncmec" / f"{source_id.replace('_', '-')}-{year}.pdf"
    document = replace(make_document(source_id), path=path)
    result = to_observations(
        declared.extractor("application/pdf")(document, declared.layouts[0]), document, declared, "v1"
    )
    assert result.quarantined == [] and result.provisional == {}
    parts = [o for o in result.observations if not o.is_total]
    (total,) = (o for o in result.observations if o.is_total)
    assert (len(parts), sum(o.obs_value or 0 for o in parts)) == EXACT[source_id, year]
    assert total.obs_value == EXACT[source_id, year][1]


def test_every_name_that_is_listed_is_found_under_its_source_and_day() -> None:
    """The counterpart of the test above, without the originals: each printed name that is listed has its code."""
    lists = codes.codelists()
    for entry in lists.organisation_name:
        if entry.name != "*":
            on = date.fromisoformat(entry.valid_to or "2022-12-31")
            found = codes.find_organisation(entry.name, entry.source_id or "any", on, lists)
            assert found is not None and found.code == entry.organisation, entry
    for area in lists.area_name:
        assert codes.find_area(area.name, area.source_id or "any", lists).code == area.ref_area, area


def test_observations_can_be_written_as_json() -> None:
    observation = one(esps(("Facebook*", "20,307,216"), year="2020"), BY_ESP)
    assert json.loads(json.dumps(observation.dimensions)) == {"affiliates": "combined"}
    assert observation.subject == "meta"


def test_several_labels_are_read_as_one_text() -> None:
    rule = BY_ESP | {
        "subject": "_T",
        "freq": "S",
        "totals": {},
        "time_period": {"label": ["year", "half"], "map": {r"(\d{4}) \| H?([12])": r"\1-S\2"}},
    }
    assert one([figure("5", year="2022", half="H2")], rule).time_period == "2022-S2"
    assert "'2022 | ' of the label ('year', 'half') matches no pattern" in reason([figure("5", year="2022")], rule)
