"""Releases on disk: their folders and manifests, and the link that leads to the current one.

A build's folder is renamed into place once it is whole, and only then pointed at: a reader opens the old release or the
new one, never neither.
"""

import fcntl
import json
import logging
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from lightwell import store
from lightwell.disk import sync
from lightwell.errors import BuildError, OvertakenError
from lightwell.settings import Settings
from lightwell.store.copy import locked
from lightwell.warehouse.rows import as_utc

_log = logging.getLogger(__name__)

DATABASE = "lightwell.duckdb"
MANIFEST = "release.json"
_HELD = ".held-"  # a build that was set aside
_A_DAY = 24 * 60 * 60
TRIES = 5  # a release can be pruned between following the link and opening it


@dataclass(frozen=True, slots=True)
class Build:
    """A release that is built and checked but not yet published. It stays until it is published or discarded, or its
    process ends."""

    release_id: str
    folder: Path  # holds lightwell.duckdb; whatever else is put here is published with it
    built_at: datetime
    inputs_digest: str
    counts: Mapping[str, Mapping[str, int]]  # by source: documents, periods, observations, quarantined
    sources: tuple[str, ...]
    lock: int = field(repr=False, compare=False)  # descriptor that says the folder's process lives

    @property
    def database(self) -> Path:
        """The built DuckDB file."""
        return self.folder / DATABASE


@dataclass(frozen=True, slots=True)
class Release:
    """One published release, as its manifest says."""

    release_id: str
    folder: Path
    built_at: datetime
    published_at: datetime
    inputs_digest: str
    counts: Mapping[str, Mapping[str, int]]
    sources: tuple[str, ...]
    current: bool

    @property
    def database(self) -> Path:
        """The release's DuckDB file."""
        return self.folder / DATABASE


def discard(build: Build) -> None:
    """Remove a build that is not to be published."""
    if build.folder.is_dir():
        abandon(build.folder, build.lock)


def publish(build: Build, settings: Settings) -> str:
    """Make a build the current release and return its id. Older releases beyond `keep_releases` are removed.

    Whatever happens on the way, the link leads to a complete release. Raises BuildError where the build is gone or the
    disk refuses; the release published before then stays.
    """
    try:
        with locked(settings):
            if not build.database.is_file():
                raise BuildError(f"build {build.release_id} is gone or already published: run `lightwell build` again")
            _refuse_file(settings)
            _write_manifest(build)
            for path in [*build.folder.iterdir(), build.folder]:
                sync(path)
            _share(build, settings)
            folder = build.folder.rename(settings.releases / build.release_id)
            sync(settings.releases)
            _point(settings, folder)
            os.close(build.lock)
            _prune(settings)
    except OSError as error:
        raise BuildError(f"release {build.release_id} could not be published: {error}") from error
    return build.release_id


def _share(build: Build, settings: Settings) -> None:
    try:
        store.publish(settings, build.release_id, build.folder)
    except OvertakenError:
        discard(build)
        raise


def set_aside(build: Build, settings: Settings) -> str:
    """Let a build outlive its process, for another to check and publish it, and return its id.

    What was set aside more than a day ago and never published is removed. Raises BuildError where the disk refuses.
    """
    try:
        with locked(settings):
            for folder in settings.releases.glob(f"{_HELD}*"):
                if time.time() - folder.stat().st_mtime > _A_DAY:
                    shutil.rmtree(folder)
            _write_manifest(build)
            for path in [*build.folder.iterdir(), build.folder]:
                sync(path)
            build.folder.rename(settings.releases / f"{_HELD}{build.release_id}")
            os.close(build.lock)
            sync(settings.releases)
    except OSError as error:
        raise BuildError(f"build {build.release_id} could not be set aside: {error}") from error
    return build.release_id


def held(settings: Settings, inputs_digest: str) -> str | None:
    """The id of the newest build that was set aside and made of these inputs; None where there is none."""
    found = [
        read_release_manifest(path.parent, current=False) for path in settings.releases.glob(f"{_HELD}*/{MANIFEST}")
    ]
    same = [r for r in found if r.inputs_digest == inputs_digest]
    return max(same, key=lambda r: (r.built_at, r.release_id)).release_id if same else None


def take_up(settings: Settings, release_id: str) -> Build:
    """A build that was set aside; no other process takes it up until this one publishes, discards or ends.

    Raises BuildError where there is none of this id: discarded, published, or never set aside.
    """
    folder = settings.releases / f"{_HELD}{release_id}"
    gone = f"build {release_id} is gone: it was published, refused, or built more than a day ago; build anew"
    try:
        lock = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        raise BuildError(gone) from None
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not (folder / MANIFEST).is_file():
        os.close(lock)
        raise BuildError(gone)
    made = read_release_manifest(folder, current=False)
    return Build(release_id, folder, made.built_at, made.inputs_digest, made.counts, made.sources, lock)


def put_back(build: Build) -> None:
    """Leave a build that was taken up to another process."""
    os.close(build.lock)


def publish_held(settings: Settings, release_id: str) -> None:
    """Publish a build that was set aside. Doing it again, or after a crash on the way, ends in the same release."""
    try:
        publish(take_up(settings, release_id), settings)
    except BuildError:
        if not (settings.releases / release_id / MANIFEST).is_file():
            raise
        with locked(settings):  # it was published before, and perhaps not yet pointed at
            if _kept(settings)[0].release_id == release_id and _pointed_at(settings) != release_id:
                store.publish(settings, release_id, settings.releases / release_id)
                _point(settings, settings.releases / release_id)


def releases(settings: Settings) -> list[Release]:
    """Every release kept, newest publication first."""
    store.look(settings)
    return _kept(settings)


def _kept(settings: Settings) -> list[Release]:
    pointed, found = _pointed_at(settings), []
    for path in settings.releases.glob(f"[!.]*/{MANIFEST}"):
        try:
            found.append(read_release_manifest(path.parent, current=path.parent.name == pointed))
        except BuildError:
            if path.exists():  # else it was pruned while we looked
                raise
    return sorted(found, key=lambda r: (r.published_at, r.release_id), reverse=True)


def current(settings: Settings) -> Release | None:
    """The published release, or None where nothing is published. Cheap: only the manifest is read."""
    store.look(settings)
    for _ in range(TRIES):
        pointed = _pointed_at(settings)
        if pointed is None:
            return None
        try:
            return read_release_manifest(settings.releases / pointed, current=True)
        except BuildError:
            if (settings.releases / pointed).is_dir():
                raise
    return None


def read_release_manifest(folder: Path, *, current: bool) -> Release:
    """What `release.json` says. Raises BuildError where it cannot be read."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        return Release(
            release_id=manifest["release_id"],
            folder=folder,
            built_at=datetime.fromisoformat(manifest["built_at"]),
            published_at=datetime.fromisoformat(manifest["published_at"]),
            inputs_digest=manifest["inputs_digest"],
            counts=manifest["counts"],
            sources=tuple(manifest["sources"]),
            current=current,
        )
    except (OSError, ValueError, KeyError) as error:
        raise BuildError(f"{path} is not a release's manifest ({error!r}): remove {folder}") from error


def rollback(settings: Settings, release_id: str | None = None) -> Release:
    """Make an earlier release the current one: the named one, or the one published before the current.

    Raises BuildError, with the ids there are, where there is none to go back to.
    """
    store.look(settings, whole=False)
    try:
        with locked(settings):
            _refuse_file(settings)
            kept = _kept(settings)
            chosen = _chosen(kept, release_id)
            if chosen is None:
                wanted = f"no release {release_id!r}" if release_id else "no release before the current one"
                raise BuildError(f"{wanted}; kept are: {', '.join(r.release_id for r in kept) or 'none'}")
            store.publish(settings, chosen.release_id, chosen.folder)
            _point(settings, chosen.folder)
    except OSError as error:
        raise BuildError(f"the current release could not be changed: {error}") from error
    return replace(chosen, current=True)


def _chosen(kept: Sequence[Release], release_id: str | None) -> Release | None:
    if release_id is not None:
        return next((r for r in kept if r.release_id == release_id), None)
    after = next((i + 1 for i, r in enumerate(kept) if r.current), 0)
    return next(iter(kept[after:]), None)


def claim(settings: Settings, release_id: str) -> tuple[Path, int]:
    """A folder for a new build, and the descriptor whose lock says that its process lives."""
    folder = settings.releases / f".building-{release_id}"
    try:
        with locked(settings):
            _sweep(settings)
            folder.mkdir()
            lock = os.open(folder, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise BuildError(f"the release could not be begun: {error}") from error
    return folder, lock


def _sweep(settings: Settings) -> None:
    """Remove what dead processes left. A living build holds its folder's lock."""
    for folder in [*settings.releases.glob(".building-*"), *settings.releases.glob(".removing-*")]:
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # discarded by its own process just now
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)


def abandon(folder: Path, lock: int) -> None:
    """Remove a build's folder and let go of its lock."""
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def _write_manifest(build: Build) -> None:
    manifest = {
        "release_id": build.release_id,
        "built_at": as_utc(build.built_at).isoformat(),
        "published_at": datetime.now(UTC).isoformat(),
        "inputs_digest": build.inputs_digest,
        "counts": build.counts,
        "sources": build.sources,
    }
    (build.folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _point(settings: Settings, folder: Path) -> None:
    link = settings.database
    temporary = link.with_name(f".{link.name}.next")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to((folder / DATABASE).relative_to(link.parent))
    temporary.replace(link)
    sync(link.parent)


def _refuse_file(settings: Settings) -> None:
    if settings.database.exists() and not settings.database.is_symlink():
        raise BuildError(f"{settings.database} is a file, not the link to a release: move it away")


def _pointed_at(settings: Settings) -> str | None:
    return settings.database.readlink().parent.name if settings.database.is_symlink() else None


def _prune(settings: Settings) -> None:
    for release in _kept(settings)[max(settings.keep_releases, 1) :]:
        if not release.current:
            doomed = release.folder.rename(settings.releases / f".removing-{release.release_id}")
            try:
                shutil.rmtree(doomed)
            except OSError as error:
                _log.warning("release %s could not be removed, the next build tries again: %s", doomed, error)
