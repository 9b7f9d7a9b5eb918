"""Discord's stacked tables: three layouts, months without a year, totals with and without a name, and what breaks."""

from dataclasses import replace
from pathlib import Path

import pytest

from conftest import document
from lightwell import harmonise, quality, reading, source
from lightwell.errors import LayoutError
from lightwell.harmonise import Harmonised
from lightwell.quality import Verdict
from lightwell.tables import delimited

DISCORD = source.load("discord_transparency")
SITE = "https://discord.com/safety-transparency-reports/"
HALF = """Month,Media reports,Grooming or endangerment escalations
January,"1,001",2
February,10,3
March,20,4
April,30,5
May,40,6
June,50,7
"""
SUMMED = """Month,Media Reports,Grooming or Endangerment Escalations
January,"1,001",2
February,10,3
March,20,4
,,
SUM,"1,031",9
"""
TITLED = """Q2 NCMEC Reports,,
Month,Media Reports,Grooming or Endangerment Escalations
April,"1,001",2
May,10,3
June,20,4
,"1,031",9
"""
TWO_TOTALS = """Month,Media Reports,Grooming or Endangerment Escalations,Total by month
July,"1,001",2,"1,003"
August,10,3,13
September,20,4,24
,,,
,"1,031",9,
Total,"1,040",,
"""
FULL = """Warns,,,,
,,,,
Warns,Individual Accounts Warned,Servers Warned,Server Member Warnings,
Child Safety,"1,100",20,300,
Platform Manipulation,5,0,7,
Violent Extremism,--,--,--,
,,,,
Total:,"1,105",20,307,
,,,,
Accounts Disabled,,,,
,,,,
Accounts Disabled Category,Accounts Disabled,,,
Child Safety,"2,000",,,
Platform Manipulation,30,,,
,,,,
Total:,"2,030",,,
,,,,
NCMEC,,,,
,,,,
Month,Media Reports,Grooming or Endangerment Escalations,Month Total,
July,"1,001",2,"1,003",
August,10,3,13,
September,20,4,24,
,,,,
Total,"1,031",9,"1,040",
,,,,
Servers Removed,,,,
,,,,
Servers Removed Category,Servers Removed Proactive,Servers Removed Reactive,Total Servers Removed,
Child Safety,500,40,540,
Platform Manipulation,6,7,13,
,,,,
Total:,506,47,553,
,,,,
Appeals,,,,
,,,,
Appeal Category,Accounts Disabled,Appeals,% Accounts Who Submitted an Appeal,Appeals Granted
Child Safety,"2,000",100,5.00%,4
Platform Manipulation,30,3,10.00%,0
,,,,
Sum:,"2,030",103,5.07%,4
,,,,
In-App Reports,,,,
,,,,
Report Category,Reports Received,,,
Child Safety,"461,018",,,
Platform Manipulation,2,,,
,,,,
Total:,"461,020",,,
,,,,
Legal,,,,
,,,,
Request Type,Requests,Information Produced,,
Court Orders,21,16,,
Subpoenas,9,4,,
,,,,
Total,30,20,,
,,,,
Request Type,Requests,Complied,,
Preservation Requests,682,580,,
,,,,
International Government Information Requests,,,,
,,,,
Country,Requests,Information Produced,,
Czech Rebublic,1,0,,
Korea,2,1,,
Italy ,3,0,,
,,,,
Total,6,1,,
"""


def judge(path: Path, url: str | None) -> tuple[Harmonised, Verdict]:
    of = replace(document(path, DISCORD.id), media_type="text/csv", url=url)
    layout = reading.choose_layout(DISCORD, delimited.opening(path).text)
    found = harmonise.to_observations(DISCORD.extractor("text/csv")(of, layout), of, DISCORD, "v")
    return found, quality.check(found, of, DISCORD)


def read(folder: Path, content: str, period: str | None = "2024-h1") -> tuple[Harmonised, Verdict]:
    (folder / "d.csv").write_text(content, encoding="utf-8")
    return judge(folder / "d.csv", period and SITE + period)


def to_ncmec(found: Harmonised) -> dict[tuple[str, str], float | None]:
    assert found.quarantined == []
    return {(o.time_period, o.harm): o.obs_value for o in found.observations if o.metric == "reports_to_ncmec"}


@pytest.mark.parametrize("escalations", ["Escalations", "Grooming or endangerment escalations"])
def test_half_a_year_by_month_without_a_total(tmp_path: Path, escalations: str) -> None:
    found, verdict = read(tmp_path, HALF.replace("Grooming or endangerment escalations", escalations))
    assert verdict.released
    assert to_ncmec(found) | {} == {
        **{(f"2024-0{n}", "csam"): v for n, v in enumerate((1001.0, 10.0, 20.0, 30.0, 40.0, 50.0), start=1)},
        **{(f"2024-0{n}", "grooming"): float(n + 1) for n in range(1, 7)},
    }
    assert {(o.reporter, o.subject, o.unit_measure, o.freq) for o in found.observations} == {
        ("discord", "discord", "reports", "M")
    }


@pytest.mark.parametrize(
    ("content", "period", "months", "quarter"),
    [(SUMMED, "2024-q1", (1, 2, 3), "2024-Q1"), (TITLED, "2024-q2", (4, 5, 6), "2024-Q2")],
)
def test_a_sum_with_or_without_a_name_is_the_total_of_the_quarter(
    tmp_path: Path, content: str, period: str, months: tuple[int, ...], quarter: str
) -> None:
    found, verdict = read(tmp_path, content, period)
    assert verdict.released
    values = to_ncmec(found)
    assert [values[f"2024-{n:02}", "csam"] for n in months] == [1001, 10, 20]
    assert (values[quarter, "csam"], values[quarter, "grooming"]) == (1031, 9)
    assert {o.time_period for o in found.observations if o.is_total} == {quarter}


def test_sums_and_their_sum_on_two_lines_are_one_row_of_totals(tmp_path: Path) -> None:
    found, verdict = read(tmp_path, TWO_TOTALS, "2024-q3")
    assert verdict.released
    values = to_ncmec(found)
    assert [values["2024-Q3", harm] for harm in ("csam", "grooming", "_T")] == [1031, 9, 1040]
    assert values["2024-07", "_T"] == 1003
    total = next(o for o in found.observations if o.obs_value == 1040)
    assert total.locator == "line=7&column=2"


def test_every_table_of_the_full_report(tmp_path: Path) -> None:
    found, verdict = read(tmp_path, FULL, "2024-q3")
    assert verdict.released
    assert found.quarantined == []

    def value(metric: str, harm: str, **dimensions: str) -> list[float | None]:
        wanted = [
            o.obs_value
            for o in found.observations
            if (o.metric, o.harm) == (metric, harm) and dimensions.items() <= o.dimensions.items()
        ]
        assert wanted, (metric, harm, dimensions)
        return wanted

    child = "child_sexual_exploitation"
    assert value("accounts_warned", child, policy_area="child_safety") == [1100]
    assert value("accounts_warned", "_T", policy_area="_T") == [1105]
    assert value("accounts_disabled", child) == [2000, 2000]  # printed again among the appeals
    assert value("servers_removed", child, detection="proactive") == [500]
    assert value("servers_removed", "_Z", policy_area="platform_manipulation", detection="_T") == [13]
    assert value("account_appeals_granted", child) == [4]
    assert value("accounts_appealed_percent", child) == [5.0]
    assert value("user_reports_received", child, channel="in_app") == [461_018]
    assert value("information_requests_answered", "_Z", request_type="court_orders") == [16]
    assert value("preservation_requests_complied", "_Z") == [580]
    places = {o.ref_area: o.obs_value for o in found.observations if o.figure.table == "requests_international"}
    assert places == {"CZE": 0, "KOR": 1, "ITA": 0, "W1": 1}
    assert {o.time_period for o in found.observations if o.metric != "reports_to_ncmec"} == {"2024-Q3"}


def test_two_dashes_are_missing_and_not_zero(tmp_path: Path) -> None:
    found, _ = read(tmp_path, FULL, "2024-q3")
    dashes = [o for o in found.observations if o.obs_text == "--"]
    assert len(dashes) == 3
    assert {(o.obs_value, o.obs_status) for o in dashes} == {(None, "O")}
    zero = next(o for o in found.observations if o.metric == "servers_warned" and o.harm == "_Z" and o.obs_text == "0")
    assert (zero.obs_value, zero.obs_status) == (0.0, "A")


@pytest.mark.parametrize(
    ("address", "quarter"),
    [
        ("safety-transparency-reports/2024-q1", "2024-Q1"),
        ("blog/discord-transparency-report-q1-2024", "2024-Q1"),
        ("safety-transparency?report=2024-Q1", "2024-Q1"),
    ],
)
def test_the_address_says_the_year(tmp_path: Path, address: str, quarter: str) -> None:
    (tmp_path / "d.csv").write_text(SUMMED, encoding="utf-8")
    found, verdict = judge(tmp_path / "d.csv", f"https://discord.com/{address}")
    assert verdict.released
    assert to_ncmec(found)[quarter, "csam"] == 1031


@pytest.mark.parametrize("address", ["2024-h1", "2024h1", "discord-transparency-report-jan-june-2024", "h1-2024"])
def test_halves_are_written_in_several_ways(tmp_path: Path, address: str) -> None:
    found, verdict = read(tmp_path, HALF, address)
    assert verdict.released
    assert {time for time, _ in to_ncmec(found)} == {f"2024-0{n}" for n in range(1, 7)}


@pytest.mark.parametrize("url", [None, "https://discord.com/safety-transparency", SITE + "2024", SITE + "2024-q5"])
def test_without_a_period_in_the_address_the_user_is_told(tmp_path: Path, url: str | None) -> None:
    (tmp_path / "d.csv").write_text(SUMMED, encoding="utf-8")
    with pytest.raises(LayoutError, match="lightwell add discord_transparency FILE --url ADDRESS"):
        judge(tmp_path / "d.csv", url)


def test_a_table_without_totals_must_print_every_month_of_its_period(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"the months jan, mar, apr, may, jun are not those of 2024-h1"):
        read(tmp_path, HALF.replace("February,10,3\n", ""))
    with pytest.raises(LayoutError, match=r"are not those of 2024-h2.*--url ADDRESS"):
        read(tmp_path, HALF, "2024-h2")


def test_a_title_of_another_quarter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="the title 'Q2 NCMEC Reports' are not those of 2024-q3"):
        read(tmp_path, TITLED, "2024-q3")


def test_months_of_another_quarter_put_the_document_in_quarantine(tmp_path: Path) -> None:
    found, verdict = read(tmp_path, FULL, "2024-q4")
    assert not verdict.released
    assert len(found.quarantined) == 9
    assert "'2024-q4 | July'" in found.quarantined[0].reason


def test_the_left_over_months_of_2022_q4_are_read_as_october_to_december(tmp_path: Path) -> None:
    content = FULL.replace("July,", "January,").replace("August,", "February,").replace("September,", "March,")
    found, verdict = read(tmp_path, content, "2022-q4")
    assert verdict.released
    october = next(o for o in found.observations if (o.time_period, o.harm) == ("2022-10", "csam"))
    assert (october.obs_value, october.figure.labels["month"]) == (1001, "January")
    assert "correction discord_2022_q4_october" in (october.note or "")
    assert not read(tmp_path, content, "2023-q4")[1].released


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('Total,"1,031",9,"1,040",\n', "", "0 printed totals for 3 parts"),
        ('"1,031",9,"1,040"', '"1,031",9,"1,041"', "the printed total is 1,041 (1 short)"),
        ("July,", "Juli,", "'2024-q3 | Juli'"),
        ('Child Safety,"2,000",,,', 'Child Safety,"2.000",,,', "rows in quarantine, so the sum cannot be proven"),
        ('Child Safety,"2,000",,,', 'Minor Protection,"2,000",,,', "add it there after review"),
        ("Korea,2,1,,", "Atlantis,2,1,,", "'Atlantis' is no area"),
    ],
)
def test_what_does_not_add_up_or_is_not_known_puts_the_document_in_quarantine(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in FULL
    _, verdict = read(tmp_path, FULL.replace(old, new, 1), "2024-q3")
    assert not verdict.released
    assert said in " ".join(q.reason for q in verdict.quarantined)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Month,Media Reports", "Month,Media Items", "stands under no header"),
        ("August,10,3,13,\n", "", "the months jul, sep are not those of 2024-q3"),
        ("NCMEC,,,,", "Accounts reported to NCMEC,,,,", "sheet 'Accounts reported to NCMEC' is not known"),
        ("NCMEC,,,,", '"NCMEC; in thousands",,,,', "sheet 'NCMEC; in thousands' is not known"),
        ("NCMEC,,,,", "NCMEC Q3 2023,,,,", "the title 'NCMEC Q3 2023' are not those of 2024-q3"),
        ("NCMEC,,,,", "NCMEC Reports H1 2024,,,,", "the title 'NCMEC Reports H1 2024' are not those of 2024-q3"),
        ("Warns,Individual", "Cautions,Individual", "stands under no header"),
        ("Servers Removed,,,,", "Guilds Removed,,,,", "sheet 'Guilds Removed' is not known"),
        ("NCMEC,,,,", "Clearing House,,,,", "sheet 'Clearing House' is not known"),
        ("Platform Manipulation,30,,,", "Platform Manipulation,30,5,,", "'5' stands under no header"),
        (FULL[FULL.index("NCMEC,") :], "", "table ncmec_by_month was not found"),
    ],
)
def test_a_document_unlike_its_layout_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in FULL
    with pytest.raises(LayoutError, match=said):
        read(tmp_path, FULL.replace(old, new, 1), "2024-q3")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="stands under no header"):
        read(tmp_path, "year,platform,count\n2024,discord,5\n")


def test_a_split_that_does_not_add_up_across_is_held_back_alone(tmp_path: Path) -> None:
    wrong = FULL.replace("Platform Manipulation,6,7,13,", "Platform Manipulation,6,7,12,").replace("47,553", "47,552")
    found, verdict = read(tmp_path, wrong, "2024-q3")
    assert verdict.released
    rejected = [o for o in found.observations if o.observation_id in verdict.rejected_ids]
    assert sorted(o.obs_text for o in rejected) == ["12", "47", "506", "552", "6", "7"]
    assert "2 parts add up to 13, the printed total is 12" in verdict.quarantined[0].reason


def test_a_new_policy_without_children_needs_no_change(tmp_path: Path) -> None:
    content = FULL.replace("Platform Manipulation", "Doxxing & Swatting")
    found, verdict = read(tmp_path, content, "2024-q3")
    assert verdict.released
    assert any(o.dimensions.get("policy_area") == "doxxing_swatting" and o.harm == "_Z" for o in found.observations)


PRINTED = {
    "2020-h2": (6865, 83, None),
    "2021-h1": (9347, 150, None),
    "2021-h2": (14906, 220, None),
    "2022-q1": (10641, 54, None),
    "2022-q2": (21425, 104, None),
    "2022-q3": (14303, 63, 14366),
    "2022-q4": (11520, 69, 11589),
    "2023-q1": (20001, 125, 20126),
    "2023-q2": (36323, 158, 36481),
}


@pytest.mark.parametrize("period", PRINTED)
def test_the_originals_come_out_exact(originals: Path, period: str) -> None:
    found, verdict = judge(originals / "discord" / f"discord-{period}.csv", SITE + period)
    assert verdict.released
    assert len(verdict.rejected_ids) == (6 if period == "2023-q2" else 0)
    months = [o for o in found.observations if o.metric == "reports_to_ncmec" and o.freq == "M"]
    media, grooming, both = PRINTED[period]
    assert sum(o.obs_value or 0 for o in months if o.harm == "csam") == media
    assert sum(o.obs_value or 0 for o in months if o.harm == "grooming") == grooming
    assert sum(o.obs_value or 0 for o in months if o.harm == "_T") == (both or 0)
    year, part = period.split("-")
    first = {"h1": 1, "h2": 7, "q1": 1, "q2": 4, "q3": 7, "q4": 10}[part]
    last = first + (5 if part[0] == "h" else 2)
    assert {o.time_period for o in months} == {f"{year}-{n:02}" for n in range(first, last + 1)}


def test_child_safety_in_the_originals(originals: Path) -> None:
    found, _ = judge(originals / "discord" / "discord-2023-q2.csv", SITE + "2023-q2")
    child = {
        (o.metric, o.dimensions.get("detection", o.dimensions.get("channel", ""))): o.obs_value
        for o in found.observations
        if o.harm == "child_sexual_exploitation"
    }
    assert child["accounts_disabled", ""] == 155_873
    assert child["servers_removed", "proactive"] == 21_207
    assert child["user_reports_received", "in_app"] == 461_018
    assert child["server_member_warnings", ""] == 121_953


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            TITLED.replace("June,20,4\n", "").replace('"1,031",9', '"1,011",5'),
            "the months apr, may are not those of 2024-q2",
        ),
        (TITLED.replace("Q2", "Q2 2023"), "the title 'Q2 2023 NCMEC Reports' are not those of 2024-q2"),
        (TITLED + "* June is preliminary and may change,,\n", "not final or not of a whole period"),
        (TITLED + "Note: all figures are in thousands,,\n", "not counts as printed"),
        ("Month,Reports\nApril,5\nMay,6\nJune,7\n", "does not know 'Reports'"),
    ],
    ids=["sum of two months", "title of another year", "not final", "thousands", "reports of no kind"],
)
def test_what_would_be_counted_under_a_wrong_name_is_refused(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(LayoutError, match=said):
        read(tmp_path, content, "2024-q2")


def test_a_title_may_name_the_period_of_the_address(tmp_path: Path) -> None:
    assert read(tmp_path, TITLED.replace("Q2", "Q2 2024"), "2024-q2")[1].released
    half = "H2 2020 NCMEC Reports,,\n" + HALF.replace("January", "July").replace("February", "August").replace(
        "March", "September"
    ).replace("April", "October").replace("May", "November").replace("June", "December")
    assert read(tmp_path, half, "transparency-report-july-dec-2020")[1].released
