"""Checking a sentence: the numbers of a text against the observations and quoted figures of the current release.

A number matches where the release prints it, differs by rounding where its own printed precision covers the release's
value, agrees as a bound (`over 50%`), or contradicts where unit, words, area, organisation and period are the same and
the value is another. Nothing found is said so, and refutes nothing.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from lightwell.codes import squeeze
from lightwell.errors import LightwellError
from lightwell.prose import Number, Sentence, printed_step, sentences
from lightwell.quoted import Ask, Conflict, asking, natural, read_conflicts, told
from lightwell.settings import Settings
from lightwell.wording import (
    SPEAKS_ALONE,
    SPECIAL,
    UNIT_OF,
    Context,
    Lexicon,
    covered,
    noun_units,
    quoted_as,
    read_context,
    read_lexicon,
    tokens_of,
    units_of,
)  # fmt: skip

LARGEST_TEXT = 1_000_000  # characters
MOST_NUMBERS = 500
SHOWN = 5  # candidates a number
ALL = frozenset({"_T", "esp"})  # subjects that stand for everybody
_STRONG = 0.7  # of a metric's title, what a sentence must say to speak of it for sure
_ACCEPTED = 62.0
_IN_A_YEAR = {"day": 365.0, "week": 52.0, "month": 12.0, "year": 1.0}
_SAME_THING = re.compile(r"\b(?:which\s+is|that\s+is|i\.e\.|meaning|equals?|amounts?\s+to|or)\b", re.IGNORECASE)
_OTHER_THING = re.compile(r"\b(?:opposed|versus|vs|compared|while|whereas|than|against|but)\b|[;.]", re.IGNORECASE)
_ORDER = {"exact": 0, "rounding": 1, "bound": 2, "contradicts": 3}


@dataclass(frozen=True, slots=True)
class Match:
    """A figure of the release that has to do with a number of the text."""

    verdict: str  # exact | rounding | bound | contradicts
    kind: str  # observation | quoted | register
    figure: str  # an observation_id, a quoted id and part (B11/1), or a conflict and its value (C8/text_2023)
    what: str
    value: float | None
    value_low: float | None
    value_high: float | None
    comparator: str
    unit_measure: str
    time_period: str | None
    ref_area: str | None
    subject: str | None
    score: float
    title: str | None
    url: str | None
    published: str | None
    locator: str
    citation: str
    also: int = 0  # how many more documents or tables print the same
    breaks: tuple[str, ...] = ()
    conflict_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One number of the text, and what the release says about it, best first."""

    claim: str
    start: int
    end: int
    kind: str
    verdict: str  # exact | rounding | bound | contradicts | nothing
    matches: tuple[Match, ...]
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a text. `quoted_sentences`: those that stand word for word in a quoted document."""

    findings: tuple[Finding, ...]
    conflicts: tuple[Conflict, ...]
    quoted_sentences: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def contradicted(self) -> bool:
        """Whether the release contradicts a number, or a quoted one stands in a conflict that is more than rounding."""
        in_doubt = {c.conflict_id for c in self.conflicts if c.verdict != "within_rounding"}
        return any(
            f.verdict == "contradicts"
            or any(m.kind == "quoted" and in_doubt.intersection(m.conflict_ids) for m in f.matches)
            or (any(m.kind == "register" for m in f.matches) and any(m.verdict == "contradicts" for m in f.matches))
            for f in self.findings
        )


def read_text(given: str, standard_input: str | bytes | None = None) -> str:
    """The text to check: standard input for `-`, the file where `given` names one, else `given` itself.

    Raises LightwellError for what is empty, no text, or larger than LARGEST_TEXT.
    """
    if given == "-":
        raw = standard_input or ""
        return _checked_text(_decoded(raw, "standard input") if isinstance(raw, bytes) else raw)
    path = Path(given)
    try:
        is_file = len(given) < 4096 and "\n" not in given and "\0" not in given and path.is_file()
        raw = path.open("rb").read(4 * LARGEST_TEXT + 1) if is_file else b""
    except OSError as error:
        raise LightwellError(f"{given} cannot be read: {error.strerror}") from None
    if is_file:
        return _checked_text(_decoded(raw, given))
    if re.fullmatch(r"\S*[^\s.]\.(?:txt|md|html?|csv|docx?|pdf|json)|\S*/\S*\.\w{1,5}", given.strip()):
        raise LightwellError(f"there is no file {given}: give a file, the text itself, or - for standard input")
    return _checked_text(given)


def check(settings: Settings, text: str, *, quoted_only: bool = False) -> Checked:
    """Every number of a text held against the current release. The text itself is kept nowhere.

    `quoted_only`: against the quoted figures and the conflict register alone. Raises LightwellError for no text.
    """
    found = list(sentences(_checked_text(text)))
    notes = []
    if sum(len(s.numbers) for s in found) > MOST_NUMBERS:
        found = _first_numbers(found)
        notes.append(f"the text has more than {MOST_NUMBERS} numbers: the first {MOST_NUMBERS} were checked")
    with asking(settings) as ask:
        lexicon = read_lexicon(ask)
        contexts = [(s, read_context(s, lexicon)) for s in found if s.numbers]
        claims = [(s, c, n) for s, c in contexts for n in s.numbers]
        candidates = {} if quoted_only else _candidates(ask, claims, lexicon)
        raw = [(n, c, _best(_matches(n, c, candidates.get(i, []), lexicon))) for i, (_, c, n) in enumerate(claims)]
        cited = _cited(ask, {m.figure for _, _, matches in raw for m in matches if m.kind == "observation"})
        findings = [_finding(n, c, matches, cited) for n, c, matches in raw]
        quoted = sorted({i for s in found if (i := quoted_as(s, lexicon)) is not None}, key=natural)
        shown = [f for f in findings if f.kind == "quantity" or f.matches]
        ids = {i for f in shown for m in f.matches if m.verdict != "contradicts" for i in m.conflict_ids}
        ids |= {i for row in lexicon.quoted if row["quoted_id"] in quoted for i in row["conflict_ids"]}
        register = read_conflicts(ask, ids)
    if not claims:
        notes.append("no number was found in the text")
    notes += [remark for s in found for remark in _rates(s)]
    return Checked(tuple(shown), tuple(register), tuple(quoted), tuple(notes))


# --- the text ---------------------------------------------------------------------------------------------------------


TABLE = ("claim", "verdict", "value", "unit_measure", "what", "time_period", "ref_area", "figure")


def table(checked: Checked) -> list[tuple[Any, ...]]:
    """One row a number and figure that has to do with it, with the columns TABLE."""
    return [
        (f.claim, m.verdict, _amount(m), m.unit_measure, m.what, m.time_period, m.ref_area, m.figure)
        for f in checked.findings
        for m in f.matches
    ]


def remarks(checked: Checked) -> list[str]:
    """What belongs to the table in words: citations, breaks, conflicts, and what was not found."""
    said = []
    cited: dict[str, Match] = {m.figure: m for f in checked.findings for m in f.matches}
    for figure, match in cited.items():
        more = f" Printed alike in {match.also} more tables or documents." if match.also else ""
        said.append(f"{figure}: {match.citation}{more}")
        said += [f"  break at {one}" for one in match.breaks]
    said += told(checked.conflicts)
    if checked.quoted_sentences:
        said.append(f"word for word in a quoted document: {', '.join(checked.quoted_sentences)}")
    said += list(checked.notes)
    if nothing := [f.claim for f in checked.findings if f.verdict == "nothing"]:
        said.append(f"no figure in the warehouse (which refutes nothing) for: {'; '.join(nothing)}")
    return said + [f"{f.claim}: {f.remark}" for f in checked.findings if f.remark]


def _amount(match: Match) -> str:
    sign = "" if match.comparator == "=" else match.comparator
    if match.value_low is not None and match.value_high is not None and match.value is None:
        return f"{sign}{match.value_low:,.10g} to {match.value_high:,.10g}"
    if match.value is None:
        return ""
    return f"{sign}{match.value:.0f}" if match.unit_measure == "calendar_year" else f"{sign}{match.value:,.10g}"


def _matches(number: Number, context: Context, rows: Sequence[Mapping[str, Any]], lexicon: Lexicon) -> list[Match]:
    return [
        *_quoted_matches(number, context, lexicon),
        *_register_matches(number, context, lexicon),
        *_judged(number, context, rows, lexicon),
    ]


def _decoded(raw: bytes, name: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise LightwellError(f"{name} is no text in UTF-8: save the words as plain text and give that") from None


def _checked_text(text: str) -> str:
    if "\0" in text:
        raise LightwellError("this is no text but a binary file: save the words as plain text and give that")
    if not text.strip():
        raise LightwellError("there is no text to check: give a sentence, a file, or - for standard input")
    if len(text) > LARGEST_TEXT:
        raise LightwellError(f"the text is longer than {LARGEST_TEXT:,} characters: give the passage to be checked")
    return text


def _first_numbers(found: Iterable[Sentence]) -> list[Sentence]:
    kept, left = [], MOST_NUMBERS
    for sentence in found:
        numbers = sentence.numbers[:left]
        left -= len(numbers)
        kept.append(Sentence(sentence.text, sentence.start, sentence.end, numbers))
        if left == 0:
            break
    return kept


def _rates(sentence: Sentence) -> list[str]:
    """What a sentence gets wrong by itself: `48,000 cases a week, which is about 250,000 a year`."""
    rated = [n for n in sentence.numbers if n.rate_per in _IN_A_YEAR and n.kind == "quantity" and not n.is_range]
    said = []
    for one, other in pairwise(rated):
        between = sentence.text[one.end - sentence.start : other.start - sentence.start]
        if one.rate_per == other.rate_per or _OTHER_THING.search(between) or not _SAME_THING.search(between):
            continue
        first, second = one.low * _IN_A_YEAR[one.rate_per], other.low * _IN_A_YEAR[other.rate_per]
        if second and not 0.8 <= first / second <= 1.25:
            said.append(
                f"the text contradicts itself: {one.text} a {one.rate_per} is {first:,.0f} a year, and {other.text} a "
                f"{other.rate_per} is {second:,.0f} ({first / second:.3g} times)"
            )
    return said


# --- quoted figures ---------------------------------------------------------------------------------------------------


def _quoted_matches(number: Number, context: Context, lexicon: Lexicon) -> list[Match]:
    found = []
    for row in lexicon.quoted:
        verdict = _quoted_verdict(number, row)
        if verdict is None:
            continue
        verbatim = row["quoted_id"] == context.quoted_id
        wanted = tokens_of(f"{row['what']} {row['rate_per'] or ''}")
        shared, part = len(wanted & context.tokens), covered(wanted, context.tokens, lexicon)
        same_rate = bool(row["rate_per"]) and row["rate_per"] == number.rate_per
        fits = bool(noun_units(number, lexicon) & {row["unit_measure"]})
        words = shared + 2 * same_rate + fits
        if verdict in ("contradicts", "bound"):
            about = {row["ref_area"]} - {None, "_T"}
            if (
                verbatim
                or part < 0.6
                or words < 4
                or not (fits or number.unit)
                or (number.rate_per and not same_rate)
                or (context.areas and about and not about & context.areas)
                or (row["time_period"] and context.years and row["time_period"][:4] not in context.years)
            ):
                continue
        elif not verbatim and (words < (2 if number.digits >= 2 or number.unit else 3)):
            continue
        score = {"exact": 60, "rounding": 50, "bound": 40, "contradicts": 20}[verdict] + 30 * part + 4 * words
        found.append(_quoted_match(verdict, row, score + 40 * verbatim))
    return found


def _quoted_verdict(number: Number, row: Mapping[str, Any]) -> str | None:
    """How a number stands to a quoted value of the same unit; None where they are not of one kind."""
    if number.kind == "reference":
        listed = re.findall(r"[0-9]+(?:\.[0-9]+)*", row["quoted_term"] or "")
        return "exact" if f"{number.low:.10g}" in listed else None
    if row["unit_measure"] is None:
        return None
    if number.kind == "year" or row["unit_measure"] == "calendar_year":
        same = number.kind == "year" and row["unit_measure"] == "calendar_year" and number.low == row["quoted_value"]
        return "exact" if same else None
    unit = UNIT_OF.get(number.unit)
    if (number.unit and unit != row["unit_measure"]) or (not number.unit and row["unit_measure"] in SPECIAL):
        return None
    if number.rate_per and row["rate_per"] and number.rate_per != row["rate_per"]:
        return None
    low = row["quoted_value"] if row["value_low"] is None else row["value_low"]
    high = row["quoted_value"] if row["value_high"] is None else row["value_high"]
    verdict = _stands(number, low, high, "=", printed_step(f"{low:.0f}") if row["comparator"] == "~" else 0.0)
    if verdict == "bound" and number.kind == "age":
        return None
    return None if verdict == "contradicts" and number.kind == "age" else verdict


def _quoted_match(verdict: str, row: Mapping[str, Any], score: float) -> Match:
    return Match(
        verdict, "quoted", f"{row['quoted_id']}/{row['part']}", row["what"], row["quoted_value"], row["value_low"],
        row["value_high"], row["comparator"] or "", row["unit_measure"] or "", row["time_period"], row["ref_area"],
        None, round(score, 1), row["title"], row["url"], row["published"], row["locator"], row["citation"],
        conflict_ids=tuple(row["conflict_ids"]),
    )  # fmt: skip


def _register_matches(number: Number, context: Context, lexicon: Lexicon) -> list[Match]:
    """The values of the conflict register that a number is: `2,772 reports in 1998`."""
    found = []
    for row in lexicon.register:
        low, high = row["value_low"] or row["amount"], row["value_high"] or row["amount"]
        unit = UNIT_OF.get(number.unit, "") or next(iter(noun_units(number, lexicon) & {row["unit_measure"]}), "")
        if number.kind != "quantity" or number.digits < 3 or unit != row["unit_measure"]:
            continue
        verdict = _stands(number, low, high, row["comparator"] or "=", 0.0)
        wanted = tokens_of(row["what"])
        other_year = context.years and row["time_period"] and row["time_period"][:4] not in context.years
        if verdict not in ("exact", "rounding") or other_year or len(wanted & context.tokens) < 1:
            continue
        score = 55 + 30 * covered(wanted, context.tokens, lexicon) - 8 * (verdict == "rounding")
        found.append(_register_match(verdict, row, score))
    return found


def _register_match(verdict: str, row: Mapping[str, Any], score: float) -> Match:
    return Match(
        verdict, "register", f"{row['conflict_id']}/{row['value_key']}", f"{row['said_by']}: {row['what']}",
        row["amount"], row["value_low"], row["value_high"], row["comparator"] or "=", row["unit_measure"],
        row["time_period"], row["ref_area"], None, round(score, 1), None, None, None, "", row["citation"],
        conflict_ids=(row["conflict_id"],),
    )  # fmt: skip


def _stands(number: Number, low: float, high: float, comparator: str, step: float) -> str:
    """exact, rounding, bound or contradicts: how a number stands to a value of the same unit, or to its two ends."""
    if (number.low, number.high) == (low, high):
        return "exact"
    half = number.step / 2 * (2 if number.comparator == "~" else 1)
    if number.low - half <= low and high <= number.high + half:
        return "bound" if number.is_range else "rounding"
    if step and low - step / 2 <= number.low and number.high <= high + step / 2:
        return "rounding"
    over, under = {">", ">="}, {"<", "<="}
    if (number.comparator in over and low >= number.low) or (number.comparator in under and high <= number.high):
        return "bound"
    if (comparator in over and number.low >= low) or (comparator in under and number.high <= high):
        return "bound"
    if low < high and low <= number.low and number.high <= high:
        return "bound"
    return "contradicts"


# --- observations -----------------------------------------------------------------------------------------------------

_LOOKUP = (
    '[{"claim":"INTEGER","low":"DOUBLE","high":"DOUBLE","units":["VARCHAR"],"metrics":["VARCHAR"],'
    '"subjects":["VARCHAR"],"areas":["VARCHAR"],"periods":["VARCHAR"],"alone":"BOOLEAN"}]'
)
_SEEN = (
    "o.observation_id, o.source_id, o.metric, o.reporter, o.subject, o.harm, o.ref_area, o.dimensions, o.time_period, "
    "o.obs_value, o.value_low, o.value_high, o.comparator, o.unit_measure, o.obs_text, o.low, o.high"
)
_CANDIDATES = f"""
WITH asked AS (SELECT unnest(from_json_strict($claims, '{_LOOKUP}'), recursive := true)),
printed AS MATERIALIZED (
    SELECT
        *,
        coalesce(obs_value, value_low) * CASE unit_measure WHEN 'ratio' THEN 100 ELSE 1 END AS low,
        coalesce(obs_value, value_high) * CASE unit_measure WHEN 'ratio' THEN 100 ELSE 1 END AS high
    FROM observation
    WHERE coalesce(obs_value, value_low) IS NOT NULL AND coalesce(obs_value, value_high) IS NOT NULL
),
alike AS (
    SELECT a.claim, {_SEEN}
    FROM asked AS a INNER JOIN printed AS o ON o.low >= a.low AND o.high <= a.high
    WHERE list_contains(a.units, o.unit_measure)
        AND (a.alone OR (
            list_contains(a.metrics, o.metric) AND list_contains(a.subjects, o.subject)
            AND list_contains(a.areas, o.ref_area)
        ))
    QUALIFY row_number() OVER (PARTITION BY a.claim ORDER BY o.ref_area <> '_T', o.observation_id) <= 200
),
named AS (
    SELECT claim, units, subjects, areas, periods, unnest(metrics) AS metric
    FROM asked WHERE len(periods) > 0
),
dated AS (SELECT * EXCLUDE (periods), unnest(periods) AS time_period FROM named),
same AS (
    SELECT a.claim, {_SEEN}
    FROM dated AS a INNER JOIN printed AS o ON o.metric = a.metric AND o.time_period = a.time_period
    WHERE list_contains(a.units, o.unit_measure) AND list_contains(a.subjects, o.subject)
        AND list_contains(a.areas, o.ref_area)
)
SELECT DISTINCT * FROM (SELECT * FROM alike UNION ALL SELECT * FROM same)
"""  # noqa: S608  names of columns, nothing else


def _candidates(
    ask: Ask, claims: Sequence[tuple[Sentence, Context, Number]], lexicon: Lexicon
) -> dict[int, list[dict[str, Any]]]:
    """The observations worth a look, by the place of their claim: of a like value, or of the same thing and period."""
    asked = []
    for i, (_, context, number) in enumerate(claims):
        if number.kind == "quantity" and (lookup := _lookup(number, context, lexicon)):
            asked.append({"claim": i, **lookup})
    if not asked:
        return {}
    found: dict[int, list[dict[str, Any]]] = {}
    for row in ask(_CANDIDATES, {"claims": json.dumps(asked)}):
        found.setdefault(row["claim"], []).append(row)
    return found


def _lookup(number: Number, context: Context, lexicon: Lexicon) -> dict[str, Any] | None:
    """Which observations to fetch for a number. None where nothing but its few digits tells what it may be."""
    units = units_of(number, lexicon)
    alone = number.digits >= SPEAKS_ALONE and not number.unit
    if not units or (not alone and not context.topics) or number.rate_per not in ("", "year", "month"):
        return None
    half = number.step / 2 * (2 if number.comparator == "~" else 1)
    low, high = number.low - half, number.high + half
    return {
        "low": low, "high": high, "units": sorted(units | ({"ratio"} if number.unit == "percent" else set())),
        "metrics": sorted(context.topics, key=lambda m: -context.topics[m])[:20],
        "subjects": sorted(ALL | {"public"} | context.organisations),
        "areas": sorted({"_T", "_Z"} | context.areas), "periods": sorted(context.periods),
        "alone": alone,
    }  # fmt: skip


def _judged(number: Number, context: Context, rows: Sequence[Mapping[str, Any]], lexicon: Lexicon) -> list[Match]:
    found = []
    for row in rows:
        verdict = _stands(number, row["low"], row["high"], row["comparator"], _own_step(row))
        score = _score(verdict, number, context, row, lexicon)
        if _speaks_of(verdict, score, number, context, row, lexicon):
            found.append(_observed_match(verdict, row, score, lexicon))
    return found


def _speaks_of(
    verdict: str, score: float, number: Number, context: Context, row: Mapping[str, Any], lexicon: Lexicon
) -> bool:
    """Whether enough says that a number is meant for an observation: most where the two differ, least where many digits
    are the same."""
    topic, best = context.topics.get(row["metric"], 0.0), max(context.topics.values(), default=0.0)
    if verdict in ("contradicts", "bound"):
        named = bool(number.unit) or row["unit_measure"] in noun_units(number, lexicon)  # 7 ponies are no reports
        return named and _same_thing(context, row) and topic >= max(_STRONG, 0.9 * best)
    if verdict == "exact" and number.digits >= SPEAKS_ALONE:
        return True
    return score >= _ACCEPTED and (number.digits >= 3 or topic >= 0.75 * best)


def _own_step(row: Mapping[str, Any]) -> float:
    """How exactly the release's own value is printed, where it is rounded: `69.1 million` to 0.1 million."""
    if row["comparator"] != "~":
        return 0.0
    said = next((n for s in sentences(row["obs_text"]) for n in s.numbers), None)
    return said.step if said else 0.0


def _same_thing(context: Context, row: Mapping[str, Any]) -> bool:
    """Whether a sentence speaks of just this series and period: nothing more narrow, nothing more wide."""
    plain = not any(code != "_T" for code in row["dimensions"].values())
    period = row["time_period"] in context.periods
    area = row["ref_area"] in context.areas if context.areas else row["ref_area"] in ("_T", "_Z")
    others = context.organisations - {row["reporter"]}
    subject = row["subject"] in others if others else row["subject"] in ALL
    specific = {h for h in context.harms if h not in ("csam", "child_sexual_exploitation", "child_sexual_abuse")}
    harm = row["harm"] in specific if specific else row["harm"] in {"_T", "_Z", *context.harms}
    return plain and period and area and subject and harm


def _score(verdict: str, number: Number, context: Context, row: Mapping[str, Any], lexicon: Lexicon) -> float:
    """How much speaks for it that a number means this observation; 62 is enough."""
    score = {"exact": 42.0, "rounding": 34.0, "bound": 14.0, "contradicts": 10.0}[verdict]
    score += min(number.digits, 8) * 3 + 25 * min(context.topics.get(row["metric"], 0.0), 1.2)
    score += 8 if row["unit_measure"] in noun_units(number, lexicon) or number.unit else 0
    score += _agreement(row["ref_area"], context.areas, {"_T", "_Z"})
    score += _agreement(row["subject"], context.organisations - {row["reporter"]}, ALL)
    score += 4 if row["reporter"] in context.organisations else 0
    if context.periods:
        exact, near = row["time_period"] in context.periods, row["time_period"][:4] in context.years
        score += 12 if exact else (2 if near else -22)
    if row["harm"] not in ("_T", "_Z"):
        score += 6 if row["harm"] in context.harms else -10
    return score - 4.0 * len([code for code in row["dimensions"].values() if code != "_T"])


def _agreement(code: str, named: frozenset[str], everything: Iterable[str]) -> float:
    if code in named:
        return 10.0
    if code in everything:
        return -4.0 if named else 0.0
    return -25.0 if named else -9.0


def _observed_match(verdict: str, row: Mapping[str, Any], score: float, lexicon: Lexicon) -> Match:
    esp = ", service providers together" if row["subject"] == "esp" else ""
    whom = esp if row["subject"] in ALL else f", {lexicon.names.get(row['subject'], row['subject'])}"
    kind = "" if row["harm"] in ("_T", "_Z") else f", {row['harm'].replace('_', ' ')}"
    further = "".join(f", {name} {code}" for name, code in sorted(row["dimensions"].items()) if code != "_T")
    crossed = tuple(
        f"{b['time_period']}: {b['title']}. {b['description']}" for b in lexicon.breaks
        if b["source_id"] in (None, row["source_id"]) and b["metric"] in (None, row["metric"])
        and b["subject"] in (None, row["subject"]) and b["ref_area"] in (None, row["ref_area"])
    )  # fmt: skip
    return Match(
        verdict, "observation", row["observation_id"], lexicon.metric_titles[row["metric"]] + whom + kind + further,
        row["obs_value"], row["value_low"], row["value_high"], row["comparator"], row["unit_measure"],
        row["time_period"], row["ref_area"], row["subject"], round(score, 1), None, None, None, "", "", breaks=crossed,
        conflict_ids=lexicon.conflicts_of.get(row["observation_id"], ()),
    )  # fmt: skip


# --- what is shown ----------------------------------------------------------------------------------------------------


def _best(matches: list[Match]) -> list[Match]:
    """The best few: what agrees before what does not, and nothing far behind the first."""
    ranked = sorted(matches, key=lambda m: (m.verdict == "contradicts", -m.score, _ORDER[m.verdict], m.figure))
    ranked = _once(ranked)
    agreeing = [m for m in ranked if m.verdict != "contradicts"]
    if agreeing:
        others = [m for m in ranked if m.verdict == "contradicts" and m.kind == "observation"]
        ranked = [m for m in agreeing if m.score >= agreeing[0].score - 30] + others[:1]
    return ranked[:SHOWN]


def _once(ranked: Iterable[Match]) -> list[Match]:
    """Each value of a thing once, with the number of further documents and tables that print it."""
    groups: dict[tuple[Any, ...], list[Match]] = {}
    for match in ranked:
        same = (
            match.kind,
            match.what,
            match.time_period,
            match.ref_area,
            match.subject,
            match.value,
            match.value_low,
            match.value_high,
        )
        groups.setdefault(same if match.kind == "observation" else (match.figure,), []).append(match)
    return [replace(first, also=len(rest)) for first, *rest in groups.values()]


def _cited(ask: Ask, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    listed = sorted(ids)
    if not listed:
        return {}
    rows = ask(
        "SELECT c.observation_id, c.title, c.url, c.place, c.published_on, c.citation, o.locator FROM citation AS c "
        "INNER JOIN observation_vintage AS o USING (observation_id) WHERE list_contains($ids, c.observation_id)",
        {"ids": listed},
    )
    return {row["observation_id"]: row for row in rows}


def _finding(
    number: Number, context: Context, matches: Sequence[Match], cited: Mapping[str, Mapping[str, Any]]
) -> Finding:
    full = tuple(_with_citation(m, cited) for m in matches)
    verdict = min((m.verdict for m in full), key=lambda v: _ORDER[v], default="nothing")
    remark = _other_period(context, full)
    if not full and number.kind == "quantity" and number.digits < 3 and not number.unit and not number.follows:
        remark = "too few digits to look up without words: say what is counted"
    return Finding(squeeze(number.text), number.start, number.end, number.kind, verdict, full, remark)


def _other_period(context: Context, matches: Sequence[Match]) -> str:
    """A number that the release prints, but for another period than the text names, is not what the text says."""
    observed = {m.time_period for m in matches if m.kind == "observation" and m.verdict != "contradicts"}
    other = context.periods and observed and all((period or "")[:4] not in context.years for period in observed)
    if not other or any(m.kind != "observation" for m in matches):
        return ""
    said, printed = ", ".join(sorted(context.periods)), ", ".join(sorted(map(str, observed)))
    return f"the text names {said}, the release prints it for {printed}"


def _with_citation(match: Match, cited: Mapping[str, Mapping[str, Any]]) -> Match:
    row = cited.get(match.figure)
    if row is None:
        return match
    day = row["published_on"]
    return replace(
        match, title=row["title"], url=row["url"], published=None if day is None else day.isoformat(),
        locator=row["locator"], citation=row["citation"],
    )  # fmt: skip
