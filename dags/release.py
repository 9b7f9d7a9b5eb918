"""The DAG `release`: build, check, publish and export, when a source has brought something new, and once a day for
what a person added by hand or what was fetched by a run that then crashed.

A build is bound to the process that makes it (it holds a lock, and vanishes with it), so building, checking and
publishing are one task. Where nothing has changed, that task and all after it are skipped.
"""

import logging
import os
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import (
    DAG,
    Asset,
    AssetAny,
    AssetOrTimeSchedule,
    CronTriggerTimetable,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    task,
)
from airflow.sdk.exceptions import AirflowSkipException

from lightwell import source
from lightwell.errors import ArchiveError
from lightwell.settings import Settings

_log = logging.getLogger(__name__)

# A disc recovers. A release that is refused is refused again until someone has looked.
RETRY = ExceptionRetryPolicy([RetryRule([ArchiveError, OSError], RetryAction.RETRY)], RetryAction.FAIL)
RELEASE = Asset("lightwell/release")
SOURCES = [
    Asset("lightwell/" + re.sub(r"\W", "_", i, flags=re.ASCII)) for i in source.list_ids(Settings.from_environment())
]
ABOUT = """
Builds a release from the archive, checks it, makes it the current one, and exports it to `$LIGHTWELL_HOME/exports`.
A release that fails its checks is not published; the one before stays.

Set `LIGHTWELL_HOME` to the data home, as an absolute path. One run and one task at a time write there. To share that
limit with DAGs of your own, create a pool of one slot and name it in `LIGHTWELL_WAREHOUSE_POOL`; a task in a pool that
does not exist waits for ever.
"""

with DAG(
    dag_id="release",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("30 5 * * *", timezone="UTC"), assets=AssetAny(*SOURCES)
    ),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=1,
    tags=["warehouse"],
    doc_md=ABOUT,
    default_args={
        "pool": os.environ.get("LIGHTWELL_WAREHOUSE_POOL") or None,
        "max_active_tis_per_dag": 1,
        "retries": 2,
        "retry_delay": timedelta(minutes=20),
        "retry_policy": RETRY,
    },
):

    @task(outlets=[RELEASE])
    def release(*, outlet_events: Any = None) -> str:
        from lightwell import refresh

        release_id, published, read = refresh.release(Settings.from_environment())
        if not published:
            raise AirflowSkipException(f"nothing new: {release_id} stays the current release")
        _log.info("release %s is published; %d documents were read anew", release_id, read)
        outlet_events[RELEASE].extra = {"release_id": release_id}
        return release_id

    @task
    def export(release_id: str) -> None:
        from lightwell import export

        settings = Settings.from_environment()
        files = export.export(settings, [], settings.home / "exports")
        _log.info("release %s: %d files are exported", release_id, len(files))

    export(release())
