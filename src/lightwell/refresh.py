"""The whole path, step by step: fetch, read, harmonise, check, build, check again, publish.

Each step is a function of its own, so that the command line and the scheduler run the same ones.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from lightwell import archive, codes, harmonise, quality, reading, source, store, vintages, warehouse
from lightwell.archive import Attempt, Document
from lightwell.errors import BuildError, DeclarationError
from lightwell.harmonise import Harmonised, Quarantined
from lightwell.reading import Input, Reading
from lightwell.settings import Settings, resource
from lightwell.source import Source
from lightwell.warehouse import Build, Prepared

Progress = Callable[[str, int, int], None]  # what is done, how many so far, how many in all
REPORT = "quality.html"


def _silent(step: str, done: int, total: int) -> None:
    """The progress of a run that nobody watches."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a round of fetching brought: every attempt, and why a host could not be asked."""

    attempts: list[Attempt]
    unreachable: dict[str, str]  # host -> reason

    @property
    def stored(self) -> int:
        """How many documents are new."""
        return sum(a.outcome == "stored" for a in self.attempts)


def is_unreachable(attempt: Attempt, fetched: Fetched) -> bool:
    """Whether an attempt failed because its host could not be reached at all."""
    return attempt.url is not None and urlsplit(attempt.url).hostname in {
        urlsplit(f"//{h}").hostname for h in fetched.unreachable
    }


def unreachable_publishers(fetched: Fetched, settings: Settings) -> dict[str, str]:
    """Publisher's name -> why none of its hosts answered; one entry a publisher, however many sources it has."""
    names = codes.codelists().organisation
    found: dict[str, str] = {}
    for one in source.list_sources(settings):
        for host, reason in fetched.unreachable.items():
            if urlsplit(f"//{host}").hostname in one.hosts:
                known = names.get(one.publisher)
                found.setdefault(known.name if known else one.publisher_name or one.publisher, reason)
    return found


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did. `release_id` is the release that is current afterwards; `published` tells if it is new."""

    fetched: Fetched
    release_id: str
    published: bool
    read: int  # documents read anew, not from the cache or the edition


def refresh(
    settings: Settings, source_ids: Sequence[str] = (), *, today: date | None = None, progress: Progress = _silent
) -> Refreshed:
    """Fetch what is due, then build, check and publish if anything changed. Raises LightwellError where it cannot."""
    fetched = fetch(settings, source_ids, today=today, progress=progress)
    release_id, published, read = release(settings, progress=progress)
    return Refreshed(fetched, release_id, published, read)


@store.shared
def fetch(
    settings: Settings, source_ids: Sequence[str] = (), *, today: date | None = None, progress: Progress = _silent
) -> Fetched:
    """Ask the publishers for what is due. Nothing a publisher does makes this raise; the ledger has every attempt."""
    chosen = choose(settings, source_ids)
    if settings.offline:
        return Fetched([], {})
    from lightwell.fetch import Client
    from lightwell.fetch import fetch as fetch_source

    attempts: list[Attempt] = []
    with Client(settings) as client:
        for done, one in enumerate(chosen):
            progress(f"fetch {one.id}", done, len(chosen))
            attempts += fetch_source(one, settings, today=today or datetime.now(UTC).date(), client=client)
        return Fetched(attempts, dict(client.unreachable))


def choose(settings: Settings, source_ids: Sequence[str]) -> list[Source]:
    """The named sources, or all. Raises DeclarationError for a name there is not."""
    if source_ids:
        return [source.load(source_id, settings) for source_id in dict.fromkeys(source_ids)]
    return source.list_sources(settings)


@store.shared
def release(settings: Settings, *, force: bool = False, progress: Progress = _silent) -> tuple[str, bool, int]:
    """Build, check and publish, unless the current release was made of the same documents by the same code.

    Returns the id of the current release, whether it is new, and how many documents were read anew.
    """
    sources = source.list_sources(settings)
    items = reading.inputs(sources, settings)
    digest = inputs_digest(items, settings)
    now = warehouse.current(settings)
    if now is not None and now.inputs_digest == digest and not force:
        return now.release_id, False, 0
    unread = sum(i.given is None and not reading.is_cached(i.document, i.source, settings) for i in items)
    prepared = prepare(items, settings, progress=progress)
    built = build(prepared, settings, sources=sources, digest=digest, progress=progress)
    return warehouse.publish(built, settings), True, unread


def prepare(items: Sequence[Input], settings: Settings, *, progress: Progress = _silent) -> list[Prepared]:
    """Read, harmonise and judge every document. What a document holds never makes this raise."""
    taken: list[tuple[Source, Document, Reading, Harmonised]] = []
    for done, item in enumerate(items):
        progress(f"read {item.source.id}", done, len(items))
        taken.append(take(item, settings))
    _refuse_idle_corrections([h for _, _, _, h in taken])
    progress("check", 0, 1)
    judged = [(h, document, one) for one, document, _, h in taken]
    verdicts = vintages.compare(judged, quality.check_all(judged))
    return [Prepared(*parts, verdict) for parts, verdict in zip(taken, verdicts, strict=True)]


def take(item: Input, settings: Settings) -> tuple[Source, Document, Reading, Harmonised]:
    """Read and harmonise one document. What it holds never makes this raise."""
    document, read = reading.take(item, settings)
    harmonised = _harmonised(item.source, document, read)
    return item.source, _dated(document, harmonised), read, harmonised


def _dated(document: Document, harmonised: Harmonised) -> Document:
    """Where nobody says when a document was published, it is not before the end of the newest period it reports on."""
    newest = max((o.period_end for o in harmonised.observations), default=None)
    if document.published_basis != "retrieved" or newest is None or newest > document.retrieved_at.date():
        return document
    return replace(document, published_on=newest, published_basis="not_before")


def _harmonised(one: Source, document: Document, read: Reading) -> Harmonised:
    if read.problem is not None:
        return Harmonised([], [Quarantined(one.id, document.document_id, "document", read.problem)], {})
    return harmonise.to_observations(read.figures, document, one, read.extractor_version)


def _refuse_idle_corrections(harmonised: Iterable[Harmonised]) -> None:
    idle = harmonise.unused_corrections(o for h in harmonised for o in h.observations)
    if idle:
        raise DeclarationError(
            f"correction {idle[0].correction_id} of {idle[0].source_id} fits no figure any more: no document prints "
            f"{idle[0].printed!r} there; if the publisher mended it, remove the line from codelists/correction.csv"
        )


def build(
    prepared: list[Prepared], settings: Settings, *, sources: list[Source], digest: str, progress: Progress = _silent
) -> Build:
    """Build a release and judge it as a whole. Raises BuildError, and leaves the published one alone, if it fails."""
    progress("build", 0, 1)
    built = warehouse.build(
        prepared,
        archive.attempts(settings),
        settings,
        sources=sources,
        inputs_digest=digest,
        built_at=datetime.now(UTC).replace(microsecond=0),
    )
    try:
        checks = judge(built, settings, sources)
        rows = [(p.source, p.document, p.verdict) for p in prepared]
        quality.write_report(built.folder / REPORT, built.release_id, built.built_at, rows, checks)
    except BaseException:
        warehouse.discard(built)
        raise
    return built


def judge(built: Build, settings: Settings, sources: list[Source]) -> list[quality.Check]:
    """Run the rules over a built release. Raises BuildError with the first critical one that fails."""
    before = warehouse.current(settings)
    known = {s.id for s in sources}
    expected = {s for s in before.counts if before.counts[s]["observations"] and s in known} if before else set()
    with warehouse.connect(path=built.database) as con:
        observation = con.table("observation")
        named = [column for column in quality.release_columns() if column in observation.columns]
        checks = quality.check_release(observation.select(*named).df(), expected)
        failed = [c for c in checks if c.severity == "critical" and not c.passed]
        if failed:
            asked = "SELECT DISTINCT source_id FROM observation WHERE list_contains($ids, observation_id) ORDER BY ALL"
            blamed = [s for (s,) in con.execute(asked, {"ids": list(failed[0].observation_ids)}).fetchall()]
            of = f" (of {', '.join(blamed)})" if blamed else ""
            raise BuildError(f"the release is refused: {failed[0].name}{of}: {failed[0].observed}")
    return checks


def inputs_digest(items: Sequence[Input], settings: Settings) -> str:
    """One hash of everything a release depends on: the documents, the declarations, the codelists and the code."""
    digest = hashlib.sha256(f"duckdb {version('duckdb')}".encode())
    package = Path(__file__).parent
    folders = [package, *(resource(name) for name in ("sql", "expectations")), settings.edition]
    files = {
        p for f in folders for p in f.rglob("*") if p.suffix in {".py", ".yml", ".csv", ".gz", ".sql", ".json", ".j2"}
    }
    if settings.extra_sources is not None:
        files |= {p for p in settings.extra_sources.glob("*.*") if p.suffix in {".yml", ".csv"}}
    for path in sorted(files):
        digest.update(path.name.encode() + path.read_bytes())
    for item in items:
        d = item.document
        problem = item.given.problem if item.given is not None else None  # a file that is missing or damaged
        said = (d.source_id, d.document_id, d.published_on, d.url, d.retrieved_at, d.method, problem)
        digest.update(f"{' '.join(map(str, said))}\n".encode())
    return digest.hexdigest()
