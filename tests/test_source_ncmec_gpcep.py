"""NCMEC's Global Platform: rounded and held back figures, totals of another period, and no case studies."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conftest import Ran, document, release_archive
from lightwell import archive, fetch, harmonise, quality, reading, source, warehouse
from lightwell.errors import FetchError, LayoutError
from lightwell.harmonise import Harmonised
from lightwell.settings import Settings
from lightwell.tables import json as json_tables

GPCEP = source.load("ncmec_gpcep")
KINDS = ("child_pornography", "child_sex_tourism", "child_sex_trafficking", "child_sexual_molestation")
KINDS += ("misleading_domain_name", "misleading_words_images", "online_enticement", "unsolicited_obsscene_materials")
FILES = ("reported_images", "reported_videos", "reported_other", "gai_csam")
FILES += tuple(f"{c}_industry_classification" for c in ("A1", "A2", "B1", "B2", "null"))
LINKS = ("inhope_hotline_link", "inhope_hotline_2", "inhope_hotline_2_link", "global_online_safety_regulators_network")
LINKS += ("data_insights_link_fr", "legal_summaries_download_link", "highlights_link_es", "related_content")


def jurisdiction(
    code: str, name: str, total: object = "--", referred: object = 2400, **other: object
) -> dict[str, Any]:
    """One record as the platform writes them, with every figure held back that is not given."""
    slug = name.lower().replace(" ", "-")
    return {
        "id": code, "url_friendly_name": slug, "localized_name_en": name, "localized_name_es": name, "continent": "x",
        "flag_url": "/x.svg", "cybertipline_reports_total": total, "cybertipline_reports_referred": referred,
        "us_mlat": "No", "inhope_hotline": "None", **dict.fromkeys(LINKS), "esp_escalations": "<50",
        **{f"incident_type_{kind}": "<50" for kind in KINDS},
        **{f"file_information_{kind}": "<50" for kind in FILES},
        **{f"ncmec_priority_{p}": "<50" for p in "123E"}, "data_insights_link": f"/en/{slug}.html", **other,
    }  # fmt: skip


def reports(*data: dict[str, Any], period: str = "2024Y", year: int = 2024) -> dict[str, Any]:
    told = {"periodString": "x", "periodStringShort": "x", "periodStringDisplay": "x"}
    return {"year": year, "period": period, **told, "data": list(data), "updated": "2025-09-03T12:00:00Z"}


def services(esps: dict[str, object], isps: dict[str, object] | None = None, **where: str) -> dict[str, Any]:
    return reports({**where, "esps": esps, "isps": isps or {}})


def read(path: Path, content: object = None) -> Harmonised:
    if content is not None:
        path.write_text(json.dumps(content), encoding="utf-8")
    of = replace(document(path, GPCEP.id), media_type="application/json")
    layout = reading.choose_layout(GPCEP, json_tables.opening(path).text)
    return harmonise.to_observations(GPCEP.extractor(of.media_type)(of, layout), of, GPCEP, "v")


def test_each_group_of_keys_is_a_metric_with_its_dimensions(tmp_path: Path) -> None:
    record = jurisdiction(
        "PH", "Philippines", incident_type_child_sex_trafficking=4000, incident_type_unsolicited_obsscene_materials=80,
        ncmec_priority_E=2300, file_information_reported_videos=96000, file_information_A1_industry_classification=310,
        file_information_null_industry_classification=5, file_information_gai_csam=60, esp_escalations=0,
    )  # fmt: skip
    found = read(tmp_path / "r.json", reports(record))
    exact = {
        (o.metric, o.harm, *o.dimensions.values()): o.obs_value for o in found.observations if o.obs_value is not None
    }
    assert exact == {
        ("cybertip_referrals", "_T"): 2400,
        ("cybertip_referrals", "child_sex_trafficking"): 4000,
        ("cybertip_referrals", "obscene_material_to_child"): 80,
        ("cybertip_referrals", "_T", "E"): 2300,
        ("cybertip_escalations", "_T"): 0,
        ("files_reported_by_area", "_T", "video"): 96000,
        ("files_reported_by_area", "csam", "A1"): 310,
        ("files_reported_by_area", "_U", "none"): 5,
        ("files_reported_by_area", "csam_ai_generated"): 60,
    }
    assert {o.ref_area for o in found.observations} == {"PHL"}
    assert [o.obs_text for o in found.observations if o.is_total] == ["2400"]
    assert found.quarantined == []


def test_held_back_is_bounds_and_never_zero_in_the_series_of_the_rounded(tmp_path: Path) -> None:
    held = read(tmp_path / "r.json", reports(jurisdiction("PH", "Philippines", referred="<50"))).observations
    assert {
        (o.obs_value, o.value_low, o.value_high, o.comparator, o.obs_status) for o in held if o.obs_text == "<50"
    } == {(None, 0, 49, "<", "Q")}
    printed = read(tmp_path / "r.json", reports(jurisdiction("PH", "Philippines"))).observations
    gone = read(tmp_path / "r.json", reports(jurisdiction("PH", "Philippines", referred="--"))).observations
    first = [next(o for o in found if o.is_total) for found in (held, printed, gone)]
    assert len({o.series_id for o in first}) == 1
    assert [(o.obs_value, o.obs_status, o.comparator) for o in first] == [
        (None, "Q", "<"),
        (2400, "A", "~"),
        (None, "O", "~"),
    ]


@pytest.mark.parametrize(
    ("period", "code", "freq"), [("2024Y", "2024", "A"), ("2024H1", "2024-S1", "S"), ("2025H2", "2025-S2", "S")]
)
def test_the_period_is_the_document_s_own(tmp_path: Path, period: str, code: str, freq: str) -> None:
    found = read(tmp_path / "r.json", reports(jurisdiction("PH", "Philippines"), period=period, year=int(period[:4])))
    assert {(o.time_period, o.freq) for o in found.observations} == {(code, freq)}


@pytest.mark.parametrize(("period", "year"), [("2024H3", 2024), ("2024H1", 2025), ("2024 so far", 2024)])
def test_a_period_that_is_none_or_not_of_the_year_is_set_aside(tmp_path: Path, period: str, year: int) -> None:
    found = read(tmp_path / "r.json", reports(jurisdiction("PH", "Philippines"), period=period, year=year))
    assert found.observations == []
    assert all("time_period: " in q.reason for q in found.quarantined)


@pytest.mark.parametrize(
    ("total", "referred", "reason"),
    [
        (
            261,
            300,
            "more reports are printed as referred than in all (Philippines: 300 of 261), and they are printed to",
        ),
        (197048, 120000, "they are printed to the last digit, where the document's other figures are rounded"),
        (25, "<50", "they are printed to the last digit"),
        (200000, 120000, "not proven to be of the period printed, and nothing in the document proves that they are"),
    ],
)
def test_totals_are_set_aside_and_all_else_is_released(
    tmp_path: Path, total: int, referred: object, reason: str
) -> None:
    content = reports(jurisdiction("PH", "Philippines", total, referred), jurisdiction("AL", "Albania", 90, "<50"))
    found = read(tmp_path / "r.json", content)
    assert [(q.table, q.obs_text) for q in found.quarantined] == [("totals", str(total)), ("totals", "90")]
    assert all(reason in q.reason for q in found.quarantined)
    assert len(found.observations) == 2 * 23
    assert all(o.metric != "cybertip_reports" for o in found.observations)
    verdict = quality.check(found, document(tmp_path / "r.json", GPCEP.id), GPCEP)
    assert verdict.released
    assert verdict.rejected_ids == frozenset()


def test_services_and_providers(tmp_path: Path) -> None:
    content = services(
        {"MediaLabKik": 3200, "X Corp": "<10", "TikTok Inc": 20},
        {"Acme, Zap-Net": "990"},
        localized_name_en="Åland Islands",
    )
    found = read(tmp_path / "s.json", content)
    assert [(o.subject, o.obs_value, o.value_high, dict(o.dimensions)) for o in found.observations] == [
        ("kik", 3200, None, {}),
        ("x", None, 9, {}),
        ("tiktok", 20, None, {}),
        ("_T", 990, None, {"internet_provider": "Acme, Zap-Net"}),
    ]
    assert {(o.ref_area, o.metric) for o in found.observations} == {("ALA", "cybertip_referrals")}


def test_the_form_of_the_first_half_of_2024(tmp_path: Path) -> None:
    content = services({"Imgur, LLC": "&#60;10", "Brand New App": 10}, url_friendly_name="antigua-and-barbuda")
    found = read(tmp_path / "s.json", content)
    assert [(o.ref_area, o.subject, o.obs_text, o.value_high) for o in found.observations] == [
        ("ATG", "imgur", "<10", 9),
        ("ATG", "brand_new_app", "10", None),
    ]
    assert found.provisional == {"brand_new_app": "Brand New App"}


def test_two_names_of_one_service_or_an_unknown_area_are_set_aside(tmp_path: Path) -> None:
    twice = read(tmp_path / "s.json", services({"X Corp": 30, "X Corp.": 40, "Google": 10}, localized_name_en="Peru"))
    assert [o.subject for o in twice.observations] == ["google"]
    unknown = read(tmp_path / "s.json", services({"Google": 10}, localized_name_en="Atlantis"))
    assert ["'Atlantis' is no area" in q.reason for q in unknown.quarantined] == [True]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda r: r.update(incident_type_sextortion=3),
            "the key 'incident_type_sextortion' of /data/\\* is not known",
        ),
        (lambda r: r.update(ncmec_priority_4=r.pop("ncmec_priority_3")), "the key 'ncmec_priority_4'"),
        (lambda r: r.pop("cybertipline_reports_referred"), "fits no layout of ncmec_gpcep"),
        (lambda r: r.pop("localized_name_en"), "stands under no header"),
    ],
)
def test_a_document_with_other_keys_is_refused(tmp_path: Path, change: Callable[[Any], Any], reason: str) -> None:
    record = jurisdiction("PH", "Philippines")
    change(record)
    with pytest.raises(LayoutError, match=reason):
        read(tmp_path / "r.json", reports(record))


@pytest.mark.parametrize("value", ["-5", "2.5", "many", "1 200"])
def test_what_is_no_count_is_set_aside(tmp_path: Path, value: str) -> None:
    found = read(tmp_path / "r.json", reports(jurisdiction("PH", "Philippines", ncmec_priority_1=value)))
    assert [(q.obs_text, q.table) for q in found.quarantined] == [(value, "priorities")]


def test_a_case_study_does_not_reach_the_archive(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "case-study.json"
    told = {"id": "ZZ", "title": "Case Study", "text": "Zorro was found in the attic by a friend of the family. " * 3}
    path.write_text(json.dumps(reports(told)), encoding="utf-8")
    with pytest.raises(FetchError, match="holds a narrative"):
        fetch.add(GPCEP, path, settings)
    kept = [p.read_text(encoding="utf-8") for p in settings.home.rglob("*") if p.is_file()]
    assert not any("Zorro" in text for text in kept)
    assert [a.outcome for a in archive.attempts(settings, GPCEP.id)] == ["failed"]


@pytest.mark.slow
def test_from_file_to_warehouse(tmp_path: Path, settings: Settings, lightwell: Callable[..., Ran]) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(reports(jurisdiction("PH", "Philippines", 100, 300))), encoding="utf-8")
    fetch.add(GPCEP, path, settings)
    release_archive(settings)
    with warehouse.connect(settings) as con:
        held = con.execute("SELECT count(*), max(obs_text) FROM quarantine WHERE source_id = 'ncmec_gpcep'").fetchone()
        told = con.execute("SELECT obs_value, comparator FROM observation WHERE is_total").fetchall()
        day = con.execute("SELECT published_on::VARCHAR, published_basis FROM document").fetchone()
    assert held == (1, "100")
    assert told == [(300, "~")]
    assert day == ("2025-09-03", "document")


def test_the_samples(originals: Path) -> None:
    found = read(originals / "ncmec" / "gpcep-reports-2024-sample.json")
    assert len(found.observations) == 4 * 23
    values = {
        (o.ref_area, o.harm, *o.dimensions.values()): o.obs_value
        for o in found.observations
        if o.metric == "cybertip_referrals"
    }
    assert values["AFG", "_T"] == 120000
    assert values["ALB", "online_enticement"] == 700
    assert values["DZA", "_T", "E"] == 280000
    assert values["ALA", "_T"] is None
    assert [q.obs_text for q in found.quarantined] == ["197048", "25", "8821", "762754"]
    found = read(originals / "ncmec" / "gpcep-esp-2024-sample.json")
    assert (len(found.observations), found.quarantined, found.provisional) == (48, [], {})
    brazil = {o.subject: o.obs_value for o in found.observations if o.ref_area == "BRA"}
    assert brazil["instagram"] == 140000
    assert brazil["microsoft"] == 6300
