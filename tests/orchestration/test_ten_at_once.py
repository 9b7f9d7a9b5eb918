"""Ten source DAGs at once: never two writers, and never two questions to one host within a second."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import pytest
from harness import Stage, current, esp, figures, settle, staged, wait_for

SOURCES = [f"test_{number:02}" for number in range(10)]
YEARS = (2021, 2022)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("ten")
    with staged(folder, dict.fromkeys(SOURCES, esp), YEARS, LIGHTWELL_SECONDS_BETWEEN_REQUESTS="1") as made:
        made.airflow.until_known(*(f"refresh_{one}" for one in SOURCES), "release")
        yield made


def test_ten_sources_at_once_are_polite_and_have_one_writer(stage: Stage) -> None:
    airflow = stage.airflow
    airflow.unpause("release", *(f"refresh_{one}" for one in SOURCES))
    begun = {one: airflow.trigger(f"refresh_{one}") for one in SOURCES}
    for one, run in begun.items():
        done = wait_for(lambda o=one, r=run: _over(stage, o, r), f"the run of {one}", 900)
        assert done["state"] == "success", airflow.states(f"refresh_{one}", run)
    settle(airflow)
    assert [len(figures(airflow.home, one)) for one in SOURCES] == [142] * 10, "70 services and the total, two years"
    asked = sorted(when for when, _ in stage.publisher.asked)
    assert len(stage.publisher.documents_asked) == 20
    assert min((later - earlier).total_seconds() for earlier, later in pairwise(asked)) > 0.9
    times = [
        (_instant(one["start_date"]), _instant(one["end_date"]))
        for run in airflow.runs("release")
        for one in airflow.tasks("release", run["dag_run_id"])
        if one["state"] == "success"
    ]
    assert len(times) >= 5
    assert all(end <= start for (_, end), (start, _) in pairwise(sorted(times))), "two writers at once"
    releases = {event["extra"]["release_id"] for event in airflow.events("lightwell/release")}
    assert current(airflow.home) in releases


def _over(stage: Stage, source_id: str, run_id: str) -> object:
    run = stage.airflow.ask(f"dags/refresh_{source_id}/dagRuns/{run_id}")
    return run if run["state"] in ("success", "failed") else None


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
