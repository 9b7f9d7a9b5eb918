"""From a printed name to a code, exactly; and the names most like one, for a person to choose from."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cache
from typing import Literal, NamedTuple

from lightwell.codes.areas import areas, m49_codes
from lightwell.codes.lists import Codelists, OrganisationName, in_force
from lightwell.codes.loading import codelists
from lightwell.codes.names import label_key, name_key, squeeze


class Found(NamedTuple):
    """What a printed name stands for, and the dimensions that tell its series apart."""

    code: str
    dimensions: Mapping[str, str]


class Nearest(NamedTuple):
    """A known name, its code, and how alike it is (0 to 100)."""

    name: str
    code: str
    score: float


def find_organisation(name: str, source_id: str, on: date, lists: Codelists) -> Found | None:
    """The organisation a printed name stands for on a day, or None for a name not met before.

    The source's own names go before the general ones. An asterisk whose meaning the codelist does not declare for this
    source and day makes a series of its own (`footnote`), for nobody knows what it means.
    """
    starred = squeeze(name).endswith("*")
    key = name_key(name)
    if starred and (entry := _valid(_named(lists, source_id, key, starred=True), on)):
        return Found(entry.organisation, _name_dimensions(entry))
    plain = _valid(_named(lists, source_id, key, starred=False), on)
    if plain is None:
        return None
    return Found(plain.organisation, _name_dimensions(plain) | footnote_dimensions(name, source_id, on, lists))


def footnote_dimensions(name: str, source_id: str, on: date, lists: Codelists) -> dict[str, str]:
    """What an asterisk after a name adds: `affiliates` where the source declares it so, else `footnote`."""
    if not squeeze(name).endswith("*"):
        return {}
    mark = _valid(lists.names_by_key.get((source_id, "", True), ()), on)
    return {"footnote": "*"} if mark is None else _name_dimensions(mark)


def _named(lists: Codelists, source_id: str, key: str, *, starred: bool) -> Iterator[OrganisationName]:
    if not key:
        return
    yield from lists.names_by_key.get((source_id, key, starred), ())
    yield from lists.names_by_key.get(("", key, starred), ())


def _name_dimensions(entry: OrganisationName) -> dict[str, str]:
    found = {"affiliates": "combined"} if entry.combined == "yes" else {}
    return found | ({"subject_variant": entry.variant} if entry.variant else {})


def _valid(entries: Iterable[OrganisationName], on: date) -> OrganisationName | None:
    return next((e for e in entries if in_force(e.valid_from, e.valid_to, on)), None)


def find_area(name: str, source_id: str, lists: Codelists) -> Found | None:
    """The area a printed name or an area code stands for; None where nothing matches exactly. Never a likeness."""
    text = squeeze(name)
    if text in lists.area:
        return Found(text, {})
    key = label_key(name)
    entry = lists.areas_by_key.get((source_id, key)) or lists.areas_by_key.get(("", key))
    if entry is None:
        return None
    return Found(entry.ref_area, {"area_variant": entry.variant} if entry.variant else {})


def find_area_code(text: str, scheme: Literal["iso3", "m49"]) -> str | None:
    """The country that a printed code stands for: ISO 3166-1 alpha-3, or the number of UN M49. Never a name or region.

    M49 is printed with and without leading zeros; a country's number is the same as in ISO 3166-1.
    """
    if scheme == "m49":
        return m49_codes().get(text.zfill(3)) if re.fullmatch("[0-9]{1,3}", text) else None
    area = areas().get(text)
    return text if area is not None and area.kind in ("country", "former") else None


def find_harm(label: str, source_id: str, on: date, lists: Codelists) -> str | None:
    """The harm code of what a publisher calls it; None where the source's crosswalk does not hold the label."""
    entries = lists.harms_by_key.get((source_id, label_key(label)), ())
    return next((e.harm for e in entries if in_force(e.valid_from, e.valid_to, on)), None)


def nearest_names(name: str, n: int = 3) -> list[Nearest]:
    """The n organisations whose known names are most like a printed one, for a person to choose from."""
    return _nearest(name_key(name), _organisation_choices(), n)


def nearest_areas(name: str, n: int = 3) -> list[Nearest]:
    """The n areas whose names are most like a printed one, for a person to choose from; never used to decide."""
    return _nearest(label_key(name), _area_choices(), n)


@cache
def _organisation_choices() -> dict[str, tuple[str, str]]:
    lists = codelists()
    choices: dict[str, tuple[str, str]] = {}
    plain_first = sorted(lists.names_by_key.items(), key=lambda item: item[0][2])  # an asterisk means another series
    for (_, key, _), entries in plain_first:
        code = entries[0].organisation
        if code:
            choices.setdefault(key, (lists.organisation[code].name, code))
    return choices


@cache
def _area_choices() -> dict[str, tuple[str, str]]:
    return {key: (entry.name, entry.ref_area) for (_, key), entry in codelists().areas_by_key.items()}


def _nearest(key: str, choices: Mapping[str, tuple[str, str]], n: int) -> list[Nearest]:
    from rapidfuzz import fuzz, process

    best: dict[str, Nearest] = {}
    for choice, score, _ in process.extract(key, list(choices), scorer=fuzz.ratio, limit=n * 8):
        name, code = choices[choice]
        best.setdefault(code, Nearest(name, code, round(float(score), 1)))
    return sorted(best.values(), key=lambda near: (-near.score, near.code))[:n]
