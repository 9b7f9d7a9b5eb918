"""Choosing a model: of all by BIC or AIC, downhill from main effects, forward by p-value; and how sure the choice is.

The bootstrap draws the table anew and chooses the model anew for each draw, so that its interval holds the doubt about
the model too (Silverman, Chan and Vincent 2024). It finds the best of all models without fitting all of them: a model
without the interaction of two lists cannot fit better than their independence given all other lists does, which has a
closed form; so most models are ruled out by a bound. The answer is that of fitting them all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from scipy.special import gammaln, ndtr, ndtri, pdtr, pdtrc, xlogy

from lightwell.estimate.fitting import Fits, Places, fit
from lightwell.estimate.models import (
    Flags,
    Floats,
    Model,
    above,
    additions,
    as_flags,
    exists,
    generators,
    identifiable,
    main_effects,
)  # fmt: skip

Progress = Callable[[str, int, int], None]
Chosen = tuple[Places, Floats]  # for each table: which model (-1 if none can be fitted), people in all

_TIE = 1e-8
_AHEAD = 12  # models fitted for each table and round
_BLOCK = 250  # replicates at once


def quiet(_step: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Models that a choice is made from: `apart[m, k]` are the lists that model m ties to list k by no interaction."""

    models: tuple[Model, ...]
    flags: Flags
    apart: Places


def catalogue(models: Sequence[Model], t: int) -> Catalogue:
    """Models made ready for a search."""
    flags = as_flags(models, t)
    apart = np.zeros((len(models), t), dtype=np.int64)
    for i, j in permutations(range(t), 2):
        apart[:, i] |= np.where(flags[:, 1 << i | 1 << j], 0, 1 << j)
    return Catalogue(tuple(models), flags, apart)


def sound(fits: Fits, counts: Floats) -> Flags:
    """Which fits are of a model whose estimate exists and is identifiable. `counts` has a row for each fit, or one."""
    counts = np.broadcast_to(counts, fits.above.shape)
    fine = identifiable(fits.face)
    for j in np.flatnonzero(fine & ~fits.certain):
        fine[j] = exists(fits.face.finite[j], fits.face.kept[j], counts[j] > 0)
    return fine


# --------------------------------------------------------------------------------------------------- best of all models


def best_models(counts: Floats, among: Catalogue, price: Floats) -> Chosen:
    """For each table the model with the lowest deviance + price x effects, and its estimate of all people.

    The same as fitting every model to every table: models are passed over only where a lower bound rules them out.
    Of models that tie, the one with fewer effects and then the lower estimate is taken, whatever the order of lists.
    """
    size = among.flags.sum(axis=1)
    floors = _floors(counts, among) + price[:, None] * size
    order = np.argsort(floors, axis=1, kind="stable")
    rank = np.full(len(counts), 0)
    best = np.tile([np.inf, np.inf, np.nan], (len(counts), 1))  # criterion, effects, people
    chosen = np.full(len(counts), -1)
    rows = np.arange(len(counts))
    while rows.size:
        ahead = rank[rows, None] + np.arange(_AHEAD)
        models = np.take_along_axis(order[rows], np.minimum(ahead, len(size) - 1), axis=1)
        wanted = (ahead < len(size)) & (floors[rows[:, None], models] <= best[rows, :1] + 10 * _TIE)
        row, model = np.repeat(rows, wanted.sum(axis=1)), models[wanted]
        fits = fit(counts[row], among.flags[model])
        _improve(best, chosen, row, model, fits, fits.criterion(price[row]), counts)
        rank[rows] += _AHEAD
        rows = rows[wanted.all(axis=1)]
    return chosen, best[:, 2]


def _improve(
    best: Floats, chosen: Places, row: Places, model: Places, fits: Fits, value: Floats, counts: Floats
) -> None:
    """Take every fit that beats the best of its table so far, once it is known to exist."""
    people = counts[row].sum(axis=1) + fits.hidden
    fine = identifiable(fits.face)
    for j in np.flatnonzero(fine & (value <= best[row, 0] + _TIE)):
        r = row[j]
        ties = value[j] <= best[r, 0] + _TIE and (fits.size[j], people[j]) < (best[r, 1], best[r, 2])
        if not (ties or value[j] < best[r, 0] - _TIE):
            continue
        if fits.certain[j] or exists(fits.face.finite[j], fits.face.kept[j], counts[r] > 0):
            best[r], chosen[r] = (value[j], fits.size[j], people[j]), model[j]


def _floors(counts: Floats, among: Catalogue) -> Floats:
    """For each table and model a deviance that the model cannot come below."""
    floors = np.zeros((len(counts), len(among.models)))
    for one, others in enumerate(among.apart.T):
        lost = np.stack([_independence(counts, one, int(o)) for o in range(counts.shape[1])], axis=1)
        np.maximum(floors, lost[:, others], out=floors)
    return floors


def _independence(counts: Floats, one: int, others: int) -> Floats:
    """For each table the deviance of one list being independent of others given all the rest: a closed form.

    In each stratum of the rest a table of 2 rows; in the stratum on none of the rest the column without the others
    goes out, because it holds the people on no list, whose number is free.
    """
    bit, lost = 1 << one, np.zeros(len(counts))
    if not others or others & bit:
        return lost
    whole = counts.shape[1] - 1
    columns = [c for c in range(whole + 1) if c & ~others == 0]
    for rest in (s for s in range(whole + 1) if s & (others | bit) == 0):
        kept = np.array([c | rest for c in columns if c or rest])
        off, on = counts[:, kept], counts[:, kept | bit]
        rows = xlogy(off.sum(1), off.sum(1)) + xlogy(on.sum(1), on.sum(1))
        total = (off + on).sum(1)
        cells = xlogy(off, off) + xlogy(on, on) - xlogy(off + on, off + on)
        lost += 2 * (cells.sum(1) - rows + xlogy(total, total))
    return np.maximum(lost * (1 - 1e-9) - 1e-9, 0.0)


# ---------------------------------------------------------------------------------------------------- forward, downhill


def stepwise(counts: Floats, threshold: float = 0.02, only_more: bool = False) -> tuple[Flags, Floats]:
    """Forward selection of pairs by p-value, for each table: the models, and the estimates of all people (nan: none).

    Each step adds the pair of lists whose overlap is least likely under the model so far, if its p-value is below the
    threshold and the new model has an estimate. The p-value is the Poisson probability of an overlap at least as far
    off on that side, on whichever side it is, as in SparseMSE; `only_more` counts only larger overlaps than expected.
    """
    t = counts.shape[1].bit_length() - 1
    models = np.repeat(as_flags([main_effects(t)], t), len(counts), axis=0)
    pairs = np.array([1 << i | 1 << j for i, j in combinations(range(t), 2)])
    fits = fit(counts, models)
    people = np.where(sound(fits, counts), counts.sum(axis=1) + fits.hidden, np.nan)
    expected, overlap = fits.above[:, pairs], above(counts)[:, pairs]
    rows = np.arange(len(counts))
    while rows.size:
        surprise = np.where(models[np.ix_(rows, pairs)], 0.0, _surprise(overlap[rows], expected[rows], only_more))
        rows = _add_pairs(counts, models, people, expected, pairs, rows, surprise, np.log(max(threshold, 1e-300)))
    return models, people


def _add_pairs(
    counts: Floats, models: Flags, people: Floats, expected: Floats, pairs: Places, rows: Places,
    surprise: Floats, limit: float,
) -> Places:  # fmt: skip
    """Add to each row's model the most surprising pair below the limit with which an estimate exists.

    Models, estimates and expected overlaps are changed in place; the rows that were added to are returned.
    """
    added = np.zeros(len(rows), dtype=np.bool_)
    for place in np.argsort(surprise, axis=1, kind="stable").T:
        at = np.flatnonzero(~added & (np.take_along_axis(surprise, place[:, None], axis=1)[:, 0] < limit))
        if not at.size:
            break
        row, larger = rows[at], models[rows[at]]
        larger[np.arange(len(at)), pairs[place[at]]] = True
        fits = fit(counts[row], larger)
        fine = sound(fits, counts[row])
        kept = row[fine]
        models[kept], expected[kept] = larger[fine], fits.above[fine][:, pairs]
        people[kept] = counts[kept].sum(axis=1) + fits.hidden[fine]
        added[at[fine]] = True
    return rows[added]


def _surprise(overlap: Floats, expected: Floats, only_more: bool) -> Floats:
    """The log of the p-value of each overlap: where two p-values are 0 to a computer, it still tells which is less."""
    expected = np.maximum(expected, 1e-300)
    point = xlogy(overlap, expected) - expected - gammaln(overlap + 1)
    with np.errstate(divide="ignore"):
        more = np.where(overlap > 0, np.log(pdtrc(np.maximum(overlap - 1, 0), expected)), 0.0)
        less = np.log(pdtr(overlap, expected))
        beyond_more = point - np.log(np.maximum(1 - expected / (overlap + 1), 1e-300))
        beyond_less = point - np.log(np.maximum(1 - overlap / expected, 1e-300))
    more = np.where(np.isfinite(more), more, beyond_more)
    less = np.where(np.isfinite(less), less, beyond_less)
    return more if only_more else np.minimum(more, less)


def downhill(counts: Floats, price: float, most: int | None = None, say: Progress = quiet) -> Model | None:
    """Walk from main effects to a neighbouring model with a lower criterion while there is one; one table.

    Neighbours have one interaction more (all its parts being in) or one largest interaction less. None if not even
    a neighbour of main effects has an estimate.
    """
    t = counts.shape[-1].bit_length() - 1
    seen: dict[Model, float] = {}
    here = main_effects(t)
    seen.update(_values(counts, [here], price))
    for step in range(1000):
        say("walking downhill", step, 0)
        near = [here | {a} for a in additions(here, t, most or t - 1)]
        near += [here - {a} for a in generators(here) if a.bit_count() > 1]
        seen.update(_values(counts, [m for m in near if m not in seen], price))
        lowest = min(near, key=lambda m: (seen[m], len(m)), default=here)
        if not seen[lowest] < seen[here] - _TIE:
            break
        here = lowest
    return here if np.isfinite(seen[here]) else None


def _values(counts: Floats, models: Sequence[Model], price: float) -> dict[Model, float]:
    if not models:
        return {}
    fits = fit(counts, as_flags(models, counts.shape[-1].bit_length() - 1))
    values = np.where(sound(fits, counts), fits.criterion(price), np.inf)
    return dict(zip(models, values.tolist(), strict=True))


# ------------------------------------------------------------------------------------------------------------ intervals


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """A BCa interval over the choice of model, and what it rests on.

    `low` and `high` are None where the replicates give no interval; `why` then says so. `missing` counts replicates in
    which no model could be fitted: they are left out.
    """

    low: float | None
    high: float | None
    acceleration: float
    replicates: int
    missing: int
    seed: int
    why: str = ""


Choice = Callable[[Floats], Floats]  # tables to estimates of all people, the model chosen anew for each


def bootstrap(
    counts: Floats, estimate: float, choose: Choice, replicates: int, seed: int, say: Progress = quiet
) -> Bootstrap:
    """Draw tables from the counted one (multinomial), choose and estimate anew in each, and form the 95 % BCa interval.

    The acceleration comes from leaving out one person at a time, each history as often as it was counted.
    """
    rng = np.random.default_rng(seed)
    n = int(counts.sum())
    drawn = rng.multinomial(n, counts / n, size=replicates).astype(np.float64)
    a = acceleration(counts, choose)
    people = np.empty(replicates)
    for start in range(0, replicates, _BLOCK):
        say("choosing a model for each replicate", start, replicates)
        people[start : start + _BLOCK] = choose(drawn[start : start + _BLOCK])
    known = people[np.isfinite(people)]
    missing = replicates - len(known)
    if not known.size:
        return Bootstrap(None, None, a, replicates, missing, seed, "in no replicate could a model be fitted")
    low, high, why = bca(known, estimate, a)
    return Bootstrap(low, high, a, replicates, missing, seed, why)


def acceleration(counts: Floats, choose: Choice) -> float:
    """The acceleration of BCa by the jackknife: nan where leaving out one person leaves no model to fit."""
    met = np.flatnonzero(counts > 0)
    fewer = np.repeat(counts[None, :], len(met), axis=0)
    fewer[np.arange(len(met)), met] -= 1
    fewer = fewer[fewer.sum(axis=1) > 0]
    people, weight = choose(fewer), counts[met]
    if len(people) < len(met) or not np.isfinite(people).all():
        return float("nan")
    off = (weight * people).sum() / weight.sum() - people
    scale = (weight * off**2).sum()
    return float((weight * off**3).sum() / (6 * scale**1.5)) if scale > 0 else 0.0


def bca(people: Floats, estimate: float, a: float, level: float = 0.95) -> tuple[float | None, float | None, str]:
    """The BCa limits of DiCiccio and Efron (1996) with quantiles of type 8, or why there are none."""
    below = float((people < estimate).mean())
    if not 0 < below < 1:
        return None, None, "all replicates lie on one side of the estimate"
    if not np.isfinite(a):
        return None, None, "without one of the people counted no model can be fitted, so the acceleration is not known"
    shift = ndtri(below)
    z = ndtri([(1 - level) / 2, (1 + level) / 2]) + shift
    if (1 - a * z <= 0).any():
        return None, None, "the acceleration is too large for the correction"
    low, high = np.quantile(people, ndtr(shift + z / (1 - a * z)), method="median_unbiased")
    return float(low), float(high), ""
