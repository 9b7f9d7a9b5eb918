"""One run of the scheduler in words, for the person who looks after it: one summary a run, not an alert a task."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from lightwell import archive, source, store, warehouse
from lightwell.archive import Attempt
from lightwell.errors import DeclarationError
from lightwell.settings import Settings
from lightwell.source import Source

_GONE = (404, 410)
_LONGEST = 400  # characters of a reason in a notice
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Summary:
    """What one run did, for the person who looks after it. `worth_telling` is False where nothing happened."""

    subject: str
    text: str
    failed: bool
    worth_telling: bool


@store.shared
def of_source(
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
    lines += [f"failed: {a.url}: {shortened(a.reason or '')}" for a in failed]
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


def shortened(text: str) -> str:
    """A reason as a notice shows it."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


@store.shared
def of_release(release_id: str | None, reason: str | None, settings: Settings) -> Summary:
    """One run of the release: what changed against the release before, or the reason why a step failed.

    `release_id` is what was published, None where nothing was.
    """
    now = warehouse.current(settings)
    stays = now.release_id if now is not None else "none"
    if reason is not None:
        subject = f"release {release_id} is published, but not exported" if release_id else "release: not published"
        return Summary(f"FAILED {subject}", f"{shortened(reason)}\nThe current release is {stays}.", True, True)
    if release_id is None:
        return Summary("release: nothing new", f"Nothing has changed; the current release stays {stays}.", False, False)
    kept = warehouse.releases(settings)
    this = next((r for r in kept if r.release_id == release_id), None)
    before = next((r for r in kept if this is not None and r.published_at < this.published_at), None)
    lines = _changes(this.counts if this else {}, before.counts if before else {})
    subject = f"release {release_id} is published"
    return Summary(subject, "\n".join([f"{subject}.", *lines]), False, True)


def of_dumps(day: str, done: Sequence[str], failed_tasks: Sequence[str]) -> Summary:
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
