"""What a file is, by its bytes alone: what a server or a name says of it may be wrong."""

import re
import zipfile
from typing import BinaryIO

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
SUFFIXES = {
    "application/pdf": ".pdf",
    "text/html": ".html",
    "text/csv": ".csv",
    "text/plain": ".txt",
    "application/json": ".json",
    "application/zip": ".zip",
    "application/gzip": ".gz",
    XLSX: ".xlsx",
    ODS: ".ods",
}
_HEAD = 4096  # bytes that are looked at to tell the media type
_HTML = re.compile(
    rb"(?>\s+|<!--.*?-->|<\?xml[^>]*>)*+<(?:!doctype\s+html|html|head|body|script|title|meta)\b", re.I | re.S
)


def sniff(stream: BinaryIO) -> str | None:
    """The media type that the bytes of a seekable stream show; None where they show none that is known here."""
    stream.seek(0)
    head = stream.read(_HEAD)
    if _HTML.match(head.removeprefix(b"\xef\xbb\xbf")):
        return "text/html"
    if b"%PDF-" in head[:1024]:
        return "application/pdf"
    if head.startswith(b"PK"):
        return _sniff_zip(stream)
    if head.startswith(b"\x1f\x8b"):
        return "application/gzip"
    return _sniff_text(head)


def _sniff_zip(stream: BinaryIO) -> str | None:
    try:
        with zipfile.ZipFile(stream) as container:
            names = container.namelist()
            if "mimetype" in names and container.getinfo("mimetype").file_size < 100:
                return ODS if container.read("mimetype").strip() == ODS.encode() else "application/zip"
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError):
        return None
    if "[Content_Types].xml" in names and any(name.startswith("xl/") for name in names):
        return XLSX
    return "application/zip"


def _sniff_text(head: bytes) -> str | None:
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return _sniff_characters(head.decode(encoding))
    except UnicodeDecodeError as error:
        if error.start >= len(head) - 3:  # a character cut in two at the end of the head is no error
            return _sniff_characters(head[: error.start].decode(encoding))
        return _sniff_characters(head.decode("cp1252", errors="replace"))


def _sniff_characters(text: str) -> str | None:
    if not text.strip() or any(ord(c) < 32 and c not in "\t\n\r\f" for c in text):
        return None
    if text.lstrip()[0] in "{[":
        return "application/json"
    first = text.strip().splitlines()[0]
    return "text/csv" if any(c in first for c in ",;\t") else "text/plain"
