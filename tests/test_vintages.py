"""Numbers that moved by a row add up as before: the vintage before tells. An ordinary restatement is no warning."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from lightwell import refresh, vintages, warehouse
from lightwell.fetch import add
from lightwell.quality import Check
from lightwell.settings import Settings
from lightwell.source import load
from replicas import by_esp, thousands
from test_warehouse import NEW, OLD, observation, prepared

NUMBERS = [n * 37 % 1009 + 2 for n in range(40)]
MOVED = [*NUMBERS[1:], NUMBERS[0]]


def verdicts(*vintages_of: tuple[object, Sequence[float]], **fields: object) -> list[Check]:
    """The check of each document, which prints one number an organisation."""
    documents = []
    for of, numbers in vintages_of:
        rows = [observation(of, f"Service {n}", value, **fields) for n, value in enumerate(numbers)]  # type: ignore[arg-type]
        documents.append(prepared(of, *(replace(o, series_id=f"{n:016x}") for n, o in enumerate(rows))))  # type: ignore[arg-type]
    judged = [(one.harmonised, one.document, one.source) for one in documents]
    return [verdict.checks[-1] for verdict in vintages.compare(judged, [one.verdict for one in documents])]


def test_numbers_that_moved_by_a_row_are_told() -> None:
    first, second = verdicts((OLD, NUMBERS), (NEW, MOVED))
    assert first.passed
    assert (second.passed, second.severity) == (False, "warning"), "a restatement never blocks"
    assert second.observed.startswith("19 of 40 numbers printed before are printed very much otherwise: 'Service 0'")
    assert "'Service 0' as 39, where Title of 2022-reports-by-esp has 2" in second.observed
    assert len(second.observation_ids) == 19


def test_the_later_vintage_is_told_whatever_came_first() -> None:
    second, first = verdicts((NEW, MOVED), (OLD, NUMBERS))
    assert (first.passed, second.passed) == (True, False)


def test_an_ordinary_restatement_is_none() -> None:
    restated = [n + 1 if n < 30 else n + n // 20 for n in NUMBERS]  # small ones by one, the others by a twentieth
    assert all(check.passed for check in verdicts((OLD, NUMBERS), (NEW, restated)))


def test_small_shares_have_no_chance_to_hide_behind() -> None:
    shares = [n / 2000 for n in NUMBERS]
    moved = [n / 2000 for n in MOVED]
    assert verdicts((OLD, shares), (NEW, moved))[1].passed
    assert not verdicts((OLD, shares), (NEW, moved), unit_measure="ratio")[1].passed


@pytest.mark.parametrize(("again", "passed"), [(19, True), (20, False)])
def test_a_few_numbers_prove_nothing(again: int, passed: bool) -> None:
    assert verdicts((OLD, NUMBERS[:again]), (NEW, [10 * n for n in NUMBERS[:again]]))[1].passed == passed


def test_a_third_of_the_numbers_may_move() -> None:
    third = [10 * n if at < 13 else n for at, n in enumerate(NUMBERS)]
    more = [10 * n if at < 14 else n for at, n in enumerate(NUMBERS)]
    assert verdicts((OLD, NUMBERS), (NEW, third))[1].passed
    assert not verdicts((OLD, NUMBERS), (NEW, more))[1].passed


@pytest.mark.slow
def test_a_release_has_both_vintages_and_its_report_the_warning(small: Settings) -> None:
    replica = by_esp(40, year=2023)
    numbers = [number for _, number in replica.rows]
    moved = [(name, number) for (name, _), number in zip(replica.rows, [*numbers[1:], numbers[0]], strict=True)]
    assert replica.total == ("Total:", thousands(sum(int(n.replace(",", "")) for _, n in moved)))
    for n, one in enumerate((replica, replace(replica, rows=moved))):
        add(load("ncmec_by_esp"), one.write(small.home.parent / f"{n}.pdf"), small)
    refresh.release(small)
    count = "SELECT count(DISTINCT document_id) FROM observation_vintage WHERE time_period = '2023'"
    assert warehouse.query(count + " AND source_id = 'ncmec_by_esp'", small)[1] == [(2,)]
    current = warehouse.current(small)
    assert current is not None
    report = (small.releases / current.release_id / "quality.html").read_text(encoding="utf-8")
    assert "are printed very much otherwise" in report
