"""Poisson log-linear fits, many at once: Newton's method on a batch of (table, model) pairs.

log(mu of a history) is the sum of the effects within it; the intercept is the log of the expected number of people on
no list. With `above(mu)[a]`, the fitted number of people on all lists of `a`, the gradient is observed minus fitted
`above`, and the information of effects a and b is `above(mu)[a | b]`: a look-up, no matrix product.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from lightwell.estimate.models import Faces, Flags, Floats, above, faces, within

Places = NDArray[np.int64]

_ROUNDS = 200
_TOLERANCE = 1e-9  # of observed minus fitted, as a share of what was observed
_BATCH = 4_000_000  # numbers in the largest array at once


@dataclass(frozen=True, slots=True)
class Fits:
    """Fits of `models[j]` to `counts[j]`.

    `hidden` is the expected number of people on no list, `deviance` twice the log-likelihood lost against the
    saturated table, `size` the number of effects (those at minus infinity included).
    `certain` says that the fit itself proves that a finite estimate exists: every fitted count is above 0.
    """

    face: Faces
    above: Floats
    hidden: Floats
    deviance: Floats
    size: NDArray[np.int64]
    certain: Flags

    def criterion(self, price: float | Floats) -> Floats:
        """Deviance plus `price` for each effect: 2 gives AIC, log(people counted) BIC, both up to a constant."""
        return self.deviance + price * self.size

    def gap(self, counts: Floats, row: int) -> float:
        """The largest difference of fitted and counted totals that should agree, as a share of the people counted."""
        off = np.abs(above(counts[None])[0] - self.above[row])[self.face.finite[row]]
        return float(off.max() / counts.sum())

    def spread(self, row: int) -> float:
        """The standard error of the log of `hidden`, from the Fisher information."""
        active = np.flatnonzero(self.face.finite[row])
        information = self.above[row][active[:, None] | active[None, :]]
        first = (active == 0).astype(np.float64)
        return float(np.sqrt(np.abs(_solve(information[None], first[None])[0, 0])))


def fit(counts: Floats, models: Flags) -> Fits:
    """Fit each model to the table in the same row; a single table serves all models.

    Rank-deficient models and models without a finite estimate get the deviance that fits come near, and no meaning
    beyond that: ask `exists` and `identifiable`.
    """
    jobs, cells = models.shape
    counts = np.broadcast_to(np.asarray(counts, dtype=np.float64), (jobs, cells))
    face = faces(counts, models)
    mu, hidden, certain = np.empty((jobs, cells)), np.empty(jobs), np.zeros(jobs, dtype=np.bool_)
    number = face.finite.sum(axis=1)
    for p in np.unique(number):
        of_size = np.flatnonzero(number == p)
        for start in range(0, len(of_size), step := max(1, _BATCH // int(p * p + cells))):
            rows = of_size[start : start + step]
            found = _newton(counts[rows], face.finite[rows], face.kept[rows], int(p))
            mu[rows], hidden[rows], certain[rows] = found
    deviance = 2 * (xlogy(counts, np.divide(counts, mu, where=counts > 0, out=np.ones_like(mu))) - (counts - mu)).sum(1)
    return Fits(face, above(mu), hidden, deviance, models.sum(axis=1), certain)


def _newton(counts: Floats, finite: Flags, kept: Flags, p: int) -> tuple[Floats, Floats, Flags]:
    """Of rows with p finite effects: fitted counts, people on no list, and whether the fit proves itself."""
    active = np.nonzero(finite)[1].reshape(-1, p)
    union = (active[:, :, None] | active[:, None, :]).reshape(-1, p * p)
    observed = np.take_along_axis(above(counts), active, axis=1)
    beta = _climb(counts, observed, kept, active, union)
    mu = _means(beta, active, kept)
    missing = np.abs(observed - np.take_along_axis(above(mu), active, axis=1)).max(axis=1)
    lowest = np.where(kept, mu, np.inf).min(axis=1)
    certain = (lowest > 1e-6) & (lowest > 1e4 * missing)
    return mu, np.exp(np.clip(beta[:, 0], -700, 700)), certain


def _climb(counts: Floats, observed: Floats, kept: Flags, active: Places, union: Places) -> Floats:
    """Newton steps from a least-squares start, halved where the likelihood falls, until each row has converged."""
    beta = _start(counts, kept, active, union)
    before, best = beta.copy(), np.full(len(beta), np.inf)
    rows = np.arange(len(beta))
    for _ in range(_ROUNDS):
        now, seen, places = beta[rows], observed[rows], active[rows]
        mu = _means(now, places, kept[rows])
        value = mu.sum(axis=1) - (seen * now).sum(axis=1)
        fitted = above(mu)
        missing = seen - np.take_along_axis(fitted, places, axis=1)
        step = np.clip(_solve(np.take_along_axis(fitted, union[rows], axis=1), missing), -20, 20)
        worse = ~(value <= best[rows] + 1e-9 * np.abs(value))
        beta[rows] = np.where(worse[:, None], (now + before[rows]) / 2, now + step)
        before[rows] = np.where(worse[:, None], before[rows], now)
        best[rows] = np.where(worse, best[rows], value)
        rows = rows[worse | (np.abs(missing) > _TOLERANCE * seen).any(axis=1)]
        if not rows.size:
            break
    return beta


def _start(counts: Floats, kept: Flags, active: Places, union: Places) -> Floats:
    """One weighted least-squares step from counts moved a little off 0."""
    weights = (counts + 0.1) * kept
    target = np.log(counts + 0.1) - 0.1 / (counts + 0.1)
    right = np.take_along_axis(above(weights * target), active, axis=1)
    return _solve(np.take_along_axis(above(weights), union, axis=1), right)


def _means(beta: Floats, active: Places, kept: Flags) -> Floats:
    effects = np.zeros(kept.shape)
    np.put_along_axis(effects, active, beta, axis=1)
    return np.asarray(np.exp(np.where(kept, np.clip(within(effects), -600, 600), -np.inf)))


def _solve(information: Floats, right: Floats) -> Floats:
    """Solve each system, scaled to a unit diagonal, with a ridge too small to matter but where the rank falls short."""
    p = right.shape[1]
    matrix = information.reshape(-1, p, p)
    scale = 1 / np.sqrt(np.maximum(np.einsum("jkk->jk", matrix), 1e-300))
    matrix = matrix * scale[:, :, None] * scale[:, None, :]
    matrix[:, np.arange(p), np.arange(p)] += 1e-13
    return np.asarray(np.linalg.solve(matrix, (right * scale)[:, :, None])[:, :, 0] * scale)
