"""Capture-recapture: how many people there are, from lists that overlap. Counts by combination of lists only.

What is estimated is the number of people on at least one list or on none. It takes a closed population, people matched
without error across the lists, and a model of how the lists depend on each other that no data can prove: so every
answer comes with all the others (`estimate`), and one sentence on how far they disagree.

References: Lincoln (1930), Petersen (1896), Chapman (1951), Seber (1970); Chao (1987); Fienberg (1972) and Bishop,
Fienberg and Holland (1975) for log-linear models; Fienberg and Rinaldo (2012) for the existence of the estimate; Chan,
Silverman and Vincent (2021) for lists that never overlap and for forward selection; Silverman, Chan and Vincent (2024)
for the bootstrap over the choice of model; DiCiccio and Efron (1996) for BCa; Whitehead, Jackson, Balch and Francis
(2021) on why no single model should be trusted.

    from pathlib import Path
    from lightwell.estimate import estimate, read_table
    report = estimate(read_table(Path("lists.csv")))
"""

from lightwell.estimate.models import ModelError, check, every_model, in_words, notation, parse, why_refused
from lightwell.estimate.report import CAVEATS, Answer, EstimateError, Options, Report, estimate
from lightwell.estimate.show import COLUMNS, as_json, as_rows, as_text, draw
from lightwell.estimate.simple import Chao, TwoLists, chao, every_pair, two_lists
from lightwell.estimate.table import Table, TableError, from_histories, read_table

__all__ = [
    "CAVEATS",
    "COLUMNS",
    "Answer",
    "Chao",
    "EstimateError",
    "ModelError",
    "Options",
    "Report",
    "Table",
    "TableError",
    "TwoLists",
    "as_json",
    "as_rows",
    "as_text",
    "chao",
    "check",
    "draw",
    "estimate",
    "every_model",
    "every_pair",
    "from_histories",
    "in_words",
    "notation",
    "parse",
    "read_table",
    "two_lists",
    "why_refused",
]
