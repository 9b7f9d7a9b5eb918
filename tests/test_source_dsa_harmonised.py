"""Reports on the harmonised template: filled templates built here in every form, and what must not get through."""

import csv
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import document, release_archive
from lightwell import codes, fetch, harmonise, source, warehouse
from lightwell.errors import DeclarationError, LayoutError
from lightwell.harmonise import Harmonised, Observation
from lightwell.settings import Settings
from lightwell.tables import zipped

H2 = "2025-07-01/2025-12-31"
MINORS = "STATEMENT_CATEGORY_PROTECTION_OF_MINORS"
CSAM = "KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL"
XLSX = fetch.XLSX
OTHER = 'Description of the sub-category "Other"'
ORDERS = [
    "Number of orders to act against illegal content received",
    "Number of specific items of information included in the total number of orders to act against illegal content",
    "Median time to inform the authority of the receipt of the order to act against illegal content",
    "Median time to give effect to the order to act against illegal content",
    "Number of orders to provide information",
    "Median time to inform the authority of the receipt of the order to provide information",
    "Median time to give effect to the order to provide information",
]
NOTICES = [
    "Number of notices received ",
    "Number of notices received from Trusted flaggers",
    "Number of specific items of information included in the total number of notices",
    "Number of specific items of information included in the total number of notices by Trusted Flaggers (Trusted "
    "Flagger notices)",
    "Median time to take action",
    "Median time to take action (Trusted Flagger notices)",
    "Number of actions taken on the basis of the law",
    "Number of actions taken on the basis of the law (Trusted Flagger notices)",
    "Number of actions taken on the basis of the terms and conditions of the service",
    "Number of actions taken on the basis of the terms and conditions of the service (Trusted Flagger notices)",
]
OWN = [
    "Number of measures taken at the provider's own initiative ",
    "Number of measures taken after detection with solely automated means ",
    *[f"Visibility restriction {k}" for k in ("Removal", "Disable", "Demoted", "Age restricted")],
    *[f"Visibility restriction {k}" for k in ("Interaction restricted", "Labelled ", "Other")],
    *[f"Monetary restriction {k}" for k in ("Suspension", "Termination", "Other")],
    *[f"Provision of the service {k}" for k in ("Suspension", "Termination")],
    *[f"Account restriction {k}" for k in ("Suspension", "Termination")],
]
ILLEGAL, TERMS = "Category of illegal content", "Category of incompatibility with the provider's terms and conditions"
Rows = list[list[str]]
Values = Mapping[str | tuple[str, str], Sequence[object]]  # code, or code and description or scope -> its numbers

COMPLAINT = ["Total number", "Decisions upheld", "Decisions partially reversed", "Decisions reversed", "Median time"]
ABOUT = "Complaint regarding a decision"
APPEALS = [
    (
        "Number of complaints submitted to the internal-complaints mechanism",
        [*COMPLAINT, "Decision omitted"],
    ),
    ("Number of restrictions newly imposed as a result of an internal complaint", ["Total number"]),
    (f"{ABOUT} to remove or disable access to or restrict visibility of information", COMPLAINT),
    (f"{ABOUT} to suspend or terminate the provision of the service", COMPLAINT),
    (f"{ABOUT} to suspend or terminate an account ", COMPLAINT),
    (f"{ABOUT} to restrict the ability to monetise information", COMPLAINT),
    (f"{ABOUT} not to take action on a notice submitted in accordance with Article 16", COMPLAINT),
    (
        f"{ABOUT} not to take action on a notice submitted by a Trusted Flagger in accordance with Article 16",
        COMPLAINT,
    ),
    (
        "Number of disputes submitted to out-of-court dispute settlement bodies",
        [*COMPLAINT, "Decision omitted", "Percentage of outcomes implemented"],
    ),
    ("Number of suspensions enacted for the provision of manifestly illegal content ", ["Total number"]),
    ("Number of suspensions enacted for the provision of manifestly unfounded notices", ["Total number"]),
    ("Number of suspensions enacted for the provision of manifestly unfounded complaints", ["Total number"]),
]
SECTIONS = ["Internal complaints mechanism", "Out-of-court dispute settlement bodies", "Suspensions imposed"]
ACCURACY = [f"Accuracy of the automated means - {what}" for what in ("Accuracy", "Precision", "Recall")]
MEASURES = [f"Number of measures {how} automated means" for how in ("solely taken by", "not taken by")]
PROCESSED = [f"Number of notices {how} processed by automated means" for how in ("solely", "not")]
MEANS = [
    *[(i, s) for s in ("Total number", "Own-initiative ") for i in MEASURES + ACCURACY],
    *[(i, s) for s in ("NAM Total", "NAM Trusted Flagger") for i in PROCESSED + ACCURACY],
]
PEOPLE = [
    "Number of internal moderators employed by the provider",
    "Number of external moderators contracted by the provider",
    "Number of total moderators with sufficient linguistic expertise ",
]


# --- filled templates, built -----------------------------------------------------------------------------------------


def identification(service: str = "TikTok", start: str = "2025-07-01", end: str = "2025-12-31") -> Rows:
    """Part 1."""
    said = ["Made Up Ltd", "2026-02-27", "2025-08-28", start, end]
    what = ["Name of the service provider", "Date of the publication of the report", "Date of the latest previous"]
    what += ["Starting date of reporting period", "Ending date of reporting period"]
    return [["Applicability", "Service", "Indicator", "Value"]] + [
        ["All", service, w, s] for w, s in zip(what, said, strict=True)
    ]


def by_category(
    columns: Sequence[str], values: Values, *, head: str = ILLEGAL, service: str = "TikTok", period: str = H2
) -> Rows:
    """Parts 3 to 6: a row a code, in the order given; the context columns stand behind and hold a sentence."""
    scoped = columns is ORDERS or len(columns) == 7
    header = ["Applicability", "Service", "Reporting period", head, OTHER, *(["Scope"] if scoped else []), *columns]
    rows = [header + [f"Contextual information on {c}" for c in columns]]
    for code, numbers in values.items():
        name, detail = code if isinstance(code, tuple) else (code, "TOTAL" if scoped else "")
        extra = ["", detail] if scoped else [detail]
        filled = [str(n) for n in numbers] + [""] * (len(columns) - len(numbers))
        rows.append(
            ["All", service, period, name, *extra, *filled, "In 2025 we had 12 cases.", *[""] * (len(columns) - 1)]
        )
    return rows


def by_row(rows: Sequence[tuple[str, str, str, object]], *, service: str = "TikTok", period: str = H2) -> Rows:
    """Parts 7 to 9: section, indicator, scope, value."""
    header = ["Applicability", "Service", "Reporting period", "Section", "Indicator", "Scope", "Value", "Context"]
    return [header] + [["All", service, period, s, i, c, str(v), ""] for s, i, c, v in rows]


def appeals(values: Sequence[object], words: Sequence[tuple[str, Sequence[str]]] = APPEALS) -> Rows:
    """Part 7, whose 47 values are given in order."""
    flat = [(indicator, scope) for indicator, scopes in words for scope in scopes]
    section = [SECTIONS[0]] * 37 + [SECTIONS[1]] * 7 + [SECTIONS[2]] * 3
    return by_row([(s, i, c, v) for s, (i, c), v in zip(section, flat, values, strict=True)])


def recipients(values: Mapping[str, object]) -> Rows:
    """Part 10."""
    header = ["Applicability", "Service", "Reporting period", "Section", "Indicator", "Scope", "Value"]
    what = "Number of average monthly active recipients during the reporting period "
    return [header] + [["Only for VLOPs", "TikTok", H2, "AMAR", what, s, str(v)] for s, v in values.items()]


NOTICED: Values = {
    "TOTAL": [110, 9, 60, 5, 5.83, 0.98, 30, 2, 40, 1],
    "STATEMENT_CATEGORY_CYBER_VIOLENCE": [80, 7, 40, 3],
    "KEYWORD_CYBER_HARASSMENT": [50, 7, 25, 3, "1.3hrs", 12.37],
    "KEYWORD_OTHER": [30, 0, 15, 0, "25.8 hrs"],
    MINORS: [30, 2, 20, 2],
    CSAM: [25, 2, 17, 2, 6.58, 1.6],
    "KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL_DEEPFAKE": [2, 0, 1, 0],
    "KEYWORD_GROOMING_SEXUAL_ENTICEMENT_MINORS": [3, 0, 2, 0],
    "KEYWORD_UNSAFE_CHALLENGES": [],
}


def as_csv(rows: Rows, delimiter: str = ",") -> bytes:
    """A text table, with the byte order mark that spreadsheets write."""
    target = io.StringIO(newline="")
    csv.writer(target, delimiter=delimiter).writerows(rows)
    return target.getvalue().encode("utf-8-sig")


def as_zip(members: Mapping[str, bytes]) -> bytes:
    """A ZIP of these members."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def as_workbook(sheets: Mapping[str, Rows]) -> bytes:
    """A workbook whose numbers are numbers."""
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append([float(c) if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", c) else c or None for c in row])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


# --- read as the program does ----------------------------------------------------------------------------------------


def read(
    content: bytes, tmp_path: Path, media_type: str = "text/csv", of: str = "dsa_tiktok", url: str | None = None
) -> Harmonised:
    """What becomes of a report's figures. Raises LayoutError where the document is not one."""
    path = tmp_path / "report"
    path.write_bytes(content)
    one = source.load(of)
    found = replace(document(path, of), media_type=media_type, url=url)
    figures = list(one.extractor(media_type)(found, one.layouts[0]))
    return harmonise.to_observations(figures, found, one, "test")


def values(found: Harmonised, metric: str, **wanted: str) -> dict[tuple[str, ...], float | None]:
    """Value by what is not fixed: harm, area and dimensions of one metric."""
    kept = [o for o in found.observations if o.metric == metric and _fits(o, wanted)]
    return {_key(o): o.obs_value for o in kept}


def _fits(o: Observation, wanted: Mapping[str, str]) -> bool:
    said = {**o.dimensions, "harm": o.harm, "ref_area": o.ref_area, "time_period": o.time_period, "subject": o.subject}
    return all(said[name] == value for name, value in wanted.items())


def _key(o: Observation) -> tuple[str, ...]:
    return (o.harm, o.ref_area, *(v for _, v in sorted(o.dimensions.items())))


def only(found: Harmonised, metric: str, **wanted: str) -> float | None:
    """The one value of a metric that fits."""
    (value,) = values(found, metric, **wanted).values()
    return value


def reasons(found: Harmonised) -> list[str]:
    """Why rows are in quarantine."""
    return [q.reason for q in found.quarantined]


# --- part 4, and what all parts by category have in common -----------------------------------------------------------


def test_notices_come_out_by_grain_with_their_harms(tmp_path: Path) -> None:
    found = read(as_csv(by_category(NOTICES, NOTICED)), tmp_path)
    assert found.quarantined == []
    assert len(found.observations) == 10 + 4 + 6 + 5 + 4 + 6 + 4 + 4
    assert {o.time_period for o in found.observations} == {"2025-S2"}
    assert {(o.reporter, o.subject, o.ref_area, o.freq) for o in found.observations} == {
        ("bytedance", "tiktok", "EUE", "S")
    }
    harms = {
        o.dimensions["keyword"]: o.harm for o in found.observations if o.dimensions["category"] != "cyber_violence"
    }
    assert harms == {
        "_T": "minor_safety",
        "child_sexual_abuse_material": "csam",
        "child_sexual_abuse_material_deepfake": "csam_ai_generated",
        "grooming_sexual_enticement_minors": "grooming",
    }
    assert only(found, "dsa_notices", harm="csam") == 25
    assert only(found, "dsa_notice_actions_terms_trusted") == 1


def test_a_title_above_the_header_changes_nothing(tmp_path: Path) -> None:
    rows = by_category(NOTICES, NOTICED)
    titled = read(as_csv([["Part 4: notices"], *rows]), tmp_path)
    assert values(titled, "dsa_notices") == values(read(as_csv(rows), tmp_path), "dsa_notices")


def test_keywords_sorted_away_from_their_categories_are_refused(tmp_path: Path) -> None:
    header, *rows = by_category(NOTICES, NOTICED)
    with pytest.raises(LayoutError, match="KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL stands above every category"):
        read(as_csv([header, *sorted(rows, key=lambda row: row[3])]), tmp_path)


LABELS = ["Category label", "TOTAL", "Category 3", "Category 3b", "Category 3g"]
LABELS += ["Category 9", "Category 9b", "Category 9c", "Category 9d", "Category 9e"]


@pytest.mark.parametrize("labelled", [False, True])
def test_rows_in_another_order_are_refused_unless_every_keyword_keeps_its_category(
    labelled: bool, tmp_path: Path
) -> None:
    header, *rows = by_category(NOTICES, NOTICED)
    if labelled:
        header, *rows = [[*row[:3], label, *row[3:]] for row, label in zip([header, *rows], LABELS, strict=True)]
    due = values(read(as_csv([header, *rows]), tmp_path), "dsa_notices")
    assert values(read(as_csv([header, *rows[4:], *rows[:4]]), tmp_path), "dsa_notices") == due
    wrong = {
        "backwards": (rows[::-1], "KEYWORD_UNSAFE_CHALLENGES stands above every category"),
        "backwards from a category": (
            [rows[4], *rows[3::-1], *rows[5:]],
            "KEYWORD_OTHER is labelled" if labelled else "CYBER_HARASSMENT stands below KEYWORD_OTHER",
        ),
        "below the total": ([rows[1], rows[0], *rows[2:]], "CYBER_HARASSMENT stands above every category"),
    }
    if labelled:
        moved = [*rows[:3], *rows[4:], rows[3]]
        wrong["the last of another"] = (moved, "KEYWORD_OTHER is labelled 'Category 3g' but stands under .*MINORS")
    for given, said in wrong.values():
        with pytest.raises(LayoutError, match=f"{said}.*take the report as it was filed"):
            read(as_csv([header, *given]), tmp_path)


def test_what_is_added_up_is_counted_once(tmp_path: Path) -> None:
    found = read(as_csv(by_category(NOTICES, NOTICED)), tmp_path)
    by_grain = {
        grain: sum(v or 0 for v in values(found, "dsa_notices", grain=grain).values())
        for grain in ("total", "category", "keyword")
    }
    assert by_grain == {"total": 110, "category": 110, "keyword": 110}
    parts = [o.obs_value or 0 for o in found.observations if o.metric == "dsa_notices" and not o.is_total]
    assert sum(parts) == 110  # without the totals nothing is left twice
    assert codes.codelists().metric["dsa_notices"].additive == "no"


def test_an_empty_cell_is_nothing_and_zero_is_zero(tmp_path: Path) -> None:
    found = read(as_csv(by_category(NOTICES, NOTICED)), tmp_path)
    assert values(found, "dsa_notices", keyword="unsafe_challenges") == {}
    assert values(found, "dsa_notice_time", grain="category") == {}
    assert only(found, "dsa_notices_trusted", harm="grooming") == 0
    assert all(o.obs_status == "A" for o in found.observations)


def test_times_are_hours(tmp_path: Path) -> None:
    found = read(as_csv(by_category(NOTICES, NOTICED)), tmp_path)
    times = [o for o in found.observations if o.metric.startswith("dsa_notice_time")]
    assert {o.unit_measure for o in times} == {"hours"}
    assert only(found, "dsa_notice_time", grain="total") == 5.83
    assert only(found, "dsa_notice_time", keyword="cyber_harassment") == 1.3  # printed 1.3hrs
    assert only(found, "dsa_notice_time", category="cyber_violence", keyword="other") == 25.8


@pytest.mark.parametrize("printed", ["5,83", "1,234", "2 days", "90 m", "0:45:00", "PT5H"])
def test_a_time_that_is_not_surely_in_hours_is_set_aside(tmp_path: Path, printed: str) -> None:
    found = read(as_csv(by_category(NOTICES, {"TOTAL": [1, 1, 1, 1, printed]})), tmp_path)
    assert len(found.observations) == 4
    (reason,) = reasons(found)
    assert repr(printed) in reason


@pytest.mark.parametrize(("printed", "value"), [("50236.0", 50236), ("171,807,219", 171807219), ("0", 0)])
def test_counts_as_programs_and_people_write_them(tmp_path: Path, printed: str, value: int) -> None:
    assert only(read(as_csv(by_category(NOTICES, {"TOTAL": [printed]})), tmp_path), "dsa_notices") == value


def test_the_label_column_that_tiktok_adds_changes_nothing(tmp_path: Path) -> None:
    plain = by_category(NOTICES, NOTICED)
    labelled = [[*row[:3], "Category label" if n == 0 else f"Category {n}", *row[3:]] for n, row in enumerate(plain)]
    one, other = read(as_csv(plain), tmp_path), read(as_csv(labelled), tmp_path)
    assert [(o.series_id, o.obs_value) for o in one.observations] == [
        (o.series_id, o.obs_value) for o in other.observations
    ]


def test_lines_may_end_early_and_fields_be_parted_by_semicolons(tmp_path: Path) -> None:
    rows = [row if n == 0 else row[: 5 + 2] for n, row in enumerate(by_category(NOTICES, NOTICED))]
    found = read(as_csv(rows, ";"), tmp_path)
    assert only(found, "dsa_notices", harm="csam") == 25
    assert values(found, "dsa_notice_items") == {}


def test_keywords_of_a_providers_own_are_told_apart(tmp_path: Path) -> None:
    rows = by_category(
        OWN,
        {
            MINORS: [60],
            ("KEYWORD_OTHER", "CHILD_SAFETY"): [10],
            ("KEYWORD_OTHER", "Known series"): [20],
            ("KEYWORD_OTHER", 'Text to detail the "Other" keyword.'): [5],
            ("KEYWORD_OTHER", "Empty one"): [],
            "KEYWORD_OTHER_PRIVACY": [25],
            "STATEMENT_CATEGORY_VIOLENCE": [7],
            ("KEYWORD_OTHER", "The only one of its category"): [7],
        },
        head=TERMS,
    )
    found = read(as_csv(rows), tmp_path)
    said = {o.dimensions["other"]: o.obs_value for o in found.observations if o.dimensions["keyword"] == "other"}
    assert said == {"child_safety": 10, "known_series": 20, "not_described": 5, "privacy": 25, "_T": 7}
    assert {o.harm for o in found.observations if o.dimensions["category"] == "protection_of_minors"} == {
        "minor_safety"
    }


def test_the_same_keyword_described_alike_twice_is_set_aside(tmp_path: Path) -> None:
    rows = by_category(OWN, {MINORS: [3], ("KEYWORD_OTHER", "A"): [1]}, head=TERMS)
    found = read(as_csv([*rows, [*rows[-1][:5], "2", *rows[-1][6:]]]), tmp_path)
    assert len(found.observations) == 1
    assert all("duplicate key" in reason for reason in reasons(found))


# --- the other parts -------------------------------------------------------------------------------------------------


def test_orders_by_member_state(tmp_path: Path) -> None:
    rows = by_category(
        ORDERS,
        {
            ("TOTAL", "TOTAL"): [3, 11, 0, 264, 38, 0, 17.75],
            (MINORS, "TOTAL"): [2, 3, 0, 5],
            (CSAM, "TOTAL"): [2, 3, 0, 5],
            ("TOTAL", "AT"): [1, 8],
            (MINORS, "AT"): [1, 2],
            (CSAM, "AT"): [1, 2],
            (MINORS, "EL"): [1, 1],
            (CSAM, "EL"): [1, 1],
            (CSAM, "AT, […], SE"): [],
        },
    )
    found = read(as_csv(rows), tmp_path)
    assert found.quarantined == []
    assert {k[1]: v for k, v in values(found, "dsa_orders_act", harm="csam").items()} == {"EUE": 2, "AUT": 1, "GRC": 1}
    assert only(found, "dsa_orders_inform_effect_time") == 17.75
    parts = [o.obs_value for o in found.observations if o.metric == "dsa_orders_act" and not o.is_total]
    assert parts == [1, 1]  # states by keyword; everything else is a total over one or the other


def test_several_states_in_one_cell_or_none_are_set_aside(tmp_path: Path) -> None:
    found = read(as_csv(by_category(ORDERS, {("TOTAL", "DE, ES"): [1], ("TOTAL", ""): [1]})), tmp_path)
    assert found.observations == []
    assert all(reason.startswith("ref_area:") for reason in reasons(found))


def test_measures_at_own_initiative_by_ground_and_restriction(tmp_path: Path) -> None:
    numbers = [100, 90, *range(1, 15)]
    members = {
        "report/5_own_initiative_illegal.csv": as_csv(by_category(OWN, {"TOTAL": [4, 3, 4]})),
        "report/6_own_initiative_TC.csv": as_csv(by_category(OWN, {"TOTAL": numbers, MINORS: [40]}, head=TERMS)),
    }
    found = read(as_zip(members), tmp_path, "application/zip")
    assert found.quarantined == []
    assert only(found, "dsa_own_initiative", ground="illegal") == 4
    assert only(found, "dsa_own_initiative", ground="terms", harm="minor_safety") == 40
    kinds = {
        o.dimensions["restriction"]: o.obs_value
        for o in found.observations
        if o.metric == "dsa_own_initiative_restrictions" and o.dimensions["ground"] == "terms"
    }
    assert list(kinds.values()) == list(range(1, 15))
    assert kinds["visibility_removal"] == 1 and kinds["account_termination"] == 14
    assert str(found.observations[-1].locator).startswith("sheet=report/6_own_initiative_TC.csv&line=")


def test_google_files_several_surfaces_of_one_service(tmp_path: Path) -> None:
    def part(count: int) -> bytes:
        return as_csv(by_category(OWN, {MINORS: [count], CSAM: [count]}, head=TERMS, service="Google Search"))

    members = {
        "6_own_initiative_TC_URL_Level_Removals.csv": part(500),
        "6_own_initiative_TC_Ads.csv": part(2),
        "6_own_initiative_TC.csv": part(30),
        "Google Search - DSA.xlsx": b"PK\x03\x04 the same once more",
    }
    found = read(as_zip(members), tmp_path, "application/zip", "dsa_google_search")
    said = {o.dimensions["surface"]: o.obs_value for o in found.observations if o.harm == "csam"}
    assert said == {"URL_Level_Removals": 500, "Ads": 2, "main": 30}
    assert found.quarantined == []


def test_complaints_disputes_and_suspensions(tmp_path: Path) -> None:
    filled = [*range(1, 44), 0.5, 100, 101, 102]
    found = read(as_csv(appeals(filled)), tmp_path)
    assert found.quarantined == []
    assert len(found.observations) == 47
    assert only(found, "dsa_complaints", about="_T", outcome="_T") == 1
    assert only(found, "dsa_complaints", about="_T", outcome="omitted") == 6
    assert only(found, "dsa_complaint_time", about="visibility") == 12
    assert only(found, "dsa_complaints", about="account", outcome="reversed") == 21
    assert only(found, "dsa_complaints", about="no_action_trusted", outcome="upheld") == 34
    assert only(found, "dsa_disputes_implemented") == 0.5
    assert only(found, "dsa_suspensions", about="unfounded_complaints") == 102


def means(rows: Sequence[tuple[str, str]] = MEANS) -> list[tuple[str, str, str, object]]:
    """The twenty fixed rows of part 8, with counts and rates that tell the rows apart."""
    return [("Use of automated means", i, s, f"0.{n:02}" if n % 5 > 1 else n * 10) for n, (i, s) in enumerate(rows)]


def test_automated_means_by_source_and_language(tmp_path: Path) -> None:
    languages = [("", MEASURES[0], "bg", 7), ("", ACCURACY[0], "[...]", ""), ("", ACCURACY[2], "sv", 0.9)]
    found = read(as_csv(by_row([*means(), *languages])), tmp_path)
    assert found.quarantined == []
    assert only(found, "dsa_measures_automated", source="own_initiative") == 50
    assert only(found, "dsa_notices_not_automated", source="trusted") == 160
    assert only(found, "dsa_automation_recall", source="notices") == 0.14
    assert only(found, "dsa_measures_automated", language="bg") == 7
    assert only(found, "dsa_automation_recall", language="sv") == 0.9


def test_automated_means_by_country_where_a_platform_does_so(tmp_path: Path) -> None:
    states = [("", MEASURES[0], s, n) for n, s in enumerate(["AT", "DE", "SE"], start=5)]
    found = read(as_csv(by_row([*means(), *states])), tmp_path)
    assert only(found, "dsa_measures_automated", ref_area="DEU") == 6
    mixed = [("", MEASURES[0], s, n) for n, s in enumerate(["AT", "EN"], start=5)]
    found = read(as_csv(by_row([*means(), *mixed])), tmp_path)
    assert len(found.quarantined) == 2
    assert all("AT" in reason or "EN" in reason for reason in reasons(found))


def test_rates_that_are_no_ratio_are_set_aside(tmp_path: Path) -> None:
    rows = [(MEASURES[0], "Total number"), *[(a, "Total number") for a in ACCURACY], ("x", "a"), ("y", "b"), ("z", "c")]
    filled = by_row(
        [("", i, s, v) for (i, s), v in zip(rows, [5, "95%", "0.998 - 0.999", "0,9", 1, 1, 1], strict=True)]
    )
    found = read(as_csv(filled), tmp_path)
    assert [o.metric for o in found.observations] == ["dsa_measures_automated"]
    assert len(found.quarantined) == 6


def test_moderators_by_language_and_recipients_by_country(tmp_path: Path) -> None:
    total = [("HR", i, "Total number", n) for n, i in enumerate(PEOPLE, start=10)]
    people = by_row(
        [*total, ("HR", PEOPLE[2], "de", 3.5), ("HR", PEOPLE[2], "mt", 0), ("HR", PEOPLE[2], "Agnostic", 6)]
    )
    members = {
        "9_human_resources.csv": as_csv(people),
        "10_AMAR.csv": as_csv(recipients({"TOTAL": 9, "AT": 4, "EL": 5})),
    }
    found = read(as_zip(members), tmp_path, "application/zip")
    assert only(found, "dsa_moderators_internal") == 10
    assert values(found, "dsa_moderators_linguistic") == {
        ("_Z", "EUE", "_T"): 12,
        ("_Z", "EUE", "de"): 3.5,
        ("_Z", "EUE", "mt"): 0,
    }
    assert values(found, "dsa_recipients") == {("_Z", "EUE"): 9, ("_Z", "AUT"): 4, ("_Z", "GRC"): 5}
    assert [o.is_total for o in found.observations if o.metric == "dsa_recipients"] == [True, False, False]
    assert len(found.quarantined) == 1 and "Agnostic" in reasons(found)[0]


# --- other languages, other forms ------------------------------------------------------------------------------------

FRENCH_SCOPES = ["Nombre total", "Décisions confirmées", "Décisions partiellement infirmées", "Décisions infirmées"]
FRENCH_SCOPES += ["Délai médian", "Décisions non prises", "Pourcentage des résultats mis en œuvre"]
FRENCH = [(f"Indicateur {n}", FRENCH_SCOPES[: len(scopes)]) for n, (_, scopes) in enumerate(APPEALS)]
FRENCH_MEANS = ["Nombre de mesures prises par des moyens automatisés uniquement", "Nombre de mesures non prises"]
FRENCH_NOTICES = [
    "Nombre de notifications traitées par des moyens automatisés uniquement",
    "Nombre de notifications non",
]
FRENCH_RATES = [f"Précision des moyens automatisés - {what}" for what in ("Précision", "Exactitude", "Rappel")]


def test_a_french_report_is_read_by_columns_codes_and_order(tmp_path: Path) -> None:
    columns = ["Nombre de mesures prises", "Nombre de mesures automatisées", *[f"Restriction {n}" for n in range(14)]]
    own = {"TOTAL": [63, 5, 63], MINORS: [4, 1], CSAM: [4, 1]}
    rows = [
        *[(i, s) for s in ("Nombre total", "Initiative propre") for i in FRENCH_MEANS + FRENCH_RATES],
        *[(i, s) for s in ("MNA - Total", "MNA - Signaleur de confiance") for i in FRENCH_NOTICES + FRENCH_RATES],
    ]
    filled = {
        "5_own_initiative_illegal": by_category(columns, own, head="Catégorie de contenu illicite"),
        "6_own": by_category(columns, {"TOTAL": [7]}, head="Catégorie d’incompatibilité avec les conditions générales"),
        "7": appeals([*range(1, 44), 0.5, 100, 101, 102], FRENCH),
        "8": by_row([*means(rows), ("", FRENCH_MEANS[1], "fr", 8), ("", FRENCH_RATES[0], "[...]", "")]),
        "9": by_row(
            [("RH", f"Indicateur {n}", "Nombre total", n) for n in range(3)] + [("RH", "Indicateur 2", "fr", 9)]
        ),
    }
    members = {f"{name}.csv": as_csv(rows, ";") for name, rows in filled.items()}
    found = read(as_zip(members), tmp_path, "application/zip")
    assert found.quarantined == []
    assert only(found, "dsa_own_initiative", harm="csam", ground="illegal") == 4
    assert only(found, "dsa_own_initiative", ground="terms") == 7
    assert only(found, "dsa_complaints", about="account", outcome="reversed") == 21
    assert only(found, "dsa_disputes_implemented") == 0.5
    assert only(found, "dsa_automation_accuracy", source="own_initiative") == 0.07  # French calls accuracy Précision
    assert only(found, "dsa_automation_precision", source="own_initiative") == 0.08
    assert only(found, "dsa_measures_not_automated", language="fr") == 8
    assert only(found, "dsa_moderators_linguistic", language="fr") == 9


def test_a_german_workbook(tmp_path: Path) -> None:
    noticed = by_category([f"Anzahl {n}" for n in range(10)], NOTICED, head="Kategorie rechtswidriger Inhalte")
    sheets = {
        "1_Berichtskennung": identification(start="01/07/2025", end="31/12/2025"),
        "Lies mich": [["Hinweise"], ["Anzahl der Blätter: 2"]],
        "4_Meldungen": [[c if c != H2 else "YYYY-MM-DD/YYYY-MM-DD" for c in row] for row in noticed],
    }
    found = read(as_workbook(sheets), tmp_path, XLSX)
    assert found.quarantined == []
    english = read(as_csv(by_category(NOTICES, NOTICED)), tmp_path)
    assert {(o.series_id, o.time_period, o.obs_value) for o in found.observations} == {
        (o.series_id, o.time_period, o.obs_value) for o in english.observations
    }
    assert str(found.observations[0].locator) == "sheet=4_Meldungen&cell=F2"


def test_rows_lost_from_a_translated_part_are_not_guessed(tmp_path: Path) -> None:
    rows = appeals([*range(1, 44), 0.5, 100, 101, 102], FRENCH)
    found = read(as_csv([*rows[:3], *rows[4:]]), tmp_path)
    assert found.observations == []
    assert all("matches no pattern" in reason for reason in reasons(found))


def test_rows_lost_from_an_english_part_leave_the_others_right(tmp_path: Path) -> None:
    rows = appeals([*range(1, 44), 0.5, 100, 101, 102])
    found = read(as_csv([*rows[:3], *rows[4:]]), tmp_path)
    assert len(found.observations) == 46
    assert only(found, "dsa_complaints", about="account", outcome="reversed") == 21


# --- periods and services --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("printed", "period"),
    [("2026-01-01/2026-06-30", "2026-S1"), ("2026-01-01/2026-12-31", "2026"), ("2025-07-1 - 2025-12-31", "2025-S2")],
)
def test_the_period_is_the_reports_own(tmp_path: Path, printed: str, period: str) -> None:
    found = read(as_csv(by_category(NOTICES, {"TOTAL": [1]}, period=printed)), tmp_path)
    assert [o.time_period for o in found.observations] == [period]


@pytest.mark.parametrize("printed", ["2025-07-01/2025-12-32", "2024-12-04/2025-12-03", "2025-02-17/2025-12-31", "H2"])
def test_rows_of_a_period_that_is_none_are_set_aside(tmp_path: Path, printed: str) -> None:
    rows = by_category(NOTICES, {"TOTAL": [1], MINORS: [1]})
    rows[2][2] = printed
    found = read(as_csv(rows), tmp_path)
    assert [o.harm for o in found.observations] == ["_Z"]
    assert reasons(found)[0].startswith(f"time_period: '{printed}'")


def test_a_period_left_out_is_that_of_part_1_or_of_the_address(tmp_path: Path) -> None:
    blank = as_csv(by_category(NOTICES, {"TOTAL": [1]}, period="YYYY-MM-DD/YYYY-MM-DD"))
    both = as_zip({"1_summary.csv": as_csv(identification()), "4_notices.csv": blank})
    assert read(both, tmp_path, "application/zip").observations[0].time_period == "2025-S2"
    for address in ("https://a.example/dsa-2025-h2/4.csv", "https://a.example/dsa_H2-2025.csv"):
        assert read(blank, tmp_path, url=address).observations[0].time_period == "2025-S2"
    with pytest.raises(LayoutError, match="--url"):
        read(blank, tmp_path, url="https://a.example/report-february-2026.csv")


def test_a_day_that_can_be_read_two_ways_gives_no_period(tmp_path: Path) -> None:
    blank = as_csv(by_category(NOTICES, {"TOTAL": [1]}, period=""))
    unsure = as_zip({"1.csv": as_csv(identification(start="02/03/2025", end="05/06/2025")), "4.csv": blank})
    with pytest.raises(LayoutError, match="--url"):
        read(unsure, tmp_path, "application/zip")


def test_another_platforms_report_is_not_taken_in(tmp_path: Path) -> None:
    found = read(as_csv(by_category(NOTICES, NOTICED, service="Instagram")), tmp_path)
    assert found.observations == []
    assert "subject: 'Instagram' of the label 'service' matches no pattern" in reasons(found)[0]


def test_a_service_left_out_is_the_only_one_the_report_names(tmp_path: Path) -> None:
    rows = by_category(NOTICES, {"TOTAL": [1], MINORS: [1]})
    rows[2][1] = ""
    assert {o.subject for o in read(as_csv(rows), tmp_path).observations} == {"tiktok"}
    assert read(as_csv(by_category(NOTICES, {"TOTAL": [1]}, service="")), tmp_path).observations == []


# --- numbers and periods as these reports print them ------------------------------------------------------------------


@pytest.mark.parametrize(("text", "value"), [("5.83", 5.83), ("1.3hrs", 1.3), ("25.8 hrs", 25.8), ("6 h", 6), ("0", 0)])
def test_hours_may_say_so(text: str, value: float) -> None:
    assert harmonise.parse_number(text, "hours").value == value


@pytest.mark.parametrize("unit", ["hours", "ratio", "fte"])
@pytest.mark.parametrize("text", ["1,234", "0,5", "3k", "2 m"])
def test_a_comma_or_a_scale_is_not_guessed_at(text: str, unit: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        harmonise.parse_number(text, unit)


@pytest.mark.parametrize("unit", ["reports", "ratio"])
def test_only_hours_are_printed_with_hours(unit: str) -> None:
    with pytest.raises(ValueError, match="1 hrs"):
        harmonise.parse_number("1 hrs", unit)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2025-07-01/2025-12-31", "2025-S2"),
        ("2024-02-01 - 2024-02-29", "2024-02"),
        ("2025-04-01 to 2025-06-30", "2025-Q2"),
        ("2025-1-1/2025-12-31", "2025"),
    ],
)
def test_an_interval_is_a_calendar_period(text: str, code: str) -> None:
    assert harmonise.parse_period(text).time_period == code


@pytest.mark.parametrize(
    "text", ["2025-07-01/2025-12-30", "2025-12-31/2025-07-01", "2025-02-30/2025-12-31", "1025-01-01/1025-12-31"]
)
def test_an_interval_that_is_no_calendar_period_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        harmonise.parse_period(text)


# --- documents that are refused --------------------------------------------------------------------------------------


def broken(change: str) -> Rows:
    """Part 4 with one thing wrong."""
    rows = by_category(NOTICES, NOTICED)
    match change:
        case "renamed":
            rows[0][5] = "Number of reports received"
        case "moved":
            rows = [[*r[:5], r[6], r[5], *r[7:]] for r in rows]
        case "lost":
            rows = [[*r[:9], *r[10:]] for r in rows]
        case "stray":
            rows[3].append("12")
        case "wide":
            rows = [["a"] * 12, ["1"] * 12]
        case "unclear":
            rows = by_category([f"n{i}" for i in range(16)], {"TOTAL": [1]}, head="Kategoria")
        case "unknown":
            rows = by_row([("s", f"Indicator {n}", f"x{n}", n) for n in range(9)])
        case "prose":
            rows = [["Applicability", "Service", "Period", "Indicator", "Value"], ["All", "TikTok", H2, "Summary", "x"]]
    return rows


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("renamed", "'Number of reports received', where the template has 'Number of notices received'"),
        ("moved", "columns were moved or renamed"),
        ("lost", "a column was added or lost"),
        ("stray", "'12' stands under no header"),
        ("wide", "has 12 columns and no codes"),
        ("unclear", "part 5 .* or part 6 .* is not clear from 'kategoria'"),
        ("unknown", "are of no part: 7 to 10"),
        ("prose", "no sheet is a part with numbers"),
    ],
)
def test_a_document_unlike_the_template_is_refused_with_the_reason(tmp_path: Path, change: str, reason: str) -> None:
    with pytest.raises(LayoutError, match=reason):
        read(as_csv(broken(change)), tmp_path)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ({CSAM: [1]}, f"harm: {CSAM!r} is not in harm_label.csv for dsa_harmonised"),
        ({"STATEMENT_CATEGORY_VIOLENCE": [1], CSAM: [1]}, "harm: 'STATEMENT_CATEGORY_VIOLENCE KEYWORD_CHILD"),
        ({"STATEMENT_CATEGORY_NEW": [1], "TOTAL": [2]}, "harm: 'STATEMENT_CATEGORY_NEW' is not in harm_label.csv"),
        ({"TOTAL": ["many"]}, "number: 'many'"),
        ({"TOTAL": ["1.234"]}, "a point may part thousands"),
        ({"TOTAL": ["100%"]}, "has a percent sign"),
    ],
)
def test_a_row_unlike_the_template_is_set_aside_with_the_reason(tmp_path: Path, rows: Values, reason: str) -> None:
    found = read(as_csv(by_category(NOTICES, rows)), tmp_path)
    assert len(found.observations) == len(rows) - 1
    assert reason in reasons(found)[0]


def test_two_tables_on_one_sheet_are_refused(tmp_path: Path) -> None:
    illegal, terms = by_category(OWN, {"TOTAL": [4]}), by_category(OWN, {MINORS: [60], CSAM: [60]}, head=TERMS)
    with pytest.raises(LayoutError, match="a second header, 'service' and 'reporting period' again: put what stands"):
        read(as_csv([*illegal, [], *terms]), tmp_path)


@pytest.mark.parametrize("other", ["app/6_own_initiative_TC.csv", "6_own_initiative_TC_2025_H2.csv"])
def test_a_part_twice_for_one_service_and_period_is_refused(tmp_path: Path, other: str) -> None:
    members = {
        "6_own_initiative_TC.csv": as_csv(by_category(OWN, {"TOTAL": [5]}, head=TERMS)),
        other: as_csv(by_category(OWN, {MINORS: [3], CSAM: [3]}, head=TERMS)),
    }
    with pytest.raises(LayoutError, match=r"are the same part of TikTok and period.*add the one you mean"):
        read(as_zip(members), tmp_path, "application/zip")


@pytest.mark.parametrize(
    ("name", "surface"),
    [
        ("4_notices_Ads", "Ads"),
        ("4_notices_2026_H1", "main"),
        ("4_notices_TikTok", "main"),
        ("4_notices_H12026_v2", "main"),
    ],
)
def test_a_surface_is_told_from_a_period_or_a_service_in_a_name(tmp_path: Path, name: str, surface: str) -> None:
    found = read(as_zip({f"{name}.csv": as_csv(by_category(NOTICES, NOTICED))}), tmp_path, "application/zip")
    assert {o.dimensions["surface"] for o in found.observations} == {surface}


def test_parts_that_contradict_part_1_are_refused(tmp_path: Path) -> None:
    late = as_csv(by_category(NOTICES, NOTICED, period="2025-01-01/2025-06-30"))
    with pytest.raises(LayoutError, match="the row is of 2025-01-01/2025-06-30, part 1 says 2025-07-01/2025-12-31"):
        read(as_zip({"1.csv": as_csv(identification()), "4.csv": late}), tmp_path, "application/zip")
    both = {
        "1a.csv": as_csv(identification()),
        "1b.csv": as_csv(identification(start="2025-01-01", end="2025-06-30")),
    }
    assert len(read(as_zip({**both, "4.csv": late}), tmp_path, "application/zip").observations) == 43
    blank = as_csv(by_category(NOTICES, NOTICED, period=""))
    with pytest.raises(LayoutError, match="does not say its period"):
        read(as_zip({**both, "4.csv": blank}), tmp_path, "application/zip")


@pytest.mark.parametrize("period", ["01/07/2025-31/12/2025", "01.07.2025 – 31.12.2025", "07/01/2025 to 12/31/2025"])
def test_days_in_another_order_are_the_same_half_year(tmp_path: Path, period: str) -> None:
    found = read(as_csv(by_category(NOTICES, NOTICED, period=period)), tmp_path)
    assert {o.time_period for o in found.observations} == {"2025-S2"}


def test_codes_in_capitals_that_are_languages_and_countries_are_set_aside(tmp_path: Path) -> None:
    either = [("", MEASURES[0], s, n) for n, s in enumerate(["DE", "FR", "IT"], start=5)]
    found = read(as_csv(by_row([*means(), *either])), tmp_path)
    assert len(found.quarantined) == 3
    assert values(found, "dsa_measures_automated", language="de") == {}


@pytest.mark.parametrize("high", ["97", "97.5", "97%"])
def test_a_rate_of_one_among_percentages_is_set_aside(tmp_path: Path, high: str) -> None:
    rates = {"Accuracy": high, "Precision": "1", "Recall": "0.9"}
    rows = by_row([("", i, s, rates.get(i.rpartition(" ")[2], 7)) for i, s in MEANS])
    found = read(as_csv(rows), tmp_path)
    assert len(found.quarantined) == 12
    assert all("among rates that are printed as percentages" in reason for reason in reasons(found))
    assert not any(o.metric.startswith("dsa_automation") for o in found.observations)


@pytest.mark.parametrize("above", [True, False])
def test_a_title_or_note_that_the_numbers_count_thousands_is_heeded(tmp_path: Path, above: bool) -> None:
    rows, told = by_category(NOTICES, NOTICED), ["Numbers are in thousands"]
    with pytest.raises(LayoutError, match="not counts as printed"):
        read(as_csv([told, *rows] if above else [*rows, told]), tmp_path)


def test_moved_columns_show_in_any_language(tmp_path: Path) -> None:
    columns = [f"Anzahl {letter}" for letter in "abcdefghij"]
    rows = by_category(columns, {MINORS: [5, 4, 3]}, head="Kategorie rechtswidriger Inhalte")
    rows = [rows[0][:15] + [f"Kontext zu {c}" for c in columns], *rows[1:]]
    assert only(read(as_csv(rows), tmp_path), "dsa_notices") == 5
    beside = [[*row[:5], *[c for pair in zip(row[5:15], row[15:], strict=True) for c in pair]] for row in rows]
    swapped = [[*rows[0][:5], columns[1], columns[0], *rows[0][7:]], *rows[1:]]
    for moved in (beside, swapped):
        with pytest.raises(LayoutError, match="the columns of context do not follow the numbers"):
            read(as_csv(moved), tmp_path)


# --- ZIP files -------------------------------------------------------------------------------------------------------

PART = as_csv(by_category(NOTICES, {"TOTAL": [1]}))


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"../4_notices.csv": PART}, "leads out of it"),
        ({"a/../../4_notices.csv": PART}, "leads out of it"),
        ({"/4_notices.csv": PART}, "leads out of it"),
        ({"C:/4_notices.csv": PART}, "leads out of it"),
        ({"a\\..\\4_notices.csv": PART}, "leads out of it"),
        ({"4_notices.csv": PART, "inner.zip": as_zip({"5.csv": PART})}, "another archive, 'inner.zip'"),
        ({"4_notices.csv": as_zip({"5.csv": PART})}, "is an archive itself"),
        ({"4_notices.csv": PART, "run.exe": b"MZ"}, "'run.exe' in the ZIP is no text table"),
        ({"report.pdf": b"%PDF-1.7"}, "holds no CSV"),
        ({f"{n}.csv": PART for n in range(201)}, "201 members"),
        ({"4_notices.csv": b"0" * 11_000_000}, "unpacks to 11,000,000 bytes"),
        ({"4_notices.csv": "Größe".encode("latin-1")}, "'4_notices.csv' in the ZIP: byte 2 is not UTF-8"),
    ],
)
def test_a_zip_that_is_unsafe_or_no_report_is_refused(
    tmp_path: Path, members: Mapping[str, bytes], reason: str
) -> None:
    with pytest.raises(LayoutError, match=reason):
        read(as_zip(members), tmp_path, "application/zip")


def test_too_many_bytes_are_refused_before_they_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipped, "_MAX_UNPACKED", 1000)
    with pytest.raises(LayoutError, match="unpacks to"):
        read(as_zip({"4_notices.csv": PART, "b.csv": PART}), tmp_path, "application/zip")


def test_damage_and_sizes_that_lie_are_refused(tmp_path: Path) -> None:
    whole = as_zip({"4_notices.csv": PART})
    with pytest.raises(LayoutError, match="damaged"):
        read(whole[:-30], tmp_path, "application/zip")
    middle = len(PART) // 40
    with pytest.raises(LayoutError, match=r"damaged|not as long"):
        read(whole[:middle] + bytes(8) + whole[middle + 8 :], tmp_path, "application/zip")
    size = len(PART).to_bytes(4, "little")
    with pytest.raises(LayoutError, match=r"damaged|not as long"):
        read(whole.replace(size, (len(PART) - 9).to_bytes(4, "little")), tmp_path, "application/zip")


def test_a_member_that_stands_twice_or_is_encrypted_is_refused(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("4_notices.csv", PART)
        archive.writestr("4_notices.csv", PART)
    with pytest.raises(LayoutError, match="stands twice"):
        read(target.getvalue(), tmp_path, "application/zip")
    locked = bytearray(as_zip({"4_notices.csv": PART}))
    locked[locked.rindex(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(LayoutError, match="encrypted"):
        read(bytes(locked), tmp_path, "application/zip")


def test_what_systems_and_authors_leave_in_a_zip_is_passed_over(tmp_path: Path) -> None:
    members = {
        "__MACOSX/._4.csv": b"\0",
        "r/.DS_Store": b"\0",
        "r/": b"",
        "r/notes.pdf": b"%PDF",
        "r/4_notices.CSV": PART,
    }
    assert len(read(as_zip(members), tmp_path, "application/zip").observations) == 1


# --- declarations, the original, the whole path ----------------------------------------------------------------------


def test_every_platform_is_declared_by_its_names_and_addresses_alone() -> None:
    declared = [source.load(i) for i in source.list_ids() if i.startswith("dsa_")]
    known = codes.codelists().organisation
    harmonised = [s for s in declared if s.template == "dsa_harmonised"]
    assert {"dsa_tiktok", "dsa_facebook", "dsa_snapchat", "dsa_youtube", "dsa_roblox", "dsa_discord"} <= {
        s.id for s in harmonised
    }
    for one in harmonised:
        assert one.publisher in known and one.reporter == one.publisher
        assert one.caveats and one.observe == [
            o.model_copy(update={"subject": one.observe[0].subject}) for o in harmonised[0].observe
        ]
        assert set(one.observe[0].subject.map.values()) <= known.keys()  # type: ignore[union-attr]


def test_only_addresses_of_the_list_are_declared(originals: Path) -> None:
    with (originals / "dsa_harmonised" / "report-locations.csv").open(encoding="utf-8-sig") as handle:
        listed = {row["url"] for row in csv.DictReader(handle)}
    for source_id in source.list_ids():
        one = source.load(source_id)
        if one.template == "dsa_harmonised":
            urls = {one.landing_page, *(u for d in one.documents for u in d.urls)}
            assert urls <= listed, source_id


def test_every_code_of_the_template_has_a_place(originals: Path) -> None:
    (part,) = (originals / "dsa_harmonised" / "template").glob("*Part_2_*")
    category = ""
    for row in list(csv.reader(part.open(encoding="utf-8-sig")))[1:]:
        code = row[2].strip()
        category = category if code.startswith("KEYWORD") else code
        label = f"{category} {code}" if code.startswith("KEYWORD") else code
        on = harmonise.parse_period(H2).end
        found = codes.find_harm(label, "dsa_harmonised", on, codes.codelists())
        assert found is not None, label
        assert (found == "_Z") == (category != MINORS), label


def test_the_unfilled_templates_hold_no_number(originals: Path, tmp_path: Path) -> None:
    for path in sorted((originals / "dsa_harmonised" / "template").glob("*.csv")):
        try:
            found = read(path.read_bytes(), tmp_path)
        except LayoutError as error:
            assert re.search(r"Part_(?:1|2|11)_", path.name), error
        else:
            assert (found.observations, found.quarantined) == ([], []), path.name


def test_the_part_that_tiktok_filed(originals: Path, tmp_path: Path) -> None:
    import pandas as pd

    path = originals / "dsa_harmonised" / "filled" / "tiktok-2025-h2-4_notices.csv"
    frame = pd.read_csv(path)
    numbers = frame.iloc[:, 6:16]
    found = read(path.read_bytes(), tmp_path)
    assert found.quarantined == []
    assert len(found.observations) == int(numbers.notna().sum().sum()) == 101
    assert sum(o.obs_value or 0 for o in found.observations) == pytest.approx(float(numbers.sum().sum()), abs=1e-6)
    code = frame["Category of illegal content"]
    for grain, mask in {
        "total": code == "TOTAL",
        "category": code.str.startswith("STATEMENT_"),
        "keyword": code.str.startswith("KEYWORD_"),
    }.items():
        expected = float(frame.loc[mask, "Number of notices received"].sum())
        assert sum(v or 0 for v in values(found, "dsa_notices", grain=grain).values()) == expected
    (row,) = frame[code == CSAM].index
    for n, metric in enumerate(["dsa_notices", "dsa_notices_trusted", "dsa_notice_items", "dsa_notice_items_trusted"]):
        assert only(found, metric, harm="csam") == float(numbers.iloc[row, n])
    assert (only(found, "dsa_notice_time", harm="csam"), only(found, "dsa_notices", grain="total")) == (6.58, 714523)


@pytest.mark.slow
def test_from_files_of_every_form_to_the_warehouse(settings: Settings, tmp_path: Path) -> None:
    filed = {
        "dsa_tiktok": ("a.csv", as_csv(by_category(NOTICES, NOTICED))),
        "dsa_facebook": (
            "a.zip",
            as_zip(
                {
                    "6_own_initiative_TC.csv": as_csv(
                        by_category(OWN, {MINORS: [9], CSAM: [9]}, head=TERMS, service="Facebook")
                    )
                }
            ),
        ),
        "dsa_roblox": ("a.xlsx", as_workbook({"4_notices": by_category(NOTICES, NOTICED, service="Roblox")})),
    }
    for source_id, (name, content) in filed.items():
        path = tmp_path / name
        path.write_bytes(content)
        fetch.add(source.load(source_id), path, settings)
    release_archive(settings)
    with warehouse.connect(settings) as con:
        counts = dict(con.execute("SELECT source_id, count(*) FROM observation GROUP BY ALL").fetchall())
        assert counts == {"dsa_tiktok": 43, "dsa_facebook": 2, "dsa_roblox": 43}
        assert con.execute("SELECT count(*) FROM quarantine").fetchone() == (0,)
        said = con.execute(
            "SELECT subject, obs_value FROM observation WHERE harm = 'csam' "
            "AND metric IN ('dsa_notices', 'dsa_own_initiative') ORDER BY subject"
        ).fetchall()
        assert said == [("facebook", 9), ("roblox", 25), ("tiktok", 25)]


# --- declarations over a template ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("template: nothing_like_it\n", "there is no nothing_like_it.yml in sources/templates"),
        ("template: dsa_harmonised\n", "given: \\['services'\\] must be what dsa_harmonised.yml asks for"),
        ("template: dsa_harmonised\ngiven: {services: {A: x}, more: 1}\n", "given: \\['more'\\] must be"),
    ],
)
def test_a_declaration_that_does_not_fit_its_template_is_refused(
    settings: Settings, tmp_path: Path, text: str, reason: str
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "dsa_own.yml").write_text(f"id: dsa_own\n{text}", encoding="utf-8")
    with pytest.raises(DeclarationError, match=reason):
        source.load("dsa_own", replace(settings, extra_sources=folder))


def test_a_platform_of_ones_own_takes_ten_lines(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    text = """id: dsa_own
template: dsa_harmonised
title: A platform of one's own
publisher: twitch
reporter: twitch
caveats: [Made up]
landing_page: https://own.example/dsa
hosts: [own.example]
given: {services: {Own: twitch}}
"""
    (folder / "dsa_own.yml").write_text(text, encoding="utf-8")
    one = source.load("dsa_own", replace(settings, extra_sources=folder))
    path = tmp_path / "report"
    path.write_bytes(as_csv(by_category(NOTICES, NOTICED, service="OWN")))
    found = replace(document(path, one.id), media_type="text/csv")
    figures = list(one.extractor("text/csv")(found, one.layouts[0]))
    assert {o.subject for o in harmonise.to_observations(figures, found, one, "x").observations} == {"twitch"}
    assert one.caveats[-1] == "Made up" and len(one.caveats) > 1
