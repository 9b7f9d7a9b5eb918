"""Open SDG: the United Kingdom's platform, and a made-up one that needs no more than its own names."""

from dataclasses import replace
from pathlib import Path

import pytest

from conftest import document
from lightwell import harmonise, reading, source
from lightwell.errors import LayoutError
from lightwell.harmonise import Harmonised
from lightwell.settings import Settings
from lightwell.source import Source
from lightwell.tables import delimited

UK = source.load("uk_sdg")
SERIES = "Detected victims of human trafficking (Number)"
HEADER = "Year,Series,Sex,Age,Unit multiplier,Units,Observation status,Value\n"
TABLE = f"""{HEADER}2031,{SERIES},,,Units,Number,Normal value,303.0
2031,{SERIES},Female,,Units,Number,Normal value,200.0
2031,{SERIES},Male,15 to 17,Units,Number,Estimated value,40
2031,{SERIES},Male,75 and over,Units,Number,Normal value,0.0
2031,{SERIES},,Age not known,Units,Number,,
"""
MADE_UP = r"""
id: freedonia_sdg
template: open_sdg
title: Freedonia's indicators, 16.2.2
publisher: freedonia_statistics
publisher_name: Freedonia Statistics
reporter: freedonia_statistics
description: Victims of trafficking whom the police of Freedonia detected.
landing_page: https://sdg.freedonia.example/16-2-2/
hosts: [sdg.freedonia.example]
licence: CC BY 4.0
caveats: [Made up.]
given:
  area: FJI
  columns: {year: year, series: serie, sex: sexo, form: tipo de explotación, units: unidad}
  unused: [geocode]
  series: {'víctimas detectadas \| número \| ': trafficking_victims_detected}
  harm: trafficking_in_persons
  totals: {sex: '', form: ''}
  dimensions:
    sex: {label: sex, map: {'': _T, mujer: F, hombre: M}}
    form: {label: form, map: {'': _T, sexual: sexual, laboral: labour}}
"""
MADE_UP_TABLE = """Year,Serie,Unidad,Sexo,Tipo de explotación,GeoCode,Value
2031,Víctimas detectadas,Número,,,FJ,12
2031,Víctimas detectadas,Número,Mujer,Sexual,FJ,7
2031,Tasa de víctimas,por 100 000,,,FJ,1.3
"""


def read(path: Path, of_source: Source, content: str | None = None) -> Harmonised:
    if content is not None:
        path.write_text(content, encoding="utf-8")
    of = replace(document(path, of_source.id), media_type="text/csv")
    layout = reading.choose_layout(of_source, delimited.opening(path).text)
    return harmonise.to_observations(delimited.extract(of, layout), of, of_source, "v")


def test_an_empty_disaggregation_is_the_total(tmp_path: Path) -> None:
    found = read(tmp_path / "uk.csv", UK, TABLE)
    assert found.quarantined == []
    assert [
        (o.dimensions["sex"], o.dimensions["age"], o.obs_value, o.obs_status, o.is_total) for o in found.observations
    ] == [
        ("_T", "_T", 303, "A", True),
        ("F", "_T", 200, "A", True),
        ("M", "Y15T17", 40, "E", False),
        ("M", "Y_GE75", 0, "A", False),
        ("_T", "_U", None, "O", True),
    ]
    assert {(o.ref_area, o.metric, o.unit_measure, o.harm, o.time_period) for o in found.observations} == {
        ("GBR", "trafficking_victims_detected", "victims", "trafficking_in_persons", "2031")
    }


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"2030,{SERIES},,,Thousands,Number,Normal value,3", f"metric: '{SERIES} | Number | Thousands'"),
        (f"2030,{SERIES},,,Units,Percentage,Normal value,3", "metric:"),
        ("2030,Victims per 100 000 (Rate),,,Units,Number,Normal value,3", "metric:"),
        (f"2030,{SERIES},Both,,Units,Number,Normal value,3", "dimension sex: 'Both'"),
        (f"2030,{SERIES},,0 to 17+,Units,Number,Normal value,3", "dimension age: '0 to 17+'"),
        (f"2030,{SERIES},,,Units,Number,Imputed,3", "obs_status: 'Imputed'"),
        (f"2030,{SERIES},,,Units,Number,Normal value,3.5", "is not whole"),
        (f"2029/30,{SERIES},,,Units,Number,Normal value,3", "'2029/30' is no period"),
    ],
)
def test_what_the_declaration_does_not_name_is_set_aside(tmp_path: Path, line: str, reason: str) -> None:
    found = read(tmp_path / "uk.csv", UK, TABLE + line + "\n")
    assert len(found.observations) == 5
    assert [reason in q.reason for q in found.quarantined] == [True], [q.reason for q in found.quarantined]


@pytest.mark.parametrize(
    "header",
    [HEADER.replace("Age", "Age group"), HEADER.replace("Value", "Total"), HEADER.replace("Sex,", "Sex,Country,")],
)
def test_a_file_unlike_its_layout_is_refused_whole(tmp_path: Path, header: str) -> None:
    with pytest.raises(LayoutError, match="stands under no header"):
        read(tmp_path / "uk.csv", UK, TABLE.replace(HEADER, header))


def test_another_national_platform_needs_only_its_names(tmp_path: Path) -> None:
    folder = tmp_path / "declarations"
    folder.mkdir()
    (folder / "freedonia_sdg.yml").write_text(MADE_UP, encoding="utf-8")
    freedonia = source.load("freedonia_sdg", Settings(home=tmp_path, extra_sources=folder))
    found = read(tmp_path / "fj.csv", freedonia, MADE_UP_TABLE)
    assert [(o.ref_area, o.dimensions, o.obs_value, o.obs_status) for o in found.observations] == [
        ("FJI", {"form": "_T", "sex": "_T"}, 12, "A"),
        ("FJI", {"form": "sexual", "sex": "F"}, 7, "A"),
    ]
    assert ["Tasa de víctimas" in q.reason for q in found.quarantined] == [True]


def test_original(originals: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = originals / "context" / "uk-sdg-16-2-2.csv"
    frame = pandas.read_csv(path, keep_default_na=False)
    found = read(path, UK)
    assert (found.quarantined, len(found.observations)) == ([], len(frame))
    assert sum(o.obs_value or 0 for o in found.observations) == frame.Value.sum()
    whole = {o.time_period: o.obs_value for o in found.observations if o.dimensions == {"sex": "_T", "age": "_T"}}
    assert (whole["2009"], whole["2021"], len(whole)) == (303, 11_387, 13)
    ages = sum(o.obs_value or 0 for o in found.observations if o.time_period == "2021" and o.dimensions["sex"] == "_T")
    assert ages == 2 * 11_387  # the total and the parts, "not known" among them
