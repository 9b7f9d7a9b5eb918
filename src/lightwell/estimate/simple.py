"""Estimates without a model of the lists: two lists after Lincoln, Petersen and Chapman; Chao's lower bound for more.

Intervals are of the number on no list, taken as log-normal (Chao 1987), so that none reaches below the people counted.
"""

from dataclasses import dataclass
from itertools import combinations
from math import exp, log, sqrt

from lightwell.estimate.table import Table

Z = 1.959963984540054  # of a two-sided 95 % interval


@dataclass(frozen=True, slots=True)
class TwoLists:
    """Two lists on which `first_count` and `second_count` people are, `both` of them on both.

    `lincoln_petersen` is first x second / both (None if nobody is on both). `chapman` adds one to each count, which
    makes it nearly unbiased; `variance` is Seber's (1970); `low` and `high` its 95 % interval, log-normal, and
    `normal_low`, `normal_high` the plain one of 1.96 standard errors. Assumed: nobody comes or goes, people are
    matched without error, being on one list makes the other neither more nor less likely, and all are alike in that.
    """

    first: str
    second: str
    first_count: int
    second_count: int
    both: int
    lincoln_petersen: float | None
    chapman: float
    variance: float
    low: float
    high: float
    normal_low: float
    normal_high: float

    @property
    def standard_error(self) -> float:
        """The square root of the variance of Chapman's estimate."""
        return sqrt(self.variance)


def two_lists(first_count: int, second_count: int, both: int, first: str = "A", second: str = "B") -> TwoLists:
    """Lincoln and Petersen's and Chapman's estimate of all people, from two lists and their overlap."""
    if not 0 <= both <= min(first_count, second_count):
        raise ValueError(f"{both} people on both lists, of {first_count} and {second_count}")
    n1, n2, m = first_count, second_count, both
    unseen = (n1 - m) * (n2 - m) / (m + 1)
    seen = n1 + n2 - m
    variance = (n1 + 1) * (n2 + 1) * (n1 - m) * (n2 - m) / ((m + 1) ** 2 * (m + 2))
    low, high = log_normal(seen, unseen, variance)
    half = Z * sqrt(variance)
    chapman = seen + unseen
    return TwoLists(
        first,
        second,
        n1,
        n2,
        m,
        n1 * n2 / m if m else None,
        chapman,
        variance,
        low,
        high,
        chapman - half,
        chapman + half,
    )


def every_pair(table: Table) -> list[TwoLists]:
    """Each two lists of a table by themselves, in the order of the lists."""
    return [
        two_lists(table.on(1 << i), table.on(1 << j), table.on(1 << i | 1 << j), table.lists[i], table.lists[j])
        for i, j in combinations(range(len(table.lists)), 2)
    ]


@dataclass(frozen=True, slots=True)
class Chao:
    """Chao's lower bound: however people differ in how easily they are listed, at least so many are expected.

    `once` and `twice` are the people on exactly one and exactly two of `lists` lists. `bound` is bias-corrected and
    holds for few lists: counted + (t - 1) / t x once (once - 1) / (2 (twice + 1)), with a 95 % interval.
    `many_lists` leaves the factor (t - 1) / t out, and `classic` is counted + once^2 / (2 twice), Chao's first form
    (None if nobody is on exactly two lists); both run too high when the lists are few.
    """

    once: int
    twice: int
    lists: int
    bound: float
    low: float
    high: float
    many_lists: float
    classic: float | None


def chao(table: Table) -> Chao:
    """Chao's lower bound of all people. Assumed: nobody comes or goes, people are matched without error."""
    once, twice, t, seen = table.captured(1), table.captured(2), len(table.lists), table.size
    share = (t - 1) / t
    unseen = once * max(once - 1, 0) / (2 * (twice + 1))
    variance = (
        share * unseen
        + share**2 * once * (2 * once - 1) ** 2 / (4 * (twice + 1) ** 2)
        + share**2 * once**2 * twice * max(once - 1, 0) ** 2 / (4 * (twice + 1) ** 4)
    )
    low, high = log_normal(seen, share * unseen, variance)
    classic = seen + once**2 / (2 * twice) if twice else None
    return Chao(once, twice, t, seen + share * unseen, low, high, seen + unseen, classic)


def log_normal(seen: float, unseen: float, variance: float) -> tuple[float, float]:
    """A 95 % interval of all people, those on no list being log-normal with this mean and variance."""
    if unseen <= 0:
        return seen, seen
    factor = exp(Z * sqrt(log(1 + variance / unseen**2)))
    return seen + unseen / factor, seen + unseen * factor


def wald(seen: float, unseen: float, spread: float) -> tuple[float, float]:
    """A 95 % interval of all people from the standard error of the log of those on no list."""
    return seen + unseen * exp(-Z * spread), seen + unseen * exp(min(Z * spread, 600.0))
