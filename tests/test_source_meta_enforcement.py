"""Meta's quarterly file: every app, policy, metric and quarter, overwritten and restated without notice."""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import ORIGINALS, Ran, document, release_archive
from lightwell import fetch, harmonise, source, warehouse
from lightwell.errors import LayoutError
from lightwell.harmonise import Harmonised
from lightwell.settings import Settings
from lightwell.tables import delimited

META = source.load("meta_enforcement")
HEADER = ("app", "policy_area", "metric", "period", "value")
Line = tuple[str, str, str, str, str]
OLD, NEW = "Child Nudity & Sexual Exploitation", "Child Endangerment: Sexual Exploitation"
FILE: list[Line] = [
    ("Facebook", OLD, "Content Actioned", "2020Q2", "9,500"),
    ("Facebook", NEW, "Content Actioned", "2020Q2", "N/A"),
    ("Instagram", NEW, "Content Actioned", "2021Q2", "1,400"),
    ("Instagram", "Child Endangerment: Nudity and Physical Abuse", "Content Appealed", "2021Q2", "0"),
    ("Facebook", "Violence And Incitement", "Content Restored with appeal", "2021Q2", "40"),
    ("Facebook", "Spam", "Content Restored without appeal", "2021Q2", "7,000"),
    ("Facebook", "Hate Speech", "Proactive rate", "2021Q2", "97.60%"),
    ("Facebook", "Hate Speech", "Lowerbound Prevalence", "2021Q2", "0.05%"),
    ("Facebook", "Hate Speech", "Upperbound Prevalence", "2021Q2", "0.06%"),
    ("Instagram", "Dangerous Orgs: Terrorism", "UBP", "2021Q2", "0.05%"),
    ("Facebook", "Fake Accounts", "Content Actioned", "2021Q2", "1,700,000,000"),
    ("Facebook", "Fake Accounts", "Proactive rate", "2021Q2", "99.80%"),
    ("Facebook", "Fake Accounts", "Prevalence", "2021Q2", "4%-5%"),
]


def text(lines: Iterable[Line], header: tuple[str, ...] = HEADER) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([header, *lines])
    return written.getvalue()


def read(path: Path, content: str) -> Harmonised:
    path.write_text(content, encoding="utf-8")
    of = replace(document(path, META.id), media_type="text/csv")
    return harmonise.to_observations(delimited.extract(of, META.layouts[0]), of, META, "v")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "meta.csv"


def test_every_metric_has_its_own_unit_and_a_policy_is_a_harm_or_a_policy_area(path: Path) -> None:
    found = read(path, text(FILE))
    assert found.quarantined == []
    assert [(o.subject, o.metric, o.harm, o.dimensions["policy_area"], o.obs_value) for o in found.observations] == [
        ("facebook", "content_actioned", "child_sexual_exploitation", "child_nudity_sexual_exploitation", 9500),
        ("facebook", "content_actioned", "child_sexual_exploitation", "child_sexual_exploitation", None),
        ("instagram", "content_actioned", "child_sexual_exploitation", "child_sexual_exploitation", 1400),
        ("instagram", "content_appealed", "child_nudity_and_physical_abuse", "child_nudity_physical_abuse", 0),
        ("facebook", "content_restored_after_appeal", "_Z", "violence_incitement", 40),
        ("facebook", "content_restored_without_appeal", "_Z", "spam", 7000),
        ("facebook", "content_proactive_rate", "_Z", "hate_speech", 97.6),
        ("facebook", "prevalence_lower_bound", "_Z", "hate_speech", 0.05),
        ("facebook", "prevalence_upper_bound", "_Z", "hate_speech", 0.06),
        ("instagram", "prevalence_upper_limit", "_Z", "terrorism", 0.05),
        ("facebook", "accounts_actioned", "_Z", "fake_accounts", 1_700_000_000),
        ("facebook", "accounts_proactive_rate", "_Z", "fake_accounts", 99.8),
        ("facebook", "fake_accounts_prevalence", "_Z", "fake_accounts", None),
    ]
    units = {o.metric: o.unit_measure for o in found.observations}
    assert (units["content_actioned"], units["accounts_actioned"]) == ("pieces", "accounts")
    assert {o.reporter for o in found.observations} == {"meta"}
    assert {(o.time_period, o.freq) for o in found.observations} == {("2020-Q2", "Q"), ("2021-Q2", "Q")}


def test_not_available_is_missing_and_a_range_is_its_bounds(path: Path) -> None:
    found = read(path, text(FILE)).observations
    assert (found[1].obs_status, found[1].obs_value, found[1].obs_text) == ("O", None, "N/A")
    assert (found[-1].obs_status, found[-1].value_low, found[-1].value_high) == ("Q", 4.0, 5.0)


def test_other_words_for_the_same_cell_are_the_same_series(path: Path) -> None:
    one = ("Facebook", "Violence And Incitement", "Content Actioned", "2021Q4", "5")
    two = ("Facebook", "Fake Accounts", "Content Actioned", "2021Q4", "5")
    before = read(path, text([one, two])).observations
    after = read(
        path,
        text([(one[0], "Violence and Incitement", *one[2:]), (*two[:2], "Accounts Actioned", *two[3:])]),
    ).observations
    assert [o.series_id for o in before] == [o.series_id for o in after]
    assert [o.label_text for o in before] != [o.label_text for o in after]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (("Facebook", "Violent Speech", "Content Actioned", "2023Q3", "5"), "'Violent Speech'"),
        (("Facebook", "Spam", "Content Viewed", "2023Q3", "5"), "'Spam | Content Viewed'"),
        (("Facebook", "Spam", "Accounts Actioned", "2023Q3", "5"), "'Spam | Accounts Actioned'"),
        (("Facebook", "Fake Accounts", "Content Appealed", "2023Q3", "5"), "'Fake Accounts | Content Appealed'"),
        (("Facebook", "Spam", "Content Actioned", "2023", "5"), "frequency A, declared is Q"),
        (("Facebook", "Spam", "Content Actioned", "2023Q5", "5"), "'2023Q5' is no period"),
        (("Facebook", "Spam", "Content Actioned", "2023Q3", "5.2"), "is not whole"),
        (("Facebook", "Spam", "Content Actioned", "2023Q3", "12,34"), "grouping may be malformed"),
        (("Facebook", "Spam", "Content Actioned", "2023Q3", "97%"), "has a percent sign but its unit is pieces"),
        (("Facebook", "Spam", "Proactive rate", "2023Q3", "0.97"), "has no percent sign but its unit is percent"),
        (("Facebook", "Fake Accounts", "Prevalence", "2023Q3", "5%-4%"), "is no range"),
    ],
)
def test_a_line_that_the_declaration_does_not_know_is_set_aside_alone(path: Path, line: Line, reason: str) -> None:
    found = read(path, text([*FILE, line]))
    assert len(found.observations) == len(FILE)
    (aside,) = found.quarantined
    assert aside.scope == "row"
    assert reason in aside.reason


def test_a_cell_printed_twice_is_set_aside_under_any_spelling(path: Path) -> None:
    twice = ("Facebook", "Violence and Incitement", "Content Restored with appeal", "2021Q2", "41")
    found = read(path, text([*FILE, twice]))
    assert len(found.observations) == len(FILE) - 1
    assert [q.expectation for q in found.quarantined] == ["one_figure_a_series_and_period"] * 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (text(FILE, ("app", "policy_area", "metric", "quarter", "value")), "stands under no header"),
        (text(FILE, ("app", "policy_area", "metric", "period", "share")), "stands under no header"),
        (text([(*FILE[0], "7"), *FILE[1:]]), "line 2: '7' stands under no header"),  # type: ignore[list-item]
        (text(FILE, (*HEADER, "country")), "stands under no header"),
        (text(FILE) + 'Facebook,"Spam', "unexpected end of data"),
        (text(FILE) + "Facebook,Spam,Content Actioned,2021Q2", "line 15: .* ends before its number"),
        ("Company,Reports\nFacebook,5\n", "stands under no header"),
    ],
    ids=[
        "period renamed",
        "value renamed",
        "a cell too many",
        "column added",
        "cut in a cell",
        "cut in a row",
        "other",
    ],
)
def test_a_file_unlike_its_layout_is_refused_whole(path: Path, content: str, reason: str) -> None:
    with pytest.raises(LayoutError, match=reason):
        read(path, content)


def test_the_header_may_be_written_otherwise_and_stand_in_another_order(path: Path) -> None:
    turned = [(v, p, m, t, a) for a, p, m, t, v in FILE]
    found = read(path, "\ufeff" + text(turned, ("Value", "Policy Area", "Metric", "Period", "App")))
    assert [o.obs_value for o in found.observations] == [o.obs_value for o in read(path, text(FILE)).observations]


# --------------------------------------------------------------------------------------------------------- vintages


def vintage(quarter: str, before: str, prevalence: str, policy: str) -> str:
    """One quarter's file: a child cell of 2020Q2, its own quarter, and a limit that only its own quarter has."""
    return text(
        [
            ("Facebook", OLD, "Content Actioned", "2020Q2", before),
            ("Facebook", OLD, "Content Actioned", "2020Q3", "0" if before == "2,800,000" else "300"),
            ("Facebook", policy, "Content Actioned", "2020Q2", "7"),
            ("Facebook", "Hate Speech", "Proactive rate", "2020Q2", prevalence),
            ("Instagram", "Spam", "UBP", quarter, "0.05%"),
        ]
    )


@pytest.fixture
def three(settings: Settings, tmp_path: Path) -> Settings:
    """Three quarters' files, added in the wrong order and without a word about when they were published."""
    files = {
        "2021Q3": vintage("2021Q3", "2,800,000", "97.6%", "Violence And Incitement"),
        "2021Q4": vintage("2021Q4", "9,400,000", "97.5%", "Violence And Incitement"),
        "2021Q2": vintage("2021Q2", "9,400,000", "97.6%", "Violence and Incitement"),
    }
    for name, content in files.items():
        path = tmp_path / f"{name}.csv"
        path.write_text(content, encoding="utf-8")
        fetch.add(META, path, settings)
    release_archive(settings)
    return settings


@pytest.mark.slow
def test_vintages_are_ordered_by_their_newest_quarter_and_compared_with_the_one_before(
    three: Settings, lightwell: Callable[..., Ran]
) -> None:
    _, rows = warehouse.query(
        "SELECT newest_period, known_on::VARCHAR, figures, figures_in_both, changed, relabelled, added, dropped "
        "FROM vintage_change WHERE source_id = 'meta_enforcement' ORDER BY known_on",
        three,
    )
    assert rows == [
        ("2021-Q3", "2021-09-30", 5, 4, 2, 1, 1, 1),  # the label alone is no change
        ("2021-Q4", "2021-12-31", 5, 4, 3, 0, 1, 1),
    ]
    _, renamed = warehouse.query("SELECT value_changed FROM label_rename WHERE source_id = 'meta_enforcement'", three)
    assert renamed == [(False,)]
    _, restated = warehouse.query(
        "SELECT time_period, value_history, difference, changes, lowest_obs_value, highest_obs_value, "
        "round(largest_swing, 4) FROM restatement WHERE metric = 'content_actioned' ORDER BY time_period",
        three,
    )
    assert restated == [
        ("2020-Q2", [9_400_000, 2_800_000, 9_400_000], 0, 2, 2_800_000, 9_400_000, 2.3571),
        ("2020-Q3", [300, 0, 300], 0, 2, 0, 300, None),  # out of nothing: no share says how far
    ]
    told = lightwell("--home", three.home, "restatements", "--source", "meta_enforcement", "--over", "0.25").out
    assert "[9400000, 2800000, 9400000]" in told and "[300, 0, 300]" in told
    assert "hate_speech" not in told  # moved by a thousandth


# -------------------------------------------------------------------------------------------------------- originals


@pytest.fixture(scope="module")
def nine(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """All nine originals in one release, added newest first, so that nothing but their content orders them."""
    if not (ORIGINALS / "meta").is_dir():
        pytest.skip("the publishers' originals are not on this machine (../shared/reports)")
    settings = Settings(home=tmp_path_factory.mktemp("nine") / "home", offline=True)
    for path in sorted((ORIGINALS / "meta").glob("*.csv"), reverse=True):
        fetch.add(META, path, settings)
    release_archive(settings)
    return settings


@pytest.mark.slow
def test_originals_every_vintage_is_kept_whole(nine: Settings) -> None:
    counted = "SELECT count(*) FROM observation_vintage WHERE source_id = 'meta_enforcement' GROUP BY published_on"
    _, rows = warehouse.query(f"{counted} ORDER BY published_on", nine)
    assert [n for (n,) in rows] == [1904, 2192, 2339, 2486, 2633, 2780, 2927, 3074, 3221]
    assert warehouse.query("FROM quarantine WHERE source_id = 'meta_enforcement'", nine)[1] == []


@pytest.mark.slow
def test_originals_cells_changed_from_one_vintage_to_the_next(nine: Settings) -> None:
    _, rows = warehouse.query(
        "SELECT newest_period, changed FROM vintage_change WHERE source_id = 'meta_enforcement' ORDER BY known_on", nine
    )
    assert rows == [
        ("2021-Q3", 71), ("2021-Q4", 27), ("2022-Q1", 96), ("2022-Q2", 102), ("2022-Q3", 113), ("2022-Q4", 203),
        ("2023-Q1", 18), ("2023-Q2", 0),
    ]  # fmt: skip


@pytest.mark.slow
def test_originals_child_sexual_exploitation_in_2020_as_of_each_vintage(nine: Settings) -> None:
    found = []
    for day in ("2021-06-30", "2021-09-30", "2021-12-31", "2022-03-31", "2022-06-30", "2022-09-30", "2022-12-31",
                "2023-03-31", "2023-06-30"):  # fmt: skip
        _, rows = warehouse.query(
            f"SELECT sum(obs_value) FROM as_of(DATE '{day}') WHERE source_id = 'meta_enforcement' "
            "AND metric = 'content_actioned' AND harm = 'child_sexual_exploitation' "
            "AND subject IN ('facebook', 'instagram') AND time_period LIKE '2020-%'",
            nine,
        )
        found.append(rows[0][0])
    assert found == [39_190_800, 38_890_800, 38_890_800, 31_967_600, 29_338_200, 28_187_700, *[38_890_800] * 3]


@pytest.mark.slow
def test_originals_a_fall_that_came_back_is_told(nine: Settings, lightwell: Callable[..., Ran]) -> None:
    told = lightwell("--home", nine.home, "restatements", "--source", "meta_enforcement", "--over", "0.25").out
    (line,) = [
        line
        for line in told.splitlines()
        if " content_actioned " in line and "facebook" in line and "child_nudity" in line and "2020-Q2" in line
    ]
    history = "[9500000, 9400000, 9400000, 2800000, 2800000, 2800000, 9400000, 9400000, 9400000]"
    assert history in line
    _, rows = warehouse.query(
        "SELECT latest_label_text, count(*), count(*) FILTER (WHERE value_changed) FROM label_rename "
        "WHERE source_id = 'meta_enforcement' AND time_period = '2020-Q2' AND earlier_label_text LIKE '%Fake%' "
        "GROUP BY ALL ORDER BY ALL",
        nine,
    )
    assert [(n, changed) for _, n, changed in rows] == [(1, 0), (1, 0)]  # accounts in the file of 2021-Q3 alone
