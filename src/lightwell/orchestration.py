"""The steps of `refresh` as a scheduler runs them: one process each, perhaps on different machines, perhaps twice.

A step takes and gives ids, hashes and dates, and finds all else in the data home, where it stands under its content's
hash. So a step that was killed is run again with the same result, and so is one that runs twice at once.
"""

import hashlib
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from lightwell import archive, reading, refresh, source, store, summaries, warehouse
from lightwell.archive import Document
from lightwell.errors import BuildError, FetchError, LayoutError, NotPublishedError
from lightwell.quality import Verdict
from lightwell.reading import Input
from lightwell.settings import Settings
from lightwell.source import Source

if TYPE_CHECKING:
    from lightwell.warehouse import Connection

_log = logging.getLogger(__name__)
_VERDICTS = "verdicts.json"  # of a build that waits for its audit: what the quality report says of each document
_VERDICT_ROWS = TypeAdapter(list[tuple[str, Document, Verdict]])
_GONE = (404, 410)
_SHOWN = 50  # offenders that are looked up
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
        None if verdict.released else summaries.shortened("; ".join(reasons)),
    )


def as_result(checked: Checked) -> dict[str, Any]:
    """What `read_and_check` found, as a step hands it on."""
    return asdict(checked)


def news(results: Iterable[Mapping[str, Any]], documents: Sequence[str]) -> dict[str, list[str]]:
    """What a source's asset says has changed: documents, the periods they report on, and those that were refused."""
    found = list(results)
    return {
        "documents": sorted(documents),
        "periods": sorted({period for one in found for period in one["periods"]}),
        "refused": sorted(one["document"] for one in found if one["refused"] is not None),
    }


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


# ---------------------------------------------------------------------------------------------------------- statements


def find_dumps(day: str, platforms: Iterable[str], settings: Settings, *, again: bool) -> list[dict[str, str]]:
    """The dumps of a day that no machine has reduced as they are published now, as `reduce_dump` takes them.

    `again`, and what is raised: as `dumps.changed` has it.
    """
    from lightwell import dumps

    store.take_receipts(settings)
    return dumps.as_partitions(dumps.changed(date.fromisoformat(day), platforms, settings, again=again))


def reduce_dump(day: str, platform: str, sha1: str, settings: Settings) -> str:
    """Fetch one dump, reduce it, and hand its cubes to the other machines; the partition's name. As `dumps.reduce`."""
    from lightwell import dumps

    one = dumps.partition(day, platform, sha1)
    with store.reduction(settings, one.stem):
        dumps.reduce(one, settings)
    return one.key
