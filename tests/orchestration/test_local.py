"""One machine: a real scheduler with LocalExecutor, and a publisher of typeset documents on this machine."""

import time
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest
import yaml
from harness import Stage, country, current, esp, figures, local, settle, staged, wait_for

YEARS = (2021, 2022)
ONE, TWO = "refresh_test_esp", "refresh_test_country"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("local"), {"test_esp": esp, "test_country": country}, YEARS) as made:
        made.airflow.until_known(ONE, TWO, "release")
        yield made


def test_every_dag_is_known_paused_and_only_this_machine_can_ask(stage: Stage) -> None:
    airflow = stage.airflow
    assert airflow.ask("importErrors")["import_errors"] == []
    dags = airflow.ask("dags?limit=1000")["dags"]
    assert all(dag["is_paused"] for dag in dags)
    assert {ONE, TWO, "release", "refresh_ncmec_by_esp"} <= {dag["dag_id"] for dag in dags}
    pools = {pool["name"]: pool["slots"] for pool in airflow.ask("pools")["pools"]}
    assert pools["warehouse"] == 1
    ours = set(local.members(local.begun(airflow.folder)))
    listening = {c.laddr.ip for c in psutil.net_connections() if c.status == "LISTEN" and c.pid in ours}
    assert listening == {"127.0.0.1"}


def test_unpaused_nothing_is_asked_until_it_is_time(stage: Stage) -> None:
    stage.airflow.unpause(ONE, TWO, "release")
    time.sleep(20)  # several rounds of the scheduler
    assert stage.airflow.runs(ONE) == stage.airflow.runs(TWO) == stage.airflow.runs("release") == []
    assert stage.publisher.asked == []


def test_two_sources_bring_news_and_a_release_follows_by_itself(stage: Stage) -> None:
    airflow = stage.airflow
    begun = {dag: airflow.trigger(dag) for dag in (ONE, TWO)}
    for dag, run in begun.items():
        assert airflow.finished(dag, run)["state"] == "success", airflow.states(dag, run)
        assert airflow.states(dag, run) == {
            "discover": ["success"],
            "fetch": ["success"] * 2,
            "compare": ["success"],
            "read_and_check": ["success"] * 2,
            "announce": ["success"],
            "summarise": ["success"],
        }
    (event,) = airflow.events("lightwell/test_esp")
    assert event["extra"]["periods"] == ["2021", "2022"]
    assert len(event["extra"]["documents"]) == 2
    assert event["extra"]["refused"] == []
    release = airflow.next_release(0)
    assert airflow.finished("release", release)["state"] == "success"
    if len(airflow.events("lightwell/release")) == 1:  # the second source came too late for the first run
        wait_for(lambda: len(figures(airflow.home, "test_country")) > 0, "the second source in a release")
    settle(airflow)
    assert {period for _, period, _ in figures(airflow.home, "test_esp")} == {"2021", "2022"}
    assert len(figures(airflow.home, "test_country")) > 80
    assert airflow.events("lightwell/release")[-1]["extra"] == {"release_id": current(airflow.home)}
    assert (airflow.home / "exports" / "datapackage.json").is_file()


def test_nothing_new_is_no_event_and_no_release(stage: Stage) -> None:
    airflow = stage.airflow
    before, runs, release = len(airflow.events("lightwell/test_esp")), settle(airflow), current(airflow.home)
    run = airflow.trigger(ONE)
    assert airflow.finished(ONE, run)["state"] == "success"
    assert airflow.states(ONE, run) == {
        "discover": ["success"],
        "fetch": ["success"] * 2,
        "compare": ["skipped"],
        "read_and_check": ["skipped"],
        "announce": ["skipped"],
        "summarise": ["success"],
    }
    time.sleep(10)
    assert len(airflow.events("lightwell/test_esp")) == before
    assert len(airflow.runs("release")) == runs
    assert current(airflow.home) == release


def test_of_one_changed_document_one_is_read(stage: Stage) -> None:
    airflow, runs = stage.airflow, settle(stage.airflow)
    cached = set((airflow.home / "figures").rglob("*.json"))
    stage.publisher.put("/test_esp/2022.pdf", esp(2022, count=71))
    run = airflow.trigger(ONE)
    assert airflow.finished(ONE, run)["state"] == "success"
    assert airflow.states(ONE, run)["read_and_check"] == ["success"]
    assert len(set((airflow.home / "figures").rglob("*.json")) - cached) == 1
    extra = airflow.events("lightwell/test_esp")[-1]["extra"]
    assert extra["periods"] == ["2022"]
    assert len(extra["documents"]) == 1
    release = airflow.next_release(runs)
    assert airflow.finished("release", release)["state"] == "success"
    of_2022 = [name for name, period, _ in figures(airflow.home, "test_esp") if period == "2022"]
    assert len(of_2022) == 72, "71 services and the total"


def test_a_broken_document_is_named_and_the_release_keeps_the_old_vintage(stage: Stage) -> None:
    airflow, runs = stage.airflow, settle(stage.airflow)
    before = figures(airflow.home, "test_esp")
    broken = esp(2022, count=72)
    assert broken.total is not None
    stage.publisher.put("/test_esp/2022.pdf", replace(broken, total=("Total:", "12")))
    run = airflow.trigger(ONE)
    assert airflow.finished(ONE, run)["state"] == "failed"
    states = airflow.states(ONE, run)
    assert states["read_and_check"] == ["failed"]
    assert states["announce"] == ["success"]
    (task,) = [t for t in airflow.tasks(ONE, run) if t["task_id"] == "read_and_check"]
    assert task["try_number"] == 1, "a refused document is not tried again"
    (refused,) = airflow.events("lightwell/test_esp")[-1]["extra"]["refused"]
    told = airflow.log_of(ONE, run, "summarise")
    assert f"refused: {refused[:12]} (http://127.0.0.1:{stage.publisher.server.port}/test_esp/2022.pdf)" in told
    assert "the printed total is 12" in told
    release = airflow.next_release(runs)
    assert airflow.finished("release", release)["state"] == "success"
    assert figures(airflow.home, "test_esp") == before


def test_a_source_that_would_vanish_refuses_the_release_by_name(stage: Stage) -> None:
    airflow, runs, release = stage.airflow, settle(stage.airflow), current(stage.airflow.home)
    path = stage.sources / "test_country.yml"
    text = path.read_text(encoding="utf-8")
    try:
        declaration = yaml.safe_load(text)
        for layout in declaration["layouts"]:
            layout["period"] = "no such words (?P<year>20)"
        path.write_text(yaml.safe_dump(declaration), encoding="utf-8")
        run = airflow.trigger("release")
        assert airflow.finished("release", run)["state"] == "failed"
        states = airflow.states("release", run)
        assert states["audit"] == ["failed"]
        assert states["publish"] == states["export"] == ["upstream_failed"]
        told = airflow.log_of("release", run, "summarise")
        assert "sources_still_present" in told
        assert "test_country" in told
    finally:
        path.write_text(text, encoding="utf-8")
    assert current(airflow.home) == release
    assert len(airflow.runs("release")) == runs + 1
