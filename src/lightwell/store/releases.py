"""Releases on object storage. `current.json` says which is current, and is replaced by a conditional put."""

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lightwell.errors import BuildError, OvertakenError, StoreError
from lightwell.settings import Settings
from lightwell.store.bucket import AbsentError, Bucket, DamagedError, each
from lightwell.store.copy import sha256_of, write

Files = Mapping[str, Mapping[str, Any]]  # of a release: name -> sha256 and bytes

_log = logging.getLogger(__name__)
POINTER = "current.json"
CONTENTS = "contents.json"
MANIFEST = "release.json"
NAME = re.compile(r"\w[\w.-]*", re.ASCII)  # of a release, or of a file in it: nothing that leads out of a folder
_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pointer:
    """What `current.json` says, and its ETag. All is empty where nothing was published yet."""

    etag: str | None = None
    current: str | None = None
    releases: tuple[tuple[str, str], ...] = ()  # id, sha256 of its contents.json; the newest publication first

    @property
    def kept(self) -> dict[str, str]:
        """The sha256 of contents.json by release id."""
        return dict(self.releases)


def read_pointer(bucket: Bucket) -> Pointer:
    """What is current now. Raises StoreError where the object is not what Lightwell writes."""
    try:
        data, etag = bucket.get(POINTER)
    except AbsentError:
        return Pointer()
    try:
        said = json.loads(data)
        releases = tuple((str(release_id), str(sha256)) for release_id, sha256 in said["releases"])
        pointer = Pointer(etag, str(said["current"]), releases)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{bucket.remote}/{POINTER} is not what Lightwell writes ({error!r})") from error
    if pointer.current not in pointer.kept or not all(NAME.fullmatch(release_id) for release_id in pointer.kept):
        raise StoreError(f"{bucket.remote}/{POINTER} names no release, or one that has no name")
    return pointer


def take(settings: Settings, bucket: Bucket, *, whole: bool = True) -> Pointer:
    """All of the current release and the manifests of the others; the link leads to it, and what is gone goes."""
    pointer = read_pointer(bucket)
    while True:
        try:
            for release_id, sha256 in pointer.releases:
                _take_kept(settings, release_id, sha256, bucket, whole=whole and release_id == pointer.current)
            break
        except AbsentError:
            before, pointer = pointer, read_pointer(bucket)
            if before == pointer:  # else it was pruned while we looked
                raise
    _link(settings, pointer.current)
    for folder in settings.releases.glob(f"[!.]*/{CONTENTS}"):
        if folder.parent.name not in pointer.kept:
            doomed = folder.parent.rename(settings.releases / f".removing-{folder.parent.name}")
            shutil.rmtree(doomed, ignore_errors=True)
    return pointer


def _take_kept(settings: Settings, release_id: str, sha256: str, bucket: Bucket, *, whole: bool) -> None:
    wanted = None if whole else {MANIFEST}
    try:
        take_release(settings.releases / release_id, f"releases/{release_id}", sha256, bucket, wanted)
    except DamagedError as error:
        if whole:
            raise StoreError(f"{error}; or go back to another release: lightwell rollback") from error
        _log.warning("refused: %s", error)


def take_release(folder: Path, prefix: str, sha256: str, bucket: Bucket, wanted: set[str] | None = None) -> None:
    """The files of a release that are missing, or those wanted. Its `contents.json` says that what is there is sound:
    without it, what stands there is what a run that was stopped has left, and is looked at byte by byte."""
    path = folder / CONTENTS
    known = path.is_file() and sha256_of(path) == sha256
    data = path.read_bytes() if known else bucket.get(f"{prefix}/{sha256}/{CONTENTS}", sha256)[0]
    missing = []
    for name, file in files_of(data, prefix).items():
        at = folder / name
        if not known and at.is_file() and sha256_of(at) != file["sha256"]:
            at.unlink()
        if not at.is_file() and (wanted is None or name in wanted):
            missing.append((f"{prefix}/{file['sha256']}/{name}", file["sha256"], at))
    each(bucket.download, missing)
    if not known:
        write(path, data)


def files_of(contents: bytes, of: str) -> Files:
    """The files that a `contents.json` lists. Raises StoreError where it is none, or a name leads out of the folder."""
    try:
        files: Files = json.loads(contents)["files"]
        if all(NAME.fullmatch(name) and re.fullmatch("[0-9a-f]{64}", file["sha256"]) for name, file in files.items()):
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


def seen_by(folder: Path, etag: str | None) -> str | None:
    """The pointer's ETag when a release was built: a build that was set aside remembers it, else it is that given."""
    path = folder / CONTENTS
    noted: dict[str, str | None] = json.loads(path.read_bytes()) if path.is_file() else {}
    return noted.get("after", etag)


def replaced(settings: Settings, release_id: str, folder: Path, before: Pointer, bucket: Bucket) -> Pointer:
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
    now = read_pointer(bucket) if etag is None else Pointer(etag, release_id, tuple(newest))
    if now.current == release_id:
        return now
    if release_id not in now.kept:
        bucket.delete(bucket.names(f"releases/{release_id}/"))
    raise overtaken(now)


def overtaken(now: Pointer) -> OvertakenError:
    """The error of who published second."""
    return OvertakenError(
        f"another machine published meanwhile (current is {now.current}); nothing was published: run it again"
    )


def _refuse_unconditional(bucket: Bucket) -> None:
    """Storage that takes a conditional put and forgets the condition would let one release undo another, unseen."""
    bucket.put("probe", b"first")
    for etag in (None, '"00000000000000000000000000000000"'):
        if bucket.replace("probe", b"second", etag) is not None:
            raise StoreError(f"{bucket.remote}: this storage ignores If-Match or If-None-Match on a put; use another")


def _upload_release(folder: Path, prefix: str, bucket: Bucket) -> str:
    """Upload a release's files, then what lists them; the sha256 of that."""
    data = json.dumps({"files": listed(folder)}, indent=2, sort_keys=True).encode() + b"\n"
    each(
        bucket.upload, [(f"{prefix}/{f['sha256']}/{name}", folder / name) for name, f in files_of(data, prefix).items()]
    )
    sha256 = hashlib.sha256(data).hexdigest()
    bucket.put(f"{prefix}/{sha256}/{CONTENTS}", data)
    return sha256


def listed(folder: Path) -> Files:
    """The files of a release's folder, as `contents.json` lists them."""
    paths = [p for p in sorted(folder.iterdir()) if NAME.fullmatch(p.name) and p.name != CONTENTS]
    return {p.name: {"sha256": sha256_of(p), "bytes": p.stat().st_size} for p in paths}


def tidy(before: Pointer, now: Pointer, bucket: Bucket) -> None:
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
