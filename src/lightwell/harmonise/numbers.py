"""Printed numbers: a text to a value, to the bounds it leaves, or to nothing printed. What is not sure is refused."""

import re
from dataclasses import dataclass
from decimal import Decimal

from lightwell.codes import squeeze


@dataclass(frozen=True, slots=True)
class ParsedNumber:
    """What a printed number says. `value` is None where none is printed (status O) or only a bound is (status Q)."""

    value: float | None
    low: float | None
    high: float | None
    comparator: str | None  # as printed; None where the text does not say
    status: str  # A | O | Q
    note: str | None = None


_DECIMALS = frozenset({"ratio", "hours", "fte", "fold", "per_10000", "per_100000"})  # a comma may be the decimal point
_FRACTIONS = frozenset({"percent", "days"}) | _DECIMALS  # units whose values need not be whole
_HOURS = re.compile(r"\s?(?:h|hrs?|hours?)", re.IGNORECASE)  # printed behind the number
_MISSING = frozenset({"", "-", "--", "–", "—", "n/a"})
RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"  # a footnote's digits, where a program knows them as such
_SPACES = "\u00a0\u2007\u2009\u202f"  # spaces that typesetters put inside a number; a plain space parts two numbers
_GROUPED = rf"[0-9]+|[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+|[1-9][0-9]{{0,2}}(?:[{_SPACES}][0-9]{{3}})+"
_NUMBER = re.compile(
    rf"(?P<comparator>[<>]=?|[≤≥~]|[a-z]+(?: [a-z]+)?)?\s*"
    rf"(?P<whole>{_GROUPED})(?:\.(?P<fraction>[0-9]+))?"
    rf"(?:\s?(?P<scale>thousand|million|billion|[kmb]))?(?:\s?(?P<percent>%))?\s?(?P<marks>[*†‡§{RAISED}]+)?",
    re.IGNORECASE,
)
_PERCENTAGE = r"(?:0|[1-9][0-9]{0,2})(?:\.[0-9]{1,12})?"
_RANGE = re.compile(rf"(?P<low>{_PERCENTAGE})\s?%\s?(?:-|–|—|to)\s?(?P<high>{_PERCENTAGE})\s?%", re.IGNORECASE)
_COMPARATORS = {
    "≤": "<=",
    "≥": ">=",
    "over": ">",
    "more than": ">",
    "at least": ">=",
    "fewer than": "<",
    "less than": "<",
}
_COMPARATORS |= {"under": "<", "about": "~", "around": "~", "approximately": "~", "nearly": "<", "almost": "<"}
_COMPARATORS |= {sign: sign for sign in ("<", ">", "<=", ">=", "~")}
_SCALES = {"thousand": 3, "k": 3, "million": 6, "m": 6, "billion": 9, "b": 9}
_NEGATIVE = re.compile(r"[-–—−]\s?[.\d].*|\(\s?[.\d].*\)")


def parse_number(text: str, unit: str = "count", *, unsigned: bool = False) -> ParsedNumber:
    """Read a number as printed: `21,165,208`, `0`, `-`, `<50`, `>1,000`, `69.1 million`; `4.1%` in the unit percent.

    A count that a program wrote as `920793.0` is whole: one digit after the point parts no thousands.
    A range of percentages, `4%-5%`, is its two bounds and no value (status Q, as for `<50`).

    Nothing is guessed: a negative number, grouping that is not by three, a plain space inside, a part of a whole count,
    a percent sign without the unit percent (or the reverse) or a value that no float holds exactly raises ValueError.
    `unsigned`: the header says percent, and the numbers below it have no sign.
    """
    if squeeze(text).casefold() in _MISSING:
        return ParsedNumber(None, None, None, None, "O")
    printed = text.strip()
    if _NEGATIVE.fullmatch(printed):
        raise ValueError(f"{text!r} is negative, which no count can be")
    if unit == "percent" and (ends := _RANGE.fullmatch(printed)):
        return _between(ends["low"], ends["high"], text)
    if unit == "hours" and (hours := re.fullmatch(r"(.*[0-9])" + _HOURS.pattern, printed, re.IGNORECASE)):
        printed = hours[1]
    match = _NUMBER.fullmatch(printed)
    if match is None:
        raise ValueError(f"{text!r} is not a number as this publisher prints them; its grouping may be malformed")
    if unit in _DECIMALS and ("," in match["whole"] or match["scale"]):
        raise ValueError(f"{text!r} has a comma or a letter, and which number of {unit} that makes is not sure")
    if (match["percent"] is not None) != (unit == "percent" and not unsigned):
        sign = "a" if match["percent"] else "no"
        said = f"its unit is {unit}" + (", which the header says" if unsigned else "")
        raise ValueError(f"{text!r} has {sign} percent sign but {said}")
    number = _scaled(match, text)
    if unit not in _FRACTIONS and (
        number != number.to_integral_value() or (match["fraction"] not in (None, "0") and not match["scale"])
    ):
        raise ValueError(f"{text!r} is not whole, but {unit} is counted whole (and a point may part thousands)")
    if match["marks"] and match["whole"] == "10" and match["marks"].strip(RAISED) == "":
        raise ValueError(f"{text!r} is ten with a footnote or a power of ten, and which is not sure")
    comparator = _comparator(match["comparator"], text)
    note = f"printed with the footnote mark {match['marks']}" if match["marks"] else None
    if comparator in ("<", "<=") and match["comparator"].casefold() not in ("nearly", "almost"):
        return _below(number, comparator, unit, text, note)
    return ParsedNumber(_exact(number, text), None, None, comparator, "A", note)


def _between(low: str, high: str, text: str) -> ParsedNumber:
    if Decimal(low) >= Decimal(high):
        raise ValueError(f"{text!r} is no range: it does not go from the lower bound to the higher")
    return ParsedNumber(None, _exact(Decimal(low), text), _exact(Decimal(high), text), None, "Q")


def _scaled(match: re.Match[str], text: str) -> Decimal:
    whole, fraction = re.sub("[^0-9]", "", match["whole"]), match["fraction"] or ""
    if len((whole + fraction).lstrip("0")) > 18 or (len(whole) > 1 and whole.startswith("0")):
        raise ValueError(f"{text!r} begins with a zero or is too long for a count")
    if match["scale"] and match["percent"]:
        raise ValueError(f"{text!r} is both scaled and a percentage")
    number = Decimal(f"{whole}.{fraction or '0'}")
    return number.scaleb(_SCALES[match["scale"].casefold()]) if match["scale"] else number


def _comparator(printed: str | None, text: str) -> str | None:
    if printed is None:
        return None
    if printed.casefold() not in _COMPARATORS:
        raise ValueError(f"{text!r} begins with {printed!r}, which is no comparator that is known here")
    return _COMPARATORS[printed.casefold()]


def _below(number: Decimal, comparator: str, unit: str, text: str, note: str | None) -> ParsedNumber:
    high = number - 1 if comparator == "<" and unit not in _FRACTIONS else number
    if high < 0:
        raise ValueError(f"{text!r} leaves no count: none is below zero")
    return ParsedNumber(None, 0.0, _exact(high, text), comparator, "Q", note)


_PRINTED_DIGITS = 15  # more are what a program writes of a number that it holds as a double itself


def _exact(number: Decimal, text: str) -> float:
    value = float(number)
    digits = len(number.normalize().as_tuple().digits)
    if abs(number) > 2**53 or (Decimal(repr(value)) != number and digits <= _PRINTED_DIGITS):
        raise ValueError(f"{text!r} cannot be kept exactly as a number")
    return value
