"""Words, lines and text of a PDF page, by baseline."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from pdfplumber.page import Page

from lightwell.errors import LayoutError
from lightwell.tables import Box

RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"  # a footnote's digit, as a word holds it: never part of a number
_MARKS = f"*†‡§{RAISED}"
NUMBER = re.compile(rf"[<>~]?\d[\d,.]*%?[{_MARKS}]*|[-–—]{{1,2}}|[Nn]/[Aa]")  # what may stand alone in a number column
RULE = 2.0  # points: a rectangle thinner than this is a drawn rule, a thicker one is shading
SAME_LINE = 2.0  # points between two baselines of one line
_MAX_WORDS = 20_000  # on one page; a page of dense print has some 1,000
_SPACE = 0.15  # of the size of the type: a gap wider than this parts two words
_AROUND = [(across, down) for across in (-1, 0, 1) for down in (-1, 0, 1)]
_LARGEST = 40.0  # points, of the type of a word that can have a footnote
_SMALL = 0.8  # of the type beside it: digits set no larger are a footnote's


@dataclass(frozen=True, slots=True)
class Word:
    """A word as drawn. `base` is its baseline, in points below the top of the page."""

    text: str
    x0: float
    x1: float
    base: float
    size: float

    @property
    def mid(self) -> float:
        """The middle of the word, across."""
        return (self.x0 + self.x1) / 2

    @property
    def box(self) -> Box:
        """The ink of the word: ascenders and descenders of ordinary type around the baseline."""
        return (self.x0, self.base - 0.8 * self.size, self.x1, self.base + 0.3 * self.size)


Line = list[Word]


def page_words(page: Page) -> list[Word]:
    """The upright words of a page, a footnote's small digits as `¹`. What is drawn twice for boldness counts once.

    Raises LayoutError where there are more than any report prints, and for a number with another text upon it.
    """
    once = page.dedupe_chars() if _is_doubled(page.chars) else page  # that takes twice the time of all else
    words = once.extract_words(return_chars=True, x_tolerance_ratio=_SPACE)
    if len(words) > _MAX_WORDS:
        raise LayoutError(f"page {page.page_number} has {len(words):,} words: more than any report has")
    found = []
    for word in words:
        if word["chars"][0]["upright"]:
            _refuse_overprint(page.page_number, word["chars"])
            found.append(_word(page, word))
    return _marked(found)


def _is_doubled(chars: Sequence[dict[str, Any]]) -> bool:
    """Whether any character is drawn twice, no further than a point apart across and down."""
    drawn: dict[tuple[str, int, int], tuple[float, float]] = {}
    for char in chars:
        text, x, y = char["text"], char["x0"], char["top"]
        across, down = int(x), int(y)
        for cell in _AROUND:
            other = drawn.get((text, across + cell[0], down + cell[1]))
            if other is not None and abs(other[0] - x) <= 1 and abs(other[1] - y) <= 1:
                return True
        drawn[text, across, down] = (x, y)
    return False


def _word(page: Page, word: dict[str, Any]) -> Word:
    """A word as its largest type has it."""
    size = max(char["size"] for char in word["chars"])
    first = next(char for char in word["chars"] if char["size"] == size)
    text = "".join(_raised(c["text"]) if c["size"] <= _SMALL * size else c["text"] for c in word["chars"])
    base = float(page.height - (first["matrix"][5] - page.mediabox[1]))
    return Word(text, float(word["x0"]), float(word["x1"]), base, float(size))


def _raised(text: str) -> str:
    return text.translate(str.maketrans("0123456789", RAISED))


def _marked(words: list[Word]) -> list[Word]:
    """The words with each footnote mark that stands apart put to the word it follows."""
    kept = sorted(words, key=lambda w: w.x1)
    for mark in [w for w in words if re.fullmatch(rf"\d{{1,2}}(?:,\d{{1,2}})*|[{_MARKS}]+", w.text)]:
        first = bisect_left(kept, mark.x0 - 0.5 * _LARGEST, key=lambda w: w.x1)
        last = bisect_right(kept, mark.x0 + 1, key=lambda w: w.x1)
        before = next((w for w in kept[first:last] if _is_mark_of(mark, w)), None)
        if before is not None:
            kept[kept.index(before)] = replace(before, text=before.text + _raised(mark.text))
            kept.remove(mark)
    return kept


def _is_mark_of(mark: Word, word: Word) -> bool:
    """Whether a word is the footnote mark of another: small digits, or a sign behind a number."""
    beside = mark.x0 - word.x1 < 0.5 * word.size and -SAME_LINE <= word.base - mark.base < word.size
    small = mark.size <= _SMALL * word.size and mark.text[0].isdecimal()
    return beside and (small or (is_number(word) and not mark.text[0].isdecimal()))


def _refuse_overprint(page: int, chars: Sequence[dict[str, Any]]) -> None:
    for one, other in pairwise(chars):
        covered = other["x0"] < one["x0"] + 0.5 * min(one["width"], other["width"])
        if covered and (one["text"].isdecimal() or other["text"].isdecimal()):
            text = "".join(char["text"] for char in chars)
            raise LayoutError(f"page {page}: two texts stand one upon the other ({text[:40]!r}): read the page by hand")


def lines_of(words: Iterable[Word]) -> list[Line]:
    """Words by baseline, top to bottom, each line from left to right."""
    lines: list[Line] = []
    for word in sorted(words, key=lambda w: (w.base, w.x0)):
        if lines and word.base - lines[-1][0].base <= SAME_LINE:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [sorted(line, key=lambda w: w.x0) for line in lines]


def join(lines: Iterable[Line]) -> str:
    """The text of wrapped lines: a hyphen at a line's end holds the word together."""
    text = ""
    for line in lines:
        part = " ".join(word.text for word in line)
        text += part if not text or text.endswith("-") else " " + part
    return text


def text_of(words: Iterable[Word]) -> str:
    """All text in reading order, white space squeezed."""
    return " ".join(" ".join(word.text for word in line) for line in lines_of(words))


def is_number(word: Word) -> bool:
    """Whether a word may stand in a number column: a number, or a mark for none."""
    return NUMBER.fullmatch(word.text) is not None


def fits(pattern: str, text: str) -> bool:
    """Whether a declared pattern describes the whole of a printed text, in capitals or not, footnote marks aside."""
    return any(re.fullmatch(pattern, t, re.IGNORECASE) for t in (text.strip(), bare(text)))


def bare(text: str) -> str:
    """A printed text without its footnote marks: signs at its end, raised digits anywhere."""
    return re.sub(f"[{RAISED}]", "", text).strip().rstrip(_MARKS).rstrip()


def around(words: Sequence[Word]) -> Box:
    """The box that holds all these words."""
    boxes = [word.box for word in words]
    return (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes))
