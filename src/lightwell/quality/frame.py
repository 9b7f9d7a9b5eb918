"""The frame that the suites see: a row an observation, under the columns that their rules name."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lightwell.archive import Document
from lightwell.harmonise import Harmonised, Observation
from lightwell.source import Source

if TYPE_CHECKING:
    import pandas as pd

_NUMBERS = {"obs_value", "value_low", "value_high", "printed_value", "fraction", "values_of_key"}
_DAYS = {"period_start", "period_end", "retrieved_on"}


def make_frame(documents: Sequence[tuple[Harmonised, Document, Source]]) -> "pd.DataFrame":
    """All documents' observations as one table, with the columns the suites name. An absent text is an empty text
    here, so that a pattern refuses it; an absent number stays absent."""
    import pandas as pd

    said: dict[tuple[int, str, str], set[tuple[float | None, str]]] = {}
    for i, (h, _, _) in enumerate(documents):
        for o in h.observations:
            said.setdefault((i, o.series_id, o.time_period), set()).add((o.obs_value, o.obs_status))
    columns: dict[str, list[Any]] = {}  # never all rows as records: there are very many
    for i, (h, document, source) in enumerate(documents):
        for o in h.observations:
            record = _record(o, document, source)
            record["document_number"] = str(i)
            record["observation_key"] = f"{i}/{o.observation_id}"
            record["values_of_key"] = len(said[i, o.series_id, o.time_period])
            for name, value in record.items():
                columns.setdefault(name, []).append(value)
    rows = range(sum(len(h.observations) for h, _, _ in documents))
    typed = {name: _typed(name, columns.pop(name)) for name in list(columns)}
    return pd.DataFrame({"row": pd.Series(rows, dtype="int64"), **typed})


def _typed(name: str, values: list[Any]) -> "pd.Series[Any]":
    import pandas as pd

    if name in _NUMBERS:
        return pd.Series(values, dtype="float64")
    if name in _DAYS:
        return pd.to_datetime(pd.Series(values, dtype="object"))
    if name == "is_total":
        return pd.Series(values, dtype="bool")
    return pd.Series([value or "" for value in values], dtype="object")


def _record(o: Observation, document: Document, source: Source) -> dict[str, Any]:
    whole = o.obs_value is None or o.obs_value % 1 == 0
    return {
        "observation_id": o.observation_id,
        "table_name": o.figure.table,
        "origin": f"{o.source_id}/{o.document_id}",
        "judged_origin": f"{source.id}/{document.document_id}",
        "series_id": o.series_id,
        "reporter": o.reporter,
        "subject": o.subject,
        "metric": o.metric,
        "harm": o.harm,
        "ref_area": o.ref_area,
        "dimensions": ";".join(f"{k}={v}" for k, v in sorted(o.dimensions.items())),
        "freq": o.freq,
        "time_period": o.time_period,
        "freq_and_period": f"{o.freq} {o.time_period}",
        "period_year": (o.time_period or "")[:4],
        "start_year": f"{o.period_start.year:04}",
        "period_start": o.period_start,
        "period_end": o.period_end,
        "retrieved_on": document.retrieved_at.date(),
        "obs_value": o.obs_value,
        "fraction": 0.0 if whole else 1.0,
        "printed_value": _plain_number(o),
        "value_low": o.value_low,
        "value_high": o.value_high,
        "comparator": o.comparator,
        "unit_measure": o.unit_measure,
        "obs_status": o.obs_status,
        "is_total": o.is_total,
        "obs_text": o.obs_text,
        "label_text": o.label_text,
        "locator": o.locator,
        "extractor_version": o.extractor_version,
    }


def _plain_number(o: Observation) -> float | None:
    """The number that plain printed digits say, read without the harmoniser; None for any other text."""
    text = (o.obs_text or "").strip()
    if o.unit_measure == "percent" or not re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})*|[0-9]+", text):
        return None
    return float(int(text.replace(",", "")))
