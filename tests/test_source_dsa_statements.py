"""The DSA Transparency Database by month: the edition's totals, and own reductions written, added and read."""

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from conftest import Ran, document
from lightwell import codes, harmonise, reading, source
from lightwell.errors import LightwellError
from lightwell.harmonise import Harmonised
from lightwell.settings import Settings
from lightwell.statements import cubes, months, rows
from lightwell.statements.cubes import Receipt
from lightwell.statements.scan import KEYS, Cell

ONE = source.load("dsa_statements")
CSAM, DEEPFAKE = "KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL", "KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL_DEEPFAKE"
VIOLENCE = "STATEMENT_CATEGORY_VIOLENCE"


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory) -> Harmonised:
    """What becomes of the CSV that ships with the code."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), offline=True)
    (one,) = reading.transcriptions(ONE, settings)
    return harmonised(one, settings)


def harmonised(one: reading.Document, settings: Settings) -> Harmonised:
    found = reading.read(one, ONE, settings)
    assert found.problem is None
    return harmonise.to_observations(found.figures, one, ONE, found.extractor_version)


def test_the_edition_adds_up_to_what_was_counted_by_day(edition: Harmonised) -> None:
    assert (len(edition.observations), edition.quarantined, edition.provisional) == (2522, [], {})
    sums = Counter[tuple[str, str]]()
    for one in edition.observations:
        sums[one.metric, one.harm] += int(one.obs_value or 0)
        assert (one.comparator, one.ref_area, one.reporter) == ("=", "EUE", "european_commission")
        assert one.cited_url == "https://github.com/apparebit/shantay"
    assert sums == {
        ("dsa_statements", "_Z"): 36_244_307_503,  # of the platforms with any mark of minors
        ("dsa_statements", "minor_safety"): 84_905_587,
        ("dsa_statement_additional_categories", "minor_safety"): 7_934,
        ("dsa_statement_keywords", "csam"): 4_833_075,
        ("dsa_statement_keywords", "age_restricted_content"): 1_240_497,
        ("dsa_statement_keywords", "grooming"): 119_023,
        ("dsa_statement_keywords", "unsafe_challenges"): 1_477,
    }


def test_the_edition_covers_every_day_once(edition: Harmonised) -> None:
    periods = sorted({(one.period_start, one.period_end) for one in edition.observations})
    assert sum((end - start).days + 1 for start, end in periods) == 839
    assert (periods[0][0], periods[-1][1]) == (date(2023, 9, 25), date(2026, 1, 10))
    assert all(b[0] - a[1] == timedelta(days=1) for a, b in pairwise(periods))
    assert {one.time_period for one in edition.observations if one.freq != "M"} == {"2023-09-25/P6D", "2026-01-01/P10D"}


def test_pairs_and_statements_have_units_of_their_own() -> None:
    units = {
        m.metric: m.unit_measure for m in codes.codelists().metric.values() if m.metric.startswith("dsa_statement")
    }
    assert {unit for metric, unit in units.items() if metric.startswith("dsa_statements")} == {"statements"}
    assert units["dsa_statement_keywords"] == units["dsa_statement_additional_categories"] == "pairs"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("X,statements,_T,2025-02,27,=,5,u", "matches no pattern"),  # a part of a month is not the month
        ("X,statements,_T,2024-02,28,=,5,u", "matches no pattern"),
        ("X,statements,_T,2025-09-01/P15D,14,=,5,u", "matches no pattern"),
        ("X,statements,_T,2025-09,30,~,5,u", "comparator"),
        ("X,pairs,_T,2025-09,30,=,5,u", "metric"),
        ("X,statements,_T,2025-09,30,=,-5,u", "negative"),
        ("X,statement_keyword_pairs,KEYWORD_NEW,2025-09,30,=,5,u", "KEYWORD_NEW"),
        ("X,statement_keyword_pairs,KEYWORD_UNSAFE_CHALLENGES,2025-06,30,=,5,u", "harm_label"),  # not in that schema
        ("X,statements_by_category,STATEMENT_CATEGORY_SCOPE_OF_PLATFORM_SERVICE,2025-07,31,=,5,u", "harm_label"),
        ("X,statements_by_category,STATEMENT_CATEGORY_OTHER_VIOLATION_TC,2025-06,30,=,5,u", "harm_label"),
    ],
)
def test_a_row_that_says_too_much_is_quarantined(line: str, reason: str, settings: Settings, tmp_path: Path) -> None:
    (refused,) = added(f"{','.join(months.COLUMNS)}\n{line}\n", settings, tmp_path).quarantined
    assert reason in refused.reason


def test_a_renamed_category_is_one_series_in_both_schemas(settings: Settings, tmp_path: Path) -> None:
    lines = [
        "X,statements_by_category,STATEMENT_CATEGORY_UNSAFE_AND_ILLEGAL_PRODUCTS,2025-06,30,=,5,u",
        "X,statements_by_category,STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS,2025-07,31,=,6,u",
    ]
    found = added("\n".join([",".join(months.COLUMNS), *lines, ""]), settings, tmp_path).observations
    assert len({one.series_id for one in found}) == 1
    assert [one.obs_value for one in found] == [5, 6]


def added(text: str, settings: Settings, folder: Path) -> Harmonised:
    path = folder / "months.csv"
    path.write_text(text, encoding="utf-8")
    return harmonised(replace(document(path, "dsa_statements"), media_type="text/csv"), settings)


# ---- own reductions


def cell(platform: str = "X", **codes: object) -> Cell:
    """A cell as a worker sends it; about minors where its category or keyword says so."""
    plain = dict.fromkeys(KEYS) | {
        "platform_name": platform,
        "automated_detection": "No",
        "category": VIOLENCE,
        "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT",
        "source_type": "SOURCE_VOLUNTARY",
        "automated_decision": "AUTOMATED_DECISION_NOT_AUTOMATED",
        "received": True,
    }
    made = plain | codes
    about = made["category"] == rows.MINORS or "category_specification" in codes
    return tuple(made[name] if name != "about_minors" else about for name in KEYS)  # type: ignore[misc]


def reduce_day(to: Path, day: date, cells: dict[Cell, int], name: str = "global", **rejected: int) -> None:
    """One day's cubes, as if a dump had been reduced."""
    about = sum(n for found, n in cells.items() if found[KEYS.index("about_minors")])
    counted = sum(cells.values())
    receipt = Receipt(
        f"sor-{name}-{day}-light", "0" * 40, True, str(day), 1, (), counted + sum(rejected.values()), counted, rejected,
        about, 1, (), "1",
    )  # fmt: skip
    cubes.write(cells, receipt, to)


def lines(folder: Path) -> dict[tuple[str, ...], str]:
    """(platform, measure, code, period, comparator) -> value."""
    found = csv.DictReader(months.table(folder).text.splitlines())
    keys = ("platform", "measure", "code", "period", "comparator")
    return {tuple(row[key] for key in keys): row["value"] for row in found}


@pytest.mark.slow
def test_only_a_month_whose_days_are_all_there_is_written_as_one(tmp_path: Path) -> None:
    for n in range(28):
        reduce_day(tmp_path, date(2025, 2, 1) + timedelta(days=n), {cell(): 1})
    for n in (1, 2, 3):
        reduce_day(tmp_path, date(2025, 3, n), {cell(): 1})
    for n in (1, 3):
        reduce_day(tmp_path, date(2025, 4, n), {cell(): 1})
    made = months.table(tmp_path)
    assert made.left_out == (("X", "2025-04"),)
    totals = {key[3]: value for key, value in lines(tmp_path).items() if key[1] == "statements"}
    assert totals == {"2025-02": "28", "2025-03-01/P3D": "3"}


def test_days_of_another_platform_do_not_fill_a_month(tmp_path: Path) -> None:
    for n in (1, 2, 3):
        reduce_day(tmp_path, date(2025, 3, n), {cell("TikTok"): 1}, "tiktok")
    reduce_day(tmp_path, date(2025, 3, 2), {cell(): 1}, "x")
    reduce_day(tmp_path, date(2025, 3, 3), {}, "x")  # a dump without a statement is a day counted
    assert {key[:1] + key[3:4]: v for key, v in lines(tmp_path).items() if key[1] == "statements"} == {
        ("TikTok", "2025-03-01/P3D"): "3",
        ("X", "2025-03-02/P2D"): "1",
    }


def test_what_is_counted_is_what_the_edition_counts(tmp_path: Path, settings: Settings) -> None:
    both, other = f'["{CSAM}","KEYWORD_OTHER"]', f'["{CSAM}"]'
    reduce_day(
        tmp_path,
        date(2025, 9, 1),
        {
            cell(): 100,
            cell(category=rows.MINORS, automated_decision="AUTOMATED_DECISION_FULLY"): 20,
            cell(category=rows.MINORS, category_specification=both, automated_detection="Yes"): 3,
            cell(category_specification=other, source_type="SOURCE_TRUSTED_FLAGGER"): 4,
        },
    )
    period = ("2025-09-01/P1D", "=")
    found = lines(tmp_path)
    assert found == {
        ("X", "statements", "_T", *period): "127",
        ("X", "statements_by_category", VIOLENCE, *period): "104",
        ("X", "statements_by_category", rows.MINORS, *period): "23",
        **{("X", "statement_keyword_pairs", keyword, *period): "0" for keyword in rows.MINORS_KEYWORDS},
        ("X", "statement_keyword_pairs", CSAM, *period): "7",
        ("X", "minors_statements", "ABOUT_MINORS", *period): "27",
        ("X", "minors_automated_statements", "ABOUT_MINORS", *period): "20",
        ("X", "minors_detected_statements", "ABOUT_MINORS", *period): "3",
        ("X", "minors_trusted_statements", "ABOUT_MINORS", *period): "4",
    }
    read = added(months.table(tmp_path).text, settings, tmp_path)
    assert (len(read.observations), read.quarantined) == (len(found), [])


def test_keywords_of_the_second_schema_are_not_said_before_it(tmp_path: Path) -> None:
    reduce_day(tmp_path, date(2025, 6, 30), {cell(): 1})
    said = {key[2] for key in lines(tmp_path)}
    assert CSAM in said
    assert not said & {DEEPFAKE, "KEYWORD_UNSAFE_CHALLENGES"}


def test_rejected_lines_make_the_month_a_lower_bound(tmp_path: Path, settings: Settings) -> None:
    reduce_day(tmp_path, date(2025, 9, 1), {cell(): 1}, odd=2)
    assert {key[4] for key in lines(tmp_path)} == {">="}
    assert {one.comparator for one in added(months.table(tmp_path).text, settings, tmp_path).observations} == {">="}


@pytest.mark.slow
def test_a_series_goes_on_from_the_edition_to_an_added_file(
    edition: Harmonised, tmp_path: Path, settings: Settings
) -> None:
    for n in range(28):
        found = {cell(name, category=rows.MINORS): 1 for name in ("TikTok", "Discord Netherlands B.V.")}
        reduce_day(tmp_path, date(2026, 2, 1) + timedelta(days=n), found)
    own = added(months.table(tmp_path).text, settings, tmp_path)
    assert own.provisional == {}
    minors = [one for one in own.observations if (one.metric, one.harm) == ("dsa_statements", "minor_safety")]
    assert {one.subject for one in minors} == {"tiktok", "discord"}
    assert {one.series_id for one in minors} <= {one.series_id for one in edition.observations}


def test_the_command_writes_what_add_takes(lightwell: Callable[..., Ran], tmp_path: Path) -> None:
    folder, file = tmp_path / "cubes", tmp_path / "months.csv"
    for name, n in (("x", 1), ("x", 2), ("y", 1), ("y", 3)):
        reduce_day(folder, date(2025, 9, n), {cell(name.upper(), category=rows.MINORS): 2}, name)
    ran = lightwell("statements", "monthly", folder, "--to", file)
    assert ran.code == 0
    assert ran.out == f"11 counts; next: lightwell add dsa_statements {file} --published DAY (of the reduction)\n"
    assert ran.err == "left out: Y 2025-09: not every day between its first and last was reduced\n"
    ran = lightwell("--home", tmp_path / "home", "add", "dsa_statements", file, "--published", "2025-10-01")
    assert ran.code == 0, ran.err


def test_the_command_says_where_there_is_nothing_to_write(lightwell: Callable[..., Ran], tmp_path: Path) -> None:
    ran = lightwell("statements", "monthly", tmp_path, "--to", tmp_path / "none.csv")
    assert ran.code == 1
    assert "reduce dumps to it first" in ran.err
    assert not (tmp_path / "none.csv").exists()


def test_a_folder_without_cubes_makes_an_empty_table(tmp_path: Path) -> None:
    assert months.table(tmp_path).lines == 0


def test_a_receipt_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "dumps").mkdir()
    (tmp_path / "dumps" / "sor-x-2025-09-01-light.json").write_text("{}", encoding="utf-8")
    with pytest.raises(LightwellError, match="reduce its dump again"):
        months.table(tmp_path)
