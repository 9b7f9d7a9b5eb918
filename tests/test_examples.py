"""The questions of the house, Q1 to Q21, as SQL files: each runs as it stands, and gives the value it promises."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lightwell import warehouse
from lightwell.settings import Settings, resource

FOLDER = resource("sql") / "examples"
FILES = sorted(FOLDER.glob("*.sql"))
Answer = list[dict[str, Any]]


def answers(settings: Settings, name: str) -> list[Answer]:
    """The rows of each statement of the file whose name begins so."""
    [path] = FOLDER.glob(f"{name}_*.sql")
    found = []
    with warehouse.connect(settings) as con:
        for statement in con.extract_statements(path.read_text(encoding="utf-8")):
            con.execute(statement)
            columns = [column[0] for column in con.description or ()]
            found.append([dict(zip(columns, row, strict=True)) for row in con.fetchall()])
    return found


def test_every_question_has_one_file() -> None:
    assert [path.name[:3] for path in FILES] == [f"q{number:02}" for number in range(1, 22)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_begins_with_its_question(path: Path) -> None:
    number = int(path.name[1:3])
    assert re.match(rf"-- Q{number}: .+\?|-- Q{number}: .+[.:]", path.read_text(encoding="utf-8").replace("\n-- ", " "))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_statement_gives_rows(released: Settings, path: Path) -> None:
    for number, rows in enumerate(answers(released, path.name[:3]), start=1):
        assert rows or path.stem == "q05_terms", f"statement {number} of {path.name} gives no row"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_runs_as_it_stands_in_the_shell(released: Settings, path: Path) -> None:
    shell = Path(sys.executable).with_name("duckdb")
    ran = subprocess.run(
        [shell, "-readonly", released.database], stdin=path.open("rb"), capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout


def test_q01_growth(released: Settings) -> None:
    [rows] = answers(released, "q01")
    found = {row["what"]: row for row in rows}
    assert round(found["Philippines"]["fold_change"], 2) == 3.42
    assert round(found["world"]["fold_change"], 1) == 32.7
    over = found["world, over the break"]
    assert round(over["fold_change"], 2) == 0.81 and "cybertip_incidents" in over["reason"]


def test_q02_the_quoted_numbers_contradict_each_other(released: Settings) -> None:
    quoted, [conflict] = answers(released, "q02")
    assert [row["quoted_value_a_year"] for row in quoted] == [2_496_000, 250_000, 43]
    assert all("C2" in row["conflict_ids"] for row in quoted)
    assert conflict["verdict"] == "arithmetic_fails" and "2496000" in str(conflict["arithmetic"])


def test_q03_livestreamed_abuse_is_a_row_of_gaps(released: Settings) -> None:
    [rows] = answers(released, "q03")
    counted = {row["organisation"] for row in rows if row["state"] in ("counted", "zero")}
    assert counted <= {"esafety"} and len({row["organisation"] for row in rows}) > 15


def test_q04_minimum_reporting(released: Settings) -> None:
    [rows] = answers(released, "q04")
    shares = {(r["year"], r["ref_area"]): r["informational_percent_of_both"] for r in rows}
    assert [shares[year, "_T"] for year in range(2020, 2025)] == [53.9, 37.4, 50.9, 49.7, 21.6]
    assert [shares[2024, area] for area in ("GBR", "AUS", "PHL", "IND", "USA")] == [48.9, 60.5, 20.7, 32.4, 19.4]


def test_q05_terms_of_many_publishers_stand_for_one_harm(released: Settings) -> None:
    terms, _ = answers(released, "q05")
    assert len({row["source_id"] for row in terms if row["harm"] == "csam"}) >= 2
    assert len({row["label"] for row in terms if row["source_id"].startswith("ncmec")}) >= 8


def test_q06_new_or_recycled(released: Settings) -> None:
    [rows] = answers(released, "q06")
    found = {(row["file_type"], row["year"]): row for row in rows}
    assert found["image", 2023]["unique_files"] == 32_325_824 and found["image", 2023]["files"] == 54_842_374
    assert found["video", 2023]["unique_files"] == 17_653_496 and found["video", 2023]["files"] == 49_528_198
    shares = [found[key]["unique_percent_of_files"] for key in (("image", 2020), ("video", 2020))]
    assert shares == [53.9, 29.0]


def test_q07_supply_and_demand(released: Settings) -> None:
    [rows] = answers(released, "q07")
    philippines = {row["time_period"]: row for row in rows if row["ref_area"] == "PHL"}
    assert [philippines[y]["reports"] for y in ("2020", "2021", "2022")] == [1_339_597, 3_188_793, 2_576_182]
    assert philippines["2021"]["trade_role"] == "supply"
    remitted = {
        (one["metric"], row["ref_area"], one["obs_value"])
        for row in rows
        for one in row["suspicious_remittances_from_here"] or ()
    }
    share = "suspicious_remittances_share"
    assert {(share, "AUS", 7.4), (share, "GBR", 6.8), (share, "USA", 50)} <= remitted


def test_q08_victim_age(released: Settings) -> None:
    bands, said = answers(released, "q08")
    police = {row["age_band"]: row for row in bands if row["source_id"] == "ph_pnp_wcpc"}
    assert {band: row["victims"] for band, row in police.items()} == {"y5_9": 114, "y10_14": 193, "y15_19": 201}
    assert {row["victims_of_all_ages"] for row in police.values()} == {636}
    assert {("B7", 11), ("B7", 9), ("B6", 50)} <= {(row["quoted_id"], row["quoted_value"]) for row in said}


def test_q09_prevalence_estimates_keep_their_method(released: Settings) -> None:
    estimates, grown = answers(released, "q09")
    assert all(row["estimation_method"] for row in estimates)
    found = {(r["study"], r["metric"], r["time_period"]): r["obs_value"] for r in estimates}
    assert found["ijm_osec_2020", "ip_addresses_used", "2014"] == 23_333
    assert found["ijm_osec_2020", "ip_addresses_used", "2017"] == 81_723
    folds = {(row["metric"], row["study"]): row["fold_change"] for row in grown}
    assert folds["ip_addresses_used", "ijm_osec_2020"] == 3.5
    assert folds["ip_addresses_used_rate", "ijm_osec_2020"] == 3.47
    assert folds["ip_addresses_used", "doj_2022"] == 2.09


def test_q10_reductions_are_kept_apart(released: Settings) -> None:
    [rows] = answers(released, "q10")
    found = {row["said_by"]: (row["comparator"], row["reduction_percent"]) for row in rows}
    assert found["A7"][1] == 79 and found["B1"] == ("<=", 86) and found["project_lantern_2010"][1] == 79


def test_q11_enforcement_funnel(released: Settings) -> None:
    [rows] = answers(released, "q11")
    [said] = [row for row in rows if row["operations"] == 208]
    assert (said["victims"], said["arrests"], said["convictions"]) == (669, 256, 90)
    assert said["victims_per_operation"] == 3.22 and said["arrests_per_operation"] == 1.23
    assert said["convictions_percent_of_arrests"] == 35.2


def test_q12_lockdown(released: Settings) -> None:
    said, between = answers(released, "q12")
    assert [(row["comparator"], row["quoted_value"]) for row in said] == [(">", 16), (">", 50), ("~", 60)]
    assert not any(row["falls"] for row in between)


def test_q13_sentences(released: Settings) -> None:
    [rows] = answers(released, "q13")
    found = {(row["quoted_id"], row["part"]): row for row in rows}
    assert (found["B15", 1]["comparator"], found["B15", 1]["quoted_value"]) == ("<=", 15)
    assert (found["B16", 1]["value_low"], found["B16", 1]["value_high"]) == (1, 2)


def test_q14_the_budget_has_no_year(released: Settings) -> None:
    [rows] = answers(released, "q14")
    assert {row["budget_period"] for row in rows} == {"year not stated"}
    assert {row["pesos_a_year"] for row in rows} == {120_000_000}


def test_q15_tier_one_from_2016_to_2025(released: Settings) -> None:
    [rows] = answers(released, "q15")
    tiers = {row["time_period"]: row["tip_tier"] for row in rows}
    assert [tiers[str(year)] for year in range(2011, 2026)] == ["2"] * 5 + ["1"] * 10


def test_q16_suspicious_transactions(released: Settings) -> None:
    [rows] = answers(released, "q16")
    third = {row["time_period"]: row for row in rows if row["universe"] == "study_3"}
    assert [third[y]["reports"] for y in ("2021", "2022")] == [68_214, 92_200]
    assert [third[y]["amount"] for y in ("2021", "2022")] == [996_700_000, 478_280_000]
    assert [third[y]["amount_per_report"] for y in ("2021", "2022")] == [14_611, 5_187]


def test_q17_detected_victims(released: Settings) -> None:
    [rows] = answers(released, "q17")
    assert {"PHL", "USA", "GBR", "THA"} <= {row["ref_area"] for row in rows}


def test_q18_concentration(released: Settings) -> None:
    shares, turnover = answers(released, "q18")
    assert {(2019, 94.3), (2025, 51.9)} <= {(row["year"], row["percent_of_all"]) for row in shares}
    assert {row["direction"] for row in turnover} == {"new", "vanished"}


def test_q19_laws_and_events(released: Settings) -> None:
    [rows] = answers(released, "q19")
    titles = " ".join(row["title"] for row in rows)
    assert all(word in titles for word in ("REPORT Act", "Online Safety Act", "Philippine"))
    assert all(row["citation"] for row in rows)


def test_q20_before_and_after_encryption(released: Settings) -> None:
    [rows] = answers(released, "q20")
    found = {(row["subject"], row["time_period"]): round(row["million_reports"], 2) for row in rows}
    assert [found["facebook", y] for y in ("2023", "2024", "2025")] == [17.84, 8.59, 4.91]
    assert [found["whatsapp", y] for y in ("2023", "2024", "2025")] == [1.39, 1.85, 2.36]


def test_q21_every_figure_of_a_briefing_has_a_citation_and_caveats(released: Settings) -> None:
    [rows] = answers(released, "q21")
    assert len(rows) > 20 and all(row["citation"] and row["caveats"] for row in rows)
