"""ZIP files of text tables (CSV) to figures: every member is one sheet, read in memory and never unpacked to disk."""

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile, ZipInfo

from lightwell.errors import LayoutError
from lightwell.tables import Figure, Opening
from lightwell.tables.cells import Sheet, figures
from lightwell.tables.delimited import read

if TYPE_CHECKING:
    from lightwell.archive import Document
    from lightwell.source import Layout

_MAX_MEMBERS = 200
_MAX_UNPACKED = 100_000_000  # bytes of all members together
_MAX_RATIO = 200  # of unpacked to packed bytes, once it matters
_SMALL = 10_000_000  # bytes up to which no ratio is looked at: forms that are mostly empty pack well
_ASIDE = frozenset(  # what may lie beside the tables: prose, pictures, and the same tables once more as a workbook
    ".pdf .doc .docx .odt .rtf .md .txt .htm .html .xlsx .ods .png .jpg .jpeg .svg".split()  # noqa: SIM905
)
_ARCHIVES = frozenset({".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".tar", ".zst"})
_SYSTEM = re.compile(r"(?:.*/)?(?:__MACOSX/.*|\.[^/]*|Thumbs\.db|desktop\.ini)", re.IGNORECASE)


def opening(path: Path) -> Opening:
    """The names of the tables, and the first rows of each: enough to choose a layout."""
    text = " ".join(
        f"[{sheet.name}] " + " ".join(cell.text for row in sheet.rows[:3] for cell in row) for sheet in _sheets(path)
    )
    return Opening(title=None, dated_on=None, text=" ".join(text.split())[:20_000])


def extract(document: "Document", layout: "Layout") -> Iterator[Figure]:
    """Every figure of the tables, member by member. Raises LayoutError where the document is unlike its layout."""
    return figures(sheets(document), document, layout)


def sheets(document: "Document") -> list[Sheet]:
    """The text tables of a ZIP in order of name. A cell's locator is the member, its line and its column's number.

    Raises LayoutError for a name that leads out of the archive, one that stands twice, an archive within the archive,
    a member that is encrypted or damaged, anything that is no table and not known to hold none, and for a bomb.
    """
    if document.path is None:
        raise LayoutError(f"the file of document {document.document_id[:12]} is not in the archive")
    return _sheets(document.path)


def _sheets(path: Path) -> list[Sheet]:
    try:
        with ZipFile(path) as archive:
            return [_read(archive, member) for member in _tables(archive.infolist())]
    except (BadZipFile, NotImplementedError, OSError, EOFError, zlib.error) as error:
        raise LayoutError(f"the ZIP is damaged ({error}); download it again") from error


def _tables(members: list[ZipInfo]) -> list[ZipInfo]:
    """The members that are tables, in order of name, once every member's name and all sizes were looked at."""
    if len(members) > _MAX_MEMBERS:
        raise LayoutError(f"the ZIP has {len(members):,} members, more than {_MAX_MEMBERS}: refused")
    packed, unpacked = sum(m.compress_size for m in members), sum(m.file_size for m in members)
    if unpacked > _MAX_UNPACKED or (unpacked > _SMALL and unpacked > _MAX_RATIO * max(packed, 1)):
        raise LayoutError(f"the ZIP unpacks to {unpacked:,} bytes from {packed:,}: refused")
    found: dict[str, ZipInfo] = {}
    for member in members:
        _refuse(member)
        if member.is_dir() or _SYSTEM.fullmatch(member.filename) or _suffix(member) in _ASIDE:
            continue
        if _suffix(member) != ".csv":
            raise LayoutError(f"{member.filename!r} in the ZIP is no text table: unpack it and add the CSV files")
        if found.setdefault(member.filename, member) is not member:
            raise LayoutError(f"{member.filename!r} stands twice in the ZIP: which of them counts is not said")
    if not found:
        raise LayoutError("the ZIP holds no CSV: where it holds a workbook, take that out and add it by itself")
    return [found[name] for name in sorted(found)]


def _refuse(member: ZipInfo) -> None:
    name = member.orig_filename
    parts = re.split(r"[/\\]", name)
    if ".." in parts or name.startswith(("/", "\\")) or "\0" in name or re.match(r"[A-Za-z]:", name):
        raise LayoutError(f"the ZIP has a member whose name leads out of it, {name!r}: refused")
    if member.flag_bits & 1:
        raise LayoutError(f"{name!r} in the ZIP is encrypted: unpack it by hand and add the parts")
    if _suffix(member) in _ARCHIVES:
        raise LayoutError(f"the ZIP holds another archive, {name!r}: unpack it by hand and add what is in it")


def _read(archive: ZipFile, member: ZipInfo) -> Sheet:
    """One member as a sheet; never more of it than it said it has."""
    with archive.open(member) as stream:
        content = stream.read(member.file_size + 1)
    if len(content) != member.file_size:
        raise LayoutError(f"{member.filename!r} in the ZIP is not as long as it says: refused")
    if content.startswith((b"PK\x03\x04", b"\x1f\x8b")):
        raise LayoutError(f"{member.filename!r} in the ZIP is an archive itself: unpack it by hand")
    try:
        return read(content, member.filename)
    except LayoutError as error:
        raise LayoutError(f"{member.filename!r} in the ZIP: {error}") from error


def _suffix(member: ZipInfo) -> str:
    return Path(member.filename).suffix.lower()
