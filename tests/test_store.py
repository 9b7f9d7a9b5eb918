"""One data home on object storage, several machines: a real S3 endpoint on this machine, a real folder a machine."""

import atexit
import hashlib
import io
import json
import logging
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT, Ran, release_archive
from lightwell import archive, dumps, export, fetch, orchestration, reading, source, store, summaries, warehouse
from lightwell.archive import Attempt
from lightwell.errors import BuildError, LightwellError, OvertakenError, StoreError
from lightwell.settings import Settings
from lightwell.statements import months
from lightwell.store import bucket as s3
from lightwell.store import releases
from lightwell.warehouse import Build, publishing
from test_dumps import PLAN, Database, database  # noqa: F401 - a fixture
from test_made_up_publisher import DECLARATION, TABLE
from test_warehouse import BUILT_AT, three_documents
from test_warehouse import build as build_anew

pytest.importorskip("botocore", reason="object storage needs the extra: lightwell[many-machines]")
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
ASKED = "SELECT count(*) FROM observation_vintage"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of an S3 server in this process."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def remote(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a data home in a bucket of the test's own."""
    variables = {
        "AWS_ENDPOINT_URL_S3": endpoint, "AWS_ACCESS_KEY_ID": "for-tests", "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    name = f"b{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:20]}"
    client_of(f"s3://{name}").create_bucket(Bucket=name)
    return f"s3://{name}/a/home"


def client_of(remote: str) -> Any:
    return s3._opened(remote, os.environ["AWS_ENDPOINT_URL_S3"], os.getpid()).client


@pytest.fixture
def machine(remote: str, tmp_path: Path) -> Callable[[str], Settings]:
    """A machine of this name: a folder of its own over the one store."""
    return lambda name: Settings(home=tmp_path / name, remote=remote, keep_releases=2)


def objects(remote: str) -> dict[str, bytes]:
    """Every object of the home by its name."""
    client, (bucket, _, prefix) = client_of(remote), remote.removeprefix("s3://").partition("/")
    listed = client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {
        o["Key"].removeprefix(f"{prefix}/"): client.get_object(Bucket=bucket, Key=o["Key"])["Body"].read()
        for o in listed
    }


def put_object(remote: str, name: str, data: bytes) -> None:
    bucket, _, prefix = remote.removeprefix("s3://").partition("/")
    client_of(remote).put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=data)


def remove_object(remote: str, name: str) -> None:
    bucket, _, prefix = remote.removeprefix("s3://").partition("/")
    client_of(remote).delete_object(Bucket=bucket, Key=f"{prefix}/{name}")


def put(settings: Settings, content: bytes, at: datetime = NOON, source_id: str = "ncmec_by_esp") -> Attempt:
    """A document, and the ledger line of how it came, as `fetch` leaves them."""
    document_id, size = archive.store(settings, io.BytesIO(content), ".pdf")
    url = f"https://www.missingkids.org/{document_id[:8]}.pdf"
    attempt = Attempt(source_id, url, at, "stored", None, 200, document_id, "application/pdf", size)
    archive.record(settings, attempt)
    return attempt


def add(settings: Settings, content: bytes, at: datetime = NOON) -> Attempt:
    with store.synced(settings):
        return put(settings, content, at)


def release(settings: Settings, digest: str = "one") -> str:
    """Build and publish a small release on one machine."""
    with store.synced(settings):
        return warehouse.publish(build(settings, digest), settings)


@cache
def small_release() -> Path:
    """A small release, built once: what these tests are about is what becomes of the file."""
    home = Path(tempfile.mkdtemp(prefix="lightwell-test-store-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return build_anew(Settings(home=home), three_documents(), "once").database


def build(settings: Settings, digest: str) -> Build:
    """A build of one machine, as `warehouse.build` leaves it."""
    release_id = f"20260102T030405Z-{secrets.token_hex(3)}"
    folder, lock = publishing.claim(settings, release_id)
    shutil.copy(small_release(), folder)
    return Build(release_id, folder, BUILT_AT, digest, {}, (), lock)


def current(settings: Settings) -> str | None:
    now = warehouse.current(settings)
    return now.release_id if now else None


def count(settings: Settings) -> int:
    with warehouse.connect(settings) as con:
        return int(con.execute(ASKED).fetchall()[0][0])


# ------------------------------------------------------------------------------------------------------------- archive


def test_what_one_machine_adds_another_reads(machine: Callable[[str], Settings]) -> None:
    a, b = machine("a"), machine("b")
    one = add(a, b"one")
    with store.synced(b):
        assert archive.attempts(b) == [one]
        assert archive.path_of(b, str(one.document_id)).read_bytes() == b"one"
        assert archive.verify(b) == []
        two = put(b, b"two", NOON + timedelta(hours=1))
    with store.synced(a):
        assert archive.attempts(a) == [one, two]
        assert archive.holds(a, str(two.document_id))


def test_the_store_holds_what_was_added_under_its_hash_and_nothing_twice(
    machine: Callable[[str], Settings], remote: str
) -> None:
    a = machine("a")
    one = add(a, b"one")
    line = (a.archive / "ledger" / "ncmec_by_esp.jsonl").read_bytes().rstrip(b"\n")
    expected = {
        f"archive/{str(one.document_id)[:2]}/{one.document_id}.pdf": b"one",
        f"ledger/ncmec_by_esp/20240501T120000.000000Z-{hashlib.sha256(line).hexdigest()}.json": line,
    }
    assert objects(remote) == expected
    with store.synced(a):
        pass
    assert objects(remote) == expected


def test_an_attempt_that_failed_is_handed_over_though_the_step_raised(machine: Callable[[str], Settings]) -> None:
    a, b = machine("a"), machine("b")
    failed = Attempt("ncmec_by_esp", "https://www.missingkids.org/x.pdf", NOON, "failed", "it is gone", 410)
    with pytest.raises(ZeroDivisionError), store.synced(a):
        archive.record(a, failed)
        raise ZeroDivisionError
    with store.synced(b):
        assert archive.attempts(b) == [failed]


def test_two_machines_that_add_at_once_lose_no_line(machine: Callable[[str], Settings]) -> None:
    names, ready = ["a", "b", "c"], threading.Barrier(3)

    def work(name: str) -> None:
        for number in range(4):
            with store.synced(machine(name)):
                ready.wait(20)
                put(machine(name), f"{name}{number}".encode(), NOON + timedelta(seconds=number))
                put(machine(name), b"the same", NOON + timedelta(seconds=number, microseconds=ord(name)))

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    found = []
    for name in [*names, "d"]:
        with store.synced(machine(name)):
            found.append((machine(name).archive / "ledger" / "ncmec_by_esp.jsonl").read_bytes())
    assert set(found) == {found[0]}, "every machine has the same ledger, in the order of the attempts"
    lines = [json.loads(line) for line in found[0].splitlines()]
    assert len(lines) == 24
    times = [datetime.fromisoformat(line["attempted_at"]) for line in lines]
    assert times == sorted(times)


@pytest.mark.slow
def test_a_damaged_document_is_refused_and_the_right_bytes_heal_it(
    machine: Callable[[str], Settings], remote: str, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = machine("a"), machine("b")
    one = add(a, b"one")
    name = f"archive/{str(one.document_id)[:2]}/{one.document_id}.pdf"
    put_object(remote, name, b"another")
    with store.synced(b):
        assert f"{name} does not have the sha256" in caplog.text
        assert not archive.holds(b, str(one.document_id))
        assert [p.kind for p in archive.verify(b)] == ["missing"]
        of = source.load("ncmec_by_esp")
        held_back = [i for i in reading.inputs([of], b) if i.document.document_id == one.document_id]
        assert "is missing" in str(held_back[0].given), "in quarantine, as where a file is damaged on this machine"
        put(b, b"one", NOON + timedelta(hours=1))
    assert objects(remote)[name] == b"one"
    with store.synced(machine("c")):
        assert archive.verify(machine("c")) == []


def test_a_damaged_ledger_line_is_refused(
    machine: Callable[[str], Settings], remote: str, caplog: pytest.LogCaptureFixture
) -> None:
    one = add(machine("a"), b"one")
    two = add(machine("a"), b"two", NOON + timedelta(hours=1))
    (name,) = (n for n in objects(remote) if n.startswith("ledger/") and "T120000" in n)
    put_object(remote, name, objects(remote)[name].replace(b"200", b"201"))
    with store.synced(machine("b")):
        assert archive.attempts(machine("b")) == [two]
        assert name in caplog.text
    remove_object(remote, name)
    with store.synced(machine("a")):
        assert archive.attempts(machine("a")) == [one, two]
    with store.synced(machine("b")):
        assert archive.attempts(machine("b")) == [one, two], "the machine that had the line has put it right"


def test_a_document_damaged_on_this_machine_does_not_get_into_the_store(
    machine: Callable[[str], Settings], remote: str, caplog: pytest.LogCaptureFixture
) -> None:
    with store.synced(machine("a")):
        one = put(machine("a"), b"one")
        archive.path_of(machine("a"), str(one.document_id)).write_bytes(b"another")
    assert not any(name.startswith("archive/") for name in objects(remote))
    assert "is not handed over" in caplog.text


def test_names_that_lead_out_of_the_folder_are_not_taken_in(machine: Callable[[str], Settings], remote: str) -> None:
    evil = hashlib.sha256(b"evil").hexdigest()
    for name in (f"archive/../../{evil}.pdf", f"figures/../../x.json/{evil}", f"ledger/../x/20240501T1Z-{evil}.json"):
        put_object(remote, name, b"evil")
    with store.synced(machine("a")):
        pass
    assert [p for p in machine("a").home.parent.rglob("*") if p.is_file() and p.read_bytes() == b"evil"] == []


def test_readings_are_shared(machine: Callable[[str], Settings], remote: str) -> None:
    a, b = machine("a"), machine("b")
    path = a.figures / "ab" / "ab12-ncmec_by_esp-0123.json"
    with store.synced(a):
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    with store.synced(b):
        assert (b.figures / "ab" / path.name).read_text() == "{}"
    (name,) = objects(remote)
    put_object(remote, name, b"{ }")
    with store.synced(machine("c")):
        assert not (machine("c").figures / "ab" / path.name).exists(), "damaged: it is read anew instead"


def test_a_folder_is_the_copy_of_one_store(machine: Callable[[str], Settings], remote: str) -> None:
    add(machine("a"), b"one")
    other = replace(machine("a"), remote=f"{remote}/other")
    with pytest.raises(LightwellError, match=r"is the copy of .*set LIGHTWELL_CACHE"), store.synced(other):
        pass


@pytest.mark.slow
def test_a_home_on_one_machine_moves_by_being_named_as_the_copy(machine: Callable[[str], Settings]) -> None:
    alone = replace(machine("a"), remote=None)
    one = put(alone, b"one")
    release(alone)
    with store.synced(machine("a")):
        assert warehouse.current(machine("a")) is None, "nothing is published there yet"
    with store.synced(machine("b")):
        assert archive.attempts(machine("b")) == [one]


# ------------------------------------------------------------------------------------------------------------ releases


@pytest.mark.slow
def test_a_release_of_one_machine_is_read_on_another(machine: Callable[[str], Settings]) -> None:
    a, b = machine("a"), machine("b")
    with pytest.raises(LightwellError, match="there is no warehouse"):
        warehouse.connect(b)
    first = release(a)
    assert count(b) == 12
    with warehouse.connect(b) as open_reader:
        second = release(a, "two")
        assert current(b) == second
        assert open_reader.execute(ASKED).fetchall() == [(12,)], "who reads the old one goes on"
    assert count(b) == 12
    assert [r.release_id for r in warehouse.releases(b)] == [second, first]
    assert warehouse.read_release_manifest(b.releases / second, current=True).inputs_digest == "two"


@pytest.mark.slow
def test_a_reader_fetches_the_release_once_and_of_the_others_the_manifest(machine: Callable[[str], Settings]) -> None:
    a, b = machine("a"), machine("b")
    first, second = release(a), release(a, "two")
    assert count(b) == 12
    assert (b.releases / second / "lightwell.duckdb").is_file()
    assert not (b.releases / first / "lightwell.duckdb").exists()
    inode = (b.releases / second / "lightwell.duckdb").stat().st_ino
    assert count(b) == 12
    assert (b.releases / second / "lightwell.duckdb").stat().st_ino == inode


@pytest.mark.slow
def test_a_rollback_holds_for_every_machine(machine: Callable[[str], Settings]) -> None:
    a, b, c = machine("a"), machine("b"), machine("c")
    first, second = release(a), release(a, "two")
    assert current(c) == second
    assert warehouse.rollback(b).release_id == first
    assert count(b) == 12
    assert current(c) == first
    third = release(c, "three")
    assert [current(m) for m in (a, b, c)] == [third] * 3


@pytest.mark.slow
def test_old_releases_are_pruned_in_the_store_and_in_the_copies(
    machine: Callable[[str], Settings], remote: str
) -> None:
    a, b = machine("a"), machine("b")
    made = []
    for digest in ("one", "two", "three"):
        made.append(release(a, digest))
        assert current(b) == made[-1]
    assert {n.split("/")[1] for n in objects(remote) if n.startswith("releases/")} == set(made[1:])
    for settings in (a, b):
        assert {p.name for p in settings.releases.glob("[!.]*")} == set(made[1:])


@pytest.mark.slow
@pytest.mark.parametrize("first", [True, False])
def test_of_two_that_publish_at_once_one_wins_and_the_other_tries_again(
    machine: Callable[[str], Settings], remote: str, first: bool
) -> None:
    a, b = machine("a"), machine("b")
    if not first:
        release(a, "before")
    with store.synced(a):
        late = build(a, "late")
        won = release(b, "early")
        with pytest.raises(OvertakenError, match=f"another machine published meanwhile .*{won}.*run it again"):
            warehouse.publish(late, a)
        assert not late.folder.exists()
    assert current(a) == current(machine("c")) == won
    assert not any(late.release_id in name for name in objects(remote))
    again = release(a, "late")
    assert current(b) == again


@pytest.mark.slow
def test_a_pointer_replaced_at_the_last_moment_is_noticed(
    machine: Callable[[str], Settings], remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = machine("a"), machine("b")
    release(a, "before")
    probe = releases._refuse_unconditional

    def between(bucket: s3.Bucket) -> None:
        monkeypatch.setattr(releases, "_refuse_unconditional", probe)
        thread = threading.Thread(target=release, args=(b, "early"))
        thread.start()
        thread.join(60)
        probe(bucket)

    monkeypatch.setattr(releases, "_refuse_unconditional", between)
    with pytest.raises(OvertakenError):
        release(a, "late")
    assert [r.inputs_digest for r in warehouse.releases(machine("c"))] == ["early", "before"]
    shown = {n.split("/")[1] for n in objects(remote) if n.startswith("releases/")}
    assert shown == {r.release_id for r in warehouse.releases(machine("c"))}, "of the other nothing is left"


@pytest.mark.slow
def test_storage_that_forgets_conditions_is_refused(
    machine: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = s3.bucket_of(machine("a")).client
    careless = client.put_object
    monkeypatch.setattr(
        client, "put_object", lambda IfMatch="", IfNoneMatch="", **rest: careless(**rest)  # noqa: N803
    )  # fmt: skip
    with pytest.raises(StoreError, match="ignores If-Match"):
        release(machine("a"))
    assert current(machine("b")) is None


def test_an_answer_that_was_lost_is_no_lost_race(machine: Callable[[str], Settings]) -> None:
    bucket = s3.bucket_of(machine("a"))
    etag = bucket.replace("thing", b"mine", None)
    assert bucket.replace("thing", b"mine", None) == etag, "the client's own second try finds what the first one put"
    assert bucket.replace("thing", b"another", None) is None


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from lightwell import store, warehouse
from lightwell.settings import Settings
from lightwell.store import bucket as s3, releases
from test_warehouse import build, three_documents
settings = Settings(home=Path(sys.argv[2]), remote=sys.argv[3], keep_releases=2)
moment = sys.argv[4]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if moment.startswith("before the pointer"):
    replace = s3.Bucket.replace
    s3.Bucket.replace = lambda self, name, *rest: die() if name == releases.POINTER else replace(self, name, *rest)
else:
    releases.tidy = die
with store.synced(settings):
    if moment.endswith("of a build set aside"):
        waiting = warehouse.set_aside(build(settings, three_documents(), "killed"), settings)
        with open(sys.argv[5], "w") as file:
            file.write(waiting)
        store._hand_over(store._session.get())
        warehouse.publish_held(settings, waiting)
    else:
        warehouse.publish(build(settings, three_documents(), "killed"), settings)
"""


def publish_and_die(settings: Settings, moment: str, note: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(ROOT / "tests"), str(settings.home), str(settings.remote), moment]
    ran = subprocess.run([*command, str(note)], capture_output=True, text=True, timeout=60)
    assert ran.returncode == -signal.SIGKILL, ran.stderr


@pytest.mark.slow
def test_killed_before_the_pointer_the_old_release_serves(machine: Callable[[str], Settings], tmp_path: Path) -> None:
    old = release(machine("b"))
    publish_and_die(machine("a"), "before the pointer", tmp_path / "note")
    assert current(machine("b")) == current(machine("c")) == current(machine("a")) == old
    again = release(machine("a"), "killed")
    assert [r.release_id for r in warehouse.releases(machine("c"))] == [again, old]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["a", "b"])
@pytest.mark.parametrize("moment", ["before the pointer", "after it"])
def test_a_publication_that_was_killed_ends_in_the_same_release_on_any_machine(
    machine: Callable[[str], Settings], remote: str, tmp_path: Path, moment: str, where: str
) -> None:
    note, settings = tmp_path / "note", machine(where)
    publish_and_die(machine("a"), f"{moment} of a build set aside", note)
    for _ in range(2):
        with store.synced(settings):
            warehouse.publish_held(settings, note.read_text())
    assert current(machine("c")) == note.read_text()
    assert count(machine("c")) == 12
    assert [r.release_id for r in warehouse.releases(settings)] == [note.read_text()]
    assert not any(name.startswith("waiting/") for name in objects(remote))
    with store.synced(machine("a")):
        assert list(machine("a").releases.glob(".held-*")) == []


@pytest.mark.slow
def test_what_a_stopped_run_left_of_a_release_is_looked_at_byte_by_byte(machine: Callable[[str], Settings]) -> None:
    a, b = machine("a"), machine("b")
    first = release(a)
    (b.releases / first).mkdir(parents=True)
    (b.releases / first / "lightwell.duckdb").write_bytes(b"torn")
    release(a, "two")
    assert [r.release_id for r in warehouse.releases(b)][1] == first, "only its manifest is taken in"
    warehouse.rollback(b, first)
    assert count(b) == 12


@pytest.mark.slow
def test_damaged_files_of_a_release_are_refused(machine: Callable[[str], Settings], remote: str) -> None:
    first, second = release(machine("a")), release(machine("a"), "two")
    (name,) = (n for n in objects(remote) if second in n and n.endswith("lightwell.duckdb"))
    put_object(remote, name, b"another")
    with pytest.raises(StoreError, match=f"{name} does not have the sha256.* lightwell rollback"):
        warehouse.connect(machine("b"))
    assert not machine("b").database.exists()
    assert warehouse.rollback(machine("b")).release_id == first, "any machine can go back"
    assert count(machine("b")) == count(machine("c")) == 12
    assert {current(machine(name)) for name in "abc"} == {first}


@pytest.mark.slow
def test_a_build_set_aside_is_audited_and_published_by_other_machines(
    machine: Callable[[str], Settings], remote: str
) -> None:
    a, b, c = machine("a"), machine("b"), machine("c")
    with store.synced(a):
        waiting = warehouse.set_aside(build(a, "one"), a)
    with store.synced(b):
        assert warehouse.held(b, "one") == waiting
        taken = warehouse.take_up(b, waiting)
        (taken.folder / "quality.html").write_text("well")
        warehouse.put_back(taken)
    with store.synced(c):
        assert (c.releases / f".held-{waiting}" / "quality.html").read_text() == "well"
        warehouse.publish_held(c, waiting)
    assert current(a) == current(b) == waiting
    assert (b.releases / waiting / "quality.html").read_text() == "well"
    assert not any(name.startswith("waiting/") for name in objects(remote))
    for settings in (a, b, c):
        with store.synced(settings):
            assert list(settings.releases.glob(".held-*")) == []


@pytest.mark.slow
def test_a_build_that_one_machine_refuses_is_gone_for_all(machine: Callable[[str], Settings], remote: str) -> None:
    a, b = machine("a"), machine("b")
    with store.synced(a):
        waiting = warehouse.set_aside(build(a, "one"), a)
    with store.synced(b):
        warehouse.discard(warehouse.take_up(b, waiting))
    assert objects(remote) == {}
    with store.synced(a), pytest.raises(BuildError, match="is gone"):
        warehouse.take_up(a, waiting)


@pytest.mark.slow
def test_a_build_set_aside_before_another_published_is_refused(machine: Callable[[str], Settings], remote: str) -> None:
    a, b = machine("a"), machine("b")
    with store.synced(a):
        waiting = warehouse.set_aside(build(a, "one"), a)
    won = release(b, "two")
    with store.synced(a), pytest.raises(OvertakenError):
        warehouse.publish_held(a, waiting)
    assert current(machine("c")) == won
    assert not any(waiting in name for name in objects(remote)), "the next run builds anew"
    with store.synced(a):
        assert warehouse.held(a, "one") is None


@pytest.mark.slow
def test_a_new_release_needs_a_block_of_its_own(machine: Callable[[str], Settings]) -> None:
    with pytest.raises(BuildError, match=r"only within store\.synced"):
        warehouse.publish(build(machine("a"), "one"), machine("a"))


# ---------------------------------------------------------------------------------------------------------- statements

DUMP = "sor-tiktok-2025-09-15-light"


def count_by_hand(settings: Settings, sha1: str = "one") -> None:
    """A cube and a receipt, as a reduction leaves them."""
    folder = settings.home / "statements"
    cube = folder / "day=2025-09-15" / "platform=TikTok" / f"{DUMP}.activity.parquet"
    for path, text in (
        (cube, f"cube of {sha1}"),
        (folder / "dumps" / f"{DUMP}.json", f'{{"platforms": 1, "sha1": "{sha1}"}}'),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def reduce_by_hand(settings: Settings, sha1: str = "one") -> None:
    with store.reduction(settings, DUMP):
        count_by_hand(settings, sha1)


def cubes_of(settings: Settings) -> list[str]:
    return sorted(p.read_text() for p in (settings.home / "statements").rglob("*.parquet"))


def sha1_of(settings: Settings) -> str | None:
    return dumps.reduced_sha1(date(2025, 9, 15), "tiktok", settings)


def test_a_dump_is_found_reduced_on_every_machine_and_its_cubes_come_when_they_are_added_up(
    machine: Callable[[str], Settings], remote: str
) -> None:
    a, b = machine("a"), machine("b")
    reduce_by_hand(a)
    cube = hashlib.sha256(b"cube of one").hexdigest()
    assert set(objects(remote)) == {f"statements/cubes/{DUMP}/{cube}.parquet", f"statements/dumps/{DUMP}.json"}
    store.take_receipts(b)
    assert sha1_of(b) == "one"
    assert cubes_of(b) == [], "whoever only asks what was done takes in no cubes"
    for _ in range(2):
        store.take_cubes(b)
        assert cubes_of(b) == ["cube of one"]
    assert [p.read_bytes() for p in sorted((b.home / "statements" / "dumps").iterdir())] == [
        p.read_bytes() for p in sorted((a.home / "statements" / "dumps").iterdir())
    ]


def test_a_dump_that_was_corrected_is_replaced_on_every_machine(machine: Callable[[str], Settings]) -> None:
    a, b, c = machine("a"), machine("b"), machine("c")
    reduce_by_hand(a)
    store.take_receipts(c)
    reduce_by_hand(b, "two")
    for settings in (a, b, c, machine("d")):
        store.take_cubes(settings)
        assert (sha1_of(settings), cubes_of(settings)) == ("two", ["cube of two"])


def test_of_two_machines_that_reduce_a_dump_at_once_the_second_is_told(machine: Callable[[str], Settings]) -> None:
    a, b = machine("a"), machine("b")
    with pytest.raises(StoreError, match=f"another machine has reduced {DUMP} meanwhile"), store.reduction(a, DUMP):
        reduce_by_hand(b, "two")
        count_by_hand(a, "one")
    store.take_cubes(machine("c"))
    assert cubes_of(machine("c")) == ["cube of two"]
    with store.reduction(a, DUMP):
        assert sha1_of(a) == "two", "run again, the other's receipt is found"
    store.take_cubes(a)
    assert cubes_of(a) == ["cube of two"]


def test_of_a_reduction_that_failed_or_was_cut_short_nobody_learns(
    machine: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = machine("a"), machine("b")
    with pytest.raises(ZeroDivisionError), store.reduction(a, DUMP):
        raise ZeroDivisionError
    with monkeypatch.context() as patch:
        patch.setattr(s3.Bucket, "replace", lambda *_: 1 / 0)  # after the cubes, before the receipt
        with pytest.raises(ZeroDivisionError):
            reduce_by_hand(a)
    store.take_cubes(b)
    assert (sha1_of(b), cubes_of(b)) == (None, [])
    with store.reduction(a, DUMP):
        assert sha1_of(a) == "one", "it is not reduced again"
    store.take_cubes(b)
    assert cubes_of(b) == ["cube of one"]


def test_cubes_that_only_one_machine_has_are_handed_over_and_none_without_its_files(
    machine: Callable[[str], Settings], remote: str
) -> None:
    a, b = machine("a"), machine("b")
    count_by_hand(replace(a, remote=None))
    store.take_receipts(a)
    store.take_cubes(b)
    assert cubes_of(b) == ["cube of one"]
    lost = replace(machine("c"), remote=f"{remote}/other")
    count_by_hand(lost)
    shutil.rmtree(lost.home / "statements" / "day=2025-09-15")
    with pytest.raises(StoreError, match=r"are missing.*remove its receipt"):
        store.take_receipts(lost)


def test_a_receipt_removed_from_the_store_has_the_dump_reduced_again(
    machine: Callable[[str], Settings], remote: str
) -> None:
    a, b = machine("a"), machine("b")
    reduce_by_hand(a)
    store.take_cubes(b)
    remove_object(remote, f"statements/dumps/{DUMP}.json")
    store.take_receipts(a)
    with store.reduction(b, DUMP):
        assert sha1_of(a) is sha1_of(b) is None
        assert cubes_of(a) == cubes_of(b) == []


def test_damaged_cubes_and_names_that_lead_elsewhere_are_refused(
    machine: Callable[[str], Settings], remote: str
) -> None:
    reduce_by_hand(machine("a"))
    (name,) = (n for n in objects(remote) if n.endswith(".parquet"))
    put_object(remote, name, b"another")
    with pytest.raises(StoreError, match=f"{name} does not have the sha256"):
        store.take_cubes(machine("b"))
    assert cubes_of(machine("b")) == []
    for path in (
        "../../evil",
        f"day=2025-09-15/../{DUMP}.activity.parquet",
        "day=2025-09-15/platform=X/x.minors.parquet",
    ):
        said = json.dumps({"receipt": "{}", "files": {path: "0" * 64}}).encode()
        put_object(remote, f"statements/dumps/{DUMP}.json", said)
        with pytest.raises(StoreError, match="is not what Lightwell writes: remove it"):
            store.take_receipts(machine("c"))


def test_a_dump_that_is_being_reduced_on_this_machine_is_left_alone(machine: Callable[[str], Settings]) -> None:
    a, b = machine("a"), machine("b")
    reduce_by_hand(a)
    with store.reduction(a, DUMP):
        reduce_by_hand(b, "two")
        store.take_cubes(a)
        assert cubes_of(a) == ["cube of one"]
    store.take_cubes(a)
    assert cubes_of(a) == ["cube of two"]


# ------------------------------------------------------------------------------------------------- trouble, and without


@pytest.mark.slow
def test_storage_that_does_not_answer_is_said_and_the_last_release_can_be_read_offline(
    machine: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    a = machine("a")
    release(a)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StoreError, match=r"does not answer .*127\.0\.0\.1:9") as said:
        warehouse.connect(a)
    assert "not-a-secret" not in str(said.value)
    assert count(replace(a, offline=True)) == 12


@pytest.mark.slow
def test_what_could_not_be_handed_over_is_handed_over_next_time(
    machine: Callable[[str], Settings], endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = machine("a"), machine("b")
    client, bucket = s3.bucket_of(a).client, str(a.remote).split("/")[2]
    with pytest.raises(StoreError, match="NoSuchBucket"), store.synced(a):
        one = put(a, b"one")
        client.delete_bucket(Bucket=bucket)
    client.create_bucket(Bucket=bucket)
    with store.synced(a):
        pass
    with store.synced(b):
        assert archive.attempts(b) == [one]


def test_a_missing_bucket_is_said(machine: Callable[[str], Settings]) -> None:
    nowhere = replace(machine("a"), remote="s3://nobody-made-this/home")
    with pytest.raises(StoreError, match=r"NoSuchBucket.*see that the bucket is there"):
        warehouse.connect(nowhere)


def test_the_home_may_be_named_as_an_address(tmp_path: Path) -> None:
    def of(**variables: str) -> Settings:
        return Settings.from_environment({"XDG_CACHE_HOME": str(tmp_path), **variables})

    one, two = of(LIGHTWELL_HOME="s3://bucket/home"), of(LIGHTWELL_HOME="s3://other/home/")
    assert (one.remote, two.remote) == ("s3://bucket/home", "s3://other/home")
    assert one.home.parent == tmp_path / "lightwell"
    assert one.home != two.home
    assert of(LIGHTWELL_HOME="s3://bucket", LIGHTWELL_CACHE="/var/copy").home == Path("/var/copy")
    assert of(LIGHTWELL_HOME="/srv/home").remote is None
    for wrong in ("gs://bucket/home", "s3://", "s3://user:secret@bucket/x", "s3://bucket/a?b", "s3://bucket/../x y"):
        with pytest.raises(LightwellError, match="neither a folder nor") as said:
            of(LIGHTWELL_HOME=wrong)
        assert "secret" not in str(said.value)


WITHOUT = """
import sys
sys.modules.update({name: None for name in ("botocore", "boto3", "s3fs", "fsspec")})
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from lightwell import store, warehouse
from lightwell.settings import Settings
from test_warehouse import build, three_documents
settings = Settings(home=Path(sys.argv[2]))
with store.synced(settings):
    warehouse.publish(build(settings, three_documents(), "one"), settings)
print(warehouse.query("SELECT count(*) FROM observation_vintage", settings)[1])
try:
    warehouse.connect(Settings(home=Path(sys.argv[2]), remote="s3://bucket/home"))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.slow
def test_a_home_on_this_machine_needs_no_library_for_storage(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT, str(ROOT / "tests"), str(tmp_path / "home")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    rows, refused = ran.stdout.splitlines()
    assert rows == "[(12,)]"
    assert refused == "LightwellError a data home on s3:// needs the extra: pip install 'lightwell[many-machines]'"


# ------------------------------------------------------------------------------------------------------- the whole path


@pytest.fixture
def kestrel(tmp_path: Path) -> Path:
    """A folder of declarations of one's own, and two documents of its publisher beside it."""
    folder = tmp_path / "declarations"
    folder.mkdir()
    (folder / "kestrel_safety.yml").write_text(DECLARATION, encoding="utf-8")
    for year in ("2021", "2022"):
        (tmp_path / f"{year}.csv").write_text(TABLE.replace("2031", year), encoding="utf-8")
    return folder


def keep(settings: Settings, file: Path, at: datetime) -> None:
    """Take a file in as `lightwell add` does, at a time of the test's own."""
    with file.open("rb") as stream:
        document_id, size = archive.store(settings, stream, ".csv")
    attempt = Attempt(
        "kestrel_safety", "https://kestrel.example/x", at, "stored", None, None, document_id, "text/csv", size
    )
    archive.record(settings, replace(attempt, published_on=date(2023, 1, at.day), method="added"))


@pytest.mark.slow
def test_the_release_of_many_machines_is_that_of_one(
    machine: Callable[[str], Settings], remote: str, kestrel: Path, tmp_path: Path
) -> None:
    alone = Settings(home=tmp_path / "alone", extra_sources=kestrel)
    a, b, c = (replace(machine(name), extra_sources=kestrel) for name in "abc")
    for settings, year in ((b, "2022"), (a, "2021")):
        with store.synced(settings):
            keep(settings, tmp_path / f"{year}.csv", NOON + timedelta(days=int(year) % 10))
    for year in ("2021", "2022"):
        keep(alone, tmp_path / f"{year}.csv", NOON + timedelta(days=int(year) % 10))
    with store.synced(c):
        release_archive(c)
    release_archive(alone)
    files = {p.name for p in export.export(alone, [], tmp_path / "of one") if p.suffix == ".csv"}
    of_many = b.home / "exports"
    assert files == {p.name for p in orchestration.export(b) if p.suffix == ".csv"}
    differ = [n for n in files if (tmp_path / "of one" / n).read_bytes() != (of_many / n).read_bytes()]
    assert differ == ["release_info.csv"], "which says when each was built"
    assert "1204" in (of_many / "observation.csv").read_text()
    sent = {n.rpartition("/")[2]: data for n, data in objects(remote).items() if n.startswith(f"exports/{current(b)}/")}
    assert files < sent.keys()
    assert sent["observation.csv"] == (tmp_path / "of one" / "observation.csv").read_bytes()


@pytest.mark.slow
def test_the_command_line_works_over_a_store(
    remote: str, kestrel: Path, tmp_path: Path, lightwell: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTWELL_SOURCES", str(kestrel))
    home = ["--home", remote]

    def on(name: str, *arguments: str | Path) -> Ran:
        monkeypatch.setenv("LIGHTWELL_CACHE", str(tmp_path / name))
        return lightwell(*home, *arguments)

    added = on("a", "add", "kestrel_safety", tmp_path / "2021.csv", "--published", "2021-05-01")
    assert (added.code, added.out.split(":")[0]) == (0, "added")
    assert on("b", "add", "kestrel_safety", tmp_path / "2021.csv").out.startswith("already in the archive")
    c = Settings(home=tmp_path / "c", remote=remote, extra_sources=kestrel)
    with store.synced(c):
        made = release_archive(c)
    asked = on("d", "query", "SELECT sum(obs_value) FROM observation", "--format", "csv")
    assert asked.out.splitlines()[1:] == ["1332"]
    assert made in on("d", "releases").out
    assert not (tmp_path / "d" / "archive").exists(), "who reads takes in the release and nothing else"
    assert on("d", "rollback").code == 1
    doctor = on("d", "doctor").out
    assert "ok   archive" in doctor, doctor


@pytest.mark.slow
def test_statements_that_several_machines_reduced_are_added_up_on_another(
    remote: str,
    database: Database,  # noqa: F811
    tmp_path: Path,
    lightwell: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    days = [date(2025, 9, number) for number in (14, 15, 16)]
    for number, day in enumerate(days):
        database.put(replace(PLAN, day=day, rows=90 + 30 * number))

    def on(name: str) -> Settings:
        home = {"home": tmp_path / name, "remote": None if name == "alone" else remote}
        return Settings(**home, allow_private_addresses=True, seconds_between_requests=0.0)

    def work(name: str, day: date) -> list[str]:
        found = orchestration.find_dumps(day.isoformat(), ["tiktok", "nobody"], on(name), again=False)
        return [orchestration.reduce_dump(**one, settings=on(name)) for one in found]

    for name, day in zip(("a", "b", "a"), days, strict=True):
        assert work(name, day) == [f"{day}|tiktok"]
        assert work("alone", day) == [f"{day}|tiktok"]
    assert [work("c", day) for day in days] == [[], [], []], "another machine has reduced each"
    database.clear()
    database.put(replace(PLAN, day=days[1], rows=300))
    assert work("c", days[1]) == work("alone", days[1]) == ["2025-09-15|tiktok"], "its sha1 has changed"
    table = months.table(dumps.home_of(on("alone")))
    assert ",2025-09-14/P3D," in table.text
    monkeypatch.setenv("LIGHTWELL_CACHE", str(tmp_path / "d"))
    for name in ("once", "again"):
        assert lightwell("--home", remote, "statements", "monthly", "--to", tmp_path / f"{name}.csv").code == 0
        assert (tmp_path / f"{name}.csv").read_text(encoding="utf-8") == table.text
    store.take_cubes(on("b"))
    assert months.table(dumps.home_of(on("b"))) == table, "also where an earlier version stood"


@pytest.mark.slow
def test_the_scheduler_s_steps_run_on_any_machine(
    machine: Callable[[str], Settings], kestrel: Path, tmp_path: Path
) -> None:
    a, b, c = (replace(machine(name), extra_sources=kestrel, offline=True) for name in "abc")
    fetch.add(source.load("kestrel_safety", a), tmp_path / "2021.csv", a, published=date(2021, 5, 1))
    (new,) = orchestration.new_documents("kestrel_safety", b)
    checked = orchestration.read_and_check("kestrel_safety", new, c)
    assert (checked.observations, checked.periods, checked.refused) == (4, ["2021-Q1"], None)
    assert len(list(c.figures.rglob("*.json"))) == 1
    said = summaries.of_source("kestrel_safety", NOON, [new], [orchestration.as_result(checked)], a)
    assert "1 new, 0 refused" in said.subject
