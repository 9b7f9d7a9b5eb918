"""What a data home on object storage costs in time and bytes: a release published, taken in, looked at; an archive too.

The storage is an S3 server on this machine, in a process of its own, which answers at once: a real one is some tens of
milliseconds away a request and as fast as the line, so the number of requests is printed beside the seconds.
"""

import hashlib
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from common import MIB, show
from lightwell import archive, refresh, store, warehouse
from lightwell.archive import Attempt
from lightwell.settings import Settings
from lightwell.store.bucket import bucket_of

DOCUMENTS, EACH = 500, 100_000  # of an archive: how many, and the bytes of each
SERVER = """
import logging, sys, time
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://%s:%d" % server.get_host_and_port(), flush=True)
sys.stdin.read()
"""


@contextmanager
def storage() -> Iterator[str]:
    """An S3 server and a bucket in it; the address of a data home there."""
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    os.environ.update(
        AWS_ENDPOINT_URL_S3=server.stdout.readline().strip(), AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none",
        AWS_DEFAULT_REGION="us-east-1",
    )  # fmt: skip
    try:
        bucket_of(Settings(home=Path(), remote="s3://bench")).client.create_bucket(Bucket="bench")
        yield "s3://bench/home"
    finally:
        server.terminate()
        server.wait()


class Counted:
    """Requests and bytes of what is done meanwhile."""

    def __init__(self, remote: str) -> None:
        self.requests = self.bytes = 0
        events = bucket_of(Settings(home=Path(), remote=remote)).client.meta.events
        events.register("before-send.s3", self._sent)
        events.register("after-call.s3", self._had)

    def _sent(self, request: object, **_: object) -> None:
        self.requests += 1
        self.bytes += int(getattr(request, "headers", {}).get("Content-Length") or 0)

    def _had(self, parsed: dict[str, object], **_: object) -> None:
        length = parsed.get("ContentLength")
        self.bytes += length if isinstance(length, int) else 0

    def row(self, name: str, task: Callable[[], object]) -> list[str]:
        self.requests = self.bytes = 0
        began = time.perf_counter()
        task()
        seconds = time.perf_counter() - began
        return [name, f"{seconds:.2f}", str(self.requests), f"{self.bytes / MIB:.1f}"]


def fill(settings: Settings) -> None:
    for number in range(DOCUMENTS):
        content = hashlib.sha256(str(number).encode()).digest() * (EACH // 32)
        document_id, size = archive.store(settings, io.BytesIO(content), ".pdf")
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
        media = "application/pdf"
        archive.record(settings, Attempt("benchmark", None, at, "stored", None, 200, document_id, media, size))


def synced(settings: Settings) -> None:
    with store.synced(settings):
        pass


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, storage() as remote:
        a, b, c = (Settings(home=Path(folder) / name, remote=remote, offline=True) for name in "abc")
        alone = Settings(home=a.home, offline=True)
        items = refresh.reading.inputs(refresh.choose(alone, ()), alone)
        prepared = refresh.prepare(items, alone)
        counted = Counted(remote)
        with store.synced(a):
            sources = refresh.choose(alone, ())
            built = refresh.build(prepared, a, sources=sources, digest="benchmark")
            size = sum(p.stat().st_size for p in built.folder.iterdir()) / MIB
            rows = [counted.row(f"publish a release of {size:.1f} MiB", lambda: warehouse.publish(built, a))]
        online = Settings(home=b.home, remote=remote)
        rows.append(counted.row("first read on another machine", lambda: warehouse.connect(online).close()))
        rows.append(counted.row("every read after it", lambda: warehouse.connect(online).close()))
        fill(a)
        rows.append(counted.row(f"hand over {DOCUMENTS} documents and ledger lines", lambda: synced(a)))
        rows.append(counted.row("take them in, and the release, on a new machine", lambda: synced(c)))
        rows.append(counted.row("a step where nothing is new", lambda: synced(c)))
    header = ["storage on this machine", "seconds", "requests", "MiB"]
    show("A data home on object storage", header, rows, ["A request to a real store waits some tens of ms more."])


if __name__ == "__main__":
    main()
