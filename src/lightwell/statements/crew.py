"""The workers of a reduction: processes of their own that count one CSV file at a time. One that dies is an error."""

import json
import marshal
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lightwell.errors import DumpError
from lightwell.statements.dump import Dump, Member
from lightwell.statements.scan import Cell

_SLOWEST = 2 << 20  # bytes a second; a worker slower than this has stopped
_PATIENCE = 60.0  # seconds on top
_ENVIRONMENT = {  # what libraries read as they are loaded
    "POLARS_MAX_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),  # blocks of text come and go in the heap,
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),  # which keeps its pages
    "_RJEM_MALLOC_CONF": "narenas:1,dirty_decay_ms:300,muzzy_decay_ms:0",  # polars' own keeps them not quite as long
}


@dataclass(slots=True)
class Counted:
    """What the workers found in a dump: the number of statements by cell, as in `scan.KEYS`."""

    cells: dict[Cell, int] = field(default_factory=dict)
    lines: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    examples: list[tuple[str, int, str]] = field(default_factory=list)  # CSV file, line, reason


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]

    def ask(self, request: dict[str, Any] | None, seconds: float, about: str) -> dict[str, Any]:
        """The answer to a request. Raises DumpError where the worker is gone, stuck, or says why it cannot."""
        if self.process.stdin is None or self.process.stdout is None:
            raise DumpError("a worker has no pipes")  # not met: it was started with them
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
            deadline = time.monotonic() + seconds
            (length,) = struct.unpack("<Q", self._read(8, deadline, about))
            answer: dict[str, Any] = marshal.loads(self._read(length, deadline, about))  # noqa: S302  our own process
        except BrokenPipeError as error:
            raise self._gone(about) from error
        if "error" in answer:
            raise DumpError(answer["error"])
        return answer

    def _read(self, length: int, deadline: float, about: str) -> bytes:
        got = bytearray()
        source = self.process.stdout.fileno() if self.process.stdout else -1
        while len(got) < length:
            if not select.select([source], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise DumpError(f"a worker did not answer in time at {about}; nothing was written: try again")
            piece = os.read(source, min(length - len(got), 1 << 20))
            if not piece:
                raise self._gone(about)
            got += piece
        return bytes(got)

    def _gone(self, about: str) -> DumpError:
        code = self.process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return DumpError(f"a worker ended ({how}) at {about}; nothing was written: try again, with fewer --workers")


@contextmanager
def started(number: int) -> Iterator[Sequence[_Worker]]:
    """That many workers, which end with the block, however it ends."""
    home = str(Path(__file__).parents[2])
    path = os.pathsep.join(part for part in (home, os.environ.get("PYTHONPATH", "")) if part)
    environment = {**os.environ, **_ENVIRONMENT, "PYTHONPATH": path}
    command = [sys.executable, "-c", "from lightwell.statements.scan import main; main()"]
    workers: list[_Worker] = []
    try:
        for _ in range(number):
            process = subprocess.Popen(  # noqa: S603  our own interpreter and module
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
            )
            workers.append(_Worker(process))
        yield workers
    finally:
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.process.communicate()


Workers = Sequence[_Worker]


class Job:
    """The counting of one dump, each of its CSV files by whichever worker is free. It runs until `result` is asked."""

    def __init__(self, workers: Sequence[_Worker], dump: Dump, progress: Callable[[int, int], object]) -> None:
        self._dump, self._progress = dump, progress
        self._work, self._lock = iter(dump.members), threading.Lock()
        self._found, self._errors, self._done = Counted(), list[Exception](), 0
        self._threads = [threading.Thread(target=self._run, args=(worker,), daemon=True) for worker in workers]
        for thread in self._threads:
            thread.start()

    def result(self) -> Counted:
        """What was found, once all is counted. Raises the first error met."""
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
        return self._found

    def _run(self, worker: _Worker) -> None:
        try:
            worker.ask(None, _PATIENCE, self._dump.path.name)  # whatever it holds of a dump that was refused
            while (member := self._next()) is not None:
                patience = _PATIENCE + member.size / _SLOWEST
                self._add(member, worker.ask(self._request(member), patience, member.name))
            cells = worker.ask(None, _PATIENCE, self._dump.path.name)["cells"]
            with self._lock:
                for *key, n in cells:
                    cell = tuple(key)
                    self._found.cells[cell] = self._found.cells.get(cell, 0) + n
        except (DumpError, OSError, ValueError) as error:
            self._errors.append(error)

    def _next(self) -> Member | None:
        with self._lock:
            return None if self._errors else next(self._work, None)

    def _request(self, member: Member) -> dict[str, Any]:
        inode = os.fstat(self._dump.file).st_ino
        path = str(self._dump.path.absolute())
        return {"path": path, "inode": inode, "day": str(self._dump.day), "member": asdict(member)}

    def _add(self, member: Member, answer: dict[str, Any]) -> None:
        with self._lock:
            self._found.lines += answer["lines"]
            for reason, number in answer["rejected"].items():
                self._found.rejected[reason] = self._found.rejected.get(reason, 0) + number
            self._found.examples += [(member.name, line, reason) for line, reason in answer["examples"]]
            self._done += member.stored
            self._progress(self._done, self._dump.bytes)
