"""What the DAG files share: names, manners of retrying, deadlines, and who is told.

Airflow puts the folder of the DAGs on the path of whatever runs them, deadline callbacks included.
"""

import html
import json
import logging
import os
import urllib.request
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    Asset,
    BaseHook,
    Connection,
    CronTriggerTimetable,
    DeadlineAlert,
    DeadlineReference,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    SyncCallback,
)

from lightwell.errors import ArchiveError
from lightwell.orchestration import name_of

if TYPE_CHECKING:
    from lightwell.summaries import Summary

_log = logging.getLogger(__name__)

# Discs and networks recover. A declaration with a mistake, a document that is refused, or a publisher that says no
# gives the same answer again. A task that was killed raised nothing, and is always tried again.
RETRY = ExceptionRetryPolicy([RetryRule([ArchiveError, OSError], RetryAction.RETRY)], RetryAction.FAIL)
RELEASE = Asset("lightwell/release")
NEVER = timedelta(0)  # how long ago a time may be that is made up for
_SECONDS = 30.0  # for a webhook to answer


class RunFailed(Exception):  # noqa: N818 - the state of a run, which its summary has told of
    """Something in the run failed; what, the summary says."""


def asset_of(source_id: str) -> Asset:
    """The asset that says a source has something new."""
    return Asset(f"lightwell/{name_of(source_id)}")


def at(cron: str) -> CronTriggerTimetable:
    """Runs at these times, in UTC, of which none that is past is made up for when a DAG is first unpaused.

    (`run_immediately=False` would still run where the last time is less than a tenth of the interval ago.)
    """
    return CronTriggerTimetable(cron, timezone="UTC", run_immediately=NEVER)


def patience() -> dict[str, Any]:
    """How often and when a task is tried again: after 5, 10 and 20 minutes, or as LIGHTWELL_RETRY_SECONDS begins."""
    seconds = float(os.environ.get("LIGHTWELL_RETRY_SECONDS") or 300)
    return {
        "retries": 3,
        "retry_delay": timedelta(seconds=seconds),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(hours=2),
        "retry_policy": RETRY,
    }


def pool(of: str) -> dict[str, Any]:
    """The pool that LIGHTWELL_FETCH_POOL or LIGHTWELL_WAREHOUSE_POOL names; a pool that nobody made hangs a task."""
    named = os.environ.get(f"LIGHTWELL_{of}_POOL")
    return {"pool": named} if named else {}


def deadline(hours: float, owner: str) -> DeadlineAlert:
    """A run that is not over some hours after it was queued is told of."""
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=hours),
        callback=SyncCallback("lightwell_airflow.tell_late", kwargs={"hours": hours, "owner": owner}),
        name=f"done within {hours:g} hours",
    )


def tell_late(hours: float, owner: str, context: dict[str, Any] | None = None) -> None:
    """Say that a run missed its deadline. Airflow gives a callback no connection that its database keeps (3.3.2; see
    apache/airflow#66141): one from the environment or a secrets backend."""
    run = (context or {}).get("dag_run") or {}
    dag_id, run_id = run.get("dag_id", "a DAG"), run.get("dag_run_id", run.get("run_id", ""))
    tell(f"LATE {dag_id}", f"{dag_id} ({owner}): run {run_id} is not over {hours:g} hours after it was queued.")


def failures(ti: Any) -> list[str]:
    """The tasks of this run that have failed for good."""
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id])
    return sorted(name for name, state in states.get(ti.run_id, {}).items() if state == "failed")


def report(summary: "Summary") -> None:
    """Tell the one summary of a run, and fail where the run has failed."""
    if summary.worth_telling:
        tell(summary.subject, summary.text)
    else:
        _log.info("%s", summary.text)
    if summary.failed:
        raise RunFailed(summary.subject)


def tell(subject: str, text: str) -> None:
    """Write a notice to the log, and send it over each connection that LIGHTWELL_NOTIFY names.

    An `smtp` connection is mailed to the addresses in `to` of its extra; for `http` the notice is posted as JSON to
    the address that host, schema and password make up (the password is the secret path of a webhook).
    """
    _log.warning("%s\n%s", subject, text)
    problems: list[Exception] = []
    for name in filter(None, (n.strip() for n in os.environ.get("LIGHTWELL_NOTIFY", "").split(","))):
        try:
            _send(name, subject, text)
        except (OSError, ValueError) as error:  # one that fails keeps no other from being told
            problems.append(error)
    if problems:
        raise problems[0]


def _send(name: str, subject: str, text: str) -> None:
    connection = BaseHook.get_connection(name)
    if connection.conn_type == "smtp":
        _mail(name, connection, subject, text)
    elif connection.conn_type in ("http", "https"):
        _post(connection, subject, text)
    else:
        raise ValueError(f"LIGHTWELL_NOTIFY: {name} is a connection of type {connection.conn_type}: smtp or http")


def _mail(name: str, connection: Connection, subject: str, text: str) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    to = connection.extra_dejson.get("to")
    if not to:
        raise ValueError(f"LIGHTWELL_NOTIFY: the extra of the connection {name} does not say `to` whom")
    with SmtpHook(smtp_conn_id=name) as hook:
        hook.send_email_smtp(to=to, subject=f"Lightwell: {subject}", html_content=f"<pre>{html.escape(text)}</pre>")


def _post(connection: Connection, subject: str, text: str) -> None:
    scheme = connection.schema or connection.conn_type
    host = connection.host or ""
    base = host if "://" in host else f"{scheme}://{host}"
    port = f":{connection.port}" if connection.port else ""
    address = f"{base}{port}/{(connection.password or '').lstrip('/')}"
    body = json.dumps({"text": f"{subject}\n{text}", "subject": subject}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})  # noqa: S310 - an operator's
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310
            return
    except OSError as error:  # in words: the library's repeat the address, which is a secret
        raise ConnectionError(f"the webhook at {host} did not take the notice: {type(error).__name__}") from None
