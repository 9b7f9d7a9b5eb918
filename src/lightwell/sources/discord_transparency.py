"""Discord's transparency reports: tables stacked in one text table, each under a title, totals after a blank row."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from lightwell.errors import LayoutError
from lightwell.tables import Figure, delimited, refuse_scale, refuse_unfinished
from lightwell.tables.cells import Row, Sheet, address_labels, figures

if TYPE_CHECKING:
    from lightwell.archive import Document
    from lightwell.source import Layout

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905
_PARTS = {f"q{n + 1}": set(_MONTHS[3 * n : 3 * n + 3]) for n in range(4)}
_PARTS |= {"h1": set(_MONTHS[:6]), "h2": set(_MONTHS[6:]), "jan": set(_MONTHS[:6]), "jul": set(_MONTHS[6:])}
_HALVES = {"jan": "h1", "jul": "h2"}  # how an address can say a half: july-dec-2020


def extract(document: "Document", layout: "Layout") -> Iterator[Figure]:
    """Every figure, table by table; the NCMEC table under the name that says which totals it prints.

    Raises LayoutError where a table is unlike its layout, or a title or months are not those of its address.
    """
    sections = list(_sections(delimited.sheet(document, open_end=True).rows))
    period = address_labels(document, layout).get("period", "").casefold()
    for section in sections:
        refuse_scale(section.name)  # or a note, which looks like a title
        refuse_unfinished(section.name)
        said = re.findall(r"\b(?:q[1-4]|h[12]|20\d\d)\b", section.name.casefold())
        if any(part not in period and part not in _HALVES.get(period[:3], "") for part in said):
            raise _other_period(document, f"the title {section.name!r}", period)
    found = list(figures(sections, document, layout))
    reports = [figure for figure in found if figure.table.startswith("ncmec")]
    name = _totals_printed(reports)
    months = {figure.labels["month"][:3].casefold() for figure in reports}
    due = next(months for part, months in _PARTS.items() if part in period)
    printed = sorted(months & set(_MONTHS), key=_MONTHS.index)
    if len(printed) != len(due) or (name == "ncmec_by_month" and months != due):  # no total would show it
        raise _other_period(document, f"the months {', '.join(printed)}", period)
    return iter([replace(f, table=name) if f.table.startswith("ncmec") else f for f in found])


def _other_period(document: "Document", said: str, period: str) -> LayoutError:
    return LayoutError(
        f"{said} are not those of {period}, which the address {document.url!r} says: add the document again with "
        f"`lightwell add {document.source_id} FILE --url ADDRESS`, or look whether the file is complete"
    )


def _totals_printed(reports: list[Figure]) -> str:
    if any(figure.labels["column"] == "both" for figure in reports):
        return "ncmec_with_both"
    summed = any(figure.labels["month"][:3].casefold() not in _MONTHS for figure in reports)
    return "ncmec_with_sum" if summed else "ncmec_by_month"


def _sections(rows: list[Row]) -> Iterator[Sheet]:
    """One sheet a title, which is a row with nothing but its first cell; a total stands with the rows it adds up."""
    name, kept = "", list[Row]()
    for number, row in enumerate(rows):
        if _is_blank(row) and _is_total(next((r for r in rows[number:] if not _is_blank(r)), [])):
            continue
        if row and row[0].text and _is_blank(row[1:]):
            yield Sheet(name, kept)
            name, kept = row[0].text, []
        elif kept and _is_total(row) and _is_total(kept[-1]):
            kept[-1:] = _one_total(kept[-1], row)
        else:
            kept.append(row)
    yield Sheet(name, kept)


def _is_blank(row: Row) -> bool:
    return not any(cell.text for cell in row)


def _is_total(row: Row) -> bool:
    return not _is_blank(row) and re.fullmatch(r"(?:(?:total|sum)s?:?)?", row[0].text, re.IGNORECASE) is not None


def _one_total(sums: Row, overall: Row) -> list[Row]:
    """A nameless row of sums with one gap, below it the number for that gap in another column: one row."""
    gaps = [i for i, cell in enumerate(sums) if i and not cell.text]
    numbers = [cell for cell in overall[1:] if cell.text]
    if sums[0].text or len(gaps) != 1 or len(numbers) != 1:
        return [sums, overall]
    return [[overall[0], *(numbers[0] if i == gaps[0] else cell for i, cell in enumerate(sums) if i)]]
