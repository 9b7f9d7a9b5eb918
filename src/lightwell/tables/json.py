"""JSON to figures: arrays and objects of records, found by a pointer, become rows of cells for the layout's tables.

A table's `pointer` (RFC 6901, with `*` for every element or member) leads to its records. A record's own keys are its
headers; a scalar record has the headers `@key` and `@value`. The scalars of the objects around it are headers by their
whole pointer, as `/period` or `/data/*/id`. Every key met on the way is a header that a table declares, or raises.

Aggregates only: a document that tells of cases is refused, and no message repeats what it tells.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from lightwell.errors import LayoutError
from lightwell.tables import Figure, Locator, Opening, paged, require_tables
from lightwell.tables.cells import MAX_ROWS, Cell, Row, Sheet, figures

if TYPE_CHECKING:
    from lightwell.archive import Document
    from lightwell.source import CrosstabTable, Layout, RecordsTable

_MAX_BYTES = 50_000_000
_MAX_DEPTH = 32
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_SHORT = 40  # characters of a value that the opening repeats
_LONG = 300  # characters from which a text is a narrative, whatever it says
_LONGEST = 2_000  # characters of a text that describes a series
_MANY_WORDS, _SENTENCE = 25, 10  # words of a narrative; of a narrative that has a full stop or a telling key
_ADDRESS = re.compile(r"(?:https?:/)?/\S.*")
_TELLING = re.compile(
    r"narrat|stor(?:y|ies)\b|testimon|synopsis|descri|summary|biograph|quote|paragraph|^(?:body|text|content)$", re.I
)
_CASES = re.compile(r"case[ _-]?(?:stud(?:y|ies)|narratives?)(?![a-z])", re.IGNORECASE)
_MARKUP = re.compile(r"<(?:p|br|div|li|h[1-6])\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Record:
    """The fields of one record by header, each with its text and its pointer, and the record's own pointer."""

    fields: dict[str, tuple[str, str]]
    pointer: str


def opening(path: Path, texts: Sequence[str] = ()) -> Opening:
    """The top level's short values and the pointers of the keys below it: enough to choose a layout.

    `dated_on` is the day of the top level's `updated` or `lastupdated`, where there is one; of joined pages, the first
    page's. `texts` are the pointers whose texts describe a series.
    """
    data = _parsed(path.read_bytes(), texts)
    top = data.items() if isinstance(data, dict) else ()
    short = [f"{k}: {v}" for k, v in top if not isinstance(v, (dict, list)) and len(_text(v)) <= _SHORT]
    pointers = dict.fromkeys(_skeleton(data, ""))
    head = _head(data)
    dated = re.match(r"\d{4}-\d\d-\d\d(?=T|$)", str(head.get("updated", head.get("lastupdated"))))
    return Opening(None, _day(dated[0]) if dated else None, " ".join(" ".join([*short, *pointers]).split())[:20_000])


def extract(document: "Document", layout: "Layout") -> Iterator[Figure]:
    """Every figure of a JSON document. Raises LayoutError where it is unlike its layout, or tells of cases."""
    if document.path is None:
        raise LayoutError(f"the file of document {document.document_id[:12]} is not in the archive")
    data = _parsed(document.path.read_bytes(), layout.texts)
    if layout.counted is not None:
        paged.count(data, layout.counted)
    tables = [t for t in layout.tables if t.kind in ("records", "crosstab")]
    _refuse_unknown(data, "", tables)
    found: list[Figure] = []
    for table in tables:
        alone = layout.model_copy(update={"tables": [table.model_copy(update={"required": False, "sheet": None})]})
        found += figures([_sheet(data, table, whole=layout.counted is not None)], document, alone)
    require_tables(layout, {f.table for f in found})
    return iter(found)


def unfit(content: bytes, texts: Sequence[str] = ()) -> str | None:
    """Why a JSON document may not even be archived: it cannot be read, or it tells of cases. None where it may."""
    try:
        _parsed(content, texts)
    except LayoutError as error:
        return str(error)
    return None


# --- bytes to data --------------------------------------------------------------------------------------------------


def _parsed(content: bytes, texts: Sequence[str]) -> Any:
    """The data of a document, numbers as printed. Raises LayoutError for what is no plain JSON, or tells of cases."""
    data = parsed(content)
    _refuse_narrative(data, "", "", re.compile("|".join(f"(?:{text})" for text in texts)) if texts else None)
    return data


def parsed(content: bytes) -> Any:
    """The data of plain JSON, numbers as printed. Raises LayoutError for anything else."""
    if len(content) > _MAX_BYTES:
        raise LayoutError(f"the JSON has {len(content):,} bytes, more than {_MAX_BYTES:,}: refused")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LayoutError(f"byte {error.start} is not UTF-8: save the file as UTF-8") from error
    _refuse_depth(text)
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_number, object_pairs_hook=_members)
    except json.JSONDecodeError as error:
        raise LayoutError(f"line {error.lineno}: this is not JSON ({error.msg}): is the file cut off?") from None


def _refuse_depth(text: str) -> None:
    depth = 0
    for match in _TOKENS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        if depth > _MAX_DEPTH:
            raise LayoutError(f"the JSON is nested deeper than {_MAX_DEPTH} levels: refused")


def _no_number(name: str) -> NoReturn:
    raise LayoutError(f"{name} stands where a number was due, and JSON has no such number: refused")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise LayoutError(f"the key {_safe(key)!r} stands twice in one object: which of them counts is not said")
        found[key] = value
    return found


# --- no narrative ---------------------------------------------------------------------------------------------------


def _refuse_narrative(value: Any, key: str, pointer: str, texts: re.Pattern[str] | None) -> None:
    told = isinstance(value, str) and re.search(r"[^\W\d_]", value) and not _is_address(value)
    if _CASES.search(key) and (told or isinstance(value, (dict, list))):
        _refuse(pointer)
    if isinstance(value, dict):
        for name, member in value.items():
            _refuse_narrative(member, name, f"{pointer}/{_safe(name)}", texts)
    elif isinstance(value, list):
        if value and all(isinstance(element, str) for element in value):
            _refuse_narrative(" ".join(value), key, pointer, texts)
        for i, element in enumerate(value):
            _refuse_narrative(element, key, f"{pointer}/{i}", texts)
    elif isinstance(value, str) and texts is not None and texts.fullmatch(pointer):
        if len(value) > _LONGEST or _MARKUP.search(value) or _CASES.search(value):
            _refuse(pointer)
    elif isinstance(value, str) and _is_narrative(value, key):
        _refuse(pointer)


def _is_narrative(text: str, key: str) -> bool:
    if len(text) > _LONG or _MARKUP.search(text):
        return True
    if _is_address(text):
        return False
    words = _words(text)
    told = _TELLING.search(key) or re.search(r"[.!?][\"'”’)]*(?:\s|$)", text)
    return words >= _MANY_WORDS or (words >= _SENTENCE and bool(told)) or bool(_CASES.match(text.strip()))


def _words(text: str) -> int:
    return len(re.findall(r"\w+(?:['’.,/-]\w+)*", text))


def _is_address(text: str) -> bool:
    return len(text) <= _LONG and _ADDRESS.fullmatch(text) is not None


def _refuse(pointer: str) -> NoReturn:
    raise LayoutError(
        f"{pointer or '/'} holds a narrative, where figures were due: "
        "case studies and texts about people are not taken in; delete the file"
    )


def _safe(name: str) -> str:
    """A key as a message may repeat it: one that is itself a text is left out."""
    return name if re.fullmatch(r"@?[\w.@*-]{1,60}", name) else "*"


# --- data to cells --------------------------------------------------------------------------------------------------


def _refuse_unknown(data: Any, at: str, tables: "list[RecordsTable | CrosstabTable]") -> None:
    """Raise LayoutError for a key, on the way to any table's records or in them, that no table accounts for."""
    mine = [t for t in tables if _leads(at, t.pointer)]
    if not mine or not isinstance(data, (dict, list)):
        return
    records = [t for t in mine if at == t.pointer]
    every = any(_leads(f"{at}/*", t.pointer) for t in mine)
    for key, value in data.items() if isinstance(data, dict) else ((str(i), v) for i, v in enumerate(data)):
        below = f"{at}/*" if every else f"{at}/{_escaped(key)}"
        if any(_leads(below, t.pointer) for t in mine):
            _refuse_unknown(value, below, tables)
        elif (unknown := _unknown([(t, key if t in records else below) for t in mine], value, (key,))) is not None:
            raise LayoutError(
                f"the key {'/'.join(map(_safe, unknown))!r} of {at or 'the top level'} is not known: "
                "declare it in the layout as a label, a value or unused"
            )


def _unknown(
    headers: "list[tuple[RecordsTable | CrosstabTable, str]]", value: Any, at: tuple[str, ...]
) -> tuple[str, ...] | None:
    """The key at `at` if no table accounts for it; the first such in the object there, if tables know others of it."""
    if _is_known(headers, value):
        return None
    members = value.items() if isinstance(value, dict) else ()
    found = [_unknown([(t, f"{h}/{_escaped(k)}") for t, h in headers], member, (*at, k)) for k, member in members]
    return next((unknown for unknown in found if unknown is not None), None) if None in found else at


def _is_known(headers: "list[tuple[RecordsTable | CrosstabTable, str]]", value: Any) -> bool:
    """Whether a table accounts for a key, by its header there; what holds several values can only be unused."""
    used = any(_is_used(table, header) for table, header in headers)
    if isinstance(value, (dict, list)):
        return not used and any(_fits(table.unused, header) for table, header in headers)
    return used or any(_fits(table.unused, header) for table, header in headers)


def _is_used(table: "RecordsTable | CrosstabTable", header: str) -> bool:
    values = table.values.values() if table.kind == "records" else [table.columns]
    return _fits(table.labels.values(), header) or (_fits(values, header) and not _fits(table.unused, header))


def _fits(patterns: Iterable[str], header: str) -> bool:
    return any(re.fullmatch(pattern, header, re.IGNORECASE) for pattern in patterns)


def _leads(at: str, pointer: str | None) -> bool:
    return pointer is not None and (at == pointer or pointer.startswith(f"{at}/"))


def _sheet(data: Any, table: "RecordsTable | CrosstabTable", *, whole: bool) -> Sheet:
    """A table's records as rows under a header; a key that only other tables read is left to them.

    `whole`: every record has every key, also where it may hold nothing.
    """
    if table.pointer is None:
        raise LayoutError(f"table {table.name}: a table of a JSON document needs a `pointer` to its records")
    records = list(_records(data, table.pointer.split("/")[1:], "", "", {}))
    if len(records) > MAX_ROWS:
        raise LayoutError(f"more than {MAX_ROWS:,} records: is this the right document?")
    headers = [h for h in dict.fromkeys(h for r in records for h in r.fields) if _is_used(table, h)]
    if not records:
        return Sheet(table.pointer, [])
    if whole and table.required and (lost := _lost(table, headers)) is not None:
        raise LayoutError(f"no record of {table.pointer} has the key {lost!r} of the layout: was it renamed?")
    top: Row = [Cell(h, Locator(pointer=table.pointer)) for h in headers]
    whole = whole or table.empty == "missing"
    return Sheet(table.pointer, [top, *(_row(record, headers, whole) for record in records)])


def _lost(table: "RecordsTable | CrosstabTable", headers: list[str]) -> str | None:
    """The key of a label that no record has."""
    return next((p for p in table.labels.values() if not any(_fits([p], h) for h in headers)), None)


def _records(
    data: Any, tokens: list[str], at: str, general: str, around: dict[str, tuple[str, str]]
) -> Iterator[_Record]:
    """The records that a pointer's remaining tokens lead to, each with the scalars of the objects around it."""
    if not tokens:
        own = data.items() if isinstance(data, dict) else ()
        fields = {k: found for key, value in own for k, found in _own(value, key, f"{at}/{_escaped(key)}")}
        if not isinstance(data, dict):
            fields = {"@key": (_last(at), at), "@value": (_text(data), at)}
        yield _Record({**around, **fields}, at)
        return
    if not isinstance(data, (dict, list)):
        raise LayoutError(f"{_shown(at)} is no array or object, where records were due")
    members = list(data.items()) if isinstance(data, dict) else [(str(i), v) for i, v in enumerate(data)]
    if isinstance(data, dict) and tokens[0] != "*":
        scalars = ((k, v) for k, v in members if not isinstance(v, (dict, list)))
        around = around | {f"{general}/{_escaped(k)}": (_text(v), f"{at}/{_escaped(k)}") for k, v in scalars}
    for key, value in members:
        if tokens[0] in ("*", _escaped(key)):
            yield from _records(value, tokens[1:], f"{at}/{_escaped(key)}", f"{general}/{tokens[0]}", around)


def _own(value: Any, key: str, at: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """The scalars of a record's member by header; those of an object in it by `key/member`."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _own(member, f"{key}/{_escaped(name)}", f"{at}/{_escaped(name)}")
    elif not isinstance(value, list):
        yield key, (_text(value), at)


def _row(record: _Record, headers: list[str], whole: bool) -> Row:
    if whole and (lacking := next((h for h in headers if h not in record.fields), None)):
        raise LayoutError(f"{_shown(record.pointer)} lacks the key {_shown(lacking)!r} that other records have")
    cells = [record.fields.get(h, ("", f"{record.pointer}/{_escaped(h)}")) for h in headers]
    return [Cell(text, Locator(pointer=pointer)) for text, pointer in cells]


def _text(value: Any) -> str:
    if isinstance(value, (dict, list)):
        raise LayoutError("an array or object stands where one value was due: declare a pointer that leads into it")
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value).strip()


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _head(data: Any) -> dict[str, Any]:
    """The object at the beginning of a document or of the first of joined pages."""
    while isinstance(data, list) and data:
        data = data[0]
    return data if isinstance(data, dict) else {}


def _last(pointer: str) -> str:
    return pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")


def _shown(pointer: str) -> str:
    return "/".join(_safe(token) if token else "" for token in pointer.split("/")) or "the top level"


def _skeleton(data: Any, at: str) -> Iterator[str]:
    """The pointers of the keys of a document, as its first elements show them."""
    if isinstance(data, list):
        yield from _skeleton(data[0], f"{at}/*") if data else ()
    elif isinstance(data, dict):
        for key, value in data.items():
            yield f"{at}/{_safe(_escaped(key))}"
            yield from _skeleton(value, f"{at}/{_safe(_escaped(key))}")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
