"""What the benchmarks share: documents to read, processes that are measured, and a small table at the end."""

import gc
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lightwell import source
from lightwell.source import Source

ROOT = Path(__file__).parents[1]
ORIGINALS = ROOT.parent / "shared" / "reports" / "ncmec"
LIGHTWELL = Path(sys.executable).with_name("lightwell")
MIB = 1 << 20
_SOURCES = {"by-country": "ncmec_by_country", "by-esp": "ncmec_by_esp", "ojjdp": "ncmec_ojjdp"}


def documents(folder: Path) -> list[tuple[Source, Path]]:
    """The publisher's own PDFs where this machine has them, else replicas typeset into `folder`."""
    files = sorted(ORIGINALS.glob("ncmec-*.pdf")) or _replicas(folder)
    kinds = [file.stem.removeprefix("ncmec-").rpartition("-")[0] for file in files]
    return [(source.load(_SOURCES[kind]), file) for kind, file in zip(kinds, files, strict=True)]


def _replicas(folder: Path) -> list[Path]:
    sys.path.insert(0, str(ROOT / "tests"))
    from replicas import by_country, by_esp, grids
    from test_source_ncmec_ojjdp import PAGES

    return [
        by_country().write(folder / "ncmec-by-country-2022.pdf"),
        by_esp(236).write(folder / "ncmec-by-esp-2022.pdf"),
        grids(folder / "ncmec-ojjdp-2022.pdf", PAGES, title="Transparency report"),
    ]


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process: seconds on the clock, seconds of processor time, and the most memory it held."""

    wall: float
    cpu: float
    peak: int  # bytes
    output: str


def run(command: Sequence[str | Path], **variables: str) -> Run:
    """Run a command to its end and measure it. Raises RuntimeError, with what it said, if it fails."""
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **variables}  # byte code is kept, as on a user's machine
    began = time.perf_counter()
    child = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = child.stdout.read() if child.stdout else ""
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {child.returncode}:\n{output}")
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024), output)


def interleave(rounds: int, **tasks: Callable[[], Run]) -> dict[str, list[Run]]:
    """Do every task in turn, `rounds` times over, so that a slow moment of the machine falls on all of them."""
    results: dict[str, list[Run]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            results[name].append(task())
    return results


def seconds(task: Callable[[], object]) -> float:
    """Processor seconds of one call in this process, which starts without garbage of the calls before it."""
    gc.collect()
    began = time.process_time()
    task()
    return time.process_time() - began


def machine() -> str:
    """One line that says where the numbers come from."""
    load = "unknown"
    with suppress(OSError):
        load = f"{os.getloadavg()[0]:.1f}"
    return f"{os.cpu_count()} cores, load {load}, {platform.machine()}, Python {platform.python_version()}"


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> None:
    """Print a table in plain text, the first column to the left, the numbers to the right."""
    widths = [max(len(row[k]) for row in [header, *rows]) for k in range(len(header))]
    print(f"\n{title}\n{machine()}")
    for row in [header, *rows]:
        cells = [
            cell.ljust(w) if k == 0 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    for note in notes:
        print(note)


def median(values: Sequence[float]) -> float:
    """The middle value: one slow run does not move it."""
    return statistics.median(values)
