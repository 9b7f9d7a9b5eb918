"""Briefings: every number with its note, only the caveats that apply, the same bytes, nothing loaded from afar."""

import csv
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pdfplumber
import pytest
from PIL import Image

from conftest import Ran
from lightwell import briefing, source, warehouse
from lightwell.briefing import charts, paper, scope
from lightwell.briefing.content import Bar, Content, Picture, number
from lightwell.briefing.marks import Mark
from lightwell.briefing.page import Page, html
from lightwell.citations import Notes
from lightwell.errors import LightwellError
from lightwell.settings import Settings
from test_warehouse import BUILT_AT, document, observation, prepared

FILES = {"SHA256SUMS", "briefing.html", "briefing.pdf", "caveats.md", "citations.bib", "citations.json"}
HOSTILE = "<script>alert(1)</script> & Söhne 株式会社"


def published(home: Path) -> Settings:
    """A release of made-up counts: an area over a break, a platform with its own count, a restatement."""
    settings, sources = Settings(home=home), ["ncmec_by_country", "ncmec_by_esp", "meta_enforcement"]
    documents = []
    for year, value in {2020: 1_000_000, 2021: 2_000_000, 2022: 1_500_000}.items():
        of = document(f"{year}-by-country", source_id="ncmec_by_country", published_on=date(year + 1, 5, 1))
        by = {"source_id": "ncmec_by_country", "ref_area": "PHL"}
        documents.append(prepared(of, observation(of, "Philippines", value, year, **by)))
    of = document("2024-by-country", source_id="ncmec_by_country", published_on=date(2025, 5, 1))
    two = [
        observation(of, "Philippines", value, 2024, source_id="ncmec_by_country", ref_area="PHL", metric=metric)
        for metric, value in {"cybertip_referrals": 900_000, "cybertip_reports_informational": 300_000}.items()
    ]
    documents.append(prepared(of, *two))
    for year, value in {2021: 500, 2022: 700}.items():
        of = document(f"{year}-by-esp", published_on=date(year + 1, 5, 1))
        found = [observation(of, "Facebook", value, year, subject="facebook")]
        found += [observation(of, "Instagram", value / 2, year, subject="instagram")]
        found += [observation(of, HOSTILE, 1, year, subject="hostile")] if year == 2022 else []
        documents.append(prepared(of, *found))
        documents[-1].harmonised.provisional.update({"hostile": HOSTILE} if year == 2022 else {})
    for name, factor, published_on in (("old", 1.0, date(2023, 1, 1)), ("new", 1.5, date(2024, 1, 1))):
        of = document(name, source_id="meta_enforcement", published_on=published_on)
        quarters = [
            observation(
                of, f"{q}", 1000.0 * q * (factor if q == 4 else 1), source_id="meta_enforcement", reporter="meta",
                subject="facebook", metric="content_actioned", harm="child_sexual_exploitation", unit_measure="pieces",
                freq="Q", time_period=f"2022-Q{q}", period_start=date(2022, 3 * q - 2, 1),
                period_end=scope.last_day(f"2022-Q{q}"), comparator="~",
            )
            for q in (1, 2, 3, 4)
        ]  # fmt: skip
        documents.append(prepared(of, *quarters))
    built = warehouse.build(
        documents, [], settings, sources=[source.load(one) for one in sources], inputs_digest="one", built_at=BUILT_AT
    )
    warehouse.publish(built, settings)
    return settings


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return published(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def area(tiny: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("area") / "phl"
    briefing.write(tiny, to, area="PHL")
    return to


@pytest.fixture(scope="module")
def company(tiny: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("company") / "meta"
    briefing.write(tiny, to, organisation="Meta")
    return to


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Seen(HTMLParser):
    """The text of a page, its tags, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


# ---- the folder


def test_the_folder_has_the_page_the_pictures_the_data_and_what_to_cite(area: Path) -> None:
    found = contents(area)
    assert set(found) >= FILES | {"charts/reports.svg", "charts/reports.png", "data/datapackage.json"}
    assert {"data/reports.csv", "data/observation.csv", "data/citations.csv"} <= set(found)


def test_the_sums_are_those_of_every_other_file(area: Path) -> None:
    lines = [line.split("  ") for line in (area / "SHA256SUMS").read_text().splitlines()]
    found = contents(area)
    assert {name: digest for digest, name in lines} == {
        name: hashlib.sha256(data).hexdigest() for name, data in found.items() if name != "SHA256SUMS"
    }


@pytest.mark.slow
def test_the_same_release_gives_the_same_bytes(tiny: Settings, area: Path, company: Path, tmp_path: Path) -> None:
    briefing.write(tiny, tmp_path / "a", area="Philippines")
    briefing.write(tiny, tmp_path / "b", organisation="meta")
    assert contents(tmp_path / "a") == contents(area)
    assert contents(tmp_path / "b") == contents(company)


@pytest.mark.slow
def test_time_zone_locale_and_process_change_no_byte(tiny: Settings, area: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from lightwell.settings import Settings; from lightwell import briefing;"
        "briefing.write(Settings(home=Path(sys.argv[1])), Path(sys.argv[2]), area='PHL')"
    )
    odd = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "1"}
    command = [sys.executable, "-c", code, str(tiny.home), str(tmp_path / "there")]
    subprocess.run(command, env={**os.environ, **odd}, check=True, timeout=120)
    assert contents(tmp_path / "there") == contents(area)


@pytest.mark.slow
def test_an_earlier_briefing_is_replaced_and_other_files_are_not(tiny: Settings, tmp_path: Path) -> None:
    to = tmp_path / "out"
    briefing.write(tiny, to, organisation="meta")
    briefing.write(tiny, to, area="PHL")
    assert "data/own_disclosures.csv" not in contents(to)
    (to / "notes.txt").write_text("mine")
    with pytest.raises(LightwellError, match=r"notes\.txt is not of a briefing: move it away"):
        briefing.write(tiny, to, area="PHL")
    assert (to / "notes.txt").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["out"], "nothing is left beside it"


def test_a_briefing_that_fails_leaves_nothing(tiny: Settings, tmp_path: Path) -> None:
    with pytest.raises(LightwellError, match=r"no area 'Philipines'; near are: Philippines \(PHL\)"):
        briefing.write(tiny, tmp_path / "out", area="Philipines")
    (tmp_path / "file").write_text("")
    with pytest.raises(LightwellError, match="is a file: name a folder"):
        briefing.write(tiny, tmp_path / "file", area="PHL")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


# ---- numbers and notes


def test_every_number_of_the_page_has_a_note_that_leads_to_its_place(area: Path) -> None:
    page = (area / "briefing.html").read_text(encoding="utf-8")
    for text, year in {
        "1,000,000": 2020,
        "2,000,000": 2021,
        "1,500,000": 2022,
        "900,000": 2024,
        "300,000": 2024,
    }.items():
        (at,) = set(re.findall(rf"<td>{text}<sup>([\d, ]+)</sup>", page))
        (note,) = re.findall(rf'<li value="{at}">(.*?)</li>', page, re.DOTALL)
        assert f"{year}-by-country.pdf, retrieved 2025-06-01" in note
        assert hashlib.sha256(f"{year}-by-country".encode()).hexdigest() in note
        assert f"page 3: “{text}” ({year}, " in note
    cells = re.findall(r"<td>([^<]*)<(sup|/td)", page)
    years = [text for text, end in cells if re.search(r"\d", text) and end != "sup"]
    assert all(re.fullmatch(r"\d{4}( .*)?|break 2024", text) for text in years), "a number without a note"


def test_the_notes_are_a_table_too(area: Path) -> None:
    shown = rows(area / "data" / "citations.csv")
    assert {row["obs_text"] for row in shown} == {"1,000,000", "2,000,000", "1,500,000", "900,000", "300,000"}
    assert {row["note"] for row in shown} == {"1", "2", "3", "4"}
    assert all(len(row["document_id"]) == 64 and row["url"] and row["place"] == "page 3" for row in shown)


def test_a_change_is_computed_within_a_stretch_and_never_across_a_break(area: Path) -> None:
    page = (area / "briefing.html").read_text(encoding="utf-8")
    assert "<b>×1.50<sup>" in page
    assert "reports of 2022 against 2020, no break between" in page
    assert "<td>+100.0 %<sup>" in page
    assert "<td>−25.0 %<sup>" in page
    assert "<td>1,000,000<sup>" in page


def test_references_are_csl_json_and_bibtex(area: Path) -> None:
    listed = json.loads((area / "citations.json").read_text(encoding="utf-8"))
    assert len(listed) == 4
    assert listed[0]["type"] == "report"
    assert listed[0]["issued"] == {"date-parts": [[2025, 5, 1]]}
    assert listed[0]["accessed"] == {"date-parts": [[2025, 6, 1]]}
    assert listed[0]["author"] == [{"literal": "National Center for Missing & Exploited Children"}]
    bib = (area / "citations.bib").read_text(encoding="utf-8")
    assert bib.count("@techreport{") == 4
    assert r"Missing \& Exploited" in bib
    assert {item["id"] for item in listed} == set(re.findall(r"^@techreport\{(.*),$", bib, re.MULTILINE))


def test_an_organisation_has_both_counts_and_what_was_restated(company: Path) -> None:
    page = (company / "briefing.html").read_text(encoding="utf-8")
    assert "2022 Facebook</td><td>700<sup>" in page
    assert "not held for the whole year" in page
    assert "Restated figures" in page
    assert "<td>+50.0 %<sup>" in page
    assert "<td>6,000<sup>" in page
    assert {"reports", "content_actioned-child_sexual_exploitation"} == {p.stem for p in (company / "charts").iterdir()}
    own = rows(company / "data" / "own_disclosures.csv")
    assert [row["obs_value"] for row in own if row["time_period"] == "2022-Q4"] == ["6000"]


@pytest.mark.slow
def test_as_of_a_day_nothing_later_is_known(tiny: Settings, tmp_path: Path) -> None:
    briefing.write(tiny, tmp_path / "a", area="PHL", as_of=date(2022, 12, 31))
    assert {row["year"] for row in rows(tmp_path / "a" / "data" / "reports.csv")} == {"2020", "2021"}
    assert "as known on 2022-12-31" in (tmp_path / "a" / "briefing.html").read_text(encoding="utf-8")
    assert "later documents are left out" in (tmp_path / "a" / "caveats.md").read_text(encoding="utf-8")
    briefing.write(tiny, tmp_path / "b", organisation="facebook", as_of=date(2023, 6, 1))
    own = rows(tmp_path / "b" / "data" / "own_disclosures.csv")
    assert [row["obs_value"] for row in own if row["time_period"] == "2022-Q4"] == ["4000"]


@pytest.mark.slow
def test_from_and_until_bound_the_periods(tiny: Settings, tmp_path: Path) -> None:
    briefing.write(tiny, tmp_path / "a", area="PHL", start="2021", end="2022-Q4")
    assert {row["year"] for row in rows(tmp_path / "a" / "data" / "reports.csv")} == {"2021", "2022"}
    with pytest.raises(LightwellError, match="'2021-13' is no period: write 2020, 2020-S1"):
        briefing.write(tiny, tmp_path / "b", area="PHL", start="2021-13")


@pytest.mark.slow
def test_an_area_of_which_nothing_is_held_gets_a_page_that_says_so(tiny: Settings, tmp_path: Path) -> None:
    briefing.write(tiny, tmp_path / "a", area="Fiji")
    page = (tmp_path / "a" / "briefing.html").read_text(encoding="utf-8")
    assert "No count of CyberTipline reports of Fiji is held" in page
    assert "The release holds no figure about Fiji" in page
    assert not list((tmp_path / "a" / "charts").iterdir())


# ---- caveats


def test_the_caveats_are_those_that_apply_and_no_others(area: Path, company: Path) -> None:
    of_area, of_company = ((f / "caveats.md").read_text(encoding="utf-8") for f in (area, company))
    assert "The country is the upload location" in of_area
    assert "## Break 2024" in of_area
    assert "Brands listed separately" not in of_area, "a break of the providers' list"
    assert "The country is the upload location" not in of_company
    assert "rounded or about, not exact" in of_company
    assert "1 of the figures shown were changed by a later document" in of_company
    assert "## Break 2024" not in of_company, "no figure of 2024 is shown"
    assert "transcribed by hand" not in of_area + of_company


def test_every_caveat_of_the_sheet_is_on_the_page(area: Path) -> None:
    text = " ".join(Seen((area / "briefing.html").read_text(encoding="utf-8")).text)
    for line in (area / "caveats.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("- "):
            assert line[2:] in " ".join(text.split())


# ---- the page as HTML and PDF


def test_the_html_loads_nothing_and_runs_nothing(area: Path, company: Path) -> None:
    for folder in (area, company):
        seen = Seen((folder / "briefing.html").read_text(encoding="utf-8"))
        assert "script" not in seen.tags
        assert all(target.startswith("data:image/svg+xml;base64,") for target in seen.loads)
        assert len(seen.loads) == len(list((folder / "charts").glob("*.svg")))


@pytest.mark.slow
def test_what_a_publisher_printed_is_text_and_never_markup(tiny: Settings, tmp_path: Path) -> None:
    briefing.write(tiny, tmp_path / "a", organisation=HOSTILE)
    page = (tmp_path / "a" / "briefing.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Söhne 株式会社" in page
    with pdfplumber.open(tmp_path / "a" / "briefing.pdf") as pdf:
        text = pdf.pages[0].extract_text()
    assert "<script>alert(1)</script> & Söhne [U+682A]" in text
    for path in (tmp_path / "a" / "charts").glob("*.svg"):
        assert "<script>" not in path.read_text(encoding="utf-8")


def test_the_pdf_says_what_the_html_says_on_one_page_with_notes_after(area: Path) -> None:
    with pdfplumber.open(area / "briefing.pdf") as pdf:
        pages = [page.extract_text() for page in pdf.pages]
        assert pdf.metadata["Title"].startswith("Philippines: ")
        assert pdf.metadata["CreationDate"] == "D:20260102030405Z", "of the release, not of today"
        assert len(pdf.pages[0].images) == 1
    assert "Reports by year" in pages[0]
    assert "1,500,000" in pages[0]
    assert "Before you quote a number" in pages[0]
    assert pages[1].startswith("Notes: where each number was printed")


# ---- pictures


def picture(**fields: object) -> Picture:
    bars = [
        Bar(date(y, 1, 1), date(y, 12, 31), v, s, f"{v:,}", (f"{y}{s}",))
        for s, values in {"reports": {2021: 3, 2022: 5}, "referred": {2022: 4, 2024: 2}}.items()
        for y, v in values.items()
    ]
    marks = (
        Mark("break", date(2022, 1, 1), "2022", "Counted anew", "Why.", "Where"),
        Mark("event", date(2022, 1, 3), "2022-01-03", "A law", "What.", "Where"),
    )
    return replace(Picture("x", "A title", "reports a year", tuple(bars), True, marks), **fields)  # type: ignore[arg-type]


def test_a_picture_has_its_unit_source_and_marks_under_it() -> None:
    drawn = charts.draw(picture(), "Source: somebody, note 1.")
    text = " ".join(re.findall(r">([^<>]+)<", drawn.svg))
    for said in ("A title", "Unit: reports a year.", "Source: somebody, note 1.", "A: break 2022, Counted anew."):
        assert said in text
    assert "1: event 2022-01-03, A law." in text
    assert "No number is held: referred, 2023." in text
    assert "2021 reports 3" in drawn.alt
    assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", drawn.svg)
    assert Image.open(BytesIO(drawn.png)).size[0] > 1000


def test_a_picture_can_be_read_in_grey() -> None:
    """The shades of any number of series stay far apart in lightness, and so does the darkest from its own labels."""
    for shades in charts._SHADES.values():
        light = [Image.new("RGB", (1, 1), shade).convert("L").getpixel((0, 0)) for shade in shades]
        assert all(later - earlier >= 35 for earlier, later in zip(light, light[1:], strict=False)), light  # noqa: RUF007


def test_bars_stand_where_their_periods_are() -> None:
    stacked = charts._rectangles(picture())
    assert [(r["series"], r["y"], r["y2"]) for r in stacked if 2022 < r["x"] < 2023] == [
        ("reports", 0.0, 5.0),
        ("referred", 5.0, 9.0),
    ]
    side = [r for r in charts._rectangles(picture(stacked=False)) if 2022 < r["x"] < 2023]
    assert [r["y"] for r in side] == [0.0, 0.0]
    assert side[0]["x2"] == pytest.approx(side[1]["x"])


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0"), (3188793.0, "3,188,793"), (0.0005, "0.0005"), (12.345, "12.3")]
)
def test_numbers_are_shown_whole_or_with_three_digits(value: float, shown: str) -> None:
    cell = number(value, ["a"])
    assert not isinstance(cell, str)
    assert cell.text == shown
    assert number(None, []) == "not held"


def test_letters_that_the_font_lacks_are_written_as_code_points() -> None:
    assert paper._text("Zoë – 5 € 株") == "Zoë – 5 € [U+682A]"


def test_an_empty_page_is_a_page() -> None:
    page = Page("X", "y", "z", BUILT_AT, Content(), [], Notes({}), [])
    assert "<h1>X</h1>" in html(page)
    assert paper.pdf(page).startswith(b"%PDF")


# ---- whom it is about


@pytest.mark.parametrize(
    ("said", "code"), [("snap", "snap"), ("SNAPCHAT", "snapchat"), ("Snap Inc.", "snap"), ("facebook", "facebook")]
)
def test_an_organisation_is_found_by_code_and_by_any_name(tiny: Settings, said: str, code: str) -> None:
    with warehouse.connect(tiny) as con:
        found, _, members = scope.organisation(con, said)
    assert found == code
    assert code in {one for one, _ in members}
    if code == "snap":
        assert ("snapchat", "Snapchat") in members


@pytest.mark.parametrize("said", ["PHL", "phl", "PH", "Philippines"])
def test_an_area_is_found_by_code_and_by_any_name(tiny: Settings, said: str) -> None:
    with warehouse.connect(tiny) as con:
        assert scope.area(con, said)[:2] == ("PHL", "Philippines")
        for nobody in ("_T", "Atlantis"):
            with pytest.raises(LightwellError, match="no area"):
                scope.area(con, nobody)
        with pytest.raises(LightwellError, match=r"near are: Snapchat \(snapchat\)"):
            scope.organisation(con, "snapchatt")


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("2024", date(2024, 1, 1), date(2024, 12, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2024-Q4", date(2024, 10, 1), date(2024, 12, 31)),
        ("2024-S1", date(2024, 1, 1), date(2024, 6, 30)),
    ],
)
def test_a_period_has_a_first_and_a_last_day(period: str, first: date, last: date) -> None:
    assert (scope.first_day(period), scope.last_day(period)) == (first, last)
    assert scope.first_day(None) is scope.last_day(None) is None


# ---- the command line


def test_the_command_writes_the_folder_and_names_its_files(
    tiny: Settings, lightwell: Callable[..., Ran], tmp_path: Path
) -> None:
    ran = lightwell("--home", tiny.home, "briefing", "--area", "PHL", "--as-of", "2023-12-31", "--to", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert set(ran.out.splitlines()) == {str(p) for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert lightwell("briefing", "--to", tmp_path / "x").code == 2
    assert lightwell("briefing", "--area", "PHL", "--organisation", "snap", "--to", tmp_path / "x").code == 2
    ran = lightwell("--home", tiny.home, "briefing", "--organisation", "snapchatt", "--to", tmp_path / "x")
    assert (ran.code, "near are: Snapchat (snapchat)" in ran.err) == (1, True)


@pytest.mark.slow
def test_a_briefing_on_the_edition(built: Settings, tmp_path: Path) -> None:
    """The Philippines and Snap as the edition has them: the numbers that the questions ask for."""
    from frictionless import Package

    briefing.write(built, tmp_path / "phl", area="PHL")
    page = (tmp_path / "phl" / "briefing.html").read_text(encoding="utf-8")
    for said in ("801,272", "2,740,905", "×3.42", "1,364,464", "Not counted by NCMEC", "live-streamed"):
        assert said in page
    briefing.write(built, tmp_path / "snap", organisation="snap")
    page = (tmp_path / "snap" / "briefing.html").read_text(encoding="utf-8")
    for said in ("551,086", "550,755", "−0.06 %", "−10.59 %"):
        assert said in page
    for name in ("phl", "snap"):
        report = Package(str(tmp_path / name / "data" / "datapackage.json")).validate()
        assert report.valid, report.flatten(["name", "title", "message"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Meta", "ncmec", "TikTok", "Discord"])
def test_no_organisation_of_the_edition_fails(built: Settings, tmp_path: Path, name: str) -> None:
    briefing.write(built, tmp_path / "out", organisation=name)
    assert (tmp_path / "out" / "briefing.pdf").read_bytes().startswith(b"%PDF")
