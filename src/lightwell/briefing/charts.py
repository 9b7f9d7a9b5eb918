"""Pictures as SVG and PNG: bars as wide as their periods, in shades that stay apart in grey, breaks and events marked,
the unit, the key to the marks and the source underneath. Drawn without network, the same bytes each time."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from lightwell.briefing.content import Bar, Picture
from lightwell.briefing.marks import Mark

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
_SHADES = {
    1: ("#1f3a4d",),
    2: ("#1f3a4d", "#a3b9c6"),
    3: ("#1f3a4d", "#7f9cad", "#dbe4ea"),
    4: ("#1f3a4d", "#5f8299", "#a9bdc9", "#eaf0f3"),
}  # from dark to light by how many series there are
INK, PAPER = "#222222", "#ffffff"
WIDTH, HEIGHT = 330, 170
_LINE = 76  # characters in a line under the picture
_LABELLED = 12  # with more bars than these, the numbers stand in the CSV only
_SCALE = 3.0  # of the PNG: about 250 dots an inch at the size it is printed


@dataclass(frozen=True, slots=True)
class Drawn:
    """One picture in both forms, and what it shows in words."""

    name: str
    svg: str
    png: bytes
    alt: str
    caption: str


def draw(picture: Picture, source: str) -> Drawn:
    """A picture with its source, which says who counted, in which documents, in which release."""
    import vl_convert

    spec = _spec(picture, source)
    svg = vl_convert.vegalite_to_svg(spec)
    return Drawn(picture.name, svg, vl_convert.svg_to_png(svg, scale=_SCALE), _in_words(picture), _key(picture.marks))


def letters(marks: Sequence[Mark]) -> list[tuple[str, Mark]]:
    """Breaks as A, B ..., events as 1, 2 ..., in the order of their days."""
    breaks = [m for m in marks if m.kind == "break"]
    events = [m for m in marks if m.kind == "event"]
    named = [(chr(ord("A") + at % 26), m) for at, m in enumerate(breaks)]
    return named + [(str(at), m) for at, m in enumerate(events, start=1)]


def _key(marks: Sequence[Mark]) -> str:
    return " ".join(f"{letter}: {m.kind} {m.when}, {m.title}." for letter, m in letters(marks))


def _in_words(picture: Picture) -> str:
    shown = "; ".join(f"{_when(b)} {b.series} {b.text}" for b in picture.bars[:40])
    return f"{picture.title}, {picture.unit}: {shown}."


def _when(bar: Bar) -> str:
    return str(bar.start.year) if (bar.end - bar.start).days > 360 else f"{bar.start:%Y-%m} to {bar.end:%Y-%m}"


def _at(day: date) -> float:
    """A day as a decimal year: no time zone can move it."""
    first = date(day.year, 1, 1)
    return round(day.year + (day - first).days / (date(day.year + 1, 1, 1) - first).days, 4)


# --- where things stand ----------------------------------------------------------------------------------------------


def _rectangles(picture: Picture) -> list[dict[str, Any]]:
    """Each bar's corners: parts on top of one another, or side by side within their period."""
    series = _series(picture)
    heights: dict[tuple[date, date], float] = {}
    found = []
    for bar in sorted(picture.bars, key=lambda b: (b.start, series.index(b.series), b.text)):
        left, right = _at(bar.start), _at(date.fromordinal(bar.end.toordinal() + 1))
        gap = 0.09 * (right - left)
        low = 0.0
        left, right = left + gap, right - gap
        if picture.stacked:
            low = heights.get((bar.start, bar.end), 0.0)
            heights[bar.start, bar.end] = low + bar.value
        elif len(series) > 1:
            width = (right - left) / len(series)
            left += width * series.index(bar.series)
            right = left + width
        found.append(
            {"x": left, "x2": right, "mid": (left + right) / 2, "y": low, "y2": low + bar.value, "series": bar.series,
             "text": bar.text}
        )  # fmt: skip
    return found


def _series(picture: Picture) -> list[str]:
    return list(dict.fromkeys(bar.series for bar in picture.bars))


def _labels(rectangles: Sequence[dict[str, Any]], picture: Picture, top: float) -> list[dict[str, Any]]:
    """A number over each bar, or in each part of a stack where it fits; none where they would run into one another."""
    if len(rectangles) > _LABELLED:
        return []
    span = max(r["x2"] for r in rectangles) - min(r["x"] for r in rectangles)
    room = WIDTH * min(r["x2"] - r["x"] for r in rectangles) / span
    if max(len(r["text"]) for r in rectangles) * 4.6 > room * 1.2:
        return []
    stacks = {r["x"] for r in rectangles if r["y"] > 0}
    inks = {_series(picture)[0]: PAPER}  # on the darkest shade
    found = []
    for r in rectangles:
        if r["x"] not in stacks:
            found.append({"mid": r["mid"], "at": r["y2"] + top * 0.045, "text": r["text"], "ink": INK, "over": True})
        elif r["y2"] - r["y"] > top * 0.08:
            middle = r["y"] + (r["y2"] - r["y"]) / 2
            ink = inks.get(r["series"], INK)
            found.append({"mid": r["mid"], "at": middle, "text": r["text"], "ink": ink, "over": False})
    return found


def _mark_rows(picture: Picture, low: float, high: float) -> list[dict[str, Any]]:
    """Where each mark stands, its letter a line higher where it would touch the one before it."""
    rows, last, level = [], -9.0, 0
    for letter, mark in sorted(letters(picture.marks), key=lambda one: (one[1].day, one[0])):
        at = min(max(_at(mark.day), low), high)
        level = (level + 1) % 3 if at - last < (high - low) * 0.035 else 0
        rows.append({"x": at, "letter": letter, "kind": mark.kind, "pixel": -6 - 10 * level})
        last = at
    return rows


# --- the drawing -----------------------------------------------------------------------------------------------------


def _spec(picture: Picture, source: str) -> dict[str, Any]:
    import altair as alt

    rectangles = _rectangles(picture)
    low = min(_at(bar.start) for bar in picture.bars)
    high = float(max(_at(date.fromordinal(b.end.toordinal() + 1)) for b in picture.bars))
    scale = alt.Scale(domain=[low, high], nice=False)
    top = max(r["y2"] for r in rectangles) * 1.18 or 1.0
    tall = alt.Scale(domain=[0, top], nice=False)
    marks = _mark_rows(picture, low, high)
    layers = [*_rules(alt, marks, scale), _bars(alt, picture, rectangles, scale, tall)]
    if labels := _labels(rectangles, picture, top):
        layers.append(_numbers(alt, labels, scale, tall))
    raised = max((-row["pixel"] for row in marks), default=0)
    inner = alt.layer(*layers, *_letters(alt, marks, scale)).properties(
        width=WIDTH, height=HEIGHT, title=_foot(alt, picture, source)
    )
    several = len(_series(picture)) > 1
    title = alt.TitleParams(
        textwrap.wrap(picture.title, 56), subtitle=[picture.unit], anchor="start", frame="group", font=FONT,
        fontSize=12, subtitleFont=FONT, subtitleFontSize=10, color=INK, subtitleColor=INK,
        offset=4 if several else 6 + raised,
    )  # fmt: skip
    whole = alt.vconcat(inner, title=title).configure(background="white", font=FONT).configure_view(stroke=None)
    drawn: dict[str, Any] = whole.configure_legend(offset=8 + raised).to_dict()
    return drawn


def _gaps(picture: Picture) -> str:
    """The years between a series' first and last without a bar of it: a stack of that year is not the whole."""
    found = []
    for series in _series(picture):
        years = {bar.start.year for bar in picture.bars if bar.series == series}
        if missing := sorted(set(range(min(years), max(years) + 1)) - years):
            found.append(f"{series}, {', '.join(map(str, missing))}")
    return f" No number is held: {'; '.join(found)}." if found else ""


def _foot(alt: Any, picture: Picture, source: str) -> Any:
    return alt.TitleParams(
        _under(picture, source), orient="bottom", anchor="start", frame="group", font=FONT, fontSize=9,
        fontWeight="normal", color=INK, lineHeight=12, offset=8,
    )  # fmt: skip


def _under(picture: Picture, source: str) -> list[str]:
    parts = [_key(picture.marks), f"Unit: {picture.unit}.{_gaps(picture)}", source]
    return [line for part in parts if part for line in textwrap.wrap(part, _LINE)]


def _bars(alt: Any, picture: Picture, rectangles: Sequence[Mapping[str, Any]], scale: Any, tall: Any) -> Any:
    series = _series(picture)
    low, high = scale["domain"]
    seen = [(max(low, year), min(high, year + 1)) for year in range(int(low), int(high) + 1)]
    middles = [(first + last) / 2 for first, last in seen if last - first > 0.2]  # of what is seen of each year
    every = -(-len(middles) // 9)
    legend = alt.Legend(
        orient="top", title=None, labelFont=FONT, labelFontSize=10, labelLimit=160, symbolType="square",
        symbolStrokeColor=INK, symbolStrokeWidth=0.5, columns=4, columnPadding=12,
    )  # fmt: skip
    shades = alt.Scale(domain=series, range=list(_SHADES[min(len(series), 4)]))
    axis = alt.Axis(
        values=middles[::every], labelExpr="format(floor(datum.value), 'd')", title=None,
        grid=False, labelFont=FONT, labelFontSize=10, labelColor=INK, ticks=False, domainColor=INK, labelFlush=False,
    )  # fmt: skip
    amount = alt.Axis(
        title=None, format=_format(rectangles), tickCount=5, labelFont=FONT, labelFontSize=10, labelColor=INK,
        gridColor="#e4e4e4", domain=False, ticks=False,
    )  # fmt: skip
    return (
        alt.Chart(alt.Data(values=list(rectangles)))
        .mark_rect(stroke=INK, strokeWidth=0.5)
        .encode(
            x=alt.X("x:Q", scale=scale, axis=axis),
            x2="x2:Q",
            y=alt.Y("y:Q", scale=tall, axis=amount),
            y2="y2:Q",
            color=alt.Color("series:N", scale=shades, legend=legend if len(series) > 1 else None, sort=series),
        )
    )


def _format(rectangles: Sequence[Mapping[str, Any]]) -> str:
    return ",.0f" if max(r["y2"] for r in rectangles) >= 5 else ",.2~f"


def _numbers(alt: Any, labels: Sequence[Mapping[str, Any]], scale: Any, tall: Any) -> Any:
    """The numbers over and in the bars; those over them clear of any line that is behind."""
    place = {"x": alt.X("mid:Q", scale=scale), "y": alt.Y("at:Q", scale=tall), "text": "text:N"}
    chart = alt.Chart(alt.Data(values=list(labels)))
    form = {"baseline": "middle", "fontSize": 9, "font": FONT}
    halo = chart.transform_filter("datum.over").mark_text(stroke="white", strokeWidth=3, **form).encode(**place)
    return halo + chart.mark_text(**form).encode(**place, color=alt.Color("ink:N", scale=None, legend=None))


def _rules(alt: Any, rows: Sequence[Mapping[str, Any]], scale: Any) -> list[Any]:
    """Breaks as dashed lines, events as dotted ones, behind the bars."""
    return [
        alt.Chart(alt.Data(values=chosen)).mark_rule(strokeDash=dash, color=INK, strokeWidth=1.2)
        .encode(x=alt.X("x:Q", scale=scale))
        for kind, dash in (("break", [5, 3]), ("event", [1, 3]))
        if (chosen := [row for row in rows if row["kind"] == kind])
    ]  # fmt: skip


def _letters(alt: Any, rows: Sequence[Mapping[str, Any]], scale: Any) -> list[Any]:
    """The letter or number of each mark, over its line."""
    return [
        alt.Chart(alt.Data(values=[row]))
        .mark_text(
            fontSize=10, font=FONT, color=INK, baseline="bottom",
            fontWeight="bold" if row["kind"] == "break" else "normal",
        )
        .encode(x=alt.X("x:Q", scale=scale), y=alt.value(row["pixel"] + 4), text="letter:N")
        for row in rows
    ]  # fmt: skip
