"""A daily dump as published: a zip that stores zips that deflate CSV files. Every byte of it is accounted for.

Python's `zipfile` reads what it can make sense of; here a file that hides, repeats or overlaps anything, or is cut off,
is refused with its name and the offset. Nothing is unpacked: a CSV is inflated from where it lies in the outer file.
"""

import hashlib
import os
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from lightwell.errors import DumpError

STORED, DEFLATED = 0, 8
MOST_MEMBERS = 100_000
LARGEST_CSV = 16 << 30  # bytes; a published one is some 120 MB
HIGHEST_RATIO = 250  # inflated to deflated; published files are at some 15, identical rows at some 60
PIECE = 1 << 18  # bytes; four times that no longer fits into the processor's nearer cache, and takes twice as long
_DESCRIPTORS = (12, 16, 20, 24)  # bytes that follow a file whose sizes were not known when it was begun
_NAME = re.compile(r"(sor-[a-z0-9][a-z0-9-]*-(\d{4}-\d{2}-\d{2})-(full|light))\.zip")
_SHA1_PIECE = 1 << 20
_UNKNOWN = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Member:
    """One CSV file of a dump, and where its bytes lie in the outer file."""

    name: str
    offset: int
    stored: int  # bytes in the outer file
    size: int  # bytes inflated
    crc: int
    method: int


@dataclass(frozen=True, slots=True)
class Dump:
    """One dump, opened and looked through, nothing inflated yet."""

    path: Path
    file: int  # its descriptor
    bytes: int
    stem: str  # sor-global-2025-09-15-full
    day: date  # on which its statements were received
    members: tuple[Member, ...]
    missing_parts: tuple[int, ...]  # numbers left out of the sequence of inner zips


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    offset: int
    stored: int
    size: int
    crc: int
    method: int


@contextmanager
def opened(path: Path) -> Iterator[Dump]:
    """A dump whose two levels of directories are read and checked. Raises DumpError with file and offset."""
    named = _NAME.fullmatch(path.name)
    if named is None:
        raise DumpError(
            f"{path.name} is not a dump's name (sor-SLUG-YYYY-MM-DD-full.zip or -light.zip): rename it back"
        )
    stem = named[1]
    try:
        day = date.fromisoformat(named[2])
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except ValueError as error:
        raise DumpError(f"{path.name} names a day that is none: rename it back") from error
    except OSError as error:
        raise DumpError(f"{path} cannot be read: {error.strerror}") from error
    try:
        size = os.fstat(file).st_size
        parts = _directory(file, 0, size, path.name)
        members: list[Member] = []
        for part in parts:
            members += _members(file, part, stem, path.name)
        if not members:
            raise DumpError(f"{path.name}: the outer zip, at byte 0, holds no CSV file: fetch the dump again")
        numbers = {int(part.name[len(stem) + 1 : len(stem) + 6]) for part in parts}
        gaps = tuple(sorted(set(range(max(numbers, default=-1) + 1)) - numbers))
        yield Dump(path, file, size, stem, day, tuple(members), gaps)
    finally:
        os.close(file)


def sha1(dump: Dump, done: Callable[[int], object] = lambda _: None) -> str:
    """The SHA-1 of the whole outer file, from the descriptor its members are read from."""
    digest = hashlib.sha1(usedforsecurity=False)
    for at in range(0, dump.bytes, _SHA1_PIECE):
        digest.update(os.pread(dump.file, _SHA1_PIECE, at))
        done(at)
    return digest.hexdigest()


def published_sha1(path: Path) -> str | None:
    """The SHA-1 in the sidecar beside a dump, or None where there is none. Raises DumpError where it names another."""
    sidecar = path.with_name(path.name + ".sha1")
    try:
        text = sidecar.read_bytes()[:1000].decode("ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise DumpError(f"{sidecar.name} cannot be read as a sidecar: fetch it again") from error
    said = re.fullmatch(r"([0-9a-fA-F]{40})(?:  (\S+))?", text)
    if said is None or said[2] not in (None, path.name):
        raise DumpError(f"{sidecar.name} is not the sidecar of {path.name}: fetch it again")
    return said[1].lower()


def inflated(file: int, member: Member, where: str) -> Iterator[bytes]:
    """The bytes of a CSV in pieces of at most 1 MB. The last piece comes only after size and CRC-32 proved right.

    Raises DumpError, naming the offset in the outer file, where the bytes are damaged, end early or run on.
    """
    from isal import isal_zlib

    crc = size = 0
    held = b""
    for piece in _stored(file, member, where) if member.method == STORED else _deflated(file, member, where):
        crc = isal_zlib.crc32(piece, crc)
        size += len(piece)
        if size > member.size:
            raise _wrong(where, member.name, member.offset, f"inflates to more than its {member.size:,} bytes")
        if held:
            yield held
        held = piece
    if size != member.size:
        raise _wrong(where, member.name, member.offset, f"inflates to {size:,} of {member.size:,} bytes")
    if crc != member.crc:
        raise _wrong(where, member.name, member.offset, "has another CRC-32 than its directory says")
    if held:
        yield held


def _stored(file: int, member: Member, where: str) -> Iterator[bytes]:
    for at in range(0, member.stored, PIECE):
        yield _read(file, member.offset + at, min(PIECE, member.stored - at), where)


def _deflated(file: int, member: Member, where: str) -> Iterator[bytes]:
    from isal.igzip_lib import DECOMP_DEFLATE, IgzipDecompressor, IsalError

    engine = IgzipDecompressor(DECOMP_DEFLATE)
    at, end = member.offset, member.offset + member.stored
    while not engine.eof:
        fed = _read(file, at, min(PIECE, end - at), where) if engine.needs_input else b""
        at += len(fed)
        try:
            piece = engine.decompress(fed, PIECE)
        except IsalError as error:  # type: ignore[misc]  # its stub says it is a value
            raise _wrong(where, member.name, at - len(fed), "is damaged") from error
        if piece:
            yield piece
        elif not engine.eof and not fed and at == end:
            raise _wrong(where, member.name, at, "ends in the middle of its data")
    if engine.unused_data or at < end:
        raise _wrong(where, member.name, at - len(engine.unused_data), "has data after its end")


def _members(file: int, part: _Entry, stem: str, where: str) -> Iterator[Member]:
    """The CSV files of one inner zip, which must be named after the dump."""
    if re.fullmatch(re.escape(stem) + r"-\d{5}\.csv\.zip", part.name) is None:
        raise _wrong(where, "the outer zip", part.offset, "holds a file that is not named as an inner zip of this dump")
    if part.method != STORED:
        raise _wrong(where, part.name, part.offset, "is compressed, where the publisher stores inner zips")
    inner = part.name.removesuffix(".csv.zip")
    entries = _directory(file, part.offset, part.offset + part.stored, f"{where}: {part.name}")
    if not entries:
        raise _wrong(where, part.name, part.offset, "holds no CSV file")
    for entry in entries:
        if re.fullmatch(re.escape(inner) + r"-\d{5}\.csv", entry.name) is None:
            raise _wrong(where, part.name, entry.offset, "holds a file that is not named as a CSV file of it")
        if entry.size > LARGEST_CSV or entry.size > max(entry.stored, 4096) * HIGHEST_RATIO:
            said = f"says it inflates from {entry.stored:,} to {entry.size:,} bytes, which no dump does"
            raise _wrong(where, entry.name, entry.offset, said)
        yield Member(entry.name, entry.offset, entry.stored, entry.size, entry.crc, entry.method)


def _directory(file: int, start: int, end: int, where: str) -> list[_Entry]:
    """The entries of the zip in `start` to `end` of a file, in the order in which they lie in it, edge to edge."""
    count, first, last = _ends(file, start, end, where)
    if count > MOST_MEMBERS or last - first > MOST_MEMBERS * 400:
        raise _wrong(where, "the zip's directory", first, f"lists more than {MOST_MEMBERS:,} files")
    table, at = _read(file, first, last - first, where), 0
    entries: list[tuple[int, _Entry, bool]] = []
    while at < len(table):
        found, length = _entry(table, at, file, start, first + at, where)
        entries.append(found)
        at += length
    if len(entries) != count:
        raise _wrong(where, "the zip's directory", first, f"lists {len(entries)} of {count} files")
    if len({entry[1].name for entry in entries}) != count:
        raise _wrong(where, "the zip's directory", first, "lists a name twice")
    entries.sort(key=lambda one: one[0])
    at, loose = start, False
    for header, entry, described in entries:
        if header - at not in ((0, *_DESCRIPTORS) if loose else (0,)):
            raise _wrong(where, "a file", header, f"does not begin where the one before it ends ({at:,})")
        at, loose = entry.offset + entry.stored, described
    if first - at not in ((0, *_DESCRIPTORS) if loose else (0,)):
        raise _wrong(where, "the zip's directory", first, f"does not begin where the last file ends ({at:,})")
    return [entry for _, entry, _ in entries]


def _ends(file: int, start: int, end: int, where: str) -> tuple[int, int, int]:
    """How many entries a zip's directory has, where it begins and where it ends, in the outer file."""
    if end - start < 22:
        raise _wrong(where, "the zip", start, f"is {end - start} bytes long, too short for one: fetch it again")
    tail = _read(file, end - 22, 22, where)
    signature, disk, disks, here, count, length, offset, comment = struct.unpack("<4s4H2IH", tail)
    if signature != b"PK\5\6" or comment:
        raise _wrong(where, "the zip", end - 22, "does not end in a directory: it was cut off, or is no zip")
    last = end - 22
    if end - start >= 22 + 20 + 56 and (locator := _read(file, end - 42, 20, where))[:4] == b"PK\6\7":
        at = start + struct.unpack_from("<Q", locator, 8)[0]
        if at != end - 22 - 20 - 56:
            raise _wrong(where, "the zip's large directory", end - 42, "is not where it is said to be")
        record = struct.unpack("<4sQ2H2I4Q", _read(file, at, 56, where))
        if record[0] != b"PK\6\6" or record[1] != 44 or record[4] or record[5]:
            raise _wrong(where, "the zip's large directory", at, "is not one")
        here, count, length, offset, last = record[6], record[7], record[8], record[9], at
        disk = disks = 0
    if disk or disks or here != count:
        raise _wrong(where, "the zip", end - 22, "is spread over several files")
    if start + offset + length != last:
        raise _wrong(where, "the zip's directory", last, "is not where it is said to be")
    return count, start + offset, last


def _entry(
    table: bytes, at: int, file: int, start: int, place: int, where: str
) -> tuple[tuple[int, _Entry, bool], int]:
    """One entry of a directory, checked against the header before its data; and its length in the directory."""
    if len(table) - at < 46 or table[at : at + 4] != b"PK\1\2":
        raise _wrong(where, "the zip's directory", place, "is damaged")
    flags, method = struct.unpack_from("<2H", table, at + 8)
    crc, stored, size, named, extra, comment, disk = struct.unpack_from("<3I4H", table, at + 16)
    header = struct.unpack_from("<I", table, at + 42)[0]
    length = 46 + named + extra + comment
    if len(table) - at < length or disk:
        raise _wrong(where, "the zip's directory", place, "is damaged")
    raw = table[at + 46 : at + 46 + named]
    size, stored, header = _large(table[at + 46 + named : at + length - comment], [size, stored, header], place, where)
    header += start
    local = _read(file, header, 30, where)
    said = struct.unpack("<4s5H3I2H", local)
    if said[0] != b"PK\3\4" or (said[2], said[3]) != (flags, method) or said[9] != named:
        raise _wrong(where, "a file's header", header, "is not as the directory says")
    if _read(file, header + 30, named, where) != raw or not raw.isascii():
        raise _wrong(where, "a file's header", header, "has another name than the directory")
    described = bool(flags & 8)
    for told, true in zip(said[6:9], (crc, stored, size), strict=True):
        if told != true and not (described and told == 0) and told != _UNKNOWN:
            raise _wrong(where, "a file's header", header, "is not as the directory says")
    name = raw.decode("ascii")
    if flags & 0x2041:
        raise _wrong(where, "a file", header, "is encrypted: dumps are not")
    if method not in (STORED, DEFLATED):
        raise _wrong(where, "a file", header, f"is compressed by method {method}: dumps are deflated")
    if method == STORED and stored != size:
        raise _wrong(where, "a file", header, "is stored, and yet of two sizes")
    return (header, _Entry(name, header + 30 + named + said[10], stored, size, crc, method), described), length


def _large(extra: bytes, values: list[int], place: int, where: str) -> list[int]:
    """Sizes and offset, read from the extra field of a large file where the directory says they stand there."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            wide = list(struct.unpack_from(f"<{min(length, len(extra) - at - 4) // 8}Q", extra, at + 4))
            values = [wide.pop(0) if value == _UNKNOWN and wide else value for value in values]
        at += 4 + length
    if _UNKNOWN in values:
        raise _wrong(where, "the zip's directory", place, "does not say how large a file is")
    return values


def _read(file: int, at: int, length: int, where: str) -> bytes:
    got = os.pread(file, length, at) if at >= 0 else b""
    if len(got) != length:
        raise _wrong(where, "the file", at, f"has {len(got)} of {length} bytes there: it was cut off")
    return got


def _wrong(where: str, what: str, offset: int, said: str) -> DumpError:
    return DumpError(f"{where}: {what}, at byte {offset:,}, {said}; nothing was counted: fetch the dump again")
