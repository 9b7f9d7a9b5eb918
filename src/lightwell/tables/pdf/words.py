"""Words, lines and text of a PDF page, by baseline."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pdfplumber.page import Page

from lightwell.errors import LayoutError
from lightwell.tables import Box

NUMBER = re.compile(r"[<>~]?\d[\d,.]*%?\*?|[-–—]{1,2}|N/A")  # what may stand alone in a number column
RULE = 2.0  # points: a rectangle thinner than this is a drawn rule, a thicker one is shading
SAME_LINE = 2.0  # points between two baselines of one line
_MAX_WORDS = 20_000  # on one page; a page of dense print has some 1,000


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
    """The upright words of a page. Raises LayoutError where there are more than any report prints."""
    words = page.extract_words(return_chars=True)
    if len(words) > _MAX_WORDS:
        raise LayoutError(f"page {page.page_number} has {len(words):,} words: more than any report has")
    found = []
    for word in words:
        first = word["chars"][0]
        if first["upright"]:
            base = float(page.height - (first["matrix"][5] - page.mediabox[1]))
            found.append(Word(word["text"], float(word["x0"]), float(word["x1"]), base, float(first["size"])))
    return found


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
    """Whether a declared pattern describes the whole of a printed text, in capitals or not."""
    return re.fullmatch(pattern, text.strip(), re.IGNORECASE) is not None


def around(words: Sequence[Word]) -> Box:
    """The box that holds all these words."""
    boxes = [word.box for word in words]
    return (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes))
