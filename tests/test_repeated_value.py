"""The view of values that stand unchanged in the next period or a year later: copies are found."""

from datetime import date
from pathlib import Path

from lightwell.harmonise import Observation, parse_period
from lightwell.settings import Settings
from test_warehouse import ask, document, observation, prepared, publish

ONE, TWO = document("one", published_on=date(2023, 1, 1)), document("two", published_on=date(2024, 1, 1))


def count(value: float | None, period: str, **fields: object) -> Observation:
    """A count of a quarter, half or year, in the document of its time."""
    time = parse_period(period)
    of = ONE if period < "2023" else TWO
    label = f"{fields.get('subject', '')} {fields.get('metric', '')} {fields.get('dimensions', '')}"
    plain: dict[str, object] = {"freq": time.freq, "time_period": time.time_period}
    plain |= {"period_start": time.start, "period_end": time.end}
    return observation(of, label, value, **plain | fields)


def repeats(home: Path, *counts: Observation) -> list[tuple[object, ...]]:
    settings = Settings(home=home)
    documents = [prepared(of, *(c for c in counts if c.document_id == of.document_id)) for of in (ONE, TWO)]
    publish(settings, documents)
    return ask(
        settings,
        "SELECT subject, metric, distance, earlier_time_period, time_period, obs_value, is_whole_block, "
        "is_same_document FROM repeated_value ORDER BY ALL",
    )


def test_a_value_of_the_period_before_or_of_a_year_before_is_listed(tmp_path: Path) -> None:
    found = repeats(
        tmp_path,
        *(count(v, p, subject="pinterest") for p, v in (("2022-S1", 1_794), ("2022-S2", 5), ("2023-S1", 1_794))),
        *(count(v, p, subject="reddit") for p, v in (("2022-S2", 16_234), ("2023-S1", 16_234))),
    )
    assert found == [
        ("pinterest", "cybertip_reports", "year", "2022-S1", "2023-S1", 1794.0, False, False),
        ("reddit", "cybertip_reports", "next", "2022-S2", "2023-S1", 16234.0, False, False),
    ]


def test_small_zero_changed_distant_or_other_series_are_not(tmp_path: Path) -> None:
    found = repeats(
        tmp_path,
        *(count(999, p, subject="reddit") for p in ("2022-Q4", "2023-Q1")),
        *(count(0, p, subject="google") for p in ("2022-Q4", "2023-Q1")),
        *(count(None, p, subject="facebook") for p in ("2022-Q4", "2023-Q1")),
        count(5_000, "2022-Q4", subject="x"),
        count(5_001, "2023-Q1", subject="x"),
        *(count(7_000, p, subject="twitter") for p in ("2022-Q1", "2023-Q2")),
        count(8_000, "2022-Q4", subject="twitch"),
        count(8_000, "2023-Q1", subject="discord"),
    )
    assert found == []


def test_a_whole_block_is_listed_with_its_small_values(tmp_path: Path) -> None:
    warned = {"spam": 12.0, "fraud": 3.0, "violence": 0.0, "hate": 7.0}
    found = repeats(
        tmp_path,
        *(
            count(
                value,
                period,
                subject="discord",
                metric="files_reported",
                unit_measure="files",
                dimensions={"policy_area": policy},
            )
            for policy, value in warned.items()
            for period in ("2022-Q4", "2023-Q1")
        ),
    )
    assert [(row[5], row[6]) for row in found] == [(3.0, True), (7.0, True), (12.0, True)]


def test_a_block_with_one_change_is_no_copy(tmp_path: Path) -> None:
    warned = {"spam": (12.0, 12.0), "fraud": (3.0, 3.0), "violence": (5.0, 6.0), "hate": (7.0, 7.0)}
    found = repeats(
        tmp_path,
        *(
            count(
                value,
                period,
                subject="discord",
                metric="files_reported",
                unit_measure="files",
                dimensions={"policy_area": policy},
            )
            for policy, values in warned.items()
            for period, value in zip(("2022-Q4", "2023-Q1"), values, strict=True)
        ),
    )
    assert found == []


def test_rounded_values_say_so_and_one_document_is_named(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    publish(settings, [prepared(TWO, *(count(2_500_000, p, subject="x") for p in ("2023-Q1", "2023-Q2")))])
    assert ask(settings, "SELECT significant_digits, is_same_document, block_values FROM repeated_value") == [
        (2, True, 1)
    ]
