"""SDG indicators of the United Nations: replicas of the API's pages (no original was at hand), good and broken."""

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from lightwell import archive, codes, harmonise, reading, source
from lightwell.archive import Document
from lightwell.fetch import add, fetch
from lightwell.harmonise import Harmonised
from lightwell.refresh import prepare
from lightwell.settings import Settings

VICTIMS, VIOLENCE = "un_sdg_16_2_2", "un_sdg_16_2_3"
Take = Callable[..., tuple[Document, Harmonised, str | None]]
LAOS = ("418", "Lao People's Democratic Republic")
AMBIGUOUS = [  # M49, the name the UN prints, the area meant
    ("268", "Georgia", "GEO"),
    ("239", "South Georgia and the South Sandwich Islands", "SGS"),
    ("178", "Congo", "COG"),
    ("180", "Democratic Republic of the Congo", "COD"),
    ("583", "Micronesia (Federated States of)", "FSM"),
    ("410", "Republic of Korea", "KOR"),
    ("408", "Democratic People's Republic of Korea", "PRK"),
    ("792", "Türkiye", "TUR"),
    ("8", "Albania", "ALB"),
    ("008", "Albania", "ALB"),
    ("36", "Australia", "AUS"),
    ("412", "Kosovo", "XKX"),
    ("275", "State of Palestine", "PSE"),
    ("226", "Equatorial Guinea", "GNQ"),
]


@pytest.fixture
def take(settings: Settings, tmp_path: Path) -> Take:
    """Add a file to the archive; its document, observations, and the problem that keeps it from being read."""

    def take(source_id: str, content: object) -> tuple[Document, Harmonised, str | None]:
        one, file = source.load(source_id), tmp_path / "given"
        file.write_text(json.dumps(content), encoding="utf-8")
        document_id = add(one, file, settings).document_id
        (held,) = (d for d in archive.documents(settings, [one]) if d.document_id == document_id)
        dated, found = reading.take(reading.Input(one, held), settings)
        return dated, harmonise.to_observations(found.figures, dated, one, "test"), found.problem

    return take


def a_record(
    value: str | None, *, area: tuple[str, str] = LAOS, age: str = "ALLAGE", sex: str = "BOTHSEX", **fields: Any
) -> dict[str, Any]:
    return {
        "goal": ["16"],
        "target": ["16.2"],
        "indicator": ["16.2.2"],
        "series": "VC_HTF_DETV",
        "seriesDescription": "Detected victims of human trafficking, by age and sex and form of exploitation (number)",
        "seriesCount": "9",
        "geoAreaCode": area[0],
        "geoAreaName": area[1],
        "timePeriodStart": 2020.0,
        "value": value,
        "valueType": "Float",
        "time_detail": None,
        "timeCoverage": None,
        "upperBound": None,
        "lowerBound": None,
        "basePeriod": None,
        "source": "United Nations Office on Drugs and Crime (UNODC)",
        "geoInfoUrl": None,
        "footnotes": [
            "The figures are those that the national authorities gave to the office in its yearly questionnaire."
        ],
        "attributes": {"Nature": "C", "Units": "NUMBER"},
        "dimensions": {"Age": age, "Sex": sex, "Reporting Type": "G"},
        **fields,
    }


def a_page(*records: dict[str, Any], number: int = 1, pages: int = 1, total: int | None = None) -> dict[str, Any]:
    told = "Data of the country itself, produced by it and passed on as they came to the agency of the indicator."
    return {
        "size": len(records),
        "totalElements": len(records) if total is None else total,
        "totalPages": pages,
        "pageNumber": number,
        "attributes": [{"id": "Nature", "codes": [{"code": "C", "description": told, "sdmx": "C"}]}],
        "dimensions": [{"id": "Age", "codes": [{"code": "ALLAGE", "description": told, "sdmx": "_T"}]}],
        "data": list(records),
    }


def said(found: Harmonised) -> list[tuple[str, str, str, str, str, float | None, str, bool]]:
    """Metric, area, harm, age, sex, value, status and whether it is a total, of every observation."""
    return [
        (o.metric, o.ref_area, o.harm, o.dimensions["age"], o.dimensions["sex"], o.obs_value, o.obs_status, o.is_total)
        for o in found.observations
    ]


def only(found: Harmonised) -> harmonise.Observation:
    assert [q.reason for q in found.quarantined] == []
    (one,) = found.observations
    return one


# --- detected victims -----------------------------------------------------------------------------------------------


def test_victims_by_age_sex_and_form(take: Take) -> None:
    sexual = {"series": "VC_HTF_DETVSX"}
    records = [
        a_record("42"),
        a_record("30", sex="FEMALE"),
        a_record("12", age="<18Y"),
        a_record("9", age="<18Y", sex="FEMALE", **sexual),
        a_record("11", age="18+", sex="FEMALE", **sexual),
        a_record("20", **sexual),
        a_record("5", series="VC_HTF_DETVFL"),
        a_record("4", series="VC_HTF_DETVOP"),
        a_record("0", series="VC_HTF_DETVOG"),
    ]
    _, found, problem = take(VICTIMS, [a_page(*records)])
    assert problem is None
    assert found.quarantined == []
    metric = "trafficking_victims_detected"
    assert said(found) == [
        (metric, "LAO", "trafficking_in_persons", "_T", "_T", 42.0, "A", True),
        (metric, "LAO", "trafficking_in_persons", "_T", "F", 30.0, "A", True),
        (metric, "LAO", "trafficking_in_persons", "Y0T17", "_T", 12.0, "A", True),
        (metric, "LAO", "child_sex_trafficking", "Y0T17", "F", 9.0, "A", False),
        (metric, "LAO", "trafficking_sexual_exploitation", "Y_GE18", "F", 11.0, "A", False),
        (metric, "LAO", "trafficking_sexual_exploitation", "_T", "_T", 20.0, "A", True),
        (metric, "LAO", "trafficking_forced_labour", "_T", "_T", 5.0, "A", True),
        (metric, "LAO", "trafficking_other_exploitation", "_T", "_T", 4.0, "A", True),
        (metric, "LAO", "trafficking_organ_removal", "_T", "_T", 0.0, "A", True),
    ]
    assert {(o.reporter, o.time_period, o.unit_measure) for o in found.observations} == {("unodc", "2020", "victims")}


def test_rates_are_another_metric(take: Take) -> None:
    rate = {"attributes": {"Nature": "C", "Units": "PER_100000_POP"}}
    records = [a_record("0.5791", series="VC_HTF_DETVR", **rate), a_record("3", series="VC_HTF_DETVSXR", **rate)]
    _, found, _ = take(VICTIMS, a_page(*records))
    assert [(o.metric, o.unit_measure, o.obs_value, o.harm) for o in found.observations] == [
        ("trafficking_victims_detected_rate", "per_100000", 0.5791, "trafficking_in_persons"),
        ("trafficking_victims_detected_rate", "per_100000", 3.0, "trafficking_sexual_exploitation"),
    ]


def test_pages_joined_and_a_page_as_it_came_say_the_same(take: Take) -> None:
    first, second = a_record("42"), a_record("7", sex="FEMALE")
    joined = [a_page(first, number=1, pages=2, total=2), a_page(second, number=2, pages=2, total=2)]
    (held, one, _), (_, other, _) = take(VICTIMS, joined), take(VICTIMS, a_page(first, second))
    assert said(one) == said(other)
    assert [o.series_id for o in one.observations] == [o.series_id for o in other.observations]
    assert [o.locator for o in one.observations] == ["pointer=/0/data/0/value", "pointer=/1/data/0/value"]
    assert [o.locator for o in other.observations] == ["pointer=/data/0/value", "pointer=/data/1/value"]
    assert held.published_basis == "retrieved", "the API says no day of its own"


@pytest.mark.parametrize(
    ("value", "fields", "expected"),
    [
        ("<5", {}, (None, 0.0, 4.0, "Q")),
        ("NaN", {}, (None, None, None, "O")),
        ("0", {}, (0.0, None, None, "A")),
        ("12", {"attributes": {"Nature": "E", "Units": "NUMBER"}}, (12.0, None, None, "E")),
        ("12", {"attributes": {"Nature": "M", "Units": "NUMBER"}}, (12.0, None, None, "E")),
        ("<5", {"attributes": {"Nature": "E", "Units": "NUMBER"}}, (None, 0.0, 4.0, "Q")),
        ("NaN", {"attributes": {"Nature": "NA", "Units": "NUMBER"}}, (None, None, None, "O")),
        ("12", {"lowerBound": "10", "upperBound": "15"}, (12.0, 10.0, 15.0, "A")),
    ],
)
def test_what_is_held_back_missing_or_estimated_has_a_status(
    take: Take, value: str, fields: dict[str, Any], expected: tuple[float | None, float | None, float | None, str]
) -> None:
    found = only(take(VICTIMS, a_page(a_record(value, **fields)))[1])
    assert (found.obs_value, found.value_low, found.value_high, found.obs_status) == expected
    assert found.obs_text == value


def test_the_period_that_a_value_is_about_is_its_note(take: Take) -> None:
    found = only(take(VICTIMS, a_page(a_record("1", time_detail="2019-2020")))[1])
    assert (found.time_period, found.note) == ("2020", "2019-2020")


@pytest.mark.parametrize("area", AMBIGUOUS, ids=lambda area: f"{area[0]} {area[1]}")
def test_areas_are_matched_by_number_whatever_their_name(take: Take, area: tuple[str, str, str]) -> None:
    assert only(take(VICTIMS, a_page(a_record("1", area=area[:2])))[1]).ref_area == area[2]


def test_the_world_and_regions_are_left_out_by_number(take: Take) -> None:
    regions = [("1", "World"), ("57", "Micronesia"), ("2", "Africa"), ("722", "Small island developing States")]
    _, found, _ = take(VICTIMS, a_page(*(a_record("9", area=area) for area in regions), a_record("1")))
    assert only(found).ref_area == "LAO"


def test_no_country_is_among_the_numbers_that_are_left_out() -> None:
    for one in (source.load(VICTIMS), source.load(VIOLENCE)):
        for layout in one.layouts:
            pattern = layout.tables[0].skip["area"]  # type: ignore[union-attr]
            left_out = [n for n in range(1, 1000) if re.fullmatch(pattern, str(n))]
            assert len(left_out) > 30
            assert [n for n in left_out if codes.find_area_code(str(n), "m49")] == []


def units(code: str) -> dict[str, str]:
    return {"Nature": "C", "Units": code}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (a_record("1", area=("999", "A new region")), "ref_area: '999' is no country's code of UN M49"),
        (a_record("1", area=("LAO", "Laos")), "ref_area: 'LAO' is no country's code of UN M49"),
        (a_record("1", area=("", "Georgia")), "ref_area: '' is no country's code of UN M49"),
        (a_record("1", age="15-24"), "harm|dimension age: '15-24' .* matches no pattern"),
        (a_record("1", sex="OTHER"), "dimension sex: 'OTHER' .* matches no pattern"),
        (a_record("1", series="VC_HTF_NEW"), "metric: 'VC_HTF_NEW .* matches no pattern"),
        (a_record("1", attributes=units("PER_100000_POP")), "metric: .* matches no pattern"),
        (a_record("1", series="VC_HTF_DETVR"), "metric: .* matches no pattern"),
        (a_record("1", dimensions={"Age": "ALLAGE", "Sex": "BOTHSEX", "Reporting Type": "N"}), "metric: .* no pattern"),
        (a_record("1", attributes={"Nature": "X", "Units": "NUMBER"}), "obs_status: 'X' .* matches no pattern"),
        (a_record("1.5"), "is not whole"),
        (a_record("N"), "is not a number"),
        (a_record("1", timePeriodStart=2020.5), "time_period: '2020.5' .* matches no pattern"),
        (a_record("20", lowerBound="21", upperBound="25"), "is not between its bounds"),
    ],
)
def test_what_is_not_known_is_quarantined_row_by_row(take: Take, record: dict[str, Any], reason: str) -> None:
    _, found, problem = take(VICTIMS, a_page(record, a_record("8", area=("268", "Georgia"))))
    assert problem is None
    assert [o.ref_area for o in found.observations] == ["GEO"]
    assert len(found.quarantined) == 1
    assert re.search(reason, found.quarantined[0].reason), found.quarantined[0].reason


def lacking(key: str, record: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in record.items() if k != key}


BROKEN: dict[str, tuple[object, str]] = {
    "a new key": (a_page(a_record("1", confidence="high")), "the key 'confidence' of /data/* is not known"),
    "a new key joined": ([a_page(a_record("1", confidence="high"))], "the key 'confidence' of /*/data/* is not known"),
    "a new dimension": (
        a_page(a_record("1", dimensions={"Age": "ALLAGE", "Sex": "BOTHSEX", "Reporting Type": "G", "Form": "X"})),
        "the key 'dimensions/Form' of /data/* is not known",
    ),
    "a new attribute": (
        a_page(a_record("1", attributes={"Nature": "C", "Units": "NUMBER", "Multiplier": "3"})),
        "the key 'attributes/Multiplier' of /data/* is not known",
    ),
    "a new key of the page": ({**a_page(a_record("1")), "release": "2026.Q1"}, "the key 'release' of the top level"),
    "a key renamed": (
        a_page({("m49" if k == "geoAreaCode" else k): v for k, v in a_record("1").items()}),
        "the key 'm49' of /data/* is not known",
    ),
    "a key gone": (a_page(lacking("geoAreaCode", a_record("1"))), "no record of /data/* has the key 'geoAreaCode'"),
    "a dimension gone": (
        a_page(a_record("1", dimensions={"Age": "ALLAGE", "Reporting Type": "G"})),
        "no record of /data/* has the key 'dimensions/Sex'",
    ),
    "the value gone from one": (a_page(a_record("1"), lacking("value", a_record("2"))), "lacks the key 'value'"),
    "cut short": ([a_page(a_record("1"), total=2)], "the pages have 1 records, and say that there are 2"),
    "one page of several": (a_page(a_record("1"), pages=3, total=30), "1 of 3 pages are there"),
    "pages out of order": (
        [a_page(a_record("1"), number=2, pages=2, total=2), a_page(a_record("2"), number=1, pages=2, total=2)],
        "page 1 of 2 calls itself page 2",
    ),
    "no records": (a_page(), "the answer has no records"),
    "another answer": ({"title": "Bad Request", "status": 400}, "fits no layout"),
}


@pytest.mark.parametrize(("content", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_a_document_unlike_its_layout_is_quarantined_with_the_reason(take: Take, content: object, reason: str) -> None:
    _, found, problem = take(VICTIMS, content)
    assert reason in str(problem)
    assert found.observations == []


@pytest.mark.slow
def test_without_a_day_of_its_own_a_document_is_not_before_its_newest_period(take: Take, settings: Settings) -> None:
    held, _, _ = take(VICTIMS, a_page(a_record("1")))
    (prepared,) = prepare([reading.Input(source.load(VICTIMS), held)], settings)
    assert (prepared.document.published_on, prepared.document.published_basis) == (date(2020, 12, 31), "not_before")


# --- sexual violence before 18 --------------------------------------------------------------------------------------


def a_share(value: str, *, age: str = "18-29", sex: str = "FEMALE", **fields: Any) -> dict[str, Any]:
    about = "Proportion of population aged 18–29 years who experienced sexual violence by age 18, by sex (%)"
    percent = {"Nature": "C", "Units": "PERCENT"}
    share = {"series": "VC_VAW_SXVLN", "seriesDescription": about, "indicator": ["16.2.3"], "attributes": percent}
    return a_record(value, age=age, sex=sex, **{**share, **fields})


def test_shares_by_sex_and_age_of_those_asked(take: Take) -> None:
    _, found, problem = take(VIOLENCE, [a_page(a_share("7.3"), a_share("1.04", age="18-24", sex="MALE"))])
    assert problem is None
    assert said(found) == [
        ("sexual_violence_before_18_share", "LAO", "child_sexual_abuse", "Y18T29", "F", 7.3, "A", False),
        ("sexual_violence_before_18_share", "LAO", "child_sexual_abuse", "Y18T24", "M", 1.04, "A", False),
    ]
    assert {(o.reporter, o.unit_measure) for o in found.observations} == {("unicef", "percent")}


def test_another_indicator_is_no_share_of_this_one(take: Take) -> None:
    _, found, _ = take(VIOLENCE, a_page(a_share("7.3", series="VC_VOV_SEXL")))
    assert found.observations == []
    assert "matches no pattern" in found.quarantined[0].reason


def test_the_declared_paging_fetches_a_server_that_answers_as_the_api_does(
    settings: Settings, httpserver: HTTPServer
) -> None:
    records = [a_record(str(n), area=area[:2]) for n, area in enumerate(AMBIGUOUS[:4])]
    rule = source.load(VICTIMS).documents[0]
    address, query = rule.urls[0].split("?")
    httpserver.expect_request("/robots.txt").respond_with_data("none", status=404)
    for number in (1, 2):
        page = a_page(*records[number * 2 - 2 : number * 2], number=number, pages=2, total=4)
        path = address.removeprefix("https://unstats.un.org")
        httpserver.expect_request(path, query_string=f"{query}&page={number}").respond_with_json(page)
    here = rule.model_copy(update={"urls": [httpserver.url_for(rule.urls[0].removeprefix("https://unstats.un.org"))]})
    one = source.load(VICTIMS).model_copy(update={"hosts": ["localhost", "127.0.0.1"], "documents": [here]})
    (attempt,) = fetch(one, settings, today=date(2031, 1, 1))
    assert attempt.outcome == "stored", attempt.reason
    (held,) = archive.documents(settings, [one])
    found = harmonise.to_observations(reading.read(held, one, settings).figures, held, one, "test")
    assert [(o.ref_area, o.obs_value) for o in found.observations] == [("GEO", 0), ("SGS", 1), ("COG", 2), ("COD", 3)]
