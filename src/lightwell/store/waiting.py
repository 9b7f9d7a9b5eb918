"""Builds set aside on object storage: built by one machine, audited by a second, published by a third."""

import fcntl
import json
import logging
import os
import shutil
from pathlib import Path

from lightwell.settings import Settings
from lightwell.store.bucket import AbsentError, Bucket, each
from lightwell.store.copy import write
from lightwell.store.releases import CONTENTS, MANIFEST, NAME, Pointer, files_of, listed

_log = logging.getLogger(__name__)
_HELD = ".held-"  # a build that was set aside, see warehouse.set_aside


def take(settings: Settings, bucket: Bucket, pointer: Pointer) -> set[str]:
    """The builds that wait for their audit or publication; the manifest comes last, without which it is none."""
    found = {n.split("/")[1] for n in bucket.names("waiting/")}
    published, taken = found & set(pointer.kept), set()
    for release_id in filter(NAME.fullmatch, found - published):
        folder, prefix = settings.releases / f"{_HELD}{release_id}", f"waiting/{release_id}"
        try:
            data, _ = bucket.get(f"{prefix}/{CONTENTS}")
            files = files_of(data, prefix)
            for name in sorted(files, key=lambda name: name == MANIFEST):
                if not (folder / name).is_file():
                    bucket.download(f"{prefix}/{files[name]['sha256']}/{name}", files[name]["sha256"], folder / name)
        except AbsentError:  # published or refused while we looked, or half handed over
            continue
        write(folder / CONTENTS, data)
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


def hand_over(settings: Settings, bucket: Bucket, known: set[str], etag: str | None) -> None:
    """Hand over the builds that were set aside, and remove those known ones that were published or refused since.

    `etag` is that of the pointer when the documents they were made of were taken in.
    """
    held = {p.parent.name.removeprefix(_HELD): p.parent for p in settings.releases.glob(f"{_HELD}*/{MANIFEST}")}
    for release_id, folder in held.items():
        path, prefix = folder / CONTENTS, f"waiting/{release_id}"
        noted = json.loads(path.read_bytes()) if path.is_file() else {"after": etag, "files": {}}
        if {n: f["bytes"] for n, f in noted["files"].items()} == _sizes(folder):
            continue
        files = listed(folder)
        each(bucket.upload, [(f"{prefix}/{f['sha256']}/{n}", folder / n) for n, f in files.items()])
        data = json.dumps({**noted, "files": files}, indent=2, sort_keys=True).encode() + b"\n"
        bucket.put(f"{prefix}/{CONTENTS}", data)
        write(path, data)
    for release_id in known - set(held):
        names = bucket.names(f"waiting/{release_id}/")
        bucket.delete(sorted(names, key=lambda name: not name.endswith(f"{release_id}/{CONTENTS}")))


def _sizes(folder: Path) -> dict[str, int]:
    return {p.name: p.stat().st_size for p in folder.iterdir() if NAME.fullmatch(p.name) and p.name != CONTENTS}
