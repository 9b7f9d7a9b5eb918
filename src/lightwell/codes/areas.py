"""The areas that there are: ISO 3166-1 through pycountry, and a few that it lacks."""

from collections.abc import Mapping
from functools import cache

from lightwell.codes.lists import NOT_APPLICABLE, TOTAL, UNKNOWN, Area, AreaName
from lightwell.codes.names import label_key
from lightwell.errors import DeclarationError


@cache
def areas() -> Mapping[str, Area]:
    """Every area by its code: ISO 3166-1 alpha-3 from pycountry, and ANT, XKX, EUE, EUROPE, W1, _T, _U, _Z."""
    import pycountry

    found = [Area(c.alpha_3, c.name, c.alpha_2, "country") for c in pycountry.countries]
    found += [
        Area("ANT", "Netherlands Antilles", "AN", "former"),
        Area("XKX", "Kosovo", "XK", "country"),
        Area("EUROPE", "Europe", "", "region"),
        Area("EUE", "European Union", "EU", "region"),  # the code of ICAO 9303; the Union as it was in the period
        Area("W1", "Rest of the world", "", "region"),  # SDMX: every area but the one that reports
        Area(TOTAL, "All areas", "", "special"),
        Area(UNKNOWN, "Area not known", "", "special"),
        Area(NOT_APPLICABLE, "Not applicable", "", "special"),
    ]
    return {area.ref_area: area for area in sorted(found, key=lambda a: a.ref_area)}


@cache
def m49_codes() -> Mapping[str, str]:
    """The alpha-3 code of a country by its number of three digits in UN M49, which is that of ISO 3166-1."""
    import pycountry

    return {country.numeric: country.alpha_3 for country in pycountry.countries}


@cache
def iso_names() -> Mapping[str, AreaName]:
    """Every name that ISO 3166-1 has for a country, by its key."""
    import pycountry

    found: dict[str, AreaName] = {}
    for country in pycountry.countries:
        for name in (country.name, getattr(country, "common_name", ""), getattr(country, "official_name", "")):
            entry = found.setdefault(label_key(name), AreaName(name, country.alpha_3, "", "", ""))
            if name and entry.ref_area != country.alpha_3:
                raise DeclarationError(f"ISO 3166 calls both {entry.ref_area} and {country.alpha_3} {name!r}")
    found.pop("", None)
    return found
