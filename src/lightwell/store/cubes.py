"""Cubes of statements on object storage: reduced by any machine, added up by any other.

A dump's object `statements/dumps/DUMP.json` holds its receipt, word for word, and lists its cubes' files. It is put
last, and replaced on condition that no other machine has reduced the dump meanwhile. Files that a corrected dump's
cubes took the place of stay: they are small, and another machine may be reading them.

`statements/.store/DUMP.json` of the copy is what was seen last of that object, and the lock under which the dump's
cubes are changed on this machine.
"""

import fcntl
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TextIO

from lightwell import archive
from lightwell.errors import StoreError
from lightwell.settings import Settings
from lightwell.store.bucket import AbsentError, Bucket, bucket_of, each
from lightwell.store.copy import claim, sha256_of, write

_log = logging.getLogger(__name__)
_PLACE = "statements/dumps/"
_DUMP = re.compile(r"\w[\w.-]*", re.ASCII)
_FILE = re.compile(r"day=[0-9-]{10}/platform=[^/\0]+/([\w.-]+)\.(?:activity|minors)\.parquet", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Said:
    """What the store says of a dump: its receipt, and the sha256 of each file of its cubes by the path in the home."""

    etag: str
    receipt: str
    files: dict[str, str]


@contextmanager
def _alone(settings: Settings, dump: str, *, wait: bool) -> Iterator[TextIO]:
    """The note of what was seen last, while no other process of this machine changes the dump's cubes.

    Raises BlockingIOError where one does and it is not waited for.
    """
    path = _folder(settings) / ".store" / f"{dump}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as note:
        fcntl.flock(note, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield note


def _noted(note: TextIO) -> _Said | None:
    note.seek(0)
    try:
        return _Said(**json.loads(note.read()))
    except (ValueError, TypeError):  # nothing was seen yet, or the note was torn: the store says it again
        return None


def _keep(note: TextIO, said: _Said | None) -> None:
    note.seek(0)
    note.truncate()
    if said is not None:
        json.dump({"etag": said.etag, "receipt": said.receipt, "files": said.files}, note)
    note.flush()


# -------------------------------------------------------------------------------------------------------------- reduce


@contextmanager
def reduction(settings: Settings, dump: str) -> Iterator[None]:
    """Take in the receipt of a dump, let the dump be reduced, and hand its cubes and then its receipt over.

    A home on this machine needs nothing. After an error nothing is handed over. Raises StoreError, and leaves the
    other's cubes alone, where another machine has reduced the dump meanwhile; run again, its receipt is found.
    """
    if settings.remote is None:
        yield
        return
    bucket = bucket_of(settings)
    with archive.writing(settings):
        claim(settings)
    with _alone(settings, dump, wait=True) as note:
        with archive.writing(settings):
            seen = _asked(bucket, dump)
            _adopt(settings, dump, seen, note)
        yield
        with archive.writing(settings):
            _keep(note, _hand_over(settings, dump, seen, bucket))


def _hand_over(settings: Settings, dump: str, seen: _Said | None, bucket: Bucket) -> _Said | None:
    receipt = _receipt(settings, dump)
    if receipt is None or (seen is not None and seen.receipt == receipt):
        return seen
    paths = {path.relative_to(_folder(settings)).as_posix(): path for path in _files(settings, dump)}
    files = {name: sha256_of(path) for name, path in paths.items()}
    if sum(name.endswith(".activity.parquet") for name in files) != json.loads(receipt)["platforms"]:
        raise StoreError(
            f"cubes of {dump} are missing from {_folder(settings)}: remove its receipt, and reduce it again"
        )
    held = set(seen.files.values()) if seen is not None else set()
    each(bucket.upload, [(_object(dump, sha256), paths[name]) for name, sha256 in files.items() if sha256 not in held])
    data = json.dumps({"receipt": receipt, "files": files}, indent=2, sort_keys=True).encode() + b"\n"
    etag = bucket.replace(f"{_PLACE}{dump}.json", data, seen.etag if seen is not None else None)
    if etag is None:
        raise StoreError(f"another machine has reduced {dump} meanwhile, and its cubes stay: run it again")
    return _Said(etag, receipt, files)


# ------------------------------------------------------------------------------------------------------------- take in


def take_receipts(settings: Settings) -> None:
    """Take in the receipts of all dumps that any machine has reduced; a home on this machine needs nothing.

    One that was removed from the store, so that its dump is reduced again, is removed here too. What this machine has
    reduced and no other knows of is handed over.
    """
    _take_all(settings, whole=False)


def take_cubes(settings: Settings) -> None:
    """Take in receipts, as `take_receipts` does, and all the cubes that they say there are."""
    _take_all(settings, whole=True)


def _take_all(settings: Settings, *, whole: bool) -> None:
    if settings.remote is None:
        return
    bucket = bucket_of(settings)
    with archive.writing(settings):
        claim(settings)
        places = {name.removeprefix(_PLACE).removesuffix(".json"): etag for name, etag in bucket.etags(_PLACE).items()}
        held = {path.stem for path in (_folder(settings) / "dumps").glob("*.json")}
        dumps = sorted(filter(_DUMP.fullmatch, held | places.keys()))
        each(_take, [(settings, dump, places.get(dump), bucket, whole) for dump in dumps])


def _take(settings: Settings, dump: str, etag: str | None, bucket: Bucket, whole: bool) -> None:
    """Take in one dump, unless another process of this machine is at it."""
    try:
        with _alone(settings, dump, wait=False) as note:
            said = _brought(settings, dump, etag, bucket, note)
            if whole and said is not None:
                missing = [(s, _folder(settings) / n) for n, s in said.files.items()]
                each(bucket.download, [(_object(dump, s), s, to) for s, to in missing if not to.is_file()])
    except BlockingIOError:
        _log.info("%s is being reduced on this machine and is left as it is", dump)


def _brought(settings: Settings, dump: str, etag: str | None, bucket: Bucket, note: TextIO) -> _Said | None:
    """What the store says of a dump, after the copy was brought to it. What only this machine has is handed over."""
    said = _noted(note)
    if etag is None and said is None:
        said = _hand_over(settings, dump, None, bucket)
        _keep(note, said)
    elif said is None or said.etag != etag or said.receipt != _receipt(settings, dump):
        said = _asked(bucket, dump)
        _adopt(settings, dump, said, note)
    return said


def _asked(bucket: Bucket, dump: str) -> _Said | None:
    """What the store says of a dump now; None where no machine has reduced it."""
    name = f"{_PLACE}{dump}.json"
    try:
        data, etag = bucket.get(name)
    except AbsentError:
        return None
    try:
        said = json.loads(data)
        files = {str(path): str(sha256) for path, sha256 in said["files"].items()}
        if all((m := _FILE.fullmatch(path)) and m[1] == dump for path in files):
            return _Said(etag, str(said["receipt"]), files)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise StoreError(f"{bucket.remote}/{name} is not what Lightwell writes: remove it, and the dump is reduced again")


def _adopt(settings: Settings, dump: str, said: _Said | None, note: TextIO) -> None:
    """Let the copy hold what the store says, or, where it no longer says anything, nothing."""
    receipt = _receipt(settings, dump)
    known = _noted(note) is not None
    if receipt is not None and (said.receipt != receipt if said is not None else known):
        (_folder(settings) / "dumps" / f"{dump}.json").unlink()
        for path in _files(settings, dump):
            path.unlink()
        receipt = None
    if said is not None and receipt is None:
        (_folder(settings) / "dumps").mkdir(parents=True, exist_ok=True)
        write(_folder(settings) / "dumps" / f"{dump}.json", said.receipt.encode())
    _keep(note, said)


def _folder(settings: Settings) -> Path:
    return settings.home / "statements"


def _files(settings: Settings, dump: str) -> list[Path]:
    return sorted(_folder(settings).glob(f"day=*/platform=*/{escape(dump)}.*.parquet"))


def _receipt(settings: Settings, dump: str) -> str | None:
    path = _folder(settings) / "dumps" / f"{dump}.json"
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _object(dump: str, sha256: str) -> str:
    return f"statements/cubes/{dump}/{sha256}.parquet"
