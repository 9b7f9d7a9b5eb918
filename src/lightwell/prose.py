"""Numbers in running English text: how much, of what unit, how meant, how exactly printed. Pure: no release is asked.

A small grammar of our own. quantulum3 knows physical measures (it reads `32.1 M` as metres and `a quarter of a million`
as two numbers), text2num turns words into digits alone; neither knows comparators, rates or what a number is not.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_UNITS = "one two three four five six seven eight nine".split()  # noqa: SIM905
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()  # noqa: SIM905
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
_SMALL_WORDS = (
    {"zero": 0}
    | {word: n for n, word in enumerate(_UNITS, 1)}
    | {word: n for n, word in enumerate(_TEENS, 10)}
    | {word: 10 * n for n, word in enumerate(_TENS, 2)}
)
_SCALES = {"hundred": 1e2, "dozen": 12.0, "thousand": 1e3, "k": 1e3, "lakh": 1e5, "million": 1e6, "mn": 1e6, "m": 1e6}
_SCALES |= {"crore": 1e7, "billion": 1e9, "bn": 1e9, "b": 1e9, "trillion": 1e12}
_PARTS = {"half": 2, "third": 3, "quarter": 4, "fifth": 5, "tenth": 10}
_CURRENCIES = {
    "us$": "usd", "$": "usd", "usd": "usd", "dollar": "usd", "£": "gbp", "gbp": "gbp", "pound": "gbp", "€": "eur",
    "eur": "eur", "euro": "eur", "₱": "php", "php": "php", "peso": "php", "a$": "aud", "au$": "aud", "aud": "aud",
    "c$": "cad", "ca$": "cad", "cad": "cad",
}  # fmt: skip
_COMPARATORS = {
    ">=": "at least|no fewer than|no less than|not less than|a minimum of|minimum of|as few as|≥|>=",
    "<=": "up to|as many as|as much as|as long as|as high as|at most|no more than|not more than|a maximum of|≤|<=",
    ">": "more than|over|above|greater than|in excess of|upwards of|exceeding|>",
    "<": "fewer than|less than|under|below|nearly|almost|<",
    "~": "about|around|approximately|roughly|close to|an estimated|estimated|some|circa|~|≈",
}

_LONGEST = 18  # characters of a number in digits
_SMALL = rf"(?:(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(_UNITS)}))?|{'|'.join([*_TEENS, *_UNITS, 'zero'])})"
_HUNDREDS = rf"(?:(?:a|{_SMALL})\s+hundred(?:\s+(?:and\s+)?{_SMALL})?|{_SMALL})"
_WORD_SCALE = "thousand|million|billion|trillion|lakh|crore|dozen"
_IN_WORDS = rf"(?:(?:an?|{_HUNDREDS})[\s-]+(?:{_WORD_SCALE})(?:\s+(?:and\s+)?{_HUNDREDS})?|{_HUNDREDS})"
_DIGITS = r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?"
_COUNT = rf"(?:a|one|two|three|{_SMALL})"
_ATOM = re.compile(
    rf"""
    (?:(?P<compared>{"|".join(_COMPARATORS.values()).replace(" ", r"[ ]")})\s*(?:(?:an?|the|only|just)\s+)?)?
    (?P<core>
        (?:(?P<currency>US\$|AU?\$|CA?\$|[$£€₱]|\b(?:USD|GBP|EUR|PHP|AUD|CAD)\s?))?
        (?:
            (?P<none>\b(?:none\s+of|not\s+one\s+of|zero)\b)
          | (?P<of_scale>\b(?:{_COUNT}\s+)?(?:half|third|quarter)s?(?:\s+of)?\s+an?\s+(?:{_WORD_SCALE}|hundred)\b)
          | (?P<one_in>\b(?P<some>[0-9]+|{_SMALL})\s+in\s+(?:every\s+)?(?!(?:19|20)[0-9]{{2}}\b)
            (?P<every>{_DIGITS}|{_IN_WORDS})\b)
          | (?P<share>\bhalf\b|\b{_COUNT}[\s-](?:third|quarter|fifth|tenth)s?\b(?!\s+(?:of\s+)?an?\s))
          | (?P<times>\b{_SMALL}fold\b)
          | (?P<digits>(?<![\w.,])(?<![A-Za-z]-)(?:{_DIGITS})(?![0-9]|[.,][0-9]|(?:st|nd|rd|th)\b))
            (?P<scale>[\s-]?(?:hundred|{_WORD_SCALE}|mn|bn)\b|[kKmMbB]\b|\s[MBK]\b)?
          | (?P<words>\b(?:{_IN_WORDS})\b)
        )
        (?P<plus>\+)?
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BEHIND = re.compile(
    r"""\s?(?P<percent>%|per\s?cent(?:age\s+points?)?\b|percentage\s+points?\b|pct\b)
      | [\s-]?(?P<fold>-?fold\b|x\b(?!\w)|\s?times\s+(?:more|as|the|higher|larger|over)\b|times\b)
      | \s(?:US\s)?(?P<money>dollar|pound|euro|peso)s?\b | \s(?P<code>USD|GBP|EUR|PHP|AUD|CAD)\b
      | [\s-](?P<time>year|month|week|day|hour)s?\b""",
    re.VERBOSE | re.IGNORECASE,
)
_AGE_BEHIND = re.compile(r"[\s-]olds?\b|\s+of\s+age\b|\s+(?:or|and)\s+(?:younger|older|under|over)\b", re.IGNORECASE)
_AGE_BEFORE = re.compile(r"\b(?:ages?|aged|age\s+of|the\s+age\s+of|between\s+the\s+ages\s+of)\s*$", re.IGNORECASE)
_BOUND_BEHIND = re.compile(r"[\w\s]{0,20}?\s(?:or|and)\s(?P<side>more|over|above|fewer|less|under)\b", re.IGNORECASE)
_REFERENCE = re.compile(
    r"(?:\b(?:sections?|articles?|act|law|chapter|pages?|table|figure|appendix|annex|regulation|directive|goals?|sdg|"
    r"target|version|number|no\.|ra|r\.a\.|s\.)|§|\#)\s*(?:\(EU\)\s*)?$",
    re.IGNORECASE,
)
_RANK = re.compile(r"\btier[\s-]*$", re.IGNORECASE)
_DATED = re.compile(
    r"\b(?:in|since|from|to|until|till|by|between|and|of|during|year|cy|fy|through|before|after|early|late|mid|"
    r"jan\w*|feb\w*|mar\w*|apr\w*|may|june?|july?|aug\w*|sep\w*|oct\w*|nov\w*|dec\w*|q[1-4]|h[12])[\s,.-]*$|[(/–—-]$",
    re.IGNORECASE,
)
_MONTHS = r"(?:jan|febr)uary|march|april|may|june|july|august|(?:septem|octo|novem|decem)ber"
_MONTH_BEHIND = re.compile(rf"\s+(?:of\s+)?(?:{_MONTHS})\b", re.IGNORECASE)
_MONTH_BEFORE = re.compile(rf"\b(?:{_MONTHS})\s+$", re.IGNORECASE)
_RATE = re.compile(
    r"[^,.;:()0-9]{0,48}?\b(?:(?:an?|per|each|every)\s+(?P<per>day|week|month|year|livestream|child|case|person)\b"
    r"|(?P<adverb>daily|weekly|monthly|yearly|annually)\b|per\s+(?P<annum>annum)\b)",
    re.IGNORECASE,
)
_ADVERBS = {"daily": "day", "weekly": "week", "monthly": "month", "yearly": "year", "annually": "year", "annum": "year"}
_NOT_COUNTED = re.compile(
    r"\s+(?:of|another|or|is|was|that|who|which|to|and|can|could|in|into|for|day|at|on|as|has|by|with|the|where)\b"
    r"|\s*(?:[^\w\s-]|-\W|$)",
    re.IGNORECASE,
)
_NAMED_ONE = re.compile(r"\b(?:no|this|that|the|another|any|every|each|which|right|only|or)\s+$", re.IGNORECASE)
_IGNORED = re.compile(
    r"https?://\S+|www\.\S+|\S+@\S+|\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b|\b[0-9]{1,2}[/:][0-9]{1,2}(?:[/:][0-9]{2,4})?\b"
    r"|\b[0-9]+(?:\.[0-9]+){2,}|\b[0-9a-f]{16,}\b|\b[0-9]{4}-(?:S|Q|H)[1-4]\b|\b[QH][1-4]\b"
)
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|approx|no|st|mr|mrs|ms|dr|u\.s|u\.k|cf|al|art|sec)|\b[A-Z])\.$")
_SENTENCE_END = re.compile(r"[.!?…][\"”’')\]]*(?=\s+[\"“‘'(\[]?[A-Z0-9£$€])|\n+")


@dataclass(frozen=True, slots=True)
class Number:
    """One number that a text says, or the two ends of a range."""

    text: str  # as printed, with its comparator and unit
    start: int  # characters from the beginning of the text, the end not included
    end: int
    low: float  # equal to `high` where it is one number
    high: float
    comparator: str  # = > < ~ >= <=
    step: float  # the smallest difference that the printed form can show: a million for `69 million`
    unit: str  # percent fold usd gbp eur php aud cad year month week day hour tier, or empty
    rate_per: str  # week, year ...; empty where it is no rate
    kind: str  # quantity | year | age | reference
    follows: str  # the words behind it, up to the next number or mark
    digits: int  # significant ones: how much the number says by itself

    @property
    def is_range(self) -> bool:
        """Whether two ends are said."""
        return self.low != self.high


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a text and the numbers in it."""

    text: str
    start: int
    end: int
    numbers: tuple[Number, ...]


def sentences(text: str) -> Iterator[Sentence]:
    """The sentences of a text, each with its numbers. A line break ends a sentence too."""
    for start, end in _spans(text):
        yield Sentence(text[start:end], start, end, tuple(numbers(text[start:end], start)))


def numbers(text: str, offset: int = 0) -> list[Number]:
    """The numbers of one sentence: `six children`, `69 million`, `over 50%`, `12 fold`, `$10 or $20`, `48,000 a week`.

    Years, ages and the numbers of sections and laws are told apart by `kind`. Ordinals, dates, times, addresses and the
    pronoun `one` are left out. `offset` is added to the places.
    """
    masked = _IGNORED.sub(lambda m: " " * len(m[0]), text)
    atoms: list[Number] = []
    for match in _ATOM.finditer(masked):
        if (atom := _atom(match, masked)) is not None:
            atoms.append(atom)
    joined = list(_ranges(atoms, masked))
    stops = [*(n.start for n in joined[1:]), len(text)]
    joined = [_with_following(n, masked[n.end : stop]) for n, stop in zip(joined, stops, strict=False)]
    return [replace(n, start=n.start + offset, end=n.end + offset, text=text[n.start : n.end]) for n in joined]


def printed_step(digits: str, scale: float = 1.0) -> float:
    """The smallest difference that a printed number can show: its last decimal, else its trailing zeros, of which as
    many count as rounding as leave two digits (300,000 shows ten thousands)."""
    plain = digits.replace(",", "")
    if "." in plain:
        return float(scale * 10.0 ** -len(plain.split(".")[1]))
    zeros = len(plain) - len(plain.rstrip("0"))
    return float(scale * 10.0 ** min(zeros, max(len(plain.lstrip("0")) - 2, 0)))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for end in _SENTENCE_END.finditer(text):
        stop = end.end() if not end[0].startswith("\n") else end.start()
        if not end[0].startswith("\n") and _ABBREVIATION.search(text[max(start, end.start() - 8) : end.start() + 1]):
            continue
        yield from _trimmed(text, start, stop)
        start = end.end()
    yield from _trimmed(text, start, len(text))


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end


def _atom(match: re.Match[str], text: str) -> Number | None:
    """One number without its surroundings, or None where it is no number."""
    if match["digits"] and len(match["digits"]) > _LONGEST:
        return None  # no count: a number of an account, or noise
    value, step, digits = _value(match)
    begin = match.start("core")
    before, unit, end = (
        _before(text, begin),
        _CURRENCIES.get((match["currency"] or "").strip().casefold(), ""),
        match.end(),
    )
    if match["share"] or match["one_in"]:
        unit = "percent"
    if match["times"]:
        unit = "fold"
    behind = _BEHIND.match(text, end)
    if behind and not unit and not match["none"]:
        unit, end = _unit(behind), behind.end()
    if (
        match["words"]
        and match["words"].casefold() == "one"
        and not unit
        and not _RANK.search(before)
        and _is_pronoun(before, text, end)
    ):
        return None
    if match["share"] and match["share"].casefold() == "half" and not _is_half(match, text, end):
        return None
    if match["digits"] and value <= 31 and (_MONTH_BEHIND.match(text, end) or _MONTH_BEFORE.search(before)):
        return None  # a day of a month
    kind, unit = _kind(match, before, text, end, value, unit)
    comparator = _comparator(match, text, end, unit)
    start = match.start() if match["compared"] and kind != "reference" else begin
    return Number(text[start:end], start, end, value, value, comparator, step, unit, "", kind, "", digits)


def _value(match: re.Match[str]) -> tuple[float, float, int]:
    """Value, step and significant digits."""
    if match["none"]:
        return 0.0, 1.0, 1
    if match["one_in"]:
        every = _plain(match["every"])
        return (100 * _plain(match["some"]) / every if every else 0.0), 1.0, 2
    if match["of_scale"]:
        value = _parts(match["of_scale"]) * _SCALES[match["of_scale"].split()[-1].casefold()]
        return value, value / 25, 2
    if match["share"]:
        return 100 * _parts(match["share"]), 1.0, 2
    if match["times"]:
        return _words(match["times"].casefold().removesuffix("fold")), 1.0, 2
    if match["words"]:
        value = _words(match["words"].casefold())
        return value, printed_step(f"{value:.0f}"), len(f"{value:.0f}".rstrip("0")) or 1
    scale = _SCALES[match["scale"].strip(" -\n\t").casefold()] if match["scale"] else 1.0
    plain = match["digits"].replace(",", "")
    return (
        float(plain) * scale,
        printed_step(plain, scale),
        len(plain.replace(".", "").lstrip("0").rstrip("0" if "." not in plain else "")) or 1,
    )


def _plain(text: str) -> float:
    return float(text.replace(",", "")) if text[0].isdigit() else _words(text.casefold())


def _parts(text: str) -> float:
    words = re.split(r"[\s-]+", text.casefold())
    count = _SMALL_WORDS.get(words[0], 1)
    return next(count / n for part, n in _PARTS.items() if any(w.removesuffix("s") == part for w in words))


def _words(text: str) -> float:
    """The value of a number in words: `two hundred and fifty thousand`."""
    total, group = 0.0, 0.0
    for word in re.split(r"[\s-]+", text):
        if word in _SMALL_WORDS:
            group += _SMALL_WORDS[word]
        elif word == "hundred":
            group = max(group, 1) * 100
        elif word in _SCALES:
            total, group = total + max(group, 1) * _SCALES[word], 0.0
    return total + group


def _unit(behind: re.Match[str]) -> str:
    if behind["percent"]:
        return "percent"
    if behind["fold"]:
        return "fold"
    if money := behind["money"] or behind["code"]:
        return _CURRENCIES[money.casefold()]
    return behind["time"].casefold()


def _is_pronoun(before: str, text: str, end: int) -> bool:
    return bool(_NAMED_ONE.search(before) and not re.search(r"\b(?:only|or)\s+$", before, re.IGNORECASE)) or bool(
        _NOT_COUNTED.match(text, end)
    )


def _is_half(match: re.Match[str], text: str, end: int) -> bool:
    return bool(match["compared"]) or bool(re.match(r"\s+(?:of|the|all|its|their|these|those)\b", text[end:]))


def _kind(match: re.Match[str], before: str, text: str, end: int, value: float, unit: str) -> tuple[str, str]:
    """quantity, year, age or reference; and the unit, which an age or a rank changes."""
    compared = bool(match["compared"])
    if _RANK.search(before):
        return "quantity", "tier"
    if _REFERENCE.search(before) and not unit and not match["scale"]:
        return "reference", ""
    if unit in ("year", "month") and _AGE_BEHIND.match(text, end):
        return "age", unit
    if _AGE_BEFORE.search(before) or (not unit and re.search(r"\bage\s+(?:of\s+)?$", before, re.IGNORECASE)):
        return "age", unit or "year"
    bare = bool(match["digits"]) and "," not in match["digits"] and not match["scale"] and not unit
    if bare and value == int(value) and 1900 <= value <= 2100 and len(match["digits"]) == 4:
        follows = re.match(r"\s+([a-z]+)s\b", text[end:])
        dated = _DATED.search(_before(text, match.start())) or _DATED.search(before)
        if not compared and (dated or follows is None):
            return "year", ""
    return "quantity", unit


def _comparator(match: re.Match[str], text: str, end: int, unit: str) -> str:
    if match["plus"]:
        return ">="
    if unit in ("year", "month", "week", "day") and re.match(r"over\s+(?:a|the)\s", match[0], re.IGNORECASE):
        return "="  # over a five year period: in the course of
    bound = _BOUND_BEHIND.match(text, end)
    if match["compared"]:
        printed = re.sub(r"\s+", " ", match["compared"].casefold())
        return next(sign for sign, said in _COMPARATORS.items() if printed in said.split("|"))
    if bound:
        return ">=" if bound["side"].casefold() in ("more", "over", "above") else "<="
    return "="


def _ranges(atoms: list[Number], text: str) -> Iterator[Number]:
    """Neighbours that are the two ends of one range, joined; all others as they are."""
    waiting: Number | None = None
    for number in atoms:
        if waiting is None:
            waiting = number
            continue
        between = text[waiting.end : number.start]
        if (joined := _join(waiting, number, between, text)) is not None:
            yield joined
            waiting = None
            continue
        if re.fullmatch(r"\s*or\s*", between) and number.comparator == "=" and waiting.comparator in ("<=", ">="):
            number = replace(number, comparator=waiting.comparator)
        yield waiting
        waiting = number
    if waiting is not None:
        yield waiting


def _join(one: Number, other: Number, between: str, text: str) -> Number | None:
    dash = re.fullmatch(r"\s*(?:-|–|—|to)\s*", between)
    choice = re.fullmatch(r"\s+or\s+", between)
    bracket = re.fullmatch(r"\s+and\s+", between) and re.search(
        r"\bbetween\s+$", _before(text, one.start), re.IGNORECASE
    )
    units = {one.unit, other.unit} - {""}
    low = one.low * _scale_of(other) if _scale_of(one) == 1 else one.low
    if not (dash or choice or bracket) or len(units) > 1 or one.kind == "reference":
        return None
    if one.kind != other.kind and not (one.kind == "age" and not other.unit):
        return None
    if (one.kind == "year" and choice) or other.comparator != "=" or low >= other.high:
        return None
    unit, kind = other.unit or one.unit, one.kind
    comparator = one.comparator if one.comparator in ("~", "=") else "="
    return replace(
        other,
        start=one.start,
        low=low,
        unit=unit,
        kind=kind,
        comparator=comparator,
        digits=max(one.digits, other.digits),
    )


def _scale_of(number: Number) -> float:
    """What the word behind the digits multiplies by: `5 to 10 million` says so once, for both."""
    word = re.search(rf"(?<=[0-9])[\s-]?({_WORD_SCALE}|mn|bn|[kmb])\b", number.text, re.IGNORECASE)
    return _SCALES[word[1].casefold()] if word else 1.0


def _with_following(number: Number, behind: str) -> Number:
    """The number with the words between it and the next, and what it is a rate of."""
    follows = re.match(r"[\s-]*((?:[\w’'-]+[ ]?){0,7})", behind[:200])
    rate = _RATE.match(behind[:200]) if number.kind == "quantity" else None
    per = (rate["per"] or _ADVERBS[(rate["adverb"] or rate["annum"]).casefold()]).casefold() if rate else ""
    return replace(number, follows=follows[1].strip() if follows else "", rate_per=per)


def _before(text: str, place: int) -> str:
    """The words just before a place: what a number is does not hang on more."""
    return text[max(0, place - 48) : place]
