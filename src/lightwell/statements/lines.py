"""A CSV's text in blocks of whole lines, each of which an engine then reads as a row; what it might misread is mended.

A block lies in memory with a header before it. Of a line that is too long for a row only the beginning is held.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from lightwell.statements import rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK = 8 << 20  # bytes; with half of it the engine takes a seventh longer, with twice it a worker holds 35 MB more
_END = 10
_TAIL = 22  # bytes of the last cell as published, with the comma before it: ,"2025-09-15 10:11:12"


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of a CSV file, each with its end, after a header line."""

    text: bytes
    ends: "NDArray[np.int64]"  # where the lines end in the text, the header's left out
    number: int  # of the first line in its file, where the header's is 1
    slashed: bool  # a backslash stands in it


@dataclass(frozen=True, slots=True)
class Ready:
    """A block as an engine should read it: as `rows` rows; and the lines that are none: number, reason."""

    text: bytes
    rows: int
    rejected: tuple[tuple[int, str], ...] = ()


@dataclass(slots=True)
class _Held:
    """What has come of the next block."""

    header: bytes
    number: int = 2
    size: int = 0
    parts: list[bytes] = field(default_factory=list)
    ends: list["NDArray[np.int64]"] = field(default_factory=list)
    slashed: bool = False

    def add(self, piece: bytes) -> None:
        import numpy as np

        ends = np.flatnonzero(np.frombuffer(piece, np.uint8) == _END) if piece else np.empty(0, np.int64)
        self.ends.append(ends + (len(self.header) + self.size))
        self.parts.append(piece)
        self.size += len(piece)
        self.slashed = self.slashed or b"\\" in piece

    def taken(self) -> Block:
        """The block, of which nothing is held any longer: two of them at once would be too many."""
        import numpy as np

        made = Block(b"".join((self.header, *self.parts)), np.concatenate(self.ends), self.number, self.slashed)
        self.number, self.size, self.slashed = self.number + len(made.ends), 0, False
        self.parts.clear()
        self.ends.clear()
        return made


def blocks(pieces: Iterable[bytes], columns: tuple[str, ...]) -> Iterator[Block]:
    """The lines that the pieces of a file make; its last line may lack its end."""
    held, begun = _Held(",".join(columns).encode() + b"\n"), 0
    for piece in pieces:
        rest, last = piece, piece.rfind(b"\n") + 1
        if last and held.size + last >= BLOCK:
            held.add(piece[:last])
            yield held.taken()
            rest = piece[last:]
        if last or begun <= rows.LONGEST_LINE:
            held.add(rest)
        begun = len(piece) - last if last else begun + len(piece)
    if begun:
        held.add(b"\n")
    if held.size:
        yield held.taken()


def ready(block: Block, columns: tuple[str, ...], day: date, *, carefully: bool) -> Ready:
    """The block with its odd lines, or all of them, mended or taken out."""
    odd = range(len(block.ends)) if carefully else _odd(block, day)
    if not len(odd):
        return Ready(block.text, len(block.ends))
    parts, rejected, done = [], [], 0
    for at in odd:
        start = int(block.ends[at - 1]) + 1 if at else block.text.index(b"\n") + 1
        clean = rows.mended(block.text[start : block.ends[at]], columns, day)
        parts.append(block.text[done:start])
        if isinstance(clean, bytes):
            parts.append(clean + b"\n")
        else:
            rejected.append((block.number + int(at), clean))
        done = int(block.ends[at]) + 1
    parts.append(block.text[done:])
    return Ready(b"".join(parts), len(block.ends) - len(rejected), tuple(rejected))


def _odd(block: Block, day: date) -> "NDArray[np.int64]":
    """The numbers of the lines that do not end as published, are too long, or where a backslash stands before a quote:
    PHP does not double that quote, and every other program takes it for the end of the cell."""
    import numpy as np

    windows = np.ndarray(len(block.text) - _TAIL + 1, f"V{_TAIL}", block.text, strides=(1,))
    tails = windows[block.ends - _TAIL].view(np.uint8).reshape(-1, _TAIL)
    begins = np.frombuffer(f',"{day} '.encode(), np.uint8)
    odd = (tails[:, : len(begins)] != begins).any(axis=1) | (tails[:, -1] != ord('"'))
    odd |= np.diff(block.ends, prepend=block.text.index(b"\n")) > rows.LONGEST_LINE + 1
    if block.slashed:
        odd[np.searchsorted(block.ends, list(_escaped(block.text)))] = True
    return np.flatnonzero(odd)


def _escaped(text: bytes) -> Iterator[int]:
    """Where a backslash stands before a quote."""
    at = text.find(b"\\")
    while at >= 0:
        if text[at + 1 : at + 2] == b'"':
            yield at
        at = text.find(b"\\", at + 1)
