"""The World Bank's denominators: every form of file, what is left out, and that nothing unknown slips in."""

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from conftest import release_archive
from lightwell import archive, codes, harmonise, reading, source
from lightwell.archive import Document
from lightwell.fetch import add, fetch
from lightwell.harmonise import Harmonised
from lightwell.settings import Settings

POPULATION, USERS = "worldbank_population", "worldbank_internet_users"
Take = Callable[..., tuple[Document, Harmonised, str | None]]


@pytest.fixture
def take(settings: Settings, tmp_path: Path) -> Take:
    """Add a file to the archive; its document, observations, and the problem that keeps it from being read."""

    def take(source_id: str, content: object) -> tuple[Document, Harmonised, str | None]:
        one, file = source.load(source_id), tmp_path / "given"
        file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8", newline="")
        document_id = add(one, file, settings).document_id
        (held,) = (d for d in archive.documents(settings, [one]) if d.document_id == document_id)
        dated, found = reading.take(reading.Input(one, held), settings)
        return dated, harmonise.to_observations(found.figures, dated, one, "test"), found.problem

    return take


def a_record(area: tuple[str, str, str], year: str, value: object, **fields: object) -> dict[str, Any]:
    alpha_2, alpha_3, name = area
    return {
        "indicator": {"id": "SP.POP.TOTL", "value": "Population, total"},
        "country": {"id": alpha_2, "value": name},
        "countryiso3code": alpha_3,
        "date": year,
        "value": value,
        "unit": "",
        "obs_status": "",
        "decimal": 0,
        **fields,
    }


def a_page(*records: dict[str, Any], number: int = 1, pages: int = 1, total: int | None = None) -> list[Any]:
    head = {"page": number, "pages": pages, "per_page": 20000, "total": len(records) if total is None else total}
    return [{**head, "sourceid": "2", "lastupdated": "2031-07-01"}, list(records)]


GEORGIA, PHILIPPINES = ("GE", "GEO", "Georgia"), ("PH", "PHL", "Philippines")
AMBIGUOUS = [  # what the World Bank calls them, and which of the possible areas is meant
    ("GE", "GEO", "Georgia"),
    ("CG", "COG", "Congo, Rep."),
    ("CD", "COD", "Congo, Dem. Rep."),
    ("FM", "FSM", "Micronesia, Fed. Sts."),
    ("KR", "KOR", "Korea, Rep."),
    ("KP", "PRK", "Korea, Dem. People's Rep."),
    ("TR", "TUR", "Turkiye"),
    ("XK", "XKX", "Kosovo"),
    ("PS", "PSE", "West Bank and Gaza"),
    ("VG", "VGB", "British Virgin Islands"),
    ("SX", "SXM", "Sint Maarten (Dutch part)"),
    ("GM", "GMB", "Gambia, The"),
]


def values(found: Harmonised) -> dict[tuple[str, str, str], float | None]:
    return {(o.metric, o.ref_area, o.time_period): o.obs_value for o in found.observations}


def reasons(found: Harmonised) -> list[str]:
    return [q.reason for q in found.quarantined]


# --- population -----------------------------------------------------------------------------------------------------


def test_pages_joined_and_a_page_as_it_came_say_the_same(take: Take) -> None:
    records = [a_record(GEORGIA, "2030", 3700001), a_record(PHILIPPINES, "2030", 120000002)]
    halves = [a_page(record, number=n, pages=2, total=2) for n, record in enumerate(records, start=1)]
    joined, alone = take(POPULATION, halves), take(POPULATION, a_page(*records))
    expected = {("population", "GEO", "2030"): 3700001.0, ("population", "PHL", "2030"): 120000002.0}
    assert values(joined[1]) == values(alone[1]) == expected
    assert {o.series_id for o in joined[1].observations} == {o.series_id for o in alone[1].observations}
    assert [o.locator for o in joined[1].observations] == ["pointer=/0/1/0/value", "pointer=/1/1/0/value"]
    assert [o.locator for o in alone[1].observations] == ["pointer=/1/0/value", "pointer=/1/1/value"]
    assert {(d.published_on, d.published_basis) for d, _, _ in (joined, alone)} == {(date(2031, 7, 1), "document")}
    assert {(o.reporter, o.subject, o.harm, o.unit_measure) for o in joined[1].observations} == {
        ("world_bank", "_T", "_Z", "persons")
    }


def test_the_csv_says_the_same_series(take: Take) -> None:
    _, from_csv, _ = take(POPULATION, "Country Name,Country Code,Year,Value\r\nGeorgia,GEO,2030,3700001\r\n")
    _, from_json, _ = take(POPULATION, a_page(a_record(GEORGIA, "2030", 3700001)))
    assert values(from_csv) == values(from_json)
    assert from_csv.observations[0].series_id == from_json.observations[0].series_id


@pytest.mark.parametrize("area", AMBIGUOUS, ids=lambda area: area[2])
def test_areas_are_matched_by_code_whatever_their_name(take: Take, area: tuple[str, str, str]) -> None:
    _, found, _ = take(POPULATION, a_page(a_record(area, "2030", 5)))
    assert values(found) == {("population", area[1], "2030"): 5.0}
    text = f'Country Name,Country Code,Year,Value\r\n"{area[2]}",{area[1]},2030,5\r\n'
    assert values(take(POPULATION, text)[1]) == values(found)


def test_groups_are_left_out_by_code_and_years_before_1998(take: Take) -> None:
    groups = [
        ("1W", "WLD", "World"),
        ("XD", "", "High income"),
        ("ZH", "AFE", "Africa"),
        ("JG", "CHI", "Channel Islands"),
    ]
    records = [a_record(area, "2030", 9) for area in groups] + [
        a_record(GEORGIA, y, 7) for y in ("1960", "1997", "1998")
    ]
    _, found, problem = take(POPULATION, a_page(*records, a_record(PHILIPPINES, "2030", None)))
    assert problem is None
    assert values(found) == {("population", "GEO", "1998"): 7.0}
    assert found.quarantined == []
    rows = "".join(f"{name},{code},2030,9\r\n" for _, code, name in groups if code)
    _, found, _ = take(
        POPULATION, f"Country Name,Country Code,Year,Value\r\n{rows}Georgia,GEO,1997,7\r\nGeorgia,GEO,1998,7\r\n"
    )
    assert (values(found), found.quarantined) == ({("population", "GEO", "1998"): 7.0}, [])


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (a_record(("Q9", "QQQ", "A new group"), "2030", 9), "ref_area: 'QQQ' is no country's code of ISO 3166-1"),
        (a_record(("Q9", "", "A new group"), "2030", 9), "ref_area: '' is no country's code"),
        (a_record(("GE", "Georgia", "Georgia"), "2030", 9), "ref_area: 'Georgia' is no country's code"),
        (a_record(("Q9", "_T", "All"), "2030", 9), "ref_area: '_T' is no country's code"),
        (a_record(("Q9", "EUROPE", "Europe"), "2030", 9), "ref_area: 'EUROPE' is no country's code"),
        (a_record(GEORGIA, "2030", 9, obs_status="F"), r"'SP.POP.TOTL \|  \| F' .* matches no pattern of the map"),
        (a_record(GEORGIA, "2030", 9, unit="thousands"), r"'SP.POP.TOTL \| thousands \| ' .* matches no pattern"),
        (a_record(GEORGIA, "2030", 9, indicator={"id": "NY.GDP", "value": "GDP"}), r"'NY.GDP \|  \| ' .* no pattern"),
        (a_record(GEORGIA, "2030", -9), "is negative"),
        (a_record(GEORGIA, "2030", 3700.5), "is not whole"),
        (a_record(GEORGIA, "2030Q1", 9), "has the frequency Q, declared is A"),
        (a_record(GEORGIA, "YR2030", 9), "'YR2030' is no period"),
    ],
)
def test_what_is_not_known_is_quarantined_row_by_row(take: Take, record: dict[str, Any], reason: str) -> None:
    _, found, problem = take(POPULATION, a_page(record, a_record(PHILIPPINES, "2030", 8)))
    assert problem is None
    assert values(found) == {("population", "PHL", "2030"): 8.0}
    assert len(reasons(found)) == 1
    assert re.search(reason, reasons(found)[0]), reasons(found)


def test_two_values_for_one_country_and_year_are_both_set_aside(take: Take) -> None:
    _, found, _ = take(POPULATION, a_page(a_record(GEORGIA, "2030", 1), a_record(GEORGIA, "2030", 2)))
    assert found.observations == []
    assert len(found.quarantined) == 2


def test_ages_0_to_14_are_a_metric_of_their_own(take: Take) -> None:
    children = a_record(
        GEORGIA, "2030", 700, indicator={"id": "SP.POP.0014.TO", "value": "Population ages 0-14, total"}
    )
    assert values(take(POPULATION, a_page(children))[1]) == {("population_aged_0_14", "GEO", "2030"): 700.0}


BROKEN: dict[str, tuple[object, str]] = {
    "a new key": (a_page(a_record(GEORGIA, "2030", 1, confidence=1)), "the key 'confidence' of /1/* is not known"),
    "a new key joined": ([a_page(a_record(GEORGIA, "2030", 1, confidence=1))], "the key 'confidence' of /*/1/* is"),
    "a new key of the country": (
        a_page(a_record(GEORGIA, "2030", 1, country={"id": "GE", "value": "Georgia", "m49": 268})),
        "the key 'country/m49' of /1/* is not known",
    ),
    "a key renamed": (
        a_page({("iso3" if k == "countryiso3code" else k): v for k, v in a_record(GEORGIA, "2030", 1).items()}),
        "the key 'iso3' of /1/* is not known",
    ),
    "a key gone": (
        a_page({k: v for k, v in a_record(GEORGIA, "2030", 1).items() if k != "countryiso3code"}),
        "has the key 'countryiso3code' of the layout",
    ),
    "the value gone from one": (
        a_page(
            a_record(GEORGIA, "2030", 1), {k: v for k, v in a_record(PHILIPPINES, "2030", 1).items() if k != "value"}
        ),
        "/1/1 lacks the key 'value'",
    ),
    "cut short": (a_page(a_record(GEORGIA, "2030", 1), total=2), "the pages have 1 records, and say that there are 2"),
    "one page of several": (a_page(a_record(GEORGIA, "2030", 1), pages=2, total=2), "1 of 2 pages are there"),
    "an error message": ([{"message": [{"id": "120", "key": "Invalid value", "value": "no"}]}], "fits no layout"),
    "another CSV": ("Country,Code,Year,People\r\nGeorgia,GEO,2030,1\r\n", "fits no layout"),
    "a column renamed": (
        "Country Name,Country Code,Year,Value,Note\r\nGeorgia,GEO,2030,1,x\r\n",
        "does not know 'Note'",
    ),
    "a row cut": ("Country Name,Country Code,Year,Value\r\nGeorgia,GEO,2030\r\n", "ends before its number"),
}


def test_the_csv_may_have_its_columns_in_another_order_or_semicolons(take: Take) -> None:
    for content in (
        "Year;Value;Country Code;Country Name\r\n2030;7;GEO;Georgia\r\n",
        "Value,Year,Country Code,Country Name\r\n7,2030,GEO,Georgia\r\n",
    ):
        assert values(take(POPULATION, content)[1]) == {("population", "GEO", "2030"): 7}
    content = "online;year;iso3;country\r\n7;2030;GEO;Georgia\r\n"
    assert values(take(USERS, content)[1]) == {("internet_users", "GEO", "2030"): 7}


def test_a_csv_that_ends_within_a_number_is_refused(take: Take) -> None:
    _, found, problem = take(POPULATION, "Country Name,Country Code,Year,Value\r\nGeorgia,GEO,2030,166")
    assert found.observations == []
    assert "may be cut off" in str(problem)


@pytest.mark.parametrize(("content", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_a_document_unlike_its_layout_is_quarantined_with_the_reason(take: Take, content: object, reason: str) -> None:
    _, found, problem = take(POPULATION, content)
    assert reason in str(problem)
    assert found.observations == []


def test_no_country_is_among_the_groups_that_are_left_out() -> None:
    countries = [a for a in codes.areas().values() if a.kind in ("country", "former")]
    for one in (source.load(POPULATION), source.load(USERS)):
        for table in (table for layout in one.layouts for table in layout.tables if table.kind == "records"):
            for label, pattern in table.skip.items():
                hit = [
                    a.name for a in countries for text in (a.ref_area, a.alpha_2, a.name) if re.fullmatch(pattern, text)
                ]
                assert hit == [], (one.id, label)


# --- internet users -------------------------------------------------------------------------------------------------


def a_share(area: tuple[str, str, str], year: str, value: object) -> dict[str, Any]:
    internet = {"id": "IT.NET.USER.ZS", "value": "Individuals using the Internet (% of population)"}
    return a_record(area, year, value, indicator=internet, decimal=1)


def test_shares_are_percentages_without_a_sign(take: Take) -> None:
    _, found, _ = take(USERS, [a_page(a_share(GEORGIA, "2030", 81.2475), a_share(PHILIPPINES, "2030", 100))])
    assert values(found) == {
        ("internet_users_share", "GEO", "2030"): 81.2475,
        ("internet_users_share", "PHL", "2030"): 100.0,
    }
    assert {(o.unit_measure, o.reporter, o.obs_status) for o in found.observations} == {("percent", "world_bank", "A")}


def test_the_csv_counts_people_and_says_who_computed_them(take: Take) -> None:
    rows = ["Georgia,GEO,2020,2900000", "Kosovo,OWID_KOS,2018,1600000", "World,OWID_WRL,2020,9", "Africa,,2020,9"]
    rows += ["High-income countries,,2020,9", "Georgia,GEO,1997,9", "Chad,TCD,2020,0"]
    _, found, problem = take(USERS, "\r\n".join(["country,iso3,year,online", *rows, ""]))
    assert problem is None
    assert values(found) == {
        ("internet_users", "GEO", "2020"): 2900000.0,
        ("internet_users", "XKX", "2018"): 1600000.0,
        ("internet_users", "TCD", "2020"): 0.0,
    }
    told = {(o.unit_measure, o.reporter, o.obs_status) for o in found.observations}
    assert told == {("persons", "our_world_in_data", "E")}
    assert found.quarantined == []


def test_a_continent_that_is_not_listed_is_quarantined(take: Take) -> None:
    _, found, _ = take(
        USERS, "country,iso3,year,online\r\nAntarctica and so on,,2020,9\r\nAtlantis,OWID_ATL,2020,9\r\n"
    )
    assert found.observations == []
    assert [re.search("ref_area: '([^']*)'", reason)[1] for reason in reasons(found)] == ["", "OWID_ATL"]  # type: ignore[index]


def test_a_percentage_in_the_file_of_people_is_quarantined(take: Take) -> None:
    _, found, _ = take(USERS, "country,iso3,year,online\r\nGeorgia,GEO,2020,81.2\r\n")
    assert "is not whole" in reasons(found)[0]


# --- originals ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_originals(originals: Path, take: Take) -> None:
    folder = originals / "context"
    _, people, problem = take(POPULATION, (folder / "worldbank-population.csv").read_bytes().decode("utf-8"))
    assert (problem, people.quarantined, len(people.observations)) == (None, [], 5832)
    population = {(o.ref_area, o.time_period): o.obs_value for o in people.observations}
    assert len({area for area, _ in population}) == 216
    assert (min(y for _, y in population), max(y for _, y in population)) == ("1998", "2024")
    assert [population["PHL", y] for y in ("2020", "2021", "2022")] == [112081264, 113100950, 113964338]
    _, users, problem = take(USERS, (folder / "internet-users.csv").read_bytes().decode("utf-8"))
    assert (problem, users.quarantined, len(users.observations)) == (None, [], 4468)
    online = {(o.ref_area, o.time_period): o.obs_value for o in users.observations}
    assert online["PHL", "2020"] == 55871109
    pairs = [(n, population[key]) for key, n in online.items() if n is not None and key in population]
    assert sum(n > people for n, people in pairs if people is not None) == 10, "so `online` is no percentage"


@pytest.mark.slow
def test_from_file_to_warehouse(settings: Settings, tmp_path: Path) -> None:
    from lightwell import warehouse

    for source_id, content in (
        (POPULATION, [a_page(a_record(GEORGIA, "2021", 3700001), a_record(PHILIPPINES, "2021", 120000002))]),
        (USERS, [a_page(a_share(PHILIPPINES, "2021", 75.5))]),
    ):
        file = tmp_path / "given.json"
        file.write_text(json.dumps(content).replace("2031-07-01", "2022-07-01"), encoding="utf-8")
        add(source.load(source_id), file, settings)
    release_archive(settings)
    with warehouse.connect(settings) as connection:
        found = connection.execute(
            "SELECT ref_area, metric, obs_value, unit_measure, published_on FROM observation ORDER BY ALL"
        ).fetchall()
    assert found == [
        ("GEO", "population", 3700001.0, "persons", date(2022, 7, 1)),
        ("PHL", "internet_users_share", 75.5, "percent", date(2022, 7, 1)),
        ("PHL", "population", 120000002.0, "persons", date(2022, 7, 1)),
    ]


def test_the_declared_paging_fetches_a_server_that_answers_as_the_api_does(
    settings: Settings, httpserver: HTTPServer
) -> None:
    host = "https://api.worldbank.org"
    rule = source.load(POPULATION).documents[0]
    address, query = rule.urls[0].removeprefix(host).split("?")
    httpserver.expect_request("/robots.txt").respond_with_data("none", status=404)
    for number, area in enumerate((GEORGIA, PHILIPPINES), start=1):
        page = a_page(a_record(area, "2030", number), number=number, pages=2, total=2)
        httpserver.expect_request(address, query_string=f"{query}&page={number}").respond_with_json(page)
    here = rule.model_copy(update={"urls": [httpserver.url_for(rule.urls[0].removeprefix(host))]})
    one = source.load(POPULATION).model_copy(update={"hosts": ["localhost", "127.0.0.1"], "documents": [here]})
    (attempt,) = fetch(one, settings, today=date(2031, 8, 1))
    assert attempt.outcome == "stored", attempt.reason
    (held,) = archive.documents(settings, [one])
    found = harmonise.to_observations(reading.read(held, one, settings).figures, held, one, "test")
    assert values(found) == {("population", "GEO", "2030"): 1.0, ("population", "PHL", "2030"): 2.0}
