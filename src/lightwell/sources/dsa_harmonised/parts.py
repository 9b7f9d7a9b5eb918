"""Which part of the template a sheet is: known by its columns and by the codes in them, not by its name."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile

from lightwell.errors import LayoutError
from lightwell.sources.dsa_harmonised.template import (
    CODE,
    COLUMNS,
    FORM,
    HEADERS,
    ILLEGAL,
    MEANS_WORDS,
    PEOPLE,
    TERMS,
    in_english,
)
from lightwell.tables import refuse_scale
from lightwell.tables.cells import Row, Sheet


@dataclass(frozen=True, slots=True)
class Part:
    """One table of a report: its rows as filed, and where what they have in common stands."""

    kind: str
    name: str  # of the sheet or member it stands on
    rows: list[Row]  # without the header
    service: int
    period: int
    first: int  # column of the code (parts 3 to 6) or of the indicator (parts 7 to 10)


def parts_of(sheet: Sheet) -> Iterator[Part]:
    """The part that a sheet is; nothing for one without numbers (1 identification, 2 categories, 11 prose)."""
    rows = [row for row in sheet.rows if any(cell.text for cell in row)]
    for row in rows:
        if len(texts := [cell.text for cell in row if cell.text]) == 1:  # a title, or a note below
            refuse_scale(texts[0])
    rows = list(dropwhile(lambda row: sum(bool(cell.text) for cell in row) == 1, rows))
    if len(rows) < 2:
        return
    width, body = width_of(rows[0]), rows[1:]
    _refuse_second_header(rows[0], body)
    code = column_of_codes(body)
    if code is not None:
        kind = _kind_by_category(rows[0], code, width - code, sheet.name)
        part = Part(kind, sheet.name, body, 1, 2, code)
        _check_columns(rows[0], part)
    elif width in (7, 8):
        part = Part(_kind_by_rows(body, width, sheet.name), sheet.name, body, 1, 2, 4)
    elif width <= 5:  # parts 1, 2 and 11, or a cover
        return
    else:
        raise LayoutError(f"{_where(sheet)} has {width} columns and no codes, which no part of the template has")
    if (stray := next((cell for row in body for cell in row[width:] if cell.text), None)) is not None:
        raise LayoutError(f"{stray.locator}: {stray.text[:60]!r} stands under no header: a comma too many in its line?")
    yield part


def _refuse_second_header(header: Row, body: Sequence[Row]) -> None:
    """Two parts, or two surfaces, on one sheet: what stands below the second header is not what the first says."""
    named = [text_of(header, column).casefold() for column in (1, 2)]
    for row in body:
        if all(named) and [text_of(row, column).casefold() for column in (1, 2)] == named:
            raise LayoutError(
                f"{row[0].locator}: a second header, {named[0]!r} and {named[1]!r} again: put what stands below it on "
                "a sheet or in a file of its own, as the template has it, and add that"
            )


def _check_columns(header: Row, part: Part) -> None:
    """Where the headers are the template's English ones, each has to stand where the template has it.

    In any language the headers of the context behind the numbers repeat those of the numbers, in the same order.
    """
    expected = [plain(text) for text in HEADERS[part.kind]]
    at, count = numbers_at(part), len(expected)
    printed = [plain(cell.text) for cell in header[at : at + count]]
    if set(printed) & set(expected) and printed != expected:
        wrong = next(i for i, (one, other) in enumerate(zip(printed, expected, strict=True)) if one != other)
        raise LayoutError(
            f"{part.name or 'the table'}: column {at + wrong + 1} is headed {header[at + wrong].text!r}, where the "
            f"template has {HEADERS[part.kind][wrong]!r}: columns were moved or renamed"
        )
    contexts = [plain(cell.text) for cell in header[at + count : at + 2 * count]]
    repeated = [{i for i, number in enumerate(printed) if number and number in context} for context in contexts]
    beside = all(one and one in next_one for one, next_one in zip(printed[::2], printed[1::2], strict=False))
    if (beside and not any(repeated)) or any(found and i not in found for i, found in enumerate(repeated)):
        raise LayoutError(
            f"{part.name or 'the table'}: the columns of context do not follow the numbers in the numbers' order: "
            "columns were moved; bring them into the order of the template, and add that"
        )


def plain(text: str) -> str:
    """A text's words, in small letters, and nothing else."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def numbers_at(part: Part) -> int:
    """The column of the first number: behind the code, its description, and in part 3 the scope."""
    return part.first + (3 if part.kind == "orders" else 2)


def column_of_codes(rows: Sequence[Row]) -> int | None:
    """The column in which the codes of categories stand, or None where there are none."""
    found = Counter(i for row in rows for i in (3, 4) if CODE.fullmatch(text_of(row, i).upper()))
    return max(found, key=lambda i: (found[i], i)) if found else None


def _kind_by_category(header: Row, code: int, width: int, name: str) -> str:
    """The part by the number of columns from the code on: the code, the description, its scope, numbers, contexts."""
    kinds = {3 + 2 * 7: "orders", 2 + 2 * 10: "notices", 2 + 2 * 16: "own"}
    if width not in kinds:
        raise LayoutError(
            f"{name or 'the table'}: {code} columns before the code and {width} from it on are of no part of the "
            f"template, which has 3 and {', '.join(map(str, kinds))}: a column was added or lost"
        )
    if kinds[width] != "own":
        return kinds[width]
    said, file = header[code].text.casefold(), re.split(r"[/\\]", name)[-1]
    illegal, terms = ILLEGAL.search(said), TERMS.search(said)
    if bool(illegal) == bool(terms):
        illegal, terms = re.search(r"(?<!\d)0?5_|illegal", file), re.search(r"(?<!\d)0?6_|_TC\b", file)
    if bool(illegal) == bool(terms):
        raise LayoutError(
            f"{name or 'the table'}: whether part 5 (illegal content) or part 6 (terms) is meant is not clear from "
            f"{said!r}: add the wording of this language to dsa_harmonised/template.py"
        )
    return "own_illegal" if illegal else "own_terms"


def _kind_by_rows(rows: Sequence[Row], width: int, name: str) -> str:
    """Parts 7 to 10 have the same columns: they differ in what stands in them, whatever the language."""
    scopes = {text_of(row, 5) for row in rows}
    indicators = {text_of(row, 4) for row in rows}
    if width == 7 and len(indicators) == 1:
        return "recipients"
    if width == 8 and len({text_of(row, 3) for row in rows} - {""}) in (2, 3) and len(indicators) >= 10:
        return "appeals"
    if width == 8 and len(indicators) <= len(PEOPLE) and not any(in_english(text, MEANS_WORDS) for text in indicators):
        return "people"
    if width == 8 and 3 < len(indicators) <= 7 and len(scopes) >= 4:
        return "means"
    raise LayoutError(f"{name or 'the table'}: {len(indicators)} indicators in {width} columns are of no part: 7 to 10")


def width_of(header: Row) -> int:
    """How many columns a header has."""
    return max(i for i, cell in enumerate(header, start=1) if cell.text)


def holds_number(part: Part, row: Row) -> bool:
    """Whether a row holds a number. An empty cell is none: it says that nothing applies or nothing was given."""
    at = numbers_at(part)
    return any(cell.text for cell in row[at : at + len(COLUMNS.get(part.kind, ["value"]))])


def is_blank(text: str) -> bool:
    """Whether a cell is empty, or still says what to fill in."""
    return not text or FORM.fullmatch(text) is not None


def text_of(row: Row, column: int) -> str:
    """The text of a row's cell; empty where the row ends before it."""
    return " ".join(row[column].text.split()) if column < len(row) else ""


def _where(sheet: Sheet) -> str:
    return f"sheet {sheet.name!r}" if sheet.name else "the table"
