"""Police recorded crime: a sheet a financial year, found by a link that changes at every release. All made up."""

import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from pytest_httpserver import HTTPServer

from conftest import Ran, document, release_archive
from lightwell import fetch, harmonise, reading, source
from lightwell.errors import LayoutError
from lightwell.harmonise import Harmonised
from lightwell.settings import Settings
from lightwell.source import Source
from lightwell.tables import spreadsheet

PRC = source.load("uk_prc")
ODS = "application/vnd.oasis.opendocument.spreadsheet"
HEADER = (
    "Financial Year", "Financial Quarter", "Force Name", "Offence Description", "Offence Group", "Offence Subgroup",
    "Offence Code", "Number of Offences",
)  # fmt: skip
GROOMING = ("Sexual grooming", "Sexual offences", "Other sexual offences", "88A")
EXPLOITATION = ("Abuse of children through sexual exploitation", "Sexual offences", "Other sexual offences", "71")
OBSCENE = (
    "Obscene publications, etc. and protected sexual material",
    "Miscellaneous crimes against society", "Miscellaneous crimes against society", 86,
)  # fmt: skip
ROBBERY = ("Robbery of business property", "Robbery", "Robbery of business property", "34A")
BIGAMY = ("Bigamy", "Miscellaneous crimes against society", "Miscellaneous crimes against society", 26)
Offence = tuple[str, str, str, str | int]
Line = Sequence[str | int]


def line(year: str, quarter: str | int, force: str, offence: Offence, number: int) -> Line:
    return year, quarter, force, *offence, number


YEAR = [
    HEADER,
    line("2023/24", 1, "Kent", GROOMING, 41),
    line("2023/24", 1, "Kent", ROBBERY, 7),
    line("2023/24", 2, "Kent", EXPLOITATION, 12),
    line("2023/24", 3, "London, City of", OBSCENE, 0),
    line("2023/24", 4, "Metropolitan Police", OBSCENE, 1302),
    line("2023/24", 4, "Metropolitan Police", BIGAMY, 1),
]
CONTENTS = [("Police recorded crime", ""), ("Sheet", "What it holds")]


def ods(path: Path, sheets: dict[str, Sequence[Line]]) -> Path:
    """An OpenDocument spreadsheet, written by hand."""
    office = "urn:oasis:names:tc:opendocument:xmlns:"
    spaces = "".join(f' xmlns:{name}="{office}{name}:1.0"' for name in ("office", "table", "text"))
    tables = "".join(
        f'<table:table table:name="{escape(name)}">{"".join(map(_row, rows))}</table:table>'
        for name, rows in sheets.items()
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("mimetype", ODS, zipfile.ZIP_STORED)
        parts.writestr(
            "content.xml",
            f"<office:document-content{spaces}><office:body><office:spreadsheet>{tables}"
            "</office:spreadsheet></office:body></office:document-content>",
        )
        parts.writestr(
            "META-INF/manifest.xml",
            f'<m:manifest xmlns:m="{office}manifest:1.0"><m:file-entry m:full-path="/" m:media-type="{ODS}"/>'
            '<m:file-entry m:full-path="content.xml" m:media-type="text/xml"/></m:manifest>',
        )
    return path


def _row(line: Iterable[str | int]) -> str:
    return f"<table:table-row>{''.join(map(_cell, line))}</table:table-row>"


def _cell(value: str | int) -> str:
    kind = f'float" office:value="{value}' if isinstance(value, int) else "string"
    return f'<table:table-cell office:value-type="{kind}"><text:p>{escape(str(value))}</text:p></table:table-cell>'


def read(path: Path) -> Harmonised:
    of = replace(document(path, PRC.id), media_type=ODS)
    layout = reading.choose_layout(PRC, spreadsheet.opening(path).text)
    return harmonise.to_observations(PRC.extractor(ODS)(of, layout), of, PRC, "v")


def of_year(tmp_path: Path, *more: Line, name: str = "2023_24") -> Harmonised:
    return read(ods(tmp_path / "prc.ods", {"Contents": CONTENTS, name: [*YEAR, *more]}))


def test_three_offences_are_taken_by_calendar_quarter_and_force(tmp_path: Path) -> None:
    found = of_year(tmp_path)
    assert found.quarantined == []
    assert [
        (o.time_period, o.freq, o.harm, o.dimensions["offence"], o.dimensions["police_force"], o.obs_value)
        for o in found.observations
    ] == [
        ("2023-Q2", "Q", "grooming", "88a", "kent", 41),
        ("2023-Q3", "Q", "child_sexual_exploitation", "71", "kent", 12),
        ("2023-Q4", "Q", "obscene_publications", "86", "city_of_london", 0),
        ("2024-Q1", "Q", "obscene_publications", "86", "metropolitan_police", 1302),
    ]
    assert {(o.ref_area, o.metric, o.unit_measure, o.is_total) for o in found.observations} == {
        ("GBR", "police_recorded_offences", "offences", False)
    }
    assert str(found.observations[0].locator) == "sheet=2023_24&cell=H2"


def test_a_financial_year_as_a_whole_is_a_time_range_and_a_whole_of_forces_a_total(tmp_path: Path) -> None:
    found = of_year(tmp_path, line("2023/24", "", "England and Wales", GROOMING, 7_062))
    whole = found.observations[-1]
    assert (whole.time_period, whole.freq, whole.period_end) == ("2023-04-01/P1Y", "_O", date(2024, 3, 31))
    assert (whole.dimensions["police_force"], whole.is_total, whole.ref_area) == ("england_and_wales", True, "GBR")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (
            line("2023/24", 1, "Kent", ("Threatening to share", *GROOMING[1:3], "88F"), 3),
            "'88F | Threatening to share'",
        ),
        (line("2023/24", 1, "Kent", ("Fly-tipping", *OBSCENE[1:3], 107), 3), "harm: '107 | Fly-tipping'"),
        (line("2023/24", 1, "Kent", ("Cattle rustling", *GROOMING[1:]), 3), "harm: '88A | Cattle rustling'"),
        (line("2023/24", 1, "Mercia", GROOMING, 3), "dimension police_force: 'Mercia'"),
        (line("2023/24", 5, "Kent", GROOMING, 3), "time_period: '2023/24 | 5'"),
        (line("2023/25", 1, "Kent", GROOMING, 3), "'2023/25' is no financial year"),
        (line("2022/23", 1, "Kent", GROOMING, 3), "says '2022/23' and stands on the sheet '2023_24'"),
        (line("2023/24", 2, "Kent", GROOMING, -3), "is negative"),
        (line("2023/24", 1, "Kent", ("Sexual grooming", "Sexual offences", "Grooming", "88G"), 3), "88G"),
    ],
)
def test_what_nobody_decided_on_is_set_aside(tmp_path: Path, more: Line, reason: str) -> None:
    found = of_year(tmp_path, more)
    assert len(found.observations) == 4
    assert [reason in q.reason for q in found.quarantined] == [True], [q.reason for q in found.quarantined]


def test_one_force_and_quarter_printed_twice_is_set_aside_both_times(tmp_path: Path) -> None:
    found = of_year(tmp_path, line("2023/24", 1, "Kent", GROOMING, 40))
    assert [q.obs_text for q in found.quarantined] == ["41", "40"]
    assert len(found.observations) == 3


def test_the_last_quarter_is_in_the_next_calendar_year(tmp_path: Path) -> None:
    rows = [HEADER, line("2029/30", 4, "Kent", GROOMING, 41)]
    found = read(ods(tmp_path / "prc.ods", {"2029_30": rows}))
    assert [o.time_period for o in found.observations] == ["2030-Q1"]


@pytest.mark.parametrize(
    ("sheets", "reason"),
    [
        ({"2023_24": [[*HEADER[:-1], "Outcomes"], *YEAR[1:]]}, "stands under no header"),
        ({"2023_24": [[*HEADER, "Victims"], *YEAR[1:]]}, "stands under no header"),
        ({"2023_24": YEAR, "Corrections": YEAR}, "sheet 'Corrections' is not known"),
        ({"2023_24": YEAR[1:]}, "stands under no header"),
        ({"Contents": CONTENTS}, "table offences was not found"),
    ],
)
def test_a_file_unlike_its_layout_is_refused_whole(
    tmp_path: Path, sheets: dict[str, Sequence[Line]], reason: str
) -> None:
    with pytest.raises(LayoutError, match=reason):
        read(ods(tmp_path / "prc.ods", sheets))


def served(web: HTTPServer) -> Source:
    """The source as declared, but for the host, on which the pages of the test stand."""
    path = "/government/statistical-data-sets/police-recorded-crime-open-data-tables"
    found = [{"page": web.url_for(path), "link": PRC.discover[0].link}]
    return Source.model_validate({**PRC.model_dump(by_alias=True), "hosts": [web.host], "discover": found})


def test_the_link_of_each_release_is_found_on_the_landing_page(
    settings: Settings, httpserver: HTTPServer, tmp_path: Path
) -> None:
    assert PRC.discover[0].page == PRC.landing_page
    for release, media, number in (("241024", "66e1", 41), ("300125", "7a90", 44)):
        rows = [HEADER, line("2023/24", 1, "Kent", GROOMING, number)]
        content = ods(tmp_path / "prc.ods", {"2023_24": rows}).read_bytes()
        address = f"/media/{media}/prc-pfa-mar2013-onwards-tables-{release}.ods"
        page = (
            f"<html><a href='{address}'>Forces</a> <a href='/media/1/prc-csp-mar2016-{release}.ods'>Partnerships</a>"
            f"<a href='/media/2/prc-pfa-mar2003-to-mar2007-tables.xlsx'>Earlier</a></html>"
        )
        httpserver.clear()
        httpserver.expect_request("/robots.txt").respond_with_data("", status=404)
        httpserver.expect_request(
            "/government/statistical-data-sets/police-recorded-crime-open-data-tables"
        ).respond_with_data(page, content_type="text/html")
        httpserver.expect_request(address).respond_with_data(content, content_type=ODS)
        (attempt,) = fetch.fetch(served(httpserver), settings, today=date(2025, 2, 1))
        assert (attempt.outcome, attempt.url) == ("stored", httpserver.url_for(address))
    assert len(list(settings.archive.glob("??/*.ods"))) == 2


@pytest.mark.slow
def test_from_file_to_warehouse(tmp_path: Path, lightwell: Callable[..., Ran]) -> None:
    file = ods(tmp_path / "prc-pfa-mar2013-onwards-tables-250724.ods", {"Contents": CONTENTS, "2023_24": YEAR})
    home = Settings(home=tmp_path / "home", offline=True)
    added = lightwell("--home", home.home, "add", "uk_prc", file, "--published", "2024-07-25")
    assert added.code == 0, added.err
    release_archive(home)
    asked = (
        "SELECT time_period, harm, obs_value FROM observation WHERE source_id = 'uk_prc' ORDER BY time_period LIMIT 2"
    )
    assert lightwell("--home", home.home, "query", asked, "--format", "csv").out.splitlines()[1:] == [
        "2023-Q2,grooming,41",
        "2023-Q3,child_sexual_exploitation,12",
    ]
