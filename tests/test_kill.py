"""SIGKILL at any moment of a build or a publication: the published release stays whole and the next run finishes."""

import fcntl
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lightwell import warehouse
from lightwell.settings import Settings
from lightwell.warehouse import Build
from test_warehouse import BUILT_AT, build, publish, three_documents

TRIES = 20
ROWS = {"all": (12, 3), "first": (4, 1)}  # digest -> observations and documents of the release

# Forks a child a line, so that every try costs a build and not the imports as well.
NURSERY = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import duckdb
from test_warehouse import build, three_documents
from lightwell import warehouse
from lightwell.settings import Settings
print("ready", flush=True)
while line := sys.stdin.readline():
    home, digest = line.split()
    child = os.fork()
    if child == 0:
        print(os.getpid(), flush=True)
        settings = Settings(home=Path(home), keep_releases=2)
        documents = three_documents() if digest == "all" else three_documents()[:1]
        ready = build(settings, documents, digest)
        print("built", flush=True)
        warehouse.publish(ready, settings)
        os._exit(0)
    sys.stdin.readline()
    os.waitpid(child, 0)  # not before: until then its id is nobody else's
    print("over", flush=True)
"""


class Nursery:
    """A process that starts a build and publication in a child of its own and says how far it is."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", NURSERY, str(Path(__file__).parent)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.hear() == "ready"

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def start(self, settings: Settings, digest: str) -> int:
        """Start a run and return the child's process id, which is its own until `wait`."""
        self.say(f"{settings.home} {digest}")
        return int(self.hear())

    def kill(self, child: int) -> None:
        os.kill(child, signal.SIGKILL)
        self.wait()

    def wait(self) -> None:
        self.say("reap")
        while self.hear() != "over":
            pass


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    started = Nursery()
    yield started
    started.process.communicate()


@pytest.fixture
def few(settings: Settings) -> Settings:
    return replace(settings, keep_releases=2)


def assert_whole(settings: Settings) -> str:
    """The published release opens and has every row; so has every other that is listed. Returns its digest."""
    found = {}
    for release in warehouse.releases(settings):
        with warehouse.connect(path=release.database) as con:
            counted = con.execute(
                "SELECT inputs_digest, (SELECT count(*) FROM observation_vintage), (SELECT count(*) FROM document) "
                "FROM release_info"
            ).fetchall()
        assert counted == [(release.inputs_digest, *ROWS[release.inputs_digest])]
        found[release.release_id] = release.inputs_digest
    now = warehouse.current(settings)
    assert now is not None
    cited = warehouse.query("SELECT count(*) FROM citation", settings)
    assert cited == (["count_star()"], [(ROWS[now.inputs_digest][0],)])
    return found[now.release_id]


def assert_next_run_finishes(settings: Settings, digest: str) -> None:
    release_id = publish(settings, three_documents() if digest == "all" else three_documents()[:1], digest)
    assert assert_whole(settings) == digest
    assert warehouse.current(settings).release_id == release_id  # type: ignore[union-attr]
    left = {p.name for p in settings.releases.iterdir()} - {r.release_id for r in warehouse.releases(settings)}
    assert left == {".lock"}
    assert {p.name for p in settings.home.iterdir()} == {"lightwell.duckdb", "releases"}


@pytest.mark.slow
def test_killed_at_random_moments_of_a_build(few: Settings, nursery: Nursery) -> None:
    publish(few, digest="all")
    began = time.monotonic()
    nursery.start(few, "all")
    nursery.wait()
    duration = time.monotonic() - began
    moments = random.Random(20260102)
    now = "all"
    for n in range(TRIES):
        before, digest = now, ("first", "all")[n % 2]
        child = nursery.start(few, digest)
        time.sleep(moments.uniform(0, 1.1 * duration))
        nursery.kill(child)
        now = assert_whole(few)
        assert now in (before, digest)
        if n % 3 == 0:
            assert_next_run_finishes(few, digest)
            now = digest
    assert_next_run_finishes(few, "first")


def _finished(settings: Settings, template: Path, digest: str) -> Build:
    """A build that is about to be published, without the cost of building it: its file is a link to `template`."""
    name = f"20260102T030405Z-{secrets.token_hex(6)}"
    folder = settings.releases / f".building-{name}"
    folder.mkdir()
    os.link(template, folder / "lightwell.duckdb")
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return Build(name, folder, BUILT_AT, digest, {}, (), lock)


def _publish_until(step: int, ready: Build, settings: Settings) -> int:
    """Publish in a child that kills itself before its `step`-th call into the system. Returns how it ended."""
    child = os.fork()
    if child == 0:
        left = step

        def count(event: str, arguments: object) -> None:
            nonlocal left
            if event.startswith(("os.", "open", "fcntl.", "shutil.")):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        _publish_and_exit(ready, settings)
    return _reap(child, ready)


def _publish_for(seconds: float, ready: Build, settings: Settings) -> int:
    """Publish in a child that is killed after that time. Returns how it ended."""
    child = os.fork()
    if child == 0:
        _publish_and_exit(ready, settings)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return _reap(child, ready)


def _publish_and_exit(ready: Build, settings: Settings) -> None:
    try:
        warehouse.publish(ready, settings)
        os._exit(0)
    finally:
        os._exit(1)


def _reap(child: int, ready: Build) -> int:
    _, status = os.waitpid(child, 0)
    os.close(ready.lock)
    return os.waitstatus_to_exitcode(status)


@pytest.fixture
def templates(few: Settings, tmp_path: Path) -> dict[str, Path]:
    """One built file a digest; both are published, `first` is the current one."""
    publish(few, digest="all")
    publish(few, three_documents()[:1], "first")
    files = {}
    for release in warehouse.releases(few):
        files[release.inputs_digest] = tmp_path / f"{release.inputs_digest}.duckdb"
        os.link(release.database, files[release.inputs_digest])
    return files


@pytest.mark.slow
def test_killed_at_random_moments_of_a_publication(few: Settings, templates: dict[str, Path]) -> None:
    moments = random.Random(20260103)
    ended, now = [], "first"
    for n in range(TRIES):
        before, digest = now, ("all", "first")[n % 2]
        ended.append(_publish_for(moments.uniform(0, 0.02), _finished(few, templates[digest], digest), few))
        now = assert_whole(few)
        assert now in (before, digest)
    assert -signal.SIGKILL in ended
    assert_next_run_finishes(few, "first")


@pytest.mark.slow
def test_killed_before_every_single_step_of_a_publication(few: Settings, templates: dict[str, Path]) -> None:
    """A child dies before its n-th step, for every n until it gets through; a whole publication follows each death."""
    seen = set()
    for step in range(1, 300):
        ended = _publish_until(step, _finished(few, templates["all"], "all"), few)
        seen.add(assert_whole(few))
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        warehouse.publish(_finished(few, templates["first"], "first"), few)
        assert assert_whole(few) == "first"
    assert ended == 0
    assert step > 20
    assert seen == {"all", "first"}  # some died before the link was swapped, some after
    assert_next_run_finishes(few, "all")


@pytest.mark.slow
def test_a_build_killed_half_way_is_swept_by_the_next(few: Settings, nursery: Nursery) -> None:
    publish(few, digest="all")
    child = nursery.start(few, "first")
    while not list(few.releases.glob(".building-*/lightwell.duckdb")):
        time.sleep(0.001)
    nursery.kill(child)
    assert list(few.releases.glob(".building-*"))
    assert assert_whole(few) == "all"
    warehouse.discard(build(few))
    assert not list(few.releases.glob(".building-*"))
    assert_next_run_finishes(few, "first")
