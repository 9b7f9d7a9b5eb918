"""A complete Airflow on this machine: `python deploy/local/run.py start`, and `stop`, which leaves no process behind.

Everything it keeps stands in `.airflow` of the checkout, or in LIGHTWELL_AIRFLOW. Only this machine can reach it.
"""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPONENTS: dict[str, list[str]] = {
    "api-server": ["api-server", "--workers", "1"],
    "scheduler": ["scheduler", "--skip-serve-logs"],  # the server reads the log files themselves
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
POOLS = {"warehouse": 1, "fetch": 4}  # one writer; fetches leave room for reading and releases
_HEALTHY = ("metadatabase", "scheduler", "triggerer", "dag_processor")
_PATIENCE = 180.0  # seconds for the server, the scheduler and the DAG processor to come up
_GRACE = 10.0  # seconds between asking a process to end and ending it
_POLL = 0.3


def environment(folder: Path, port: int, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Airflow's settings for this checkout, over `base`: what is set there stays, but for where the server is."""
    address = f"http://127.0.0.1:{port}"
    ours = {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "PYTHONWARNINGS": "ignore",
        "LIGHTWELL_HOME": str(ROOT / "warehouse"),
        "LIGHTWELL_WAREHOUSE_POOL": "warehouse",
        "LIGHTWELL_FETCH_POOL": "fetch",
    }
    fixed = ("AIRFLOW_HOME", "AIRFLOW__API__", "AIRFLOW__CORE__EXECUTION_API_SERVER_URL")  # which must agree
    kept = {name: value for name, value in base.items() if name not in ours or not name.startswith(fixed)}
    return {**ours, **kept}


def airflow(env: Mapping[str, str], *arguments: str) -> str:
    """Run one Airflow command to its end; what it printed. Raises CalledProcessError, with its words, if it fails."""
    command = [sys.executable, "-m", "airflow", *arguments]
    ran = subprocess.run(command, env=dict(env), cwd=ROOT, capture_output=True, text=True, timeout=_PATIENCE)  # noqa: S603
    if ran.returncode != 0:
        sys.stderr.write(ran.stderr)
    ran.check_returncode()
    return ran.stdout


def prepare(env: Mapping[str, str]) -> None:
    """Make the database and the pools. Done again, it changes nothing."""
    airflow(env, "db", "migrate")
    pools = Path(env["AIRFLOW_HOME"]) / "pools.json"
    slots = {name: {"slots": n, "description": "", "include_deferred": False} for name, n in POOLS.items()}
    pools.write_text(json.dumps(slots), encoding="utf-8")
    airflow(env, "pools", "import", str(pools))


def start(env: Mapping[str, str], components: Mapping[str, Sequence[str]] = COMPONENTS, *, where: Path = ROOT) -> None:
    """Start each component in a session of its own, by which `stop` finds it and whatever it starts."""
    folder = Path(env["AIRFLOW_HOME"]) / "run"
    folder.mkdir(parents=True, exist_ok=True)
    for name, arguments in components.items():
        with (folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "airflow", *arguments],
                env=dict(env), cwd=where, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        (folder / f"{name}.json").write_text(json.dumps({"pid": process.pid, "began": _began(process.pid)}))


def wait(env: Mapping[str, str], healthy: Sequence[str] = _HEALTHY, patience: float = _PATIENCE) -> None:
    """Return when every component says that it is well. Raises TimeoutError with what they said last."""
    address, said, end = (
        f"{env['AIRFLOW__API__BASE_URL']}/api/v2/monitor/health",
        "nothing",
        time.monotonic() + patience,
    )
    while time.monotonic() < end:
        time.sleep(1)
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310
                said = answer.read().decode()
        except OSError as error:
            said = str(error)
            continue
        states = {name: (part or {}).get("status") for name, part in json.loads(said).items()}
        if all(states.get(name) == "healthy" for name in healthy):
            return
    raise TimeoutError(f"Airflow is not up after {patience:g} s: {said}. Its logs are in {env['AIRFLOW_HOME']}/run")


def stop(folder: Path) -> list[int]:
    """End every process of the sessions that `start` began: asked first, then made to. Returns those that were made."""
    sessions = begun(folder)
    for pid in members(sessions):
        _signal(pid, signal.SIGTERM)
    end = time.monotonic() + _GRACE
    while members(sessions) and time.monotonic() < end:
        time.sleep(_POLL)
    stubborn = members(sessions)
    while left := members(sessions):
        for pid in left:
            _signal(pid, signal.SIGKILL)
        time.sleep(_POLL)
    for path in (folder / "run").glob("*.json"):
        path.unlink()
    return stubborn


def begun(folder: Path) -> set[int]:
    """The sessions that `start` began here."""
    records = [json.loads(path.read_text()) for path in (folder / "run").glob("*.json")]
    return {record["pid"] for record in records if _is_ours(record)}


def members(sessions: set[int]) -> list[int]:
    """Every living process of these sessions: also what has a process group of its own, as each task has."""
    listed = subprocess.run(["ps", "-axo", "pid=,stat="], capture_output=True, text=True, check=True).stdout  # noqa: S607
    found = []
    for pid, state in (line.split() for line in listed.splitlines()):
        try:
            if not state.startswith("Z") and os.getsid(int(pid)) in sessions:
                found.append(int(pid))
        except (ProcessLookupError, PermissionError):
            continue
    return found


def _is_ours(record: Mapping[str, object]) -> bool:
    """Whether a number in our notes is still our process's, or nobody's: not that of a later one."""
    return _began(int(str(record["pid"]))) in ("", record["began"])


def _began(pid: int) -> str:
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout.strip()  # noqa: S603


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    try:
        os.waitpid(pid, os.WNOHANG)  # it may be a child of ours, in a test
    except ChildProcessError:
        return


def free_port(first: int = 18080) -> int:
    """The first port of this machine, from `first` on, on which nothing listens."""
    for port in range(first, first + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no port is free from {first} to {first + 99}")


def password(folder: Path) -> str:
    """What the server made up for the user `admin`."""
    return str(json.loads((folder / "simple_auth_manager_passwords.json.generated").read_text())["admin"])


def _print_how(env: Mapping[str, str], folder: Path) -> None:
    shown = folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder
    names = environment(folder, 0, {})  # only what is ours to write down: the rest may hold secrets
    exports = [f"export {name}={shlex.quote(env[name])}" for name in names]
    path = f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH"
    (folder / "env.sh").write_text("\n".join([*exports, path, ""]))
    sys.stdout.write(
        f"Airflow is up at {env['AIRFLOW__API__BASE_URL']}: user admin, password {password(folder)}\n"
        f"Every DAG is paused. To fetch one source, and to release when it has something new:\n"
        f"  . {shown}/env.sh\n"
        f"  airflow dags unpause release && airflow dags unpause refresh_ncmec_by_esp\n"
        f"  airflow dags trigger refresh_ncmec_by_esp\n"
        f"Data home: {env['LIGHTWELL_HOME']}. Logs: {shown}/run and {shown}/logs. `make airflow-stop` ends it.\n"
    )


def main(arguments: Sequence[str]) -> int:
    """`start` or `stop`."""
    folder = Path(os.environ.get("LIGHTWELL_AIRFLOW") or ROOT / ".airflow").absolute()
    if list(arguments) == ["stop"]:
        running = bool(list((folder / "run").glob("*.json")))
        stop(folder)
        sys.stdout.write("Airflow is stopped.\n" if running else "Airflow was not running.\n")
        return 0
    if list(arguments) != ["start"]:
        sys.stderr.write("usage: run.py start | stop\n")
        return 2
    stop(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # passwords and keys are in it
    env = environment(folder, int(os.environ.get("LIGHTWELL_AIRFLOW_PORT") or free_port()))
    sys.stdout.write("Airflow starts; this takes about a minute.\n")
    sys.stdout.flush()
    try:
        prepare(env)
        start(env)
        wait(env)
    except BaseException:
        stop(folder)
        raise
    _print_how(env, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
