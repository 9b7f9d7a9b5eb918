"""This machine's copy of a data home on object storage."""

import fcntl
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightwell.errors import LightwellError
from lightwell.settings import Settings

_ORIGIN = ".store"  # says which store a folder is the copy of


def claim(settings: Settings) -> None:
    """Refuse a folder that is the copy of another store: what it holds must not get into this one."""
    settings.home.mkdir(parents=True, exist_ok=True)
    path = settings.home / _ORIGIN
    if not path.exists():
        write(path, f"{settings.remote}\n".encode())
    elif (origin := path.read_text(encoding="utf-8").strip()) != settings.remote:
        raise LightwellError(f"{settings.home} is the copy of {origin}, not of {settings.remote}: set LIGHTWELL_CACHE")


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """No other process of this machine publishes meanwhile, or takes in releases; see warehouse.publish."""
    settings.releases.mkdir(parents=True, exist_ok=True)
    with (settings.releases / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write(path: Path, data: bytes) -> None:
    """Put a file of these bytes in its place, in one step."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    temporary.write_bytes(data)
    temporary.replace(path)


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
