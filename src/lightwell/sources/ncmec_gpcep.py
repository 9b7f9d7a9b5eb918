"""NCMEC's Global Platform: JSON whose total field is not of the period that the document is about.

In the file for 2024 the totals are the counts of 2023, while the referrals are of 2024. No document says which period
its totals are of, so none of them is believed: each is set aside with the signs that its own document gives.
"""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from lightwell.tables import Figure, json

if TYPE_CHECKING:
    from lightwell.archive import Document
    from lightwell.source import Layout


def extract(document: "Document", layout: "Layout") -> Iterator[Figure]:
    """Every figure; texts without HTML's escapes, areas without an address's hyphens, totals with why to doubt them."""
    found = [_plain(figure, layout) for figure in json.extract(document, layout)]
    totals = {f.labels["area"]: f.text for f in found if f.table == "totals"}
    referred = {f.labels["area"]: f.text for f in found if f.labels.get("column") == "referred"}
    reason = _doubt(totals, referred)
    for figure in found:
        if figure.table == "totals" and _number(figure.text) is not None:
            yield replace(figure, labels={**figure.labels, "doubt": reason})
        else:
            yield figure


def _plain(figure: Figure, layout: "Layout") -> Figure:
    labels = {name: html.unescape(text) for name, text in figure.labels.items()}
    if any("url_friendly_name" in p for t in layout.tables if t.kind == "records" for p in t.labels.values()):
        labels["area"] = labels["area"].replace("-", " ")
    if figure.table == "providers":
        labels["isp"] = labels.pop("esp")
    return replace(figure, labels=labels, text=html.unescape(figure.text))


def _doubt(totals: Mapping[str, str], referred: Mapping[str, str]) -> str:
    """Why the document's totals are not released, and what in the document says so."""
    signs = []
    pairs = [(area, _number(referred.get(area, "")), _number(text)) for area, text in totals.items()]
    over = [f"{area}: {part:,} of {whole:,}" for area, part, whole in pairs if part and whole and part > whole]
    if over:
        signs.append(f"more reports are printed as referred than in all ({'; '.join(over[:3])})")
    if any(whole and (whole < 50 or len(str(whole).rstrip("0")) > 2) for _, _, whole in pairs):
        signs.append("they are printed to the last digit, where the document's other figures are rounded and held back")
    told = f": {', and '.join(signs)}" if signs else ", and nothing in the document proves that they are"
    return (
        f"the totals of reports are not proven to be of the period printed{told}; take the totals of ncmec_by_country"
    )


def _number(text: str) -> int | None:
    digits = text.replace(",", "").strip()
    return int(digits) if re.fullmatch("[0-9]{1,15}", digits) else None
