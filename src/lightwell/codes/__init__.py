"""Codelists: the closed and open lists of codes, as CSV in `codelists/`, read once, typed and checked together.

A fault in a list (an unknown code, a key twice, validities that overlap, a parent that does not exist) raises
DeclarationError with the file and the line. Dates are ISO days and include their end; an empty cell is an open end.
"""

from lightwell.codes.areas import areas
from lightwell.codes.find import (
    Found,
    Nearest,
    find_area,
    find_area_code,
    find_harm,
    find_organisation,
    footnote_dimensions,
    nearest_areas,
    nearest_names,
)
from lightwell.codes.lists import (
    TABLES,
    TOTAL,
    Codelists,
    Correction,
    Metric,
    QuotedFigure,
    as_rows,
    in_force,
    match_patterns,
)
from lightwell.codes.loading import codelists, load
from lightwell.codes.names import label_key, name_key, provisional_code, squeeze

__all__ = [
    "TABLES",
    "TOTAL",
    "Codelists",
    "Correction",
    "Found",
    "Metric",
    "Nearest",
    "QuotedFigure",
    "areas",
    "as_rows",
    "codelists",
    "find_area",
    "find_area_code",
    "find_harm",
    "find_organisation",
    "footnote_dimensions",
    "in_force",
    "label_key",
    "load",
    "match_patterns",
    "name_key",
    "nearest_areas",
    "nearest_names",
    "provisional_code",
    "squeeze",
]
