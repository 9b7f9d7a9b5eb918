"""The daily dumps under a real scheduler, by partition and by backfill; and notices: summaries and missed deadlines."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from harness import ROOT, Airflow, Stage, esp, local, staged, wait_for

sys.path.insert(0, str(ROOT / "benchmarks"))
from make_dump import Plan
from make_dump import make_dump as made
from test_dags import CHAT_SECRET, SECRETS, Mailbox, connections

PLAN = Plan(rows=120, version="light", slug="tiktok", day=date(2025, 9, 15), rows_per_csv=60, csvs_per_part=2, kinds=20)
PLATFORMS = {"platforms": ["tiktok", "nobody"]}


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as found:
        yield found


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, mailbox: Mailbox) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("statements")
    known = connections(mailbox.port, 0)  # from the environment: a callback gets none that the database keeps
    notify = {f"AIRFLOW_CONN_{name.upper()}": value for name, value in known.items()}
    notify["AIRFLOW_CONN_OPS_CHAT"] = f"http://:{quote(CHAT_SECRET, safe='')}@127.0.0.1:PORT/http"
    with staged(folder, {"test_esp": esp}, [2022], LIGHTWELL_NOTIFY="ops_mail,ops_chat", **notify) as made:
        made.airflow.until_known("statements", "refresh_test_esp")
        yield made


def put(stage: Stage, folder: Path, plan: Plan) -> Path:
    """Publish a made up dump; where it stands on this machine."""
    path = made(folder, plan)
    sidecar = path.with_name(f"{path.name}.sha1").read_bytes()
    stage.publisher.files |= {f"/download/{path.name}": path.read_bytes(), f"/download/{path.name}.sha1": sidecar}
    return path


def run_of(stage: Stage, **body: Any) -> str:
    run = stage.airflow.trigger("statements", conf=PLATFORMS, **body)
    assert stage.airflow.finished("statements", run)["state"] == "success", stage.airflow.states("statements", run)
    return run


def dumps_asked(stage: Stage) -> list[str]:
    return [path for path in stage.publisher.documents_asked if path.endswith(".zip")]


def serialized_owner(airflow: Airflow) -> str:
    """Who owns the DAG as runs are made from it. (What `dags/ID` says changes up to half a minute before that:
    `min_serialized_dag_update_interval`.)"""
    return str(airflow.ask("dags/refresh_test_esp/details")["default_args"].get("owner"))


def test_a_day_is_a_partition_and_is_fetched_once(stage: Stage, tmp_path: Path) -> None:
    airflow = stage.airflow
    put(stage, tmp_path, PLAN)
    airflow.unpause("statements")
    run = run_of(stage, partition_key="2025-09-15")
    assert airflow.states("statements", run) == {
        "find": ["success"],
        "reduce": ["success"],
        "announce": ["success"],
        "summarise": ["success"],
    }
    (event,) = airflow.events("lightwell/dsa_statements")
    assert event["partition_key"] == "2025-09-15|tiktok"
    assert list((airflow.home / "statements").glob("day=2025-09-15/*/*.parquet"))
    again = run_of(stage, partition_key="2025-09-15")
    assert airflow.states("statements", again)["find"] == ["skipped"]
    assert len(airflow.events("lightwell/dsa_statements")) == len(dumps_asked(stage)) == 1


def test_a_backfill_over_days_takes_in_what_is_new_and_what_has_changed(stage: Stage, tmp_path: Path) -> None:
    airflow, before = stage.airflow, len(dumps_asked(stage))
    put(stage, tmp_path, replace(PLAN, rows=90))
    put(stage, tmp_path, replace(PLAN, day=date(2025, 9, 16)))
    options = ["--from-date", "2025-09-14", "--to-date", "2025-09-16", "--reprocess-behavior", "completed"]
    conf = ["--dag-run-conf", '{"platforms": ["tiktok"]}']
    local.airflow(airflow.env, "backfill", "create", "--dag-id", "statements", *options, *conf)

    def over() -> bool:
        runs = [run for run in airflow.runs("statements") if run["run_type"] == "backfill"]
        return len(runs) >= 2 and all(run["state"] == "success" for run in runs)

    wait_for(over, "the backfill")
    keys = sorted(event["partition_key"] for event in airflow.events("lightwell/dsa_statements"))
    assert keys == ["2025-09-15|tiktok", "2025-09-15|tiktok", "2025-09-16|tiktok"]
    assert len(dumps_asked(stage)) == before + 2


def test_a_run_that_is_late_is_told_and_so_is_its_summary_once(stage: Stage, mailbox: Mailbox) -> None:
    airflow, path = stage.airflow, stage.sources / "test_esp.yml"
    declaration = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(declaration | {"done_within_hours": 0.001, "owner": "desk"}), encoding="utf-8")
    wait_for(lambda: serialized_owner(airflow) == "desk", "the deadline to be known", 180)
    stage.publisher.told.clear()
    stage.publisher.seconds = 6
    airflow.unpause("refresh_test_esp")
    run = airflow.trigger("refresh_test_esp")
    wait_for(lambda: [t for t in stage.publisher.told if t["subject"].startswith("LATE")], "the alert")
    (late,) = [t for t in stage.publisher.told if t["subject"].startswith("LATE")]
    assert late["subject"] == "LATE refresh_test_esp"
    assert "(desk)" in late["text"]
    assert run in late["text"]
    assert airflow.finished("refresh_test_esp", run)["state"] == "success"
    told = [t for t in stage.publisher.told if not t["subject"].startswith("LATE")]
    assert [t["subject"] for t in told] == ["test_esp: 1 asked for, 1 new, 0 refused, 0 failed"]
    letters = [letter for letter in mailbox.letters if "Subject: Lightwell: " in letter]
    assert sum("Subject: Lightwell: LATE refresh_test_esp" in letter for letter in letters) == 1
    assert sum("Subject: Lightwell: test_esp: 1 asked for, 1 new" in letter for letter in letters) == 1


def test_no_secret_of_a_connection_is_in_any_log(stage: Stage, mailbox: Mailbox) -> None:
    stage.publisher.server.stop()  # a webhook that does not answer, and a mail server that does not let in
    mailbox.answer_to_login = "535 no"
    run = stage.airflow.trigger("refresh_test_esp")
    assert stage.airflow.finished("refresh_test_esp", run)["state"] == "failed"
    folders = [stage.airflow.folder / name for name in ("logs", "run")]
    written = {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}
    assert sum(b"FAILED test_esp" in text for text in written.values()) >= 1, "this is what was logged"
    secrets = [secret.encode() for secret in (*SECRETS, quote(CHAT_SECRET, safe=""))]
    assert [str(path) for path, text in written.items() if any(secret in text for secret in secrets)] == []
