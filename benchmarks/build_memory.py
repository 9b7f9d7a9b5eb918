"""Building from the edition, offline and in one process: time, and the most memory it held.

Goal: under 1 GiB. What the import of Great Expectations alone costs stands beside it: it is the better part of both.
"""

import sys
import tempfile
from pathlib import Path

from common import LIGHTWELL, MIB, Run, interleave, median, run, show

GOAL = 1024 * MIB
ROUNDS = 3
EMPTY = "pass"
DUCKDB = "import duckdb, pandas"
EXPECTATIONS = "import great_expectations"


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {"LIGHTWELL_OFFLINE": "1", "LIGHTWELL_SOURCES": "", "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
        build = [LIGHTWELL, "--home", folder / "home", "build", "--force"]
        run(build, **settings)  # leaves the byte code behind
        results = interleave(
            rounds,
            build=lambda: run(build, **settings),
            expectations=lambda: run([sys.executable, "-c", EXPECTATIONS], **settings),
            duckdb=lambda: run([sys.executable, "-c", DUCKDB], **settings),
            python=lambda: run([sys.executable, "-c", EMPTY], **settings),
        )
    names = {
        "build": "build from the edition", "expectations": EXPECTATIONS, "duckdb": DUCKDB, "python": "bare Python",
    }  # fmt: skip
    show(
        f"Building from the edition, median of {rounds}; goal: peak under {GOAL // MIB} MiB",
        ["", "wall s", "share", "cpu s", "peak MiB", "of goal"],
        [row(names[task], runs, results["build"]) for task, runs in results.items()],
    )


def row(name: str, runs: list[Run], against: list[Run]) -> list[str]:
    wall = median([r.wall for r in runs])
    share = wall / median([r.wall for r in against])
    peak = max(r.peak for r in runs)
    cpu = median([r.cpu for r in runs])
    return [name, f"{wall:.2f}", f"{share:.2f}", f"{cpu:.2f}", str(peak // MIB), f"{peak / GOAL:.2f}"]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
