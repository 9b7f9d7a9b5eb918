"""Statements about minors in SQL: by platform and month, keywords, automation, against the harmonised reports."""

from calendar import monthrange
from datetime import date, timedelta
from typing import Any

from lightwell.harmonise import Observation
from lightwell.settings import Settings
from lightwell.tables import Locator
from test_warehouse import ask, document, observation, prepared, publish

EDITION = document("statements", source_id="dsa_statements", published_on=date(2025, 12, 31))
OWN = document("own", source_id="dsa_statements", published_on=date(2026, 1, 1))
REPORT = document("report", source_id="dsa_tiktok", published_on=date(2026, 1, 2))
CSAM = {"category": "_T", "keyword": "child_sexual_abuse_material"}
MINORS = {"category": "protection_of_minors", "keyword": "_T"}
ALL = {"category": "_T", "keyword": "_T"}

_line = iter(range(1, 1_000_000))


def figure(of: Any, value: float, period: str, parts: dict[str, str], **fields: Any) -> Observation:
    """One count of a month (2025-09), of days on end (2025-09-01/P3D) or of a half-year (2025-S2)."""
    freq, start, end = span(period)
    made = {
        "source_id": of.source_id, "reporter": "european_commission", "subject": "tiktok", "ref_area": "EUE",
        "metric": "dsa_statements", "unit_measure": "statements", "dimensions": parts, "freq": freq,
        "time_period": period, "period_start": start, "period_end": end, "harm": "minor_safety",
        "locator": str(Locator(line=next(_line), column="value")), **fields,
    }  # fmt: skip
    key = [made[name] for name in ("subject", "metric", "freq", "source_id")] + [sorted(parts.items()), fields]
    return observation(of, "a row", value, series_id=f"{abs(hash(str(key))):016x}"[:16], **made)


def span(period: str) -> tuple[str, date, date]:
    if "/" in period:
        start = date.fromisoformat(period[:10])
        return "_O", start, start + timedelta(days=int(period[12:-1]) - 1)
    if "S" in period:
        return "S", date(int(period[:4]), 7, 1), date(int(period[:4]), 12, 31)
    year, month = map(int, period.split("-"))
    return "M", date(year, month, 1), date(year, month, monthrange(year, month)[1])


def month(period: str, statements: float, minors: float | None = None, csam: float | None = None, **fields: Any) -> Any:
    """A platform's month as the edition has it: no row where there is none."""
    of = fields.pop("of", EDITION)
    yield figure(of, statements, period, ALL, harm="_Z", is_total=True, **fields)
    if minors is not None:
        yield figure(of, minors, period, MINORS, **fields)
    if csam is not None:
        yield pairs(period, csam, CSAM, of=of, **fields)


def pairs(period: str, value: float, parts: dict[str, str], of: Any = EDITION, **fields: Any) -> Observation:
    return figure(of, value, period, parts, metric="dsa_statement_keywords", unit_measure="pairs", **fields)


def marked(period: str, metric: str, value: float, **fields: Any) -> Observation:
    return figure(OWN, value, period, ALL, metric=metric, **fields)


def test_statements_about_minors_by_month(settings: Settings) -> None:
    publish(settings, [prepared(EDITION, *month("2025-06", 200, 50, 10), *month("2025-07", 100))])
    columns = (
        "time_period, day_count, statements, minors_statements, minors_percent_of_statements, csam_pairs, "
        "csam_deepfake_pairs, unsafe_challenge_pairs, grooming_pairs, about_minors, is_lower_bound"
    )
    assert ask(settings, f"SELECT {columns} FROM minors_statements ORDER BY time_period") == [
        ("2025-06", 30, 200, 50, 25, 10, None, None, 0, None, False),  # two keywords came with the second schema
        ("2025-07", 31, 100, 0, 0, 0, 0, 0, 0, None, False),
    ]


def test_a_month_that_is_counted_whole_replaces_its_part(settings: Settings) -> None:
    edition = [*month("2026-01-01/P10D", 10, 5), *month("2025-12", 31, 9)]
    own = [*month("2026-01", 40, 8, of=OWN), *month("2025-12-01/P20D", 20, 7, of=OWN)]
    publish(settings, [prepared(EDITION, *edition), prepared(OWN, *own)])
    asked = "SELECT time_period, statements, minors_statements FROM minors_statements ORDER BY period_start"
    assert ask(settings, asked) == [("2025-12", 31, 9), ("2026-01", 40, 8)]


def test_the_newest_count_of_a_month_holds_though_it_is_a_lower_bound(settings: Settings) -> None:
    own = month("2025-09", 11, 6, of=OWN, comparator=">=")
    publish(settings, [prepared(EDITION, *month("2025-09", 10, 5)), prepared(OWN, *own)])
    asked = "SELECT statements, minors_statements, is_lower_bound FROM minors_statements"
    assert ask(settings, asked) == [(11, 6, True)]


def test_who_labels_such_material_and_who_never_does(settings: Settings) -> None:
    grooming = {"category": "_T", "keyword": "grooming_sexual_enticement_minors"}
    rows = [
        *month("2025-08", 100, 40),
        *month("2025-08", 100, 40, 10, subject="discord"),
        *month("2025-09", 100, 10, 20, subject="discord"),
        pairs("2025-09", 5, grooming, subject="discord"),
        *month("2025-09", 100, subject="etsy"),  # nothing about minors: not in it
    ]
    publish(settings, [prepared(EDITION, *rows)])
    asked = (
        "SELECT subject, periods, minors_statements, csam_pairs, csam_pairs_per_100_minors_statements, "
        "keyword_pairs_per_100_minors_statements, first_csam_period, never_says_csam "
        "FROM statements_keyword_use ORDER BY subject"
    )
    assert ask(settings, asked) == [
        ("discord", 2, 50, 30, 60, 70, "2025-08", False),
        ("tiktok", 1, 40, 0, 0, 0, None, True),
    ]


def test_how_much_is_decided_and_detected_automatically(settings: Settings) -> None:
    rows = [
        *month("2025-09", 100, of=OWN),
        marked("2025-09", "dsa_statements_about_minors", 40),
        marked("2025-09", "dsa_statements_about_minors_automated", 10),
        marked("2025-09", "dsa_statements_about_minors_detected", 30),
        *month("2025-10", 5, of=OWN),  # not told: not in it
    ]
    play: list[Observation] = []
    for period in ("2026-05", "2026-06"):
        play += month(period, 100, of=OWN, subject="google_play")
        play.append(marked(period, "dsa_statements_about_minors", 0, subject="google_play"))
    publish(settings, [prepared(OWN, *rows, *play)])
    asked = (
        "SELECT subject, time_period, automated_percent_of_about_minors, detected_percent_of_about_minors, "
        "known_fault IS NOT NULL FROM statements_automation_share ORDER BY subject, time_period"
    )
    assert ask(settings, asked) == [
        ("google_play", "2026-05", None, None, True),
        ("google_play", "2026-06", None, None, False),
        ("tiktok", "2025-09", 25, 75, False),
    ]


def reported(metric: str, value: float, grain: str = "category", **parts: str) -> dict[str, Any]:
    """A number about minors of a harmonised report, of whichever platform."""
    plain = {"grain": grain, "category": "protection_of_minors", "keyword": "_T", "other": "_T", "surface": "main"}
    unit = "notices" if metric == "dsa_notices" else "measures"
    return {"value": value, "parts": plain | parts, "metric": metric, "unit_measure": unit}


def half_year(minors: float, months: int = 6, **fields: Any) -> list[Observation]:
    return [o for n in range(7, 7 + months) for o in month(f"2025-{n:02d}", 100, minors, **fields)]


OWN_MEASURES = [
    reported("dsa_own_initiative", 300, ground="terms", restriction="_T"),
    reported("dsa_own_initiative", 100, ground="illegal", restriction="_T"),
]
UPON_NOTICES = [reported("dsa_notice_actions_law", 150), reported("dsa_notice_actions_terms", 50)]
ALL_PARTS = OWN_MEASURES + UPON_NOTICES
ASIDE = [  # must not be added: one kind of restriction, a keyword, notices themselves
    reported("dsa_own_initiative_restrictions", 300, ground="terms", restriction="account_suspension"),
    reported("dsa_own_initiative", 70, "keyword", ground="terms", restriction="_T", keyword="x"),
    reported("dsa_notices", 900),
]
CASES: dict[str, tuple[float, list[dict[str, Any]], tuple[object, ...] | None]] = {  # statements a month, report, row
    "tiktok": (100, ALL_PARTS + ASIDE, (600, 400, 200, 900, 600, 0, 0, "equal")),
    "facebook": (102, ALL_PARTS, (612, 400, 200, None, 600, 12, 2, "within_tolerance")),
    "instagram": (50, ALL_PARTS, (300, 400, 200, None, 600, -300, -50, "not_explained")),
    "snapchat": (50, OWN_MEASURES, (300, 400, None, None, 400, -100, -25, "incomplete")),
    "discord": (50, ASIDE[2:], (300, None, None, 900, None, None, None, "incomplete")),
    "youtube": (100, [], None),
}


def test_statements_against_the_harmonised_reports(settings: Settings) -> None:
    submitted = [o for subject, (minors, _, _) in CASES.items() for o in half_year(minors, subject=subject)]
    submitted += half_year(100, subject="x", comparator=">=") + half_year(100, months=5, subject="pinterest")
    report = [(subject, one) for subject, (_, rows, _) in CASES.items() for one in rows]
    report += [(subject, one) for subject in ("x", "pinterest", "linkedin") for one in ALL_PARTS]
    made = [figure(REPORT, period="2025-S2", subject=subject, reporter=subject, **one) for subject, one in report]
    publish(settings, [prepared(EDITION, *submitted), prepared(REPORT, *made)])
    asked = (
        "SELECT subject, minors_statements, own_initiative_measures, notice_measures, notices, harmonised_measures, "
        "statements_minus_harmonised, difference_percent_of_harmonised, explanation FROM statements_vs_harmonised"
    )
    found = {str(subject): tuple(row) for subject, *row in ask(settings, asked)}
    expected = {subject: row for subject, (_, _, row) in CASES.items() if row is not None}
    assert found == expected | {"x": (600, 400, 200, None, 600, 0, 0, "within_tolerance")}


def test_the_edition_says_what_was_counted(released: Settings) -> None:
    asked = "SELECT count(*), count(DISTINCT subject), sum(minors_statements), sum(csam_pairs) FROM minors_statements"
    assert ask(released, asked) == [(1167, 78, 84_905_587, 4_833_075)]
    asked = "SELECT subject, minors_statements FROM statements_keyword_use ORDER BY 2 DESC LIMIT 3"
    assert ask(released, asked) == [("tiktok", 60_063_791), ("discord", 9_708_267), ("facebook", 3_385_650)]
    asked = "SELECT subject, csam_pairs FROM statements_keyword_use ORDER BY 2 DESC LIMIT 3"
    assert ask(released, asked) == [("discord", 4_100_890), ("snapchat", 504_322), ("x", 180_466)]
    silent = "'facebook', 'instagram', 'threads', 'tiktok', 'youtube', 'reddit', 'pinterest'"
    asked = f"SELECT count(*) FROM statements_keyword_use WHERE never_says_csam AND subject IN ({silent})"
    assert ask(released, asked) == [(7,)]


def test_the_edition_has_one_platform_on_both_sides(released: Settings) -> None:
    asked = "SELECT subject, time_period, minors_statements, notices, explanation FROM statements_vs_harmonised"
    assert ask(released, asked) == [("tiktok", "2025-S2", 3_482_159, 77_123, "incomplete")]
    assert ask(released, "SELECT count(*) FROM statements_automation_share") == [(0,)]
