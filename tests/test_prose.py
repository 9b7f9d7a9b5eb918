"""Numbers in running text: read as meant, with unit, comparator and precision; what is no number is left out."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightwell.prose import Number, numbers, printed_step, sentences


def only(text: str) -> Number:
    (found,) = numbers(text)
    return found


VALUES: dict[str, tuple[float, str, str]] = {  # text: value, comparator, unit
    "six children were found": (6, "=", ""),
    "twenty-five reports": (25, "=", ""),
    "two hundred and fifty thousand files": (250_000, "=", ""),
    "about a quarter of a million reports": (250_000, "~", ""),
    "more than half a million reports": (500_000, ">", ""),
    "a hundred dollars": (100, "=", "usd"),
    "69 million files": (69_000_000, "=", ""),
    "32.1 M reports": (32_100_000, "=", ""),
    "5k accounts": (5_000, "=", ""),
    "US$5.2bn": (5_200_000_000, "=", "usd"),
    "up to a £100": (100, "<=", "gbp"),
    "€50": (50, "=", "eur"),
    "over 120 million pesos": (120_000_000, ">", "php"),
    "over 50% of them": (50, ">", "percent"),
    "9 per cent": (9, "=", "percent"),
    "over half of the victims": (50, ">", "percent"),
    "a third of the reports": (100 / 3, "=", "percent"),
    "one in five children": (20, "=", "percent"),
    "1 in 100 children": (1, "=", "percent"),
    "more than 12 fold": (12, ">", "fold"),
    "12-fold": (12, "=", "fold"),
    "3.5 times": (3.5, "=", "fold"),
    "twofold": (2, "=", "fold"),
    "19+ countries": (19, ">=", ""),
    "at least 300,000 people": (300_000, ">=", ""),
    "1,000 or more cases": (1_000, ">=", ""),
    "fewer than 50 reports": (50, "<", ""),
    "close to 60 victims": (60, "~", ""),
    "as long as four years": (4, "<=", "year"),
    "over a five year period": (5, "=", "year"),
    "none of the reports": (0, "=", ""),
    "tier one": (1, "=", "tier"),
    "2000 reports": (2_000, "=", ""),
    "Tier 1 in the list": (1, "=", "tier"),
}


@pytest.mark.parametrize("text", VALUES)
def test_a_number_is_read_with_its_comparator_and_unit(text: str) -> None:
    found = only(text)
    assert (found.low, found.comparator, found.unit) == (pytest.approx(VALUES[text][0]), *VALUES[text][1:])
    assert found.kind == "quantity"
    assert text[found.start : found.end] == found.text


RANGES = {
    "550,000-850,000 people": (550_000, 850_000),
    "between 5 and 10 million reports": (5_000_000, 10_000_000),
    "4%-5%": (4, 5),
    "$10 or $20": (10, 20),
    "one year or two years": (1, 2),
}


@pytest.mark.parametrize("text", RANGES)
def test_two_ends_are_one_number(text: str) -> None:
    assert (only(text).low, only(text).high) == RANGES[text]


def test_a_count_in_a_year_is_no_share() -> None:
    assert [(n.low, n.kind) for n in numbers("rose by 3 in 2021")] == [(3, "quantity"), (2021, "year")]


def test_two_currencies_are_no_range_and_what_up_to_says_holds_for_both() -> None:
    found = numbers("$10 or $20 up to a £100 or $200 per livestream")
    assert [(n.low, n.high, n.unit, n.comparator) for n in found] == [
        (10, 20, "usd", "="),
        (100, 100, "gbp", "<="),
        (200, 200, "usd", "<="),
    ]
    assert found[2].rate_per == "livestream"


@pytest.mark.parametrize(
    ("text", "rates"),
    {
        "48,000 cases a week, which is 250,000 a year": ["week", "year"],
        "120 million pesos annually": ["year"],
        "43 offline case-based reports per year": ["year"],
        "5 reports": [""],
    }.items(),
)
def test_a_rate_says_for_one_of_what_it_is(text: str, rates: list[str]) -> None:
    assert [n.rate_per for n in numbers(text)] == rates


KINDS = {
    "in 2019 they reported": "year",
    "since March 2021": "year",
    "12 years old or younger": "age",
    "a 10-year-old child": "age",
    "under the age of seven": "age",
    "children aged 12 to 17": "age",
    "Republic Act 9557": "reference",
    "Section 16.2": "reference",
    "page 12": "reference",
}


@pytest.mark.parametrize("text", KINDS)
def test_years_ages_and_references_are_told_apart(text: str) -> None:
    assert only(text).kind == KINDS[text]


@pytest.mark.parametrize(
    "text",
    [
        "", "no number here", "COVID-19", "the 1st report", "the third report", "at 10:30", "on 2024-03-11", "3/4/2021",
        "one of the reports", "no one knows", "this one is new", "see http://example.org/2021/12", "a@b12.org", "H1",
        "version 1.2.3", "a hash 0123456789abcdef0123", "dozens of times", "thousands of dollars",
    ],
)  # fmt: skip
def test_what_is_no_number_is_left_out(text: str) -> None:
    assert [n for n in numbers(text) if n.kind == "quantity"] == []


@pytest.mark.parametrize(
    ("printed", "step"),
    {"69": 1, "48,000": 1_000, "300,000": 10_000, "21165208": 1, "32.1": 0.1, "600": 10, "10": 1, "0": 1}.items(),
)
def test_the_printed_form_says_how_exact_it_is(printed: str, step: float) -> None:
    assert printed_step(printed) == pytest.approx(step)


def test_sentences_end_where_they_end() -> None:
    text = "The U.S. sent 5 reports. “Six came back,” he said.\nA line of 7 words!  It is e.g. here. End"
    assert [s.text for s in sentences(text)] == [
        "The U.S. sent 5 reports.", "“Six came back,” he said.", "A line of 7 words!", "It is e.g. here.", "End",
    ]  # fmt: skip
    assert all(text[s.start : s.end] == s.text for s in sentences(text))
    assert all(text[n.start : n.end] == n.text for s in sentences(text) for n in s.numbers)


@given(st.text(alphabet=st.sampled_from("0123456789,.%$£ -\nonetwhusadmilA(/:"), max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    for sentence in sentences(text):
        for number in sentence.numbers:
            assert number.low <= number.high
            assert number.step > 0
            assert text[number.start : number.end] == number.text


@pytest.mark.parametrize("text", ["9" * 20_000, "1," * 5_000, "a " * 10_000, "one " * 5_000, "5 or " * 3_000])
def test_a_long_run_of_nothing_takes_no_time(text: str) -> None:
    start = time.perf_counter()
    list(sentences(text))
    assert time.perf_counter() - start < 3
