"""Many machines over one data home, which stands in object storage: LIGHTWELL_HOME=s3://BUCKET/PREFIX.

Every process works on its machine's copy, `Settings.home`. Before a step what is missing there is taken in, after it
what is new is handed over. An object is named by the sha256 of its bytes and never changes, so that any number of
machines add without a lock, and bytes that do not match their name are refused. Two kinds of object change, and are
replaced on condition that no other machine has replaced them: `current.json` says which release is current and which
are kept, and a dump's receipt says which cubes are its.

    archive/AB/SHA256.pdf                 a document
    ledger/SOURCE/TIME-SHA256.json        one line of a ledger, handed over after the document that it names
    figures/AB/NAME.json/SHA256           a document's cached reading
    releases/ID/SHA256/FILE               a release's files; `contents.json` lists the others, `current.json` names it
    waiting/ID/SHA256/FILE                the files of a build set aside, listed in waiting/ID/contents.json
    exports/ID/FILE                       what the scheduler exported of a release; `datapackage.json` comes last
    statements/cubes/DUMP/SHA256.parquet  a file of a dump's cubes, handed over before the receipt that lists it
    statements/dumps/DUMP.json            a dump's receipt

Without `Settings.remote` nothing here does anything. botocore is imported only with it, and takes address and
credentials from where AWS's own tools look for them.
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from lightwell import archive
from lightwell.errors import BuildError, LightwellError
from lightwell.settings import Settings
from lightwell.store import added, releases, waiting
from lightwell.store.bucket import Bucket, bucket_of, each
from lightwell.store.copy import claim, locked
from lightwell.store.cubes import reduction, take_cubes, take_receipts

__all__ = [
    "hand_over_export", "look", "publish", "reduction", "shared", "synced", "take_cubes", "take_document",
    "take_receipts",
]  # fmt: skip
P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Session:
    """One `synced` block: what the store held when it began."""

    settings: Settings
    bucket: Bucket
    known: set[str]  # documents, ledger lines and readings that need no handing over
    pointer: releases.Pointer
    waiting: set[str]  # builds set aside


_session: ContextVar[_Session | None] = ContextVar("session", default=None)


def _open_session(settings: Settings) -> _Session | None:
    session = _session.get()
    return session if session is not None and session.settings.home == settings.home else None


@contextmanager
def synced(settings: Settings) -> Iterator[None]:
    """Take in what the store has and this machine lacks, run, and hand over what is new, also after an error.

    A home on this machine, and a block within another, need nothing. Raises StoreError where the storage does not
    answer; what the block made then stands in the copy and is handed over by the next one.
    """
    if settings.remote is None or _open_session(settings) is not None:
        yield
        return
    session = _take_in(settings)
    token = _session.set(session)
    try:
        yield
    except BaseException:
        try:
            _hand_over(session)
        except LightwellError as error:
            _log.warning("not handed over yet, the next run does: %s", error)
        raise
    else:
        _hand_over(session)
    finally:
        _session.reset(token)


def shared(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function within `synced`, over the Settings that are among its arguments."""

    @wraps(function)
    def within(*args: P.args, **kwargs: P.kwargs) -> R:
        (settings,) = (a for a in (*args, *kwargs.values()) if isinstance(a, Settings))
        with synced(settings):
            return function(*args, **kwargs)

    return within


def _take_in(settings: Settings) -> _Session:
    bucket = bucket_of(settings)
    with archive.writing(settings):
        claim(settings)
        known = added.take(settings, bucket)
        with locked(settings):
            pointer = releases.take(settings, bucket)
            return _Session(settings, bucket, known, pointer, waiting.take(settings, bucket, pointer))


def _hand_over(session: _Session) -> None:
    settings, bucket = session.settings, session.bucket
    with archive.writing(settings):
        added.hand_over(settings, bucket, session.known)
        with locked(settings):
            waiting.hand_over(settings, bucket, session.waiting, session.pointer.etag)


def look(settings: Settings, *, whole: bool = True) -> None:
    """Take in the current release, and the manifests of the others; of all the manifests where it is not `whole`.

    Cheap where nothing has changed: one small object is read. Offline, the release taken in last does.
    """
    if settings.remote is None or _open_session(settings) is not None:
        return
    if settings.offline and settings.database.exists():
        return
    with archive.writing(settings):
        claim(settings)
        with locked(settings):
            releases.take(settings, bucket_of(settings), whole=whole)


def take_document(settings: Settings, document_id: str) -> None:
    """Take in one document, if the store has it and this machine does not."""
    if settings.remote is None or not re.fullmatch("[0-9a-f]{64}", document_id):
        return
    with archive.writing(settings):
        claim(settings)
        added.take_document(settings, bucket_of(settings), document_id)


def publish(settings: Settings, release_id: str, folder: Path) -> None:
    """Make the release that stands in `folder`, or is kept, the current one of all machines.

    Nothing is visible before the pointer is replaced. Done again, it changes nothing. A home on this machine needs
    nothing. Raises OvertakenError where another machine has published since what a new release is made of was taken in.
    """
    if settings.remote is None:
        return
    bucket, session = bucket_of(settings), _open_session(settings)
    before = now = releases.read_pointer(bucket)
    if before.current != release_id:
        if release_id not in before.kept:
            if session is None:
                raise BuildError("a new release is published to object storage only within store.synced(settings)")
            if before.etag != releases.seen_by(folder, session.pointer.etag):
                raise releases.overtaken(before)
        now = releases.replaced(settings, release_id, folder, before, bucket)
    if session is not None:
        session.pointer = now
    releases.take_release(folder, f"releases/{release_id}", now.kept[release_id], bucket)
    releases.tidy(before, now, bucket)


def hand_over_export(settings: Settings, files: Iterable[Path]) -> None:
    """Put the exported files of a release beside it, `datapackage.json`, which describes them, last. A home on this
    machine needs nothing."""
    if settings.remote is None:
        return
    bucket = bucket_of(settings)
    with archive.writing(settings):
        *data, descriptor = sorted(files, key=lambda path: path.suffix == ".json")
        place = f"exports/{json.loads(descriptor.read_bytes())['version']}"
        each(bucket.upload, [(f"{place}/{path.name}", path) for path in data])
        bucket.upload(f"{place}/{descriptor.name}", descriptor)
