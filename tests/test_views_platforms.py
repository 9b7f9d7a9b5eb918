"""Roll-ups and comparisons: what may be added is added, whole years only, and units are types."""

import re
from pathlib import Path

import pytest

from lightwell.harmonise import Observation
from lightwell.settings import Settings, resource
from test_warehouse import NEW, OLD, ask, observation, prepared, publish


def part(period: str, value: float, **fields: object) -> Observation:
    """An observation of a half-year, quarter or month of 2022, or of the year."""
    freq = {"": "A", "S": "S", "Q": "Q"}.get(period[:1], "M")
    months = {"S1": (1, 6), "S2": (7, 12), "Q1": (1, 3), "Q2": (4, 6), "Q3": (7, 9), "Q4": (10, 12), "": (1, 12)}
    first, last = months.get(period) or (int(period), int(period))
    made = observation(OLD, f"Platform {period}", value, **{"metric": "reports_to_ncmec", **fields})
    days = {2: 28, 4: 30, 6: 30, 9: 30, 11: 30}.get(last, 31)
    return observation(
        OLD,
        f"Platform {period}",
        value,
        **{
            "metric": "reports_to_ncmec",
            "freq": freq,
            "series_id": f"{hash_of(freq, made.subject, made.metric):016x}",
            "time_period": f"2022-{period}" if period else "2022",
            "period_start": made.period_start.replace(month=first),
            "period_end": made.period_end.replace(month=last, day=days),
            **fields,
        },
    )


def hash_of(*texts: str) -> int:
    return sum(ord(c) * 31**i for i, c in enumerate("|".join(texts))) % 2**60


def annual(settings: Settings, *parts: Observation) -> list[tuple]:
    publish(settings, [prepared(OLD, *parts)])
    return ask(settings, "SELECT subject, year, obs_value, made_of FROM annual_flow ORDER BY ALL")


def test_halves_quarters_and_months_that_cover_the_year_are_added(settings: Settings) -> None:
    rows = annual(
        settings,
        part("S1", 3, subject="snap"), part("S2", 4, subject="snap"),
        *(part(f"Q{q}", q, subject="discord") for q in range(1, 5)),
        *(part(f"{m:02}", 1, subject="reddit") for m in range(1, 13)),
    )  # fmt: skip
    assert rows == [("discord", 2022, 10, "Q"), ("reddit", 2022, 12, "M"), ("snap", 2022, 7, "S")]


def test_a_year_with_a_part_missing_has_no_row(settings: Settings) -> None:
    assert annual(settings, *(part(f"Q{q}", 5, subject="discord") for q in (1, 2, 4))) == []


def test_the_printed_year_goes_before_its_parts_and_is_not_added_to_them(settings: Settings) -> None:
    rows = annual(settings, part("", 9, subject="snap"), part("S1", 3, subject="snap"), part("S2", 4, subject="snap"))
    assert rows == [("snap", 2022, 9, "A")]


def test_what_may_not_be_added_is_not(settings: Settings) -> None:
    share = {"metric": "cybertip_reports_share", "unit_measure": "percent"}
    assert annual(settings, part("S1", 3, subject="snap", **share), part("S2", 4, subject="snap", **share)) == []


def test_brands_are_added_to_the_company_that_owned_them(settings: Settings) -> None:
    brands = [observation(OLD, b, n, subject=b) for b, n in (("facebook", 5), ("instagram", 2), ("reddit", 9))]
    total = observation(OLD, "Total", 16, subject="esp", is_total=True)
    publish(settings, [prepared(OLD, *brands, total)])
    found = ask(settings, "SELECT company, obs_value, subjects FROM company_annual_flow ORDER BY 1")
    assert found == [("meta", 7, ["facebook", "instagram"]), ("reddit", 9, ["reddit"])]


def test_platform_and_clearinghouse_stand_side_by_side_with_the_base_named(settings: Settings) -> None:
    counted = [observation(OLD, "Google", 200, subject="google")]
    own = [
        part("S1", 60, subject="google"), part("S2", 70, subject="google"),
        part("S1", 30, subject="youtube"), part("S2", 30, subject="youtube"),
    ]  # fmt: skip
    publish(settings, [prepared(OLD, *counted, *own)])
    assert ask(
        settings,
        "SELECT subject, year, platform_count, clearinghouse_reports, platform_minus_clearinghouse, "
        "difference_percent_of_clearinghouse FROM platform_vs_clearinghouse",
    ) == [("google", 2022, 190, 200, -10, -5)]


@pytest.mark.parametrize("accounts", [50, 100])
def test_accounts_against_reports_are_flagged(settings: Settings, accounts: int) -> None:
    own = part("", accounts, subject="discord", metric="accounts_reported", unit_measure="accounts")
    publish(settings, [prepared(OLD, observation(OLD, "Discord", 100, subject="discord"), own)])
    asked = "SELECT platform_unit_measure, explanation FROM platform_vs_clearinghouse"
    assert ask(settings, asked) == [("accounts", "unit")]


def explained(settings: Settings, own: float, counted: float, subject: str = "reddit") -> tuple:
    side = part("", own, subject=subject)
    publish(settings, [prepared(OLD, observation(OLD, "Them", counted, subject=subject), side)])
    [row] = ask(settings, "SELECT explanation, explanation_note, tolerance_percent FROM platform_vs_clearinghouse")
    return row


@pytest.mark.parametrize(
    ("own", "code"), [(100, "equal"), (96, "within_tolerance"), (104, "within_tolerance"), (94, "not_explained")]
)
def test_a_difference_over_the_tolerance_needs_an_explanation(settings: Settings, own: float, code: str) -> None:
    assert explained(settings, own, 100) == (code, None, 5)


def test_an_explanation_that_was_found_goes_with_its_year(built: Settings) -> None:
    sql = "SELECT explanation, explanation_note FROM platform_vs_clearinghouse WHERE subject = 'amazon' AND year = 2025"
    [(code, note)] = ask(built, sql)
    assert code == "training_data" and "1,105,405" in note


def test_the_values_of_the_edition_and_the_transcriptions(built: Settings) -> None:
    """QUESTIONS 2b, for the years whose counts are at hand: own reports against NCMEC's, in percent of NCMEC's."""
    known = {
        ("google", 2020): 0.21, ("google", 2021): -0.62, ("google", 2022): -0.01, ("google", 2024): 0.08,
        ("google", 2025): -0.29, ("reddit", 2020): 0, ("reddit", 2021): 0, ("reddit", 2022): 0, ("reddit", 2024): 0,
        ("reddit", 2025): 0.19, ("openai", 2024): 0, ("openai", 2025): 0, ("pornhub", 2020): -68.5,
        ("pornhub", 2021): 0, ("pornhub", 2022): 0, ("pornhub", 2024): 0, ("pornhub", 2025): 3.6,
        ("snapchat", 2022): -0.06, ("snapchat", 2024): -10.6, ("snapchat", 2025): -0.03, ("pinterest", 2022): -3.9,
        ("pinterest", 2024): -61.7, ("pinterest", 2025): -2.5, ("microsoft", 2024): -1.2, ("microsoft", 2025): -7.7,
        ("amazon", 2024): -15.0, ("amazon", 2025): -97.7, ("x", 2024): -0.24, ("bluesky", 2024): -0.2,
        ("bluesky", 2025): -0.5, ("meta", 2024): -2.6, ("meta", 2025): -3.9, ("twitch", 2025): -41.0,
        ("discord", 2023): -51.5,
    }  # fmt: skip
    found = {
        (s, y): d
        for s, y, d in ask(
            built,
            "SELECT subject, year, difference_percent_of_clearinghouse FROM platform_vs_clearinghouse "
            "WHERE platform_source_id = 'platform_disclosures'",
        )
    }
    for key, percent in known.items():
        digits = len(str(percent).partition(".")[2])
        assert round(found[key], digits) == percent, key


# ---- units are types

_SUM = re.compile(r"\bsum\(\s*[\w.]*obs_value\s*\)", re.IGNORECASE)


def mixes_units(sql: str) -> bool:
    """Whether a query adds values without keeping units apart: by grouping on them, or by naming the metric."""
    text = re.sub(r"--.*", "", sql)
    if not _SUM.search(text):
        return False
    groups = re.findall(r"GROUP BY(.*?)(?:HAVING|QUALIFY|;|ORDER|$)", text, re.DOTALL)
    grouped = any("unit_measure" in group or re.search(r"\bmetric\b", group) for group in groups)
    return not grouped and re.search(r"\bmetric\s*=", text) is None


@pytest.mark.parametrize("path", sorted(resource("sql").rglob("*.sql")), ids=lambda p: p.stem)
def test_no_query_of_ours_adds_different_units(path: Path) -> None:
    assert not mixes_units(path.read_text(encoding="utf-8")), f"{path.name} adds values of different units"


def test_a_query_that_adds_different_units_is_found() -> None:
    assert mixes_units("SELECT subject, sum(obs_value) FROM observation GROUP BY subject;")
    assert not mixes_units("SELECT unit_measure, sum(obs_value) FROM observation GROUP BY unit_measure;")
    assert not mixes_units("SELECT sum(obs_value) FROM observation WHERE metric = 'cybertip_reports';")


def test_a_metric_has_one_unit(settings: Settings) -> None:
    from lightwell import codes

    assert all(m.unit_measure in codes.codelists().unit for m in codes.codelists().metric.values())
    assert NEW.document_id != OLD.document_id
