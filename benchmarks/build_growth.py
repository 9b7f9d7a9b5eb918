"""A build of once, twice and four times the edition: time and memory must grow with the observations, not faster.

The copies are the edition's own documents under made-up ids, each in a year of its own publication, so that every
observation has as many vintages as there are copies. Each size is built in a process of its own.
"""

import hashlib
import json
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from common import MIB, median, run, show

SIZES = (1, 2, 4)
ROUNDS = 2


def build(times: int, home: Path) -> dict[str, float]:
    """Build once in this process; seconds of harmonising and checking, seconds of loading, and the observations."""
    from lightwell import reading, refresh, source
    from lightwell.settings import Settings

    settings = Settings(home=home, offline=True)
    sources = source.list_sources(settings)
    items = []
    for copy in range(times):
        for item in reading.inputs(sources, settings):
            document, read = reading.take(item, settings)
            key = (
                hashlib.sha256(f"{document.document_id} {copy}".encode()).hexdigest() if copy else document.document_id
            )
            published = document.published_on - timedelta(days=copy) if document.published_on else None
            document = replace(document, document_id=key, published_on=published)
            items.append(replace(item, document=document, given=replace(read, document_id=key)))
    import great_expectations  # noqa: F401  its import is the same for every size: not part of the growth

    began = time.perf_counter()
    prepared = refresh.prepare(items, settings)
    checked = time.perf_counter()
    built = refresh.build(prepared, settings, sources=sources, digest="benchmark")
    ended = time.perf_counter()
    count = sum(len(p.harmonised.observations) for p in prepared)
    refresh.warehouse.discard(built)
    return {"prepare": checked - began, "build": ended - checked, "observations": count}


def main(rounds: int) -> None:
    """Print one row a size, with the ratio to the size before."""
    rows, before = [], None
    for times in SIZES:
        runs = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                runs.append(run([sys.executable, __file__, "--once", str(times), folder]))
        said = [json.loads(r.output.splitlines()[-1]) for r in runs]
        wall = median([s["prepare"] + s["build"] for s in said])
        count = said[0]["observations"]
        ratio = "" if before is None else f"{wall / before[0]:.2f} for {count / before[1]:.2f} times the observations"
        peak = max(r.peak for r in runs) // MIB
        rows.append([str(times), f"{count:,}", f"{wall:.2f}", f"{1e6 * wall / count:.0f}", str(peak), ratio])
        before = (wall, count)
    columns = [
        "times the edition",
        "observations",
        "seconds",
        "microseconds each",
        "peak MiB",
        "against the size before",
    ]
    show(f"Checking and building, median of {rounds}; goal: as the observations grow", columns, rows)


if __name__ == "__main__":
    if "--once" in sys.argv:
        print(json.dumps(build(int(sys.argv[2]), Path(sys.argv[3]))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
