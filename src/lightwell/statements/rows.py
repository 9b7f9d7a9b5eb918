"""A statement's row: the published columns, the forms of the codes that are counted, and the careful reading of a line.

Most lines go to the engine as they are. A line that is not written as published, and every line of a block that the
engine does not read as it should, is read here. What the engine counts of a line alone is counted alike here, so that
no line's fate depends on the lines beside it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from lightwell.errors import DumpError

_COLUMNS = (
    "uuid", "decision_visibility", "decision_visibility_other", "end_date_visibility_restriction",
    "decision_monetary", "decision_monetary_other", "end_date_monetary_restriction", "decision_provision",
    "end_date_service_restriction", "decision_account", "end_date_account_restriction", "account_type",
    "decision_ground", "decision_ground_reference_url", "illegal_content_legal_ground", "illegal_content_explanation",
    "incompatible_content_ground", "incompatible_content_explanation", "incompatible_content_illegal", "category",
    "category_addition", "category_specification", "category_specification_other", "content_type",
    "content_type_other", "content_language", "content_date", "content_id_ean", "territorial_scope",
    "application_date", "decision_facts", "source_type", "source_identity", "automated_detection",
    "automated_decision", "platform_name", "platform_uid", "created_at",
)  # fmt: skip
_NOT_LIGHT = ("illegal_content_explanation", "incompatible_content_explanation", "territorial_scope", "decision_facts")
LAYOUTS: dict[int, tuple[str, ...]] = {  # by number of columns: light and full, before and since 2025-07-01
    len(names): names
    for late in (False, True)
    for light in (False, True)
    for names in [
        tuple(n for n in _COLUMNS if (late or n != "content_id_ean") and not (light and n in _NOT_LIGHT)),
    ]
}
LONGEST_LINE = 1 << 18  # bytes; a published row has at most some 50,000

MINORS = "STATEMENT_CATEGORY_PROTECTION_OF_MINORS"
MINORS_KEYWORDS = (
    "KEYWORD_AGE_SPECIFIC_RESTRICTIONS_MINORS",
    "KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL",
    "KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL_DEEPFAKE",
    "KEYWORD_GROOMING_SEXUAL_ENTICEMENT_MINORS",
    "KEYWORD_UNSAFE_CHALLENGES",
)


@dataclass(frozen=True, slots=True)
class Form:
    """What a cell may hold: one code, with its beginning, or a JSON list of such codes; empty where that is allowed."""

    begins: str
    many: bool = False
    empty: bool = True

    @property
    def pattern(self) -> str:
        """A regular expression that the whole cell matches."""
        code = self.begins + "[A-Z0-9_]+"
        one = rf'\["{code}"(,"{code}")*\]|\[\]' if self.many else code
        return f"({one})?" if self.empty else one


FORMS = {
    "category": Form("STATEMENT_CATEGORY_", empty=False),
    "decision_ground": Form("DECISION_GROUND_", empty=False),
    "decision_visibility": Form("DECISION_VISIBILITY_", many=True),
    "decision_monetary": Form("DECISION_MONETARY_"),
    "decision_provision": Form("DECISION_PROVISION_"),
    "decision_account": Form("DECISION_ACCOUNT_"),
    "account_type": Form("ACCOUNT_TYPE_"),
    "content_type": Form("CONTENT_TYPE_", many=True),
    "source_type": Form("SOURCE_", empty=False),
    "automated_decision": Form("AUTOMATED_DECISION_", empty=False),
}
MINORS_FORMS = {
    "category_addition": Form("STATEMENT_CATEGORY_", many=True),
    "category_specification": Form("KEYWORD_", many=True),
}
DETECTION = r"Yes|No"
PLATFORM = r"[^\x00-\x1f\x7f]{1,100}"
DATES = ("content_date", "application_date", "created_at")
COUNTED = ("platform_name", "automated_detection", *FORMS, *MINORS_FORMS, *DATES)

_MATCHES = {name: re.compile(form.pattern).fullmatch for name, form in {**FORMS, **MINORS_FORMS}.items()}
_MATCHES["automated_detection"] = re.compile(DETECTION).fullmatch
_MATCHES["platform_name"] = re.compile(PLATFORM).fullmatch
_RFC = re.compile(r'(?:"(?:[^"]|"")*+"|[^",\r\n]*+)(?=,|\Z)')
_ENGINE = (  # it splits a cell that does not begin with a quote at commas between quotes too, or not: as they lie
    re.compile(r'(?:"[^"]*+"(?:"[^"]*+"|[^",]++)*+|[^",][^,]*+|)(?=,|\Z)'),
    re.compile(r'(?:"[^"]*+"|[^",]++)*+(?=,|\Z)'),
)
_PHP = re.compile(r'(?:"(?:[^"\\]|""|\\"|\\)*+"|[^",\r\n]*+)(?=,|\Z)')
_COMMAS = re.compile(r'(?:"(?:[^"]|""|"(?!,|\Z))*+"|[^",\r\n]*+)(?=,|\Z)')


def layout(header: bytes, where: str) -> tuple[str, ...]:
    """The columns that a header line names. Raises DumpError for one the publisher has not had."""
    names = tuple(name.strip('"') for name in header.decode("ascii", "replace").split(","))
    known = LAYOUTS.get(len(names))
    if known is None:
        raise DumpError(
            f"{where}: its header names {len(names)} columns; known are {', '.join(map(str, sorted(LAYOUTS)))}: the "
            "publisher has changed the dumps, and Lightwell must learn the new ones"
        )
    for at, (name, due) in enumerate(zip(names, known, strict=True), start=1):
        if name != due:
            raise DumpError(f"{where}: column {at} of its header is not {due}: the publisher has changed the dumps")
    return known


def mended(line: bytes, columns: tuple[str, ...], day: date) -> bytes | str:
    """A line as clean CSV that holds only what is counted; or, as text, why it cannot be counted.

    A line that can be read in two ways that count differently cannot be counted.
    """
    if len(line) > LONGEST_LINE:
        return "longer than any row"
    text = line.removesuffix(b"\r").decode("utf-8", "surrogateescape")
    found: dict[bytes, None] = {}
    reason: str | None = "does not split into the header's cells"
    for sure, cells in _readings(text):
        if len(cells) != len(columns):
            continue
        row = dict(zip(columns, cells, strict=True))
        reason = odd_code(row, about=about_minors(row)) or _odd_day(row, day)
        if reason:
            continue
        found[_clean(row, columns)] = None
        if sure:
            break
    if len(found) > 1:
        return "can be read in two ways"
    return next(iter(found), reason or "")


def _readings(text: str) -> Iterator[tuple[bool, list[str]]]:
    """The cells of a line: as RFC 4180 says, as the engine reads, as PHP does, as commas beside quotes show. The former
    are sure, if all codes turn out as published; the engine's are none for a line that it must not be given."""
    yield True, [_inside(cell) for cell in _cells(text, _RFC)]
    if text.count('"') % 2 == 0 and '\\"' not in text:
        for reading in _ENGINE:
            yield True, [_as_engine(cell) for cell in _cells(text, reading)]
    yield False, [_inside(cell) for cell in _cells(text, _PHP)]
    yield False, [_inside(cell) for cell in _cells(text, _COMMAS)]


def _cells(text: str, reading: re.Pattern[str]) -> Iterator[str]:
    """The cells of a line as they stand; fewer than there are where the line breaks the rules."""
    at = 0
    while found := reading.match(text, at):
        yield found[0]
        at = found.end() + 1
        if at > len(text):
            return


def _inside(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


def _as_engine(cell: str) -> str:
    """A cell as the engine takes it; a control character, which no code has, where it takes it for no cell."""
    cell = cell.removesuffix("\r")
    if not cell.startswith('"'):
        return cell
    return re.sub('"("?)', r"\1", cell[1:-1]) if cell.endswith('"') else "\0"


def odd_code(row: Mapping[str, str], *, about: bool) -> str | None:
    """Why a row is not counted: the column whose cell has no published form. None where all have one."""
    for name in _MATCHES:
        if (about or name not in MINORS_FORMS) and not has_form(name, row[name]):
            return f"no published form of {name}"
    return None


def has_form(name: str, cell: str) -> bool:
    """Whether a cell of a counted column has a form that is published."""
    return bool(_MATCHES[name](cell)) and cell.isprintable()


def _odd_day(row: Mapping[str, str], day: date) -> str | None:
    return None if row["created_at"].startswith(f"{day} ") else "created_at is of another day"


def about_minors(row: Mapping[str, str]) -> bool:
    """Whether a statement is about the protection of minors: by category, additional category or keyword."""
    return marked(row["category"], row["category_addition"], row["category_specification"])


def marked(category: str, added: str, said: str) -> bool:
    """The same of the three cells that decide it, in which an empty one says nothing."""
    return category == MINORS or f'"{MINORS}"' in added or any(f'"{keyword}"' in said for keyword in MINORS_KEYWORDS)


def _clean(row: dict[str, str], columns: tuple[str, ...]) -> bytes:
    """The row with every cell empty but those that are counted."""
    cells = ('"' + row[n].replace('"', '""') + '"' if n in COUNTED and row[n] else "" for n in columns)
    return ",".join(cells).encode("utf-8", "replace")
