"""A refresh that finds nothing new against a full build from an empty cache, each a process of its own.

The full build has the documents in its archive and must read, check and publish them all. The refresh asks a publisher
on this machine, which answers 304 to what is held and 404 to what is not out yet; it lists the status and publishes
nothing. Both hold the same documents, the refresh beside those of the edition as well. Imports are counted on both
sides; their byte code is cached, as after a first run. Goal: at most a third.
"""

import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from common import LIGHTWELL, Run, documents, interleave, median, run, show
from lightwell.settings import resource
from lightwell.source import Source

GOAL = 1 / 3
ROUNDS = 5


@contextmanager
def publisher(files: dict[str, bytes]) -> Iterator[str]:
    """A web server on this machine that serves files under an ETag; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = files.get(self.path)
            held = body is not None and self.headers["If-None-Match"] == '"1"'
            self.send_response(404 if body is None else 304 if held else 200)
            if body is not None:
                self.send_header("ETag", '"1"')
                self.send_header("Content-Type", "application/pdf")
            sent = body if body is not None and not held else b""
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def declare(held: list[tuple[Source, Path]], address: str, folder: Path) -> list[str]:
    """Copies of the declarations that name the local publisher; the ids of the copies."""
    ids = []
    for one in dict.fromkeys(source.id for source, _ in held):
        years = [int(file.stem[-4:]) for source, file in held if source.id == one]
        declared = yaml.safe_load((resource("sources") / f"{one}.yml").read_text(encoding="utf-8"))
        kind = next(file.stem for source, file in held if source.id == one)[:-4]
        rule = {"first": min(years), "urls": [f"{address}/{kind}{{year}}.pdf"]}
        copy = {**declared, "id": f"bench_{one}", "hosts": ["127.0.0.1"], "documents": [rule], "discover": []}
        (folder / f"bench_{one}.yml").write_text(yaml.safe_dump(copy), encoding="utf-8")
        ids.append(copy["id"])
    return ids


def full_build(home: Path, cache: Path) -> Run:
    """Build anew with an empty cache of figures."""
    shutil.rmtree(home / "figures", ignore_errors=True)
    return run([LIGHTWELL, "--home", home, "build", "--force"], PYTHONPYCACHEPREFIX=str(cache))


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        held = documents(folder)
        cache, own = folder / "bytecode", folder / "sources"
        own.mkdir()
        for source, file in held:
            run([LIGHTWELL, "--home", folder / "full", "add", source.id, file], PYTHONPYCACHEPREFIX=str(cache))
        with publisher({f"/{file.name}": file.read_bytes() for _, file in held}) as address:
            command = [LIGHTWELL, "--home", folder / "local", "refresh", *declare(held, address, own)]
            local = {
                "LIGHTWELL_SOURCES": str(own), "LIGHTWELL_ALLOW_PRIVATE_ADDRESSES": "1", "LIGHTWELL_OFFLINE": "",
                "PYTHONPYCACHEPREFIX": str(cache), "NO_PROXY": "127.0.0.1",
            }  # fmt: skip
            warm_up = [run(command, **local), full_build(folder / "full", cache)]
            brought = warm_up[0].output.count("new: http")
            if brought != len(held) or "published" not in warm_up[1].output:
                raise RuntimeError(f"this measures nothing: {warm_up[0].output}\n{warm_up[1].output}")
            results = interleave(
                rounds,
                build=lambda: full_build(folder / "full", cache),
                refresh=lambda: nothing_new(run(command, **local)),
                version=lambda: run([LIGHTWELL, "--version"], PYTHONPYCACHEPREFIX=str(cache)),
            )
    names = {"build": "full build, empty cache", "refresh": "refresh, nothing new", "version": "lightwell --version"}
    show(
        f"Refresh of {len(held)} documents, median of {rounds}; goal: at most {GOAL:.2f} of a full build",
        ["", "wall s", "ratio", "cpu s", "ratio", "peak MiB"],
        [row(names[task], runs, results["build"]) for task, runs in results.items()],
        ["Requests to real hosts are a second apart; that waiting is left out here."],
    )


def nothing_new(done: Run) -> Run:
    if "nothing new" not in done.output:
        raise RuntimeError(f"this measures nothing: the refresh found something: {done.output}")
    return done


def row(name: str, runs: list[Run], against: list[Run]) -> list[str]:
    wall, cpu = (median([getattr(r, kind) for r in runs]) for kind in ("wall", "cpu"))
    full_wall, full_cpu = (median([getattr(r, kind) for r in against]) for kind in ("wall", "cpu"))
    peak = max(r.peak for r in runs) >> 20
    return [name, f"{wall:.2f}", f"{wall / full_wall:.3f}", f"{cpu:.2f}", f"{cpu / full_cpu:.3f}", str(peak)]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
