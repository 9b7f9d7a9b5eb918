"""A real Airflow on this machine and a publisher for it to ask, both of the test's own."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import yaml
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from lightwell.settings import resource
from replicas import ListReplica, by_country, by_esp

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "deploy" / "local"))

import run as local  # noqa: E402 - the script that `make airflow` runs

PATIENCE = 600.0  # seconds for one run of a DAG


@dataclass
class Airflow:
    """A deployment, by its folder and its HTTP API."""

    env: dict[str, str]
    token: str = ""

    @property
    def folder(self) -> Path:
        return Path(self.env["AIRFLOW_HOME"])

    @property
    def home(self) -> Path:
        return Path(self.env["LIGHTWELL_HOME"])

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """One request of the API; what it answered, as JSON."""
        if not self.token:
            self.token = self._log_in()
        address = f"{self.env['AIRFLOW__API__BASE_URL']}/api/v2/{path}"
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(address, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.code}: {error.read().decode()[:500]}") from None

    def _log_in(self) -> str:
        body = json.dumps({"username": "admin", "password": local.password(self.folder)}).encode()
        request = urllib.request.Request(
            f"{self.env['AIRFLOW__API__BASE_URL']}/auth/token", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(json.loads(answer.read())["access_token"])

    def until_known(self, *dag_ids: str) -> None:
        """Wait until the DAG processor has read these DAGs."""
        wait_for(lambda: set(dag_ids) <= self.dags(), f"the DAGs {dag_ids}", 120)

    def dags(self) -> set[str]:
        return {dag["dag_id"] for dag in self.ask("dags?limit=1000&exclude_stale=true")["dags"]}

    def unpause(self, *dag_ids: str, paused: bool = False) -> None:
        for dag_id in dag_ids:
            self.ask(f"dags/{dag_id}", {"is_paused": paused}, "PATCH")

    def trigger(self, dag_id: str, **body: Any) -> str:
        return str(self.ask(f"dags/{dag_id}/dagRuns", {"logical_date": None, **body})["dag_run_id"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        return list(self.ask(f"dags/{dag_id}/dagRuns?limit=100&order_by=run_after")["dag_runs"])

    def finished(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Wait for a run to end, and return it."""

        def over() -> dict[str, Any] | None:
            run: dict[str, Any] = self.ask(f"dags/{dag_id}/dagRuns/{run_id}")
            return run if run["state"] in ("success", "failed") else None

        return wait_for(over, f"run {run_id} of {dag_id}")

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return list(self.ask(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=200")["task_instances"])

    def states(self, dag_id: str, run_id: str) -> dict[str, list[str]]:
        """By task the states of its instances, sorted."""
        found: dict[str, list[str]] = {}
        for one in self.tasks(dag_id, run_id):
            found.setdefault(one["task_id"], []).append(one["state"])
        return {task: sorted(states) for task, states in found.items()}

    def events(self, asset: str) -> list[dict[str, Any]]:
        found = self.ask("assets/events?limit=500&order_by=timestamp")["asset_events"]
        return [event for event in found if event["name"] == asset]

    def log_of(self, dag_id: str, run_id: str, task_id: str, number: int = 1) -> str:
        return json.dumps(self.ask(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{number}"))

    def next_release(self, after: int) -> str:
        """Wait for the run of `release` that follows the first `after` runs, and for its end; its id."""

        def begun() -> str | None:
            runs = self.runs("release")
            return str(runs[after]["dag_run_id"]) if len(runs) > after else None

        return wait_for(begun, f"run {after + 1} of release")


def wait_for(what: Callable[[], Any], named: str, patience: float = PATIENCE) -> Any:
    """What the function gives once it gives something."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.5)
    raise AssertionError(f"waited {patience:g} s in vain for {named}")


@contextmanager
def running(folder: Path, env: dict[str, str], components: dict[str, list[str]] | None = None) -> Iterator[Airflow]:
    """A deployment that is up; when this ends, none of its processes is left."""
    base = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "LIGHTWELL"))}
    settings = local.environment(folder, local.free_port(18300), {**base, "NO_PROXY": "*", **env})
    folder.mkdir(parents=True)
    try:
        local.prepare(settings)
        local.start(settings, components or local.COMPONENTS)
        local.wait(settings)
        yield Airflow(settings)
    finally:
        local.stop(folder)


@dataclass
class Publisher:
    """Lists by year on a server of this machine, and when it was asked for what."""

    server: HTTPServer
    folder: Path
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[datetime, str]] = field(default_factory=list)
    told: list[dict[str, str]] = field(default_factory=list)  # notices that came in at its webhook
    seconds: float = 0.0  # that an answer takes

    def __post_init__(self) -> None:
        self.server.expect_request(re.compile(".*")).respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        if request.method == "POST":
            self.told.append(request.get_json())
            return Response("ok")
        self.asked.append((datetime.now(UTC), request.path))
        time.sleep(self.seconds)
        body = self.files.get(request.path)
        return Response("none", status=404) if body is None else Response(body, mimetype="application/pdf")

    @property
    def documents_asked(self) -> list[str]:
        return [path for _, path in self.asked if path != "/robots.txt"]

    def put(self, path: str, replica: ListReplica) -> None:
        self.files[path] = replica.write(self.folder / "replica.pdf").read_bytes()

    def declare(self, sources: Path, source_id: str, years: Sequence[int], like: str = "ncmec_by_esp") -> None:
        """Write a declaration of a source on this server, laid out as a packaged one is."""
        sources.mkdir(exist_ok=True)
        declaration = yaml.safe_load((resource("sources") / f"{like}.yml").read_text(encoding="utf-8"))
        declaration.pop("discover", None)
        url = f"http://127.0.0.1:{self.server.port}/{source_id}/{{year}}.pdf"
        declaration |= {"id": source_id, "hosts": ["127.0.0.1"]}
        declaration["documents"] = [{"first": min(years), "last": max(years), "urls": [url]}]
        (sources / f"{source_id}.yml").write_text(yaml.safe_dump(declaration), encoding="utf-8")


@contextmanager
def publisher(folder: Path) -> Iterator[Publisher]:
    """A server of this test's own."""
    with HTTPServer(host="127.0.0.1", port=0, threaded=True) as server:
        yield Publisher(server, folder)


@dataclass
class Stage:
    """A deployment, the publisher that it asks, and where the publisher's sources are declared."""

    airflow: Airflow
    publisher: Publisher
    sources: Path


@contextmanager
def staged(
    folder: Path, replicas: dict[str, Callable[[int], ListReplica]], years: Sequence[int], **env: str
) -> Iterator[Stage]:
    """A deployment that is up, with a source of each of these names, a document a year; none of its processes stays.

    PORT in a value of `env` stands for the publisher's port.
    """
    sources = folder / "sources"
    with publisher(folder) as server:
        for source_id, replica in replicas.items():
            like = "ncmec_by_country" if replica is country else "ncmec_by_esp"
            server.declare(sources, source_id, years, like)
            for year in years:
                server.put(f"/{source_id}/{year}.pdf", replica(year))
        settings = {
            "LIGHTWELL_HOME": str(folder / "home"),
            "LIGHTWELL_SOURCES": str(sources),
            "LIGHTWELL_ALLOW_PRIVATE_ADDRESSES": "1",
            "LIGHTWELL_RETRY_SECONDS": "2",
            "LIGHTWELL_STATEMENTS_ADDRESS": f"http://127.0.0.1:{server.server.port}/download",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
            **{name: value.replace("PORT", str(server.server.port)) for name, value in env.items()},
        }
        with running(folder / "airflow", settings) as airflow:
            sessions = local.begun(airflow.folder)
            yield Stage(airflow, server, sources)
        assert local.members(sessions) == [], "a process of the deployment is left"


def esp(year: int, count: int = 70) -> ListReplica:
    return by_esp(count, year=year)


def country(year: int) -> ListReplica:
    return by_country(year=year)


def figures(home: Path, source_id: str) -> list[tuple[str, str, float]]:
    """Subject, period and value of every released figure of a source."""
    with duckdb.connect(str((home / "lightwell.duckdb").resolve()), read_only=True) as con:
        return con.execute(
            "SELECT subject || ref_area, time_period, obs_value FROM observation WHERE source_id = ? ORDER BY ALL",
            [source_id],
        ).fetchall()


def current(home: Path) -> str:
    return (home / "lightwell.duckdb").resolve().parent.name


def settle(airflow: Airflow) -> int:
    """Wait until no run of the release is going on or queued; how many there were."""

    def quiet() -> bool:
        return all(run["state"] in ("success", "failed") for run in airflow.runs("release"))

    wait_for(quiet, "the release to be over")
    time.sleep(3)
    wait_for(quiet, "the release to be over")
    return len(airflow.runs("release"))


def csvs(folder: Path) -> dict[str, bytes]:
    """Every CSV of a folder, byte for byte, but for the one that says which release it is and when it was built."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.csv")) if path.stem != "release_info"}


def exported_by_one_process(stage: Stage, to: Path) -> dict[str, bytes]:
    """The CSVs that the command line makes, in one process each, of a copy of the archive alone."""
    shutil.copytree(stage.airflow.home / "archive", to / "home" / "archive")
    env = {**stage.airflow.env, "LIGHTWELL_HOME": str(to / "home"), "LIGHTWELL_OFFLINE": "1"}
    for arguments in (["build"], ["export", "--to", str(to / "exports")]):
        command = [sys.executable, "-c", "from lightwell.cli import main; main()", *arguments]
        ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE)
        assert ran.returncode == 0, ran.stderr
    return csvs(to / "exports")
