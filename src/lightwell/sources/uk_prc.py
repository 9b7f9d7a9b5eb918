"""Police recorded crime: a sheet a financial year. A row that names another year than its sheet is not believed."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from lightwell.tables import Figure, cells, spreadsheet

if TYPE_CHECKING:
    from lightwell.archive import Document
    from lightwell.source import Layout


def extract(document: "Document", layout: "Layout") -> Iterator[Figure]:
    """Every figure that the layout takes, with a label `doubt`. Raises LayoutError for another layout."""
    for figure in cells.figures(spreadsheet.each_sheet(document), document, layout):
        yield replace(figure, labels={**figure.labels, "doubt": _doubt(figure)})


def _doubt(figure: Figure) -> str:
    """Why the financial year of a figure is not to be believed; empty where it is."""
    year, sheet = figure.labels["year"], figure.locator.sheet or ""
    match = re.fullmatch(r"(\d{4})/(\d\d)", year)
    if match is None or (int(match[1]) + 1) % 100 != int(match[2]):
        return f"{year!r} is no financial year, which is two years on end: 2023/24"
    if re.sub(r"\D", "/", sheet.strip()) != year:
        return f"the row says {year!r} and stands on the sheet {sheet!r}"
    return ""
