"""Where things are and what is allowed: the data home, the files that travel with the code, the environment."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lightwell.errors import LightwellError

_PACKAGE = Path(__file__).parent


def resource(name: str) -> Path:
    """Folder `sql`, `expectations`, `edition`, `codelists` or `sources` that travels with the code.

    An installed wheel carries them inside the package; a checkout keeps them at its top level.
    """
    inside = _PACKAGE / name
    if inside.is_dir():
        return inside
    checkout = _PACKAGE.parent.parent
    return checkout / "warehouse" / name if name == "edition" else checkout / name


def _home(env: Mapping[str, str]) -> tuple[Path, str | None]:
    """The data home on this machine, and the object storage it is a copy of, if it is."""
    named = env.get("LIGHTWELL_HOME") or "warehouse"
    remote = named.rstrip("/") if "://" in named else None
    if remote is None:
        return Path(named).expanduser().absolute(), None
    if not re.fullmatch(r"s3://[a-z0-9.-]{3,63}(/[^/?#\s]+)*", remote):
        raise LightwellError("LIGHTWELL_HOME is neither a folder nor of the form s3://BUCKET/PREFIX")
    caches = Path(env.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    name = f"{remote.rpartition('/')[2]}-{hashlib.sha256(remote.encode()).hexdigest()[:12]}"
    cache = env.get("LIGHTWELL_CACHE")
    return (Path(cache).expanduser() if cache else caches / "lightwell" / name).absolute(), remote


def _folder(named: str | None) -> Path | None:
    return Path(named).expanduser().absolute() if named else None


def _pause(env: Mapping[str, str], least: float) -> float:
    return max(float(env.get("LIGHTWELL_SECONDS_BETWEEN_REQUESTS") or least), least)


@dataclass(frozen=True, slots=True)
class Settings:
    """One run's settings. `home` is the data home; everything Lightwell writes stands below it."""

    home: Path
    extra_sources: Path | None = None  # a folder of declarations beside the packaged ones
    edition: Path = field(default_factory=lambda: resource("edition"))  # figures that a build takes in unread
    allow_private_addresses: bool = False  # for tests that run a publisher on this machine
    offline: bool = False
    seconds_between_requests: float = 1.0  # a host is asked for one thing a second at most
    connect_timeout: float = 6.0
    read_timeout: float = 60.0
    keep_releases: int = 5
    remote: str | None = None  # s3://BUCKET/PREFIX, of which `home` is this machine's copy, see store.py

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read LIGHTWELL_HOME (default ./warehouse), which may be s3://BUCKET/PREFIX with its copy on this machine in
        LIGHTWELL_CACHE (default: the user's cache folder), LIGHTWELL_SOURCES, LIGHTWELL_EDITION (default: the packaged
        one), LIGHTWELL_OFFLINE and the test switch LIGHTWELL_ALLOW_PRIVATE_ADDRESSES (which also lifts the pause
        between requests, unless LIGHTWELL_SECONDS_BETWEEN_REQUESTS sets it; without the test switch it is a second at
        least)."""
        env = os.environ if environ is None else environ
        private = env.get("LIGHTWELL_ALLOW_PRIVATE_ADDRESSES", "") == "1"
        sources, edition = (_folder(env.get(name)) for name in ("LIGHTWELL_SOURCES", "LIGHTWELL_EDITION"))
        home, remote = _home(env)
        return cls(
            home=home,
            remote=remote,
            extra_sources=sources,
            edition=edition or resource("edition"),
            allow_private_addresses=private,
            offline=env.get("LIGHTWELL_OFFLINE", "") == "1",
            seconds_between_requests=_pause(env, 0.0 if private else 1.0),
        )

    @property
    def archive(self) -> Path:
        """Documents by sha256, and the ledger."""
        return self.home / "archive"

    @property
    def figures(self) -> Path:
        """Readings, cached by (sha256, extractor version)."""
        return self.home / "figures"

    @property
    def releases(self) -> Path:
        """One folder a release."""
        return self.home / "releases"

    @property
    def database(self) -> Path:
        """The current release: a link that is swapped in one step."""
        return self.home / "lightwell.duckdb"
