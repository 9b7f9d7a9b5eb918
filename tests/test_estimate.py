"""Estimates from overlapping lists, against published figures, an independent fitter, and what must always hold."""

import csv
import io
import itertools
import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lightwell import estimate as e
from lightwell.cli import app
from lightwell.errors import LightwellError
from lightwell.estimate import models as m
from lightwell.estimate import selection
from lightwell.estimate.fitting import fit
from lightwell.estimate.table import MOST_LISTS

ORIGINALS = Path(__file__).parents[2] / "shared" / "reports" / "multiple_systems"
QUICK = e.Options(replicates=0)

# Facts printed in the documentation of the R packages MultipleSystemsEstimation (Silverman, Chan, Vincent) and Rcapture
# (Baillargeon, Rivest): how many people are on each combination of lists.
KOREA = e.from_histories({"001": 41, "010": 5, "100": 5, "110": 54, "101": 6, "011": 0, "111": 12}, "bcd")
ARTIFICIAL_3 = e.from_histories({"100": 40, "010": 30, "001": 20, "110": 6})
KOSOVO = e.from_histories(
    {
        "1000": 1131, "0100": 845, "0010": 936, "0001": 306, "1100": 177, "1010": 228, "1001": 106, "0110": 217,
        "0101": 31, "0011": 123, "1110": 181, "1101": 18, "1011": 42, "0111": 32, "1111": 27,
    },
    ["EXH", "ABA", "OSCE", "HRW"],
)  # fmt: skip
UKDAT = e.from_histories(
    {
        "100000": 54, "010000": 463, "001000": 907, "000100": 695, "000010": 316, "000001": 57, "110000": 15,
        "101000": 19, "100100": 3, "011000": 56, "010100": 19, "010010": 1, "010001": 3, "001100": 69, "001010": 10,
        "001001": 31, "000110": 8, "000101": 6, "000011": 1, "111000": 1, "110100": 1, "011100": 4, "011001": 3,
        "001101": 1, "111100": 1,
    },
    ["LA", "NG", "PF", "GO", "GP", "NCA"],
)  # fmt: skip
UKDAT_5 = e.from_histories(
    {
        "10000": 54, "01000": 463, "00100": 995, "00010": 695, "00001": 316, "11000": 15, "10100": 19, "10010": 3,
        "01100": 62, "01010": 19, "01001": 1, "00110": 76, "00101": 11, "00011": 8, "11100": 1, "11010": 1, "01110": 4,
        "11110": 1,
    },
    ["LA", "NG", "PFNCA", "GO", "GP"],
)  # fmt: skip
HIV = e.from_histories(
    {
        "1111": 0, "1110": 3, "1101": 1, "1100": 33, "1011": 0, "1010": 20, "1001": 6, "1000": 403, "0111": 3,
        "0110": 35, "0101": 10, "0100": 545, "0011": 11, "0010": 621, "0001": 205,
    },
    ["c1", "c2", "c3", "c4"],
)  # fmt: skip
TABLES = {
    "Artificial_3": ARTIFICIAL_3,
    "Korea": KOREA,
    "Kosovo": KOSOVO,
    "UKdat": UKDAT,
    "UKdat_5": UKDAT_5,
    "HIV": HIV,
}

reports: dict[tuple[str, int], e.Report] = {}


def report(name: str, replicates: int = 0) -> e.Report:
    """The report of a published table, worked out once."""
    if (name, replicates) not in reports:
        reports[name, replicates] = e.estimate(TABLES[name], options=e.Options(replicates=replicates))
    return reports[name, replicates]


def by_method(found: e.Report) -> dict[str, e.Answer]:
    return {a.method: a for a in found.answers}


def fitted(table: e.Table, model: str) -> e.Answer:
    return e.estimate(table, model, QUICK).answers[0]


def rounded(answer: e.Answer) -> tuple[float | None, float | None, float | None]:
    return tuple(None if v is None else round(v) for v in (answer.estimate, answer.low, answer.high))  # type: ignore[return-value]


# ------------------------------------------------------------------------------------------------------------ published


@pytest.mark.parametrize("name", TABLES)
def test_the_counts_here_are_those_of_the_originals(name: str) -> None:
    found = sorted(ORIGINALS.glob(f"*__{name}.csv"))
    if not found:
        pytest.skip(f"the publishers' own tables are not at {ORIGINALS}")
    assert e.read_table(found[0]) == TABLES[name]


def test_korea_has_six_models_and_their_bic_to_the_printed_digits() -> None:
    printed = {
        "[12,23]": (157.1667, 57.14081),
        "[12,3]": (268.7778, 58.96860),
        "[13,23]": (123.4630, 91.89711),
        "[23,1]": (126.1944, 138.06368),
        "[13,2]": (126.9394, 155.16018),
        "[1,2,3]": (141.9926, 184.14431),
    }
    found = report("Korea")
    assert [a.model for a in found.nearest] == list(printed)  # in the order of BIC
    assert {a.model: (round(a.estimate or 0, 4), round(a.bic or 0, 5)) for a in found.nearest} == printed
    assert (found.tried, found.refused) == (8, 2)
    assert by_method(found)["bic_best"].model == "[12,23]"
    assert round(by_method(found)["stepwise"].estimate or 0, 4) == 268.7778


@pytest.mark.parametrize("model", ["[12,13]", "[12,13,23]"])
def test_korea_models_without_a_finite_estimate_are_refused_in_words(model: str) -> None:
    assert e.check(KOREA, e.parse(model, KOREA.lists)) == m.NO_ESTIMATE
    answer = fitted(KOREA, model)
    assert answer.estimate is None and answer.low is None and answer.bic is None
    assert "no finite maximum-likelihood estimate: nobody is exactly on c and d" in answer.refused


def test_korea_bootstrap_over_the_choice_of_model() -> None:
    found = report("Korea", 1000)
    boot = found.bootstraps["bic_best"]
    assert boot.acceleration == pytest.approx(-0.008783628, abs=5e-10)  # printed in the user guide
    assert boot.low == pytest.approx(128, abs=4) and boot.high == pytest.approx(349, abs=35)  # of other random numbers
    assert found.bootstraps["stepwise"].acceleration == pytest.approx(-0.0287733798544, abs=1e-12)  # computed with R
    assert by_method(found)["bic_best"].interval == "BCa"
    again = e.estimate(KOREA, options=e.Options(replicates=1000))
    other = e.estimate(KOREA, options=e.Options(replicates=1000, seed=7))
    assert again.bootstraps == found.bootstraps and other.bootstraps["bic_best"].high != boot.high


@pytest.mark.parametrize(
    ("model", "code", "words"),
    [("[12,13,23]", 2, "not identifiable: 5 effects to be estimated from 4 combinations"), ("[12,3]", 1, "no finite"),
     ("[13,23]", 0, "")],
)  # fmt: skip
def test_artificial_3_has_a_model_for_each_code(model: str, code: int, words: str) -> None:
    parsed = e.parse(model, ARTIFICIAL_3.lists)
    assert e.check(ARTIFICIAL_3, parsed) == code
    why = e.why_refused(ARTIFICIAL_3, parsed)
    assert why.startswith(words) and bool(why) == bool(code)


def test_artificial_3_main_effects() -> None:
    main = by_method(report("Artificial_3"))["main_effects"]
    assert [round(v or 0, 1) for v in (main.estimate, main.low, main.high)] == [539.1, 278.6, 1170.9]


def test_kosovo() -> None:
    found = by_method(report("Kosovo"))
    assert rounded(found["main_effects"]) == (7395, 7173, 7634)
    assert rounded(found["bic_best"])[0] == 10357
    assert found["bic_best"].interactions == "EXH:ABA:OSCE, EXH:HRW, OSCE:HRW"
    assert rounded(found["bic_best_pairs"]) == (14342, 12541, 16540)
    assert found["bic_best_pairs"].interactions == "EXH:ABA, EXH:OSCE, EXH:HRW, ABA:OSCE, OSCE:HRW"
    first = report("Kosovo").pairs[0]
    assert (first.first_count, first.second_count, first.both) == (1910, 1528, 403)
    assert round(first.lincoln_petersen or 0, 1) == 7241.9
    assert (round(first.chapman, 1), round(first.standard_error, 1)) == (7231.5, 273.8)
    bound = report("Kosovo").chao
    assert round(bound.classic or 0, 1) == 10270.5
    assert bound.bound == 4400 + 0.75 * 3218 * 3217 / (2 * 883)
    assert "in its first form 10,270.5" in by_method(report("Kosovo"))["chao"].note


def test_kosovo_acceleration_is_that_of_the_r_package() -> None:
    counts = np.array(KOSOVO.counts, dtype=float)
    among = selection.catalogue(m.every_model(4), 4)
    a = selection.acceleration(counts, lambda x: selection.best_models(x, among, np.log(x.sum(axis=1)))[1])
    assert a == pytest.approx(-0.02402507, abs=5e-9)  # computed with R
    stepwise = selection.acceleration(counts, lambda x: selection.stepwise(x)[1])
    assert stepwise == pytest.approx(-0.0041601994456, abs=1e-12)


def test_ukdat() -> None:
    found = by_method(report("UKdat"))
    assert rounded(found["main_effects"]) == (12214, 10989, 13621)
    assert rounded(found["aic_best"]) == (11252, 9836, 12950)
    assert rounded(found["bic_best"]) == (12350, 10864, 14107)
    assert rounded(found["stepwise_more"]) == (23690, 18767, 30126)
    assert rounded(found["stepwise"])[0] == 11418  # as SparseMSE has it: overlaps smaller than expected count too
    assert found["stepwise"].model == "[12,13,24,25,35,36,45]"


@pytest.mark.slow
def test_ukdat_5() -> None:
    whole = report("UKdat_5", 300)
    found = by_method(whole)
    assert whole.tried == 6893
    assert rounded(found["bic_best"])[0] == 25311  # all models
    assert rounded(found["bic_best_pairs"])[0] == 22991  # interactions of two lists
    assert rounded(found["bic_downhill"])[0] == 12262  # downhill from main effects
    pairs = [a for a in whole.nearest if m.order(m.parse(a.model, whole.lists)) == 2]
    best, second = pairs[:2]
    assert (rounded(best)[0], rounded(second)[0]) == (22991, 12262)
    assert (second.bic or 0) - (best.bic or 0) == pytest.approx(0.95, abs=0.01)
    assert found["bic_best"].low == pytest.approx(11168, rel=0.15)  # printed, of other random numbers
    assert found["bic_best"].high == pytest.approx(56052, rel=0.2)
    assert len(whole.leaving_out) == 5 and all(a.estimate for a in whole.leaving_out)


def test_ukdat_5_with_pairs_only() -> None:
    found = by_method(e.estimate(UKDAT_5, options=e.Options(most=2, replicates=0)))
    assert rounded(found["bic_best"])[0] == 22991
    assert found["bic_best"].label == "BIC-best (interactions of at most 2 lists)"


def test_rome_hiv() -> None:
    found = by_method(report("HIV"))
    assert rounded(found["main_effects"]) == (11125, 9520, 13068)
    assert found["bic_best"].model == "[1,2,3,4]" and round(found["bic_best"].bic or 0, 2) == 117.80
    best = found["aic_best"]
    assert best.interactions == "c1:c2" and (best.low, best.high) == pytest.approx((10238, 14919), abs=0.5)
    assert round(best.estimate or 0, 2) == 12318.47  # R too; printed elsewhere as 12,319
    assert (round(best.aic or 0, 2), round(best.bic or 0, 2)) == (86.65, 119.93)
    pair = report("HIV").pairs[0]
    assert (pair.first_count, pair.second_count, pair.both) == (466, 630, 37)
    assert [round(v or 0, 1) for v in (pair.lincoln_petersen, pair.chapman, pair.standard_error)] == [
        7934.6, 7753.7, 1153.8,
    ]  # fmt: skip


def test_the_textbook() -> None:
    two = e.two_lists(10, 15, 5)
    assert two.lincoln_petersen == 30 and round(two.chapman, 2) == 28.33
    assert two.variance == pytest.approx(11 * 16 * 5 * 10 / (36 * 7))
    assert 20 <= two.low < two.chapman < two.high
    assert two.normal_low == pytest.approx(two.chapman - 1.959964 * math.sqrt(two.variance), abs=1e-5)
    found = by_method(e.estimate(e.from_histories({"10": 5, "01": 10, "11": 5}), options=QUICK))
    assert found["lincoln_petersen"].estimate == 30 and found["main_effects"].estimate == pytest.approx(30)
    assert "fewer than 7 people" in found["chapman"].note


def test_two_lists_say_that_they_cannot_be_checked() -> None:
    found = e.estimate(e.from_histories({"10": 5, "01": 10, "11": 5}), options=QUICK)
    assert found.disagreement.startswith("Two lists allow one model only, which puts the number of people at 30")


# ------------------------------------------------------------------------------------------------ models and their fits


def test_every_hierarchical_model_is_counted_once() -> None:
    assert [len(m.every_model(t)) for t in (2, 3, 4, 5)] == [1, 8, 113, 6893]
    assert [len(m.every_model(t, 2)) for t in (2, 3, 4, 5)] == [1, 8, 64, 1024]
    for model in m.every_model(4):
        assert m.closure(list(model), 4) == model
        assert m.parse(m.notation(model), "wxyz") == model
    assert len(set(m.every_model(4))) == 113


def test_models_are_written_as_in_r_and_read_by_number_or_name() -> None:
    lists = ["EXH", "ABA", "OSCE", "HRW"]
    model = m.parse("[123,14]", lists)
    assert m.notation(model) == "[123,14]" and m.in_words(model, lists) == "EXH:ABA:OSCE, EXH:HRW"
    assert m.parse("[EXH:HRW, ABA:OSCE:EXH]", lists) == model
    assert m.notation(m.parse("[12]", lists)) == "[12,3,4]"  # main effects are always in
    assert m.notation(m.main_effects(10)) == "[1,2,3,4,5,6,7,8,9,10]"
    assert m.parse("[1.10,2.3]", [f"L{k}" for k in range(10)]) == m.closure([0b1000000001, 0b110], 10)


@pytest.mark.parametrize(
    ("text", "words"),
    [("[15]", "'5' is neither the name of a list nor a number from 1 to 4"), ("[1234]", "cannot be told"),
     ("[11]", "names a list twice"), ("[EXH:XYZ]", "'XYZ'"), ("[1-2]", "neither")],
)  # fmt: skip
def test_a_model_that_cannot_be_read_is_refused(text: str, words: str) -> None:
    with pytest.raises(e.ModelError, match=words):
        m.parse(text, ["EXH", "ABA", "OSCE", "HRW"])


@pytest.mark.slow
def test_fits_are_those_of_statsmodels() -> None:
    sm = pytest.importorskip("statsmodels.api")
    counts = np.array(KOSOVO.counts, dtype=float)
    for model in m.every_model(4)[::20]:
        design = m.lattice(4).within[1:][:, sorted(model)]
        theirs = sm.GLM(counts[1:], design, family=sm.families.Poisson()).fit(tol=1e-12)
        ours = fit(counts, m.as_flags([model], 4))
        assert ours.hidden[0] == pytest.approx(math.exp(theirs.params[0]), rel=1e-8)
        assert ours.deviance[0] == pytest.approx(theirs.deviance, rel=1e-8, abs=1e-8)
        assert ours.spread(0) == pytest.approx(theirs.bse[0], rel=1e-6)
        answer = fitted(KOSOVO, m.notation(model))
        assert answer.aic == pytest.approx(theirs.aic) and answer.bic == pytest.approx(
            -2 * theirs.llf + len(model) * math.log(4400)
        )


def test_a_fit_that_does_not_converge_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightwell.estimate.fitting._ROUNDS", 1)
    answer = fitted(KOREA, "[12,23]")
    assert answer.estimate is None and "did not converge" in answer.refused


def test_a_pair_that_never_overlaps_is_dropped_and_still_counted() -> None:
    answer = fitted(ARTIFICIAL_3, "[13,23]")  # what is left is A and B alone: 40, 30 and 6 on both; C adds its 20
    assert answer.estimate == pytest.approx(96 + 40 * 30 / 6)
    likelihood = sum(n * math.log(n) - n - math.lgamma(n + 1) for n in (40, 30, 20, 6))
    assert answer.bic == pytest.approx(-2 * likelihood + 6 * math.log(96))  # 1 + 3 lists + 2 pairs at minus infinity
    assert "A:C never overlap (effect at minus infinity)" in answer.note


def naive_exists(table: e.Table, model: m.Model) -> bool:
    """Fienberg and Rinaldo's programme: the largest s of a table with the same statistics and every cell >= s."""
    from scipy.optimize import linprog

    effects = [a for a in model if table.on(a)]
    gone = [a for a in model if not table.on(a)]
    cells = [h for h in range(1, len(table.counts)) if not any(h & a == a for a in gone)]
    design = np.array([[float(h & a == a) for h in cells] for a in effects])
    seen = np.array([float(table.counts[h] > 0) for h in cells])
    solved = linprog(
        [0.0] * len(cells) + [-1.0],
        A_eq=np.hstack([design, np.zeros((len(effects), 1))]),
        b_eq=design @ seen,
        A_ub=np.hstack([-np.eye(len(cells)), np.ones((len(cells), 1))]),
        b_ub=np.zeros(len(cells)),
        bounds=[(None, None)] * (len(cells) + 1),
    )
    return bool(solved.status == 3 or -solved.fun > 1e-7)


def naive_full_rank(table: e.Table, model: m.Model) -> bool:
    effects = [a for a in model if table.on(a)]
    gone = [a for a in model if not table.on(a)]
    cells = [h for h in range(1, len(table.counts)) if not any(h & a == a for a in gone)]
    return bool(np.linalg.matrix_rank(np.array([[h & a == a for a in effects] for h in cells], float)) == len(effects))


sparse_counts = st.lists(st.sampled_from([0, 0, 0, 1, 2, 9, 60]), min_size=7, max_size=7)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(sparse_counts)
def test_existence_and_identifiability_are_those_of_the_plain_definitions(counts: list[int]) -> None:
    assume(sum(counts))
    table = e.Table(("A", "B", "C"), (0, *counts))
    for model in m.every_model(3):
        exists, full = naive_exists(table, model), naive_full_rank(table, model)
        assert e.check(table, model) == (not exists) + 2 * (not full)


@pytest.mark.slow
def test_existence_on_five_lists_is_that_of_the_plain_definitions() -> None:
    counts = np.array(UKDAT_5.counts, dtype=float)
    every = m.every_model(5)
    fine = selection.sound(fit(counts, m.as_flags(every, 5)), counts)
    doubtful = np.flatnonzero(~fine)
    for j in [*doubtful[::4], *np.flatnonzero(fine)[::200]]:
        expected = naive_exists(UKDAT_5, every[j]) and naive_full_rank(UKDAT_5, every[j])
        assert bool(fine[j]) == expected, m.notation(every[j])


# ------------------------------------------------------------------------------------------------------------ searching


@pytest.mark.parametrize(("table", "tables"), [(KOSOVO, 30), (HIV, 30), (KOREA, 60), (ARTIFICIAL_3, 60)])
def test_the_search_with_bounds_finds_what_fitting_every_model_finds(table: e.Table, tables: int) -> None:
    check_search(table, tables, range(len(m.every_model(len(table.lists)))))


@pytest.mark.slow
def test_the_search_with_bounds_over_five_lists() -> None:
    check_search(UKDAT_5, 6, range(6893))


def check_search(table: e.Table, tables: int, places: range) -> None:
    t = len(table.lists)
    counts = np.array(table.counts, dtype=float)
    among = selection.catalogue([m.every_model(t)[k] for k in places], t)
    drawn = np.random.default_rng(3).multinomial(table.size, counts / table.size, size=tables).astype(float)
    price = np.log(drawn.sum(axis=1))
    chosen, people = selection.best_models(drawn, among, price)
    for row, x in enumerate(drawn):
        fits = fit(x, among.flags)
        value = np.where(selection.sound(fits, x), fits.criterion(price[row]), np.inf)
        assert value[chosen[row]] == pytest.approx(value.min(), abs=1e-7)
        assert people[row] == pytest.approx(x.sum() + fits.hidden[chosen[row]], rel=1e-6)


def test_bounds_leave_few_models_to_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    fits: list[int] = []
    monkeypatch.setattr(selection, "fit", lambda x, flags: (fits.append(len(flags)), fit(x, flags))[1])
    counts = np.array([UKDAT_5.counts], dtype=float)
    selection.best_models(counts, selection.catalogue(m.every_model(5), 5), np.log(counts.sum(axis=1)))
    assert sum(fits) < 400  # of 6,893


def test_a_floor_is_below_every_deviance() -> None:
    counts = np.array([KOSOVO.counts], dtype=float)
    among = selection.catalogue(m.every_model(4), 4)
    floors = selection._floors(counts, among)[0]
    deviances = fit(counts, among.flags).deviance
    assert (floors <= deviances + 1e-9).all() and (floors > 0.3 * deviances).sum() > 60


def test_bca_corrects_for_bias_and_skewness() -> None:
    people = np.linspace(0, 1000, 1001)
    low, high, _ = selection.bca(people, 500.5, 0.0)
    assert (low, high) == pytest.approx((25, 975), abs=1.5)
    shifted = selection.bca(people, 600.5, 0.0)
    skewed = selection.bca(people, 500.5, 0.05)
    assert shifted[0] > low and skewed[0] > low and skewed[1] > high  # type: ignore[operator]
    assert selection.bca(people, 2000, 0.0)[2] == "all replicates lie on one side of the estimate"
    assert "acceleration" in selection.bca(people, 500.5, float("nan"))[2]


# ------------------------------------------------------------------------------------------------ what must always hold


def permuted(table: e.Table, order: tuple[int, ...]) -> e.Table:
    """The same table with its lists in another order."""
    counts = [0] * len(table.counts)
    for history, n in enumerate(table.counts):
        counts[sum(1 << place for place, k in enumerate(order) if history >> k & 1)] = n
    return e.Table(tuple(table.lists[k] for k in order), tuple(counts))


def estimates(table: e.Table) -> dict[str, float | None]:
    found = e.estimate(table, options=QUICK)
    return {a.method + a.label: a.estimate for a in found.answers} | {a.label: a.estimate for a in found.leaving_out}


def same(one: Mapping[str, float | None], other: Mapping[str, float | None], times: float = 1.0) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert (value is None) == (other[name] is None), name
        assert value is None or value * times == pytest.approx(other[name], rel=1e-6), name


counts_of_three = st.lists(st.integers(0, 60), min_size=7, max_size=7)
slowly = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@slowly
@given(counts_of_three, st.permutations([0, 1, 2]))
def test_the_order_of_the_lists_changes_nothing(counts: list[int], order: list[int]) -> None:
    table = e.Table(("A", "B", "C"), (0, *counts))
    assume(sum(counts) and table.captured(1) < table.size and all(table.on(1 << k) for k in range(3)))
    same(estimates(table), estimates(permuted(table, tuple(order))))


@pytest.mark.parametrize("name", ["Kosovo", "HIV", "Korea"])
def test_the_order_of_the_lists_changes_nothing_in_published_tables(name: str) -> None:
    table = TABLES[name]
    order = tuple(reversed(range(len(table.lists))))
    same(estimates(table), estimates(permuted(table, order)))


@slowly
@given(counts_of_three)
def test_an_empty_list_changes_nothing(counts: list[int]) -> None:
    table = e.Table(("A", "B", "C"), (0, *counts))
    assume(sum(counts) and table.captured(1) < table.size and all(table.on(1 << k) for k in range(3)))
    more = e.Table(("A", "B", "Z", "C"), tuple(table.counts[h & 3 | h >> 1 & 4] if not h & 4 else 0 for h in range(16)))
    same(estimates(table), estimates(more))


def test_an_empty_list_is_left_out_of_a_given_model_too() -> None:
    more = e.from_histories({"0001": 41, "0010": 5, "1000": 5, "1010": 54, "1001": 6, "1011": 12}, "bxcd")
    found = e.estimate(more, "[13,34,12]", QUICK)  # b:c, c:d and b:x
    assert found.answers[0].estimate == pytest.approx(157.1667, abs=1e-4)
    assert found.notes == ("nobody is on x: left out, which changes no estimate",)


def test_ten_times_the_counts_give_ten_times_the_people() -> None:
    for model in ("[12,3]", "[12,23]", "[1,2,3]"):
        ten = e.Table(KOREA.lists, tuple(10 * n for n in KOREA.counts))
        one, more = fitted(KOREA, model), fitted(ten, model)
        assert more.estimate == pytest.approx(10 * (one.estimate or 0), rel=1e-9)
        assert (more.high or 0) - (more.low or 0) < 10 * ((one.high or 0) - (one.low or 0)) / 2


def test_chapman_is_nearly_unbiased_for_independent_lists() -> None:
    rng, people = np.random.default_rng(11), 500
    first, second = rng.random((4000, people)) < 0.3, rng.random((4000, people)) < 0.4
    counts = zip(first.sum(axis=1), second.sum(axis=1), (first & second).sum(axis=1), strict=True)
    found = [e.two_lists(int(a), int(b), int(both)) for a, b, both in counts]
    mean = np.mean([f.chapman for f in found])
    spread = np.std([f.chapman for f in found])
    assert abs(mean - people) < 3  # Lincoln and Petersen's is higher
    assert np.mean([f.lincoln_petersen for f in found]) > mean + 2
    assert np.mean([f.standard_error for f in found]) == pytest.approx(spread, rel=0.05)
    inside = np.mean([f.low <= people <= f.high for f in found])
    assert 0.93 < inside < 0.98


awkward = st.sampled_from([0, 0, 0, 1, 1, 3, 40, 10**7])


def test_chao_stays_below_the_truth_when_people_differ() -> None:
    rng, people, t = np.random.default_rng(12), 2000, 4
    bounds = []
    for _ in range(200):
        chance = rng.beta(1, 6, size=people)[:, None]
        histories = ((rng.random((people, t)) < chance) * (1 << np.arange(t))).sum(axis=1)
        counts = np.bincount(histories, minlength=1 << t)
        counts[0] = 0
        bounds.append(e.chao(e.Table(tuple("ABCD"), tuple(int(n) for n in counts))))
    assert np.mean([b.bound for b in bounds]) < people * 0.95
    assert all(b.low <= b.bound <= b.high and b.bound < b.many_lists for b in bounds)
    equal = rng.random((people, t)) < 0.15  # all alike: then the bound is the number itself
    counts = np.bincount((equal * (1 << np.arange(t))).sum(axis=1), minlength=1 << t)
    assert e.chao(e.Table(tuple("ABCD"), (0, *map(int, counts[1:])))).bound == pytest.approx(people, rel=0.08)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(2, 4).flatmap(lambda t: st.lists(awkward, min_size=2**t - 1, max_size=2**t - 1)))
def test_any_table_gives_an_answer_or_a_refusal_in_words(counts: list[int]) -> None:
    t = (len(counts) + 1).bit_length() - 1
    table = e.Table(tuple("ABCD"[:t]), (0, *counts))
    assume(sum(counts))
    try:
        found = e.estimate(table, options=e.Options(replicates=10))
    except LightwellError as error:
        assert "no estimate" in str(error) or "needs two" in str(error)
        return
    for answer in [*found.answers, *found.leaving_out]:
        if answer.estimate is None:
            assert answer.refused or answer.method == "lincoln_petersen"
            continue
        assert math.isfinite(answer.estimate) and answer.estimate >= 0
        assert answer.estimate < 1e4 * table.size**2 or answer.note
        if answer.method not in ("leaving_out",):
            assert answer.estimate >= table.size - 1e-6
        if answer.interval in ("Wald", "log-normal"):
            assert answer.low is not None and answer.high is not None
            assert answer.low - 1e-6 * table.size <= answer.estimate <= answer.high * (1 + 1e-9)
    json.dumps(e.as_json(found), allow_nan=False)
    assert e.as_text(found).count("disagree") >= 1


# ------------------------------------------------------------------------------------------------------- awkward tables


def test_no_overlap_at_all_is_refused() -> None:
    with pytest.raises(e.EstimateError, match="none of the 90 people counted is on two lists"):
        e.estimate(e.from_histories({"100": 40, "010": 30, "001": 20}))


def test_one_list_with_everybody_is_refused_for_every_model() -> None:
    found = e.estimate(e.from_histories({"100": 40, "110": 30, "101": 20, "111": 4}), options=QUICK)
    for method in ("main_effects", "bic_best", "aic_best", "stepwise"):
        assert by_method(found)[method].estimate is None and "no finite" in by_method(found)[method].refused
    assert found.disagreement.startswith("No model has an estimate for these counts")
    assert by_method(found)["chao"].estimate is not None


def test_a_list_inside_another_two_lists() -> None:
    found = by_method(e.estimate(e.from_histories({"10": 40, "01": 0, "11": 30}), options=QUICK))
    assert found["lincoln_petersen"].estimate == 70 == found["chapman"].estimate
    assert found["main_effects"].estimate is None


def test_a_list_inside_another_of_three() -> None:
    table = e.from_histories({"100": 40, "001": 30, "110": 9, "101": 6, "111": 3})  # B lies within A
    assert e.check(table, e.parse("[12,3]", table.lists)) == m.NO_ESTIMATE
    assert by_method(e.estimate(table, options=QUICK))["main_effects"].estimate is not None


def test_one_person_on_two_lists() -> None:
    found = e.estimate(e.from_histories({"110": 1}), options=e.Options(replicates=20))
    assert all(a.estimate is None for a in found.answers if a.method in ("main_effects", "bic_best", "stepwise"))


def test_nobody_on_exactly_two_lists_is_said_of_chao() -> None:
    found = by_method(e.estimate(e.from_histories({"100": 9, "010": 8, "001": 7, "111": 5}), options=QUICK))
    assert "rests on the correction alone" in found["chao"].note


def test_huge_counts() -> None:
    scale = 10**8
    big = e.Table(KOSOVO.lists, tuple(n * scale for n in KOSOVO.counts))
    found = by_method(e.estimate(big, options=e.Options(replicates=50)))
    assert found["main_effects"].estimate == pytest.approx(7394.61 * scale, rel=1e-5)
    assert found["stepwise"].estimate is not None  # every p-value is 0 to a computer: the logs still order them


@pytest.mark.parametrize("t", [6, 7, pytest.param(8, marks=pytest.mark.slow)])
def test_many_lists(t: int) -> None:
    rng = np.random.default_rng(t)
    chance = rng.uniform(0.05, 0.3, t)
    seen = rng.random((4000, t)) < chance
    counts = np.bincount((seen * (1 << np.arange(t))).sum(axis=1), minlength=1 << t)
    table = e.Table(tuple("ABCDEFGH"[:t]), (0, *map(int, counts[1:])))
    found = e.estimate(table, options=e.Options(replicates=20))
    assert by_method(found)["main_effects"].estimate == pytest.approx(4000, rel=0.1)
    assert len(found.leaving_out) == t and len(found.pairs) == t * (t - 1) // 2
    assert "downhill" in by_method(found)["bic_best"].label and found.bootstraps["stepwise"].low is not None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"most": 0}, "main effects"), ({"threshold": 1.5}, "p-value"), ({"replicates": -1}, "replicates"),
     ({"replicates": 10**6}, "at most"), ({"seed": -1}, "seed")],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, int], words: str) -> None:
    with pytest.raises(e.EstimateError, match=words):
        e.Options(**wrong)  # type: ignore[arg-type]


# -------------------------------------------------------------------------------------------------------------- reading


def read(folder: Path, text: str, count: str | None = None) -> e.Table:
    file = folder / "lists.csv"
    file.write_text(text, encoding="utf-8")
    return e.read_table(file, count)


SHAPES = {
    "as in R": "b,c,d,Count\n0.0,0.0,1.0,41.0\n0,1,0,5\n1,0,0,5\n1,1,0,54\n1,0,1,6\n0,1,1,0\n1,1,1,12\n",
    "count first, TRUE and FALSE": "n,b,c,d\n41,FALSE,FALSE,TRUE\n5,FALSE,TRUE,FALSE\n5,TRUE,FALSE,FALSE\n54,TRUE,TRUE,FALSE\n6,TRUE,FALSE,TRUE\n12,TRUE,TRUE,TRUE\n",  # noqa: E501
    "semicolons and a byte order mark": "\ufeffb;c;d;freq\n0;0;1;41\n0;1;0;5\n1;0;0;5\n1;1;0;54\n1;0;1;6\n1;1;1;12\n",
    "tabs": "b\tc\td\tFrequency\n0\t0\t1\t41\n0\t1\t0\t5\n1\t0\t0\t5\n1\t1\t0\t54\n1\t0\t1\t6\n1\t1\t1\t12\n",
    "row numbers of R": '"","b","c","d","Count"\n"1",0,0,1,41\n"2",0,1,0,5\n"3",1,0,0,5\n"4",1,1,0,54\n"5",1,0,1,6\n"6",1,1,1,12\n',  # noqa: E501
    "nobody on no list": "b,c,d,count\n0,0,0,NA\n0,0,1,41\n0,1,0,5\n1,0,0,5\n1,1,0,54\n1,0,1,6\n1,1,1,12\n",
    "count of another name": "b,c,d,how many\n0,0,1,41\n0,1,0,5\n1,0,0,5\n1,1,0,54\n1,0,1,6\n1,1,1,12\n",
    "comments": "# from a report\nb,c,d,count\n0,0,1,41\n0,1,0,5\n1,0,0,5\n1,1,0,54\n1,0,1,6\n\n1,1,1,12\n",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_that_are_read(shape: str, tmp_path: Path) -> None:
    found = read(tmp_path, SHAPES[shape])
    assert (found.lists, found.counts) == (KOREA.lists, KOREA.counts)


@pytest.mark.parametrize("name", ["history", "pattern", "Capture_History", "ch"])
def test_a_column_of_histories_is_read(name: str, tmp_path: Path) -> None:
    text = f"{name},count\n001,41\n010,5\n100,5\n1 1 0,54\n'101',6\n111,\"12\"\n"
    found = read(tmp_path, text)
    assert found.lists == ("A", "B", "C") and found.counts == KOREA.counts


def test_thousands_and_repeated_rows(tmp_path: Path) -> None:
    found = read(tmp_path, 'A,B,count\n1,0,"1,131"\n0,1,12\n1,1,3\n1,1,4\n')
    assert found.counts == (0, 1131, 12, 7) and "repeat a history" in found.notes[0]


def test_small_tables_whose_counts_are_all_one_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, "A,B,count\n1,0,1\n0,1,1\n1,1,1\n").size == 3


PEOPLE = {
    "a row for each person": ("A,B\n1,0\n0,1\n1,1\n1,0\n", "no count column"),
    "a count of one": ("A,B,count\n1,0,1\n1,0,1\n1,1,1\n0,1,1\n", "one row for each person"),
    "many rows of one": (
        "A,B,C,D,n\n" + "".join(f"{a},{b},{c},1,1\n" for a, b, c in itertools.product("01", repeat=3)),
        "all 8 rows count 1",
    ),
    "case numbers": ("A,B,no\n1,0,1\n0,1,2\n1,1,3\n", "numbers of cases"),
    "an id": ("victim_id,A,B,count\n7,1,0,1\n8,0,1,1\n", "never records of people"),
    "a name": ("Name,A,B,count\nx,1,0,1\ny,0,1,1\n", "never records of people"),
    "a birth date": ("date of birth,A,B,count\n2001-01-01,1,0,1\n", "never records of people"),
    "text beside the lists": ("A,B,town,count\n1,0,Leeds,5\n0,1,York,4\n", "neither 0 nor 1"),
    "other numbers": ("A,B,weeks,visits\n1,0,12,3\n0,1,11,2\n", "hold other things than 0 and 1"),
}


@pytest.mark.parametrize("kind", PEOPLE)
def test_records_of_people_are_never_read(kind: str, tmp_path: Path) -> None:
    text, words = PEOPLE[kind]
    with pytest.raises(e.TableError, match=words):
        read(tmp_path, text)


WRONG = {
    "empty": ("", "has no rows"),
    "header only": ("A,B,count\n", "has no rows"),
    "no header": ("1,0,5\n0,1,4\n", "must name the lists"),
    "one list": ("A,count\n1,5\n0,0\n", "needs two lists"),
    "ragged": ("A,B,count\n1,0\n", "row 2 has 2 cells"),
    "twins": ("A,a,count\n1,0,5\n", "a name of its own"),
    "a negative count": ("A,B,count\n1,0,-5\n0,1,3\n", "not a whole number"),
    "a fraction": ("A,B,count\n1,0,5.5\n0,1,3\n", "not a whole number"),
    "a suppressed cell": ("A,B,count\n1,0,<10\n0,1,3\n", "suppressed or rounded"),
    "a missing count": ("A,B,count\n1,0,\n0,1,3\n", "not a whole number"),
    "people on no list": ("A,B,count\n0,0,7\n1,0,5\n0,1,3\n", "on no list: that is the number to be estimated"),
    "nobody": ("A,B,count\n1,0,0\n0,1,0\n", "nobody was counted"),
    "lost zeros": ("history,count\n1,5\n10,4\n11,3\n", "neither 0 nor 1|differ in length"),
    "lengths": ("history,count\n100,5\n010,4\n11,3\n", "differ in length"),
    "half a digit": ("A,B,count\n2,0,5\n0,1,3\n", "neither 0 nor 1|hold other things"),
    "two counts": ("A,B,count,n\n1,0,5,6\n0,1,3,4\n", "name the count column|name it with --count|hold other things"),
    "a formula": ("=A,B,count\n1,0,5\n0,1,3\n", "a list's name"),
    "more people than there are": ("A,B,count\n1,0,9999999999999\n0,1,3\n", "more people than there are"),
    "binary": ("A,B\0,count\n1,0,5\n", "not a text file"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_tables_that_cannot_be_read_are_refused_in_words(kind: str, tmp_path: Path) -> None:
    text, words = WRONG[kind]
    with pytest.raises(e.TableError, match=words):
        read(tmp_path, text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(e.TableError, match="cannot be read"):
        e.read_table(tmp_path / "missing.csv")
    (tmp_path / "latin.csv").write_bytes("Äpfel,B,count\n1,0,5\n".encode("latin-1"))
    with pytest.raises(e.TableError, match="not UTF-8"):
        e.read_table(tmp_path / "latin.csv")
    (tmp_path / "big.csv").write_bytes(b"A,B,count\n" + b"1,0,5\n" * 400_000)
    with pytest.raises(e.TableError, match="never a row for each person"):
        e.read_table(tmp_path / "big.csv")
    wide = ",".join(f"L{k}" for k in range(MOST_LISTS + 1))
    with pytest.raises(e.TableError, match="at most 10"):
        read(tmp_path, f"{wide},count\n{'1,' * (MOST_LISTS + 1)}5\n")


def test_the_count_column_can_be_named(tmp_path: Path) -> None:
    assert read(tmp_path, "A,B,seen\n1,0,1\n0,1,2\n1,1,3\n", "seen").counts == (0, 1, 2, 3)
    with pytest.raises(e.TableError, match="there is no column 'x'"):
        read(tmp_path, "A,B,seen\n1,0,1\n0,1,2\n", "x")


# ----------------------------------------------------------------------------------------------------- the command line


def korea_csv(folder: Path) -> str:
    file = folder / "korea.csv"
    file.write_text(SHAPES["as in R"])
    return str(file)


def run(*arguments: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["estimate", *arguments])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.stdout


def test_the_command_shows_every_answer_and_the_caveats(tmp_path: Path) -> None:
    code, text = run(korea_csv(tmp_path), "--bootstrap", "100")
    assert code == 0
    for words in (
        "123 people counted on 3 lists: 1 b, 2 c, 3 d", "Main effects", "BIC-best", "AIC-best", "Stepwise (p < 0.02)",
        "Chao's lower bound", "Without b", "Without d", "Lincoln-Petersen", "57.14081", "factor of 1.89",
        "Whitehead, Jackson, Balch and Francis (2021)", "closed population", "100 replicates, seed 1234",
    ):  # fmt: skip
        assert words in " ".join(text.split()), words


def test_json_and_csv_hold_the_same(tmp_path: Path) -> None:
    file = korea_csv(tmp_path)
    code, text = run(file, "--json", "--bootstrap", "50", "--seed", "3")
    found = json.loads(text)
    best = next(a for a in found["answers"] if a["method"] == "bic_best")
    assert code == 0 and best["estimate"] == pytest.approx(157.1667, abs=1e-4)
    assert found["bootstraps"]["bic_best"]["seed"] == 3 and found["caveats"] and found["models"]["tried"] == 8
    code, text = run(file, "--csv", "--bootstrap", "50", "--seed", "3")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == e.COLUMNS and {r["section"] for r in rows} == {
        "answer",
        "leaving_out",
        "nearest",
        "two_lists",
    }
    same_best = next(r for r in rows if r["method"] == "bic_best")
    assert float(same_best["high"]) == pytest.approx(best["high"], abs=1e-5)
    assert run(file, "--csv", "--json")[0] == 2


def test_a_refused_model_ends_with_1(tmp_path: Path) -> None:
    code, text = run(korea_csv(tmp_path), "--model", "[b:c,b:d]", "--bootstrap", "0")
    assert code == 1 and "refused" in text and "no finite maximum-likelihood estimate" in text
    code, text = run(korea_csv(tmp_path), "--model", "[12,3]", "--bootstrap", "0")
    assert code == 0 and "The model asked for, [12,3]" in text and "268.8" in text


def test_errors_are_one_line(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("id,A,B\n1,1,0\n2,0,1\n")
    command = [Path(sys.executable).with_name("lightwell"), "estimate", file]
    env = {k: v for k, v in os.environ.items() if not k.startswith("LIGHTWELL_")}
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert found.returncode == 1 and "Traceback" not in found.stderr and found.stdout == ""
    assert "never records of people" in found.stderr


def test_a_forest_plot_is_drawn(tmp_path: Path) -> None:
    svg, png = tmp_path / "forest.svg", tmp_path / "forest.png"
    assert run(korea_csv(tmp_path), "--bootstrap", "0", "--plot", str(svg))[0] == 0
    drawn = svg.read_text()
    assert "157.2 (133.0 - 239.4, Wald)" in drawn and "Main effects (lists independent)" in drawn
    assert "Whitehead" in drawn and "123 people counted" in drawn
    greys = set(__import__("re").findall(r"#[0-9a-fA-F]{3,6}\b", drawn))
    assert all(len({*c[1:]}) == 1 or c[1:3] == c[3:5] == c[5:7] for c in greys), greys
    e.draw(report("Artificial_3"), png)  # with answers that were refused
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and png.stat().st_size > 20_000
    e.draw(report("Artificial_3"), tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == png.read_bytes()
    with pytest.raises(LightwellError, match=r"\.svg or \.png"):
        e.draw(report("Korea"), tmp_path / "forest.pdf")
    with pytest.raises(LightwellError, match="could not be written"):
        e.draw(report("Korea"), tmp_path / "no" / "forest.svg")
