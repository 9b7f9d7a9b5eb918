"""Reading a document's figures against a bare pdfplumber `extract_words` over the same pages.

Both open the file anew, go through every page and close it, in one process, in turn, each round in the other order.
Goal: at most 1.5 times for every document. `figures` is the extraction with the declared layout; `whole` is all of
what a build does with a document new to it: open it, choose its layout by the first page, extract, write the cache.
Processor time is compared, for one thread does it all and waits for nothing: what else runs then matters least.
"""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pdfplumber

from common import documents, median, seconds, show
from lightwell import archive, reading
from lightwell.archive import Document
from lightwell.fetch import add
from lightwell.settings import Settings
from lightwell.source import Source
from lightwell.tables import pdf

GOAL = 1.5
ROUNDS = 5


def bare(path: Path) -> None:
    with pdfplumber.open(path) as opened:
        for page in opened.pages:
            page.extract_words()
            page.close()


def tasks(one: Source, document: Document, settings: Settings, serial: "count[int]") -> list[Callable[[], object]]:
    """What is timed for one document: words, figures, whole reading with an empty cache each time."""
    path = document.path
    if path is None:
        raise FileNotFoundError(document.document_id)
    layout = reading.choose_layout(one, pdf.opening(path).text)
    return [
        lambda: bare(path),
        lambda: list(pdf.extract(document, layout)),
        lambda: reading.read(document, one, replace(settings, home=settings.home / str(next(serial)))),
    ]


def in_turn(timed: list[Callable[[], object]], rounds: int) -> list[list[float]]:
    """The seconds of every task in every round; one round before them counts for nothing."""
    times: list[list[float]] = [[] for _ in timed]
    for i in range(rounds + 1):
        order = list(enumerate(timed))
        for k, task in order[:: -1 if i % 2 else 1]:
            spent = seconds(task)
            if i:
                times[k].append(spent)
    return times


def main(rounds: int) -> None:
    rows: list[list[str]] = []
    sums = [0.0, 0.0, 0.0]
    serial = count()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home")
        for one, file in documents(Path(folder)):
            added = add(one, file, settings)
            document = next(d for d in archive.documents(settings, [one]) if d.document_id == added.document_id)
            timed = tasks(one, document, settings, serial)
            middles = [median(column) for column in in_turn(timed, rounds)]
            sums = [total + middle for total, middle in zip(sums, middles, strict=True)]
            rows.append(row(file.stem, middles))
    rows.append(row("all", sums))
    header = ["document", "words s", "figures s", "ratio", "whole s", "ratio"]
    show(f"Reading, processor seconds, median of {rounds}; goal: at most {GOAL} for every document", header, rows)


def row(name: str, times: list[float]) -> list[str]:
    words, figures, whole = times
    return [name, f"{words:.3f}", f"{figures:.3f}", f"{figures / words:.2f}", f"{whole:.3f}", f"{whole / words:.2f}"]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
