"""A report as text, rows, JSON and a forest plot."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from lightwell.errors import LightwellError
from lightwell.estimate.report import MODELS, Answer, Report, show

COLUMNS = (
    "section", "method", "label", "estimate", "low", "high", "interval", "model", "interactions", "bic", "aic",
    "refused", "note",
)  # fmt: skip
_WIDTH = 120
_SHOWN_PAIRS = 10


def as_text(report: Report) -> str:
    """The report as it is read: answers, neighbours, pairs, the sentence on their disagreement, and the caveats."""
    lists = ", ".join(f"{k} {name}" for k, name in enumerate(report.lists, 1))
    parts = [f"{report.counted:,} people counted on {len(report.lists)} lists: {lists}", *report.notes, ""]
    parts += _table(["answer", "people in all", "95 % interval", "kind", "model"], _lines(report.answers), right=(1, 2))
    if report.leaving_out:
        parts += ["", *_table(["leaving out one list", "people in all", "95 % interval", "kind", "model"],
                              _lines(report.leaving_out), right=(1, 2))]  # fmt: skip
    if report.nearest and report.tried > 1:
        parts += ["", *_nearest(report)]
    if len(report.lists) > 2:
        parts += ["", *_pairs(report)]
    said = [*report.answers, *(a for a in report.leaving_out if a.refused)]
    if notes := [f"{a.label}: {text}" for a in said if (text := a.refused or a.note)]:
        parts += ["", *(line for note in notes for line in _wrapped(f"- {note}"))]
    for paragraph in ["How far they disagree: " + report.disagreement, *report.caveats]:
        parts += ["", *_wrapped(paragraph)]
    if done := next(iter(report.bootstraps.values()), None):
        parts += ["", f"BCa from {done.replicates:,} replicates, seed {done.seed}."]
    return "\n".join(part.rstrip() for part in parts) + "\n"


def _lines(answers: Sequence[Answer]) -> list[list[str]]:
    return [
        [a.label, show(a.estimate) if a.estimate is not None else "refused", _interval(a), a.interval, a.model]
        for a in answers
    ]


def _interval(answer: Answer) -> str:
    return "" if answer.low is None else f"{show(answer.low)} - {show(answer.high)}"


def _nearest(report: Report) -> Iterator[str]:
    yield (
        f"{report.tried:,} models, {report.refused:,} of them without an estimate for these counts; {report.near} "
        "within 2 of the best BIC"
    )
    best = report.nearest[0].bic or 0.0
    rows = [
        [a.label, show(a.estimate), _interval(a), f"{a.bic:.5f}", f"+{(a.bic or 0.0) - best:.2f}", a.model]
        for a in report.nearest
        if a.bic is not None
    ]
    yield from _table(["models", "people in all", "95 % Wald", "BIC", "more", "model"], rows, right=(1, 2, 3, 4))


def _pairs(report: Report) -> Iterator[str]:
    if len(report.pairs) > _SHOWN_PAIRS:
        yield f"{len(report.pairs)} pairs of lists by themselves: see --csv or --json"
        return
    rows = [
        [f"{p.first}, {p.second}", f"{p.first_count:,}", f"{p.second_count:,}", f"{p.both:,}", show(p.lincoln_petersen),
         show(p.chapman), show(p.standard_error)] for p in report.pairs
    ]  # fmt: skip
    yield from _table(
        ["two lists alone", "first", "second", "both", "Lincoln-Petersen", "Chapman", "s.e."], rows, right=range(1, 7)
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]) -> list[str]:
    widths = [max(len(row[k]) for row in [header, *rows]) for k in range(len(header))]
    rule = ["-" * width for width in widths]
    return [
        "  ".join(c.rjust(w) if k in right else c.ljust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in [header, rule, *rows]
    ]


def _wrapped(text: str) -> list[str]:
    indent = "  " if text.startswith("- ") else ""
    return textwrap.wrap(text, _WIDTH, subsequent_indent=indent, break_on_hyphens=False)


# ------------------------------------------------------------------------------------------------------- rows and JSON


def as_rows(report: Report) -> list[list[Any]]:
    """One row an answer under COLUMNS, in sections: answer, leaving_out, nearest, two_lists."""
    rows = []
    for section, answers in (
        ("answer", report.answers), ("leaving_out", report.leaving_out), ("nearest", report.nearest),
    ):  # fmt: skip
        for answer in answers:
            rows.append([section, *(_rounded(getattr(answer, name)) for name in COLUMNS[1:])])
    for pair in report.pairs:
        label = f"{pair.first}, {pair.second}"
        note = f"{pair.first_count} and {pair.second_count} people, {pair.both} on both"
        plain = Answer("lincoln_petersen", label, pair.lincoln_petersen, note=note,
                       refused="" if pair.both else "the two lists do not overlap")  # fmt: skip
        chapman = Answer("chapman", label, pair.chapman, pair.low, pair.high, "log-normal", note=note)
        rows += [["two_lists", *(_rounded(getattr(a, name)) for name in COLUMNS[1:])] for a in (plain, chapman)]
    return rows


def _rounded(value: Any) -> Any:
    """A number to six decimals: what follows is noise."""
    if value == "":
        return None
    return round(value, 6) if isinstance(value, float) and isfinite(value) else value


def as_json(report: Report) -> dict[str, Any]:
    """The whole report, numbers unrounded; what has no value (an acceleration that is not known) is null."""
    found = asdict(report)
    found["pairs"] = [{**asdict(p), "standard_error": p.standard_error} for p in report.pairs]
    found["models"] = {name: found.pop(name) for name in ("tried", "refused", "near", "nearest")}
    return {name: _finite(value) for name, value in found.items()}


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, list | tuple) else value


# --------------------------------------------------------------------------------------------------------- forest plot

_KINDS = {
    "chosen model": "circle",
    "lower bound": "triangle-right",
    "without a model": "square",
    "a list left out": "diamond",
}


def draw(report: Report, to: Path) -> None:
    """A forest plot of all answers into an SVG or PNG file, in greys and shapes, without any network."""
    kind = to.suffix.lower().removeprefix(".")
    if kind not in {"svg", "png"}:
        raise LightwellError(f"{to}: a plot is written as .svg or .png")
    chart = _chart(report)
    try:
        if kind == "svg":
            chart.save(str(to), format="svg")
        else:
            chart.save(str(to), format="png", scale_factor=2)
    except OSError as error:
        raise LightwellError(f"{to} could not be written: {error}") from error


def _chart(report: Report) -> Any:
    import altair as alt

    rows = list(_marks(report))
    kinds = [k for k in _KINDS if any(r["kind"] == k for r in rows)]
    edges = [v for r in rows for v in (r["low"], r["people"], r["high"]) if v is not None]
    lowest, highest = min([*edges, report.counted]), max(edges)
    room = 0.04 * (highest - lowest) if highest <= 10 * lowest else 0.0
    scale = alt.Scale(
        type="linear" if room else "log", nice=False, zero=False,
        domain=[lowest - room, highest + room] if room else [lowest / 1.15, highest * 1.15],
    )  # fmt: skip
    axis = alt.Axis(format=",~f", tickCount=6, labelOverlap=True, labelSeparation=12)
    where = alt.X("people:Q", title="people in all (on a list or on none)", scale=scale, axis=axis)
    order = alt.Y("answer:N", sort=[r["answer"] for r in rows], title=None, axis=alt.Axis(labelLimit=330, ticks=False))
    base = alt.Chart(alt.InlineData(values=rows)).encode(y=order)
    shape = alt.Shape(
        "kind:N", title=None, scale=alt.Scale(domain=kinds, range=[_KINDS[k] for k in kinds]),
        legend=alt.Legend(orient="bottom", direction="horizontal"),
    )  # fmt: skip
    whisker = base.mark_rule(color="#555", strokeWidth=1.6).encode(x=alt.X("low:Q", scale=scale), x2="high:Q")
    point = base.mark_point(filled=True, size=85, color="black", opacity=1).encode(x=where, shape=shape)
    label = base.mark_text(align="left", color="black", fontSize=11).encode(x=alt.value(505), text="shown:N")
    counted = alt.Chart(alt.InlineData(values=[{"counted": report.counted}])).mark_rule(color="#777", strokeDash=[4, 3])
    layers = alt.layer(counted.encode(x=alt.X("counted:Q", scale=scale)), whisker, point, label)
    return (
        layers.properties(
            width=495, height=alt.Step(23), title=_title(report), padding={"right": 165, "left": 10, "top": 8}
        )
        .configure_view(stroke=None)
        .configure_axis(grid=False, labelFontSize=11, titleFontSize=11, titleFontWeight="normal")
        .configure_legend(labelFontSize=11, symbolFillColor="black", symbolStrokeColor="black")
    )


def _title(report: Report) -> dict[str, Any]:
    counted = f"{report.counted:,} people counted (dashed line) on {', '.join(report.lists)}. Lines are 95 % intervals."
    text = [line for said in (counted, report.disagreement, report.caveats[0]) for line in textwrap.wrap(said, 135)]
    return {"text": "Estimates from overlapping lists", "subtitle": text, "anchor": "start", "frame": "bounds",
            "fontSize": 15, "subtitleFontSize": 11, "subtitleColor": "#333", "offset": 14}  # fmt: skip


def _marks(report: Report) -> Iterator[dict[str, Any]]:
    for answer in [*report.answers, *report.leaving_out]:
        kind = "without a model"
        if answer.method in MODELS or answer.method == "model":
            kind = "chosen model"
        elif answer.method == "leaving_out":
            kind = "a list left out"
        elif answer.method == "chao":
            kind = "lower bound"
        interval = f" ({_interval(answer)}{', ' + answer.interval if answer.interval else ''})" if answer.low else ""
        shown = "refused: no estimate" if answer.estimate is None else show(answer.estimate) + interval
        yield {"answer": answer.label, "people": answer.estimate, "low": answer.low, "high": answer.high, "kind": kind,
               "shown": shown}  # fmt: skip
