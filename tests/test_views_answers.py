"""The answers in SQL: growth that stops at breaks, gaps that show, shares with their base. Each is computed by hand."""

from datetime import date
from typing import Any

import pytest

from lightwell import warehouse
from lightwell.harmonise import Observation
from lightwell.settings import Settings
from lightwell.tables import Locator
from test_warehouse import NEW, OLD, ask, document, observation, prepared, publish, three_documents

TRANSCRIBED = document("ncmec-transcribed", source_id="ncmec_transcribed", published_on=date(2026, 1, 1))


def at(line: int) -> str:
    return str(Locator(line=line, column="value"))


def year(value: float | None, of_year: int, **fields: Any) -> Observation:
    """NCMEC's worldwide count of one year, as transcribed."""
    return observation(TRANSCRIBED, "Total", value, of_year, **{"locator": at(of_year), **fields})


def incidents(value: float, of_year: int) -> Observation:
    return year(value, of_year, metric="cybertip_incidents", unit_measure="incidents", locator=at(9000 + of_year))


# ---- growth and trend


def test_growth_is_the_fold_change_and_the_rate_a_year(settings: Settings) -> None:
    publish(settings, [prepared(TRANSCRIBED, year(100, 2014), year(200, 2016))])
    [row] = ask(
        settings, "SELECT fold_change, cagr, breaks_crossed, reason FROM growth('cybertip_reports', '2014', '2016')"
    )
    assert row[0] == 2 and row[1] == pytest.approx(2**0.5 - 1)
    assert row[2:] == ([], None)


def test_growth_across_a_break_is_null_with_the_reason(settings: Settings) -> None:
    facebook = [observation(OLD, "Facebook", n, y, subject="facebook") for n, y in ((100, 2020), (300, 2022))]
    publish(settings, [prepared(OLD, *facebook)])
    [row] = ask(settings, "SELECT fold_change, cagr, reason FROM growth('cybertip_reports', '2020', '2022')")
    assert row == (None, None, "not comparable: Brands listed separately")


def test_growth_across_a_break_is_bridged_where_the_publisher_gives_both_bases(settings: Settings) -> None:
    publish(
        settings, [prepared(TRANSCRIBED, year(36_200_000, 2023), year(20_500_000, 2024), incidents(29_200_000, 2024))]
    )
    [row] = ask(
        settings,
        "SELECT to_value, fold_change, bridge_metric, bridge_value, reason, len(observation_ids) "
        "FROM growth('cybertip_reports', '2023', '2024')",
    )
    assert row[0] == 20_500_000 and row[1] == pytest.approx(29.2 / 36.2)
    assert row[2:4] == ("cybertip_incidents", 29_200_000) and row[5] == 3
    assert row[4].startswith("bridged by the publisher with cybertip_incidents")


def test_growth_across_a_bridged_break_without_the_bridge_is_null(settings: Settings) -> None:
    publish(settings, [prepared(TRANSCRIBED, year(36_200_000, 2023), year(20_500_000, 2024))])
    [row] = ask(settings, "SELECT fold_change, reason FROM growth('cybertip_reports', '2023', '2024')")
    assert row[0] is None and "not comparable" in row[1]


@pytest.mark.parametrize(
    ("first", "last", "reason"), [(0, 5, "grows from zero"), (None, 5, "one of the two values is missing or held back")]
)
def test_growth_from_zero_or_nothing_is_null_with_the_reason(
    settings: Settings, first: float | None, last: float, reason: str
) -> None:
    publish(settings, [prepared(TRANSCRIBED, year(first, 2014), year(last, 2015))])
    assert ask(settings, "SELECT fold_change, reason FROM growth('cybertip_reports', '2014', '2015')") == [
        (None, reason)
    ]


def test_a_trend_names_the_break_between_two_values_and_gives_no_change_across_it(settings: Settings) -> None:
    values = [year(100, 2021), year(150, 2022), year(300, 2023), year(200, 2024), year(300, 2025)]
    publish(settings, [prepared(TRANSCRIBED, *values)])
    rows = ask(
        settings, "SELECT time_period, change_percent_of_previous, len(breaks) > 0 FROM trend('cybertip_reports')"
    )
    assert rows == [
        ("2021", None, False),
        ("2022", 50, False),
        ("2023", 100, False),
        ("2024", None, True),
        ("2025", 50, False),
    ]


# ---- as of a day


def test_every_view_answers_as_of_a_day(settings: Settings) -> None:
    publish(settings, three_documents())
    sql = "SELECT reports FROM reports_by_organisation WHERE organisation = 'facebook'"
    with warehouse.connect(settings) as con:
        assert con.execute(sql).fetchall() == [(21_165_200,)]
        con.execute("SET VARIABLE as_of = DATE '2023-12-31'")
        assert con.execute(sql).fetchall() == [(21_165_208,)]
        assert con.execute("SELECT count(DISTINCT document_id) FROM vintage").fetchall() == [(2,)]
        con.execute("SET VARIABLE as_of = DATE '2023-01-01'")
        assert con.execute(sql).fetchall() == []
        con.execute("RESET VARIABLE as_of")
        assert con.execute(sql).fetchall() == [(21_165_200,)]
    assert OLD.published_on < NEW.published_on  # type: ignore[operator]


@pytest.mark.parametrize(
    ("period", "day"),
    [
        ("2023", "2023-01-01"), ("2023-S1", "2023-01-01"), ("2023-S2", "2023-07-01"), ("2023-Q4", "2023-10-01"),
        ("2023-07", "2023-07-01"), ("2023-07-09", "2023-07-09"), ("2022-07-01/P1Y", "2022-07-01"),
    ],
)  # fmt: skip
def test_the_first_day_of_a_period(settings: Settings, period: str, day: str) -> None:
    publish(settings, three_documents())
    assert ask(settings, f"SELECT first_day('{period}')") == [(date.fromisoformat(day),)]


# ---- coverage


def state(settings: Settings, organisation: str, harm: str) -> dict[int, str]:
    sql = "SELECT year, state FROM coverage WHERE organisation = ? AND harm = ? ORDER BY year"
    with warehouse.connect(settings) as con:
        return dict(con.execute(sql, [organisation, harm]).fetchall())


def test_coverage_tells_four_states_apart(settings: Settings) -> None:
    def kind(harm: str, value: float | None, of_year: int) -> Observation:
        return year(value, of_year, harm=harm, locator=at(of_year * 100 + len(harm)), series_id=f"{len(harm):016x}")

    csam = [kind("csam", 5, 2020), kind("csam", 0, 2021)]
    publish(settings, [prepared(TRANSCRIBED, *csam, kind("grooming", None, 2021), kind("sextortion", 1, 2021))])
    assert state(settings, "ncmec", "csam") == {2020: "counted", 2021: "zero"}
    assert state(settings, "ncmec", "grooming") == {2020: "not_measured", 2021: "not_disclosed"}
    assert state(settings, "ncmec", "sextortion") == {2020: "not_disclosed", 2021: "counted"}
    assert state(settings, "ncmec", "livestreamed_abuse") == {2020: "not_measured", 2021: "not_measured"}
    [(searched,)] = ask(
        settings, "SELECT documents_searched FROM coverage WHERE harm = 'livestreamed_abuse' AND year = 2020"
    )
    assert searched == [TRANSCRIBED.url]


def test_nobody_counts_livestreamed_abuse(released: Settings) -> None:
    """Q3: a row of gaps for every platform and for NCMEC, each with the documents searched."""
    rows = ask(
        released, "SELECT organisation, state, len(documents_searched) FROM coverage WHERE harm = 'livestreamed_abuse'"
    )
    states = {s for organisation, s, _ in rows if organisation != "esafety"}
    assert states == {"not_measured", "not_disclosed"}
    assert all(searched > 0 for _, s, searched in rows if s == "not_measured")
    assert {"ncmec", "meta", "google", "tiktok", "discord"} <= {organisation for organisation, _, _ in rows}


def test_silence_names_the_pages_searched(released: Settings) -> None:
    rows = ask(released, "SELECT subject, pages_searched, last_counted_day FROM silence")
    assert {"apple", "telegram"} <= {subject for subject, _, _ in rows}


# ---- minimum reporting, copies, concentration


def shared(recipient: str, actionability: str, value: float) -> Observation:
    return year(
        value, 2022, metric="cybertip_reports_made_available",
        dimensions={"recipient": recipient, "actionability": actionability},
        locator=at(len(recipient) * 100 + len(actionability)),
    )  # fmt: skip


def test_the_informational_share_has_both_counts_as_its_base(settings: Settings) -> None:
    cells = [
        shared("icac", "informational", 10), shared("icac", "actionable", 30), shared("icac", "_T", 40),
        shared("federal", "informational", 20), shared("federal", "actionable", 20),
    ]  # fmt: skip
    publish(settings, [prepared(TRANSCRIBED, *cells)])
    sql = "SELECT recipient, informational, referred, informational_percent_of_both FROM minimum_reporting ORDER BY 1"
    assert ask(settings, sql) == [("_T", 30, 50, 37.5), ("federal", 20, 20, 50), ("icac", 10, 30, 25)]


def test_the_informational_share_of_the_edition(released: Settings) -> None:
    """Q4: all recipients 2020 to 2024, and by country in 2024."""
    rows = ask(released, "SELECT year, ref_area, recipient, informational_percent_of_both FROM minimum_reporting")
    everyone = {y: round(p, 1) for y, area, recipient, p in rows if recipient == "_T" and area == "_T"}
    assert everyone == {2020: 53.9, 2021: 37.4, 2022: 50.9, 2023: 49.7, 2024: 21.6}
    by_area = {area: round(p, 1) for y, area, recipient, p in rows if y == 2024 and recipient is None}
    known = {"GBR": 48.9, "AUS": 60.5, "PHL": 20.7, "IND": 32.4, "USA": 19.4}
    assert {area: by_area[area] for area in known} == known


def test_the_share_of_unique_files(settings: Settings) -> None:
    files = year(
        200, 2022, metric="files_reported", unit_measure="files", dimensions={"file_type": "image"}, locator=at(1)
    )
    unique = year(
        50, 2022, metric="files_unique_by_hash", unit_measure="files",
        dimensions={"file_type": "image", "technology": "md5"}, locator=at(2),
    )  # fmt: skip
    publish(settings, [prepared(TRANSCRIBED, files, unique)])
    assert ask(settings, "SELECT file_type, files, unique_files, unique_percent_of_files FROM new_or_recycled") == [
        ("image", 200, 50, 25)
    ]


def test_the_unique_files_of_the_edition(released: Settings) -> None:
    """Q6: images and videos unique by MD5, 2020 and 2023."""
    rows = ask(
        released, "SELECT year, file_type, unique_percent_of_files FROM new_or_recycled WHERE technology = 'md5'"
    )
    found = {(y, kind): round(p, 1) for y, kind, p in rows}
    known = {(2020, "image"): 53.9, (2020, "video"): 29.0, (2023, "image"): 58.9, (2023, "video"): 35.6}
    assert {key: found[key] for key in known} == known


def providers(of_year: int, **reports: float) -> list[Observation]:
    rows = [observation(OLD, s, n, of_year, subject=s, locator=at(of_year * 100 + len(s))) for s, n in reports.items()]
    total = observation(OLD, "Total", sum(reports.values()), of_year, subject="esp", is_total=True, locator=at(of_year))
    return [*rows, total]


def test_concentration_is_of_companies_against_the_printed_total(settings: Settings) -> None:
    publish(settings, [prepared(OLD, *providers(2022, facebook=50, instagram=20, reddit=20, discord=10))])
    assert ask(
        settings,
        "SELECT companies, largest, largest_percent_of_all, top_5_percent_of_all, herfindahl_hirschman_index "
        "FROM share_of_reports_concentration",
    ) == [(3, "Meta", 70, 100, 70**2 + 20**2 + 10**2)]


def test_rows_that_do_not_make_up_the_total_have_shares_but_no_concentration(settings: Settings) -> None:
    *rows, total = providers(2022, facebook=50, reddit=50)
    publish(settings, [prepared(OLD, rows[0], total)])
    assert ask(settings, "SELECT company, percent_of_all FROM share_of_reports") == [("meta", 50)]
    assert ask(settings, "SELECT * FROM share_of_reports_concentration") == []


def test_new_and_vanished_reporters(settings: Settings) -> None:
    publish(settings, [prepared(OLD, *providers(2021, reddit=1, omegle=2), *providers(2022, reddit=3, discord=4))])
    assert ask(settings, "SELECT year, direction, organisation, reports FROM reports_turnover ORDER BY direction") == [
        (2022, "new", "discord", 4), (2022, "vanished", "omegle", 2),
    ]  # fmt: skip


def test_years_that_are_not_side_by_side_have_no_turnover(settings: Settings) -> None:
    publish(settings, [prepared(OLD, *providers(2020, reddit=1), *providers(2022, discord=4))])
    assert ask(settings, "SELECT * FROM reports_turnover") == []


def test_growth_and_concentration_of_the_edition(released: Settings) -> None:
    """Q1 and Q18: the check values."""
    world = (
        "SELECT fold_change FROM growth('cybertip_reports', '2014', '2023') WHERE subject = '_T' AND ref_area = '_T'"
    )
    assert [round(x, 1) for (x,) in ask(released, world)] == [32.7]
    philippines = "SELECT fold_change FROM growth('cybertip_reports', '2019', '2023') WHERE ref_area = 'PHL'"
    assert [round(x, 2) for (x,) in ask(released, philippines)] == [3.42]
    meta = dict(ask(released, "SELECT year, percent_of_all FROM share_of_reports WHERE company = 'meta'"))
    assert round(meta[2019], 1) == 94.3 and round(meta[2025], 1) == 51.9
