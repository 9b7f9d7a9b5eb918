"""Figures quoted in public texts, and the register of what contradicts them. Nothing quoted is ever corrected."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lightwell import warehouse
from lightwell.errors import LightwellError
from lightwell.settings import Settings

Ask = Callable[..., list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Conflict:
    """What contradicts or qualifies a quoted figure, with every value beside it and the arithmetic worked out."""

    conflict_id: str
    title: str
    verdict: str
    arithmetic: tuple[str, ...]
    said_beside: tuple[str, ...]
    handling: str
    citation: str


def rows(settings: Settings, conflict_id: str | None = None) -> list[dict[str, Any]]:
    """The quoted figures in the order of their ids, with their conflict status; those of one conflict if one is named.

    Raises LightwellError for a conflict that the register has not.
    """
    with asking(settings) as ask:
        found, known = read(ask), [c.conflict_id for c in read_conflicts(ask, None)]
    if conflict_id is None:
        return found
    if conflict_id not in known:
        raise LightwellError(f"no conflict {conflict_id!r}; there are: {', '.join(known)}")
    return [row for row in found if conflict_id in row["conflict_ids"]]


def conflicts(settings: Settings, conflict_id: str) -> list[Conflict]:
    """The conflict of that id, with its arithmetic worked out."""
    with asking(settings) as ask:
        return read_conflicts(ask, {conflict_id})


def line(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """A quoted figure as a line of a table."""
    return (
        row["quoted_id"], row["part"], words_of(row), row["what"], row["time_period"], row["ref_area"],
        " ".join(row["conflict_ids"]), row["conflict_status"], f"{row['quoted_document']} {row['locator']}",
    )  # fmt: skip


def told(conflicts: Iterable[Conflict]) -> list[str]:
    """Conflicts in words: the arithmetic, every value that stands beside the quoted one, what is done about it."""
    said = []
    for conflict in conflicts:
        said.append(f"conflict {conflict.conflict_id}, {conflict.verdict}: {conflict.title}")
        said += [f"  {one}" for one in (*conflict.arithmetic, *conflict.said_beside)]
        said += [f"  handled so: {conflict.handling}", f"  source: {conflict.citation}"]
    return said


def words_of(row: Mapping[str, Any]) -> str:
    """How a quoted figure's value is said: `>12 fold`, `10 to 20 usd per livestream`, `up`."""
    if row["quoted_value"] is None and row["value_low"] is None:
        return str(row["quoted_term"] or " ".join(row["named_areas"] or []))
    amount = (
        f"{row['value_low']:,.10g} to {row['value_high']:,.10g}"
        if row["quoted_value"] is None
        else f"{row['quoted_value']:.0f}"
        if row["unit_measure"] == "calendar_year"
        else f"{row['quoted_value']:,.10g}"
    )
    sign = "" if row["comparator"] == "=" else row["comparator"]
    per = f" per {row['rate_per']}" if row["rate_per"] else ""
    return f"{sign}{amount} {row['unit_measure'].replace('_', ' ')}{per}"


def read(ask: Ask) -> list[dict[str, Any]]:
    """Every quoted figure, in the order of its id, over an open connection."""
    return sorted(ask("SELECT * FROM quoted"), key=lambda row: (natural(row["quoted_id"]), row["part"]))


def read_conflicts(ask: Ask, ids: Iterable[str] | None) -> list[Conflict]:
    """The conflicts of these ids, or all."""
    wanted = None if ids is None else set(ids)
    if wanted is not None and not wanted:
        return []
    found = [
        Conflict(
            row["conflict_id"], row["title"], row["verdict"], tuple(row["arithmetic"] or ()),
            tuple(row["said_beside"] or ()), row["handling"], row["citation"],
        )
        for row in ask("SELECT * FROM conflict_register")
        if wanted is None or row["conflict_id"] in wanted
    ]  # fmt: skip
    return sorted(found, key=lambda c: natural(c.conflict_id))


@contextmanager
def asking(settings: Settings) -> Iterator[Ask]:
    """A function that asks the current release our own queries over one connection, and answers in mappings."""
    with warehouse.connect(settings) as con:

        def ask(sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
            found = con.execute(sql, parameters)
            columns = [column[0] for column in found.description or ()]
            return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]

        yield ask


def natural(code: str) -> tuple[str, int]:
    """By letter, then by number: B2 before B11."""
    return code[:1], int(code[1:]) if code[1:].isdigit() else 0
