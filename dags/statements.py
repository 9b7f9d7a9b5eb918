"""The DAG `statements`: one day of the EU's DSA Transparency Database a run, one dump a platform, reduced to cubes.

A run's partition is a day; what it announces are partitions `day|platform`. History comes by a backfill over a range of
days; a day whose SHA-1 has changed is fetched again, whether its turn comes by schedule or by backfill.
"""

import logging
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, CronPartitionTimetable, Param, TriggerRule, task
from airflow.sdk.exceptions import AirflowSkipException

from lightwell.dumps import PLATFORMS
from lightwell.settings import Settings
from lightwell_airflow import NEVER, deadline, failures, patience, pool, report

_log = logging.getLogger(__name__)
STATEMENTS = Asset("lightwell/dsa_statements")
AFTER = 3  # days after which a day's dumps are usually out
ABOUT = f"""
Each day's dumps ({len(PLATFORMS)} platforms by default, see the parameter) are reduced to additive cubes in
`$LIGHTWELL_HOME/statements`; the dumps themselves are not kept. One dump is one task.

History: `airflow backfill create --dag-id statements --from-date 2025-01-01 --to-date 2025-01-31`. A run by schedule
also looks at the week before its day, and at a sixtieth of all older days that were reduced; nothing is fetched whose
SHA-1 is the one in its receipt.
"""

with DAG(
    dag_id="statements",
    schedule=CronPartitionTimetable(
        "0 0 * * *", timezone="UTC", run_offset=-AFTER, run_immediately=NEVER, key_format="%Y-%m-%d"
    ),
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=2,
    tags=["european_commission", "daily"],
    doc_md=ABOUT,
    deadline=deadline(24, "lightwell"),
    params={"platforms": Param(list(PLATFORMS), type="array", items={"type": "string", "pattern": "^[a-z0-9-]+$"})},
    default_args={"owner": "lightwell", **patience()},
):

    @task(**pool("FETCH"))
    def find(*, dag_run: Any = None, params: Any = None) -> list[dict[str, str]]:
        from lightwell import orchestration

        if dag_run.partition_key is None:
            raise ValueError("a run needs a partition key, the day: 2025-09-15")
        day, again = dag_run.partition_key, str(dag_run.run_type) == "scheduled"
        found = orchestration.find_dumps(day, params["platforms"], Settings.from_environment(), again=again)
        if not found:
            raise AirflowSkipException(f"{day}: nothing that is not reduced already")
        return found

    @task(max_active_tis_per_dag=4, execution_timeout=timedelta(hours=8), **pool("FETCH"))
    def reduce(day: str, platform: str, sha1: str) -> str:
        from lightwell import orchestration

        return orchestration.reduce_dump(day, platform, sha1, Settings.from_environment())

    @task(outlets=[STATEMENTS], trigger_rule=TriggerRule.ALL_DONE)
    def announce(*, ti: Any = None, outlet_events: Any = None) -> None:
        done = [key for key in ti.xcom_pull(task_ids=["reduce"]) if key is not None]
        if not done:
            raise AirflowSkipException("no dump was reduced")
        outlet_events[STATEMENTS].add_partitions(done)

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def summarise(*, ti: Any = None, dag_run: Any = None) -> None:
        from lightwell import summaries

        done = [key for key in ti.xcom_pull(task_ids=["reduce"]) if key is not None]
        report(summaries.of_dumps(str(dag_run.partition_key), done, failures(ti)))

    reduce.expand_kwargs(find()) >> announce() >> summarise()
