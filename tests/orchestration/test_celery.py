"""Many machines, as far as one can stand for them: CeleryExecutor with PostgreSQL and Redis, and two workers that share
nothing but the data home. Their working directories and Airflow homes are their own."""

import json
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from harness import (
    Airflow,
    Stage,
    country,
    csvs,
    current,
    esp,
    exported_by_one_process,
    figures,
    local,
    publisher,
    settle,
    wait_for,
)

YEARS = (2020, 2021, 2022, 2023)
SOURCES = {"test_esp": esp, "test_country": country}
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").is_dir() else []
NAME = 'import os\n\n\ndef worker() -> str:\n    return os.environ.get("WORKER_NAME", "elsewhere")\n'

pytestmark = pytest.mark.skipif(
    not POSTGRES or shutil.which("redis-server") is None or os.geteuid() != 0,
    reason="needs PostgreSQL and Redis (apt-get install postgresql redis-server), and root to run the one as postgres",
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def as_postgres(*command: str) -> list[str]:
    return ["runuser", "-u", "postgres", "--", *command]


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A server of the test's own on a port of this machine; the address of an empty database."""
    port, data = free_port(), folder / "pg"
    data.mkdir(parents=True)
    shutil.chown(data, "postgres", "postgres")
    for parent in data.parents:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/") and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o011)  # so that another user may pass
    initdb = as_postgres(str(POSTGRES[-1] / "initdb"), "-D", str(data), "-A", "trust", "-U", "airflow")
    subprocess.run(initdb, check=True, capture_output=True, cwd="/")
    options = ["-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={data}"]
    with (folder / "pg.log").open("w") as log:
        command = as_postgres(str(POSTGRES[-1] / "postgres"), "-D", str(data), *options)
        server = subprocess.Popen(command, cwd="/", stdout=log, stderr=log)
    try:
        wait_for(lambda: _answers(port), "PostgreSQL", 30)
        psql = [str(POSTGRES[-1] / "psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "airflow", "-d", "postgres"]

        def created() -> bool:
            return subprocess.run([*psql, "-c", "CREATE DATABASE airflow"], capture_output=True).returncode == 0

        wait_for(created, "the database", 30)
        yield f"postgresql+psycopg2://airflow@127.0.0.1:{port}/airflow"
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: _answers(port), "Redis", 30)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(30)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def settings(folder: Path, database: str, broker: str, home: dict[str, str]) -> dict[str, str]:
    (folder / "names").mkdir()
    (folder / "names" / "worker_name.py").write_text(NAME)
    base = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "LIGHTWELL"))}
    paths = [str(folder / "names"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **base,
        **home,
        "NO_PROXY": "*",
        "PYTHONPATH": os.pathsep.join(paths),
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "worker_name.worker",
        "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": "",  # else asyncpg would be needed, which nothing here uses
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
        "AIRFLOW__CELERY__BROKER_URL": broker,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "LIGHTWELL_SOURCES": str(folder / "sources"),
        "LIGHTWELL_ALLOW_PRIVATE_ADDRESSES": "1",
        "LIGHTWELL_RETRY_SECONDS": "2",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    }


@contextmanager
def workers(env: dict[str, str], names: tuple[str, ...]) -> Iterator[None]:
    """A Celery worker of each name, with a working directory and an Airflow home of its own."""
    folders = [Path(env["AIRFLOW_HOME"]).parent / name for name in names]
    try:
        for name, folder in zip(names, folders, strict=True):
            (folder / "work").mkdir(parents=True)
            own = {**env, "AIRFLOW_HOME": str(folder), "WORKER_NAME": name, "LIGHTWELL_CACHE": str(folder / "copy")}
            options = ["--concurrency", "2", "--celery-hostname", f"{name}@local", "--skip-serve-logs"]
            local.start(own, {"worker": ["celery", "worker", *options]}, where=folder / "work")
        yield
    finally:
        for folder in folders:
            local.stop(folder)


def data_home(folder: Path) -> dict[str, str]:
    """What says where the data home is. LIGHTWELL_TEST_HOME may hold the settings of an object store, as JSON."""
    given = os.environ.get("LIGHTWELL_TEST_HOME")
    return json.loads(given) if given else {"LIGHTWELL_HOME": str(folder / "home")}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("celery")
    with ExitStack() as stack:
        server = stack.enter_context(publisher(folder))
        for source_id, replica in SOURCES.items():
            server.declare(folder / "sources", source_id, YEARS, f"ncmec_by_{source_id.removeprefix('test_')}")
            for year in YEARS:
                server.put(f"/{source_id}/{year}.pdf", replica(year))
        server.seconds = 0.5
        database, broker = stack.enter_context(postgres(folder)), stack.enter_context(redis(folder))
        base = settings(folder, database, broker, data_home(folder))
        base["LIGHTWELL_STATEMENTS_ADDRESS"] = f"http://127.0.0.1:{server.server.port}/download"
        env = local.environment(folder / "airflow", local.free_port(18500), base)
        env["AIRFLOW__CORE__EXECUTOR"] = base["AIRFLOW__CORE__EXECUTOR"]
        (folder / "airflow").mkdir()
        stack.callback(local.stop, folder / "airflow")
        local.prepare(env)
        local.start(env)
        stack.enter_context(workers(env, ("one", "two")))
        local.wait(env)
        airflow = Airflow(env)
        airflow.until_known(*(f"refresh_{one}" for one in SOURCES), "release", "statements")
        yield Stage(airflow, server, folder / "sources")


def test_two_workers_share_the_work_and_one_release_results(stage: Stage, tmp_path: Path) -> None:
    airflow = stage.airflow
    airflow.unpause(*(f"refresh_{one}" for one in SOURCES))
    begun = {one: airflow.trigger(f"refresh_{one}") for one in SOURCES}
    for one, run in begun.items():
        assert airflow.finished(f"refresh_{one}", run)["state"] == "success", airflow.states(f"refresh_{one}", run)
        tasks = airflow.tasks(f"refresh_{one}", run)
        assert sum(t["task_id"] == "fetch" for t in tasks) == len(YEARS)
    ran_on = {
        one["hostname"]
        for source_id, run in begun.items()
        for one in airflow.tasks(f"refresh_{source_id}", run)
        if one["task_id"] == "fetch"
    }
    assert ran_on == {"one", "two"}
    airflow.unpause("release")
    run = airflow.trigger("release")  # what was announced while it was paused is not remembered
    assert airflow.finished("release", run)["state"] == "success", airflow.states("release", run)
    settle(airflow)
    assert len(airflow.events("lightwell/release")) == 1, "both sources in one release"
    assert airflow.events("lightwell/release")[0]["extra"] == {"release_id": current(airflow.home)}
    assert {period for _, period, _ in figures(airflow.home, "test_esp")} == {str(year) for year in YEARS}
    exported = csvs(airflow.home / "exports")
    assert exported == exported_by_one_process(stage, tmp_path)
    assert len(exported) > 5
