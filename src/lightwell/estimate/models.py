"""Hierarchical log-linear models of a capture-history table: their notation, their list, and whether a fit can exist.

A model is the set of its effects, each a set of lists written as bits (0 is the intercept, 0b101 the interaction of the
first and third list). It is hierarchical: with an effect it holds every part of it. Main effects are always in.

The extended maximum likelihood estimate follows Fienberg and Rinaldo (2012) as specialised by Chan, Silverman and
Vincent (2021): the effect of lists that no counted person is on together is minus infinity, so the cells at or above it
are left out; what remains must have a finite estimate (a linear programme) of a full-rank model (here: exact integers).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lightwell.errors import LightwellError
from lightwell.estimate.table import Table

Model = frozenset[int]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

FINE, NO_ESTIMATE, NOT_IDENTIFIABLE, NEITHER = range(4)


class ModelError(LightwellError):
    """A model is not one that can be fitted to the table, as written."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """The sets of `t` lists: `within[h, a]` is 1 where effect `a` lies within history `h`; `sign[a]` is (-1)^|a|."""

    t: int
    within: Floats
    sign: Floats


@lru_cache(maxsize=16)
def lattice(t: int) -> Lattice:
    """All 2^t sets of lists, which serve as histories and as effects."""
    sets = np.arange(1 << t)
    within = ((sets[:, None] & sets[None, :]) == sets[None, :]).astype(np.float64)
    return Lattice(t, within, np.array([(-1.0) ** int(a).bit_count() for a in sets]))


def above(values: Floats) -> Floats:
    """Of values by history: for each set of lists the sum over the histories that hold it. Rows are tables."""
    return _summed(values, upwards=True)


def within(values: Floats) -> Floats:
    """Of values by effect: for each history the sum over the effects that lie within it. Rows are tables."""
    return _summed(values, upwards=False)


def _summed(values: Floats, *, upwards: bool) -> Floats:
    """A small product of matrices, or for many lists one list after another: t additions in place of 2^t."""
    t = values.shape[1].bit_length() - 1
    if t <= 5:
        return values @ (lattice(t).within if upwards else lattice(t).within.T)
    summed = np.array(values, dtype=np.float64, order="C")
    for k in range(t):
        halves = summed.reshape(-1, 2, 1 << k)
        if upwards:
            halves[:, 0] += halves[:, 1]
        else:
            halves[:, 1] += halves[:, 0]
    return summed


def main_effects(t: int) -> Model:
    """The model in which the lists are independent."""
    return frozenset([0, *(1 << k for k in range(t))])


def generators(model: Model) -> list[int]:
    """The largest effects of a model, from which the others follow: larger ones first, then in the order of lists."""
    tops = [a for a in model if not any(a != b and a & b == a for b in model)]
    return sorted(tops, key=lambda a: (-a.bit_count(), _members(a)))


def closure(effects: Sequence[int], t: int) -> Model:
    """The smallest hierarchical model with these effects and every main effect."""
    inside = {part for effect in effects for part in _parts(effect)}
    return main_effects(t) | inside


def order(model: Model) -> int:
    """The number of lists in the largest interaction: 1 is main effects only."""
    return max(a.bit_count() for a in model)


def notation(model: Model) -> str:
    """A model as the R packages write it, [12,3]: list numbers, in the order of the table's columns."""
    separator = "." if any(a.bit_length() > 9 for a in model) else ""
    return f"[{','.join(separator.join(str(k + 1) for k in _members(a)) for a in generators(model))}]"


def in_words(model: Model, lists: Sequence[str]) -> str:
    """The interactions of a model with the names of the lists, or 'main effects only'."""
    tops = [":".join(lists[k] for k in _members(a)) for a in generators(model) if a.bit_count() > 1]
    return ", ".join(tops) if tops else "main effects only"


def parse(text: str, lists: Sequence[str]) -> Model:
    """Read a model: `[12,3]` by numbers, `[EXH:ABA,OSCE]` by names. Main effects not named are in all the same."""
    t = len(lists)
    inner = text.strip().removeprefix("[").removesuffix("]").strip()
    effects = [_effect(part.strip(), lists, text) for part in inner.split(",")] if inner else []
    if (1 << t) - 1 in effects:
        raise ModelError(
            f"model {text}: the interaction of all {t} lists cannot be told from the number of people on none of them, "
            "so no model may hold it"
        )
    return closure(effects, t)


def _effect(part: str, lists: Sequence[str], text: str) -> int:
    named = {name: k for k, name in enumerate(lists)}
    pieces = re.split(r"[:*.]", part) if not part.isdigit() or part in named else list(part)
    members = []
    for piece in (p.strip() for p in pieces):
        if piece in named:
            members.append(named[piece])
        elif piece.isdigit() and 1 <= int(piece) <= len(lists):
            members.append(int(piece) - 1)
        else:
            raise ModelError(
                f"model {text}: {piece!r} is neither the name of a list nor a number from 1 to {len(lists)}. "
                f"The lists are {', '.join(f'{k} {name}' for k, name in enumerate(lists, 1))}; write [12,3] or "
                f"[{lists[0]}:{lists[1]}]"
            )
    if len(set(members)) < len(members):
        raise ModelError(f"model {text}: {part!r} names a list twice")
    return sum(1 << k for k in members)


def _members(effect: int) -> list[int]:
    return [k for k in range(effect.bit_length()) if effect >> k & 1]


def _parts(effect: int) -> Iterator[int]:
    part = effect
    while True:
        yield part
        if part == 0:
            return
        part = (part - 1) & effect


# ----------------------------------------------------------------------------------------------------------- all models


@lru_cache(maxsize=16)
def every_model(t: int, most: int | None = None) -> tuple[Model, ...]:
    """Every hierarchical model of `t` lists with all main effects and interactions of at most `most` lists.

    The interaction of all lists is never in: it cannot be told from the people on no list. There are 1, 8, 113 and
    6,893 of them for two to five lists.
    """
    most = min(t - 1, most if most is not None else t - 1)
    found = list(_grown(main_effects(t), 2, t, most))
    return tuple(sorted(found, key=lambda m: (len(m), sorted((a.bit_count(), _members(a)) for a in m))))


def _grown(model: Model, size: int, t: int, most: int) -> Iterator[Model]:
    """The model itself, and with every choice of interactions of `size` lists whose parts are in, and so on up."""
    if size > most:
        yield model
        return
    sets = [sum(1 << k for k in members) for members in combinations(range(t), size)]
    open_to = [a for a in sets if all(a & ~(1 << k) in model for k in _members(a))]
    for chosen in _subsets(open_to):
        if chosen:
            yield from _grown(model | chosen, size + 1, t, most)
        else:
            yield model


def _subsets(items: Sequence[int]) -> Iterator[frozenset[int]]:
    for k in range(len(items) + 1):
        yield from (frozenset(chosen) for chosen in combinations(items, k))


def additions(model: Model, t: int, most: int) -> list[int]:
    """The interactions of at most `most` lists that may be added next, because all their parts are in."""
    sets = [sum(1 << k for k in m) for size in range(2, min(t - 1, most) + 1) for m in combinations(range(t), size)]
    return [a for a in sets if a not in model and all(a & ~(1 << k) in model for k in _members(a))]


def as_flags(models: Sequence[Model], t: int) -> Flags:
    """Models as rows of flags, one column for each of the 2^t effects."""
    flags = np.zeros((len(models), 1 << t), dtype=np.bool_)
    for row, model in zip(flags, models, strict=True):
        row[list(model)] = True
    return flags


def as_model(flags: Flags) -> Model:
    """A model from its row of flags."""
    return frozenset(int(a) for a in np.flatnonzero(flags))


# ------------------------------------------------------------------------------------------------ can an estimate exist


@dataclass(frozen=True, slots=True)
class Faces:
    """Where fits of models to tables live: `finite[j]` the effects that are finite, `kept[j]` the cells left in."""

    finite: Flags
    kept: Flags


def faces(counts: Floats, models: Flags) -> Faces:
    """For each row: effects of lists nobody is on together are minus infinity, and the cells at or above them go."""
    met = above(counts) > 0
    kept = within((models & ~met).astype(np.float64)) == 0
    kept[:, 0] = False
    return Faces(models & met, kept)


def identifiable(face: Faces) -> Flags:
    """Whether the model matrix over the cells kept has full column rank, row by row; exact, without a decomposition.

    Were the people on no list a cell too, the matrix would be unit triangular. So the rank falls short by one exactly
    where the only candidate, effect a times (-1)^|a|, vanishes on every cell kept.
    """
    t = face.finite.shape[1].bit_length() - 1
    alternating = within(face.finite * lattice(t).sign)
    return np.asarray(((alternating != 0) & face.kept).any(axis=1))


def exists(finite: Flags, kept: Flags, seen: Flags) -> bool:
    """Whether a finite estimate exists (one row): plain cases first, then `forced_to_zero`, which keeps its answers."""
    if not (kept & ~seen).any():
        return True
    if _has_empty_margin(finite, kept, seen):
        return False
    return not forced_to_zero(finite.tobytes(), kept.tobytes(), (seen & kept).tobytes())


def _has_empty_margin(finite: Flags, kept: Flags, seen: Flags) -> bool:
    """Whether a total that the model reproduces is 0 over cells that it keeps: then they are all forced to 0."""
    cells, counted = np.flatnonzero(kept), np.flatnonzero(kept & seen)
    return any(bool(set(cells & a) - set(counted & a)) for a in generators(as_model(finite)))


@lru_cache(maxsize=200_000)
def forced_to_zero(finite: bytes, kept: bytes, seen: bytes) -> tuple[int, ...]:
    """The cells whose fitted count is 0 in every table with the same sufficient statistics; () if an estimate exists.

    The linear programme of Fienberg and Rinaldo (2012): a table with the statistics of the counted one and every cell
    above 0. It depends on the counts only through which of them are 0, so it is asked once for each pattern of zeros.
    """
    from scipy.optimize import linprog

    effects, cells, positive = (np.flatnonzero(np.frombuffer(b, dtype=np.bool_)) for b in (finite, kept, seen))
    empty = np.setdiff1d(cells, positive)
    t = len(finite).bit_length() - 1
    design = lattice(t).within[np.ix_(cells, effects)].T  # effects by cells
    extra = lattice(t).within[np.ix_(empty, effects)].T
    statistics = 1000.0 * lattice(t).within[np.ix_(positive, effects)].sum(axis=0)
    result = linprog(  # every empty cell as high as 1; whatever is over goes into the first block
        np.concatenate([np.zeros(len(cells)), -np.ones(len(empty))]),
        A_eq=np.hstack([design, extra]),
        b_eq=statistics,
        bounds=[(0, None)] * len(cells) + [(0, 1)] * len(empty),
        method="highs",
    )
    if result.status != 0 or result.x is None:
        raise ModelError(f"the linear programme of a model did not end ({result.message}): report this table's zeros")
    return tuple(int(c) for c, height in zip(empty, result.x[len(cells) :], strict=True) if height < 1e-3)


def check(table: Table, model: Model) -> int:
    """FINE (0), NO_ESTIMATE (1, no finite estimate), NOT_IDENTIFIABLE (2, rank) or NEITHER (3, both fail)."""
    counts = np.array([table.counts], dtype=np.float64)
    face = faces(counts, as_flags([model], len(table.lists)))
    missing = not exists(face.finite[0], face.kept[0], counts[0] > 0)
    return NO_ESTIMATE * missing + NOT_IDENTIFIABLE * (not identifiable(face)[0])


def why_refused(table: Table, model: Model) -> str:
    """Why `check` refuses a model, in words; '' where it does not."""
    code = check(table, model)
    reasons = []
    if code & NOT_IDENTIFIABLE:
        reasons.append(_why_unidentifiable(table, model))
    if code & NO_ESTIMATE:
        reasons.append(_why_infinite(table, model))
    return "; ".join(reasons)


def _why_unidentifiable(table: Table, model: Model) -> str:
    t = len(table.lists)
    face = faces(np.array([table.counts], dtype=np.float64), as_flags([model], t))
    gone = [in_words(frozenset([a]), table.lists) for a in sorted(model) if a.bit_count() > 1 and not table.on(a)]
    because = f" (nobody is on {' nor on '.join(gone[:4])})" if gone else ""
    return (
        f"not identifiable: {int(face.finite.sum())} effects to be estimated from {int(face.kept.sum())} combinations "
        f"of lists{because}, so that any number of people on no list fits the counts equally well"
    )


def _why_infinite(table: Table, model: Model) -> str:
    t = len(table.lists)
    seen = np.array(table.counts) > 0
    face = faces(np.array([table.counts], dtype=np.float64), as_flags([model], t))
    cells = forced_to_zero(face.finite[0].tobytes(), face.kept[0].tobytes(), (seen & face.kept[0]).tobytes())
    where = " or ".join(f"exactly on {_history(c, table.lists)}" for c in cells[:3])
    more = f" (and {len(cells) - 3} more combinations)" if len(cells) > 3 else ""
    return (
        f"no finite maximum-likelihood estimate: nobody is {where}{more}, and the model can say so only with an effect "
        "that grows without bound, so that whatever number came out would be an accident of rounding"
    )


def _history(cell: int, lists: Sequence[str]) -> str:
    names = [lists[k] for k in _members(cell)]
    return names[0] + " alone" if len(names) == 1 else " and ".join(names)
