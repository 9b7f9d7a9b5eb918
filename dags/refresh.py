"""One DAG a declared source: find what is due, fetch it, read and check what is new, and say so.

The DAGs are made from the declarations, each by itself: where one has a mistake, its own DAG fails with the
declaration's message, and the others run. Only the declarations are read here; what is heavy is imported in the task.
"""

import logging
from typing import Any

from airflow.sdk import DAG, TriggerRule, task
from airflow.sdk.exceptions import AirflowSkipException

from lightwell import source
from lightwell.errors import LayoutError, LightwellError, NotPublishedError
from lightwell.orchestration import crontab, is_asked, name_of
from lightwell.settings import Settings
from lightwell.source import Source
from lightwell_airflow import asset_of, at, deadline, failures, patience, pool, report

_log = logging.getLogger(__name__)
AT_ONCE = 2  # fetches of one source: while one waits for its turn at the host, the next process starts


def describe(one: Source) -> str:
    """What a source counts, and where it stands, as Markdown."""
    caveats = "\n".join(f"- {caveat}" for caveat in one.caveats)
    return (
        f"### {one.title}\n\n{one.description}\n\n{caveats}\n\nPublished ({one.cadence}) at <{one.landing_page}>. "
        f"Licence: {one.licence}.\n\nUnpause to fetch. Set `LIGHTWELL_HOME` to the data home, as an absolute path."
    )


def declare(source_id: str, settings: Settings) -> tuple[dict[str, Any], bool]:
    """The parts of the DAG that come from the declaration, and whether there is anything to fetch; for a declaration
    that cannot be read, its message instead."""
    try:
        one = source.load(source_id, settings)
        cron = one.schedule or crontab(source_id, one.cadence)
        schedule = at(cron)
    except (LightwellError, OSError, ValueError) as error:
        parts = {
            "schedule": at(crontab(source_id, "irregular")),
            "tags": ["invalid declaration"],
            "doc_md": f"### The declaration of {source_id} cannot be read\n\n{error}",
        }
        return parts, True
    parts = {
        "schedule": schedule,
        "tags": [one.publisher, one.cadence],
        "doc_md": describe(one),
        "default_args": {"owner": one.owner},
        "deadline": deadline(one.done_within_hours, one.owner),
    }
    return parts, is_asked(one)


def refresh(source_id: str, settings: Settings) -> None:
    """Declare the DAG of one source; Airflow registers it. It has no start date: unpaused, it waits for its time."""
    parts, asked = declare(source_id, settings)
    with DAG(
        dag_id=f"refresh_{name_of(source_id)}",
        catchup=False,
        is_paused_upon_creation=True,
        max_active_runs=1,
        **parts,
    ):
        new = compared(source_id)
        if asked:
            fetched(source_id) >> new
        read(source_id, new) >> told(source_id, new) >> summarised(source_id)


def fetched(source_id: str) -> Any:
    """Find what is due and fetch it, a task a document. What the publisher has not got is skipped."""

    @task(**patience())
    def discover(*, ti: Any = None) -> list[list[str]]:
        from lightwell import orchestration

        patient = ti.try_number <= ti.max_tries
        return orchestration.discover(source_id, Settings.from_environment(), patient=patient)

    @task(max_active_tis_per_dag=AT_ONCE, **pool("FETCH"), **patience())
    def fetch(addresses: list[str]) -> str:
        from lightwell import orchestration

        try:
            return orchestration.fetch(source_id, addresses, Settings.from_environment())
        except NotPublishedError as error:
            raise AirflowSkipException(str(error)) from None

    return fetch.expand(addresses=discover())


def compared(source_id: str) -> Any:
    """List what the published release was made without. Nothing: what follows is skipped."""

    @task(trigger_rule=TriggerRule.ALL_DONE, **patience())
    def compare() -> list[str]:
        from lightwell import orchestration

        new = orchestration.new_documents(source_id, Settings.from_environment())
        if not new:
            raise AirflowSkipException(f"{source_id}: nothing new")
        return new

    return compare()


def read(source_id: str, new: Any) -> Any:
    """Read and check what is new, a task a document. A refused document fails its task, and no other."""

    @task(**patience())
    def read_and_check(document_id: str, *, ti: Any = None) -> str:
        from lightwell import orchestration

        checked = orchestration.read_and_check(source_id, document_id, Settings.from_environment())
        ti.xcom_push(key="checked", value=orchestration.as_result(checked))
        if checked.refused is not None:
            raise LayoutError(f"{source_id}: document {document_id} is refused: {checked.refused}")
        return document_id

    return read_and_check.expand(document_id=new)


def told(source_id: str, new: Any) -> Any:
    """Emit the source's asset, with what has changed."""
    asset = asset_of(source_id)

    @task(outlets=[asset], trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS, **patience())
    def announce(new: list[str], *, ti: Any = None, outlet_events: Any = None) -> None:
        from lightwell import orchestration

        outlet_events[asset].extra = orchestration.news(results(ti), new)

    return announce(new)


def summarised(source_id: str) -> Any:
    """Tell the one summary of the run, whatever became of the tasks before."""

    @task(trigger_rule=TriggerRule.ALL_DONE, **patience())
    def summarise(*, ti: Any = None, dag_run: Any = None) -> None:
        from lightwell import summaries

        new, settings = ti.xcom_pull(task_ids="compare") or [], Settings.from_environment()
        since, failed = dag_run.start_date, failures(ti)
        report(summaries.of_source(source_id, since, new, results(ti), settings, failed_tasks=failed))

    return summarise()


def results(ti: Any) -> list[dict[str, Any]]:
    """What `read_and_check` said of each document of this run; nothing of one whose task was killed for good."""
    return [one for one in ti.xcom_pull(task_ids=["read_and_check"], key="checked") if one is not None]


for _source_id in source.list_ids(Settings.from_environment()):
    refresh(_source_id, Settings.from_environment())
