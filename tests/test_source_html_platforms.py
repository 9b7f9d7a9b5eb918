"""Snap, Reddit, Pinterest and Twitch: pages laid out as they are described, with made-up numbers.

The real pages are not at hand; what matters most: a page worded in another way is in quarantine, not a number."""

from dataclasses import replace
from pathlib import Path

import pytest

from conftest import document
from lightwell import fetch, harmonise, reading, source
from lightwell.errors import FetchError, LayoutError
from lightwell.harmonise import Harmonised
from lightwell.settings import Settings
from lightwell.tables import html

SNAP = "https://values.snap.com/privacy/transparency-h1-2031"
REDDIT = "https://redditinc.com/policies/transparency-report-july-to-december-2031-reddit"
PINTEREST = "https://policy.pinterest.com/en/transparency-report-h2-2031"
TWITCH = "https://safety.twitch.tv/s/article/H1-2031-Transparency-Report"


def table(*rows: str) -> str:
    head, *body = [row.split("|") for row in rows]
    lines = ["".join(f"<th>{c.strip()}</th>" for c in head), *("".join(f"<td>{c.strip()}" for c in r) for r in body)]
    return "<table><tbody>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</tbody></table>"


OTHER = "<h3>Requests of governments</h3>" + table("Country | Requests", "Norland | 17")
SNAP_PAGE = (
    "<h1>Transparency Report</h1><p>January 1, 2031 - June 30, 2031</p><h2>Overview of Violations</h2>"
    + table(
        "Policy Reason | Content & Account Reports | Total Enforcements* | % of Total | Unique Accounts Enforced",
        "Child Sexual Exploitation | 1,001 | 2,002 | 3.0% | 1,003",
        "Spam | 5,001 | 4,002 | 7.0% | 3,003",
    )
    + "<h2>Combating Child Sexual Exploitation &amp; Abuse</h2>"
    + table(
        "Total Content Enforced | Total Accounts Disabled | Total Submissions to NCMEC<sup>2</sup>", "9,876 | 765 | 654"
    )
    + OTHER
)
REDDIT_PAGE = (
    "<h2>Content removed by admins</h2>"
    + table(
        "Rule | Content Removed | Accounts Sanctioned",
        "Minor Sexualization | 1,111 | 222",
        "CSAM | 3,333 | 44",
        "Hateful content | 5,555 | 66",
    )
    + "<p>From July to December 2031, Reddit submitted <b>7,777</b> CyberTipline reports to the National Center for "
    "Missing &amp; Exploited Children (NCMEC).</p>" + OTHER
)
PINTEREST_PAGE = (
    "<h2>Child sexual exploitation</h2><p>From July to December 2031, our team was responsible for 1,794 CyberTipline "
    "reports to NCMEC.</p>"
    + table(
        "Period | Distinct images deactivated | Pins deactivated | Boards deactivated | Accounts deactivated",
        "Q3 2031 | 11 | 22 | 33 | 44",
        "October to December 2031 | 55 | 66 | 77 | 88",
    )
    + OTHER
)
TWITCH_PAGE = "<h2>Law enforcement</h2>" + table(
    "Type | H2 2030 | H1 2031 | % change",
    "NCMEC Reports | 120 | 134 | 12%",
    "Subpoenas | 5 | 6 | 20%",
)


def read(folder: Path, source_id: str, body: str, url: str | None) -> Harmonised:
    path = folder / "page.html"
    path.write_text(f"<!DOCTYPE html><html><head><title>T</title></head><body>{body}</body></html>", encoding="utf-8")
    one = source.load(source_id)
    of = replace(document(path, source_id), media_type="text/html", url=url)
    layout = reading.choose_layout(one, html.opening(path).text)
    return harmonise.to_observations(one.extractor("text/html")(of, layout), of, one, "v")


def said(found: Harmonised) -> list[tuple[str, str, str, float | None]]:
    assert found.quarantined == []
    return sorted((o.metric, o.harm, o.time_period, o.obs_value) for o in found.observations)


def test_snap(tmp_path: Path) -> None:
    found = read(tmp_path, "snap_transparency", SNAP_PAGE, SNAP)
    assert said(found) == [
        ("accounts_actioned", "_Z", "2031-S1", 3003),
        ("accounts_actioned", "child_sexual_exploitation", "2031-S1", 1003),
        ("accounts_actioned", "csam", "2031-S1", 765),
        ("content_actioned", "_Z", "2031-S1", 4002),
        ("content_actioned", "child_sexual_exploitation", "2031-S1", 2002),
        ("content_actioned", "csam", "2031-S1", 9876),
        ("reports_to_ncmec", "_T", "2031-S1", 654),
    ]
    assert {(o.reporter, o.subject) for o in found.observations} == {("snap", "snapchat")}
    assert {o.dimensions["policy_area"] for o in found.observations if o.harm == "_Z"} == {"spam"}


def test_a_total_among_the_policies_is_no_policy_and_thousands_are_no_counts(tmp_path: Path) -> None:
    body = SNAP_PAGE.replace("<td>Spam", "<td>Total<td>6,002<td>6,004<td>10.0%<td>4,006</tr><tr><td>Spam")
    found = read(tmp_path, "snap_transparency", body, SNAP)
    assert {o.dimensions["policy_area"] for o in found.observations} == {"_T", "child_sexual_exploitation", "spam"}
    assert all("looks like a total" in q.reason for q in found.quarantined) and len(found.quarantined) == 2
    with pytest.raises(LayoutError, match="not counts as printed"):
        read(tmp_path, "snap_transparency", SNAP_PAGE + "<p>All numbers are shown in thousands.</p>", SNAP)


def test_snap_before_2022(tmp_path: Path) -> None:
    body = "<h2>Expanded Violations</h2>" + table(
        "CSAM: Total Account Deletions | Terrorism: Total Account Deletions", "4,321 | 5"
    )
    for day, period in (("2021-6-30", "2021-S1"), ("2019-12-31", "2019-S2")):
        url = f"https://www.snap.com/en-US/privacy/transparency/{day}"
        assert said(read(tmp_path, "snap_transparency", body, url)) == [("accounts_actioned", "csam", period, 4321)]


def test_reddit(tmp_path: Path) -> None:
    found = read(tmp_path, "reddit_transparency", REDDIT_PAGE, REDDIT)
    assert said(found) == [
        ("accounts_actioned", "_Z", "2031-S2", 66),
        ("accounts_actioned", "csam", "2031-S2", 44),
        ("accounts_actioned", "minor_sexualisation", "2031-S2", 222),
        ("content_actioned", "_Z", "2031-S2", 5555),
        ("content_actioned", "csam", "2031-S2", 3333),
        ("content_actioned", "minor_sexualisation", "2031-S2", 1111),
        ("reports_to_ncmec", "_T", "2031-S2", 7777),
    ]


def test_reddit_has_two_ways_to_write_a_half(tmp_path: Path) -> None:
    body = REDDIT_PAGE.replace("July to December 2031", "January to June 2031")
    for name in ("2031-h1-transparency-report", "transparency-report-january-to-june-2031"):
        found = read(tmp_path, "reddit_transparency", body, f"https://www.redditinc.com/policies/{name}")
        assert {o.time_period for o in found.observations} == {"2031-S1"}
        assert said(found)[-1] == ("reports_to_ncmec", "_T", "2031-S1", 7777)


def test_pinterest(tmp_path: Path) -> None:
    found = read(tmp_path, "pinterest_transparency", PINTEREST_PAGE, PINTEREST)
    assert sorted((o.metric, o.dimensions["scope"], o.time_period, o.obs_value) for o in found.observations) == [
        ("accounts_actioned", "all", "2031-Q3", 44),
        ("accounts_actioned", "all", "2031-Q4", 88),
        ("content_actioned", "boards", "2031-Q3", 33),
        ("content_actioned", "boards", "2031-Q4", 77),
        ("content_actioned", "pins", "2031-Q3", 22),
        ("content_actioned", "pins", "2031-Q4", 66),
        ("reports_to_ncmec", "all", "2031-S2", 1794),
    ]
    assert found.quarantined == []


def test_twitch(tmp_path: Path) -> None:
    assert said(read(tmp_path, "twitch_transparency", TWITCH_PAGE, TWITCH)) == [
        ("reports_to_ncmec", "_T", "2030-S2", 120),
        ("reports_to_ncmec", "_T", "2031-S1", 134),
    ]
    sentence = "<p>In H1 2031, we submitted 1,523 tips to NCMEC.</p>"
    assert said(read(tmp_path, "twitch_transparency", sentence, TWITCH)) == [
        ("reports_to_ncmec", "_T", "2031-S1", 1523)
    ]


@pytest.mark.parametrize(
    ("source_id", "body", "url", "reason"),
    [
        ("snap_transparency", SNAP_PAGE.replace("Total Accounts Disabled", "Devices Banned"), SNAP, "under no header"),
        ("snap_transparency", SNAP_PAGE.replace("Unique Accounts Enforced", "Users"), SNAP, "under no header"),
        ("snap_transparency", SNAP_PAGE, None, "--url ADDRESS"),
        ("snap_transparency", SNAP_PAGE, "https://values.snap.com/privacy/transparency", "--url ADDRESS"),
        (
            "snap_transparency",
            SNAP_PAGE,
            "https://values.snap.com/privacy/transparency/european-union-h2-2025",
            "--url ADDRESS",
        ),
        ("snap_transparency", "<h1>Just a moment...</h1>", SNAP, "login or challenge page"),
        ("snap_transparency", OTHER, SNAP, "no table and no sentence of the page is known"),
        ("reddit_transparency", REDDIT_PAGE.replace("submitted", "received"), REDDIT, "table reports was not found"),
        ("reddit_transparency", REDDIT_PAGE.replace("Sanctioned", "Seen"), REDDIT, "under no header"),
        ("reddit_transparency", REDDIT_PAGE, REDDIT.replace("2031", "report"), "--url ADDRESS"),
        (
            "pinterest_transparency",
            PINTEREST_PAGE.replace("responsible for", "responsible for up to"),
            PINTEREST,
            "table reports was not found",
        ),
        ("pinterest_transparency", PINTEREST_PAGE.replace("Pins deactivated", "Pins seen"), PINTEREST, "no header"),
        ("twitch_transparency", "<p>Reports to NCMEC fell by 53% in H1 2031.</p>", TWITCH, "no table and no sentence"),
    ],
)
def test_a_page_worded_otherwise_is_refused(
    tmp_path: Path, source_id: str, body: str, url: str | None, reason: str
) -> None:
    with pytest.raises(LayoutError, match=reason):
        read(tmp_path, source_id, body, url)


@pytest.mark.parametrize(
    ("source_id", "body", "url", "reason"),
    [
        ("snap_transparency", SNAP_PAGE.replace("Spam", "Teen dares"), SNAP, "harm: 'Teen dares' is not in harm_label"),
        ("snap_transparency", SNAP_PAGE.replace("654", "654<sup>m</sup>"), SNAP, "number: '654[m]'"),
        (
            "reddit_transparency",
            "<h1>July to December 2031</h1>" + REDDIT_PAGE.replace("December 2031,", "December 2030,"),
            REDDIT,
            "time_period:",
        ),
        ("reddit_transparency", REDDIT_PAGE.replace("From July to December 2031", "In 2031"), REDDIT, "time_period:"),
        (
            "pinterest_transparency",
            PINTEREST_PAGE.replace("December 2031,", "October 2031,"),
            PINTEREST,
            "time_period:",
        ),
        ("pinterest_transparency", PINTEREST_PAGE.replace("Q3 2031", "Q2 2031"), PINTEREST, "time_period:"),
        ("twitch_transparency", TWITCH_PAGE.replace("NCMEC Reports", "NCMEC referrals"), TWITCH, "metric:"),
        ("twitch_transparency", "<h1>H1 2031</h1><p>In H2 2030, we sent 9 tips to NCMEC.</p>", TWITCH, "time_period:"),
    ],
)
def test_a_row_that_cannot_be_told_is_set_aside(
    tmp_path: Path, source_id: str, body: str, url: str, reason: str
) -> None:
    found = read(tmp_path, source_id, body, url)
    assert found.quarantined
    assert all(reason in q.reason for q in found.quarantined), [q.reason for q in found.quarantined]


@pytest.mark.parametrize(
    ("source_id", "body", "url", "named", "due"),
    [
        ("snap_transparency", SNAP_PAGE, SNAP.replace("h1", "h2"), "2031-S1", "H2 2031"),
        ("snap_transparency", SNAP_PAGE, SNAP.replace("2031", "2030"), "2031-S1", "H1 2030"),
        (
            "snap_transparency",
            SNAP_PAGE,
            "https://snap.com/en-US/privacy/transparency/2030-12-31",
            "2031-S1",
            "H2 2030",
        ),
        ("reddit_transparency", REDDIT_PAGE, REDDIT.replace("2031", "2032"), "2031-S2", "H2 2032"),
        ("pinterest_transparency", PINTEREST_PAGE, PINTEREST.replace("h2", "h1"), "2031-S2", "H1 2031"),
        ("twitch_transparency", TWITCH_PAGE, TWITCH.replace("H1-2031", "H2-2031"), "2030-S2, 2031-S1", "H2 2031"),
    ],
)
def test_a_page_that_names_only_other_half_years_than_its_address_is_refused(
    tmp_path: Path, source_id: str, body: str, url: str, named: str, due: str
) -> None:
    half = f"{due[-4:]}-S{due[1]}"
    with pytest.raises(LayoutError, match=f"the page names {named}, its address {half}: .*answered with another page"):
        read(tmp_path, source_id, body, url)
    read(tmp_path, source_id, f"<nav>{due}</nav>{body}", url)  # among others: not refused for that


def test_two_numbers_for_one_thing_are_both_set_aside(tmp_path: Path) -> None:
    again = PINTEREST_PAGE + "<p>We made 1,795 CyberTipline reports to NCMEC.</p>"
    found = read(tmp_path, "pinterest_transparency", again, PINTEREST)
    assert sorted(q.obs_text or "" for q in found.quarantined) == ["1,794", "1,795"]


def test_a_page_is_archived_where_one_is_due_and_nothing_else(tmp_path: Path, settings: Settings) -> None:
    page, pdf = tmp_path / "page.html", tmp_path / "page.pdf"
    page.write_text(f"<!DOCTYPE html><html><body>{SNAP_PAGE}</body></html>", encoding="utf-8")
    pdf.write_bytes(b"%PDF-1.7\n%%EOF\n")
    snap = source.load("snap_transparency")
    assert fetch.add(snap, page, settings, url=SNAP).media_type == "text/html"
    with pytest.raises(FetchError, match=r"application/pdf, where text/html was due"):
        fetch.add(snap, pdf, settings, url=SNAP)


@pytest.mark.parametrize(
    ("source_id", "old", "new", "said"),
    [
        (
            "reddit_transparency",
            "From July to December 2031, Reddit",
            "Since launching the program, Reddit has",
            "Since",
        ),
        ("reddit_transparency", "From July to December 2031, Reddit", "In the previous half, Reddit", "previous half"),
        (
            "reddit_transparency",
            "From July to December 2031, Reddit",
            "In the European Union, Reddit",
            "European Union",
        ),
        ("reddit_transparency", "From July to December 2031, Reddit", "In March, Reddit", "In March"),
        ("reddit_transparency", "(NCMEC).", "(NCMEC) per month.", "per month"),
        ("reddit_transparency", "(NCMEC).", "(NCMEC) in the third quarter.", "third quarter"),
        ("pinterest_transparency", "From July to December 2031, our", "In Q3, our", "Q3"),
        (
            "twitch_transparency",
            TWITCH_PAGE,
            "<h1>H1 2031</h1><p>To date we submitted 523 tips to NCMEC.</p>",
            "To date",
        ),
    ],
)
def test_a_sentence_about_another_span_or_a_part_is_set_aside(
    tmp_path: Path, source_id: str, old: str, new: str, said: str
) -> None:
    pages = {"reddit": (REDDIT_PAGE, REDDIT), "pinterest": (PINTEREST_PAGE, PINTEREST), "twitch": (TWITCH_PAGE, TWITCH)}
    body, url = pages[source_id.partition("_")[0]]
    found = read(tmp_path, source_id, body.replace(old, new), url)
    assert "reports_to_ncmec" not in {o.metric for o in found.observations}
    assert [q.reason for q in found.quarantined if said in q.reason and "the whole half-year" in q.reason]


@pytest.mark.parametrize("behind", [", up from 5,000 in the previous half", ", 1,111 a month"])
def test_what_a_sentence_compares_with_is_no_doubt(tmp_path: Path, behind: str) -> None:
    found = read(tmp_path, "reddit_transparency", REDDIT_PAGE.replace("(NCMEC).", f"(NCMEC){behind}."), REDDIT)
    assert said(found)[-1] == ("reports_to_ncmec", "_T", "2031-S2", 7777)


def test_a_table_of_another_period_or_of_a_part_gives_no_number(tmp_path: Path) -> None:
    heading = "Combating Child Sexual Exploitation &amp; Abuse"
    for other in ("H2 2030", "2030 in full"):
        body = SNAP_PAGE.replace(heading, f"Child Sexual Exploitation, {other}")
        with pytest.raises(LayoutError, match=r"is of 2030.*, the page's address of 2031-S1"):
            read(tmp_path, "snap_transparency", body, SNAP)
    part = "<h2>Proactive detection</h2>" + table(
        "Policy Reason | Total Enforcements | Unique Accounts Enforced",
        "Child Sexual Exploitation | 9 | 8",
        "Hate | 3 | 2",
    )
    assert said(read(tmp_path, "snap_transparency", SNAP_PAGE + part, SNAP)) == said(
        read(tmp_path, "snap_transparency", SNAP_PAGE, SNAP)
    )
    mods = "<h2>Content removed by moderators</h2>" + table("Rule | Content Removed", "CSAM | 9", "Spam | 8")
    assert said(read(tmp_path, "reddit_transparency", REDDIT_PAGE + mods, REDDIT)) == said(
        read(tmp_path, "reddit_transparency", REDDIT_PAGE, REDDIT)
    )
