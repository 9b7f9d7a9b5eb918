"""The archive keeps what it was given, whole or not at all, and every ledger line that was finished."""

import fcntl
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from lightwell import archive
from lightwell.archive import Attempt
from lightwell.errors import ArchiveError
from lightwell.settings import Settings
from lightwell.source import Source

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def a_source(source_id: str = "letters") -> Source:
    return Source.model_validate(
        {
            "id": source_id,
            "title": "Letters",
            "publisher": "ncmec",
            "reporter": "ncmec",
            "description": "Letters counted.",
            "landing_page": "https://publisher.example/letters",
            "licence": "free to quote",
            "cadence": "annual",
            "hosts": ["publisher.example"],
            "media_type": "application/pdf",
            "layouts": [],
            "observe": [],
        }
    )


def put(settings: Settings, content: bytes, **fields: object) -> Attempt:
    document_id, size = archive.store(settings, io.BytesIO(content), ".pdf")
    attempt = Attempt(
        source_id="letters",
        url="https://publisher.example/a.pdf",
        attempted_at=NOON,
        outcome="stored",
        document_id=document_id,
        media_type="application/pdf",
        bytes=size,
    )
    attempt = replace(attempt, **fields)  # type: ignore[arg-type]
    archive.record(settings, attempt)
    return attempt


def finals(settings: Settings) -> list[Path]:
    return sorted(settings.archive.glob("??/*"))


def run(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)


def test_bytes_stand_under_their_sha256_and_storing_them_twice_is_fine(settings: Settings) -> None:
    content = b"x" * 3_000_000
    digest = hashlib.sha256(content).hexdigest()
    assert archive.store(settings, io.BytesIO(content), ".pdf") == (digest, 3_000_000)
    assert archive.store(settings, io.BytesIO(content), ".pdf") == (digest, 3_000_000)
    assert finals(settings) == [settings.archive / digest[:2] / f"{digest}.pdf"]
    assert archive.path_of(settings, digest).read_bytes() == content
    assert not list(settings.archive.glob(".incoming-*"))


def test_the_final_name_is_given_in_one_step_to_the_finished_file(settings: Settings) -> None:
    class Watched(io.BytesIO):
        seen: set[int] = set()  # noqa: RUF012

        def read(self, size: int | None = -1) -> bytes:
            self.seen |= {p.stat().st_ino for p in settings.archive.glob(".incoming-*")}
            assert finals(settings) == []
            return super().read(size)

    document_id, _ = archive.store(settings, Watched(b"whole"), ".pdf")
    assert {archive.path_of(settings, document_id).stat().st_ino} == Watched.seen


def test_storing_again_heals_a_damaged_file(settings: Settings) -> None:
    document_id = str(put(settings, b"whole").document_id)
    archive.path_of(settings, document_id).write_bytes(b"hole")
    assert not archive.holds(settings, document_id)
    archive.store(settings, io.BytesIO(b"whole"), ".pdf")
    assert archive.holds(settings, document_id)


def test_a_stream_that_breaks_leaves_nothing(settings: Settings) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise RuntimeError("gone")
            return super().read(10)

    with pytest.raises(RuntimeError):
        archive.store(settings, Broken(b"y" * 50), ".pdf")
    assert [p.name for p in settings.archive.iterdir()] == []


def test_a_folder_that_cannot_be_written_is_an_archive_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    with pytest.raises(ArchiveError, match=r"cannot write below .*home/archive: Not a directory"):
        archive.store(Settings(home=tmp_path / "home"), io.BytesIO(b"x"), ".pdf")


def test_every_field_of_an_attempt_comes_back(settings: Settings) -> None:
    full = Attempt(
        source_id="letters",
        url="https://publisher.example/a.pdf",
        attempted_at=NOON,
        outcome="unchanged",
        reason="none — ümläut\nand a new line",
        http_status=304,
        document_id="0" * 64,
        media_type="application/pdf",
        bytes=7,
        etag='"e"',
        last_modified="Wed, 01 May 2024 10:00:00 GMT",
        published_on=date(2024, 5, 1),
        method="added",
    )
    bare = Attempt("letters", None, NOON, "failed")
    archive.record(settings, full)
    archive.record(settings, bare)
    archive.record(settings, replace(bare, source_id="words"))
    assert archive.attempts(settings, "letters") == [full, bare]
    assert [a.source_id for a in archive.attempts(settings)] == ["letters", "letters", "words"]
    assert archive.attempts(settings, "nothing_yet") == []
    lines = (settings.archive / "ledger" / "letters.jsonl").read_text().splitlines()
    assert [json.loads(line)["outcome"] for line in lines] == ["unchanged", "failed"]


@pytest.mark.parametrize(
    "attempt",
    [
        Attempt("letters", None, datetime(2024, 5, 1), "failed"),
        Attempt("letters", None, NOON, "stored"),
        Attempt("letters", None, NOON, "unchanged", document_id="0" * 64),
    ],
)
def test_a_line_that_could_not_be_read_back_is_not_written(settings: Settings, attempt: Attempt) -> None:
    with pytest.raises(ValueError, match="a ledger line needs"):
        archive.record(settings, attempt)
    assert archive.attempts(settings) == []


def test_a_torn_last_line_is_left_out_and_the_next_starts_below_it(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    first = put(settings, b"one")
    ledger = settings.archive / "ledger" / "letters.jsonl"
    with ledger.open("a") as file:
        file.write('{"source_id":"letters","url":"https://publi')
    assert archive.attempts(settings, "letters") == [first]
    second = put(settings, b"two")
    caplog.clear()
    assert archive.attempts(settings, "letters") == [first, second]
    assert "letters.jsonl: line 2 is torn" in caplog.text
    assert [(p.kind, p.path) for p in archive.verify(settings)] == [("ledger", "ledger/letters.jsonl")]


def test_a_last_line_that_only_lacks_its_end_is_kept(settings: Settings) -> None:
    first = put(settings, b"one")
    ledger = settings.archive / "ledger" / "letters.jsonl"
    ledger.write_bytes(ledger.read_bytes().rstrip(b"\n"))
    second = put(settings, b"two")
    assert archive.attempts(settings, "letters") == [first, second]


def test_one_document_for_each_sha256_with_its_first_retrieval(settings: Settings) -> None:
    first = put(settings, b"one", url=None, method="added")
    put(settings, b"one", attempted_at=NOON + timedelta(days=1), outcome="unchanged")
    put(settings, b"two")
    archive.record(settings, Attempt("letters", "https://publisher.example/b.pdf", NOON, "failed", reason="HTTP 404"))
    one, two = archive.documents(settings, [a_source(), a_source("silent")])
    assert (one.document_id, one.retrieved_at, one.method) == (first.document_id, NOON, "added")
    assert (one.url, one.bytes, one.licence) == ("https://publisher.example/a.pdf", 3, "free to quote")
    assert one.path is not None
    assert one.path.read_bytes() == b"one"
    assert (one.published_on, one.published_basis, one.title) == (None, None, None)
    assert two.document_id == hashlib.sha256(b"two").hexdigest()


def test_the_newest_stated_date_wins(settings: Settings) -> None:
    put(settings, b"one", published_on=date(2024, 5, 1))
    put(settings, b"one", outcome="unchanged", published_on=date(2024, 6, 2))
    put(settings, b"one", outcome="unchanged")
    (one,) = archive.documents(settings, [a_source()])
    assert (one.published_on, one.published_basis) == (date(2024, 6, 2), "stated")


def test_the_earliest_last_modified_is_the_one_to_go_by(settings: Settings) -> None:
    for value in ("Wed, 01 May 2024 23:30:00 -0500", "Tue, 04 Jun 2024 10:00:00 GMT", "sometime", None):
        put(settings, b"one", last_modified=value)
    (one,) = archive.documents(settings, [a_source()])
    assert archive.last_modified_on(settings, one) == date(2024, 5, 2)
    assert archive.last_modified_date(Attempt("letters", None, NOON, "failed", last_modified="sometime")) is None


@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_a_document_that_is_not_as_stored_is_never_handed_out(settings: Settings, harm: str) -> None:
    lost, kept = put(settings, b"one"), put(settings, b"two")
    path = archive.path_of(settings, str(lost.document_id))
    if harm == "missing":
        path.unlink()
    if harm == "damaged":
        path.write_bytes(b"0ne")
    words = {"missing": "is missing", "damaged": "no longer has its sha256"}[harm]
    with pytest.raises(ArchiveError, match=rf"letters {words}: `lightwell fetch letters` gets it anew"):
        archive.documents(settings, [a_source()])
    told: list[tuple[str, str]] = []
    rest = archive.documents(settings, [a_source()], on_damage=lambda d, what: told.append((d.document_id, what)))
    assert [d.document_id for d in rest] == [kept.document_id]
    assert [document_id for document_id, _ in told] == [lost.document_id]
    (problem,) = archive.verify(settings)
    assert problem.kind == harm
    assert problem.what == told[0][1]


def test_verify_lists_files_that_no_ledger_names_and_left_over_ones(settings: Settings) -> None:
    put(settings, b"one")
    assert archive.verify(settings) == []
    document_id, _ = archive.store(settings, io.BytesIO(b"never recorded"), ".pdf")
    (settings.archive / ".incoming-abc").write_bytes(b"half")
    assert [(p.kind, p.path) for p in archive.verify(settings)] == [
        ("unrecorded", f"{document_id[:2]}/{document_id}.pdf"),
        ("temporary", ".incoming-abc"),
    ]


def test_left_over_files_are_cleared_after_an_hour(settings: Settings) -> None:
    settings.archive.mkdir(parents=True)
    old, young = settings.archive / ".incoming-old", settings.archive / ".incoming-young"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 3700, time.time() - 3700))
    archive.store(settings, io.BytesIO(b"one"), ".pdf")
    assert not old.exists()
    assert young.exists()


@pytest.mark.parametrize("document_id", ["", "../ledger/letters", "0" * 63, "A" * 64, "*" * 64])
def test_what_is_no_document_id_is_refused(settings: Settings, document_id: str) -> None:
    with pytest.raises(ArchiveError, match="is no document id"):
        archive.path_of(settings, document_id)


def test_a_document_the_archive_does_not_hold_is_named(settings: Settings) -> None:
    with pytest.raises(ArchiveError, match=f"holds no file of document {'0' * 64}"):
        archive.path_of(settings, "0" * 64)


STORE_HALF = """
import io, sys, time
from pathlib import Path
from lightwell import archive
from lightwell.settings import Settings
class Half(io.RawIOBase):
    def read(self, size=-1):
        if self.__dict__.setdefault("asked", 0):
            print("half", flush=True)
            time.sleep(60)
        self.asked += 1
        return b"z" * 100_000
archive.store(Settings(home=Path(sys.argv[1])), Half(), ".pdf")
"""


def test_killed_in_the_middle_of_storing_no_file_has_a_final_name(settings: Settings) -> None:
    kept = put(settings, b"one")
    process = run(STORE_HALF, str(settings.home))
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert finals(settings) == [archive.path_of(settings, str(kept.document_id))]
    assert archive.attempts(settings) == [kept]
    assert [p.kind for p in archive.verify(settings)] == ["temporary"]


STORE_FOREVER = """
import io, os, sys
from datetime import UTC, datetime
from pathlib import Path
from lightwell import archive
from lightwell.settings import Settings
settings = Settings(home=Path(sys.argv[1]))
print("ready", flush=True)
while True:
    sha, size = archive.store(settings, io.BytesIO(os.urandom(200_000)), ".pdf")
    archive.record(settings, archive.Attempt("letters", "https://publisher.example/" + "p" * 9000, datetime.now(UTC),
        "stored", document_id=sha, media_type="application/pdf", bytes=size))
"""


@pytest.mark.slow
def test_killed_at_any_moment_every_final_file_is_whole_and_every_line_readable(settings: Settings) -> None:
    for milliseconds in (20, 55, 90, 130, 175):
        process = run(STORE_FOREVER, str(settings.home))
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(milliseconds / 1000)
        process.send_signal(signal.SIGKILL)
        process.wait()
    after = put(settings, b"the next run")
    kinds = {p.kind for p in archive.verify(settings)}
    assert kinds <= {"unrecorded", "temporary", "ledger"}
    assert len(archive.documents(settings, [a_source()])) > 5
    assert archive.attempts(settings)[-1] == after


def test_a_line_waits_until_another_process_has_finished_its_own(settings: Settings) -> None:
    first = put(settings, b"one")
    second = replace(first, http_status=200)
    with (settings.archive / "ledger" / "letters.jsonl").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        writer = threading.Thread(target=archive.record, args=(settings, second))
        writer.start()
        writer.join(timeout=0.1)
        assert writer.is_alive()
    writer.join()
    assert archive.attempts(settings) == [first, second]


APPEND = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from lightwell import archive
from lightwell.settings import Settings
for n in range(100):
    archive.record(Settings(home=Path(sys.argv[1])), archive.Attempt("letters", f"{sys.argv[2]} {n}",
        datetime.now(UTC), "failed", reason="r" * 5000))
"""


def test_two_processes_appending_at_once_lose_no_line(settings: Settings) -> None:
    writers = [run(APPEND, str(settings.home), name) for name in ("left", "right")]
    assert [w.wait() for w in writers] == [0, 0]
    urls = [a.url for a in archive.attempts(settings, "letters")]
    assert sorted(map(str, urls)) == sorted(f"{name} {n}" for name in ("left", "right") for n in range(100))
    assert archive.verify(settings) == []
