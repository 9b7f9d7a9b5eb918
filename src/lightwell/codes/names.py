"""What two spellings of a printed name have in common, and a code for a name that nobody knows."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_FOOTNOTE_MARKS = "*†‡"
_LEGAL_FORM = re.compile(
    "ab|ag|bv|co|corp|corporation|gmbh|inc|incorporated|kft|limited|llc|ltd|nv|opco|pbc|plc|pte|sarl|sro"
)
_SLASHED_FORMS = re.compile(r"\b(?:d\s*/\s*b\s*/\s*a|a/s)\b")
_BETWEEN_PARTS = re.compile(r"[,/()\[\];:|–—]|\s-\s|\b(?:dba|d\.b\.a\.?)(?=\s)")
_WORD = re.compile(r"[^\W_]+")


@lru_cache(maxsize=1 << 14)
def squeeze(text: str) -> str:
    """The text with every run of white space (no-break and thin spaces too) as one space, and none at its ends."""
    return " ".join(text.split())


def _strip_marks(text: str) -> str:
    """The text without the footnote marks at its end."""
    return squeeze(text).rstrip(_FOOTNOTE_MARKS + " ")


@lru_cache(maxsize=1 << 14)
def label_key(text: str) -> str:
    """What two spellings of a label or an area have in common: case, accents, curly quotes and marks are left out."""
    folded = unicodedata.normalize("NFKD", text.replace("’", "'").replace("‘", "'")).casefold()
    plain = "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    return _strip_marks(plain)


@lru_cache(maxsize=1 << 14)
def name_key(name: str) -> str:
    """What two spellings of an organisation's name have in common: words without case, punctuation and legal form.

    A legal form is left out only at the end of a part of the name, and only where something of the part is left.
    """
    text = _SLASHED_FORMS.sub("/", label_key(name).replace("'", ""))
    kept = [token for part in _BETWEEN_PARTS.split(text) for token in _without_legal_form(part.split())]
    return " ".join(_WORD.findall(" ".join(kept)) or _WORD.findall(text))


def _without_legal_form(tokens: list[str]) -> list[str]:
    while tokens and _LEGAL_FORM.fullmatch(tokens[-1].replace(".", "")):
        tokens = tokens[:-1]
    return tokens


def provisional_code(name: str, known: Iterable[str]) -> str:
    """A code for a name that no codelist knows: its words joined by `_`, the same in every document.

    Names with different words get different codes: where joining loses something (letters outside a-z, a code that a
    known organisation has, more than 60 characters) eight digits of the words' sha256 are added.
    """
    key = name_key(name)
    slug = "_".join(re.findall(r"[a-z0-9]+", key))
    if slug.replace("_", " ") == key and slug not in known and len(slug) <= 60:
        return slug
    return "_".join(filter(None, (slug[:60].strip("_"), hashlib.sha256(key.encode()).hexdigest()[:8])))
