"""What a release has words for, and what a sentence speaks of: metrics, units, harms, areas, organisations, periods."""

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightwell import codes, quoted
from lightwell.prose import Number, Sentence
from lightwell.quoted import Ask, natural

SPECIAL = frozenset(
    {"percent", "ratio", "hours", "days", "years", "fold", "tier", "calendar_year", "usd", "gbp", "eur", "php", "fte"}
)
UNIT_OF = {"percent": "percent", "fold": "fold", "tier": "tier", "year": "years", "hour": "hours", "day": "days"}
UNIT_OF |= {money: money for money in ("usd", "gbp", "eur", "php", "aud", "cad")}
_UNIT_WORDS = {
    "cybertip": "reports", "tip": "reports", "referral": "reports", "case": "cases reports incidents offences",
    "image": "files pieces", "photo": "files pieces", "picture": "files pieces", "video": "files pieces",
    "material": "files pieces", "content": "pieces items measures", "post": "pieces", "user": "accounts recipients",
    "profile": "accounts", "child": "victims persons", "minor": "victims persons", "girl": "victims persons",
    "boy": "victims persons", "people": "persons victims", "person": "persons victims", "citizen": "persons",
    "offender": "persons arrests", "suspect": "persons arrests", "trafficker": "persons arrests",
    "arrest": "arrests persons", "convict": "convictions persons", "conviction": "convictions persons",
    "raid": "operations", "operation": "operations", "country": "areas", "home": "places", "house": "places",
    "company": "organisations", "platform": "organisations", "provider": "organisations", "website": "urls",
    "page": "urls", "address": "ip_addresses urls reports", "crime": "offences incidents", "removal": "pieces measures",
}  # fmt: skip
_ALSO = {
    "photo": ("image", "file"), "picture": ("image", "file"), "image": ("file",), "video": ("file",),
    "cybertip": ("report",), "tip": ("report", "cybertip"), "minor": ("child",), "girl": ("child",), "boy": ("child",),
    "kid": ("child",), "children": ("child",), "people": ("person",), "citizen": ("person",), "youngster": ("child",),
    "csam": ("child", "sexual", "abuse"), "arrest": ("arrested",), "convict": ("conviction",),
}  # fmt: skip
_AREA_WORDS = {
    "US": "USA", "U.S.": "USA", "America": "USA", "American": "USA", "UK": "GBR", "U.K.": "GBR", "Britain": "GBR",
    "British": "GBR", "England": "GBR", "Filipino": "PHL", "Filipina": "PHL", "Philippine": "PHL", "EU": "EUE",
    "Australian": "AUS", "German": "DEU", "Indian": "IND", "Thai": "THA", "Canadian": "CAN", "French": "FRA",
}  # fmt: skip
_STOP_WORDS = """
    a about after all also an and any are as at be been before being by can could did do does for from had has have he
    her his how i if in into is it its just like me more most my no not of off on one only or other our out over per she
    so some such than that the their them then there these they this those through to too under up us very was we were
    what when where which while who will with would you your know mean really think year month week day
"""
_STOP = frozenset(_STOP_WORDS.split())
_FINER = re.compile(
    r"\b(?:(?P<part>[HSQ])(?P<n>[1-4])\s*(?P<y>20[0-9]{2})|(?P<y2>20[0-9]{2})[- ]?(?P<part2>[HSQ])(?P<n2>[1-4])"
    r"|(?P<half>first|second)\s+half\s+of\s+(?P<y3>20[0-9]{2})"
    r"|(?P<quarter>first|second|third|fourth)\s+quarter\s+of\s+(?P<y4>20[0-9]{2})"
    r"|(?P<month>january|february|march|april|may|june|july|august|september|october|november|december)"
    r"\s+(?P<y5>20[0-9]{2}))\b",
    re.IGNORECASE,
)
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4}
_MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905
_METRICS = """
    SELECT m.metric, m.title, m.definition, list(DISTINCT o.reporter) FILTER (o.reporter IS NOT NULL) AS reporters
    FROM metric AS m LEFT JOIN observation_vintage AS o ON m.metric = o.metric GROUP BY ALL ORDER BY m.metric
"""
_ORGANISATIONS = """
    SELECT 1 AS rank, printed_name AS name, organisation FROM provisional_organisation
    UNION SELECT 2, name, organisation FROM organisation_name WHERE organisation IS NOT NULL AND name <> '*'
    UNION SELECT 3, name, organisation FROM organisation WHERE kind <> 'aggregate'
    UNION SELECT 0, upper(replace(organisation, '_', '-')), organisation FROM organisation
    WHERE kind IN ('government', 'clearinghouse', 'hotline', 'nonprofit') ORDER BY ALL
"""  # the last of a name wins: our own
_AREAS = """
    SELECT name, ref_area FROM area WHERE kind <> 'special'
    UNION SELECT name, ref_area FROM area_name WHERE NOT starts_with(ref_area, '_') ORDER BY ALL
"""
_HARMS = "SELECT harm, title FROM harm WHERE NOT starts_with(harm, '_') ORDER BY harm"
_REGISTER = """
    SELECT * FROM conflict_amount
    WHERE quoted_id IS NULL AND amount IS NOT NULL AND unit_measure IS NOT NULL AND unit_measure <> 'calendar_year'
        AND evidence NOT IN ('constant', 'supposed')
    ORDER BY conflict_id, value_key
"""
SPEAKS_ALONE = 5  # digits from which a number that matches exactly needs no words beside it
WEAK = 0.34  # below this part of a metric's title, the words of a sentence do not speak of it


@dataclass(frozen=True, slots=True)
class Context:
    """What a sentence talks of."""

    tokens: frozenset[str]
    areas: frozenset[str]
    organisations: frozenset[str]
    periods: frozenset[str]
    years: frozenset[str]
    topics: Mapping[str, float]  # metric -> how much of its title is said
    harms: frozenset[str]
    quoted_id: str | None  # the sentence of a quoted document that it is word for word


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What the release has words for."""

    metrics: Mapping[str, tuple[frozenset[str], frozenset[str]]]  # tokens of title and of definition
    metric_titles: Mapping[str, str]
    reporters: Mapping[str, frozenset[str]]
    weight: Mapping[str, float]
    units: Mapping[str, frozenset[str]]  # token -> units
    count_units: frozenset[str]
    harms: Mapping[str, frozenset[str]]
    organisations: Mapping[str, str]  # name key -> code
    areas: Mapping[str, str]
    seats: Mapping[str, str]  # of authorities: what they count is of their country
    names: Mapping[str, str]  # code of an organisation -> name
    quoted: Sequence[Mapping[str, Any]]
    breaks: Sequence[Mapping[str, Any]]
    register: Sequence[Mapping[str, Any]]  # values of the conflict register that the release does not observe
    conflicts_of: Mapping[str, tuple[str, ...]]  # observation_id -> the conflicts it stands in
    sentence_hashes: Mapping[str, str]  # of quoted sentences -> quoted_id


def read_lexicon(ask: Ask) -> Lexicon:
    """The words of a release, over an open connection."""
    metrics = ask(_METRICS)
    titles = {row["metric"]: frozenset(words_of(row["title"])) for row in metrics}
    definitions = {row["metric"]: frozenset(words_of(row["definition"])) for row in metrics}
    organisations, areas = ask(_ORGANISATIONS), ask(_AREAS)
    register, said = ask(_REGISTER), quoted.read(ask)
    seats = ask("SELECT organisation, country FROM organisation WHERE kind = 'government' AND country IS NOT NULL")
    units = ask("SELECT unit_measure, title FROM unit ORDER BY unit_measure")
    return Lexicon(
        metrics={metric: (titles[metric], definitions[metric]) for metric in titles},
        metric_titles={row["metric"]: row["title"] for row in metrics},
        reporters={row["metric"]: frozenset(row["reporters"] or ()) for row in metrics},
        weight=_weights([titles[metric] | definitions[metric] for metric in titles]),
        units=_unit_words(units),
        count_units=frozenset(row["unit_measure"] for row in units) - SPECIAL,
        harms={row["harm"]: frozenset(words_of(row["title"])) for row in ask(_HARMS)},
        organisations={codes.name_key(row["name"]): row["organisation"] for row in organisations if row["name"]},
        areas={codes.label_key(row["name"]): row["ref_area"] for row in areas},
        seats={row["organisation"]: row["country"] for row in seats},
        names={row["organisation"]: row["name"] for row in organisations},
        quoted=said,
        breaks=ask("SELECT * FROM series_break ORDER BY time_period, break_id"),
        register=[row for row in register if row["observation_id"] is None],
        conflicts_of=_conflicts_of(register),
        sentence_hashes={row["text_sha256"]: row["quoted_id"] for row in said},
    )


def _weights(documents: list[frozenset[str]]) -> dict[str, float]:
    """How much a word tells: the fewer metrics speak of it, the more."""
    seen: dict[str, int] = {}
    for document in documents:
        for token in document:
            seen[token] = seen.get(token, 0) + 1
    return {token: 1 + math.log(len(documents) / n) for token, n in seen.items()}


def read_context(sentence: Sentence, lexicon: Lexicon) -> Context:
    """What one sentence speaks of, in the words of a release."""
    tokens = tokens_of(sentence.text)
    areas, organisations = _named(sentence.text, lexicon)
    areas = areas or frozenset(lexicon.seats[code] for code in organisations if code in lexicon.seats)
    years = {str(y) for n in sentence.numbers if n.kind == "year" for y in range(int(n.low), int(n.high) + 1)}
    finer = {code for m in _FINER.finditer(sentence.text) for code in [_finer(m)] if code}
    topics = {
        metric: score
        for metric, (title, definition) in lexicon.metrics.items()
        if (score := covered(title, tokens, lexicon) + 0.15 * covered(definition, tokens, lexicon)
            + (0.3 if lexicon.reporters.get(metric, frozenset()) & organisations and title & tokens else 0)) >= WEAK
    }  # fmt: skip
    harms = {harm for harm, title in lexicon.harms.items() if title <= tokens}
    return Context(
        tokens, areas, organisations, frozenset(finer or years), frozenset(years | {f[:4] for f in finer}), topics,
        frozenset(harms), quoted_as(sentence, lexicon),
    )  # fmt: skip


def quoted_as(sentence: Sentence, lexicon: Lexicon) -> str | None:
    """The id under which a quoted document says this sentence word for word, or None."""
    return lexicon.sentence_hashes.get(hashlib.sha256(sentence.text.encode()).hexdigest())


def units_of(number: Number, lexicon: Lexicon) -> frozenset[str]:
    """The units in which a number can be meant: its own, those of the words behind it, else all that count things."""
    if number.unit:
        return frozenset({UNIT_OF[number.unit]}) if number.unit in UNIT_OF else frozenset()
    nouns = noun_units(number, lexicon)
    return lexicon.count_units if not nouns or number.digits >= SPEAKS_ALONE else nouns


def noun_units(number: Number, lexicon: Lexicon) -> frozenset[str]:
    """The units that the words behind a number stand for: of the first word that stands for one, and the next."""
    words = words_of(re.split(r"\s+and\s+", number.follows)[0])[:5]
    for at, word in enumerate(words):
        if found := lexicon.units.get(word):
            return found | lexicon.units.get(words[at + 1] if words[at + 1 :] else "", frozenset())
    return frozenset()


def covered(wanted: frozenset[str], said: frozenset[str], lexicon: Lexicon) -> float:
    """Which part of the wanted words is said, the rare ones weighing more."""
    whole = sum(lexicon.weight.get(word, 1.0) for word in wanted)
    return sum(lexicon.weight.get(word, 1.0) for word in wanted & said) / whole if whole else 0.0


def tokens_of(text: str) -> frozenset[str]:
    """The words of a text, and for some of them what they are as well: a photo is an image and a file."""
    found = set(words_of(text))
    for word in list(found):
        found.update(_ALSO.get(word, ()))
    return frozenset(found)


def words_of(text: str) -> list[str]:
    """The words of a text without case, accents and endings, in order."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = re.sub(r"[“”\"’']", "", "".join(c for c in plain if not unicodedata.combining(c)))
    plain = re.sub(r"\bcyber[\s-]*tip\s?(?:line)?s?\b", " cybertip ", plain)
    return [_stem(word) for word in re.findall(r"[a-z]{2,}", plain) if word not in _STOP]


def _stem(word: str) -> str:
    for ending, shorter in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith(("ss", "us", "is")):
            return word[: -len(ending)] + shorter
    return word


def _finer(match: re.Match[str]) -> str:
    part, number = (match["part"] or match["part2"] or "").upper(), match["n"] or match["n2"]
    if part:
        return f"{match['y'] or match['y2']}-{'S' if part in 'HS' else 'Q'}{number}"
    if match["half"]:
        return f"{match['y3']}-S{_ORDINALS[match['half'].casefold()]}"
    if match["quarter"]:
        return f"{match['y4']}-Q{_ORDINALS[match['quarter'].casefold()]}"
    return f"{match['y5']}-{_MONTHS.index(match['month'].casefold()) + 1:02}"


def _named(text: str, lexicon: Lexicon) -> tuple[frozenset[str], frozenset[str]]:
    """Areas and organisations that a sentence names. Only words that begin with a capital can be names."""
    areas = {code for word, code in _AREA_WORDS.items() if re.search(rf"(?<![\w]){re.escape(word)}(?!\w)", text)}
    organisations: set[str] = set()
    words = re.findall(r"[\w’'&+.-]+", text)
    for size in (4, 3, 2, 1):
        for at in range(len(words) - size + 1):
            name = " ".join(words[at : at + size]).strip(".,'’-")
            if not name[:1].isupper():
                continue
            if area := lexicon.areas.get(codes.label_key(name.removesuffix("’s").removesuffix("'s"))):
                areas.add(area)
            elif known := lexicon.organisations.get(codes.name_key(name.removesuffix("’s").removesuffix("'s"))):
                organisations.add(known)
            elif near := _misspelt(name):
                areas.add(near)
    return frozenset(areas), frozenset(organisations)


def _misspelt(name: str) -> str | None:
    """The area whose name this nearly is: `Phillipines`."""
    if len(name) < 7 or not name.isalpha():
        return None
    near = codes.nearest_areas(name, n=1)
    return near[0].code if near and near[0].score >= 88 else None


def _conflicts_of(register: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for row in register:
        if row["observation_id"] is not None:
            found.setdefault(row["observation_id"], set()).add(row["conflict_id"])
    return {observation_id: tuple(sorted(ids, key=natural)) for observation_id, ids in found.items()}


def _unit_words(units: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {word: set(listed.split()) for word, listed in _UNIT_WORDS.items()}
    for row in units:
        words = words_of(row["title"])
        if words and row["unit_measure"] not in SPECIAL:
            found.setdefault(words[0], set()).add(row["unit_measure"])
    return {word: frozenset(listed) for word, listed in found.items()}
