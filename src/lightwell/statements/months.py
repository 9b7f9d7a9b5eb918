"""Monthly counts of a folder of cubes as the CSV that the source `dsa_statements` reads.

A month stands in it only where every day of it was counted for that platform. Fewer days on end are a time range, and
days with a gap between them are left out: a part of a month must never pass for the whole.
"""

import csv
import io
import re
from calendar import monthrange
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import unquote

from lightwell.statements import cubes, rows
from lightwell.statements.cubes import Monthly, Receipt

COLUMNS = ("platform", "measure", "code", "period", "days", "comparator", "value", "url")
ADDRESS = "https://transparency.dsa.ec.europa.eu/explore-data/download"
ABOUT = "ABOUT_MINORS"  # the code of what is about minors by any mark: not the total of all statements, `_T`
_MARKED = tuple(measure for measure in cubes.MEASURES if measure.startswith("minors_") and "pairs" not in measure)
_SINCE = {"KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL_DEEPFAKE": "2025-07", "KEYWORD_UNSAFE_CHALLENGES": "2025-07"}
_STEM = re.compile(r"sor-(?P<slug>.+)-[0-9]{4}-[0-9]{2}-[0-9]{2}-(?:full|light)")
_Month = tuple[str, str]  # platform and month


@dataclass(frozen=True, slots=True)
class Written:
    """The CSV's text, how many lines of data it has, and the platforms and months left out for a gap in their days."""

    text: str
    lines: int
    left_out: tuple[_Month, ...]


def table(folder: Path) -> Written:
    """The counts of a folder of cubes, by platform and month, for `lightwell add dsa_statements`.

    Where a dump had lines that could not be counted, the counts of its month are lower bounds (`>=`). Raises DumpError
    as `cubes.monthly` does.
    """
    counted: dict[_Month, dict[tuple[str, str], int]] = {}
    for one in cubes.monthly(folder):
        cells = counted.setdefault((one.platform, one.month), {})
        for key in _keys(one):
            cells[key] = cells.get(key, 0) + one.count
    held = _held(folder, counted)
    lines, left_out = [], []
    for place, cells in sorted(counted.items()):
        platform, month = place
        days = sorted({date.fromisoformat(receipt.day) for receipt in held[place]})
        period = _period(month, days)
        if period is None:
            left_out.append(place)
            continue
        sure = ">=" if any(receipt.rejected for receipt in held[place]) else "="
        for (measure, code), n in sorted((_zeros(month) | cells).items()):
            lines.append((platform, measure, code, period, len(days), sure, n, ADDRESS))
    return Written(_csv(lines), len(lines), tuple(left_out))


def _keys(one: Monthly) -> Iterator[tuple[str, str]]:
    """The measures and codes of the CSV that a count adds to. A keyword that is not about minors adds to none: it was
    counted for the statements about minors only."""
    if one.measure == "statements":
        yield "statements", "_T"
        yield "statements_by_category", one.code
    elif one.measure == "minors_keyword_pairs":
        if one.code in rows.MINORS_KEYWORDS:
            yield "statement_keyword_pairs", one.code
    elif one.measure in _MARKED:
        yield one.measure, ABOUT


def _zeros(month: str) -> dict[tuple[str, str], int]:
    """What is said of a platform and month even if it is none, so that an older count of it does not live on."""
    keywords = [code for code in rows.MINORS_KEYWORDS if month >= _SINCE.get(code, "")]
    said = [("statements_by_category", rows.MINORS), *(("statement_keyword_pairs", code) for code in keywords)]
    return dict.fromkeys([*said, *((measure, ABOUT) for measure in _MARKED)], 0)


def _held(folder: Path, places: Iterable[_Month]) -> dict[_Month, list[Receipt]]:
    """The receipts of the dumps in which a platform's statements of a month stand, or would if there were any."""
    receipts = cubes.read_receipts(folder)
    slugs = {name: _slug_of(name) for name in receipts}
    inside: dict[str, set[str]] = {}
    for path in folder.glob("day=*/platform=*/*.activity.parquet"):
        platform = unquote(path.parent.name.removeprefix("platform="))
        inside.setdefault(path.name.removesuffix(".activity.parquet"), set()).add(platform)
    return {
        (platform, month): [
            receipt
            for name, receipt in receipts.items()
            if receipt.day.startswith(month)
            and (platform in inside.get(name, ()) or slugs[name] in ("global", _slug(platform)))
        ]
        for platform, month in places
    }


def _slug_of(name: str) -> str:
    match = _STEM.fullmatch(name)
    return match["slug"] if match else ""


def _slug(platform: str) -> str:
    """A platform's name in the names of its dumps; where it comes out otherwise, its empty days count as not held."""
    return re.sub(r"[^a-z0-9]+", "-", platform.casefold().replace(".", "")).strip("-")


def _period(month: str, days: Sequence[date]) -> str | None:
    """The month, the range of its days that were counted, or None where there is a gap between them."""
    year, number = map(int, month.split("-"))
    if len(days) == monthrange(year, number)[1]:
        return month
    if not days or (days[-1] - days[0]).days + 1 != len(days):
        return None
    return f"{days[0]}/P{len(days)}D"


def _csv(lines: Iterable[Sequence[object]]) -> str:
    target = io.StringIO(newline="")
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(lines)
    return target.getvalue()
