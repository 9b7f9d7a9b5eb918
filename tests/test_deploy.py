"""What `deploy/` says holds: names that the code reads, pools that the DAGs wait for, commands that there are."""

import re
import runpy
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import ROOT

DEPLOY = ROOT / "deploy"
CODE = "".join(p.read_text(encoding="utf-8") for f in ("src", "dags") for p in sorted((ROOT / f).rglob("*.py")))
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
COMPONENTS = {"api-server", "scheduler", "dag-processor", "triggerer", "celery"}


def run_py() -> dict[str, Any]:
    return runpy.run_path(str(DEPLOY / "local" / "run.py"), run_name="run")


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose" / "compose.yml").read_text(encoding="utf-8")))


def helm() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "helm" / "values.yaml").read_text(encoding="utf-8")))


def test_every_variable_is_one_that_the_code_reads_and_the_documentation_names() -> None:
    names = {name for name in compose()["x-airflow"]["environment"] if name.startswith("LIGHTWELL")}
    names |= {one["name"] for one in helm()["env"] if one["name"].startswith("LIGHTWELL")}
    names |= {name for name in run_py()["environment"](Path("/x"), 1, {}) if name.startswith("LIGHTWELL")}
    assert {"LIGHTWELL_HOME", "LIGHTWELL_NOTIFY", "LIGHTWELL_WAREHOUSE_POOL"} <= names
    read = set(re.findall(r"LIGHTWELL_\w+", CODE)) | {
        f"LIGHTWELL_{of}_POOL" for of in re.findall(r'pool\("(\w+)"\)', CODE)
    }
    assert names <= read
    assert [name for name in names if f"`{name}`" not in OPERATIONS] == []


def test_the_pools_that_are_named_are_made() -> None:
    pools = set(run_py()["POOLS"])
    (command,) = compose()["services"]["init"]["command"]
    made = set(re.findall(r"pools set (\w+) \d", command))
    named = compose()["x-airflow"]["environment"]
    assert made == pools == {named["LIGHTWELL_WAREHOUSE_POOL"], named["LIGHTWELL_FETCH_POOL"]}
    assert "pools set warehouse 1 " in command, "one writer"
    assert run_py()["POOLS"]["warehouse"] == 1


def test_every_component_runs_and_only_the_server_is_reachable() -> None:
    services = compose()["services"]
    commands = {
        service["command"][0] for name, service in services.items() if name not in ("postgres", "redis", "init")
    }
    assert commands == COMPONENTS
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"api-server": ["127.0.0.1:8080:8080"]}


def test_services_wait_for_what_says_when_it_is_ready_and_mount_what_there_is() -> None:
    found = compose()
    services = found["services"]
    waits = [(w, how["condition"]) for s in services.values() for w, how in s.get("depends_on", {}).items()]
    assert {name for name, condition in waits if condition == "service_healthy"} == {"postgres", "redis"}
    assert all("healthcheck" in services[name] for name in ("postgres", "redis"))
    assert {name for name, condition in waits if condition == "service_completed_successfully"} == {"init"}
    mounted = {mount.partition(":")[0] for s in services.values() for mount in s.get("volumes", [])}
    assert mounted == set(found["volumes"]) == {"postgres", "data", "logs"}
    assert services["worker"]["environment"] == services["scheduler"]["environment"], "one set of settings for all"


def test_no_secret_is_in_a_file() -> None:
    example = (DEPLOY / "compose" / "example.env").read_text(encoding="utf-8")
    given = {line.partition("=")[0]: line.partition("=")[2] for line in example.splitlines() if "=" in line[:30]}
    asked = set(re.findall(r"\$\{(\w+):\?\}", (DEPLOY / "compose" / "compose.yml").read_text(encoding="utf-8")))
    assert asked <= set(given)
    assert all(given[name] == "" for name in asked)
    assert all(str(value).startswith("lightwell-") for key, value in helm().items() if key.endswith("SecretName"))


def test_the_image_is_made_of_what_is_there() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert "--require-hashes -r requirements.lock" in text
    assert (ROOT / "requirements.lock").is_file()
    assert compose()["x-airflow"]["build"] == {"context": "../..", "dockerfile": "deploy/Dockerfile"}


def test_stopping_ends_the_whole_session_and_nobody_elses(tmp_path: Path) -> None:
    """A stand-in that starts a child with a process group of its own and ignores being asked, as Airflow's do."""
    run = run_py()
    program = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], process_group=0)\n"
        "time.sleep(60)\n"
    )
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    try:
        folder = tmp_path / "run"
        folder.mkdir()
        began = run["_began"]
        (folder / "a.json").write_text(f'{{"pid": {process.pid}, "began": "{began(process.pid)}"}}', encoding="utf-8")
        (folder / "b.json").write_text(f'{{"pid": {bystander.pid}, "began": "another time"}}', encoding="utf-8")
        end = time.monotonic() + 20
        while len(run["members"]({process.pid})) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        run["stop"].__globals__["_GRACE"] = 0.5
        stubborn = run["stop"](tmp_path)
        assert process.pid in stubborn
        assert len(stubborn) == 2, "the child of another process group, too"
        assert run["members"]({process.pid}) == []
        assert bystander.poll() is None, "a number that was given to another process since is left alone"
        assert list(folder.iterdir()) == []
    finally:
        bystander.kill()
        bystander.wait()


def test_a_port_that_is_taken_is_not_chosen() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run_py()["free_port"](port) > port


@pytest.mark.parametrize("arguments", [[], ["restart"]])
def test_another_word_than_start_and_stop_is_refused(arguments: list[str]) -> None:
    command = [sys.executable, str(DEPLOY / "local" / "run.py"), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (2, "usage: run.py start | stop\n")


def test_what_the_environment_says_stays_but_for_where_the_server_is() -> None:
    said = {"AIRFLOW__CORE__EXECUTOR": "CeleryExecutor", "LIGHTWELL_HOME": "/data", "PATH": "/bin"}
    elsewhere = {"AIRFLOW_HOME": "/other", "AIRFLOW__API__PORT": "1", "AIRFLOW__API__HOST": "0.0.0.0"}
    found = run_py()["environment"](Path("/here"), 2, {**said, **elsewhere})
    assert {name: found[name] for name in said} == said
    assert [found[name] for name in elsewhere] == ["/here", "2", "127.0.0.1"]
