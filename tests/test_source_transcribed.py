"""Transcribed sources of hotlines, authorities and studies: every row cited, universes apart, figures as printed."""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from lightwell import codes, harmonise, reading, source, warehouse
from lightwell.errors import BuildError
from lightwell.harmonise import Harmonised, Observation
from lightwell.settings import Settings
from lightwell.source import Source

SOURCES = (
    "accce",
    "bka_pks",
    "c3p",
    "esafety_bose",
    "inhope_annual",
    "iwf_annual",
    "oecd_benchmark",
    "ph_amlc",
    "ph_doj_ooc",
    "ph_ijm",
    "ph_picacc",
    "ph_pnp_wcpc",
    "studies",
    "tech_coalition",
    "uk_nca",
    "uk_police_transcribed",
    "us_hsi",
    "us_icac",
)


def harmonised(one: Source, settings: Settings) -> Iterator[Harmonised]:
    """What becomes of each CSV of a source, the newest first. No cache, no expectations: see test_quality for those."""
    for document in reading.transcriptions(one, settings):
        found = reading.read(document, one, settings)
        assert found.problem is None, found.problem
        yield harmonise.to_observations(found.figures, document, one, found.extractor_version)


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Harmonised]]:
    """What each source's CSVs say, read once."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), offline=True)

    @cache
    def one(source_id: str) -> list[Harmonised]:
        return list(harmonised(source.load(source_id), settings))

    return one


Read = Callable[[str], list[Harmonised]]


def observations(read: Read, source_id: str) -> list[Observation]:
    return [o for found in read(source_id) for o in found.observations]


def value(read: Read, source_id: str, metric: str, time_period: str, **dimensions: str) -> Observation:
    """The one observation of the newest CSV that has these dimensions, among others."""
    (found,) = [
        o
        for o in read(source_id)[0].observations
        if (o.metric, o.time_period) == (metric, time_period)
        and all({**o.dimensions, "harm": o.harm, "subject": o.subject}.get(k) == v for k, v in dimensions.items())
    ]
    return found


@pytest.mark.parametrize("source_id", SOURCES)
def test_every_row_is_read_and_cited(read: Read, source_id: str) -> None:
    one = source.load(source_id)
    assert one.method == "transcribed"
    assert one.transcribed_on is not None
    for found in read(source_id):
        assert found.observations
        assert found.quarantined == []
        assert found.provisional == {}
        for o in found.observations:
            assert o.cited_url and (o.cited_url.startswith(("https://", "http://")) or "Podcast" in o.cited_url)


@pytest.mark.parametrize("source_id", SOURCES)
def test_no_row_of_the_csv_is_lost(read: Read, source_id: str) -> None:
    folder, one = source.folder_of(source_id), source.load(source_id)
    for name, found in zip((f"{source_id}.csv", *one.earlier), read(source_id), strict=True):
        with (folder / name).open(encoding="utf-8", newline="") as handle:
            rows = [row for row in csv.reader(handle) if any(row)]
        headers = sum("metric" in row or "key" in row for row in rows)
        assert len(found.observations) == len(rows) - headers


NUMBERS: list[tuple[str, str, str, float, dict[str, str]]] = [
    ("iwf_annual", "hotline_reports", "2011", 41_877, {"medium": "_T"}),
    ("iwf_annual", "hotline_reports", "2024", 424_047, {"medium": "_T"}),
    ("iwf_annual", "hotline_reports", "2021", 228, {"medium": "newsgroups"}),
    ("iwf_annual", "hotline_reports_confirmed", "2024", 291_273, {"medium": "_T", "harm": "csam"}),
    ("iwf_annual", "hotline_reports_confirmed", "2024", 245, {"harm": "csam_ai_generated"}),
    ("inhope_annual", "hotline_content_processed", "2020", 1_038_250, {"seen_before": "_T"}),
    ("inhope_annual", "hotline_content_processed", "2024", 2_497_438, {"seen_before": "_T"}),
    ("inhope_annual", "hotline_content_illegal", "2020", 492_961, {"universe": "network"}),
    ("inhope_annual", "hotline_reports", "2024-Q1", 287_916, {"universe": "eu_hotlines"}),
    ("accce", "police_reports_received", "2018", 14_285, {"year_form": "first_year"}),
    ("accce", "police_reports_received", "2024-07-01/P1Y", 82_764, {"year_form": "fiscal"}),
    ("accce", "police_reports_received", "2021", 33_000, {"year_form": "calendar"}),
    ("accce", "children_removed_from_harm", "2021-07-01/P1Y", 65, {"scope": "international"}),
    ("us_icac", "investigations", "2023-10-01/P1Y", 203_467, {"year_form": "fiscal"}),
    ("us_icac", "suspects_arrested", "2015", 8_500, {"year_form": "not_stated"}),
    ("us_hsi", "victims_identified", "2018-10-01/P1Y", 1_066, {}),
    ("us_hsi", "convictions", "2021-10-01/P1Y", 2_147, {}),
    ("us_hsi", "suspects_arrested", "2023-10-01/P1Y", 2_545, {"harm": "trafficking_in_persons"}),
    ("bka_pks", "police_recorded_offences", "2023", 45_191, {"offence_key": "143200", "extent": "all"}),
    ("bka_pks", "police_recorded_offences", "2024", 94, {"offence_key": "143500", "extent": "attempted"}),
    ("uk_police_transcribed", "police_recorded_offences", "2023-04-01/P1Y", 38_685, {"universe": "england_and_wales"}),
    ("uk_police_transcribed", "police_offences_share", "2023-04-01/P1Y", 50, {"platform": "snapchat"}),
    ("uk_nca", "suspects_arrested", "2021", 10_181, {}),
    ("uk_nca", "children_safeguarded", "2021", 14_447, {}),
    ("ph_doj_ooc", "cybertips_received", "2019", 426_961, {"release": "december_2022"}),
    ("ph_doj_ooc", "cybertips_received", "2019", 418_422, {"release": "december_2021"}),
    ("ph_doj_ooc", "cybertips_received", "2022-S1", 1_044_420, {}),
    ("ph_picacc", "victims_rescued_cumulative", "2022-03", 526, {}),
    ("ph_ijm", "operations_cumulative", "2017-01", 44, {}),
    ("ph_ijm", "victims_rescued_cumulative", "2020-10", 687, {}),
    ("ph_pnp_wcpc", "victims_rescued_cumulative", "2024-12", 636, {"age_group": "_T"}),
    ("ph_pnp_wcpc", "convictions_cumulative", "2024-12", 12, {}),
    ("ph_amlc", "suspicious_transaction_reports", "2021", 68_214, {"universe": "study_3"}),
    ("ph_amlc", "suspicious_transaction_reports", "2022", 92_200, {"universe": "study_3"}),
    ("ph_amlc", "suspicious_transaction_value", "2021", 996_700_000, {"universe": "study_3"}),
    ("ph_amlc", "suspicious_transaction_value", "2022", 478_280_000, {"universe": "study_3"}),
    ("ph_amlc", "suspicious_transaction_reports", "2020-07-01/P30M", 182_729, {"universe": "study_3"}),
    ("ph_amlc", "suspicious_transaction_reports", "2019", 10_633, {"universe": "study_2"}),
    ("ph_amlc", "suspicious_transaction_reports", "2020", 47_937, {"universe": "doj_quoted"}),
    ("ph_amlc", "suspicious_remittances_share", "2021-01-01/P42M", 7.4, {"origin": "AUS"}),
    ("esafety_bose", "user_reports_received", "2024-06-15/P381D", 811_208, {"subject": "whatsapp"}),
    ("esafety_bose", "user_report_response_time", "2024-06-15/P381D", 33, {"subject": "threads"}),
    ("esafety_bose", "providers_using_tool", "2024-07-15/P154D", 0, {"subject": "_T", "harm": "livestreamed_abuse"}),
    ("studies", "ip_addresses_used", "2017", 81_723, {"study": "ijm_osec_2020"}),
    ("studies", "ip_addresses_used_rate", "2014", 43, {}),
    ("studies", "children_exploited", "2022", 500_000, {"method": "network_scale_up"}),
    ("studies", "minors_available_reduction", "2006-01-01/P5Y", 79, {"geography": "metro_cebu"}),
    ("oecd_benchmark", "services_with_attribute", "2025", 25, {"attribute": "publishes_transparency_reports"}),
    ("tech_coalition", "signal_accounts_actioned_cumulative", "2023-12", 30_989, {}),
    ("c3p", "notices_sent_cumulative", "2024", 40_000_000, {}),
]


@pytest.mark.parametrize(("source_id", "metric", "period", "number", "dimensions"), NUMBERS)
def test_figures_are_as_printed(
    read: Read, source_id: str, metric: str, period: str, number: float, dimensions: dict[str, str]
) -> None:
    assert value(read, source_id, metric, period, **dimensions).obs_value == number


@pytest.mark.parametrize("source_id", SOURCES)
def test_a_series_is_of_one_universe_and_one_form_of_year(read: Read, source_id: str) -> None:
    apart = ("universe", "release", "year_form", "study", "method", "population", "geography", "report", "extent")
    series: dict[str, set[tuple[str | None, ...]]] = defaultdict(set)
    for o in observations(read, source_id):
        series[o.series_id].add((o.freq, o.unit_measure, *(o.dimensions.get(name) for name in apart)))
    assert [meanings for meanings in series.values() if len(meanings) > 1] == []


@pytest.mark.parametrize(
    ("source_id", "month", "form"),
    [("accce", 7, "fiscal"), ("us_icac", 10, "fiscal"), ("us_hsi", 10, None), ("uk_police_transcribed", 4, None)],
)
def test_fiscal_years_are_time_ranges_and_calendar_years_are_not(
    read: Read, source_id: str, month: int, form: str | None
) -> None:
    for o in observations(read, source_id):
        if o.freq == "_O":
            assert (o.period_start.month, o.period_start.day) == (month, 1)
            assert o.dimensions.get("year_form") == form
        else:
            assert (o.freq, o.dimensions["year_form"]) in {("A", "calendar"), ("A", "first_year"), ("A", "not_stated")}


def test_the_philippine_counters_are_cumulative_and_never_fall(read: Read) -> None:
    metrics = codes.codelists().metric
    for source_id in ("ph_ijm", "ph_picacc", "ph_pnp_wcpc"):
        snapshots = sorted(observations(read, source_id), key=lambda o: o.period_end)
        assert {metrics[o.metric].measure for o in snapshots} == {"cumulative"}
        assert len({o.dimensions["universe"] for o in snapshots}) == 1
        for metric in {o.metric for o in snapshots}:
            counted = [
                o.obs_value or 0
                for o in snapshots
                if o.metric == metric and o.dimensions.get("age_group", "_T") == "_T"
            ]
            assert counted == sorted(counted)


def test_the_value_of_a_suspicious_report_falls(read: Read) -> None:
    def per_report(year: str) -> int:
        money, reports = (
            value(read, "ph_amlc", f"suspicious_transaction_{what}", year, universe="study_3")
            for what in ("value", "reports")
        )
        assert (money.unit_measure, reports.unit_measure, money.comparator) == ("php", "reports", "~")
        return round((money.obs_value or 0) / (reports.obs_value or 1))

    assert (per_report("2021"), per_report("2022")) == (14_611, 5_187)


def test_what_nobody_prints_is_missing_and_names_where_it_was_looked_for(read: Read) -> None:
    missing = [o for one in SOURCES for o in observations(read, one) if o.obs_status == "O"]
    assert sorted((o.source_id, o.metric) for o in missing) == [
        *[("esafety_bose", "providers_using_tool")] * 8,
        ("ph_amlc", "suspicious_transaction_reports"),
        ("studies", "minors_available_reduction"),
    ]
    assert all(o.obs_value is None and o.note and o.cited_url for o in missing)


def test_estimates_say_so_and_keep_their_bounds(read: Read) -> None:
    assert {o.obs_status for o in observations(read, "studies")} == {"E", "O"}
    threat = [o for o in observations(read, "uk_nca") if o.metric == "people_posing_threat"]
    assert {(o.obs_value, o.value_low, o.value_high, o.comparator, o.obs_status) for o in threat} == {
        (300_000, None, None, ">=", "E"),
        (None, 550_000, 850_000, "=", "Q"),
        (None, 550_000, 800_000, "=", "Q"),
    }


def test_the_keys_of_the_german_statistics_add_up(read: Read) -> None:
    rows = observations(read, "bka_pks")
    for year in ("2023", "2024"):
        for extent in ("all", "attempted"):
            of = {
                o.dimensions["offence_key"]: o
                for o in rows
                if (o.time_period, o.dimensions["extent"]) == (year, extent)
            }
            parts = sum(of[key].obs_value or 0 for key in ("143210", "143220", "143230"))
            assert of["143200"].is_total
            assert of["143200"].obs_value == parts


def test_the_first_prints_of_inhope_are_an_older_vintage(read: Read, settings: Settings) -> None:
    newest, first = reading.transcriptions(source.load("inhope_annual"), settings)
    assert (newest.published_on, newest.published_basis) == (date(2026, 11, 22), "stated")
    assert (first.published_on, first.method) == (None, "transcribed")
    now, then = (
        {(o.series_id, o.time_period): o.obs_value for o in found.observations} for found in read("inhope_annual")
    )
    restated = {(then[key], now[key]) for key in then.keys() & now.keys() if then[key] != now[key]}
    assert restated == {
        (1_038_268, 1_038_250), (309_136, 683_890), (267_192, 492_961), (928_278, 910_642), (443_705, 443_391)
    }  # fmt: skip


def test_an_earlier_edition_belongs_to_a_transcription_and_has_to_be_there(settings: Settings) -> None:
    with pytest.raises(ValueError, match="earlier: goes with method: transcribed"):
        Source.model_validate(source.load("ncmec_by_esp").model_dump(by_alias=True) | {"earlier": ["a.csv"]})
    lost = source.load("inhope_annual").model_copy(update={"earlier": ["nowhere.csv"]})
    with pytest.raises(BuildError, match=r"nowhere\.csv is not beside its declaration"):
        list(reading.transcriptions(lost, settings))


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("metric", "suspicions", "'suspicions' is not in metric.csv"),
        ("universe", "study_4", "matches no pattern of the map"),
        ("harm", "phishing", "'phishing' is in no codelist"),
        ("period", "FY 2021", "is a fiscal year"),
        ("comparator", "roughly", "matches no pattern of the map"),
        ("value", "68.214", "is not whole"),
    ],
)
def test_a_row_that_says_something_unknown_is_quarantined(tmp_path: Path, column: str, cell: str, reason: str) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    with (source.folder_of("ph_amlc") / "ph_amlc.csv").open(encoding="utf-8", newline="") as handle:
        head, *rows = csv.reader(handle)
    rows[3][head.index(column)] = cell
    with (folder / "ph_amlc_copy.csv").open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows([head, *rows])
    declared = (source.folder_of("ph_amlc") / "ph_amlc.yml").read_text(encoding="utf-8")
    (folder / "ph_amlc_copy.yml").write_text(declared.replace("id: ph_amlc", "id: ph_amlc_copy"), encoding="utf-8")
    settings = Settings(home=tmp_path / "home", extra_sources=folder, offline=True)
    (found,) = harmonised(source.load("ph_amlc_copy", settings), settings)
    assert len(found.observations) == len(rows) - 1
    assert [reason in q.reason for q in found.quarantined] == [True], found.quarantined


def test_two_values_of_one_universe_and_period_are_both_quarantined(read: Read, tmp_path: Path) -> None:
    one = source.load("ph_doj_ooc")
    (document,) = reading.transcriptions(one, Settings(home=tmp_path, offline=True))
    text = (source.folder_of("ph_doj_ooc") / "ph_doj_ooc.csv").read_text(encoding="utf-8")
    (tmp_path / "one.csv").write_text(text.replace("december_2021,2019", "december_2022,2019"), encoding="utf-8")
    copy = replace(document, path=tmp_path / "one.csv", document_id="1" * 64)
    found = reading.read(copy, one, Settings(home=tmp_path, offline=True))
    done = harmonise.to_observations(found.figures, copy, one, found.extractor_version)
    assert sorted(q.obs_text or "" for q in done.quarantined) == ["418422", "426961"]


def test_breaks_and_events_have_a_day_a_scope_and_a_source() -> None:
    lists = codes.codelists()
    for name in ("ncmec_2024_bundling_transcribed", "ncmec_2024_bundling_ojjdp"):
        assert lists.series_break[name].bridge_metric == "cybertip_incidents"
    assert lists.series_break["ncmec_2024_bundling"].bridge_metric == ""  # by provider NCMEC gives no incidents
    days = {name: lists.event[name].event_date for name in lists.event}
    assert days["ph_child_pornography_law"] == "2009-11-17"
    assert days["ph_osaec_law"] == "2022-07-30"
    assert days["report_act"] == "2024-05-07"
    assert days["uk_osa"] == "2023-10-26"
    assert (days["eu_interim_lapsed"], days["eu_interim_restored"]) == ("2026-04-03", "2026-07-09")
    assert days["dsa_schema_v2"] == lists.series_break["dsa_2025_schema_v2"].time_period == "2025-07-01"
    scoped = [e for e in lists.event.values() if e.source_id or e.metric or e.subject or e.ref_area]
    assert [e.event_id for e in lists.event.values() if e not in scoped] == ["covid_pandemic"]


def test_what_was_transcribed_for_us_is_all_there(read: Read, originals: Path) -> None:
    """Every number of national-statistics.csv and of the hotlines' and the BKA's files is an observation."""
    held = {o.obs_value for one in (*SOURCES, "ncmec_transcribed") for o in observations(read, one)}
    with (originals / "transcribed" / "national-statistics.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    scale = {"PHP million": 1_000_000}
    assert [r for r in rows if round(float(r["value"]) * scale.get(r["unit"], 1), 2) not in held] == []
    for name, columns in {
        "iwf-annual-2011-2024": ["reports", "newsgroup_reports", "confirmed_reports"],
        "inhope-annual-2018-2024": ["reports", "pieces", "known_pieces", "unknown_pieces", "illegal_pieces"],
        "bka-incidents-143200-2023-2024": ["incidents", "attempted_only"],
    }.items():
        with (originals / "transcribed" / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
            cells = [row[c] for row in csv.DictReader(handle) for c in columns if row[c]]
        assert len(cells) > 15
        assert [cell for cell in cells if float(cell) not in held] == []


def test_the_release_shows_the_restatement_and_the_bridge(built: Settings) -> None:
    def ask(sql: str) -> list[tuple[object, ...]]:
        return warehouse.query(sql, built)[1]

    restated = (
        "SELECT time_period, first_obs_value, latest_obs_value FROM restatement WHERE source_id = 'inhope_annual' "
    )
    assert ask(restated + "AND metric = 'hotline_content_illegal' ORDER BY 1") == [
        ("2020", 267_192, 492_961),
        ("2021", 443_705, 443_391),
    ]
    quarantined = "SELECT count(*) FROM quarantine WHERE source_id IN (" + ", ".join(f"'{s}'" for s in SOURCES) + ")"
    assert ask(quarantined) == [(0,)]
    assert ask("SELECT obs_value, comparator FROM observation WHERE metric = 'cybertip_incidents'") == [
        (29_200_000, "~")
    ]
    assert ask("SELECT count(*) FROM citation WHERE source_id = 'ph_amlc' AND url LIKE 'https://%'") == [(20,)]
