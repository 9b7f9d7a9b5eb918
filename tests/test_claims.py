"""A sentence held against a release: what matches, what is rounded, what contradicts, and what nothing is known of."""

import io
import json
import re
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from conftest import ROOT, Ran
from lightwell import claims, codes, quoted
from lightwell.errors import LightwellError
from lightwell.settings import Settings
from test_warehouse import document, observation, prepared, publish

DOCUMENTS = ROOT.parent / "shared" / "documents"
BY_ESP = document("2022-reports-by-esp", published_on=date(2023, 5, 1))
BY_COUNTRY = document("2022-reports-by-country", source_id="ncmec_by_country", published_on=date(2023, 5, 1))


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Some real totals of 2022, a rounded one of 2019, a bound, a share, a range."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    country = {"source_id": "ncmec_by_country"}
    files = {"metric": "files_reported", "unit_measure": "files", "subject": "esp", **country}
    threat = {"metric": "people_posing_threat", "unit_measure": "persons", "ref_area": "GBR", "reporter": "meta",
              "harm": "child_sexual_abuse", **country}  # fmt: skip
    esp = [
        observation(BY_ESP, "Facebook", 21_165_208, subject="facebook"),
        observation(BY_ESP, "Snapchat", 551_086, subject="snapchat"),
    ]
    countries = [
        observation(BY_COUNTRY, "Philippines", 2_576_182, ref_area="PHL", **country),
        observation(BY_COUNTRY, "Philippines, before", 3_188_793, year=2021, ref_area="PHL", **country),
        observation(BY_COUNTRY, "Total", 32_059_029, is_total=True, **country),
        observation(BY_COUNTRY, "Enticement", 80_524, harm="online_enticement", series_id="e" * 16, **country),
        observation(BY_COUNTRY, "Files", 69_100_000, year=2019, comparator="~", obs_text="69.1 million", **files),
        observation(BY_COUNTRY, "Files 2022", 88_377_207, **files),
        observation(BY_COUNTRY, "Appendix", 4_560, year=1998, **country),
        observation(BY_COUNTRY, "Threat", None, year=2021, value_low=550_000.0, value_high=850_000.0,
                    obs_status="Q", obs_text="550,000-850,000", **threat),
    ]  # fmt: skip
    publish(settings, [prepared(BY_ESP, *esp), prepared(BY_COUNTRY, *countries)])
    return settings


SAID: dict[str, dict[str, str]] = {
    "In 2022 Facebook sent 21,165,208 CyberTipline reports.": {"21,165,208": "exact 21165208"},
    "Facebook: 21.2 million CyberTipline reports (2022)": {"21.2 million": "rounding 21165208"},
    "Facebook sent 21.1 million CyberTipline reports in 2022": {"21.1 million": "contradicts 21165208"},
    "Facebook sent over 20 million CyberTipline reports in 2022": {"over 20 million": "bound 21165208"},
    "Facebook sent over 30 million CyberTipline reports in 2022": {"over 30 million": "contradicts 21165208"},
    "In 2022 the Philippines had 2.6 million CyberTipline reports": {"2.6 million": "rounding 2576182"},
    "In 2022 the Philippines had 4 million CyberTipline reports": {"4 million": "contradicts 2576182"},
    "In 2021 the Phillipines had 3,188,793 CyberTipline reports": {"3,188,793": "exact 3188793"},
    "In 2022 NCMEC received 32 million reports": {"32 million": "rounding 32059029"},
    "NCMEC received 25 million CyberTipline reports in 2022": {"25 million": "contradicts 32059029"},
    "There were 80,524 reports of online enticement in 2022": {"80,524": "exact 80524"},
    "In 2022 providers reported 88.4 million files": {"88.4 million": "rounding 88377207"},
    "21165208": {"21165208": "exact 21165208"},
    "550,000 to 850,000 people in the UK pose a sexual threat to children": {"550,000 to 850,000": "exact"},
}


@pytest.fixture(scope="module")
def found(release: Settings) -> dict[str, list[claims.Finding]]:
    """What is found in each of these sentences, checked as one text."""
    lines = [*SAID, *NOTHING]
    findings = claims.check(release, "\n".join(lines)).findings
    ends = [sum(len(line) + 1 for line in lines[: n + 1]) for n in range(len(lines))]
    return {
        line: [f for f in findings if end - len(line) - 1 <= f.start < end]
        for line, end in zip(lines, ends, strict=True)
    }


@pytest.mark.parametrize("text", SAID)
def test_a_number_is_held_against_the_same_thing(text: str, found: dict[str, list[claims.Finding]]) -> None:
    said = {f.claim: " ".join([f.verdict, *(f"{m.value:.0f}" for m in f.matches[:1] if m.value)]) for f in found[text]}
    assert said == SAID[text]


NOTHING = [
    "In 2022 Snapchat sent 7 ponies and CyberTipline reports.",  # no unit of a report
    "Facebook sent 5 million CyberTipline reports.",  # of no period
    "Facebook sent 5 million CyberTipline reports in 2016.",  # of another period
    "In 2022 Germany had 4 million CyberTipline reports.",  # of an area not held
    "In 2022 Discord sent 4 million CyberTipline reports.",  # of an organisation not held
    "They sold 12,345 cars in 2022.",
    "5% of reports in 2022",
    "She waited for six hours.",
    "3",
]


@pytest.mark.parametrize("text", NOTHING)
def test_of_what_is_not_known_nothing_is_found(text: str, found: dict[str, list[claims.Finding]]) -> None:
    assert {f.verdict for f in found[text]} == {"nothing"}


def test_what_is_not_known_is_said_and_refutes_nothing(release: Settings) -> None:
    checked = claims.check(release, NOTHING[0])
    assert not checked.contradicted
    assert claims.remarks(checked) == ["no figure in the warehouse (which refutes nothing) for: 7"]
    assert (
        claims.remarks(claims.check(release, "3"))[-1]
        == "3: too few digits to look up without words: say what is counted"
    )


def test_a_match_leads_to_its_document_and_names_the_breaks_of_its_series(release: Settings) -> None:
    (finding,) = claims.check(release, "In 2022 Facebook sent 21,165,208 CyberTipline reports").findings
    (match,) = finding.matches
    assert match.kind == "observation"
    assert re.fullmatch("[0-9a-f]{16}", match.figure)
    assert match.url == "https://www.missingkids.org/2022-reports-by-esp.pdf"
    assert match.published == "2023-05-01"
    assert match.locator.startswith("page=3")
    assert "page 3" in match.citation
    assert any("Brands listed separately" in one for one in match.breaks)


def test_a_number_printed_for_another_period_is_told(release: Settings) -> None:
    checked = claims.check(release, "Facebook sent 21,165,208 CyberTipline reports in 2016")
    said = "21,165,208: the text names 2016, the release prints it for 2022"
    assert claims.remarks(checked)[-1] == said


def test_the_best_match_comes_first_and_the_list_is_short(release: Settings) -> None:
    (finding,) = claims.check(release, "69 million photos and videos were reported in 2019").findings
    assert [(m.kind, m.verdict) for m in finding.matches] == [("quoted", "exact"), ("observation", "rounding")]
    assert len(finding.matches) <= claims.SHOWN


# --- quoted figures and conflicts -----------------------------------------------------------------------------------

QUOTED: dict[str, tuple[str, str]] = {  # our own sentence: the quoted figure it says, the conflict that is flagged
    "The number of addresses used for exploitation grew more than 12 fold from 2014 to 2017": ("B10/1", "C1"),
    "48,000 cases a week": ("B11/1", "C2"),
    "Providers in the US reported 69 million photos and videos in 2019": ("B13/1", "C3"),
    "In 2007 a grant for Project Lantern was received": ("A6/1", "C4"),
    "Police have rescued 669 victims of online exploitation": ("B18/1", "C5"),
    "300,000 people in the UK pose a threat to children": ("B12/1", "C6"),
    "Republic Act 9557 binds internet service providers": ("B25/1", "C7"),
    "NCMEC had 2,772 CyberTipline reports in 1998": ("C8/text_2023", "C8"),
}


@pytest.mark.parametrize("text", QUOTED)
def test_a_quoted_figure_is_found_with_its_conflict(text: str, release: Settings) -> None:
    figure, conflict_id = QUOTED[text]
    checked = claims.check(release, text)
    assert figure in {m.figure for f in checked.findings for m in f.matches if m.verdict == "exact"}
    assert conflict_id in [c.conflict_id for c in checked.conflicts]
    assert checked.contradicted == (conflict_id != "C3")


def test_a_sentence_that_contradicts_itself_is_told(release: Settings) -> None:
    notes = claims.check(release, "That is 500 reports a day, which is about 15,000 a year.").notes
    assert notes == (
        "the text contradicts itself: 500 a day is 182,500 a year, and about 15,000 a year is 15,000 (12.2 times)",
    )
    assert claims.check(release, "500 reports a day, as opposed to 43 a year").notes == ()
    assert claims.check(release, "100 reports a week, which is 5,200 a year").notes == ()


def whole(name: str) -> str:
    if not DOCUMENTS.is_dir():
        pytest.skip("the quoted documents are not on this machine (../shared/documents)")
    return (DOCUMENTS / name).read_text(encoding="utf-8")


def test_the_two_documents_33_figures_and_their_conflicts(release: Settings) -> None:
    texts = {"ijm_news": whole("ijm-news.txt"), "podcast": whole("podcast.txt")}
    sentences, conflicts = set(), set()
    for name, text in texts.items():
        start = time.perf_counter()
        checked = claims.check(release, text)
        assert time.perf_counter() - start < 10
        sentences.update(checked.quoted_sentences)
        conflicts.update(c.conflict_id for c in checked.conflicts)
        for row in quoted.rows(release):
            if row["quoted_document"] == name:
                begin, end = map(int, row["locator"].removeprefix("chars=").split("-"))
                inside = [f for f in checked.findings if f.start >= begin and f.end <= end]
                numbers = (row["quoted_value"], row["value_low"], row["quoted_term"] if "9557" in str(row) else None)
                found = f"{row['quoted_id']}/{row['part']}" in {m.figure for f in inside for m in f.matches}
                assert found or numbers == (None, None, None), row["quoted_id"]
    assert sentences | {"B25"} == {row["quoted_id"] for row in quoted.rows(release)}  # B25 ends inside a sentence
    assert conflicts == {"C1", "C2", "C3", "C4", "C5", "C6", "C7"}  # C8 is in neither document


def test_the_figures_are_found_in_other_words_too(release: Settings) -> None:
    """Neither the hash of a sentence nor its exact words are needed."""
    lists, said = codes.codelists(), {}
    for row in lists.quoted_figure:
        cut = whole(lists.quoted_document[row.quoted_document].file_name)[int(row.char_start) : int(row.char_end)]
        said[row.quoted_id] = "Well, " + cut[0].lower() + cut[1:].replace("’", "'").replace(",", "")
    checked = claims.check(release, "\n".join(said.values()), quoted_only=True)
    assert checked.quoted_sentences == ()
    found = {m.figure for f in checked.findings for m in f.matches}
    assert {f"{row.quoted_id}/{row.part}" for row in lists.quoted_figure if row.comparator} <= found


# --- what a user can cause ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    {
        "": "there is no text to check",
        " \n ": "there is no text to check",
        "a\0b": "binary file",
        "nosuch.txt": "there is no file nosuch.txt",
        "some/where.pdf": "there is no file some/where.pdf",
        "5 " * 600_000: "longer than 1,000,000 characters",
    }.items(),
    ids=range(6),
)
def test_what_is_no_text_is_refused(given: str, said: str) -> None:
    with pytest.raises(LightwellError, match=re.escape(said)):
        claims.read_text(given)


def test_a_text_comes_from_a_file_from_standard_input_or_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a claim.txt"
    path.write_bytes("\ufeffsix reports".encode())
    assert claims.read_text(str(path)) == "six reports"
    assert claims.read_text("-", "sieben Fälle".encode()) == "sieben Fälle"
    assert claims.read_text("six reports. " * 400) == "six reports. " * 400
    path.write_bytes(b"\x7fELF\xff\xfe")
    with pytest.raises(LightwellError, match="is no text in UTF-8"):
        claims.read_text(str(path))
    path.write_bytes(b"a" * 5_000_000)
    with pytest.raises(LightwellError, match="longer than"):
        claims.read_text(str(path))
    path.chmod(0)
    if not path.is_file() or not _readable(path):
        with pytest.raises(LightwellError, match="cannot be read"):
            claims.read_text(str(path))


def _readable(path: Path) -> bool:
    try:
        return bool(path.open("rb").read(1))
    except OSError:
        return False


@pytest.mark.parametrize(
    "text", ["no numbers at all", "0", "1 2 3 4 5 6", "∞ ½ ٣ 五", "-5", "1e999", "9" * 400, "' OR 1=1 --"]
)
def test_odd_texts_are_answered(text: str, release: Settings) -> None:
    checked = claims.check(release, text)
    assert isinstance(claims.remarks(checked), list)
    assert not checked.contradicted


def test_of_very_many_numbers_the_first_are_checked(release: Settings) -> None:
    checked = claims.check(release, "There were 5 reports. " * 600)
    assert len(checked.findings) == claims.MOST_NUMBERS
    assert checked.notes == (f"the text has more than {claims.MOST_NUMBERS} numbers: the first 500 were checked",)


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command_in_a_table_and_as_json(
    release: Settings, lightwell: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "In 2022 Facebook sent 21,165,208 CyberTipline reports, and 7 ponies."
    ran = lightwell("--home", release.home, "check-claim", text)
    assert ran.code == 0
    header, _, row, *rest = ran.out.splitlines()
    assert header.split() == ["claim", "verdict", "value", "unit_measure", "what", "time_period", "ref_area", "figure"]
    assert row.split()[:4] == ["21,165,208", "exact", "21,165,208", "reports"]
    assert rest[-1] == "no figure in the warehouse (which refutes nothing) for: 7"
    said = json.loads(lightwell("--home", release.home, "check-claim", text, "--json").out)
    assert [f["verdict"] for f in said["findings"]] == ["exact", "nothing"]
    assert said["findings"][0]["matches"][0]["citation"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert lightwell("--home", release.home, "check-claim", "-").out == ran.out


def test_strict_ends_with_3_where_something_is_contradicted(release: Settings, lightwell: Callable[..., Ran]) -> None:
    def code(text: str, *options: str) -> int:
        return lightwell("--home", release.home, "check-claim", text, *options).code

    wrong = "Facebook sent 5 million CyberTipline reports in 2022"
    assert (code(wrong), code(wrong, "--strict")) == (0, 3)
    assert code("48,000 cases a week", "--strict") == 3
    assert code("Facebook sent 21.2 million CyberTipline reports in 2022", "--strict") == 0
    assert code("nothing to see", "--strict") == 0
    assert code("nosuch.txt", "--strict") == 1
