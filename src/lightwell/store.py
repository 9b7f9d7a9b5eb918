"""Many machines over one data home, which stands in object storage: LIGHTWELL_HOME=s3://BUCKET/PREFIX.

Every process works on its machine's copy, `Settings.home`. Before a step what is missing there is taken in, after it
what is new is handed over. An object is named by the sha256 of its bytes and never changes, so that any number of
machines add without a lock, and bytes that do not match their name are refused. One object changes: `current.json`
says which release is current and which are kept, and is replaced on condition that no other machine has replaced it.

    archive/AB/SHA256.pdf                a document
    ledger/SOURCE/TIME-SHA256.json       one line of a ledger, handed over after the document that it names
    figures/AB/NAME.json/SHA256          a document's cached reading
    releases/ID/SHA256/FILE              a release's files; `contents.json` lists the others, `current.json` names it
    waiting/ID/SHA256/FILE               the files of a build set aside, listed in waiting/ID/contents.json
    exports/ID/FILE                      what the scheduler exported of a release; `datapackage.json` comes last

Without `Settings.remote` nothing here does anything. botocore is imported only with it, and takes address and
credentials from where AWS's own tools look for them.
"""

import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from lightwell import archive
from lightwell.errors import BuildError, LightwellError, OvertakenError, StoreError
from lightwell.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")
Files = Mapping[str, Mapping[str, Any]]  # of a release: name -> sha256 and bytes

_log = logging.getLogger(__name__)
POINTER = "current.json"
CONTENTS = "contents.json"
_MANIFEST = "release.json"
_HELD = ".held-"  # a build that was set aside, see warehouse.set_aside
_ORIGIN = ".store"  # says which store a folder is the copy of
_DOCUMENT = re.compile(r"archive/[0-9a-f]{2}/([0-9a-f]{64})(\.[\w.]+)?", re.ASCII)
_LINE = re.compile(r"ledger/(\w+)/[0-9T.]+Z-([0-9a-f]{64})\.json", re.ASCII)
_FIGURES = re.compile(r"(figures/[0-9a-f]{2}/[\w.-]+\.json)/([0-9a-f]{64})", re.ASCII)
_NAME = re.compile(r"\w[\w.-]*", re.ASCII)  # of a release, or of a file in it: nothing that leads out of a folder
_AT_ONCE = 8
_TRIES = 3
_BLOCK = 1 << 20
_A_DAY = timedelta(days=1)


class _AbsentError(StoreError):
    """There is no such object."""


class _DamagedError(StoreError):
    """An object's bytes are not those of its name."""


# -------------------------------------------------------------------------------------------------------------- bucket


class _Bucket:
    """One prefix of one bucket. Whatever the storage does comes out as StoreError."""

    def __init__(self, remote: str, client: Any) -> None:
        self.remote, self.client = remote, client
        self.bucket, _, prefix = remote.removeprefix("s3://").partition("/")
        self.prefix = f"{prefix}/" if prefix else ""

    @contextmanager
    def _asked(self, name: str) -> Iterator[dict[str, str]]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield {"Bucket": self.bucket, "Key": self.prefix + name}
        except ClientError as error:
            said = f"{self.remote}/{name}: {error.response.get('Error', {}).get('Code', 'refused')}"
            if _status(error) == 404 and error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                raise _AbsentError(f"{said}: there is no such object") from error
            raise StoreError(f"{said}: see that the bucket is there and may be read and written") from error
        except BotoCoreError as error:
            reason = " ".join(str(error).split())
            raise StoreError(f"{self.remote} does not answer ({reason}): run it again when it does") from error

    def names(self, below: str) -> dict[str, datetime]:
        """The objects below a prefix, and when each was put there."""
        found: dict[str, datetime] = {}
        with self._asked(below) as place:
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=place["Key"])
            for page in pages:
                found |= {o["Key"].removeprefix(self.prefix): o["LastModified"] for o in page.get("Contents", ())}
        return found

    def get(self, name: str, sha256: str | None = None) -> tuple[bytes, str]:
        """An object's bytes and its ETag. Where `sha256` is given and is not that of the bytes, they are refused."""
        for _ in range(_TRIES):
            with self._asked(name) as place:
                answer = self.client.get_object(**place)
                data: bytes = answer["Body"].read()
            if sha256 in (None, hashlib.sha256(data).hexdigest()):
                return data, str(answer["ETag"])
        raise self._damaged(name, sha256)

    def download(self, name: str, sha256: str, to: Path) -> None:
        """Write an object to a path, where it stands only once it is complete, on the disk, and has its sha256."""
        to.parent.mkdir(parents=True, exist_ok=True)
        partial_file = to.with_name(f".taking-{secrets.token_hex(8)}")
        try:
            for _ in range(_TRIES):
                if self._copy(name, partial_file) == sha256:
                    partial_file.replace(to)
                    return
        finally:
            partial_file.unlink(missing_ok=True)
        raise self._damaged(name, sha256)

    def _copy(self, name: str, to: Path) -> str:
        digest = hashlib.sha256()
        with self._asked(name) as place, to.open("wb") as file:
            for block in self.client.get_object(**place)["Body"].iter_chunks(_BLOCK):
                digest.update(block)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        return digest.hexdigest()

    def _damaged(self, name: str, sha256: str | None) -> _DamagedError:
        return _DamagedError(
            f"{self.remote}/{name} does not have the sha256 {sha256}: it was damaged or replaced. Remove it, and "
            "the next run on a machine that holds the right bytes hands them over again"
        )

    def put(self, name: str, data: bytes) -> None:
        """Put an object of these bytes."""
        with self._asked(name) as place:
            self.client.put_object(**place, Body=data)

    def upload(self, name: str, path: Path) -> None:
        """Put an object of a file's bytes."""
        with self._asked(name) as place, path.open("rb") as file:
            self.client.put_object(**place, Body=file)

    def replace(self, name: str, data: bytes, etag: str | None) -> str | None:
        """Put an object if the one there still has this ETag, or if none is there (None); its new ETag.

        None where another came first. Bytes that are there already, as after an answer that was lost, are one's own.
        """
        from botocore.exceptions import ClientError

        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        with self._asked(name) as place:
            for tries in range(_TRIES, 0, -1):
                try:
                    return str(self.client.put_object(**place, Body=data, **condition)["ETag"])
                except ClientError as error:
                    status = _status(error)
                    if status == 412 or (status == 409 and tries == 1):
                        there, found = self.get(name)
                        return found if there == data else None
                    if status != 409:  # two conditional puts at one time: ask again
                        raise
        raise AssertionError(name)  # the last try returns or raises

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects, one after the other in this order."""
        for name in names:
            with self._asked(name) as place:
                self.client.delete_object(**place)


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _bucket(settings: Settings) -> _Bucket:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return _opened(str(settings.remote), endpoint, os.getpid())


@lru_cache(maxsize=4)
def _opened(remote: str, endpoint: str | None, _process: int) -> _Bucket:
    """A client of this process: connections do not outlive a fork."""
    try:
        import botocore.session
        from botocore.config import Config
    except ImportError as error:
        raise LightwellError("a data home on s3:// needs the extra: pip install 'lightwell[many-machines]'") from error
    style = {"addressing_style": "path"} if endpoint else {}  # hosts of one's own seldom have a name for each bucket
    config = Config(s3=style, connect_timeout=10, read_timeout=60, max_pool_connections=4 * _AT_ONCE)
    return _Bucket(remote, botocore.session.get_session().create_client("s3", config=config))


def _each(do: Callable[..., object], many: Iterable[tuple[Any, ...]]) -> None:
    """Call for each tuple of arguments, several at once; the first error is raised when those under way are done."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            for waiting in [pool.submit(do, *arguments) for arguments in many]:
                waiting.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


# ------------------------------------------------------------------------------------------------------------- session


@dataclass(frozen=True, slots=True)
class _Pointer:
    """What `current.json` says, and its ETag. All is empty where nothing was published yet."""

    etag: str | None = None
    current: str | None = None
    releases: tuple[tuple[str, str], ...] = ()  # id, sha256 of its contents.json; the newest publication first

    @property
    def kept(self) -> dict[str, str]:
        """The sha256 of contents.json by release id."""
        return dict(self.releases)


@dataclass(slots=True)
class _Session:
    """One `synced` block: what the store held when it began."""

    settings: Settings
    bucket: _Bucket
    known: set[str]  # documents, ledger lines and readings that need no handing over
    pointer: _Pointer
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


def look(settings: Settings, *, whole: bool = True) -> None:
    """Take in the current release, and the manifests of the others; of all the manifests where it is not `whole`.

    Cheap where nothing has changed: one small object is read. Offline, the release taken in last does.
    """
    if settings.remote is None or _open_session(settings) is not None:
        return
    if settings.offline and settings.database.exists():
        return
    with archive.writing(settings):
        _claim(settings)
        with _locked(settings):
            _take_releases(settings, _bucket(settings), whole=whole)


def take_document(settings: Settings, document_id: str) -> None:
    """Take in one document, if the store has it and this machine does not."""
    if settings.remote is None or not re.fullmatch("[0-9a-f]{64}", document_id):
        return
    bucket = _bucket(settings)
    with archive.writing(settings):
        _claim(settings)
        for name in bucket.names(f"archive/{document_id[:2]}/{document_id}"):
            if _DOCUMENT.fullmatch(name) and not (settings.home / name).is_file():
                bucket.download(name, document_id, settings.home / name)


def _take_in(settings: Settings) -> _Session:
    bucket = _bucket(settings)
    with archive.writing(settings):
        _claim(settings)
        known = set(bucket.names("ledger/"))  # before the documents that the lines name
        known |= {*bucket.names("archive/"), *bucket.names("figures/")}
        refused = {*_take_documents(settings, bucket, known), *_take_figures(settings, bucket, known)}
        refused |= _take_ledgers(settings, bucket, known)
        with _locked(settings):
            pointer = _take_releases(settings, bucket)
            waiting = _take_waiting(settings, bucket, pointer)
    return _Session(settings, bucket, known - refused, pointer, waiting)


def _hand_over(session: _Session) -> None:
    with archive.writing(session.settings):
        lines = _new_lines(session)  # before the documents are listed: each is stored before its line is written
        _hand_over_documents(session)
        _each(session.bucket.put, lines)
        _hand_over_figures(session)
        with _locked(session.settings):
            _hand_over_waiting(session)


def _claim(settings: Settings) -> None:
    """Refuse a folder that is the copy of another store: what it holds must not get into this one."""
    settings.home.mkdir(parents=True, exist_ok=True)
    path = settings.home / _ORIGIN
    if not path.exists():
        _write(path, f"{settings.remote}\n".encode())
    elif (origin := path.read_text(encoding="utf-8").strip()) != settings.remote:
        raise LightwellError(f"{settings.home} is the copy of {origin}, not of {settings.remote}: set LIGHTWELL_CACHE")


@contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    """No other process of this machine publishes meanwhile, or takes in releases; see warehouse.publish."""
    settings.releases.mkdir(parents=True, exist_ok=True)
    with (settings.releases / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# ------------------------------------------------------------------------------------- documents, ledgers, readings


def _take_documents(settings: Settings, bucket: _Bucket, known: set[str]) -> set[str]:
    wanted = [(n, m[1]) for n in sorted(known) if (m := _DOCUMENT.fullmatch(n)) and not (settings.home / n).is_file()]
    if wanted:
        _log.info("taking in %d documents of %s", len(wanted), bucket.remote)
    return _take_files([(name, sha256, settings.home / name) for name, sha256 in wanted], bucket)


def _take_figures(settings: Settings, bucket: _Bucket, known: set[str]) -> set[str]:
    read = {m[1]: m for n in sorted(known) if (m := _FIGURES.fullmatch(n))}
    return _take_files(
        [(m[0], m[2], settings.home / path) for path, m in read.items() if not (settings.home / path).is_file()], bucket
    )


def _take_files(wanted: list[tuple[str, str, Path]], bucket: _Bucket) -> set[str]:
    """Download objects that are named by their sha256. Those that are damaged are left out and returned."""
    refused = set()

    def take(name: str, sha256: str, to: Path) -> None:
        try:
            bucket.download(name, sha256, to)
        except _DamagedError as error:
            _log.warning("refused: %s", error)
            refused.add(name)

    _each(take, wanted)
    return refused


def _line_name(source_id: str, at: datetime, line: bytes) -> str:
    return f"ledger/{source_id}/{at:%Y%m%dT%H%M%S.%f}Z-{hashlib.sha256(line).hexdigest()}.json"


def _take_ledgers(settings: Settings, bucket: _Bucket, known: set[str]) -> set[str]:
    held = {_line_name(*line) for line in archive.ledger_lines(settings)}
    wanted = [(n, m[1], m[2]) for n in sorted(known - held) if (m := _LINE.fullmatch(n))]
    lines: dict[str, list[bytes]] = {source_id: [] for _, source_id, _ in wanted}
    for name in held:
        lines.setdefault(name.split("/")[1], [])  # our own lines too stand in order afterwards
    refused = set()

    def take(name: str, source_id: str, sha256: str) -> None:
        try:
            lines[source_id].append(bucket.get(name, sha256)[0])
        except _DamagedError as error:
            _log.warning("refused: %s", error)
            refused.add(name)

    _each(take, wanted)
    for source_id, new in lines.items():
        archive.take_lines(settings, source_id, new)
    return refused


def _hand_over_documents(session: _Session) -> None:
    new = []
    for path in sorted(session.settings.archive.glob("[0-9a-f][0-9a-f]/*")):
        name = path.relative_to(session.settings.home).as_posix()
        if name in session.known or not (match := _DOCUMENT.fullmatch(name)):
            continue
        if _sha256(path) == match[1]:
            new.append((name, path))
        else:
            _log.warning("%s no longer has its sha256 and is not handed over: `lightwell doctor` says more", path)
    _each(session.bucket.upload, new)


def _new_lines(session: _Session) -> list[tuple[str, bytes]]:
    named = [(_line_name(*line), line[2]) for line in archive.ledger_lines(session.settings)]
    return [(name, line) for name, line in named if name not in session.known]


def _hand_over_figures(session: _Session) -> None:
    held = {name.rpartition("/")[0] for name in session.known}
    new = []
    for path in sorted(session.settings.figures.glob("[0-9a-f][0-9a-f]/*.json")):
        name = path.relative_to(session.settings.home).as_posix()
        if name not in held:
            data = path.read_bytes()
            new.append((f"{name}/{hashlib.sha256(data).hexdigest()}", data))
    _each(session.bucket.put, new)


# ------------------------------------------------------------------------------------------------------------ releases


def _read_pointer(bucket: _Bucket) -> _Pointer:
    try:
        data, etag = bucket.get(POINTER)
    except _AbsentError:
        return _Pointer()
    try:
        said = json.loads(data)
        releases = tuple((str(release_id), str(sha256)) for release_id, sha256 in said["releases"])
        pointer = _Pointer(etag, str(said["current"]), releases)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{bucket.remote}/{POINTER} is not what Lightwell writes ({error!r})") from error
    if pointer.current not in pointer.kept or not all(_NAME.fullmatch(release_id) for release_id in pointer.kept):
        raise StoreError(f"{bucket.remote}/{POINTER} names no release, or one that has no name")
    return pointer


def _take_releases(settings: Settings, bucket: _Bucket, *, whole: bool = True) -> _Pointer:
    """All of the current release and the manifests of the others; the link leads to it, and what is gone goes."""
    pointer = _read_pointer(bucket)
    while True:
        try:
            for release_id, sha256 in pointer.releases:
                _take_kept(settings, release_id, sha256, bucket, whole=whole and release_id == pointer.current)
            break
        except _AbsentError:
            before, pointer = pointer, _read_pointer(bucket)
            if before == pointer:  # else it was pruned while we looked
                raise
    _link(settings, pointer.current)
    for folder in settings.releases.glob(f"[!.]*/{CONTENTS}"):
        if folder.parent.name not in pointer.kept:
            doomed = folder.parent.rename(settings.releases / f".removing-{folder.parent.name}")
            shutil.rmtree(doomed, ignore_errors=True)
    return pointer


def _take_kept(settings: Settings, release_id: str, sha256: str, bucket: _Bucket, *, whole: bool) -> None:
    wanted = None if whole else {_MANIFEST}
    try:
        _take_release(settings.releases / release_id, f"releases/{release_id}", sha256, bucket, wanted)
    except _DamagedError as error:
        if whole:
            raise StoreError(f"{error}; or go back to another release: lightwell rollback") from error
        _log.warning("refused: %s", error)


def _take_release(folder: Path, prefix: str, sha256: str, bucket: _Bucket, wanted: set[str] | None = None) -> None:
    """The files of a release that are missing, or those wanted. Its `contents.json` says that what is there is sound:
    without it, what stands there is what a run that was stopped has left, and is looked at byte by byte."""
    path = folder / CONTENTS
    known = path.is_file() and _sha256(path) == sha256
    data = path.read_bytes() if known else bucket.get(f"{prefix}/{sha256}/{CONTENTS}", sha256)[0]
    missing = []
    for name, file in _files(data, prefix).items():
        at = folder / name
        if not known and at.is_file() and _sha256(at) != file["sha256"]:
            at.unlink()
        if not at.is_file() and (wanted is None or name in wanted):
            missing.append((f"{prefix}/{file['sha256']}/{name}", file["sha256"], at))
    _each(bucket.download, missing)
    if not known:
        _write(path, data)


def _files(contents: bytes, of: str) -> Files:
    try:
        files: Files = json.loads(contents)["files"]
        if all(_NAME.fullmatch(name) and re.fullmatch("[0-9a-f]{64}", file["sha256"]) for name, file in files.items()):
            return files
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise StoreError(f"{of}/{CONTENTS} is not what Lightwell writes")


def _link(settings: Settings, release_id: str | None) -> None:
    """Let the link of the copy lead to a release, as `warehouse.publish` does, or nowhere while none is published."""
    link = settings.database
    if release_id is None:
        if link.is_symlink():
            link.unlink()
        return
    target = (settings.releases / release_id / link.name).relative_to(link.parent)
    if link.is_symlink() and link.readlink() == target:
        return
    if link.exists() and not link.is_symlink():
        raise BuildError(f"{link} is a file, not the link to a release: move it away")
    temporary = link.with_name(f".{link.name}.taken")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)


def publish(settings: Settings, release_id: str, folder: Path) -> None:
    """Make the release that stands in `folder`, or is kept, the current one of all machines.

    Nothing is visible before the pointer is replaced. Done again, it changes nothing. A home on this machine needs
    nothing. Raises OvertakenError where another machine has published since what a new release is made of was taken in.
    """
    if settings.remote is None:
        return
    bucket, session = _bucket(settings), _open_session(settings)
    before = now = _read_pointer(bucket)
    if before.current != release_id:
        if release_id not in before.kept and before.etag != _seen_by(folder, session):
            raise _overtaken(before)
        now = _replaced(settings, release_id, folder, before, bucket)
    if session is not None:
        session.pointer = now
    _take_release(folder, f"releases/{release_id}", now.kept[release_id], bucket)
    _tidy(before, now, bucket)


def _seen_by(folder: Path, session: _Session | None) -> str | None:
    """The ETag of the pointer when the release was built: a build that was set aside remembers it."""
    if session is None:
        raise BuildError("a new release is published to object storage only within store.synced(settings)")
    path = folder / CONTENTS
    noted: dict[str, str | None] = json.loads(path.read_bytes()) if path.is_file() else {}
    return noted.get("after", session.pointer.etag)


def _replaced(settings: Settings, release_id: str, folder: Path, before: _Pointer, bucket: _Bucket) -> _Pointer:
    """Replace the pointer by one that names this release; a new one is uploaded first."""
    kept = before.kept
    if release_id not in kept:
        kept = {release_id: _upload_release(folder, f"releases/{release_id}", bucket), **kept}
    newest = list(kept.items())[: max(settings.keep_releases, 1)]
    if release_id not in dict(newest):  # an old one that is gone back to
        newest.append((release_id, kept[release_id]))
    said = {"current": release_id, "releases": newest, "set_at": datetime.now(UTC).isoformat()}
    _refuse_unconditional(bucket)
    etag = bucket.replace(POINTER, json.dumps(said, indent=2).encode() + b"\n", before.etag)
    now = _read_pointer(bucket) if etag is None else _Pointer(etag, release_id, tuple(newest))
    if now.current == release_id:
        return now
    if release_id not in now.kept:
        bucket.delete(bucket.names(f"releases/{release_id}/"))
    raise _overtaken(now)


def _overtaken(now: _Pointer) -> OvertakenError:
    return OvertakenError(
        f"another machine published meanwhile (current is {now.current}); nothing was published: run it again"
    )


def _refuse_unconditional(bucket: _Bucket) -> None:
    """Storage that takes a conditional put and forgets the condition would let one release undo another, unseen."""
    bucket.put("probe", b"first")
    for etag in (None, '"00000000000000000000000000000000"'):
        if bucket.replace("probe", b"second", etag) is not None:
            raise StoreError(f"{bucket.remote}: this storage ignores If-Match or If-None-Match on a put; use another")


def _upload_release(folder: Path, prefix: str, bucket: _Bucket) -> str:
    """Upload a release's files, then what lists them; the sha256 of that."""
    data = json.dumps({"files": _listed(folder)}, indent=2, sort_keys=True).encode() + b"\n"
    _each(
        bucket.upload, [(f"{prefix}/{f['sha256']}/{name}", folder / name) for name, f in _files(data, prefix).items()]
    )
    sha256 = hashlib.sha256(data).hexdigest()
    bucket.put(f"{prefix}/{sha256}/{CONTENTS}", data)
    return sha256


def _listed(folder: Path) -> Files:
    paths = [p for p in sorted(folder.iterdir()) if _NAME.fullmatch(p.name) and p.name != CONTENTS]
    return {p.name: {"sha256": _sha256(p), "bytes": p.stat().st_size} for p in paths}


def _tidy(before: _Pointer, now: _Pointer, bucket: _Bucket) -> None:
    """Remove what the pointer no longer names; what it never named, when it is a day old: it may be on its way."""
    try:
        kept, old = now.kept, datetime.now(UTC) - _A_DAY
        for place in ("releases", "exports"):
            found = bucket.names(f"{place}/")
            gone = {n: n.split("/")[1] for n in found if n.split("/")[1] not in kept}
            bucket.delete(n for n, release_id in gone.items() if release_id in before.kept or found[n] < old)
        bucket.delete(n for n in bucket.names("waiting/") if n.split("/")[1] in kept)
    except StoreError as error:
        _log.warning("old releases could not be removed, the next publication tries again: %s", error)


# ------------------------------------------------------------------------------------------------------ set aside


def _take_waiting(settings: Settings, bucket: _Bucket, pointer: _Pointer) -> set[str]:
    """The builds that wait for their audit or publication; the manifest comes last, without which it is none."""
    found = {n.split("/")[1] for n in bucket.names("waiting/")}
    published, taken = found & set(pointer.kept), set()
    for release_id in filter(_NAME.fullmatch, found - published):
        folder, prefix = settings.releases / f"{_HELD}{release_id}", f"waiting/{release_id}"
        try:
            data, _ = bucket.get(f"{prefix}/{CONTENTS}")
            files = _files(data, prefix)
            for name in sorted(files, key=lambda name: name == _MANIFEST):
                if not (folder / name).is_file():
                    bucket.download(f"{prefix}/{files[name]['sha256']}/{name}", files[name]["sha256"], folder / name)
        except _AbsentError:  # published or refused while we looked, or half handed over
            continue
        _write(folder / CONTENTS, data)
        taken.add(release_id)
    for path in settings.releases.glob(f"{_HELD}*/{CONTENTS}"):
        if path.parent.name.removeprefix(_HELD) not in taken:
            _remove_unused(path.parent)
    return taken | published  # whoever published these was stopped before it removed them


def _remove_unused(folder: Path) -> None:
    """Remove a build that another machine has published or refused, unless a process of this one is at it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    except BlockingIOError:
        _log.info("%s is in use and stays until the next run", folder)
    finally:
        os.close(descriptor)


def _hand_over_waiting(session: _Session) -> None:
    settings, bucket = session.settings, session.bucket
    held = {p.parent.name.removeprefix(_HELD): p.parent for p in settings.releases.glob(f"{_HELD}*/{_MANIFEST}")}
    for release_id, folder in held.items():
        path, prefix = folder / CONTENTS, f"waiting/{release_id}"
        noted = json.loads(path.read_bytes()) if path.is_file() else {"after": session.pointer.etag, "files": {}}
        if {n: f["bytes"] for n, f in noted["files"].items()} == _sizes(folder):
            continue
        files = _listed(folder)
        _each(bucket.upload, [(f"{prefix}/{f['sha256']}/{n}", folder / n) for n, f in files.items()])
        data = json.dumps({**noted, "files": files}, indent=2, sort_keys=True).encode() + b"\n"
        bucket.put(f"{prefix}/{CONTENTS}", data)
        _write(path, data)
    for release_id in session.waiting - set(held):
        names = bucket.names(f"waiting/{release_id}/")
        bucket.delete(sorted(names, key=lambda name: not name.endswith(f"{release_id}/{CONTENTS}")))


def _sizes(folder: Path) -> dict[str, int]:
    return {p.name: p.stat().st_size for p in folder.iterdir() if _NAME.fullmatch(p.name) and p.name != CONTENTS}


def hand_over_export(settings: Settings, files: Iterable[Path]) -> None:
    """Put the exported files of a release beside it, `datapackage.json`, which describes them, last. A home on this
    machine needs nothing."""
    if settings.remote is None:
        return
    bucket = _bucket(settings)
    with archive.writing(settings):
        *data, descriptor = sorted(files, key=lambda path: path.suffix == ".json")
        place = f"exports/{json.loads(descriptor.read_bytes())['version']}"
        _each(bucket.upload, [(f"{place}/{path.name}", path) for path in data])
        bucket.upload(f"{place}/{descriptor.name}", descriptor)


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    temporary.write_bytes(data)
    temporary.replace(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
