"""Transparency reports on the template of Implementing Regulation (EU) 2024/2835, from any platform in any language.

The template fixes columns, codes and rows; only the words change with the language. So a part is known by its columns
and by the codes in them, numbers by their column, and the rows of parts 7 to 9 by their wording or else by the order
the template gives them. Each part is cut anew into a sheet under names of our own, which the template's declaration
(`templates/dsa_harmonised.yml`) reads; what a row says stays as printed.
"""

import re
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

from lightwell.errors import LayoutError
from lightwell.sources.dsa_harmonised.common import (
    check_once,
    check_periods,
    interval_of,
    only_service,
    stated_periods,
    surface_of,
)
from lightwell.sources.dsa_harmonised.indicators import appeals, is_broken_down, means, people, recipients
from lightwell.sources.dsa_harmonised.parts import Part, holds_number, is_blank, numbers_at, parts_of, text_of
from lightwell.sources.dsa_harmonised.template import COLUMNS, COUNTRIES, LANGUAGES, RATES, slug_of
from lightwell.tables import Figure, delimited, spreadsheet, zipped
from lightwell.tables.cells import Cell, Row, Sheet, address_labels, figures

if TYPE_CHECKING:
    from lightwell.archive import Document
    from lightwell.source import Layout


def extract(document: "Document", layout: "Layout") -> Iterator[Figure]:
    """Every number of a report, part by part. Raises LayoutError for a sheet that is no part of the template."""
    sheets = _sheets(document)
    parts = [part for sheet in sheets for part in parts_of(sheet)]
    if not parts:
        raise LayoutError("no sheet is a part with numbers of the template: is this a report on the template?")
    identified = stated_periods(sheets)
    said = next(iter(identified)) if len(identified) == 1 else ""
    service, period = only_service(parts), ""
    check_periods(parts, identified)
    check_once(parts, service)
    if any(is_blank(text_of(row, part.period)) for part in parts for row in part.rows if holds_number(part, row)):
        period = said or address_labels(document, layout).get("period", "")
    cut = [_cut(part, service, re.sub("^([sShH][12])-", r"\1 ", period)) for part in parts]
    return figures(cut, document, layout.model_copy(update={"address": None}))  # asked above, where it is needed


def _sheets(document: "Document") -> list[Sheet]:
    if document.media_type == "text/csv":
        return [delimited.sheet(document)]
    return zipped.sheets(document) if document.media_type == "application/zip" else spreadsheet.sheets(document)


def _cut(part: Part, service: str, period: str) -> Sheet:
    """A sheet with the names that the declaration knows on top, and one record a row that holds a number."""
    columns = COLUMNS.get(part.kind, ["value"])
    labels = ["service", "period", "surface"]
    labels += (
        ["code", "grain", "category", "keyword", "other", "scope"]
        if part.kind in COLUMNS
        else ["row", "language", "country"]
    )
    cut = [[Cell(name, part.rows[0][0].locator) for name in (*labels, *columns)]]
    said = _by_category(part) if part.kind in COLUMNS else _by_row(part)
    at = numbers_at(part)
    for row, own in zip(part.rows, said, strict=True):
        numbers = [row[at + i] if at + i < len(row) else Cell("", row[0].locator) for i in range(len(columns))]
        if not holds_number(part, row):
            continue
        printed = text_of(row, part.period)
        name = text_of(row, part.service) or service
        common = [name, period if is_blank(printed) else interval_of(printed), surface_of(part, name)]
        cut.append([Cell(text, row[0].locator) for text in (*common, *own)] + numbers)
    return Sheet(part.kind, cut if len(cut) > 1 else [])


def _by_category(part: Part) -> Iterator[list[str]]:
    """Code, grain, category, keyword, a keyword of the provider's own, and scope of each row.

    A keyword belongs to the category above it. Those of the provider's own are told apart by their description, or by
    what the code adds (KEYWORD_OTHER_PRIVACY); one that stands alone is all the rest of its category.
    """
    _check_order(part)
    category, many = "", _others(part)
    for row in part.rows:
        code, scope = text_of(row, part.first).upper(), _scope(part, row)
        if not code.startswith("KEYWORD_"):
            category = code
            yield [code, "total" if code == "TOTAL" else "category", slug_of(code), "", "", scope]
            continue
        keyword = "KEYWORD_OTHER" if code.startswith("KEYWORD_OTHER_") else code
        other = slug_of(code.removeprefix("KEYWORD_OTHER_")) if keyword != code else ""
        if code == "KEYWORD_OTHER" and many[category, scope] > 1:
            other = _described(text_of(row, part.first + 1))
        yield [f"{category} {keyword}".strip(), "keyword", slug_of(category), slug_of(keyword), other, scope]


def _check_order(part: Part) -> None:
    """Raises LayoutError where a keyword stands under a category that is not its own, as after sorting: above every
    category, below the total, below the category's last (`other`), or with the label of another (Category 9a under 14).
    """
    if not _has_categories(part):
        return
    category, number, over = "", "", set[str]()
    for row in part.rows:
        code, label = text_of(row, part.first).upper(), text_of(row, part.first - 1)
        if not code.startswith("KEYWORD_"):
            category, number, over = code, _numbered(label), set()
            continue
        own = _numbered(label, "[a-z]")
        scope, last = _scope(part, row), code.startswith("KEYWORD_OTHER")
        if category in ("", "TOTAL"):
            wrong = "stands above every category"
        elif scope in over and not last:
            wrong = f"stands below KEYWORD_OTHER, the last of {category}"
        elif number and own and number != own:
            wrong = f"is labelled {label!r} but stands under {category}"
        else:
            over |= {scope} if last else set()
            continue
        raise LayoutError(
            f"{row[0].locator}: {code} {wrong}, where a keyword belongs to the category above it: the rows were sorted "
            "anew; take the report as it was filed"
        )


def _numbered(label: str, letter: str = "") -> str:
    """The number of a category in its label, or with a letter in that of its keyword: 9 of `Category 9`, `9a`."""
    match = re.fullmatch(rf"(?:\D+ )?(\d+){letter}", label)
    return match[1] if match else ""


def _has_categories(part: Part) -> bool:
    return any(text_of(row, part.first).upper().startswith(("TOTAL", "STATEMENT_")) for row in part.rows)


def _scope(part: Part, row: Row) -> str:
    return text_of(row, part.first + 2) if part.kind == "orders" else ""


def _others(part: Part) -> Counter[tuple[str, str]]:
    """How many rows of a category's own further keywords hold a number, by category and scope."""
    found: Counter[tuple[str, str]] = Counter()
    category = ""
    for row in part.rows:
        code = text_of(row, part.first).upper()
        if not code.startswith("KEYWORD_"):
            category = code
        elif code == "KEYWORD_OTHER" and holds_number(part, row):
            found[category, _scope(part, row)] += 1
    return found


def _described(description: str) -> str:
    """A description as a code: its words, cut short and with a digest where they are many or not all Latin."""
    if is_blank(description):
        return "not_described"
    slug = re.sub("[^a-z0-9]+", "_", description.lower()).strip("_")
    if slug and len(slug) <= 60 and description.isascii():
        return slug
    return f"{slug[:50].strip('_')}_{sha256(description.encode()).hexdigest()[:8]}".strip("_")


def _by_row(part: Part) -> Iterator[list[str]]:
    """What each row of parts 7 to 10 counts, and in which language or country."""
    known = {"appeals": appeals, "means": means, "people": people, "recipients": recipients}[part.kind](part.rows)
    column = _broken_down_by(part)
    rates = [text_of(row, 6) for row, counts in zip(part.rows, known, strict=True) if counts.endswith(RATES)]
    percent = any(re.fullmatch(r"(?!1(?:\.0*)?\Z)[1-9]\d*(?:\.\d+)?|.*\d ?%", rate) for rate in rates)  # above 1
    for row, counts in zip(part.rows, known, strict=True):
        scope = text_of(row, 5)
        by = scope.lower() if part.kind != "appeals" and is_broken_down(scope) else ""
        said = counts if counts and (column or not by) else f"{text_of(row, 4)} | {scope}"
        if percent and counts.endswith(RATES):
            said = f"{counts} among rates that are printed as percentages"
        yield [said, by if column == "language" else "", by if column == "country" else ""]


def _broken_down_by(part: Part) -> str:
    """Whether scopes of two letters are languages or countries; empty where they are some of both.

    The template asks for languages in parts 8 and 9, in small letters; reports with countries in part 8 are filed too.
    In capitals, codes that are all both a language's and a country's tell neither.
    """
    if part.kind == "recipients":
        return "country"
    scopes = {text_of(row, 5) for row in part.rows if is_broken_down(text_of(row, 5))}
    small = {scope.lower() for scope in scopes}
    if part.kind == "people" or scopes == small:
        return "language"
    if small <= LANGUAGES:
        return "" if small <= COUNTRIES else "language"  # DE, FR, IT can be either
    return "country" if small <= COUNTRIES else ""
