"""One DAG per declared source: ask its publisher for what is due, and say so when something new has come.

The DAGs are made from the declarations, each by itself: where one has a mistake, its own DAG fails with the
declaration's message, and the others run. Only the declarations are read here; what is heavy is imported in the task.
"""

import hashlib
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, CronTriggerTimetable, ExceptionRetryPolicy, RetryAction, RetryRule, task
from airflow.sdk.exceptions import AirflowSkipException

from lightwell import source
from lightwell.errors import ArchiveError, FetchError, LightwellError
from lightwell.settings import Settings
from lightwell.source import Source

if TYPE_CHECKING:
    from lightwell.refresh import Fetched

_log = logging.getLogger(__name__)

# Discs and networks recover. A declaration with a mistake, or a publisher that says no, gives the same answer again.
RETRY = ExceptionRetryPolicy([RetryRule([ArchiveError, OSError], RetryAction.RETRY)], RetryAction.FAIL)
DAYS = {"annual": "{day}", "half-yearly": "{day}", "quarterly": "{day}", "monthly": "*", "irregular": "{day}"}


def crontab(source_id: str, cadence: str) -> str:
    """When a source is asked, in UTC: once a week, or once a day where it appears monthly. The minute, hour and day
    follow from the id, so that the sources are spread and none moves when another is added."""
    number = int.from_bytes(hashlib.sha256(source_id.encode()).digest()[:8])
    number, minute = divmod(number, 60)
    number, hour = divmod(number, 24)
    return f"{minute} {hour} * * {DAYS[cadence].format(day=number % 7)}"


def describe(one: Source) -> str:
    """What a source counts, and where it stands, as Markdown."""
    caveats = "\n".join(f"- {caveat}" for caveat in one.caveats)
    return (
        f"### {one.title}\n\n{one.description}\n\n{caveats}\n\nPublished ({one.cadence}) at <{one.landing_page}>. "
        f"Licence: {one.licence}.\n\nUnpause to fetch. Set `LIGHTWELL_HOME` to the data home, as an absolute path."
    )


def declare(source_id: str, settings: Settings) -> dict[str, Any]:
    """The parts of the DAG that come from the declaration; for one that cannot be read, its message instead."""
    try:
        one = source.load(source_id, settings)
    except (LightwellError, OSError, UnicodeError) as error:
        return {
            "schedule": CronTriggerTimetable(crontab(source_id, "irregular"), timezone="UTC"),
            "tags": ["invalid declaration"],
            "doc_md": f"### The declaration of {source_id} cannot be read\n\n{error}",
        }
    return {
        "schedule": CronTriggerTimetable(crontab(source_id, one.cadence), timezone="UTC"),
        "tags": [one.publisher, one.cadence],
        "doc_md": describe(one),
    }


def new_documents(source_id: str, fetched: "Fetched") -> list[str]:
    """The sha256 of each document that is new. Skips the task where the publisher has nothing new.

    Raises ConnectionError where a host could not be reached, and FetchError where it was, if nothing at all was had:
    not even a document that is held already.
    """
    failed = [a for a in fetched.attempts if a.outcome == "failed"]
    for attempt in failed:
        _log.warning("%s: %s", attempt.url, attempt.reason)
    if failed and len(failed) == len(fetched.attempts):
        reason = f"{source_id}: none of {len(failed)} attempts brought anything; the first: {failed[0].reason}"
        raise ConnectionError(reason) if fetched.unreachable else FetchError(reason)
    new = [a.document_id for a in fetched.attempts if a.outcome == "stored" and a.document_id is not None]
    if not new:
        held = len(fetched.attempts) - len(failed)
        raise AirflowSkipException(f"{source_id}: nothing new; {held} documents unchanged, {len(failed)} not to be had")
    return list(dict.fromkeys(new))


def refresh(source_id: str, settings: Settings) -> None:
    """Declare the DAG of one source; Airflow registers it."""
    name = re.sub(r"\W", "_", source_id, flags=re.ASCII)
    asset = Asset(f"lightwell/{name}")
    with DAG(
        dag_id=f"refresh_{name}",
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        is_paused_upon_creation=True,
        max_active_runs=1,
        **declare(source_id, settings),
    ):

        @task(outlets=[asset], retries=3, retry_delay=timedelta(minutes=20), retry_policy=RETRY)
        def fetch(*, outlet_events: Any = None) -> None:
            from lightwell import refresh

            fetched = refresh.fetch(Settings.from_environment(), [source_id])
            new = new_documents(source_id, fetched)
            outlet_events[asset].extra = {"documents": new, "stored": len(new)}

        fetch()


for _source_id in source.list_ids(Settings.from_environment()):
    refresh(_source_id, Settings.from_environment())
