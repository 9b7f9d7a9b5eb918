"""Statements of reasons of the EU's DSA Transparency Database: a daily dump of millions of rows into two small cubes.

Nothing that identifies a statement, a person or an item is kept: of a row only codes, the platform's name and the days
between its dates are counted. Texts, identifiers and addresses are never written, nor quoted in an error.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lightwell import __version__
from lightwell.errors import DumpError
from lightwell.statements import crew, cubes, dump
from lightwell.statements.cubes import Monthly, Receipt, monthly
from lightwell.statements.scan import BINS, KEYS

__all__ = ["Monthly", "Receipt", "Reduced", "monthly", "reduce", "reduce_one"]
Progress = Callable[[str, int, int], object]


@dataclass(frozen=True, slots=True)
class Reduced:
    """One dump reduced: its receipt, and the first rejected lines: CSV file, line, reason."""

    receipt: Receipt
    rejected: tuple[tuple[str, int, str], ...]


def reduce(
    paths: Iterable[Path],
    to: Path,
    *,
    workers: int | None = None,
    unverified: bool = False,
    progress: Progress = lambda *_: None,
) -> Iterator[Reduced]:
    """Reduce dumps, one after another, into cubes below `to`; each is published before the next is begun.

    Rows in = rows counted + rows rejected, or DumpError: where a dump is damaged, not as published, another than its
    `.sha1` sidecar says, or without one and not `unverified`; and where a worker dies. Nothing of it is written then.
    """
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DumpError(f"{to} cannot be made a folder for cubes: {error.strerror}") from error
    with crew.started(workers or len(os.sched_getaffinity(0))) as started:
        for path in paths:
            yield reduce_one(path, to, started, unverified=unverified, progress=progress)


def reduce_one(
    path: Path, to: Path, workers: crew.Workers, *, unverified: bool = False, progress: Progress = lambda *_: None
) -> Reduced:
    """Reduce one dump with workers that are there; as `reduce` otherwise."""
    published = dump.published_sha1(path)
    if published is None and not unverified:
        raise DumpError(f"{path.name} has no sidecar {path.name}.sha1 beside it: fetch it, or say --unverified")
    with dump.opened(path) as opened:
        if opened.missing_parts and published is None:
            first = f"{opened.stem}-{opened.missing_parts[0]:05d}.csv.zip"
            raise DumpError(f"{path.name} lacks {first} and has no sidecar that says it may: fetch both again")
        job = crew.Job(workers, opened, lambda done, total: progress(path.name, done, total))
        digest = dump.sha1(opened)
        counted = job.result()
        if published not in (None, digest):
            raise DumpError(f"{path.name} has another SHA-1 than its sidecar says; nothing was counted: fetch it again")
        receipt = _receipt(opened, counted, digest, verified=published is not None)
    cubes.write(counted.cells, receipt, to)
    return Reduced(receipt, tuple(sorted(counted.examples)[:20]))


def _receipt(opened: dump.Dump, counted: crew.Counted, digest: str, *, verified: bool) -> Receipt:
    """What the counts add up to. Raises DumpError where they do not."""
    total = sum(counted.cells.values())
    rejected = dict(sorted(counted.rejected.items()))
    if total + sum(rejected.values()) != counted.lines:
        raise DumpError(f"{opened.path.name}: {counted.lines:,} rows in, {total:,} counted: please file an issue")
    return Receipt(
        dump=opened.stem,
        sha1=digest,
        sha1_verified=verified,
        day=str(opened.day),
        csv_files=len(opened.members),
        missing_parts=opened.missing_parts,
        rows=counted.lines,
        counted=total,
        rejected=rejected,
        about_minors=sum(n for cell, n in counted.cells.items() if cell[KEYS.index("about_minors")]),
        platforms=len({cell[0] for cell in counted.cells}),
        delay_bins=(-1, *BINS),
        lightwell=__version__,
    )
