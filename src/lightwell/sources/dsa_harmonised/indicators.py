"""What each row of parts 7 to 10 counts, by its wording or else by the order that the template gives the rows."""

import re
from collections.abc import Sequence
from itertools import groupby

from lightwell.sources.dsa_harmonised.parts import is_blank, text_of
from lightwell.sources.dsa_harmonised.template import (
    APPEALS,
    APPEALS_WORDS,
    MEANS,
    MEANS_SCOPES,
    MEANS_WORDS,
    PEOPLE,
    PEOPLE_WORDS,
    SCOPE_WORDS,
    in_english,
)
from lightwell.tables.cells import Row


def appeals(rows: Sequence[Row]) -> list[str]:
    """`indicator: scope` of each row of part 7; empty where neither wording nor order tells."""
    if _is_english(rows, APPEALS_WORDS):
        pairs = [(in_english(text_of(row, 4), APPEALS_WORDS), in_english(text_of(row, 5), SCOPE_WORDS)) for row in rows]
        return [f"{indicator}: {scope}" if indicator and scope else "" for indicator, scope in pairs]
    runs = [[text_of(row, 5) for row in run] for _, run in groupby(rows, key=lambda row: text_of(row, 4))]
    if [len(run) for run in runs] != [len(scopes) for _, scopes in APPEALS] or not _agree(runs):
        return [""] * len(rows)
    return [f"{indicator}: {scope}" for indicator, scopes in APPEALS for scope in scopes]


def _agree(runs: Sequence[Sequence[str]]) -> bool:
    """Whether scopes stand in the same order under every indicator, as in the template, and are told apart."""
    longest = max(runs, key=len)
    return len(set(longest)) == len(longest) and all(run == longest[: len(run)] for run in runs)


def means(rows: Sequence[Row]) -> list[str]:
    """`scope: indicator` of each row of part 8; the rows by language or country repeat the indicators of the first."""
    if _is_english(rows, MEANS_WORDS):
        known = {text_of(row, 4): in_english(text_of(row, 4), MEANS_WORDS) for row in rows}
        scopes = {text_of(row, 5): in_english(text_of(row, 5), MEANS_SCOPES) for row in rows}
    else:
        fixed = [row for row in rows if not (is_broken_down(text_of(row, 5)) or is_blank(text_of(row, 5)))]
        order = [(scope, indicator) for scope, indicators in MEANS for indicator in indicators]
        if len(fixed) != len(order):
            return [""] * len(rows)
        known = {text_of(row, 4): indicator for row, (_, indicator) in zip(fixed, order, strict=True)}
        scopes = {text_of(row, 5): scope for row, (scope, _) in zip(fixed, order, strict=True)}
        told = [(scopes[text_of(row, 5)], known[text_of(row, 4)]) for row in fixed]
        if told != order or len(known) != 7 or len(scopes) != 4:
            return [""] * len(rows)
    return [
        _named("all" if is_broken_down(s := text_of(row, 5)) else scopes.get(s, ""), known.get(text_of(row, 4), ""))
        for row in rows
    ]


def people(rows: Sequence[Row]) -> list[str]:
    """`total` or `language: indicator` of each row of part 9."""
    indicators = list(dict.fromkeys(text_of(row, 4) for row in rows))
    known = {text: in_english(text, PEOPLE_WORDS) for text in indicators}
    if not any(known.values()):
        if len(indicators) != len(PEOPLE) or any(is_broken_down(text_of(row, 5)) for row in rows[:3]):
            return [""] * len(rows)
        known = dict(zip(indicators, PEOPLE, strict=True))
    totals = {text_of(row, 5) for row in rows[:1]}
    return [
        _named(
            "broken down" if is_broken_down(s := text_of(row, 5)) else "total" if s in totals else "",
            known[text_of(row, 4)],
        )
        for row in rows
    ]


def recipients(rows: Sequence[Row]) -> list[str]:
    """`recipients` for each row of part 10 that counts them, in all or in one country."""
    return ["recipients" if text_of(row, 5) == "TOTAL" or is_broken_down(text_of(row, 5)) else "" for row in rows]


def _is_english(rows: Sequence[Row], words: dict[str, str]) -> bool:
    return any(in_english(text_of(row, 4), words) for row in rows)


def _named(scope: str, indicator: str) -> str:
    return f"{scope}: {indicator}" if scope and indicator else ""


def is_broken_down(scope: str) -> bool:
    """Whether a scope is a language (bg) or a country (BG)."""
    return re.fullmatch(r"[a-z]{2}|[A-Z]{2}", scope) is not None
