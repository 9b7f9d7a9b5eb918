"""The codelists that ship are sound; a codelist that is not says where; names are found exactly or not at all."""

import csv
import json
import shutil
from datetime import date
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightwell import codes
from lightwell.errors import DeclarationError
from lightwell.settings import resource

LISTS = codes.codelists()
END_2020, END_2021, END_2022 = date(2020, 12, 31), date(2021, 12, 31), date(2022, 12, 31)


def organisation(name: str, on: date = END_2022, source_id: str = "ncmec_by_esp") -> tuple[str, dict[str, str]] | None:
    found = codes.find_organisation(name, source_id, on, LISTS)
    return None if found is None else (found.code, dict(found.dimensions))


def area(name: str) -> str | None:
    found = codes.find_area(name, "ncmec_by_country", LISTS)
    return None if found is None else found.code


# --- what ships -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(resource("codelists").glob("*.csv")), ids=lambda path: path.stem)
def test_every_codelist_is_known_sorted_and_ends_its_lines_alike(path: Path) -> None:
    assert path.stem in codes.TABLES
    content = path.read_bytes()
    assert b"\r" not in content and content.endswith(b"\n") and not content.startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert rows and rows == sorted(rows)


def test_as_rows_gives_every_codelist_with_its_columns() -> None:
    tables = codes.as_rows(LISTS)
    assert tables.keys() == codes.TABLES.keys()
    for name, rows in tables.items():
        assert rows, name
        assert all(tuple(row) == codes.TABLES[name] for row in rows)


def test_the_fixed_metrics_are_there_with_their_units_and_additivity() -> None:
    expected = {
        "cybertip_reports": ("reports", "yes"),
        "cybertip_reports_share": ("percent", "no"),
        "cybertip_referrals": ("reports", "no"),
        "cybertip_reports_informational": ("reports", "no"),
        "files_reported": ("files", "yes"),
        "files_unique_by_hash": ("files", "no"),
        "cybertip_reports_with_unique_images": ("reports", "no"),
        "cybertip_reports_with_similar_media": ("reports", "no"),
        "esps_registered": ("organisations", "yes"),
        "cybertip_reports_made_available": ("reports", "no"),
        "law_enforcement_feedback": ("instances", "yes"),
        "hashes_added": ("hashes", "yes"),
        "cvip_files_reviewed": ("files", "no"),
        "cvip_victims_identified": ("victims", "yes"),
        "cvip_series_added": ("series", "yes"),
        "cvip_submissions": ("submissions", "yes"),
        "cvip_files_submitted": ("files", "yes"),
    }
    found = {m.metric: (m.unit_measure, m.additive) for m in LISTS.metric.values()}
    assert expected.items() <= found.items()


def test_all_codes_of_an_observation_that_mean_no_single_thing_are_listed() -> None:
    assert {"_T", "_U", "_Z"} <= LISTS.area.keys()
    assert {"_T", "_U", "_Z"} <= LISTS.harm.keys()
    assert {"_T", "esp", "public", "ncmec"} <= LISTS.organisation.keys()
    assert set(LISTS.obs_status) == set("AEPBQO")
    assert set(LISTS.freq) == {*"ASQMD", "_O"}


# --- organisations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spellings", "code"),
    [
        (["Discord", "Discord Inc.", "DISCORD, INC", "Discord LLC"], "discord"),
        (["Imgur", "Imgur, LLC"], "imgur"),
        (["Multi Media, LLC/Zmedianow, LLC/ Chaturbate", "Multi Media/Zmedianow/Chaturbate"], "chaturbate"),
        (["JNJ Mobile Inc, dba MocoSpace", "JNJ Mobile (MocoSpace)", "JNJ Mobile, Inc, d/b/a MocoSpace"], "mocospace"),
        (["Alpha Exploration Co (Clubhouse)", "Alpha Exploration Co, Inc (d/b/a “Clubhouse)"], "clubhouse"),
        (["Get Together (IRL)", "Get Together, Inc. (d.b.a IRL)"], "irl"),
        (["LEGO System A/S", "LEGO System"], "lego"),
        (["Fenix International Limited", "Fenix International Limited (OnlyFans)"], "onlyfans"),
        (["Microsoft", "Microsoft - Online Operations"], "microsoft"),
        (["Microsoft - Xbox"], "xbox"),
        (["Microsoft- other products"], "microsoft_other_products"),
        (["MG Freesites (Pornhub)", "MG Freesites Ltd (dba Pornhub)"], "pornhub"),
        (["MG Freesites", "MG Freesites Ltd"], "mg_freesites"),
        (["Snapchat", "Snap"], "snapchat"),
        (["X", "X Corp."], "x"),
        (["Twitter", "Twitter, Inc."], "twitter"),
        (["X.AI"], "xai"),
        (["New Meta AB"], "new_meta"),
        (["Endurance International Group", "Endurance Int'l Group, Inc."], "endurance"),
    ],
)
def test_spellings_of_one_organisation_share_a_code(spellings: list[str], code: str) -> None:
    assert [organisation(name) for name in spellings] == [(code, {})] * len(spellings)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Facebook*", "meta"),
        ("MindGeek*", "mindgeek"),
        ("Match Group*", "match_group"),
        ("Meet Group*", "meet_group"),
        ("MediaLab AI*", "medialab"),
        ("Microsoft*", "microsoft"),
        ("TikTok*", "tiktok"),
        ("Automattic*", "automattic"),
        ("Endurance International Group*", "endurance"),
        ("Globtech*", "globtech"),
        ("INHOPE*", "inhope"),
        ("Twitter*", "twitter"),  # 2019 may star others: the asterisk's meaning is declared for any name
        ("Amazon / Twitch", "amazon"),
    ],
)
def test_a_name_with_affiliates_combined_is_another_series(name: str, code: str) -> None:
    assert organisation(name, END_2020) == (code, {"affiliates": "combined"})


def test_an_asterisk_of_unknown_meaning_is_kept_apart_and_claims_nothing() -> None:
    assert organisation("Facebook*", date(2023, 12, 31)) == ("facebook", {"footnote": "*"})
    assert organisation("Facebook*", END_2020, source_id="another") == ("facebook", {"footnote": "*"})


def test_old_and_new_owner_printed_in_one_year_do_not_collide() -> None:
    on = date(2024, 12, 31)
    assert organisation("MindGeek - Pornhub", on) == ("pornhub", {})
    assert organisation("Aylo (Pornhub)", on) == ("pornhub", {"subject_variant": "aylo"})


def test_a_source_may_read_a_name_its_own_way() -> None:
    assert organisation("Snap Inc.", source_id="ncmec_by_esp") == ("snapchat", {})
    assert organisation("Snap Inc.", source_id="another") == ("snap", {})


def parent(child: str, on: date) -> list[str]:
    return [
        p.parent
        for p in LISTS.organisation_parent
        if p.organisation == child and codes.in_force(p.valid_from, p.valid_to, on)
    ]


def test_parents_are_dated() -> None:
    assert parent("facebook", END_2022) == ["meta"]
    assert parent("pornhub", date(2023, 8, 16)) == ["mindgeek"]
    assert parent("pornhub", date(2023, 8, 17)) == ["aylo"]
    assert parent("imgur", END_2020) == []
    assert parent("imgur", END_2021) == ["medialab"]
    assert parent("twitter", END_2022) == parent("x", date(2024, 1, 1)) == ["x_corp"]


def test_a_new_name_gets_a_code_of_its_own_words() -> None:
    assert codes.provisional_code("Zorbly Chat, Inc.*", LISTS.organisation) == "zorbly_chat"
    assert codes.provisional_code("zorbly  CHAT", LISTS.organisation) == "zorbly_chat"
    clash = codes.provisional_code("Public", LISTS.organisation)  # `public` are the members of the public
    assert clash.startswith("public_") and clash != "public"
    greek, cyrillic = (codes.provisional_code(name, LISTS.organisation) for name in ("Ωμέγα 1", "Омега 1"))
    assert greek.startswith("1_") and greek != cyrillic


@given(st.text(), st.text())
def test_names_with_different_words_never_share_a_provisional_code(one: str, other: str) -> None:
    first, second = (codes.provisional_code(name, LISTS.organisation) for name in (one, other))
    assert (first == second) == (codes.name_key(one) == codes.name_key(other))
    assert first not in LISTS.organisation


@given(st.text(max_size=30))
def test_normalising_twice_changes_nothing(name: str) -> None:
    assert codes.label_key(codes.label_key(name)) == codes.label_key(name)


def test_a_legal_form_is_dropped_only_where_something_is_left() -> None:
    assert codes.name_key("Inc") == "inc"
    assert codes.name_key("Incorporated Ideas LLC") == "incorporated ideas"
    assert codes.name_key("Hinge.co") == "hinge co"


def test_nearest_names_are_offered_but_never_taken() -> None:
    assert organisation("Faceboook") is None
    first, *rest = codes.nearest_names("Faceboook")
    assert (first.name, first.code) == ("Facebook", "facebook") and len(rest) == 2
    assert len(codes.nearest_names("Faceboook", n=5)) == 5


# --- areas ----------------------------------------------------------------------------------------------------------

ODDITIES = {
    "Eretria": "ERI",
    "Sierre Leone": "SLE",
    "Bahrain/Bahrein": "BHR",
    "Turks and Calcos Islands": "TCA",
    "Europe": "EUROPE",
    "Netherlands Antilles": "ANT",
    "Caribbean Netherlands": "BES",
    "No Country Listed*": "_U",
    "No Country Listed": "_U",
    "Null": "_U",
    "null*": "_U",
    "Turkey": "TUR",
    "Türkiye": "TUR",
    "Russia": "RUS",
    "Russian Federation": "RUS",
    "Cote d'Ivoire (Ivory Coast)": "CIV",
    "Côte d’Ivoire": "CIV",
    "Ivory Coast": "CIV",
    "Kosovo": "XKX",
    "Cape Verde Islands": "CPV",
    "Swaziland": "SWZ",
    "Eswatini": "SWZ",
    "Macedonia/North Macedonia": "MKD",
    "Reunion": "REU",
    "Curacao": "CUW",
    "Saint Barthélemy": "BLM",
    "Saint Bartelemey": "BLM",
    "Burma/Myanmar": "MMR",
    "Myanmar": "MMR",
    "Laos": "LAO",
    "Lao People's Democratic Republic": "LAO",
    "Congo": "COG",
    "Congo, The Democratic Republic of the": "COD",
    "Georgia": "GEO",
    "Micronesia": "FSM",
    "Federated States of Micronesia": "FSM",
    "Saint Martin": "MAF",
    "Sint Maarten": "SXM",
    "Palestinian Territory": "PSE",
    "Hong Kong": "HKG",
    "Macao/Macao": "MAC",
    "Yemen Arab Republic": "YEM",
    "Vatican City": "VAT",
    "Surinam": "SUR",
    "North Korea": "PRK",
    "South Korea": "KOR",
    "US Virgin Islands": "VIR",
    "British Virgin Islands": "VGB",
    "Svalbard": "SJM",
    "Pitcairn, Henderson, Ducie, and Oeno": "PCN",
    "Falkland Islands": "FLK",
    "Saint Helena, Ascension and Tristan da Cunha": "SHN",
    "People's Republic of China": "CHN",
    "Romania/Rumania": "ROU",
    "Guinea": "GIN",
    "Guinea-Bissau": "GNB",
    "Equatorial Guinea": "GNQ",
    "Niger": "NER",
    "Nigeria": "NGA",
    "Dominica": "DMA",
    "Dominican Republic": "DOM",
    "United States": "USA",
    "United Kingdom": "GBR",
    "Philippines": "PHL",
    "Gambia, The": "GMB",
    "Aland Islands": "ALA",
    "Wallis and Futuna": "WLF",
    "Cocos (Keeling) Islands": "CCK",
}


@pytest.mark.parametrize(("name", "code"), ODDITIES.items())
def test_publishers_names_of_areas(name: str, code: str) -> None:
    assert area(name) == code
    assert area(f"  {name.upper()} * ") == code


def test_an_area_code_stands_for_itself() -> None:
    assert [area(code) for code in ("PHL", "XKX", "_T", "phl ")] == ["PHL", "XKX", "_T", None]


def test_french_guiana_under_two_names_makes_two_series() -> None:
    plain, other = (codes.find_area(n, "ncmec_by_country", LISTS) for n in ("French Guiana", "Guiana, French"))
    assert plain == ("GUF", {})
    assert other == ("GUF", {"area_variant": "guiana_french"})


@pytest.mark.parametrize(
    "name", ["Philipines", "Erithrea", "", "*", "Korea", "Virgin Islands", "phl", "Total", "Guiana"]
)
def test_a_likeness_is_no_match(name: str) -> None:
    assert area(name) is None


def test_areas_are_iso_3166_and_few_others() -> None:
    beside = {a.ref_area for a in codes.areas().values() if len(a.ref_area) != 3 or a.kind != "country"}
    assert beside == {"ANT", "EUE", "EUROPE", "W1", "_T", "_U", "_Z"}
    assert len(codes.areas()) >= 249 + 7


# --- harms ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "code"),
    [
        ("Child Pornography\n(possession, manufacture, distribution)", "csam"),
        ("Misleading Words or Digital Images on the Internet", "misleading_words_or_images"),
        ("Online Enticement of Children for Sexual Acts", "online_enticement"),
        ("Child Sex Trafficking", "child_sex_trafficking"),
        ("Unsolicited Obscene Material Sent to a Child", "obscene_material_to_child"),
        ("Misleading Domain Name", "misleading_domain_name"),
        ("Child Sexual Molestation", "child_sexual_molestation"),
        ("Child Sex Tourism*", "child_sex_tourism"),
        ("Livestreaming", None),
    ],
)
def test_the_crosswalk_of_the_ojjdp_report(label: str, code: str | None) -> None:
    assert codes.find_harm(label, "ncmec_ojjdp", END_2022, LISTS) == code
    assert codes.find_harm(label, "another", END_2022, LISTS) is None


# --- lists that are not sound ---------------------------------------------------------------------------------------

BROKEN = {
    "unknown unit": ("metric", "a_new_metric,A title,parsecs,flow,yes,A definition", "unit_measure 'parsecs'"),
    "measure": ("metric", "a_new_metric,A title,reports,often,yes,A definition", "measure 'often'"),
    "additive": ("metric", "a_new_metric,A title,reports,flow,maybe,A definition", "additive 'maybe'"),
    "no definition": ("metric", "a_new_metric,A title,reports,flow,yes,", "definition is empty"),
    "key twice": ("metric", "cybertip_reports,A title,reports,flow,yes,A definition", "for the second time"),
    "no code": ("unit", "Big Units,Big,", "is no code"),
    "kind": ("organisation", "acme,Acme,circus,,", "kind 'circus'"),
    "country": ("organisation", "acme,Acme,company,ZZZ,", "country 'ZZZ'"),
    "unnamed": ("organisation", "acme,,company,,", "name is empty"),
    "name of nobody": ("organisation_name", "Acme,acme,,,,,", "organisation 'acme'"),
    "two meanings": ("organisation_name", "FACEBOOK Inc,meta,,,,,", "already stands for 'facebook'"),
    "name twice": ("organisation_name", "Facebook,facebook,,,,,", "already stands for"),
    "combined": ("organisation_name", "Acme,meta,,,,perhaps,", "combined 'perhaps'"),
    "asterisk": ("organisation_name", "*,meta,ncmec_by_esp,,,yes,", "the name \\*"),
    "wordless": ("organisation_name", "!!,meta,,,,,", "holds no word"),
    "date": ("organisation_name", "Acme,meta,,2020-13-01,,,", "2020-13-01"),
    "short date": ("organisation_name", "Acme,meta,,20200101,,,", "is no day"),
    "backwards": ("organisation_name", "Acme,meta,,2021-01-01,2020-01-01,,", "is after"),
    "dangling parent": ("organisation_parent", "facebook,acme,2030-01-01,,x", "parent 'acme'"),
    "two parents": ("organisation_parent", "facebook,google,2030-01-01,,x", "two parents at once"),
    "cycle": ("organisation_parent", "alphabet,youtube,,,x", "its own ancestor"),
    "area": ("area_name", "Atlantis,ATL,,,", "ref_area 'ATL'"),
    "area meaning": ("area_name", "EUROPE,DEU,,,", "already stands for EUROPE"),
    "area of iso": ("area_name", "Germany,FRA,,,", "ISO 3166's name of DEU"),
    "area nameless": ("area_name", "*,DEU,,,", "name is empty"),
    "harm parent": ("harm", "a_new_harm,A title,nothing,,A definition", "parent 'nothing'"),
    "harm text": ("harm", "a_new_harm,A title,csam,,", "definition is empty"),
    "harm ancestor": ("harm", "a_new_harm,A title,a_new_harm,,A definition", "its own ancestor"),
    "label twice": ("harm_label", "ncmec_ojjdp,child sex tourism,csam,,,", "stands here twice"),
    "label harm": ("harm_label", "ncmec_ojjdp,Something new,nothing,,,", "harm 'nothing'"),
    "label sourceless": ("harm_label", ",Something new,csam,,,", "source_id or label"),
    "break metric": ("series_break", "b,ncmec_by_esp,nothing,,,2021,t,d,,c", "metric 'nothing'"),
    "break subject": ("series_break", "b,ncmec_by_esp,,nobody,,2021,t,d,,c", "subject 'nobody'"),
    "break text": ("series_break", "b,ncmec_by_esp,,,,,t,d,,c", "is empty"),
    "break bridge": ("series_break", "b,ncmec_by_esp,,,,2021,t,d,nothing,c", "bridge_metric 'nothing'"),
    "event date": ("event", "e,soon,t,,,,,d,c", "'soon'"),
    "event area": ("event", "e,2020-01-01,t,,,,ZZZ,d,c", "ref_area 'ZZZ'"),
    "event text": ("event", "e,2020-01-01,,,,,,d,c", "is empty"),
    "event metric": ("event", "e,2020-01-01,t,,nothing,,,d,c", "metric 'nothing'"),
    "event subject": ("event", "e,2020-01-01,t,,,nobody,,d,c", "subject 'nobody'"),
    "explanation comparison": ("comparison_explanation", "nothing,2025,unit,n,c", "comparison 'nothing'"),
    "explanation code": ("comparison_explanation", "meta,2023,because,n,c", "explanation 'because'"),
    "explanation year": ("comparison_explanation", "meta,23,unit,n,c", "year is no year"),
    "explanation twice": ("comparison_explanation", "meta,2025,unit,n,c", "explained twice for 2025"),
    "role area": ("country_role", "ZZZ,supply,s,c", "ref_area 'ZZZ'"),
    "role name": ("country_role", "PHL,middle,s,c", "role 'middle'"),
    "role citation": ("country_role", "PHL,supply,s,", "is empty"),
    "match": ("correction", "c,s,t,no json,f,p,q,r,u,2020-01-01", "is no JSON object"),
    "match list": ("correction", "c,s,t,[1],f,p,q,r,u,2020-01-01", "is no JSON object"),
    "match empty": ("correction", "c,s,t,{},f,p,q,r,u,2020-01-01", "at least one label"),
    "match pattern": ("correction", 'c,s,t,"{""a"": ""(""}",f,p,q,r,u,2020-01-01', "is no JSON object"),
    "no reason": ("correction", 'c,s,t,"{""a"": ""b""}",f,p,q,,u,2020-01-01', "reason is empty"),
    "no change": ("correction", 'c,s,t,"{""a"": ""b""}",f,p,p,r,u,2020-01-01', "are the same"),
    "cells": ("unit", "moles,Moles", "2 cells, must be 3"),
    "white space": ("unit", "moles, Moles,", "white space"),
    "quotes": ("unit", 'moles,"Moles"x,', "is not CSV"),
    "status": ("obs_status", "XX,Something,", "is no code"),
}


@pytest.mark.parametrize(("table", "line", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_a_fault_names_file_and_line(tmp_path: Path, table: str, line: str, reason: str) -> None:
    folder = shutil.copytree(resource("codelists"), tmp_path / "codelists")
    path = folder / f"{table}.csv"
    number = len(path.read_text(encoding="utf-8").splitlines()) + 1
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    where = f"{table}.csv is not CSV" if reason == "is not CSV" else f"{table}.csv, line {number}: "
    with pytest.raises(DeclarationError, match=reason) as caught:
        codes.load(folder)
    assert str(caught.value).startswith(where)


def test_a_missing_list_a_wrong_header_and_foreign_bytes_are_named(tmp_path: Path) -> None:
    faults = {"missing": "unit.csv cannot be read", "header": "unit.csv, line 1: the header", "bytes": "not UTF-8"}
    for name, reason in faults.items():
        folder = shutil.copytree(resource("codelists"), tmp_path / name)
        path = folder / "unit.csv"
        if name == "missing":
            path.unlink()
        else:
            path.write_bytes(b"unit,title\n" if name == "header" else b"unit_measure,title,note\nx,\xff,\n")
        with pytest.raises(DeclarationError, match=reason):
            codes.load(folder)


def test_the_shipped_correction_is_about_one_printed_slip() -> None:
    correction = LISTS.correction["ojjdp_2021_federal_informational"]
    assert json.loads(correction.match) == {"recipient": "Federal Law Enforcement", "year": "2021"}
    assert (correction.field, correction.printed, correction.corrected) == ("measure", "International", "Informational")


@pytest.mark.parametrize(
    ("text", "scheme", "code"),
    [
        ("GEO", "iso3", "GEO"),
        ("XKX", "iso3", "XKX"),
        ("ANT", "iso3", "ANT"),
        ("8", "m49", "ALB"),
        ("008", "m49", "ALB"),
        ("583", "m49", "FSM"),
    ],
)
def test_a_printed_area_code_is_a_country(text: str, scheme: Literal["iso3", "m49"], code: str) -> None:
    assert codes.find_area_code(text, scheme) == code


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        *[(text, "iso3") for text in ("", "geo", "Georgia", "GE", "268", "_T", "W1", "EUE", "EUROPE", "WLD", "AFE")],
        *[(text, "m49") for text in ("", "1", "57", "412", "0008", "8.0", "GEO", "Georgia", "²")],
    ],
)
def test_names_groups_and_other_codes_are_no_area_code(text: str, scheme: Literal["iso3", "m49"]) -> None:
    assert codes.find_area_code(text, scheme) is None
