"""The warehouse: built beside, audited, swapped in, rolled back, pruned; its views, its comments, its audits."""

import hashlib
import json
import multiprocessing
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from lightwell import source, warehouse
from lightwell.archive import Attempt, Document
from lightwell.errors import BuildError, LightwellError
from lightwell.harmonise import Harmonised, Observation, Quarantined
from lightwell.quality import Verdict
from lightwell.reading import Reading
from lightwell.settings import Settings, resource
from lightwell.tables import Figure, Locator
from lightwell.warehouse import Build, Prepared, publishing

BUILT_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SOURCES = ["ncmec_by_country", "ncmec_by_esp"]


def _hex(*parts: object, digits: int = 16) -> str:
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:digits]


def document(name: str, source_id: str = "ncmec_by_esp", published_on: date | None = None, day: int = 1) -> Document:
    return Document(
        document_id=_hex(name, digits=64),
        source_id=source_id,
        url=f"https://www.missingkids.org/{name}.pdf",
        title=f"Title of {name}",
        published_on=published_on,
        published_basis="document" if published_on else None,
        retrieved_at=datetime(2025, 6, day, 12, tzinfo=UTC),
        media_type="application/pdf",
        bytes=1000,
        licence="cite",
        method="fetched",
    )


def observation(of: Document, label: str, value: float | None, year: int = 2022, **fields: object) -> Observation:
    """An ordinary annual count; `fields` replaces any column."""
    place = Locator(page=3, box=(10.0, 20.0, 30.0, 40.0))
    text = "-" if value is None else f"{value:,.0f}"
    plain = Observation(
        observation_id="",
        series_id="",
        source_id=of.source_id,
        document_id=of.document_id,
        reporter="ncmec",
        subject="_T",
        metric="cybertip_reports",
        harm="_T",
        ref_area="_T",
        dimensions={},
        freq="A",
        time_period=str(year),
        period_start=date(year, 1, 1),
        period_end=date(year, 12, 31),
        obs_value=value,
        value_low=None,
        value_high=None,
        comparator="=",
        unit_measure="reports",
        obs_status="O" if value is None else "A",
        is_total=False,
        obs_text=text,
        label_text=label,
        locator=str(place),
        extractor_version="0123456789ab",
        figure=Figure("a_table", {"esp": label}, text, place),
    )
    made = replace(plain, **fields)  # type: ignore[arg-type]
    codes = (made.source_id, made.reporter, made.subject, made.metric, made.ref_area, sorted(made.dimensions.items()))
    series = made.series_id or _hex(*codes)
    return replace(
        made,
        series_id=series,
        observation_id=made.observation_id or _hex(of.document_id, series, made.time_period, made.locator),
    )


def prepared(of: Document, *observations: Observation, **fields: object) -> Prepared:
    """A document whose observations are all released."""
    plain = Prepared(
        source=source.load(of.source_id),
        document=of,
        reading=Reading(of.document_id, of.source_id, "0123456789ab", [o.figure for o in observations]),
        harmonised=Harmonised(list(observations), [], {}),
        verdict=Verdict([], [], released=True),
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


OLD = document("2022-reports-by-esp", published_on=date(2023, 5, 1))
NEW = document("2022-reports-by-esp-again", published_on=date(2024, 2, 1), day=2)
COUNTRIES = document("2022-reports-by-country", source_id="ncmec_by_country", published_on=date(2023, 5, 1))


def three_documents() -> list[Prepared]:
    """Two vintages of the providers (Facebook restated, Google printed under another label, one name not met before)
    and one of the countries."""
    old = [
        observation(OLD, "Facebook", 21_165_208, subject="facebook"),
        observation(OLD, "Google", 2_174_548, subject="google"),
        observation(OLD, "MindGeek", 1_000, subject="mindgeek", dimensions={"affiliates": "combined"}),
        observation(OLD, "Total", 23_340_756, is_total=True),
    ]
    new = [
        observation(NEW, "Facebook", 21_165_200, subject="facebook"),
        observation(NEW, "Google LLC", 2_174_548, subject="google"),
        observation(NEW, "Neverheard, Inc.", 5, subject="neverheard"),
        observation(NEW, "Total", 23_339_753, is_total=True),
    ]
    country = {"source_id": "ncmec_by_country"}
    countries = [
        observation(COUNTRIES, "Philippines", 2_500_000, ref_area="PHL", **country),
        observation(COUNTRIES, "Svalbard", None, ref_area="SJM", **country),
        observation(COUNTRIES, "Null", 10, ref_area="_U", **country),
        observation(COUNTRIES, "Total", 2_500_010, is_total=True, **country),
    ]
    return [
        prepared(OLD, *old),
        prepared(NEW, *new, harmonised=Harmonised(new, [], {"neverheard": "Neverheard, Inc."})),
        prepared(COUNTRIES, *countries),
    ]


ATTEMPTS = [
    Attempt("ncmec_by_esp", OLD.url, datetime(2025, 6, 1, 12, tzinfo=UTC), "stored", document_id=OLD.document_id),
    Attempt("ncmec_by_esp", NEW.url, datetime(2025, 6, 2, 12, tzinfo=UTC), "failed", reason="404", http_status=404),
]


def build(settings: Settings, documents: list[Prepared] | None = None, digest: str = "one", **fields: object) -> Build:
    taken = three_documents() if documents is None else documents
    return warehouse.build(
        taken,
        ATTEMPTS,
        settings,
        sources=[source.load(name) for name in sorted({*SOURCES, *(d.source.id for d in taken)})],
        inputs_digest=digest,
        built_at=BUILT_AT,
        **fields,  # type: ignore[arg-type]
    )


def publish(settings: Settings, documents: list[Prepared] | None = None, digest: str = "one") -> str:
    return warehouse.publish(build(settings, documents, digest), settings)


def ask(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    return warehouse.query(sql, settings)[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One published release for the tests that only read."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    publish(settings)
    return settings


@pytest.fixture
def writable(built: Settings, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of that release that a test may spoil."""
    copy = shutil.copyfile(built.database, tmp_path / "copy.duckdb")
    with duckdb.connect(str(copy)) as con:
        yield con


# ---- what goes in


def test_every_released_figure_is_a_row(built: Settings) -> None:
    assert ask(built, "SELECT count(*) FROM observation_vintage") == [(12,)]
    columns, rows = warehouse.query("SELECT * FROM observation_vintage WHERE label_text = 'MindGeek'", built)
    row = dict(zip(columns, rows[0], strict=True))
    assert row["obs_value"] == 1000.0
    assert row["dimensions"] == {"affiliates": "combined"}
    assert row["document_id"] == OLD.document_id
    assert row["period_end"] == date(2022, 12, 31)
    assert row["published_on"] == date(2023, 5, 1)
    assert row["retrieved_at"] == datetime(2025, 6, 1, 12)
    assert row["note"] is None


def test_observation_vintage_has_exactly_its_columns(built: Settings) -> None:
    columns, _ = warehouse.query("SELECT * FROM observation_vintage LIMIT 0", built)
    assert " ".join(columns) == (
        "observation_id series_id source_id document_id reporter subject metric harm ref_area dimensions freq "
        "time_period period_start period_end obs_value value_low value_high comparator unit_measure obs_status "
        "is_total obs_text label_text locator table_name adds_up extractor_version published_on retrieved_at method "
        "cited_url note known_on superseded_on"
    )


def in_a_sum(of: Document, label: str, value: float, **fields: object) -> Observation:
    """An observation of ncmec_by_esp's table, whose parts add up to a printed total."""
    made = observation(of, label, value, **fields)
    return replace(made, figure=replace(made.figure, table="by_esp"))


def test_a_table_that_adds_up_is_replaced_whole_by_the_document_that_prints_it_again(settings: Settings) -> None:
    """A row that the newer edition of a year drops must not be added to its other rows."""
    first = [in_a_sum(OLD, "Facebook", 5, subject="facebook"), in_a_sum(OLD, "Old name", 2, subject="google")]
    again = [in_a_sum(NEW, "Facebook", 5, subject="facebook"), in_a_sum(NEW, "New name", 2, subject="youtube")]
    publish(settings, [prepared(OLD, *first), prepared(NEW, *again)])
    assert ask(settings, "SELECT sum(obs_value) FROM observation") == [(7,)]
    assert ask(settings, "SELECT subject, is_in_observation FROM not_reprinted") == [("google", False)]
    day = NEW.published_on - timedelta(days=1)
    assert ask(settings, f"SELECT list(subject ORDER BY subject) FROM as_of(DATE '{day}')") == [
        (["facebook", "google"],)
    ]


def test_a_breakdown_that_is_none_is_an_empty_map_and_not_null(built: Settings) -> None:
    assert ask(built, "SELECT DISTINCT dimensions FROM observation WHERE source_id = 'ncmec_by_country'") == [({},)]


def test_text_goes_in_as_it_is(settings: Settings) -> None:
    odd = "L'Oréal “x” \\ \x00 😀 {a} $1 %"
    publish(settings, [prepared(OLD, observation(OLD, odd, 0.1, subject="facebook"))])
    assert ask(settings, "SELECT label_text, obs_value FROM observation") == [(odd, 0.1)]


def test_more_rows_than_a_chunk_go_in(settings: Settings) -> None:
    many = [observation(OLD, f"n{n}", n, subject="facebook", dimensions={"n": str(n)}) for n in range(4500)]
    publish(settings, [prepared(OLD, *many)])
    assert ask(settings, "SELECT count(*), sum(obs_value) FROM observation") == [(4500, 4499 * 4500 / 2)]


def test_rejected_rows_and_documents_stay_out_and_are_in_quarantine(settings: Settings) -> None:
    old, new, countries = three_documents()
    bad = old.harmonised.observations[0]
    entry = Quarantined(
        "ncmec_by_esp", OLD.document_id, "row", "too many", "bound", "by_esp", observation_id=bad.observation_id
    )
    whole = Quarantined(
        "ncmec_by_country", COUNTRIES.document_id, "document", "1 short", "components_equal_printed_total"
    )
    all_ids = frozenset(o.observation_id for o in countries.harmonised.observations)
    documents = [
        replace(old, verdict=Verdict([], [entry, entry], released=True, rejected_ids=frozenset({bad.observation_id}))),
        new,
        replace(countries, verdict=Verdict([], [whole], released=False, rejected_ids=all_ids)),
    ]
    publish(settings, documents)
    assert ask(settings, "SELECT count(*) FROM observation_vintage WHERE source_id = 'ncmec_by_country'") == [(0,)]
    assert ask(
        settings,
        "SELECT label_text FROM observation_vintage WHERE document_id = (SELECT min(document_id) FILTER "
        "(WHERE title LIKE '%esp') FROM document) ORDER BY 1",
    ) == [("Google",), ("MindGeek",), ("Total",)]
    assert ask(settings, "SELECT scope, reason, expectation, table_name FROM quarantine ORDER BY scope") == [
        ("document", "1 short", "components_equal_printed_total", None),
        ("row", "too many", "bound", "by_esp"),
    ]
    assert warehouse.releases(settings)[0].counts["ncmec_by_country"] == {
        "documents": 1, "periods": 0, "observations": 0, "quarantined_rows": 0, "quarantined_documents": 1
    }  # fmt: skip


def test_a_document_that_could_not_be_read_is_in_quarantine_with_its_problem(settings: Settings) -> None:
    reading = Reading(OLD.document_id, OLD.source_id, "v", [], problem="no table header")
    publish(settings, [prepared(OLD, reading=reading, verdict=Verdict([], [], released=False))])
    assert ask(settings, "SELECT scope, reason FROM quarantine") == [("document", "no table header")]


def test_nothing_is_held_back_without_a_reason(settings: Settings) -> None:
    kept = observation(OLD, "Facebook", 1, subject="facebook")
    with pytest.raises(BuildError, match="held back without a reason"):
        build(settings, [prepared(OLD, kept, verdict=Verdict([], [], released=False))])
    rejected = Verdict([], [], released=True, rejected_ids=frozenset({kept.observation_id}))
    with pytest.raises(BuildError, match=f"{kept.observation_id} .* rejected without a reason"):
        build(settings, [prepared(OLD, kept, verdict=rejected)])


def test_attempts_and_release_and_source_are_there(built: Settings) -> None:
    assert ask(built, "SELECT outcome, http_status FROM fetch_outcome ORDER BY attempted_at") == [
        ("stored", None),
        ("failed", 404),
    ]
    info = "SELECT release_id, built_at, inputs_digest, duckdb_version FROM release_info"
    assert ask(built, info) == [
        (warehouse.current(built).release_id, datetime(2026, 1, 2, 3, 4, 5), "one", duckdb.__version__)  # type: ignore[union-attr]
    ]
    caveats = ask(built, "SELECT caveats, next_expected FROM source WHERE source_id = 'ncmec_by_esp'")
    assert caveats == [(source.load("ncmec_by_esp").caveats, date(2023, 12, 31) + timedelta(days=140))]


def test_every_codelist_is_a_table_with_every_row(built: Settings) -> None:
    from lightwell import codes

    for table, rows in codes.as_rows(codes.codelists()).items():
        assert ask(built, f"SELECT count(*) FROM {table}") == [(len(rows),)], table
    assert ask(built, "SELECT count(*) FROM organisation WHERE note = '' OR country = ''") == [(0,)]
    assert ask(built, "SELECT additive FROM metric WHERE metric = 'cybertip_reports'") == [(True,)]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"obs_value": float("nan")}, "neither a number nor absent"),
        ({"obs_value": -1.0}, "CHECK"),
        ({"period_end": date(2020, 1, 1)}, "CHECK"),
        ({"comparator": "about"}, "CHECK"),
        ({"observation_id": "short"}, "CHECK"),
        ({"metric": "nonsense"}, "unknown_code"),
    ],
)
def test_a_row_that_does_not_fit_refuses_the_release_and_leaves_nothing(
    settings: Settings, fields: dict[str, object], said: str
) -> None:
    published = publish(settings)
    bad = observation(OLD, "Facebook", 1.0, subject="facebook")
    with pytest.raises(BuildError, match=said):
        build(settings, [prepared(OLD, replace(bad, **fields))])  # type: ignore[arg-type]
    assert [p.name for p in settings.releases.iterdir() if p.name != ".lock"] == [published]
    assert ask(settings, "SELECT count(*) FROM observation_vintage") == [(12,)]


def test_one_observation_twice_refuses_the_release(settings: Settings) -> None:
    twice = observation(OLD, "Facebook", 1.0, subject="facebook")
    with pytest.raises(BuildError, match=r"could not be built: Constraint Error: .*[dD]uplicate key"):
        build(settings, [prepared(OLD, twice, twice)])


def test_the_message_names_the_audit_and_the_first_offender(settings: Settings) -> None:
    nowhere = observation(OLD, "Facebook", 1.0, subject="facebook", locator="")
    with pytest.raises(BuildError, match=f"without_place: 1 rows, first .*{nowhere.observation_id}"):
        build(settings, [prepared(OLD, nowhere)])


# ---- views


def test_observation_is_the_latest_vintage(built: Settings) -> None:
    latest = ask(
        built, "SELECT subject, obs_value FROM observation WHERE source_id = 'ncmec_by_esp' AND NOT is_total ORDER BY 1"
    )
    assert latest == [("facebook", 21_165_200), ("google", 2_174_548), ("mindgeek", 1_000), ("neverheard", 5)]


def test_as_of_is_what_was_known_on_that_day(built: Settings) -> None:
    known = "SELECT obs_value FROM as_of(DATE '{}') WHERE subject = 'facebook'"
    assert ask(built, known.format("2023-04-30")) == []
    assert ask(built, known.format("2023-05-01")) == [(21_165_208,)]
    assert ask(built, known.format("2024-01-31")) == [(21_165_208,)]
    assert ask(built, known.format("2024-02-01")) == [(21_165_200,)]


@pytest.mark.parametrize("turned", [False, True])
def test_vintages_are_ordered_by_publication_then_retrieval_then_document(settings: Settings, turned: bool) -> None:
    day = date(2024, 1, 1)
    cases = {
        "published": (document("p1", published_on=day, day=9), document("p2", published_on=date(2024, 1, 2), day=1)),
        "retrieved": (document("r1", published_on=day, day=1), document("r2", published_on=day, day=2)),
        "unknown": (document("u1", published_on=day, day=1), document("u2", published_on=None, day=1)),
        "tie": tuple(
            sorted((document("t1", published_on=day), document("t2", published_on=day)), key=lambda d: d.document_id)
        ),
    }
    documents = []
    for case, (first, last) in cases.items():
        for of, value in ((first, 1.0), (last, 2.0)):
            documents.append(prepared(of, observation(of, case, value, subject="facebook", dimensions={"case": case})))
    publish(settings, documents[::-1] if turned else documents)
    assert ask(settings, "SELECT DISTINCT obs_value FROM observation") == [(2.0,)]
    as_of = "SELECT obs_value FROM as_of('2025-05-31') WHERE label_text = 'unknown'"
    assert ask(settings, as_of) == [(1.0,)]  # without a day of publication it is known from its retrieval on


def test_restatement_has_changed_values_only_and_label_rename_the_rest(built: Settings) -> None:
    found = ask(
        built,
        "SELECT subject, first_obs_value, latest_obs_value, difference, vintages, first_known_on, latest_known_on "
        "FROM restatement WHERE NOT is_total",
    )
    assert found == [("facebook", 21_165_208, 21_165_200, -8, 2, date(2023, 5, 1), date(2024, 2, 1))]
    relative = ask(built, "SELECT relative_difference FROM restatement WHERE subject = 'facebook'")[0][0]
    assert relative == pytest.approx(-8 / 21_165_208)
    renamed = ask(built, "SELECT earlier_label_text, latest_label_text, value_changed FROM label_rename")
    assert renamed == [("Google", "Google LLC", False)]


def test_a_value_changed_and_changed_back_is_a_restatement(settings: Settings) -> None:
    documents = []
    for day, value in ((1, 5.0), (2, None), (3, 5.0)):
        of = document(f"d{day}", published_on=date(2024, 1, day))
        documents.append(prepared(of, observation(of, "Facebook", value, subject="facebook")))
    publish(settings, documents)
    assert ask(settings, "SELECT value_history, difference FROM restatement") == [([5.0, None, 5.0], 0.0)]


@pytest.mark.parametrize("turned", [False, True])
def test_a_figure_that_a_document_prints_twice_alike_stands_once(settings: Settings, turned: bool) -> None:
    documents = []
    for day, value in ((1, 5.0), (2, 6.0)):
        of = document(f"d{day}", published_on=date(2024, 1, day))
        rows = [
            observation(of, label, value, subject="facebook", locator=f"page={page}")
            for label, page in (("Facebook", 1), ("Facebook", 2), ("A. Facebook", 3))
        ]
        documents.append(prepared(of, *(rows[::-1] if turned else rows)))
    publish(settings, documents)
    assert ask(settings, "SELECT count(*) FROM observation_vintage") == [(6,)]
    standing = max(o.observation_id for o in documents[1].harmonised.observations if o.label_text == "Facebook")
    assert ask(settings, "SELECT observation_id, obs_value FROM observation") == [(standing, 6.0)]
    assert ask(settings, "SELECT observation_id FROM as_of('2030-01-01')") == [(standing,)]
    restated = "SELECT latest_observation_id, vintages, first_obs_value, latest_obs_value FROM restatement"
    assert ask(settings, restated) == [(standing, 2, 5.0, 6.0)]
    assert ask(settings, "SELECT count(*) FROM label_rename") == [(0,)]


def test_a_row_that_the_later_document_drops_is_listed(built: Settings) -> None:
    assert ask(built, "SELECT subject, document_id, newest_document_id FROM not_reprinted") == [
        ("mindgeek", OLD.document_id, NEW.document_id)
    ]


def test_reports_by_organisation(built: Settings) -> None:
    rows = ask(built, "SELECT year, organisation, name, parent, reports, affiliates_combined, is_provisional "
               "FROM reports_by_organisation ORDER BY reports DESC")  # fmt: skip
    assert rows == [
        (2022, "facebook", "Facebook", "meta", 21_165_200, False, False),
        (2022, "google", "Google", "alphabet", 2_174_548, False, False),
        (2022, "mindgeek", "MindGeek", None, 1_000, True, False),
        (2022, "neverheard", "Neverheard, Inc.", None, 5, False, True),
    ]


def test_the_parent_is_that_of_the_time(writable: duckdb.DuckDBPyConnection) -> None:
    parent = "SELECT parent FROM reports_by_organisation WHERE organisation = 'facebook'"
    writable.execute("UPDATE organisation_parent SET valid_from = '2023-01-01' WHERE organisation = 'facebook'")
    assert writable.execute(parent).fetchall() == [(None,)]
    writable.execute("INSERT INTO organisation_parent VALUES ('facebook', 'google', NULL, '2022-12-31', 'test')")
    assert writable.execute(parent).fetchall() == [("google",)]


def test_reports_by_area_has_no_total_and_says_what_is_no_country(built: Settings) -> None:
    rows = ask(built, "SELECT year, ref_area, area_kind, reports, referrals FROM reports_by_area ORDER BY ref_area")
    assert rows == [
        (2022, "PHL", "country", 2_500_000, None),
        (2022, "SJM", "country", None, None),
        (2022, "_U", "special", 10, None),
    ]
    comment = ask(built, "SELECT comment FROM duckdb_views() WHERE view_name = 'reports_by_area'")[0][0]
    assert "upload location" in " ".join(str(comment).split())


def test_reports_by_area_keeps_the_split_of_later_years_apart(settings: Settings) -> None:
    of = document("2024-reports-by-country", source_id="ncmec_by_country")
    split = {"cybertip_referrals": 7.0, "cybertip_reports_informational": 8.0}
    rows = [observation(of, "Philippines", v, 2024, metric=m, ref_area="PHL") for m, v in split.items()]
    publish(settings, [prepared(of, *rows)])
    found = ask(settings, "SELECT year, reports, referrals, informational, len(observation_ids) FROM reports_by_area")
    assert found == [(2024, None, 7.0, 8.0, 2)]


def test_freshness(built: Settings) -> None:
    columns, rows = warehouse.query("SELECT * FROM freshness WHERE source_id = 'ncmec_by_esp'", built)
    row = dict(zip(columns, rows[0], strict=True))
    assert (row["documents"], row["periods"], row["observations"], row["newest_time_period"]) == (2, 1, 8, "2022")
    assert row["newest_published_on"] == date(2024, 2, 1)
    assert row["days_late"] == (date.today() - row["next_expected"]).days
    assert (row["last_outcome"], row["last_reason"]) == ("failed", "404")


def test_a_source_without_documents_is_in_freshness_and_not_late(settings: Settings) -> None:
    publish(settings, [])
    rows = ask(
        settings, "SELECT source_id, documents, observations, next_expected, days_late FROM freshness ORDER BY 1"
    )
    assert rows == [(name, 0, 0, None, None) for name in SOURCES]


def test_a_document_that_is_not_due_is_not_late(writable: duckdb.DuckDBPyConnection) -> None:
    writable.execute("UPDATE source SET next_expected = current_date + 5")
    assert writable.execute("SELECT DISTINCT days_late FROM freshness").fetchall() == [(0,)]


def test_citation_has_a_row_for_every_vintage(built: Settings) -> None:
    cited = ask(built, "SELECT obs_text, page, is_latest, citation FROM citation "
                "WHERE label_text = 'Facebook' ORDER BY published_on")  # fmt: skip
    assert [row[:3] for row in cited] == [("21,165,208", 3, False), ("21,165,200", 3, True)]
    assert cited[0][3] == (
        "National Center for Missing & Exploited Children, Title of 2022-reports-by-esp (2023-05-01), page 3: "
        '"21,165,208". https://www.missingkids.org/2022-reports-by-esp.pdf, retrieved 2025-06-01. '
        f"SHA-256 {OLD.document_id}."
    )
    assert ask(built, "SELECT count(*) FROM citation") == [(12,)]


@pytest.mark.parametrize(
    ("locator", "place"),
    [
        (Locator(page=12, box=(1.0, 2.0, 3.0, 4.0)), "page 12"),
        (Locator(sheet="Q3 + 2022 & more", cell="B3"), "sheet Q3 + 2022 & more, cell B3"),
        (Locator(line=7, column="number of reports"), "line 7, column number of reports"),
        (Locator(pointer="/a b/0"), "pointer /a b/0"),
    ],
)
def test_the_place_is_in_words(settings: Settings, locator: Locator, place: str) -> None:
    publish(settings, [prepared(OLD, observation(OLD, "Facebook", 1, subject="facebook", locator=str(locator)))])
    assert ask(settings, "SELECT place, page FROM citation") == [(place, locator.page)]


def test_a_citation_does_without_title_url_or_day(settings: Settings) -> None:
    bare = replace(document("bare"), url=None, title=None, published_on=None)
    publish(settings, [prepared(bare, observation(bare, "Facebook", 1, subject="facebook"))])
    said = str(ask(settings, "SELECT citation FROM citation")[0][0])
    assert f'{source.load("ncmec_by_esp").title}, page 3: "1". Retrieved 2025-06-01. SHA-256' in said


# ---- documentation


def test_every_table_view_column_and_macro_has_a_comment(built: Settings) -> None:
    silent = "SELECT {} FROM duckdb_{}() WHERE NOT internal AND coalesce(trim(comment), '') = ''"
    assert ask(built, silent.format("table_name", "tables")) == []
    assert ask(built, silent.format("view_name", "views")) == []
    assert ask(built, silent.format("table_name || '.' || column_name", "columns")) == []
    assert ask(built, "SELECT comment FROM duckdb_functions() WHERE function_name = 'as_of'")[0][0]
    files = [resource("sql") / "schema.sql", *(resource("sql") / "views").glob("*.sql")]
    declared = [name for file in files for name in re.findall(r"CREATE VIEW (\w+)", file.read_text(encoding="utf-8"))]
    views = ask(built, "SELECT view_name FROM duckdb_views() WHERE NOT internal")
    assert sorted(views) == sorted((name,) for name in declared)


def test_no_sql_needs_the_files_name(built: Settings, tmp_path: Path) -> None:
    copy = shutil.copyfile(built.database, tmp_path / "another name.duckdb")
    with warehouse.connect(path=copy) as con:
        views = con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        for (view,) in views:
            con.execute(f"SELECT * FROM {view}").fetchall()
        assert con.execute("SELECT count(*) FROM as_of(DATE '2030-01-01')").fetchall() == [(9,)]


def test_the_warehouse_can_be_copied_into_another(built: Settings) -> None:
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{built.database.resolve()}' AS w (READ_ONLY)")
        con.execute("ATTACH ':memory:' AS copy")
        con.execute("COPY FROM DATABASE w TO copy")
        assert con.execute("SELECT count(*) FROM copy.observation").fetchall() == [(9,)]


# ---- audits: each is silent on a good release and finds what it is for

_FIRST = "(SELECT min(observation_id) FROM observation_vintage WHERE source_id = 'ncmec_by_esp')"
SPOILERS = {
    "conflict_arithmetic": [
        "UPDATE quoted_conflict_value SET amount = 481 WHERE value_key = 'weeks'",
        "DELETE FROM quoted_conflict_value WHERE value_key = 'slip'",
    ],
    "quoted": [
        "UPDATE quoted_figure SET char_end = char_end + 1000",
        "UPDATE quoted_figure SET time_period = 'last year' WHERE quoted_id = 'A1'",
        "UPDATE quoted_conflict SET quoted_ids = 'Z9' WHERE conflict_id = 'C1'",
    ],
    "dimension_empty": [
        f"UPDATE observation_vintage SET dimensions = MAP {{'a': ''}} WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET dimensions = MAP {{'': 'a'}} WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET dimensions = MAP {{'a': NULL}} WHERE observation_id = {_FIRST}",
    ],
    "document_without_outcome": [
        "DELETE FROM observation_vintage WHERE source_id = 'ncmec_by_country'",
    ],
    "duplicate_key": [
        f"INSERT INTO observation_vintage SELECT * REPLACE ('00000000000000ff' AS observation_id, {other}) "
        "FROM observation_vintage WHERE subject = 'google' LIMIT 1"
        for other in (
            "1 AS obs_value",
            "NULL AS obs_value",
            "'E' AS obs_status",
            "'>' AS comparator",
            "1 AS value_low",
            "1 AS value_high",
        )
    ],
    "latest_vintage": [
        "CREATE OR REPLACE VIEW observation AS SELECT * FROM observation_vintage",
        "CREATE OR REPLACE VIEW observation AS SELECT * FROM observation_vintage WHERE subject <> 'google'",
    ],
    "meaning_in_two_series": [
        f"UPDATE observation_vintage SET series_id = '00000000000000ff' WHERE document_id = '{NEW.document_id}' "
        "AND subject = 'facebook'",
    ],
    "orphan": [
        f"DELETE FROM document WHERE document_id = '{OLD.document_id}'",
        f"DELETE FROM document WHERE document_id = '{NEW.document_id}'",
        "DELETE FROM source WHERE source_id = 'ncmec_by_country'",
        "INSERT INTO quarantine (source_id, document_id, scope, reason) VALUES ('ncmec_by_esp', 'gone', 'row', 'x')",
    ],
    "period_form": [
        f"UPDATE observation_vintage SET time_period = '2021' WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET time_period = '22' WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET period_end = '2022-12-30' WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET freq = 'Q' WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET freq = 'S', time_period = '2022-S2' WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET freq = 'D', time_period = '2022-01-01' WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET freq = '_O', time_period = '2022-01-01/P2Y' WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET freq = '_O', time_period = '2022-01-01/1Y' WHERE observation_id = {_FIRST}",
    ],
    "period_out_of_range": [
        f"UPDATE observation_vintage SET period_start = '1989-01-01' WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET period_end = '2028-12-31' WHERE observation_id = {_FIRST}",
    ],
    "provisional_known": [
        "INSERT INTO organisation (organisation, name, kind) VALUES ('neverheard', 'Neverheard', 'company')",
    ],
    "quarantined_document_published": [
        f"INSERT INTO quarantine (source_id, document_id, scope, reason) VALUES ('ncmec_by_esp', '{OLD.document_id}', "
        "'document', 'x')",
    ],
    "quarantined_figure_published": [
        "INSERT INTO quarantine (source_id, document_id, scope, reason, observation_id) "
        f"VALUES ('ncmec_by_esp', '{OLD.document_id}', 'row', 'x', {_FIRST})",
    ],
    "series_of_two_meanings": [
        f"UPDATE observation_vintage SET ref_area = 'PHL' WHERE document_id = '{NEW.document_id}' "
        "AND subject = 'facebook'",
    ],
    "two_parents": [
        "INSERT INTO organisation_parent VALUES ('facebook', 'google', '2010-01-01', NULL, 'test')",
    ],
    "unit_of_metric": [
        f"UPDATE observation_vintage SET unit_measure = NULL WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET unit_measure = '' WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET unit_measure = 'files' WHERE observation_id = {_FIRST}",
    ],
    "unknown_code": [
        *(
            f"UPDATE observation_vintage SET {column} = 'ZZZ' WHERE observation_id = {_FIRST}"
            for column in ("metric", "unit_measure", "harm", "ref_area", "freq", "obs_status", "reporter", "subject")
        ),
        "DELETE FROM provisional_organisation",
        "UPDATE source SET publisher = 'nobody'",
    ],
    "value_and_status": [
        "UPDATE observation_vintage SET obs_value = 0 WHERE obs_status = 'O'",
        "UPDATE observation_vintage SET obs_status = 'Q' WHERE subject = 'google'",
        "UPDATE observation_vintage SET obs_value = NULL WHERE subject = 'google'",
        "UPDATE observation_vintage SET value_high = 1 WHERE subject = 'google'",
        "UPDATE observation_vintage SET value_low = 1e12 WHERE subject = 'google'",
        "UPDATE observation_vintage SET value_low = 1 WHERE obs_status = 'O'",
    ],
    "vintage_unlike_document": [
        f"UPDATE observation_vintage SET published_on = '2020-01-01' WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET published_on = NULL WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET retrieved_at = '2020-01-01' WHERE observation_id = {_FIRST}",
        "UPDATE release_info SET built_at = '2024-01-01'",
    ],
    "without_place": [
        f"UPDATE observation_vintage SET locator = '' WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET locator = 'box=1,2,3,4' WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET obs_text = ' ' WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET label_text = '' WHERE observation_id = {_FIRST}",
        f"UPDATE observation_vintage SET extractor_version = '' WHERE observation_id = {_FIRST}",
    ],
}


def test_every_audit_has_a_test_that_makes_it_fail() -> None:
    assert sorted(p.stem for p in (resource("sql") / "audits").glob("*.sql")) == sorted(SPOILERS)


def test_no_audit_finds_anything_in_a_good_release(built: Settings) -> None:
    with warehouse.connect(built) as con:
        assert {name: rows for name, rows in warehouse.audit(con).items() if rows} == {}


@pytest.mark.parametrize("name", sorted(SPOILERS))
def test_an_audit_finds_what_it_is_for(writable: duckdb.DuckDBPyConnection, name: str) -> None:
    sql = (resource("sql") / "audits" / f"{name}.sql").read_text(encoding="utf-8")
    for spoiler in SPOILERS[name]:
        writable.begin()
        writable.execute(spoiler)
        assert writable.execute(sql).fetchall(), spoiler
        writable.rollback()
    assert writable.execute(sql).fetchall() == []


def test_other_frequencies_have_the_right_form(settings: Settings) -> None:
    periods = [
        ("S", "2022-S2", date(2022, 7, 1), date(2022, 12, 31)),
        ("Q", "2024-Q1", date(2024, 1, 1), date(2024, 3, 31)),
        ("M", "2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("D", "2024-02-29", date(2024, 2, 29), date(2024, 2, 29)),
    ]
    rows = [
        observation(OLD, freq, 1, subject="facebook", freq=freq, time_period=name, period_start=first, period_end=last,
                    dimensions={"freq": freq})
        for freq, name, first, last in periods
    ]  # fmt: skip
    warehouse.discard(build(settings, [prepared(OLD, *rows)]))


# ---- publish, roll back, prune


def test_publish_swaps_a_relative_link_and_writes_the_manifest(settings: Settings) -> None:
    assert warehouse.current(settings) is None
    assert warehouse.releases(settings) == []
    release_id = publish(settings)
    assert settings.database.readlink() == Path("releases") / release_id / "lightwell.duckdb"
    assert sorted(p.name for p in (settings.releases / release_id).iterdir()) == ["lightwell.duckdb", "release.json"]
    manifest = json.loads((settings.releases / release_id / "release.json").read_text())
    assert manifest["release_id"] == release_id
    assert manifest["inputs_digest"] == "one"
    assert manifest["counts"]["ncmec_by_esp"]["observations"] == 8
    assert manifest["sources"] == SOURCES
    now = warehouse.current(settings)
    assert now is not None
    assert (now.release_id, now.built_at, now.inputs_digest, now.current) == (release_id, BUILT_AT, "one", True)
    assert [p.name for p in settings.home.iterdir() if p.name.startswith(".")] == []


def test_what_stands_beside_the_database_is_published_with_it(settings: Settings) -> None:
    ready = build(settings)
    (ready.folder / "quality.html").write_text("<html>")
    release_id = warehouse.publish(ready, settings)
    assert (settings.releases / release_id / "quality.html").read_text() == "<html>"


def test_a_home_can_be_moved(settings: Settings, tmp_path: Path) -> None:
    publish(settings)
    settings.home.rename(tmp_path / "moved")
    moved = Settings(home=tmp_path / "moved")
    assert ask(moved, "SELECT count(*) FROM observation_vintage") == [(12,)]


def test_a_build_is_published_once(settings: Settings) -> None:
    ready = build(settings)
    release_id = warehouse.publish(ready, settings)
    with pytest.raises(BuildError, match="already published"):
        warehouse.publish(ready, settings)
    warehouse.discard(ready)
    assert warehouse.current(settings).release_id == release_id  # type: ignore[union-attr]


def test_a_discarded_build_leaves_nothing(settings: Settings) -> None:
    warehouse.discard(build(settings))
    assert [p.name for p in settings.releases.iterdir()] == [".lock"]


def test_a_file_where_the_link_belongs_is_not_overwritten(settings: Settings) -> None:
    settings.home.mkdir()
    settings.database.write_text("mine")
    ready = build(settings)
    with pytest.raises(BuildError, match="move it away"):
        warehouse.publish(ready, settings)
    assert settings.database.read_text() == "mine"
    settings.database.unlink()
    warehouse.publish(ready, settings)


def test_the_last_releases_are_kept_and_the_current_one_always(settings: Settings) -> None:
    few = replace(settings, keep_releases=2)
    first, second, third = publish(few), publish(few), publish(few)
    assert [r.release_id for r in warehouse.releases(few)] == [third, second]
    assert not (few.releases / first).exists()
    assert warehouse.current(few).release_id == third  # type: ignore[union-attr]
    assert warehouse.rollback(few).release_id == second


def test_pruning_spares_the_current_release_when_the_clock_ran_ahead(settings: Settings) -> None:
    few = replace(settings, keep_releases=1)
    ahead = publish(few)
    manifest = few.releases / ahead / "release.json"
    future = {**json.loads(manifest.read_text()), "published_at": "2999-01-01T00:00:00+00:00"}
    manifest.write_text(json.dumps(future))
    now = publish(few)
    assert [(r.release_id, r.current) for r in warehouse.releases(few)] == [(ahead, False), (now, True)]
    assert ask(few, "SELECT release_id FROM release_info") == [(now,)]


def test_roll_back_and_forth(settings: Settings) -> None:
    first = publish(settings)
    second = publish(settings, three_documents()[:1], "two")
    third = publish(settings)
    assert warehouse.rollback(settings).release_id == second
    assert ask(settings, "SELECT release_id FROM release_info") == [(second,)]
    assert [(r.release_id, r.current) for r in warehouse.releases(settings)] == [
        (third, False),
        (second, True),
        (first, False),
    ]
    assert warehouse.rollback(settings).release_id == first
    with pytest.raises(BuildError, match="no release before the current one; kept are: .*" + third):
        warehouse.rollback(settings)
    assert warehouse.rollback(settings, third).current
    assert warehouse.current(settings).release_id == third  # type: ignore[union-attr]
    with pytest.raises(BuildError, match="no release 'nonsense'; kept are:"):
        warehouse.rollback(settings, "nonsense")


def test_roll_back_where_nothing_is_published(settings: Settings) -> None:
    with pytest.raises(BuildError, match="kept are: none"):
        warehouse.rollback(settings)


def test_a_broken_manifest_is_named(settings: Settings) -> None:
    release_id = publish(settings)
    (settings.releases / release_id / "release.json").write_text("{")
    for read in (warehouse.current, warehouse.releases):
        with pytest.raises(BuildError, match=r"release\.json is not a release's manifest"):
            read(settings)


# ---- readers


def test_a_reader_in_the_middle_of_a_query_is_not_disturbed(settings: Settings) -> None:
    few = replace(settings, keep_releases=1)
    publish(few)
    with warehouse.connect(few) as reader:
        cursor = reader.execute("SELECT o.observation_id, i FROM observation_vintage AS o, range(50000) AS r(i)")
        assert len(cursor.fetchmany(10)) == 10
        publish(few, three_documents()[:1], "two")
        assert len(cursor.fetchall()) == 12 * 50_000 - 10
        assert reader.execute("SELECT count(*) FROM document").fetchall() == [(3,)]
        assert ask(few, "SELECT count(*) FROM document") == [(1,)]  # a new reader in the same process sees the new one


_READ = """
import sys
from pathlib import Path
from lightwell import warehouse
from lightwell.settings import Settings
settings = Settings(home=Path(sys.argv[1]))
while not (settings.home / "stop").exists():
    with warehouse.connect(settings) as con:
        rows = con.execute(
            "SELECT inputs_digest, (SELECT count(*) FROM observation_vintage), (SELECT count(*) FROM citation) "
            "FROM release_info").fetchall()
    print(*rows[0], warehouse.current(settings) is not None, flush=True)
"""


@pytest.mark.slow
def test_readers_that_open_during_thirty_swaps_always_see_a_whole_release(settings: Settings) -> None:
    few = replace(settings, keep_releases=3)
    publish(few, digest="even")
    ready = [build(few, *((None, "even") if n % 2 else (three_documents()[:1], "odd"))) for n in range(10)]
    command = [sys.executable, "-c", _READ, str(few.home)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    seen = [reader.stdout.readline() for reader in readers if reader.stdout]
    for one in ready:
        warehouse.publish(one, few)
        for back in (1, 0):
            seen += [reader.stdout.readline() for reader in readers if reader.stdout]
            warehouse.rollback(few, warehouse.releases(few)[back].release_id)
    (few.home / "stop").touch()
    for reader in readers:
        seen += reader.communicate(timeout=60)[0].splitlines(keepends=True)
        assert reader.returncode == 0
    assert set(seen) == {"even 12 12 True\n", "odd 4 4 True\n"}


def test_where_nothing_is_published_the_reader_is_told_what_to_do(settings: Settings) -> None:
    with pytest.raises(
        LightwellError, match=r"there is no warehouse at .*: run `make warehouse` or `lightwell refresh`"
    ):
        warehouse.connect(settings)
    settings.home.mkdir()
    settings.database.symlink_to("releases/gone/lightwell.duckdb")
    with pytest.raises(LightwellError, match="there is no warehouse"):
        warehouse.connect(settings)
    assert warehouse.current(settings) is None


def test_a_file_that_is_no_warehouse_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(LightwellError, match=r"x\.duckdb cannot be opened"):
        warehouse.connect(path=tmp_path / "x.duckdb")


def test_the_environment_names_the_home(built: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTWELL_HOME", str(built.home))
    with warehouse.connect() as con:
        assert con.execute("SELECT count(*) FROM document").fetchall() == [(3,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('{home}/releases/.lock')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM '{home}/releases/.lock'",
        "SELECT * FROM read_csv('https://example.org/x.csv')",
        "COPY document TO '{home}/out.csv'",
        "EXPORT DATABASE '{home}/out'",
        "ATTACH '{home}/out.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "CREATE TABLE t (a INTEGER)",
        "DELETE FROM document",
        "UPDATE document SET title = 'x'",
        "SELECT * FROM three_documents",
        "SELECT nonsense FROM document",
        "SELEC 1",
    ],
)
def test_a_query_reads_the_release_and_nothing_else(built: Settings, sql: str) -> None:
    with pytest.raises(LightwellError):
        warehouse.query(sql.format(home=built.home), built)
    assert not list(built.home.glob("out*"))
    assert ask(built, "SELECT count(*) FROM document WHERE title LIKE 'Title%'") == [(3,)]


def test_a_query_sees_no_python_variable(built: Settings) -> None:
    import pandas as pd

    frame = pd.DataFrame({"a": [1]})
    assert len(frame) == 1
    with pytest.raises(LightwellError, match="frame does not exist"):
        warehouse.query("SELECT * FROM frame", built)


def test_query_gives_names_and_rows(built: Settings) -> None:
    assert warehouse.query("SELECT 1 AS one, 'a' AS a", built) == (["one", "a"], [(1, "a")])


def test_every_duckdb_from_1_0_on_can_open_the_file(built: Settings) -> None:
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{built.database.resolve()}' AS w (READ_ONLY)")
        tags = con.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'w'").fetchall()[0][0]
    assert tags["storage_version"].startswith("v1.0.0"), tags


def test_looking_at_releases_imports_no_database() -> None:
    code = (
        "import sys; from lightwell import warehouse; from lightwell.settings import Settings; "
        "warehouse.current(Settings.from_environment()); "
        "print(sorted({'duckdb', 'pandas', 'great_expectations', 'pdfplumber', 'airflow'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


# ---- builds that meet


def _build_and_publish(home: Path, digest: str) -> None:
    settings = Settings(home=home, keep_releases=50)
    for _ in range(3):
        publish(settings, None if digest == "all" else three_documents()[:1], digest)


@pytest.mark.slow
def test_builds_at_once_do_not_meet(settings: Settings) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_build_and_publish, args=(settings.home, d)) for d in ("all", "first", "all")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    kept = warehouse.releases(settings)
    assert len(kept) == 9
    for release in kept:
        with warehouse.connect(path=release.database) as con:
            rows = con.execute(
                "SELECT release_id, (SELECT count(*) FROM observation_vintage) FROM release_info"
            ).fetchall()
        assert rows == [(release.release_id, 12 if release.inputs_digest == "all" else 4)]
    assert not list(settings.releases.glob(".[!l]*"))


def test_what_a_dead_process_left_is_removed_and_a_living_build_is_not(settings: Settings) -> None:
    for name in (".building-dead", ".removing-dead"):
        (settings.releases / name).mkdir(parents=True)
        (settings.releases / name / "lightwell.duckdb").write_text("half")
    living = build(settings)
    other = build(settings)
    assert sorted(p.name for p in settings.releases.iterdir()) == sorted(
        [".lock", living.folder.name, other.folder.name]
    )
    warehouse.publish(living, settings)
    warehouse.publish(other, settings)


def test_a_home_that_cannot_be_written_is_a_build_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match="could not be begun"):
        build(Settings(home=tmp_path / "file"))


def test_a_full_disk_while_publishing_leaves_the_old_release(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = publish(settings)
    ready = build(settings, three_documents()[:1], "two")

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "sync", full)
        with pytest.raises(BuildError, match=r"could not be published: .*No space left"):
            warehouse.publish(ready, settings)
    assert ask(settings, "SELECT release_id FROM release_info") == [(old,)]
    warehouse.publish(ready, settings)
    assert ask(settings, "SELECT release_id FROM release_info") == [(ready.release_id,)]
