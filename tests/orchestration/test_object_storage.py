"""Many machines over one data home on object storage: CeleryExecutor, two workers that share nothing else, and a third
machine that reads."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from harness import PATIENCE, Airflow, Stage, csvs, exported_by_one_process, settle, wait_for
from test_celery import SOURCES, YEARS, stage  # noqa: F401 - a fixture
from test_statements_and_notices import PLAN, put

sys.path.insert(0, str(Path(__file__).parents[1]))

from lightwell import statements, store, warehouse
from lightwell.settings import Settings
from lightwell.statements import months
from lightwell.store.bucket import bucket_of

pytest.importorskip("botocore", reason="object storage needs the extra: lightwell[many-machines]")
from test_celery import pytestmark  # noqa: F401 - skipped where PostgreSQL or Redis is missing

HOME = "s3://lightwell-many-machines/home"


@pytest.fixture(scope="module", autouse=True)
def remote() -> Iterator[None]:
    """An S3 server in this process, where the deployment's data home is."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    variables = {
        "AWS_ENDPOINT_URL_S3": "http://{}:{}".format(*server.get_host_and_port()),
        "AWS_ACCESS_KEY_ID": "for-tests", "AWS_SECRET_ACCESS_KEY": "not-a-secret", "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setenv("LIGHTWELL_TEST_HOME", json.dumps({"LIGHTWELL_HOME": HOME}))
        bucket_of(Settings(home=Path(), remote=HOME)).client.create_bucket(Bucket=HOME.split("/")[2])
        yield
    server.stop()


def test_two_machines_make_the_release_that_one_makes(stage: Stage, tmp_path: Path) -> None:  # noqa: F811
    airflow = stage.airflow
    airflow.unpause(*(f"refresh_{one}" for one in SOURCES))
    begun = {one: airflow.trigger(f"refresh_{one}") for one in SOURCES}
    ran_on = set()
    for one, run in begun.items():
        assert airflow.finished(f"refresh_{one}", run)["state"] == "success", airflow.states(f"refresh_{one}", run)
        ran_on |= {t["hostname"] for t in airflow.tasks(f"refresh_{one}", run) if t["task_id"] == "fetch"}
    assert ran_on == {"one", "two"}
    airflow.unpause("release")
    run = airflow.trigger("release")
    wait_for(lambda: airflow.states("release", run).get("export") == ["success"], "the export", 2 * PATIENCE)
    assert airflow.finished("release", run)["state"] == "success", airflow.states("release", run)
    settle(airflow)
    copies = [Path(airflow.env["AIRFLOW_HOME"]).parent / name / "copy" for name in ("one", "two")]
    assert all((copy / ".store").is_file() for copy in copies), "each worker has a copy of its own"
    reader = Settings(home=tmp_path / "reader", remote=HOME)
    published = warehouse.current(reader)
    assert published is not None
    assert airflow.events("lightwell/release")[0]["extra"] == {"release_id": published.release_id}
    with store.synced(reader):
        lines = sum(1 for _ in (reader.archive / "ledger").glob("*.jsonl"))
    assert lines == len(SOURCES)
    assert len(list(reader.archive.glob("??/*.pdf"))) == len(SOURCES) * len(YEARS)
    bucket = bucket_of(reader)
    sent = tmp_path / "sent"
    sent.mkdir()
    for name in bucket.names(f"exports/{published.release_id}/"):
        (sent / name.rpartition("/")[2]).write_bytes(bucket.get(name)[0])
    alone = Stage(Airflow({**airflow.env, "LIGHTWELL_HOME": str(reader.home)}), stage.publisher, stage.sources)
    one_process = exported_by_one_process(alone, tmp_path)
    many = csvs(sent)  # without release_info.csv, which says which release it is and when it was built
    assert sorted(many) == sorted(one_process)
    assert [name for name, data in many.items() if one_process[name] != data] == []
    assert len(many) > 5


def test_dumps_that_two_machines_reduced_are_added_up_on_a_third(stage: Stage, tmp_path: Path) -> None:  # noqa: F811
    airflow, alone, ran_on = stage.airflow, tmp_path / "alone", set()
    days = [PLAN.day + timedelta(days=number) for number in range(6)]
    paths = [put(stage, tmp_path / "published", replace(PLAN, day=day)) for day in days]
    assert len(list(statements.reduce(paths, alone, workers=1))) == len(days)
    airflow.unpause("statements")
    for run in [airflow.trigger("statements", partition_key=str(day), conf={"platforms": ["tiktok"]}) for day in days]:
        assert airflow.finished("statements", run)["state"] == "success", airflow.states("statements", run)
        ran_on |= {t["hostname"] for t in airflow.tasks("statements", run) if t["task_id"] == "reduce"}
    assert ran_on == {"one", "two"}
    to = tmp_path / "months.csv"
    env = {**airflow.env, "LIGHTWELL_CACHE": str(tmp_path / "third")}
    command = [sys.executable, "-c", "from lightwell.cli import main; main()", "statements", "monthly", "--to", str(to)]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert ran.returncode == 0, ran.stderr
    assert to.read_text(encoding="utf-8") == months.table(alone).text
