"""SIGKILL of a task, and of the worker above it, in the middle: the retried run ends in the same release."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from harness import ROOT, Airflow, Stage, csvs, current, esp, exported_by_one_process, settle, staged, wait_for

from lightwell import orchestration, refresh, warehouse
from lightwell.settings import Settings

DAG = "refresh_test_esp"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("killed"), {"test_esp": esp}, [2022]) as made:
        made.airflow.until_known(DAG, "release")
        made.airflow.unpause(DAG)
        yield made


def process_of(airflow: Airflow, dag_id: str, run_id: str, task_id: str) -> int:
    """The process that runs a task, once it does."""

    def find() -> int | None:
        for one in airflow.tasks(dag_id, run_id):
            if one["task_id"] == task_id and one["state"] == "running" and one["pid"]:
                return int(one["pid"])
        return None

    return int(wait_for(find, f"the process of {task_id}"))


def tries(airflow: Airflow, dag_id: str, run_id: str, task_id: str) -> list[int]:
    return [one["try_number"] for one in airflow.tasks(dag_id, run_id) if one["task_id"] == task_id]


def kill_with_its_worker(pid: int) -> None:
    worker = psutil.Process(pid).parent()
    assert worker is not None
    assert "LocalExecutor" in " ".join(worker.cmdline())
    worker.kill()
    os.kill(pid, signal.SIGKILL)


def test_a_task_killed_while_it_reads_is_run_again(stage: Stage) -> None:
    airflow = stage.airflow
    run = airflow.trigger(DAG)
    os.kill(process_of(airflow, DAG, run, "read_and_check"), signal.SIGKILL)
    assert airflow.finished(DAG, run)["state"] == "success", airflow.states(DAG, run)
    assert tries(airflow, DAG, run, "read_and_check") == [2]
    (event,) = airflow.events("lightwell/test_esp")
    assert event["extra"]["periods"] == ["2022"]


def test_a_worker_killed_while_it_reads_is_noticed_and_the_task_run_again(stage: Stage) -> None:
    airflow = stage.airflow
    stage.publisher.put("/test_esp/2022.pdf", esp(2022, count=75))
    run = airflow.trigger(DAG)
    kill_with_its_worker(process_of(airflow, DAG, run, "read_and_check"))
    assert airflow.finished(DAG, run)["state"] == "success", airflow.states(DAG, run)
    assert sorted(tries(airflow, DAG, run, "read_and_check")) == [1, 2], "the earlier document awaits its release too"
    assert len(airflow.events("lightwell/test_esp")) == 2


def test_a_publication_that_was_killed_is_finished_and_the_release_is_the_same(stage: Stage, tmp_path: Path) -> None:
    airflow = stage.airflow
    releases = airflow.home / "releases"
    airflow.unpause("release")
    run_id = airflow.trigger("release")  # what was announced while it was paused is not remembered
    wait_for(lambda: airflow.states("release", run_id).get("build") == ["success"], "the build")
    with (releases / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the audit needs none; publishing gets no further
        pid = process_of(airflow, "release", run_id, "publish")
        wait_for(lambda: _waits_for_lock(pid), "the publication to stand before the lock", 60)
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.5)
        assert not (airflow.home / "lightwell.duckdb").exists()
    assert airflow.finished("release", run_id)["state"] == "success", airflow.states("release", run_id)
    assert tries(airflow, "release", run_id, "publish") == [2]
    settle(airflow)
    assert [p.name for p in releases.glob("[!.]*")] == [current(airflow.home)]
    assert list(releases.glob(".held-*")) == list(releases.glob(".building-*")) == []
    exported = csvs(airflow.home / "exports")
    assert exported == exported_by_one_process(stage, tmp_path)
    assert len(exported) > 5


def _waits_for_lock(pid: int) -> bool:
    """Whether a process sleeps in flock, as the kernel tells."""
    return " -> FLOCK" in Path("/proc/locks").read_text() and any(
        line.split()[5] == str(pid) for line in Path("/proc/locks").read_text().splitlines() if "->" in line
    )


STEPS = """
import sys
from pathlib import Path
from lightwell import orchestration
from lightwell.settings import Settings
settings = Settings(home=Path(sys.argv[1]), offline=True)
print("begun", flush=True)
release_id = orchestration.build(settings)
print("built", release_id, flush=True)
orchestration.audit(release_id, settings)
print("audited", flush=True)
orchestration.publish(release_id, settings)
print("published", flush=True)
"""


def test_a_release_killed_at_any_step_ends_in_the_same_release(tmp_path: Path) -> None:
    """Killed after each word, then run again to its end: one release, nothing left over."""
    settings = Settings(home=tmp_path / "home", offline=True)
    for word in ("begun", "built", "audited"):
        process = subprocess.Popen(
            [sys.executable, "-c", STEPS, str(settings.home)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert process.stdout is not None
        said: list[list[str]] = []
        while not said or said[-1][0] != word:
            line = process.stdout.readline()
            assert line, "the process ended before its time"
            said += [line.split()] if line.startswith(("begun", "built", "audited")) else []
        time.sleep(0.0 if word == "audited" else 0.2)  # publishing takes less than that
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert word == "audited" or warehouse.current(settings) is None
    release_id = said[1][1]
    published = warehouse.current(settings) is not None  # the kill came after the link was made
    assert orchestration.build(settings) == (None if published else release_id), "it is taken, not made again"
    orchestration.audit(release_id, settings)
    assert orchestration.publish(release_id, settings) == release_id
    assert orchestration.build(settings) is None
    current = warehouse.current(settings)
    assert current is not None
    left = Counter(p.name for p in settings.releases.iterdir())
    assert left == Counter([".lock", release_id])
    assert (current.folder / refresh.REPORT).is_file()
    assert not (current.folder / "verdicts.json").exists()
