"""SIGKILL at any moment of a build or a publication: the published release stays whole and the next run finishes."""

import fcntl
import os
import random
import shutil
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

TRIES = 24
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
    for n in range(TRIES):
        before, digest = assert_whole(few), ("first", "all")[n % 2]
        child = nursery.start(few, digest)
        time.sleep(moments.uniform(0, 1.1 * duration))
        nursery.kill(child)
        assert assert_whole(few) in (before, digest)
        if n % 3 == 0:
            assert_next_run_finishes(few, digest)
    assert_next_run_finishes(few, "first")


@pytest.mark.slow
def test_killed_at_random_moments_of_a_publication(few: Settings, nursery: Nursery) -> None:
    publish(few, digest="all")
    moments = random.Random(20260103)
    for n in range(TRIES):
        before, digest = assert_whole(few), ("first", "all")[n % 2]
        child = nursery.start(few, digest)
        assert nursery.hear() == "built"
        time.sleep(moments.uniform(0, 0.006))
        nursery.kill(child)
        assert assert_whole(few) in (before, digest)
    assert_next_run_finishes(few, "first")


def _copied(settings: Settings, template: Path, name: str) -> Build:
    """A finished build that is about to be published, without the cost of building it."""
    folder = settings.releases / f".building-{name}"
    folder.mkdir()
    shutil.copyfile(template, folder / "lightwell.duckdb")
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return Build(name, folder, BUILT_AT, "first", {}, (), lock)


def test_killed_before_every_single_step_of_a_publication(few: Settings, tmp_path: Path) -> None:
    """A child dies at its n-th call into the file system, for every n until it gets through."""
    other = Settings(home=tmp_path / "other")
    publish(other, three_documents()[:1], "first")
    template = other.database.resolve()
    publish(few, digest="all")
    publish(few, digest="all")
    for step in range(1, 400):
        ready = _copied(few, template, f"20260102T030405Z-{step:06}")
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
            warehouse.publish(ready, few)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        os.close(ready.lock)
        assert assert_whole(few) in ("all", "first")
        if os.waitstatus_to_exitcode(status) == 0:
            break
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    assert step > 20
    assert assert_whole(few) == "first"
    assert_next_run_finishes(few, "all")


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
