"""All answers to one table, side by side, and how far they disagree."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log

import numpy as np
from scipy.special import gammaln, xlogy

from lightwell.errors import LightwellError
from lightwell.estimate import selection
from lightwell.estimate.fitting import Fits, fit
from lightwell.estimate.models import (
    Flags,
    Floats,
    Model,
    as_flags,
    as_model,
    check,
    every_model,
    in_words,
    main_effects,
    notation,
    order,
    parse,
    why_refused,
)  # fmt: skip
from lightwell.estimate.selection import Bootstrap, Progress, quiet
from lightwell.estimate.simple import Chao, TwoLists, chao, every_pair, wald
from lightwell.estimate.table import Table

ALL_MODELS_UP_TO = 5  # lists; six lists have millions of models
NEAR = 2.0  # of BIC: models this close to the best are about as good
_SHOWN = 6  # nearest models at least
_CLOSE = 1e-7  # of the people counted: how far a fit may be from the totals that it reproduces
_MANY = 1_000.0  # times the people counted: an estimate above it is flagged

CAVEATS = (
    "An estimate from overlapping lists rests on the model, and nothing in the table can say which model is right: "
    "Whitehead, Jackson, Balch and Francis (2021) find such estimates of potential victims of modern slavery in the UK "
    "unreliable. Quote the range, never one figure.",
    "Assumed throughout: a closed population that nobody enters or leaves; everybody could have been on a list; people "
    "on several lists were recognised as the same (a missed match raises the estimate, a false one lowers it); one "
    "definition for all lists.",
    "Wald intervals take the model as known; BCa intervals hold the choice among the models tried as well. None holds "
    "a wrong model, a matching error or a list that does not belong.",
)


class EstimateError(LightwellError):
    """A table from which nothing can be estimated, or a setting that makes no sense."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One estimate of all people, on a list or on none.

    `estimate` is None where it was refused, and `refused` says why. `low` and `high` are a 95 % interval of the kind
    `interval` ('BCa' over the choice of model, 'Wald' given the model, 'log-normal'), None where there is none.
    `bic` and `aic` are -2 log L plus log(people counted) and 2 for each effect, those at minus infinity included.
    """

    method: str
    label: str
    estimate: float | None
    low: float | None = None
    high: float | None = None
    interval: str = ""
    model: str = ""
    interactions: str = ""
    bic: float | None = None
    aic: float | None = None
    refused: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was asked of one table. `leaving_out` has an answer for each list, as if it had not been kept.

    `nearest` are the best models by BIC (two to five lists), best first, and `near` is how many come within 2 of the
    best; `tried` and `refused` are how many models there are and how many have no estimate for this table.
    """

    lists: tuple[str, ...]
    counted: int
    answers: tuple[Answer, ...]
    leaving_out: tuple[Answer, ...]
    pairs: tuple[TwoLists, ...]
    chao: Chao
    nearest: tuple[Answer, ...]
    near: int
    tried: int
    refused: int
    bootstraps: dict[str, Bootstrap]
    disagreement: str
    caveats: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """How to estimate: the largest interaction (None: any), the p-value of a step, replicates (0: none), the seed."""

    most: int | None = None
    threshold: float = 0.02
    replicates: int = 1000
    seed: int = 1234

    def __post_init__(self) -> None:
        if self.most is not None and self.most < 1:
            raise EstimateError(f"interactions of at most {self.most} lists: 1 is main effects only, 2 is pairs")
        if not 0 <= self.threshold <= 1:
            raise EstimateError(f"a p-value of {self.threshold}: it lies between 0 and 1, and 0.02 is usual")
        if not 0 <= self.replicates <= 10_000:
            raise EstimateError(f"{self.replicates} replicates: at most 10,000, or 0 for no bootstrap")
        if self.seed < 0:
            raise EstimateError(f"the seed {self.seed} is negative: any whole number from 0 will do")


_USUAL = Options()


def estimate(table: Table, model: str | None = None, options: Options = _USUAL, say: Progress = quiet) -> Report:
    """Estimate how many people there are, on the lists of a table or on none, in every way that Lightwell knows.

    `model`, if given, is fitted too: `[12,3]`, or `[EXH:ABA,OSCE]`. Raises EstimateError where no list overlaps
    another, and ModelError for a model that cannot be read. What is assumed is printed with every estimate: CAVEATS.
    """
    given = None if model is None else parse(model, table.lists)
    table, given, notes = _without_empty_lists(table, given)
    if table.captured(1) == table.size:
        raise EstimateError(
            f"none of the {table.size:,} people counted is on two lists: without any overlap the lists say nothing "
            "about how many people are on none, and no estimate is printed"
        )
    work = _Work(table, options, say)
    answers = [] if given is None else [work.fitted(given, "model", f"The model asked for, {model}")]
    answers += work.answers()
    leaving_out = work.leaving_out() if len(table.lists) > 2 else []
    return Report(
        lists=table.lists,
        counted=table.size,
        answers=tuple(answers),
        leaving_out=tuple(leaving_out),
        pairs=tuple(every_pair(table)),
        chao=chao(table),
        nearest=tuple(work.nearest),
        near=work.near,
        tried=work.tried,
        refused=work.refused,
        bootstraps=work.bootstraps,
        disagreement=disagreement(table, answers, leaving_out),
        caveats=CAVEATS,
        notes=tuple(notes),
    )


def _without_empty_lists(table: Table, given: Model | None) -> tuple[Table, Model | None, list[str]]:
    """A list that nobody is on changes nothing, so it is left out, and said to be."""
    notes, full = list(table.notes), [k for k in range(len(table.lists)) if table.on(1 << k)]
    empty = [k for k in range(len(table.lists)) if k not in full]
    if not empty:
        return table, given, notes
    if len(full) < 2:
        raise EstimateError(f"all people are on one list, {table.lists[full[0]]}: an estimate needs two that overlap")
    notes.append(f"nobody is on {', '.join(table.lists[k] for k in empty)}: left out, which changes no estimate")
    if given is not None:
        kept = [a for a in given if not any(a >> k & 1 for k in empty)]
        given = frozenset(sum(1 << place for place, k in enumerate(full) if a >> k & 1) for a in kept)
    for k in reversed(empty):
        table = table.without(k)
    return table, given, notes


@dataclass(frozen=True, slots=True)
class _Fitted:
    """Every model, fitted."""

    models: tuple[Model, ...]
    fits: Fits
    fine: Flags
    people: Floats

    def first(self, value: Floats, among: Flags) -> Model | None:
        """The model with the lowest value; of those that tie the fewest effects, then the lowest estimate."""
        places = self.ranked(value, among)
        return self.models[places[0]] if places else None

    def ranked(self, value: Floats, among: Flags) -> list[int]:
        """Where the models stand that have an estimate, the lowest value first."""
        places = [int(j) for j in np.flatnonzero(self.fine & among)]
        return sorted(places, key=lambda j: (round(float(value[j]), 8), int(self.fits.size[j]), float(self.people[j])))


class _Work:
    """One table under way."""

    def __init__(self, table: Table, options: Options, say: Progress) -> None:
        self.table, self.options, self.say = table, options, say
        self.t = len(table.lists)
        self.counts: Floats = np.array(table.counts, dtype=np.float64)
        self.price = log(table.size)
        self.bootstraps: dict[str, Bootstrap] = {}
        self.nearest: list[Answer] = []
        self.near = self.tried = self.refused = 0
        self.saturated = float((xlogy(self.counts, self.counts) - self.counts - gammaln(self.counts + 1)).sum())

    def answers(self) -> list[Answer]:
        """Every answer, in the order in which they are shown."""
        found = [self.fitted(main_effects(self.t), "main_effects", "Main effects (lists independent)")]
        found += self.of_all_models() if self.t <= ALL_MODELS_UP_TO else self.of_walks()
        found += [self.forward(), self.forward(only_more=True), self.lower_bound()]
        return found + (self.of_two_lists() if self.t == 2 else [])

    def fitted(self, model: Model | None, method: str, label: str) -> Answer:
        """The estimate of one model, or why there is none."""
        if model is None:
            why = why_refused(self.table, main_effects(self.t))
            return Answer(method, label, None, refused=f"no model tried has an estimate. Of main effects alone: {why}")
        written, named = notation(model), in_words(model, self.table.lists)
        if check(self.table, model):
            refused = why_refused(self.table, model)
            return Answer(method, label, None, model=written, interactions=named, refused=refused)
        fits = fit(self.counts, as_flags([model], self.t))
        if not fits.gap(self.counts, 0) < _CLOSE:
            refused = "the fit did not converge: please report this table"
            return Answer(method, label, None, model=written, interactions=named, refused=refused)
        unseen, spread = float(fits.hidden[0]), fits.spread(0)
        low, high = wald(self.table.size, unseen, spread)
        apart = [a for a in sorted(model) if a.bit_count() > 1 and not self.table.on(a)]
        notes = [
            f"{in_words(frozenset([a]), self.table.lists)} never overlap (effect at minus infinity)" for a in apart
        ]
        if unseen > _MANY * self.table.size or high > _MANY * _MANY * self.table.size:
            notes.append(f"so far beyond the {self.table.size:,} people counted that it says nothing")
        return Answer(
            method, label, self.table.size + unseen, low, high, "Wald", written, named, note="; ".join(notes),
            bic=float(fits.criterion(self.price)[0]) - 2 * self.saturated,
            aic=float(fits.criterion(2.0)[0]) - 2 * self.saturated,
        )  # fmt: skip

    # ---------------------------------------------------------------------------------------------------- chosen models

    def of_all_models(self) -> list[Answer]:
        """The best of all models by BIC and by AIC, the best with pairs only, and where a walk downhill ends."""
        most = self.options.most
        what = "all models" if most is None else f"interactions of at most {most} lists"
        every = self.every_model()
        bic, aic = every.fits.criterion(self.price), every.fits.criterion(2.0)
        found = [self.best_of_all(every, f"BIC-best ({what})")]
        self.rank(every, bic)
        if self.t > 3:
            pairs = np.array([order(m) <= 2 for m in every.models])
            found.append(self.fitted(every.first(bic, pairs), "bic_best_pairs", "BIC-best (pairs only)"))
        if self.t > 2:
            walk = selection.downhill(self.counts, self.price, most, self.say)
            found.append(self.fitted(walk, "bic_downhill", "BIC downhill from main effects"))
        return [*found, self.fitted(every.first(aic, every.fine), "aic_best", f"AIC-best ({what})")]

    def every_model(self) -> _Fitted:
        """All models of the lists, fitted and checked."""
        models = every_model(self.t, self.options.most)
        self.say("fitting every model", 0, len(models))
        fits = fit(self.counts, as_flags(models, self.t))
        return _Fitted(models, fits, selection.sound(fits, self.counts), self.table.size + fits.hidden)

    def best_of_all(self, every: _Fitted, label: str) -> Answer:
        """The best of all models by BIC, with the bootstrap over that choice."""
        found = self.fitted(every.first(every.fits.criterion(self.price), every.fine), "bic_best", label)
        among = selection.catalogue([m for m, f in zip(every.models, every.fine, strict=True) if f], self.t)
        return self.with_bootstrap(found, lambda x: selection.best_models(x, among, np.log(x.sum(axis=1)))[1])

    def rank(self, every: _Fitted, bic: Floats) -> None:
        """Note the best models by BIC and how many are about as good as the best."""
        places = every.ranked(bic, every.fine)
        self.tried, self.refused = len(every.models), len(every.models) - len(places)
        self.near = sum(1 for j in places if bic[j] <= bic[places[0]] + NEAR)
        self.nearest = [
            self.fitted(every.models[j], "nearest", f"{k} by BIC")
            for k, j in enumerate(places[: max(_SHOWN, self.near)], 1)
        ]

    def of_walks(self) -> list[Answer]:
        """With six lists or more: the models at which walks downhill by BIC and by AIC end."""
        found = []
        for method, label, price in (("bic_best", "BIC", self.price), ("aic_best", "AIC", 2.0)):
            end = selection.downhill(self.counts, price, self.options.most, self.say)
            found.append(self.fitted(end, method, f"{label}-best (downhill from main effects)"))
        return found

    def forward(self, *, only_more: bool = False) -> Answer:
        """Forward selection by p-value, with the bootstrap over it where both sides count, as in the R packages."""
        p = self.options.threshold
        method, label = ("stepwise_more", "Stepwise, larger overlaps only") if only_more else ("stepwise", "Stepwise")
        flags, _ = selection.stepwise(self.counts[None, :], p, only_more)
        found = self.fitted(as_model(flags[0]), method, f"{label} (p < {p:g})")
        return found if only_more else self.with_bootstrap(found, lambda x: selection.stepwise(x, p)[1])

    def with_bootstrap(self, answer: Answer, choose: selection.Choice) -> Answer:
        """The answer with the interval of the bootstrap in place of Wald's, where there is one."""
        if answer.estimate is None or not self.options.replicates:
            return answer
        found = selection.bootstrap(
            self.counts, answer.estimate, choose, self.options.replicates, self.options.seed, self.say
        )
        self.bootstraps[answer.method] = found
        notes = [answer.note] if answer.note else []
        if found.missing:
            notes.append(f"{found.missing} of {found.replicates} replicates have no estimate and are left out")
        if found.low is None:
            return replace(answer, note="; ".join([*notes, f"no BCa interval: {found.why}"]))
        return replace(answer, low=found.low, high=found.high, interval="BCa", note="; ".join(notes))

    def leaving_out(self) -> list[Answer]:
        """The best model by BIC (six lists or more: stepwise) once for each list that is left out."""
        found = []
        for k, name in enumerate(self.table.lists):
            self.say("leaving out one list", k, self.t)
            rest, label = self.table.without(k), f"Without {name}"
            if rest.captured(1) == rest.size:
                found.append(Answer("leaving_out", label, None, refused="the other lists do not overlap"))
                continue
            work = _Work(rest, replace(self.options, replicates=0), quiet)
            chosen = work.best_of_all(work.every_model(), "") if self.t <= ALL_MODELS_UP_TO else work.forward()
            found.append(replace(chosen, method="leaving_out", label=label))
        return found

    # -------------------------------------------------------------------------------------------------- without a model

    def lower_bound(self) -> Answer:
        """Chao's lower bound, bias-corrected."""
        bound = chao(self.table)
        notes = [f"{bound.once:,} people are on one list, {bound.twice:,} on two"]
        notes.append(f"without the factor {bound.lists - 1}/{bound.lists}, as for many lists, {bound.many_lists:,.1f}")
        if bound.classic is not None:
            notes.append(f"in its first form {bound.classic:,.1f}")
        else:
            notes.append("nobody is on exactly two lists, so that it rests on the correction alone")
        label = "Chao's lower bound (bias-corrected)"
        return Answer("chao", label, bound.bound, bound.low, bound.high, "log-normal", note="; ".join(notes))

    def of_two_lists(self) -> list[Answer]:
        """Lincoln and Petersen's estimate, and Chapman's."""
        two = every_pair(self.table)[0]
        plain = f"plain interval {show(two.normal_low)} to {show(two.normal_high)}"
        notes = [f"standard error {show(two.standard_error)}", plain]
        if two.both < 7:
            notes.append("fewer than 7 people are on both lists: its variance is not to be trusted")
        return [
            Answer("lincoln_petersen", "Lincoln-Petersen", two.lincoln_petersen),
            Answer("chapman", "Chapman", two.chapman, two.low, two.high, "log-normal", note="; ".join(notes)),
        ]


# -------------------------------------------------------------------------------------------------------- in a sentence

MODELS = ("main_effects", "bic_best", "bic_best_pairs", "bic_downhill", "aic_best", "stepwise", "stepwise_more")


def disagreement(table: Table, answers: Sequence[Answer], leaving_out: Sequence[Answer]) -> str:
    """One sentence: how far apart the answers are."""
    models = [(a.estimate, a) for a in answers if a.method in MODELS and a.estimate is not None]
    bound = next(a for a in answers if a.method == "chao")
    base = f"Chao's lower bound is {show(bound.estimate)}, and {show(table.size)} people were counted"
    if not models:
        return f"No model has an estimate for these counts; {base}."
    (least, low), (most, high) = min(models, key=lambda m: m[0]), max(models, key=lambda m: m[0])
    if len(table.lists) == 2:
        said = (
            f"Two lists allow one model only, which puts the number of people at {show(least)} if the lists are "
            "independent, and they cannot show whether they are"
        )
    elif most < 1.005 * least:
        said = f"All models chosen put the number of people at {show(least)}"
    else:
        said = (
            f"The models chosen put the number of people between {show(least)} ({_short(low)}) and {show(most)} "
            f"({_short(high)}), a factor of {most / least:.2f}"
        )
    return "; ".join([said, *_moved(leaving_out), base]) + "."


def _moved(leaving_out: Sequence[Answer]) -> list[str]:
    left = sorted((a.estimate, _short(a)) for a in leaving_out if a.estimate is not None)
    if not left:
        return []
    (least, low), (most, high) = left[0], left[-1]
    if len(left) == 1:
        return [f"leaving out one list is possible only for one, and gives {show(least)} ({low})"]
    return [f"leaving out one list moves it between {show(least)} ({low}) and {show(most)} ({high})"]


def _short(answer: Answer) -> str:
    label = answer.label.partition(" (")[0]
    return label if label[1].isupper() else label[0].lower() + label[1:]


def show(number: float | None) -> str:
    """A number of people as it is printed, with no more decimals than it can bear."""
    if number is None:
        return "-"
    if abs(number) >= 1e15:
        return f"{number:.2g}"
    decimals = 0 if float(number).is_integer() or number >= 10_000 else 1 if number >= 100 else 2
    return f"{number:,.{decimals}f}"
