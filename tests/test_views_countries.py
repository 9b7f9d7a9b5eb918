"""Governments, hotlines and context in SQL: the country panel, the enforcement funnel, suspicious transactions."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from lightwell.harmonise import Observation
from lightwell.settings import Settings
from lightwell.tables import Locator
from test_warehouse import ask, document, observation, prepared, publish

BY_COUNTRY = document("by-country", source_id="ncmec_by_country", published_on=date(2023, 5, 1))
POPULATION = document("population", source_id="worldbank_population", published_on=date(2023, 7, 1))
USERS = document("users", source_id="worldbank_internet_users", published_on=date(2023, 7, 1))
VICTIMS = document("glotip", source_id="unodc_glotip", published_on=date(2023, 5, 30))
TIERS = document("tiers", source_id="us_tip_tiers", published_on=date(2023, 6, 1))
STRS = document("strs", source_id="ph_amlc", published_on=date(2023, 7, 19))
POLICE = replace(document("operations", source_id="ph_ijm", published_on=date(2020, 11, 1)), method="transcribed")
DOJ = replace(document("doj", source_id="ph_doj_ooc", published_on=date(2022, 12, 1)), method="transcribed")

_line = iter(range(1, 1_000_000))


def figure(of: Any, value: float | None, year: int = 2022, **fields: Any) -> Observation:
    """One figure of a document, on a line of its own."""
    source = {"source_id": of.source_id, "locator": str(Locator(line=next(_line), column="value"))}
    made = {**source, **fields}
    series = "|".join(f"{k}={v}" for k, v in sorted(made.items()) if k not in ("locator", "obs_status", "obs_text"))
    return observation(of, "a row", value, year, **{"series_id": f"{hash_of(series):016x}", **made})


def hash_of(text: str) -> int:
    found = 7
    for character in text:
        found = (found * 131 + ord(character)) % 2**60
    return found


def reports(area: str, value: float, year: int = 2022) -> Observation:
    return figure(BY_COUNTRY, value, year, ref_area=area)


def people(area: str, value: float, year: int = 2022) -> Observation:
    count = {"metric": "population", "unit_measure": "persons", "reporter": "world_bank", "harm": "_Z"}
    return figure(POPULATION, value, year, ref_area=area, **count)


def online(area: str, value: float, year: int = 2022, metric: str = "internet_users") -> Observation:
    unit = {"internet_users": "persons", "internet_users_share": "percent"}[metric]
    return figure(USERS, value, year, ref_area=area, metric=metric, unit_measure=unit, reporter="world_bank", harm="_Z")


def victims(area: str, value: float | None, year: int = 2022, status: str = "A", **dimensions: str) -> Observation:
    parts = {"sex": "_T", "age": "_T", "citizenship": "_T", **dimensions}
    return figure(
        VICTIMS, value, year, ref_area=area, metric="trafficking_victims_detected", unit_measure="victims",
        reporter="unodc", harm="trafficking_in_persons", dimensions=parts, obs_status=status,
    )  # fmt: skip


def tier(area: str, value: float | None, text: str, year: int = 2022) -> Observation:
    return figure(
        TIERS, value, year, ref_area=area, metric="tip_tier", unit_measure="tier", reporter="us_department_of_state",
        harm="trafficking_in_persons", obs_text=text, obs_status="O" if value is None else "A",
    )  # fmt: skip


def panel(settings: Settings, columns: str, *observations: Observation) -> list[tuple]:
    sources = (BY_COUNTRY, POPULATION, USERS, VICTIMS, TIERS, STRS)
    documents = [prepared(d, *own) for d in sources if (own := [o for o in observations if o.source_id == d.source_id])]
    publish(settings, documents)
    return ask(settings, f"SELECT {columns} FROM country_panel ORDER BY ref_area, time_period")


# ---- country_panel


def test_rates_are_reports_over_people_of_the_same_year(settings: Settings) -> None:
    rows = panel(
        settings,
        "ref_area, time_period, reports, population, internet_users, reports_per_100000_people, "
        "reports_per_100000_internet_users",
        reports("PHL", 500), people("PHL", 100_000), online("PHL", 50_000),
    )  # fmt: skip
    assert rows == [("PHL", "2022", 500, 100_000, 50_000, 500, 1000)]


def test_the_share_of_people_online_goes_before_a_printed_number(settings: Settings) -> None:
    rows = panel(
        settings, "internet_users, internet_users_percent",
        reports("PHL", 500), people("PHL", 100_000), online("PHL", 50_000),
        online("PHL", 80, metric="internet_users_share"),
    )  # fmt: skip
    assert rows == [(80_000, 80)]


def test_users_of_an_earlier_year_are_named_as_such_and_not_used_after_two(settings: Settings) -> None:
    rows = panel(
        settings, "time_period, internet_users_year, reports_per_100000_internet_users",
        *(reports("PHL", 10, y) for y in range(2019, 2024)), online("PHL", 100_000, 2020),
    )  # fmt: skip
    assert rows == [
        ("2019", None, None),
        ("2020", 2020, 10),
        ("2021", 2020, 10),
        ("2022", 2020, 10),
        ("2023", None, None),
    ]


def test_what_is_not_counted_is_null_and_never_zero(settings: Settings) -> None:
    [row] = panel(
        settings, "population, internet_users, reports_per_100000_people, detected_victims, tip_tier, trade_role",
        reports("ABW", 500),
    )  # fmt: skip
    assert row == (None,) * 6


def test_areas_without_a_population_are_listed_and_not_filled(settings: Settings) -> None:
    publish(
        settings,
        [
            prepared(BY_COUNTRY, reports("TWN", 5), reports("PHL", 5), reports("EUROPE", 5)),
            prepared(POPULATION, people("PHL", 9)),
        ],
    )
    assert ask(settings, "SELECT ref_area, area_kind, reason FROM country_panel_unmatched ORDER BY 1") == [
        ("EUROPE", "region", "no country: left out of country_panel"),
        ("TWN", "country", "no population: no rate per head"),
    ]
    assert ask(settings, "SELECT ref_area FROM country_panel ORDER BY 1") == [("PHL",), ("TWN",)]


def test_detected_victims_are_the_total_and_a_suppressed_one_says_so(settings: Settings) -> None:
    rows = panel(
        settings, "ref_area, detected_victims, detected_victims_status, detected_victims_source_id",
        victims("PHL", 12), victims("PHL", 5, sex="F"), victims("PHL", 7, age="Y0T17"),
        victims("ALB", None, status="Q"),
    )  # fmt: skip
    assert rows == [("ALB", None, "Q", "unodc_glotip"), ("PHL", 12, "A", "unodc_glotip")]


def test_a_tier_is_a_word_and_an_area_that_is_not_rated_has_none(settings: Settings) -> None:
    rows = panel(
        settings, "ref_area, tip_tier", tier("ALB", 2, "Tier 2"), tier("BEN", 2.5, "Tier 2 Watch List"),
        tier("COL", 1, "Tier 1"), tier("DZA", 3, "Tier 3"), tier("SOM", None, "Special Case"),
    )  # fmt: skip
    assert rows == [("ALB", "2"), ("BEN", "2WL"), ("COL", "1"), ("DZA", "3"), ("SOM", "special case")]


def test_an_area_that_is_not_rated_is_no_special_case(settings: Settings) -> None:
    assert panel(settings, "ref_area", tier("ALB", None, "NA")) == []


def test_from_2024_referrals_and_informational_stand_for_reports(settings: Settings) -> None:
    parts = [
        figure(BY_COUNTRY, n, 2024, ref_area="PHL", metric=m)
        for m, n in (("cybertip_referrals", 30), ("cybertip_reports_informational", 70))
    ]
    rows = panel(
        settings, "reports, referrals, informational, reports_per_100000_people", *parts, people("PHL", 100_000, 2024)
    )
    assert rows == [(None, 30, 70, 100)]


def test_the_role_of_a_country_goes_with_who_says_so(released: Settings) -> None:
    rows = ask(
        released, "SELECT DISTINCT ref_area, trade_role, role_citation FROM country_panel WHERE trade_role IS NOT NULL"
    )
    roles = {area: role for area, role, _ in rows}
    assert roles["PHL"] == "supply" and roles["USA"] == "demand" and all(citation for *_, citation in rows)


def test_the_panel_of_the_edition(released: Settings) -> None:
    rows = ask(
        released,
        "SELECT time_period, reports, population, reports_per_100000_internet_users > 0 FROM country_panel "
        "WHERE ref_area = 'PHL' AND time_period BETWEEN '2020' AND '2022' ORDER BY 1",
    )
    assert rows == [
        ("2020", 1_339_597, 112_081_264, True),
        ("2021", 3_188_793, 113_100_950, True),
        ("2022", 2_576_182, 113_964_338, True),
    ]


# ---- enforcement


def snapshot(metric: str, value: float, month: str, universe: str = "ijm_supported_since_2011") -> Observation:
    unit = {
        "operations": "operations",
        "victims_rescued": "victims",
        "suspects_arrested": "arrests",
        "convictions": "convictions",
    }
    first = date.fromisoformat(f"{month}-01")  # of February, whose last day is the 28th
    return figure(
        POLICE, value, first.year, metric=f"{metric}_cumulative", unit_measure=unit[metric], reporter="ijm",
        ref_area="PHL", dimensions={"universe": universe}, freq="M", time_period=month, period_start=first,
        period_end=first.replace(day=28), series_id=f"{hash_of(metric + universe):016x}",
    )  # fmt: skip


def test_the_funnel_divides_inside_one_universe(settings: Settings) -> None:
    publish(settings, [prepared(
        POLICE, snapshot("operations", 100, "2021-02"), snapshot("victims_rescued", 300, "2021-02"),
        snapshot("suspects_arrested", 50, "2021-02"), snapshot("convictions", 10, "2021-02"),
        snapshot("operations", 7, "2021-02", "another"),
    )])  # fmt: skip
    assert ask(
        settings,
        "SELECT universe, counting, operations, victims, victims_per_operation, arrests_per_operation, "
        "convictions_percent_of_arrests FROM enforcement_funnel ORDER BY universe",
    ) == [
        ("another", "so far", 7, None, None, None, None),
        ("ijm_supported_since_2011", "so far", 100, 300, 3, 0.5, 20),
    ]


def test_snapshots_are_differenced_inside_one_universe_and_a_fall_is_flagged(settings: Settings) -> None:
    publish(settings, [prepared(
        POLICE, snapshot("operations", 100, "2021-02"), snapshot("operations", 130, "2022-02"),
        snapshot("operations", 120, "2023-02"), snapshot("operations", 5, "2022-02", "another"),
    )])  # fmt: skip
    columns = "dimensions['universe'], time_period, previous_period, difference, falls"
    sql = f"SELECT {columns} FROM cumulative_change ORDER BY 1, 2"
    assert ask(settings, sql) == [
        ("another", "2022-02", None, None, None),
        ("ijm_supported_since_2011", "2021-02", None, None, None),
        ("ijm_supported_since_2011", "2022-02", "2021-02", 30, False),
        ("ijm_supported_since_2011", "2023-02", "2022-02", -10, True),
    ]


def test_police_and_clearinghouse_stand_side_by_side_with_the_base_named(settings: Settings) -> None:
    def received(value: float, release: str, comparator: str = "=") -> Observation:
        return figure(
            DOJ, value, reporter="doj_ooc", metric="cybertips_received", ref_area="PHL", comparator=comparator,
            harm="child_sexual_exploitation", dimensions={"release": release},
        )  # fmt: skip

    publish(settings, [
        prepared(BY_COUNTRY, reports("PHL", 1000)),
        prepared(DOJ, received(530, "one"), received(970, "two"), received(500, "three", ">=")),
    ])  # fmt: skip
    assert ask(
        settings,
        "SELECT police_release, police_minus_clearinghouse, police_percent_of_clearinghouse, explanation "
        "FROM clearinghouse_vs_police ORDER BY police_release",
    ) == [("one", -470, 53, "not_explained"), ("three", -500, 50, "incomplete"), ("two", -30, 97, "within_tolerance")]


# ---- money, ages, estimates, transcriptions


def filed(value: float, metric: str = "suspicious_transaction_reports", universe: str = "study_3") -> Observation:
    unit = "reports" if metric.endswith("reports") else "php"
    return figure(
        STRS, value, metric=metric, unit_measure=unit, reporter="amlc", ref_area="PHL",
        harm="child_sexual_exploitation", dimensions={"universe": universe, "origin": "_T"},
    )  # fmt: skip


def test_the_worth_of_a_report_stays_inside_its_universe(settings: Settings) -> None:
    rows = [filed(100), filed(5_000, "suspicious_transaction_value"), filed(40, universe="doj_quoted")]
    publish(settings, [prepared(STRS, *rows)])
    sql = "SELECT universe, reports, amount, currency, amount_per_report FROM suspicious_transactions ORDER BY universe"
    assert ask(settings, sql) == [("doj_quoted", 40, None, None, None), ("study_3", 100, 5_000, "php", 50)]
    assert ask(settings, "SELECT len(suspicious_transaction_reports) FROM country_panel") == [(2,)]


def test_age_bands_stand_against_all_ages_of_their_own_source(settings: Settings) -> None:
    publish(
        settings,
        [prepared(VICTIMS, victims("PHL", 40), victims("PHL", 10, age="Y0T17"), victims("ALB", 3, age="Y0T17"))],
    )
    sql = "SELECT ref_area, age_band, age_from, age_to, victims, percent_of_all_ages FROM victim_age ORDER BY ref_area"
    assert ask(settings, sql) == [("ALB", "Y0T17", 0, 17, 3, None), ("PHL", "Y0T17", 0, 17, 10, 25)]


def test_estimates_keep_method_population_and_area(released: Settings) -> None:
    rows = ask(released, "SELECT study, estimation_method, obs_value, obs_status FROM prevalence_estimate")
    assert ("scale_of_harm_2023", "network_scale_up", 500_000, "E") in rows
    assert not any(method == "capture_recapture" and study != "ijm_osec_2020" for study, method, *_ in rows)


@pytest.mark.parametrize(
    ("transcribed", "comparator", "contradicted"),
    [(100, "=", False), (101, "=", True), (104, "~", False), (106, "~", True)],
)
def test_a_transcribed_value_that_a_document_contradicts_is_flagged(
    settings: Settings, transcribed: float, comparator: str, contradicted: bool
) -> None:
    by_hand = replace(
        document("by-hand", source_id="ncmec_transcribed", published_on=date(2026, 1, 1)), method="transcribed"
    )
    typed = figure(by_hand, transcribed, ref_area="PHL", comparator=comparator)
    publish(settings, [prepared(BY_COUNTRY, reports("PHL", 100)), prepared(by_hand, typed)])
    assert ask(settings, "SELECT is_contradicted FROM transcribed_vs_read") == [(contradicted,)]


def test_no_transcription_of_ours_is_contradicted(released: Settings) -> None:
    assert ask(released, "SELECT count(*) > 20, bool_or(is_contradicted) FROM transcribed_vs_read") == [(True, False)]
