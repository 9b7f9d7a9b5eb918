"""The steps of `refresh` as a scheduler runs them: one process each, perhaps on different machines, perhaps twice.

A step takes and gives ids, hashes and dates, and finds all else in the data home, where it stands under its content's
hash. So a step that was killed is run again with the same result, and so is one that runs twice at once.
"""

import hashlib
import importlib.util
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from lightwell import archive, reading, refresh, source, store, warehouse
from lightwell.archive import Attempt, Document
from lightwell.errors import BuildError, DeclarationError, FetchError, LayoutError, NotPublishedError
from lightwell.quality import Verdict
from lightwell.reading import Input
from lightwell.settings import Settings, resource
from lightwell.source import Source

if TYPE_CHECKING:
    from lightwell.warehouse import Connection

_log = logging.getLogger(__name__)
_VERDICTS = "verdicts.json"  # of a build that waits for its audit: what the quality report says of each document
_VERDICT_ROWS = TypeAdapter(list[tuple[str, Document, Verdict]])
_GONE = (404, 410)
_SHOWN = 50  # offenders that are looked up
_LONGEST = 400  # characters of a reason in a notice
_WEEK = timedelta(days=7)
DAYS = {"annual": "{day}", "half-yearly": "{day}", "quarterly": "{day}", "monthly": "*", "irregular": "{day}"}


# ------------------------------------------------------------------------------------------------------------ schedule


def crontab(source_id: str, cadence: str) -> str:
    """When a source is asked, in UTC: once a week, or once a day where it appears monthly. The minute, hour and day
    follow from the id, so that the sources are spread and none moves when another is added."""
    number = int.from_bytes(hashlib.sha256(source_id.encode()).digest()[:8])
    number, minute = divmod(number, 60)
    number, hour = divmod(number, 24)
    return f"{minute} {hour} * * {DAYS[cadence].format(day=number % 7)}"


def name_of(source_id: str) -> str:
    """The id as the scheduler may have it: an id with a mistake in it still names a DAG and an asset."""
    return re.sub(r"\W", "_", source_id, flags=re.ASCII)


def is_asked(one: Source) -> bool:
    """Whether the source has anything to ask a publisher for; else its files are added by hand."""
    return bool(one.documents or one.discover)


# -------------------------------------------------------------------------------------------------------------- source


@store.shared
def discover(source_id: str, settings: Settings, *, patient: bool, today: date | None = None) -> list[list[str]]:
    """The addresses of each document that is due. Offline there are none.

    Raises ConnectionError where a page that links to documents should be asked again soon, unless `patient` is False.
    """
    one = source.load(source_id, settings)
    if settings.offline:
        return []
    from lightwell import fetch

    asked = fetch.discover(one, settings, today=today or datetime.now(UTC).date())
    if asked.passing is not None and patient:
        raise ConnectionError(f"{source_id}: {asked.passing}")
    return asked.addresses


@store.shared
def fetch(source_id: str, addresses: Sequence[str], settings: Settings) -> str:
    """Ask for one document; its sha256, whether it is new or was held.

    Raises ConnectionError where asking again soon may help, NotPublishedError where nothing is at its addresses, and
    FetchError, with the reason of the last address, for all that a retry does not change.
    """
    from lightwell import fetch

    asked = fetch.fetch_one(source.load(source_id, settings), list(addresses), settings)
    for attempt in asked.attempts:
        if attempt.document_id is not None and attempt.outcome != "failed":
            return attempt.document_id
    reason = f"{source_id}: {asked.attempts[-1].reason if asked.attempts else 'nothing was asked'}"
    if asked.passing is not None:
        raise ConnectionError(reason)
    if asked.attempts and all(a.http_status in _GONE for a in asked.attempts):
        raise NotPublishedError(reason)
    raise FetchError(reason)


@store.shared
def new_documents(source_id: str, settings: Settings) -> list[str]:
    """The documents of a source that the published release was made without, in order: fetched, added by hand, or
    transcribed beside the declaration. What the edition gave and the archive now holds is among them."""
    one = source.load(source_id, settings)
    released = _released(source_id, settings)
    return [d for d, item in _held(one, settings).items() if (d, item.document.method) not in released]


def _held(one: Source, settings: Settings) -> dict[str, Input]:
    documents = archive.documents(settings, [one], on_damage=lambda _, problem: _log.warning("%s", problem))
    if one.method == "transcribed":
        documents.extend(reading.transcriptions(one, settings))
    return {d.document_id: Input(one, d) for d in documents}


def _released(source_id: str, settings: Settings) -> set[tuple[str, str]]:
    if warehouse.current(settings) is None:
        return set()
    _, rows = warehouse.query(
        "SELECT document_id, method FROM document WHERE source_id = $source_id", settings, {"source_id": source_id}
    )
    return {(document_id, method) for document_id, method in rows}


@dataclass(frozen=True, slots=True)
class Checked:
    """What one document came to. `refused` is why nothing of it may be released."""

    document: str
    periods: list[str]
    observations: int
    held_back: int  # rows in quarantine
    refused: str | None = None


@store.shared
def read_and_check(source_id: str, document_id: str, settings: Settings) -> Checked:
    """Read, harmonise and judge one document, whose figures are cached for the build."""
    from lightwell import quality

    one = source.load(source_id, settings)
    item = _held(one, settings).get(document_id)
    if item is None:
        raise LayoutError(f"{source_id} holds no document {document_id}: `lightwell doctor` says what is missing")
    _, document, _, harmonised = refresh.take(item, settings)
    verdict = quality.check(harmonised, document, one)
    kept = [o for o in harmonised.observations if o.observation_id not in verdict.rejected_ids]
    held_back = sum(q.scope == "row" for q in verdict.quarantined)
    reasons = [q.reason for q in verdict.quarantined if q.scope == "document"]
    return Checked(
        document_id,
        sorted({o.time_period for o in kept}),
        len(kept),
        held_back,
        None if verdict.released else _short("; ".join(reasons)),
    )


def news(results: Iterable[Mapping[str, Any]], documents: Sequence[str]) -> dict[str, list[str]]:
    """What a source's asset says has changed: documents, the periods they report on, and those that were refused."""
    found = list(results)
    return {
        "documents": sorted(documents),
        "periods": sorted({period for one in found for period in one["periods"]}),
        "refused": sorted(one["document"] for one in found if one["refused"] is not None),
    }


# ------------------------------------------------------------------------------------------------------------- summary


@dataclass(frozen=True, slots=True)
class Summary:
    """What one run did, for the person who looks after it. `worth_telling` is False where nothing happened."""

    subject: str
    text: str
    failed: bool
    worth_telling: bool


@store.shared
def summarise(
    source_id: str,
    since: datetime,
    documents: Sequence[str],
    results: Iterable[Mapping[str, Any]],
    settings: Settings,
    *,
    failed_tasks: Sequence[str] = (),
    today: date | None = None,
) -> Summary:
    """One run of a source from its ledger: what was asked since it began, what is new, and what was refused and why.

    `documents` are the new ones, `results` what `read_and_check` gave for them. A run has failed where a document was
    refused or not read, where an attempt failed for more than an address that has nothing, where nothing was had, or
    where a task failed.
    """
    try:
        one = source.load(source_id, settings)
    except DeclarationError as error:
        return Summary(f"FAILED {source_id}: its declaration has a mistake", str(error), True, True)
    attempts = _last_of_each([a for a in archive.attempts(settings, source_id) if a.attempted_at >= since])
    checked = {result["document"]: result for result in results}
    absent = [a for a in attempts if a.outcome == "failed" and a.http_status in _GONE]
    failed = [a for a in attempts if a.outcome == "failed" and a not in absent]
    refused = [d for d in documents if d not in checked or checked[d]["refused"] is not None]
    had = [a for a in attempts if a.outcome != "failed"]
    late = _late(one, settings, today or datetime.now(UTC).date())
    lines = [_of_document(d, checked.get(d), attempts) for d in documents]
    lines += [f"failed: {a.url}: {_short(a.reason or '')}" for a in failed]
    lines += [f"nothing there: {a.url}" for a in absent]
    lines += [f"late: the next document was expected by {late}; see {one.landing_page}"] if late else []
    said = f"{len(attempts)} asked for, {len(documents)} new, {len(refused)} refused, {len(failed)} failed"
    lines += [f"failed tasks: {', '.join(failed_tasks)}; their logs say why"] if failed_tasks else []
    is_failed = bool(refused or failed or failed_tasks or (attempts and not had))
    just_late = late is not None and (today or datetime.now(UTC).date()) - late < _WEEK
    return Summary(
        f"{'FAILED ' if is_failed else ''}{source_id}: {said}",
        "\n".join([f"{one.title} ({one.owner}): {said}", *lines]),
        is_failed,
        bool(is_failed or documents or just_late),
    )


def _last_of_each(attempts: Iterable[Attempt]) -> list[Attempt]:
    """The last attempt at each address: what was tried again and then had is no failure."""
    return list({attempt.url: attempt for attempt in attempts}.values())


def _of_document(document_id: str, result: Mapping[str, Any] | None, attempts: Iterable[Attempt]) -> str:
    where = next((a.url for a in attempts if a.document_id == document_id and a.url), "added by hand or transcribed")
    shown = f"{document_id[:12]} ({where})"
    if result is None:
        return f"not read: {shown}: its task failed, see the log of read_and_check"
    if result["refused"] is not None:
        return f"refused: {shown}: {result['refused']}. What was released before stays"
    periods = ", ".join(result["periods"][:12]) + (" ..." if len(result["periods"]) > 12 else "")
    return f"new: {shown}: {result['observations']} figures, {result['held_back']} rows held back, for {periods}"


def _late(one: Source, settings: Settings, today: date) -> date | None:
    """The day on which a document was expected that has not come; None where nothing is late."""
    if warehouse.current(settings) is None:
        return None
    asked = "SELECT next_expected FROM source WHERE source_id = $source_id"
    _, rows = warehouse.query(asked, settings, {"source_id": one.id})
    expected = rows[0][0] if rows else None
    return expected if expected is not None and expected < today else None


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


# ------------------------------------------------------------------------------------------------------------- release


@store.shared
def build(settings: Settings) -> str | None:
    """Build a release, set it aside and return its id; None where nothing has changed since the current one.

    A build of the same inputs that waits already is taken instead.
    """
    sources = source.list_sources(settings)
    items = reading.inputs(sources, settings)
    digest = refresh.inputs_digest(items, settings)
    now = warehouse.current(settings)
    if now is not None and now.inputs_digest == digest:
        return None
    if (waiting := warehouse.held(settings, digest)) is not None:
        return waiting
    prepared = refresh.prepare(items, settings)
    built = warehouse.build(
        prepared,
        archive.attempts(settings),
        settings,
        sources=sources,
        inputs_digest=digest,
        built_at=datetime.now(UTC).replace(microsecond=0),
        audited=False,
    )
    rows = [(p.source.id, p.document, p.verdict) for p in prepared]
    (built.folder / _VERDICTS).write_bytes(_VERDICT_ROWS.dump_json(rows))
    return warehouse.set_aside(built, settings)


@store.shared
def audit(release_id: str, settings: Settings) -> None:
    """Judge a build that was set aside, and write its quality report. A build that was audited is not judged again.

    Raises BuildError, naming the rule and the sources of the rows that break it; the build is then removed, and the
    published release stays.
    """
    if (settings.releases / release_id / warehouse.MANIFEST).is_file():
        return
    built = warehouse.take_up(settings, release_id)
    if (built.folder / refresh.REPORT).is_file():
        warehouse.put_back(built)
        return
    try:
        _judge(built, settings)
    except BuildError:
        warehouse.discard(built)
        raise
    warehouse.put_back(built)


def _judge(built: warehouse.Build, settings: Settings) -> None:
    from lightwell import quality

    sources = source.list_sources(settings)
    with warehouse.connect(path=built.database) as con:
        for name, rows in warehouse.audit(con).items():
            if rows:
                blamed = ", ".join(sources_of(con, rows[:_SHOWN])) or "no source by name"
                raise BuildError(
                    f"the release is refused: audit {name} finds {len(rows)} rows, of {blamed}; first {rows[0]}"
                )
    checks = refresh.judge(built, settings, sources)
    known = {one.id: one for one in sources}
    kept = _VERDICT_ROWS.validate_json((built.folder / _VERDICTS).read_bytes())
    rows_of = [(known[source_id], document, verdict) for source_id, document, verdict in kept if source_id in known]
    unfinished = built.folder / ".report"
    quality.write_report(unfinished, built.release_id, built.built_at, rows_of, checks)
    unfinished.replace(built.folder / refresh.REPORT)


_BLAME = (  # what a value in an offending row may be, the surest first
    "SELECT source_id FROM source WHERE list_contains($texts, source_id)",
    "SELECT source_id FROM observation_vintage WHERE list_has_any($texts, [document_id, observation_id, series_id]) "
    "UNION SELECT source_id FROM document WHERE list_contains($texts, document_id)",
    "SELECT source_id FROM observation_vintage "
    "WHERE list_has_any($texts, [metric, harm, ref_area, unit_measure, subject, reporter])",
)


def sources_of(con: "Connection", rows: Iterable[Sequence[object]]) -> list[str]:
    """The sources of an audit's offenders: named in a row, else behind the ids in it, else behind the codes in it."""
    found: set[str] = set()
    for row in rows:
        texts = sorted(_texts(row))
        for select in _BLAME:
            blamed = con.execute(select, {"texts": texts}).fetchall()
            if blamed:
                found |= {source_id for (source_id,) in blamed}
                break
    return sorted(found)


def _texts(values: Iterable[object]) -> set[str]:
    found = set()
    for value in values:
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, list):
            found |= _texts(value)
    return found


@store.shared
def publish(release_id: str, settings: Settings) -> str:
    """Make a build that was set aside and audited the current release. Doing it again ends in the same release."""
    waiting = settings.releases / f".held-{release_id}"
    if waiting.is_dir() and not (waiting / refresh.REPORT).is_file():
        raise BuildError(f"build {release_id} has not been audited: run the audit first")
    (waiting / _VERDICTS).unlink(missing_ok=True)
    warehouse.publish_held(settings, release_id)
    return release_id


@store.shared
def export(settings: Settings) -> list[Path]:
    """Write the current release as CSV to `exports` of the data home."""
    from lightwell import export

    files = export.export(settings, [], settings.home / "exports")
    store.hand_over_export(settings, files)
    return files


@store.shared
def summarise_release(release_id: str | None, reason: str | None, settings: Settings) -> Summary:
    """One run of the release: what changed against the release before, or the reason why a step failed.

    `release_id` is what was published, None where nothing was.
    """
    now = warehouse.current(settings)
    stays = now.release_id if now is not None else "none"
    if reason is not None:
        subject = f"release {release_id} is published, but not exported" if release_id else "release: not published"
        return Summary(f"FAILED {subject}", f"{_short(reason)}\nThe current release is {stays}.", True, True)
    if release_id is None:
        return Summary("release: nothing new", f"Nothing has changed; the current release stays {stays}.", False, False)
    kept = warehouse.releases(settings)
    this = next((r for r in kept if r.release_id == release_id), None)
    before = next((r for r in kept if this is not None and r.published_at < this.published_at), None)
    lines = _changes(this.counts if this else {}, before.counts if before else {})
    subject = f"release {release_id} is published"
    return Summary(subject, "\n".join([f"{subject}.", *lines]), False, True)


def summarise_dumps(day: str, done: Sequence[str], failed_tasks: Sequence[str]) -> Summary:
    """One run of the daily dumps: the partitions that were reduced, and the tasks that failed for good."""
    said = f"statements {day}: {len(done)} dumps reduced, {len(failed_tasks)} tasks failed"
    lines = [f"reduced: {key}" for key in done] + [f"failed: {name}, its log says why" for name in failed_tasks]
    failed = bool(failed_tasks)
    return Summary(f"{'FAILED ' if failed else ''}{said}", "\n".join([said, *lines]), failed, failed)


def _changes(now: Mapping[str, Mapping[str, int]], before: Mapping[str, Mapping[str, int]]) -> list[str]:
    lines = []
    for source_id, counts in sorted(now.items()):
        was = before.get(source_id, {})
        moved = [f"{k.replace('_', ' ')} {was.get(k, 0):,} -> {v:,}" for k, v in counts.items() if was.get(k, 0) != v]
        lines += [f"{source_id}: {', '.join(moved)}"] if moved else []
    return lines


def as_result(checked: Checked) -> dict[str, Any]:
    """What `read_and_check` found, as a step hands it on."""
    return asdict(checked)


# -------------------------------------------------------------------------------------------------------------- doctor

_IMPORT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
print("\\n" + json.dumps([len(bag.dags), bag.import_errors]))
"""


def dags_folder(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Where the DAGs are, if Airflow is installed and in use here: set up by its variables, or by `make airflow`."""
    if importlib.util.find_spec("airflow") is None:
        return None
    if "AIRFLOW__CORE__DAGS_FOLDER" in environ:
        return Path(environ["AIRFLOW__CORE__DAGS_FOLDER"])
    checkout = resource("sql").parent
    in_use = "AIRFLOW_HOME" in environ or (checkout / ".airflow").is_dir()
    return checkout / "dags" if in_use and (checkout / "dags").is_dir() else None


def imported(folder: Path) -> str:
    """How many DAGs Airflow reads in a folder. Raises BuildError with what it says of a file that it cannot import."""
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, "-c", _IMPORT, str(folder)]
        ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False)  # noqa: S603
    if ran.returncode != 0:
        raise BuildError(
            f"Airflow cannot read {folder}: {(ran.stderr.strip().splitlines() or ['no reason given'])[-1]}"
        )
    count, errors = json.loads(ran.stdout.splitlines()[-1])
    if errors:
        said = "; ".join(f"{Path(name).name}: {text.strip().splitlines()[-1]}" for name, text in errors.items())
        raise BuildError(f"Airflow cannot import {said}; no DAG of that file runs")
    return f"{count} are imported from {folder}"
