"""Tiers of the Trafficking in Persons Report: ranks, never means; which Congo, which Korea, which state of two."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import Ran, document, release_archive
from lightwell import codes, harmonise, reading, source
from lightwell.errors import LayoutError
from lightwell.harmonise import Harmonised
from lightwell.settings import Settings
from lightwell.source import Source
from lightwell.tables import delimited

READ = source.load("us_tip_tiers")
TRANSCRIBED = source.load("us_tip_tiers_transcribed")
HEADER = '"countryname","iso","year","ccode","tier"\n'


def of_lines(tmp_path: Path, *lines: str) -> Harmonised:
    path = tmp_path / "tiers.csv"
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return read(path, READ)


def read(path: Path, of_source: Source) -> Harmonised:
    of = replace(document(path, of_source.id), media_type="text/csv")
    layout = reading.choose_layout(of_source, delimited.opening(path).text)
    return harmonise.to_observations(delimited.extract(of, layout), of, of_source, "v")


def tiers(found: Harmonised, area: str) -> dict[str, float | None]:
    return {o.time_period: o.obs_value for o in found.observations if o.ref_area == area}


def test_a_tier_is_a_rank_and_no_tier_is_no_value(tmp_path: Path) -> None:
    words = ("Tier 1    ", "Tier 2    ", "Watchlist    ", "Tier 2 Watch List", "Tier 3", "Special Case", "NA")
    lines = [f'"Peru","PER",{2001 + n},135,"{word}"' for n, word in enumerate(words)]
    found = of_lines(tmp_path, *lines)
    assert found.quarantined == []
    assert list(tiers(found, "PER").values()) == [1, 2, 2.5, 2.5, 3, None, None]
    assert [(o.obs_status, o.obs_text) for o in found.observations[-2:]] == [("O", "Special Case"), ("O", "NA")]
    assert {(o.metric, o.unit_measure) for o in found.observations} == {("tip_tier", "tier")}
    metric = codes.codelists().metric["tip_tier"]
    assert (metric.measure, metric.additive) == ("rank", "no")


def test_years_before_the_first_report_are_left_out(tmp_path: Path) -> None:
    found = of_lines(tmp_path, '"Peru","PER",1999,135,NA', '"Peru","PER",2000,135,NA', '"Peru","PER",2001,135,"Tier 2"')
    assert (tiers(found, "PER"), found.quarantined) == ({"2001": 2}, [])


@pytest.mark.parametrize(
    ("line", "area"),
    [
        ('"Congo","COG",2010,484,"Tier 3"', "COG"),
        ('"Congo, the Democratic Republic of the","COD",2010,490,"Tier 3"', "COD"),
        ('"Georgia","GEO",2010,372,"Tier 3"', "GEO"),
        ('"Micronesia, Federated States of","FSM",2010,987,"Tier 3"', "FSM"),
        ('"Korea, Republic of","KOR",2010,732,"Tier 3"', "KOR"),
        ('"Korea, Democratic People\'s Republic of","PRK",2010,731,"Tier 3"', "PRK"),
        ('"Macedonia, the former Yugoslav Republic of","MKD",2010,343,"Tier 3"', "MKD"),
        ('"Kosovo","KOS",2010,347,"Tier 3"', "XKX"),
        ('"Hong Kong","HKG",2010,1000,"Tier 3"', "HKG"),
        ('"Serbia","SRB",2007,NA,"Tier 3"', "SRB"),
    ],
)
def test_areas_that_are_easily_mistaken(tmp_path: Path, line: str, area: str) -> None:
    assert list(tiers(of_lines(tmp_path, line), area).values()) == [3]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('"Congo","COD",2010,490,"Tier 3"', "are 2 codes, COD, COG"),
        ('"Sudan","SSD",2010,626,"Tier 3"', "are 2 codes, SDN, SSD"),
        ('"Korea","KOR",2010,732,"Tier 3"', "'Korea' is no area"),
        ('"Kosovo","SRB",2010,345,"Tier 3"', "are 2 codes, SRB, XKX"),
        ('"Serbia and Montenegro","SCG",2004,345,"Tier 2"', "'SCG' is no area"),
        ('"Serbia","SRB",2006,345,"Tier 2"', "'Serbia and Montenegro' is no area"),
        ('"Montenegro","MNE",2003,341,"Tier 2"', "'Serbia and Montenegro' is no area"),
        ('"Peru","PER",2010,135,"Tier 4"', "is 0 places of the declaration's `ranks`"),
        ('"Peru","PER",2010,135,"2"', "is 0 places of the declaration's `ranks`"),
        ('"Peru","PER",2010/11,135,"Tier 2"', "'2010/11' is no period"),
    ],
)
def test_what_is_not_sure_is_set_aside(tmp_path: Path, line: str, reason: str) -> None:
    found = of_lines(tmp_path, line)
    assert found.observations == []
    assert [reason in q.reason for q in found.quarantined] == [True], [q.reason for q in found.quarantined]


def test_a_country_printed_twice_a_year_is_set_aside(tmp_path: Path) -> None:
    found = of_lines(tmp_path, '"Peru","PER",2010,135,"Tier 2"', '"Peru","PER",2010,135,"Tier 3"')
    assert (found.observations, len(found.quarantined)) == ([], 2)


@pytest.mark.parametrize("header", ['"country","iso","year","ccode","tier"\n', '"countryname","iso","year","rank"\n'])
def test_a_file_unlike_its_layout_is_refused_whole(tmp_path: Path, header: str) -> None:
    path = tmp_path / "tiers.csv"
    path.write_text(header + '"Peru","PER",2010,135,"Tier 2"\n', encoding="utf-8")
    with pytest.raises(LayoutError, match="stands under no header"):
        read(path, READ)


def test_several_labels_agree_on_a_code_or_need_a_map() -> None:
    rule = {"table": "tiers", "metric": "tip_tier", "time_period": {"label": "year"}}
    for rest, refused in (("codelist", False), ("refuse", True), ("slug", True)):
        area = {"label": ["iso", "country"], "rest": rest}
        declared = {**READ.model_dump(by_alias=True), "observe": [{**rule, "ref_area": area}]}
        if refused:
            with pytest.raises(ValueError, match="several labels together need a map"):
                Source.model_validate(declared)
        else:
            assert Source.model_validate(declared)


def test_the_transcribed_years_go_on_where_the_file_ends(settings: Settings) -> None:
    (held,) = reading.transcriptions(TRANSCRIBED, settings)
    assert held.path is not None
    found = read(held.path, TRANSCRIBED)
    assert found.quarantined == []
    assert tiers(found, "PHL") == {f"{year}": 1 for year in range(2016, 2026)}
    assert all((o.cited_url or "").startswith("https://") for o in found.observations)
    assert held.method == "transcribed"


@pytest.mark.slow
def test_the_watch_list_passes_the_checks_of_a_release(tmp_path: Path, lightwell: Callable[..., Ran]) -> None:
    file = tmp_path / "tiers.csv"
    file.write_text(HEADER + '"Peru","PER",2010,135,"Watchlist"\n"Peru","PER",2011,135,NA\n', encoding="utf-8")
    home = Settings(home=tmp_path / "home", offline=True)
    assert lightwell("--home", home.home, "add", "us_tip_tiers", file, "--published", "2015-07-27").code == 0
    release_archive(home)
    asked = (
        "SELECT ref_area, time_period, obs_value, obs_status FROM observation WHERE metric = 'tip_tier' ORDER BY ALL"
    )
    assert lightwell("--home", home.home, "query", asked, "--format", "csv").out.splitlines()[1:] == [
        "PER,2010,2.5,A",
        "PER,2011,,O",
    ]


def test_original(originals: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = originals / "context" / "us-tip-tiers-2001-2015.csv"
    found = read(path, READ)
    assert tiers(found, "PHL") == {
        **dict.fromkeys(("2001", "2002", "2003", "2006", "2007", "2008"), 2),
        **dict.fromkeys(("2004", "2005", "2009", "2010"), 2.5),
        **{f"{year}": 2 for year in range(2011, 2016)},
    }
    assert {(q.label_text or "").split(" | ")[1] for q in found.quarantined} == {"SRB", "MNE"}
    assert len(found.quarantined) == 8
    frame = pandas.read_csv(path, dtype=str, keep_default_na=False)
    counted = frame.assign(tier=frame.tier.str.strip()).groupby(["year", "tier"]).size()
    for year in ("2001", "2008", "2010", "2015"):  # of other years eight rows are set aside
        for word, rank in (("Tier 1", 1), ("Tier 2", 2), ("Watchlist", 2.5), ("Tier 3", 3), ("NA", None)):
            mine = [o for o in found.observations if o.time_period == year and o.obs_value == rank]
            assert len(mine) == counted.get((year, word), 0), (year, word)
