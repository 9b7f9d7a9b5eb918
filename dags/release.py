"""The DAG `release`: build, audit, publish and export, when a source has brought something new, and once a day for
what came by another way. Where nothing has changed, all but the first task is skipped.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.sdk import DAG, AssetAny, AssetOrTimeSchedule, TriggerRule, task
from airflow.sdk.exceptions import AirflowSkipException

from lightwell import source
from lightwell.errors import LightwellError
from lightwell.settings import Settings
from lightwell_airflow import RELEASE, asset_of, at, deadline, failures, patience, pool, report

_log = logging.getLogger(__name__)
SOURCES = [asset_of(source_id) for source_id in source.list_ids(Settings.from_environment())]
ABOUT = """
Builds a release from the archive, judges it as a whole, makes it the current one, and exports it to
`$LIGHTWELL_HOME/exports`. A release that fails its audit is not published; the one before stays, and the summary
names the source.

Set `LIGHTWELL_HOME` to the data home, as an absolute path. One run and one task at a time write there. To share that
limit with DAGs of your own, create a pool of one slot and name it in `LIGHTWELL_WAREHOUSE_POOL`; a task in a pool that
does not exist waits for ever.
"""

STEPS = ["build", "audit", "publish", "export"]


@contextmanager
def told(ti: Any) -> Iterator[None]:
    """Hand the reason of a failure to the summary."""
    try:
        yield
    except LightwellError as error:
        ti.xcom_push(key="reason", value=str(error)[:1000])
        raise


with DAG(
    dag_id="release",
    schedule=AssetOrTimeSchedule(timetable=at("30 5 * * *"), assets=AssetAny(*SOURCES)),
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=1,
    tags=["warehouse"],
    doc_md=ABOUT,
    deadline=deadline(6, "lightwell"),
    default_args={"owner": "lightwell", "max_active_tis_per_dag": 1, **pool("WAREHOUSE"), **patience()},
):

    @task
    def build(*, ti: Any = None) -> str:
        from lightwell import orchestration

        with told(ti):
            release_id = orchestration.build(Settings.from_environment())
        if release_id is None:
            raise AirflowSkipException("nothing has changed since the current release")
        return release_id

    @task
    def audit(release_id: str, *, ti: Any = None) -> str:
        from lightwell import orchestration

        with told(ti):
            orchestration.audit(release_id, Settings.from_environment())
        return release_id

    @task(outlets=[RELEASE])
    def publish(release_id: str, *, ti: Any = None, outlet_events: Any = None) -> str:
        from lightwell import orchestration

        with told(ti):
            orchestration.publish(release_id, Settings.from_environment())
        outlet_events[RELEASE].extra = {"release_id": release_id}
        return release_id

    @task
    def export(release_id: str, *, ti: Any = None) -> str:
        from lightwell import orchestration

        with told(ti):
            files = orchestration.export(Settings.from_environment())
        _log.info("release %s: %d files are exported", release_id, len(files))
        return release_id

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def summarise(*, ti: Any = None) -> None:
        from lightwell import summaries

        published = ti.xcom_pull(task_ids="publish")
        reasons = [r for r in ti.xcom_pull(task_ids=STEPS, key="reason") if r is not None]
        failed = failures(ti)
        if failed and not reasons:
            reasons = [f"{', '.join(failed)} failed, see the log"]
        report(summaries.of_release(published, reasons[0] if failed else None, Settings.from_environment()))

    export(publish(audit(build()))) >> summarise()
