"""Daily dumps of the EU's DSA Transparency Database: fetched where the publisher's SHA-1 has changed, reduced, let go.

A partition is one day of one platform. What has been done stands in `statements/dumps/*.json` of the data home, the
receipts of the reduction: a dump whose SHA-1 is the one in its receipt is not fetched again.
"""

import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lightwell.errors import DumpError, NotPublishedError
from lightwell.settings import Settings
from lightwell.source import Source

if TYPE_CHECKING:
    from lightwell.fetch import Client

FIRST = date(2023, 9, 25)  # of the database
ADDRESS = "https://transparency.dsa.ec.europa.eu/explore-data/download"
HOSTS = ("transparency.dsa.ec.europa.eu", "dsa-sor-data-dumps.s3.eu-central-1.amazonaws.com")  # of the signed links too
PLATFORMS = (
    "discord-netherlands-bv", "facebook", "instagram", "pinterest", "reddit", "snapchat", "tiktok", "twitch", "x",
    "youtube",
)  # fmt: skip # names as the database writes them in addresses; light dumps of those that minors use most
SOON = 7  # days before a partition's that are looked at again with it: late and corrected dumps
CYCLE = 60  # days in which every older partition is looked at again once
LARGEST = 40 << 30  # bytes of one dump
_SECONDS = 6 * 3600.0  # for one dump to come
_A_DAY = 86400.0
_SIDECAR = re.compile(rb"([0-9a-f]{40})  (\S+)\s*")


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """One day of one platform, and the SHA-1 that the publisher gives for it."""

    day: date
    platform: str
    sha1: str

    @property
    def key(self) -> str:
        """The partition's name: `2025-09-15|tiktok`."""
        return f"{self.day}|{self.platform}"

    @property
    def stem(self) -> str:
        """The dump's file name without `.zip`."""
        return stem(self.day, self.platform)


def stem(day: date, platform: str) -> str:
    """The name of a light dump without `.zip`."""
    return f"sor-{platform}-{day}-light"


def days_to_ask(day: date, settings: Settings, *, again: bool) -> list[tuple[date, list[str] | None]]:
    """The days whose dumps are looked at with one day's partition, each with its platforms; None: those asked for.

    `again`: the week before it too, and every day that was reduced once in some two months, platform by platform.
    """
    if not again:
        return [(day, None)]
    older: dict[date, list[str]] = {}
    for path in (home_of(settings) / "dumps").glob("sor-*-light.json"):
        match = re.fullmatch(r"sor-(.+)-(\d{4}-\d{2}-\d{2})-light", path.stem)
        then = date.fromisoformat(match[2]) if match else day
        if match and then < day - timedelta(days=SOON) and (day - then).days % CYCLE == 0:
            older.setdefault(then, []).append(match[1])
    week = [day - timedelta(days=n) for n in range(SOON + 1)]
    return [*((d, None) for d in week if d >= FIRST), *((d, sorted(older[d])) for d in sorted(older))]


def changed(day: date, platforms: Iterable[str], settings: Settings, *, again: bool = False) -> list[Partition]:
    """The partitions that are published and were not reduced with the SHA-1 that the publisher gives now.

    Raises ConnectionError where the publisher should be asked again soon, FetchError where it refuses.
    """
    from lightwell.fetch import Client

    asked, found = list(platforms), []
    with Client(settings) as client:
        for then, of in days_to_ask(day, settings, again=again):
            for platform in of if of is not None else asked:
                published = _published_sha1(then, platform, client)
                if published is not None and published != reduced_sha1(then, platform, settings):
                    found.append(Partition(then, platform, published))
    return sorted(found)


def reduced_sha1(day: date, platform: str, settings: Settings) -> str | None:
    """The SHA-1 of the dump of this partition that was reduced last; None where none was."""
    try:
        receipt = json.loads((home_of(settings) / "dumps" / f"{stem(day, platform)}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DumpError(f"the receipt of {stem(day, platform)} cannot be read: remove it, and reduce again") from error
    return str(receipt["sha1"])


def reduce(partition: Partition, settings: Settings) -> str:
    """Fetch one dump, reduce it, and remove it; the SHA-1 of what is reduced now. Done again, it fetches nothing.

    Raises ConnectionError where trying again soon may help, FetchError and DumpError where it does not: a dump that was
    replaced since its SHA-1 was asked for is another partition's work.
    """
    from lightwell import statements
    from lightwell.fetch import Client

    home = home_of(settings)
    with _alone(partition, home) as folder:
        if reduced_sha1(partition.day, partition.platform, settings) == partition.sha1:
            return partition.sha1
        with Client(settings, deadline=_SECONDS) as client:
            path = _download(partition, folder, client)
        for one in statements.reduce([path], home, workers=1):
            return one.receipt.sha1
    raise AssertionError(partition)  # one dump in, one receipt out


def home_of(settings: Settings) -> Path:
    """Where the cubes and their receipts stand."""
    return settings.home / "statements"


def _published_sha1(day: date, platform: str, client: "Client") -> str | None:
    from lightwell import fetch

    body, name = BytesIO(), f"{stem(day, platform)}.zip"
    address, place = _where()
    try:
        fetch.take(place, f"{address}/{name}.sha1", body, 1000, client)
    except NotPublishedError:
        return None
    said = _SIDECAR.fullmatch(body.getvalue())
    if said is None or said[2].decode(errors="replace") != name:
        raise DumpError(f"{name}.sha1 is no SHA-1 of {name}: it begins {body.getvalue()[:60]!r}")
    return said[1].decode()


def _download(partition: Partition, folder: Path, client: "Client") -> Path:
    from lightwell import fetch

    path = folder / f"{partition.stem}.zip"
    address, place = _where()
    with path.open("w+b") as body:
        fetch.take(place, f"{address}/{path.name}", body, LARGEST, client)
    path.with_name(f"{path.name}.sha1").write_text(f"{partition.sha1}  {path.name}", encoding="ascii")
    return path


def _where() -> tuple[str, Source]:
    """The address below which the dumps are, and what politeness needs to know of it."""
    address = os.environ.get("LIGHTWELL_STATEMENTS_ADDRESS") or ADDRESS  # a mirror, or a test's own publisher
    hosts = [*dict.fromkeys([urlsplit(address).hostname or "", *HOSTS])]
    return address, Source.model_construct(id="dsa_statements", hosts=hosts, landing_page=address)


@contextmanager
def _alone(partition: Partition, home: Path) -> Iterator[Path]:
    """A folder for the dump while no other process works on this partition. What a killed one left is cleared away."""
    home.mkdir(parents=True, exist_ok=True)
    for path in home.glob(".incoming-*"):
        if time.time() - path.stat().st_mtime > _A_DAY:
            shutil.rmtree(path, ignore_errors=True)
    folder = home / f".incoming-{partition.stem}"
    descriptor = _locked(folder)
    try:
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


def _locked(folder: Path) -> int:
    """A descriptor that locks the folder which stands there now: the one waited for may have been removed meanwhile."""
    while True:
        folder.mkdir(exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if folder.is_dir() and folder.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
        os.close(descriptor)


def as_partitions(found: Sequence[Partition]) -> list[dict[str, str]]:
    """Partitions as a step hands them on."""
    return [{"day": p.day.isoformat(), "platform": p.platform, "sha1": p.sha1} for p in found]


def partition(day: str, platform: str, sha1: str) -> Partition:
    """A partition as a step was handed it."""
    return Partition(date.fromisoformat(day), platform, sha1)
