"""TikTok: the generic readers, and what the CSV does not say by itself.

The column Market holds a market or a language, as the column Location says. Two rules of one name under two headings
that a file does not print cannot be told apart, wherever in that file they stand.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from lightwell import tables
from lightwell.tables import Figure

if TYPE_CHECKING:
    from lightwell.archive import Document
    from lightwell.source import Layout

_LENGTHS = {"q": 3, "quarterly": 3, "half-year": 6, "half-yearly": 6, "annual": 12, "yearly": 12}  # months of a period
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905
_PLACES = {("all", "all"): "market", ("market", "one"): "market", ("language", "one"): "language"}


def extract(document: "Document", layout: "Layout") -> Iterator[Figure]:
    """Every figure; those of the CSV with a market or a language, and with the reader's doubt where there is one."""
    found = list(tables.reader(document.media_type).extract(document, layout))
    twice = _printed_twice(found)
    for figure in found:
        yield _placed(figure, _rule(figure) in twice) if figure.table == "results" else figure


def _placed(figure: Figure, twice: bool) -> Figure:
    labels = dict(figure.labels)
    location, market = labels.pop("location"), labels.pop("market")
    names = "all" if market.casefold() == "all" else "one" if market else "none"
    place = _PLACES.get((location.casefold(), names))
    kind = labels.pop("period_type", None)
    if kind is not None and not _is_whole(kind, labels["period"]):
        labels["doubt"] = (
            f"Period type says {kind!r} and Period {labels['period']!r}: which months it counts is not sure"
        )
    elif place is None:
        labels["doubt"] = f"Location says {location!r} and Market {market!r}: whether it is a place cannot be told"
    elif twice:
        labels["doubt"] = (
            f"the file prints {labels['policy']!r} twice for one cell, with different values, and does not say under "
            "which headings: look them up on the publisher's page, or take them from a later file"
        )
    return replace(figure, labels={**labels, place or "market": market})


def _is_whole(kind: str, period: str) -> bool:
    """Whether a period is as long as its type says; a type such as `Year to date` says no length."""
    length = _LENGTHS.get(kind.casefold())
    return length is not None and _months(period) in (length, None)


def _months(period: str) -> int | None:
    """How many months a period such as `Jan-Mar 2021` or `2021` has; None where its form does not tell."""
    if re.fullmatch(r"\d{4}", period):
        return 12
    ends = re.fullmatch(r"([a-z]{3})[a-z]*-([a-z]{3})[a-z]* \d{4}", period.casefold())
    if ends is None or not set(ends.groups()) <= set(_MONTHS):
        return None
    return _MONTHS.index(ends[2]) - _MONTHS.index(ends[1]) + 1


def _printed_twice(found: Iterable[Figure]) -> set[tuple[str, str]]:
    """The rules that a file prints with two values for one cell. `All` is no rule."""
    texts: dict[tuple[str, ...], set[str]] = {}
    for figure in found:
        if figure.table == "results" and figure.labels["policy"].casefold() != "all":
            texts.setdefault(tuple(t.casefold() for t in figure.labels.values()), set()).add(figure.text)
    cells = {key for key, values in texts.items() if len(values) > 1}
    return {_rule(f) for f in found if f.table == "results" and tuple(t.casefold() for t in f.labels.values()) in cells}


def _rule(figure: Figure) -> tuple[str, str]:
    return figure.labels.get("policy_type", "").casefold(), figure.labels.get("policy", "").casefold()
