"""The DAGs, as Airflow sees them, in a process of their own: Airflow sets up logging, a database and a home when it is
imported, and none of that may reach the other tests or the home of whoever runs them."""

import faulthandler
import hashlib
import importlib.util
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

import duckdb
import pytest
import yaml
from pytest_httpserver import HTTPServer

from lightwell.settings import resource
from lightwell.source import Source
from replicas import by_esp

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("airflow"),
    pytest.mark.skipif(
        importlib.util.find_spec("airflow") is None, reason="Airflow is not installed: lightwell[airflow] brings it"
    ),
]

DAGS = Path(__file__).parents[1] / "dags"
# A new source comes with a new line here.
ROOT = Path(__file__).parents[1]
DECLARED = {f"refresh_{path.stem}" for path in (ROOT / "src/lightwell/sources").glob("*.yml")}  # read without our code
HEAVY = ("duckdb", "great_expectations", "numpy", "pandas", "pdfplumber", "pycountry", "rapidfuzz", "requests")
PATIENCE = 120.0  # seconds for one step
IMPORT = f"""
import runpy, sys, time
for file in sys.argv[1:]:
    runpy.run_path(file)
print(time.process_time(), *(name for name in {HEAVY} if name in sys.modules))
"""


def environment(home: Path) -> dict[str, str]:
    """Airflow's own settings; nothing is written outside `home`."""
    return {
        "HOME": str(home),
        "AIRFLOW_HOME": str(home / "of_airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "PYTHONWARNINGS": "ignore",
        "NO_PROXY": "*",
        "LIGHTWELL_HOME": str(home / "unused"),
        "LIGHTWELL_SOURCES": "",
        "LIGHTWELL_OFFLINE": "",
    }


def _set_up(env: dict[str, str]) -> None:
    os.environ.update(env)


def _within(env: dict[str, str], function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    faulthandler.dump_traceback_later(PATIENCE, exit=True)  # a run that waits for ever ends, and says where it was
    with patch.dict(os.environ, env):
        try:
            return function(*args)
        except Exception:  # noqa: BLE001 - in words: unpickling one of Airflow's would import it in the other process
            raise RuntimeError(traceback.format_exc()) from None
        finally:
            faulthandler.cancel_dump_traceback_later()


@dataclass
class Airflow:
    """A process that has Airflow, its database and its home to itself."""

    home: Path
    process: ProcessPoolExecutor

    def do(self, function: Callable[..., Any], *args: Any, **env: str) -> Any:
        return self.process.submit(_within, env, function, args).result()


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("home")
    env = environment(home)
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(migrate, env={**os.environ, **env}, check=True, capture_output=True, timeout=60)
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=_set_up, initargs=(env,)) as process:
        yield Airflow(home, process)


# What follows until the next line of dashes is run in Airflow's process.


def _bag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(DAGS))


def _parse() -> dict[str, Any]:
    """Import errors, and of each DAG what can go wrong without a run."""
    bag = _bag()
    dags = {
        dag.dag_id: {
            "tasks": {t.task_id: [a.name for a in t.outlets] for t in dag.tasks},
            "follows": {t.task_id: sorted(t.upstream_task_ids) for t in dag.tasks},
            "pools": sorted({t.pool for t in dag.tasks}),
            "at_once": [dag.max_active_runs, dag.catchup, dag.is_paused_upon_creation],
            "cron": getattr(dag.timetable, "timetable", dag.timetable).expression,
            "condition": type(dag.timetable.asset_condition).__name__,
            "assets": sorted(a.name for a in getattr(dag.timetable.asset_condition, "objects", ())),
            "tags": sorted(dag.tags),
            "doc": dag.doc_md,
        }
        for dag in bag.dags.values()
    }
    return {"errors": dict(bag.import_errors), "dags": dags}


def _run(dag_id: str) -> dict[str, Any]:
    """One run of a DAG, without a scheduler: the state of each task, and the asset events that the run emitted."""
    from airflow.models.asset import AssetActive, AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    dag = _bag().dags[dag_id]
    with create_session() as session:  # the scheduler activates assets; dag.test() has none (apache/airflow#51644)
        for name in {a.name for t in dag.tasks for a in t.outlets}:
            if session.scalar(select(AssetModel).where(AssetModel.name == name)) is None:
                session.add(AssetModel(name=name, uri=name, group="asset"))
                session.add(AssetActive(name=name, uri=name))
    for one in dag.tasks:
        one.retries = 0  # a retry would be waited for
    run = dag.test()
    with create_session() as session:
        events = session.execute(
            select(AssetModel.name, AssetEvent.extra)
            .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
            .where(AssetEvent.source_dag_id == dag_id, AssetEvent.source_run_id == run.run_id)
        ).all()
    states = {t.task_id: str(t.state) for t in run.get_task_instances()}
    return {"state": str(run.state), "tasks": states, "events": [tuple(e) for e in events]}


def _module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"dag_file_{name}", DAGS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _crontabs(cadences: tuple[str, ...]) -> dict[str, list[str]]:
    module = _module("refresh")
    return {c: [module.crontab(f"source_{i}", c) for i in range(40)] for c in cadences}


def _after(dag: str, kind: str) -> str:
    from lightwell import errors

    error = getattr(errors, kind, None) or getattr(__import__("builtins"), kind)
    return str(_module(dag).RETRY.evaluate(error("met"), try_number=1, max_tries=3).action.value)


def _fetch(source_id: str) -> str:
    """What the task's function raises, by name and in words: how Airflow goes on after it is Airflow's."""
    from airflow.sdk.exceptions import AirflowSkipException

    from lightwell.errors import LightwellError

    fetch = _bag().dags[f"refresh_{source_id}"].get_task("fetch").python_callable
    try:
        fetch(outlet_events={})
    except (AirflowSkipException, LightwellError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("the task ended well")


# ----------------------------------------------------------------------------------------------------------------


@dataclass
class Publisher:
    """A by-ESP list on a server of this machine, and the environment in which its source is declared."""

    server: HTTPServer
    path: Path
    content: bytes
    total: int
    env: dict[str, str]

    @property
    def home(self) -> Path:
        return Path(self.env["LIGHTWELL_HOME"])

    def serve(self, content: bytes, **headers: str) -> None:
        self.server.clear()
        self.server.expect_request("/robots.txt").respond_with_data("none", status=404)
        self.server.expect_request("/2022-list.pdf").respond_with_data(content, headers=headers)


@pytest.fixture
def own_server() -> Iterator[HTTPServer]:
    """A server of this test's own: one of the tests stops it, and the others of the session share the ordinary one."""
    with HTTPServer(host="127.0.0.1", port=0) as server:
        yield server


@pytest.fixture
def publisher(tmp_path: Path, own_server: HTTPServer) -> Publisher:
    sources = tmp_path / "sources"
    sources.mkdir()
    declaration = yaml.safe_load((resource("sources") / "ncmec_by_esp.yml").read_text(encoding="utf-8"))
    del declaration["discover"]
    url = f"http://127.0.0.1:{own_server.port}/{{year}}-list.pdf"
    declaration |= {"id": "test_esp", "hosts": ["127.0.0.1"]}
    declaration["documents"] = [{"first": 2022, "last": 2022, "urls": [url]}]
    (sources / "test_esp.yml").write_text(yaml.safe_dump(declaration), encoding="utf-8")
    replica = by_esp()
    assert replica.total is not None
    content = replica.write(tmp_path / "list.pdf").read_bytes()
    env = {
        "LIGHTWELL_HOME": str(tmp_path / "home"),
        "LIGHTWELL_SOURCES": str(sources),
        "LIGHTWELL_ALLOW_PRIVATE_ADDRESSES": "1",
    }
    made = Publisher(own_server, sources, content, int(replica.total[1].replace(",", "")), env)
    made.serve(content)
    return made


def test_the_dags_are_imported_in_under_five_seconds_and_bring_nothing_heavy(tmp_path: Path) -> None:
    command = [sys.executable, "-c", IMPORT, str(DAGS / "refresh.py"), str(DAGS / "release.py")]
    seconds = []
    for _ in range(3):  # of the processor, not of the clock: other tests run beside this one
        env = {**os.environ, **environment(tmp_path)}
        run = subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=PATIENCE)
        taken, *heavy = run.stdout.split()
        assert heavy == []
        seconds.append(float(taken))
        if min(seconds) < 5:
            break
    assert min(seconds) < 5
    assert [p.name for p in tmp_path.iterdir()] == ["of_airflow"], "something was written outside AIRFLOW_HOME"


def test_there_is_one_dag_a_source_and_one_that_releases(airflow: Airflow) -> None:
    parsed = airflow.do(_parse)
    assert parsed["errors"] == {}
    assert set(parsed["dags"]) == DECLARED | {"release"}
    assert {"refresh_ncmec_by_country", "refresh_ncmec_by_esp", "refresh_ncmec_ojjdp"} < DECLARED
    assert all(dag["at_once"] == [1, False, True] for dag in parsed["dags"].values())
    one = parsed["dags"]["refresh_ncmec_by_esp"]
    assert one["tasks"] == {"fetch": ["lightwell/ncmec_by_esp"]}
    assert one["tags"] == ["annual", "ncmec"]
    assert "https://www.missingkids.org/gethelpnow/cybertipline/cybertiplinedata" in one["doc"]
    assert "Reports that each electronic service provider" in one["doc"]
    assert not (airflow.home / "unused").exists(), "parsing wrote to the data home"
    assert not (airflow.home / "airflow").exists(), "AIRFLOW_HOME was not heeded"


def test_the_release_follows_any_source_and_then_exports(airflow: Airflow) -> None:
    dags = airflow.do(_parse)["dags"]
    release = dags.pop("release")
    assert release["assets"] == sorted(name for dag in dags.values() for name in dag["tasks"]["fetch"])
    assert release["condition"] == "AssetAny", "one source with news is enough"
    assert release["cron"] == "30 5 * * *"
    assert release["tasks"] == {"release": ["lightwell/release"], "export": []}
    assert release["follows"] == {"release": [], "export": ["release"]}
    assert release["pools"] == ["default_pool"], "a pool that nobody made hangs the task"
    assert airflow.do(_parse, LIGHTWELL_WAREHOUSE_POOL="warehouse")["dags"]["release"]["pools"] == ["warehouse"]


def test_every_cadence_has_a_time_and_the_sources_are_spread(airflow: Airflow) -> None:
    cadences = get_args(Source.model_fields["cadence"].annotation)
    by_cadence = airflow.do(_crontabs, cadences)
    assert set(by_cadence) == set(cadences)
    assert len({cron.split()[1] for cron in by_cadence["annual"]}) > 12, "the sources crowd in a few hours"
    assert all(cron.split()[4] == "*" for cron in by_cadence["monthly"])
    assert all(cron.split()[4] in set("0123456") for c in set(cadences) - {"monthly"} for cron in by_cadence[c])
    dags = airflow.do(_parse)["dags"]
    assert dags["refresh_ncmec_by_esp"]["cron"] == "53 17 * * 6", "the time of a source may not move by itself"


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("ArchiveError", "retry"),
        ("OSError", "retry"),
        ("ConnectionError", "retry"),
        ("DeclarationError", "fail"),
        ("FetchError", "fail"),
        ("BuildError", "fail"),
        ("KeyError", "fail"),
    ],
)
@pytest.mark.parametrize("dag", ["refresh", "release"])
def test_only_what_may_pass_is_tried_again(airflow: Airflow, dag: str, kind: str, action: str) -> None:
    assert airflow.do(_after, dag, kind) == action


def test_a_bad_declaration_fails_by_itself_and_leaves_the_others_alone(airflow: Airflow, tmp_path: Path) -> None:
    (tmp_path / "colour_chart.yml").write_text("id: colour_chart\ncolour: blue\n", encoding="utf-8")
    (tmp_path / "two words.yml").write_text("{", encoding="utf-8")
    (tmp_path / "latin.yml").write_bytes(b"title: caf\xe9\n")
    parsed = airflow.do(_parse, LIGHTWELL_SOURCES=str(tmp_path))
    assert parsed["errors"] == {}
    bad = {"refresh_colour_chart", "refresh_two_words", "refresh_latin"}
    assert set(parsed["dags"]) == set(airflow.do(_parse)["dags"]) | bad
    assert all(parsed["dags"][dag_id]["tags"] == ["invalid declaration"] for dag_id in bad)
    assert "colour_chart.yml: title: Field required" in parsed["dags"]["refresh_colour_chart"]["doc"]
    said = airflow.do(_fetch, "colour_chart", LIGHTWELL_SOURCES=str(tmp_path))
    assert said == "DeclarationError: colour_chart.yml: title: Field required"
    run = airflow.do(_run, "refresh_colour_chart", LIGHTWELL_SOURCES=str(tmp_path))
    assert run == {"state": "failed", "tasks": {"fetch": "failed"}, "events": []}


def test_a_document_is_fetched_released_and_exported_once(airflow: Airflow, publisher: Publisher) -> None:
    def run(dag_id: str) -> Any:
        return airflow.do(_run, dag_id, **publisher.env)

    document_id = hashlib.sha256(publisher.content).hexdigest()
    fetched = run("refresh_test_esp")
    assert fetched["tasks"] == {"fetch": "success"}
    assert fetched["events"] == [("lightwell/test_esp", {"documents": [document_id], "stored": 1})]

    released = run("release")
    assert released["tasks"] == {"release": "success", "export": "success"}
    release_id = (publisher.home / "lightwell.duckdb").resolve().parent.name
    assert released["events"] == [("lightwell/release", {"release_id": release_id})]
    with duckdb.connect(str(publisher.home / "lightwell.duckdb"), read_only=True) as con:
        summed = con.execute(
            "SELECT sum(obs_value) FROM observation "
            "WHERE source_id = 'test_esp' AND time_period = '2022' AND NOT is_total"
        )
        assert summed.fetchall() == [(publisher.total,)]
    assert list((publisher.home / "exports").glob("*.csv"))

    nothing = run("refresh_test_esp")
    assert nothing == {"state": "success", "tasks": {"fetch": "skipped"}, "events": []}
    again = run("release")
    assert again == {"state": "success", "tasks": {"release": "skipped", "export": "skipped"}, "events": []}
    assert [p.name for p in (publisher.home / "releases").glob("[!.]*")] == [release_id]


def test_a_publisher_that_gives_nothing_at_all_fails_the_task(airflow: Airflow, publisher: Publisher) -> None:
    publisher.serve(b"<!DOCTYPE html><html><body>Just a moment...</body></html>")
    said = airflow.do(_fetch, "test_esp", **publisher.env)
    assert said.startswith("FetchError: test_esp: none of 1 attempts brought anything; the first: ")
    publisher.server.stop()
    said = airflow.do(_fetch, "test_esp", **publisher.env)
    assert said.startswith("ConnectionError: test_esp: none of 1 attempts brought anything; the first: ")


def test_offline_nothing_is_asked_and_the_task_is_skipped(airflow: Airflow, publisher: Publisher) -> None:
    said = airflow.do(_fetch, "test_esp", LIGHTWELL_OFFLINE="1", **publisher.env)
    assert said.startswith("AirflowSkipException: test_esp: nothing new")
    assert publisher.server.log == []
