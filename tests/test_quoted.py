"""Figures quoted in public texts and the conflict register: complete, in their place, computed, never corrected."""

import csv
import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from conftest import ROOT, Ran
from lightwell import codes, harmonise, quoted, warehouse
from lightwell.errors import DeclarationError, LightwellError
from lightwell.settings import Settings, resource
from test_warehouse import document, observation, prepared, publish

DOCUMENTS = ROOT.parent / "shared" / "documents"
LISTS = codes.codelists()
IDS = [f"A{n}" for n in range(1, 8)] + [f"B{n}" for n in range(1, 27)]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A release that observes nothing but two numbers of the register, one of them restated since."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    text = document("2022-ojjdp", source_id="ncmec_by_country", published_on=date(2023, 4, 28))
    picacc = {"metric": "victims_rescued_cumulative", "unit_measure": "victims", "harm": "child_sexual_exploitation"}
    at = {"time_period": "2022-03", "freq": "M", "period_start": date(2022, 3, 1), "period_end": date(2022, 3, 31)}
    files = {"metric": "files_reported", "unit_measure": "files", "comparator": "~", "obs_text": "69.1 million"}
    where = {"source_id": "ncmec_by_country", "subject": "esp"}
    made = [
        observation(text, "2019", 69_100_000, year=2019, **files, **where),
        observation(
            text, "PICACC", 9_000, ref_area="PHL", dimensions={"universe": "picacc_since_2019_02"},
            **picacc, **at, source_id="ncmec_by_country",
        ),
        observation(text, "another", 1, ref_area="PHL", dimensions={"universe": "x"}, **picacc, **at,
                    source_id="ncmec_by_country"),
    ]  # fmt: skip
    publish(settings, [prepared(text, *made)])
    return settings


def ask(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    return warehouse.query(sql, settings)[1]


# --- what is quoted -------------------------------------------------------------------------------------------------


def test_all_33_sentences_are_there_and_their_values() -> None:
    rows = LISTS.quoted_figure
    assert sorted({row.quoted_id for row in rows}, key=quoted.natural) == IDS
    said = {f"{r.quoted_id}/{r.part}": (r.comparator, r.quoted_value or (r.value_low, r.value_high)) for r in rows}
    expected = {
        "A1/1": ("=", "6"), "A2/1": (">", "4000"), "A3/1": ("=", "3"), "A3/2": (">", "19"), "A4/1": ("=", "3"),
        "A5/1": ("=", "1"), "A6/1": ("=", "2007"), "A7/1": ("=", "79"), "A7/2": ("=", "5"), "B1/1": ("<=", "86"),
        "B2/1": ("=", ("10", "20")), "B2/2": ("<=", "100"), "B2/3": ("<=", "200"), "B3/1": ("=", "10"),
        "B5/1": ("=", "92"), "B6/1": (">", "50"), "B7/1": ("=", "11"), "B7/2": ("=", "9"), "B8/1": ("=", "2"),
        "B8/2": ("<=", "4"), "B9/1": ("=", "0"), "B10/1": (">", "12"), "B11/1": ("=", "48000"),
        "B11/2": ("~", "250000"), "B11/3": ("=", "43"), "B12/1": ("=", "300000"), "B13/1": ("=", "69000000"),
        "B14/1": ("=", "10"), "B15/1": ("<=", "15"), "B16/1": ("=", ("1", "2")), "B16/2": ("=", ("2", "3")),
        "B17/1": (">", "50"), "B18/1": ("=", "669"), "B18/2": ("=", "256"), "B18/3": ("=", "208"),
        "B18/4": ("=", "90"), "B19/1": (">", "120000000"), "B20/1": (">", "16"), "B20/2": (">", "50"),
        "B20/3": ("~", "60"), "B20/4": (">", "50"), "B21/1": ("=", "1"), "B24/1": ("=", "50"), "B24/2": ("=", "50"),
        "B24/3": ("=", "100"),
    }  # fmt: skip
    none = {f"{i}/1": ("", ("", "")) for i in ("B4", "B22", "B23", "B25", "B26")}
    assert said == expected | none


def test_nothing_that_is_not_stated_is_filled_in() -> None:
    stated = {(r.quoted_id, r.time_period) for r in LISTS.quoted_figure if r.time_period}
    assert stated == {("A6", "2007"), ("B4", "2014-01-01/P4Y"), ("B10", "2014-01-01/P4Y"), ("B13", "2019")}
    assert all(harmonise.parse_period(period) for _, period in stated)
    roles = {r.quoted_id: r.named_areas for r in LISTS.quoted_figure if r.named_areas}
    assert roles == {"A3": "CAN GBR USA", "B22": "IND KHM PHL THA", "B23": "AUS GBR USA"}
    assert {r.redundant_with for r in LISTS.quoted_figure if r.quoted_id == "B17"} == {"B6"}


def test_each_range_of_characters_is_the_sentence_that_was_hashed() -> None:
    if not DOCUMENTS.is_dir():
        pytest.skip("the quoted documents are not on this machine (../shared/documents)")
    for text in LISTS.quoted_document.values():
        raw = (DOCUMENTS / text.file_name).read_bytes()
        assert hashlib.sha256(raw).hexdigest() == text.document_id
        words = raw.decode("utf-8")
        for row in LISTS.quoted_figure:
            if row.quoted_document == text.quoted_document:
                cut = words[int(row.char_start) : int(row.char_end)]
                assert hashlib.sha256(cut.encode()).hexdigest() == row.text_sha256, row.quoted_id
                assert cut == cut.strip()
                assert cut not in ",".join(vars_of(row))  # the sentence itself is the publisher's


def vars_of(row: codes.QuotedFigure) -> list[str]:
    return [getattr(row, name) for name in codes.TABLES["quoted_figure"]]


def test_no_person_is_told() -> None:
    everything = json.dumps([vars_of(row) for row in LISTS.quoted_figure])
    assert "Velma" not in everything
    assert "10-year-old" not in everything
    assert "Deacon" not in everything


# --- in the release -------------------------------------------------------------------------------------------------


def test_the_view_gives_each_value_its_place_its_conflicts_and_a_citation(release: Settings) -> None:
    rows = {f"{row['quoted_id']}/{row['part']}": row for row in quoted.rows(release)}
    assert len(rows) == len(LISTS.quoted_figure)
    week = rows["B11/1"]
    assert (week["conflict_ids"], week["conflict_status"]) == (["C2"], "arithmetic_fails")
    assert week["locator"] == "chars=17624-17860"
    assert week["text_sha256"] in week["citation"]
    assert "characters 17624 to 17860" in week["citation"]
    assert (rows["B12/1"]["comparator"], rows["B12/1"]["read_comparator"]) == ("=", ">=")
    assert (rows["A1/1"]["conflict_ids"], rows["A1/1"]["conflict_status"]) == ([], "unconflicted")
    assert rows["B22/1"]["named_areas"] == ["IND", "KHM", "PHL", "THA"]
    concerned = {c: {r["quoted_id"] for r in rows.values() if c in r["conflict_ids"]} for c in
                 ("C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8")}  # fmt: skip
    assert concerned == {
        "C1": {"B10"}, "C2": {"B11"}, "C3": {"B13"}, "C4": {"A6", "A7"}, "C5": {"B18"}, "C6": {"B12"}, "C7": {"B25"},
        "C8": set(),
    }  # fmt: skip
    assert [row["quoted_id"] for row in quoted.rows(release, "C4")] == ["A6", "A7", "A7"]
    with pytest.raises(LightwellError, match="no conflict 'C9'; there are: C1, C2"):
        quoted.rows(release, "C9")


def test_the_arithmetic_of_the_register_is_computed(release: Settings) -> None:
    found = {(c, s): (round(r, 2), h) for c, s, r, h in ask(
        release, "SELECT conflict_id, step, result, holds FROM conflict_arithmetic")}  # fmt: skip
    assert found["C1", 1] == (round(81_723 / 23_333, 2), False)
    assert found["C1", 2] == (3.47, False)
    assert found["C1", 3] == (2.09, False)
    assert found["C2", 1] == (48_000 * 52, False) == (2_496_000, False)
    assert found["C2", 2] == (4_807.69, False)
    assert found["C2", 3] == (249_600, True)
    assert found["C3", 1] == (69_100_000, True)
    assert found["C4", 1] == (2007, False)
    assert found["C5", 1] == (687, True)
    assert found["C6", 1] == (300_000, True)
    assert found["C8", 1] == (2_772, False)
    (ratio,) = ask(release, "SELECT ratio FROM conflict_arithmetic WHERE conflict_id = 'C2' AND step = 1")
    assert ratio == (9.984,)


def test_the_register_prints_both_sides_and_how_it_was_judged(release: Settings) -> None:
    rows = ask(release, "SELECT conflict_id, verdict, is_conflict FROM conflict_register ORDER BY conflict_id")
    assert rows == [
        ("C1", "contradicts", True), ("C2", "arithmetic_fails", True), ("C3", "within_rounding", False),
        ("C4", "contradicts", True), ("C5", "other_universe", True), ("C6", "lower_bound", True),
        ("C7", "wrong_reference", True), ("C8", "contradicts", True),
    ]  # fmt: skip
    ((said,),) = ask(release, "SELECT said_beside FROM conflict_register WHERE conflict_id = 'C7'")
    assert "Republic Act 9557" in said[0]
    assert any("Republic Act 9775" in one for one in said)
    assert all("[" in one for one in said)


def test_the_warehouse_goes_before_the_register_and_a_restatement_shows(release: Settings) -> None:
    sql = "SELECT value_key, amount, taken_from FROM conflict_amount WHERE conflict_id IN ('C3', 'C5')"
    taken = {key: (amount, source) for key, amount, source in ask(release, sql)}
    assert taken["files_2019"] == (69_100_000, "warehouse")
    assert taken["picacc_2022_victims"] == (9_000, "warehouse")  # that of its own universe
    assert taken["picacc_2022_arrests"] == (113, "register")
    unexpected = ask(release, "SELECT conflict_id, steps_unexpected FROM conflict_register WHERE steps_unexpected > 0")
    assert unexpected == [("C5", 1)]  # 9,000 against 669 no longer fails; the release is built all the same


# --- audits ---------------------------------------------------------------------------------------------------------

SPOILT = {
    "a range over another": ("UPDATE quoted_figure SET char_end = char_end + 1000", "quoted"),
    "no such document": ("UPDATE quoted_figure SET quoted_document = 'x' WHERE quoted_id = 'A1'", "quoted"),
    "no such area": ("UPDATE quoted_figure SET ref_area = 'XX' WHERE quoted_id = 'A1'", "quoted"),
    "no period": ("UPDATE quoted_figure SET time_period = 'last year' WHERE quoted_id = 'A1'", "quoted"),
    "no unit": ("UPDATE quoted_figure SET unit_measure = NULL WHERE quoted_id = 'A1'", "quoted"),
    "no such sentence": ("UPDATE quoted_conflict SET quoted_ids = 'Z9' WHERE conflict_id = 'C1'", "quoted"),
    "a slip in the register": (
        "UPDATE quoted_conflict_value SET amount = 481 WHERE value_key = 'weeks'", "conflict_arithmetic",
    ),
    "a value gone": ("DELETE FROM quoted_conflict_value WHERE value_key = 'slip'", "conflict_arithmetic"),
}  # fmt: skip


@pytest.mark.parametrize("what", SPOILT)
def test_an_audit_finds(what: str, release: Settings, tmp_path: Path) -> None:
    sql, name = SPOILT[what]
    with duckdb.connect(str(shutil.copyfile(release.database, tmp_path / "copy.duckdb"))) as con:
        assert not warehouse.audit(con)[name]
        con.execute(sql)
        assert warehouse.audit(con)[name]


# --- the lists ------------------------------------------------------------------------------------------------------

FAULTS: dict[str, tuple[str, dict[str, str], str]] = {
    "range": ("quoted_figure", {"char_start": "900", "char_end": "900"}, "hold nothing"),
    "no number": ("quoted_figure", {"char_start": "x"}, "no whole numbers"),
    "hash": ("quoted_figure", {"text_sha256": "abc"}, "no sha256"),
    "two places": ("quoted_figure", {"part": "2"}, "cannot stand at two places"),
    "value": ("quoted_figure", {"quoted_value": "6,5"}, "is no number written"),
    "value and range": ("quoted_figure", {"value_low": "1", "value_high": "2"}, "a lower and a higher bound"),
    "comparator": ("quoted_figure", {"comparator": "up_to"}, "comparator 'up_to'"),
    "unit": ("quoted_figure", {"unit_measure": "parsecs"}, "unit_measure 'parsecs'"),
    "no unit": ("quoted_figure", {"unit_measure": ""}, "needs a unit_measure"),
    "area": ("quoted_figure", {"named_areas": "PHL XX"}, "named_areas 'XX'"),
    "metric of another unit": ("quoted_figure", {"metric": "cybertip_reports"}, "is counted in reports"),
    "words": ("quoted_figure", {"what": ""}, "what is empty"),
    "verdict": ("quoted_conflict", {"verdict": "odd"}, "verdict 'odd'"),
    "unknown quote": ("quoted_conflict", {"quoted_ids": "B99"}, "quoted_ids 'B99'"),
    "handling": ("quoted_conflict", {"handling": ""}, "handling or citation is empty"),
    "number and term": ("quoted_conflict_value", {"term": "Act 1"}, "one of the three"),
    "evidence": ("quoted_conflict_value", {"evidence": "hearsay"}, "evidence 'hearsay'"),
    "dimension": ("quoted_conflict_value", {"dimension": "a"}, "dimension 'a'"),
    "key": ("quoted_conflict_step", {"left_key": "nothing"}, "has no value 'nothing'"),
    "operator": ("quoted_conflict_step", {"operator": "^"}, "operator '^'"),
    "relation": ("quoted_conflict_step", {"relation": "≈"}, "relation '≈'"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_in_a_list_is_told_with_its_line(what: str, tmp_path: Path) -> None:
    name, fields, said = FAULTS[what]
    folder = shutil.copytree(resource("codelists"), tmp_path / "lists")
    path = folder / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    chosen = next(row for row in rows if row.get("amount", row.get("quoted_value", "all")))
    if what == "two places":
        chosen = rows[-1]
        chosen["quoted_id"] = rows[0]["quoted_id"]
    chosen.update(fields)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(DeclarationError, match=rf"(?s){name}.csv, line [0-9]+: .*") as raised:
        codes.load(folder)
    assert said in str(raised.value)


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command_lists_the_rows_and_finds_a_quote(release: Settings, lightwell: Callable[..., Ran]) -> None:
    listed = lightwell("--home", release.home, "quoted")
    assert listed.code == 0
    assert len(listed.out.splitlines()) == 2 + len(LISTS.quoted_figure)
    rows = json.loads(lightwell("--home", release.home, "quoted", "--json").out)
    assert {row["quoted_id"] for row in rows} == set(IDS)
    ran = lightwell("--home", release.home, "quoted", "--check", "48,000 cases a week")
    assert ran.code == 0
    for part in ("B11/1", "C2, arithmetic_fails", "48000 * 52 = 2496000 against ~250000", "characters 17624 to 17860",
                 "a185ac0e1cd60d4343fe5c67ecfd49453775b6ae8e981b3dee697539fc22ccbd"):  # fmt: skip
        assert part in ran.out
    one = lightwell("--home", release.home, "quoted", "--conflict", "C8")
    assert "2772 against 4560" in one.out
    as_json = json.loads(lightwell("--home", release.home, "quoted", "--conflict", "C8", "--json").out)
    assert as_json["conflicts"][0]["verdict"] == "contradicts"
    wrong = lightwell("--home", release.home, "quoted", "--conflict", "X")
    assert (wrong.code, wrong.err.count("\n")) == (1, 1)
