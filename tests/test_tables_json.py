"""JSON to figures: pointers, every key accounted for, numbers as printed, and nothing that tells of a person."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import document
from lightwell import tables
from lightwell.errors import LayoutError
from lightwell.source import Layout
from lightwell.tables import Figure
from lightwell.tables import json as json_tables

AREAS = {
    "period": "2031H1",
    "data": [
        {"id": "AA", "reports": {"spam": 12, "other": "<50"}, "seen": 1200, "link": None},
        {"id": "BB", "reports": {"other": 7}, "seen": 0, "link": "/bb.html"},
    ],
}
AREA: dict[str, Any] = {
    "name": "areas",
    "kind": "records",
    "pointer": "/data/*",
    "labels": {"area": "id", "period": "/period"},
    "values": {"seen": "seen"},
    "unused": ["link"],
}
KIND: dict[str, Any] = {
    "name": "kinds",
    "kind": "records",
    "pointer": "/data/*/reports/*",
    "labels": {"area": r"/data/\*/id", "kind": "@key"},
    "values": {"reports": "@value"},
    "unused": [r"/data/\*/(?:seen|link)", "/period"],
}

Read = Callable[..., list[Figure]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(content: object, *declared: dict[str, Any]) -> list[Figure]:
        path = tmp_path / "a.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        layout = Layout.model_validate({"tables": list(declared or (AREA, KIND))})
        return list(json_tables.extract(document(path), layout))

    return read


def said(figures: list[Figure]) -> list[tuple[str, dict[str, str], str, str | None]]:
    return [(f.table, dict(f.labels), f.text, f.locator.pointer) for f in figures]


def test_json_is_read_by_this_module() -> None:
    assert tables.reader("application/json") is json_tables


def test_records_and_members_with_what_stands_around_them(read: Read) -> None:
    first = {"area": "AA", "period": "2031H1", "column": "seen"}
    assert said(read(AREAS)) == [
        ("areas", first, "1200", "/data/0/seen"),
        ("areas", first | {"area": "BB"}, "0", "/data/1/seen"),
        ("kinds", {"area": "AA", "kind": "spam", "column": "reports"}, "12", "/data/0/reports/spam"),
        ("kinds", {"area": "AA", "kind": "other", "column": "reports"}, "<50", "/data/0/reports/other"),
        ("kinds", {"area": "BB", "kind": "other", "column": "reports"}, "7", "/data/1/reports/other"),
    ]


def test_a_crosstab_takes_the_keys_as_labels(read: Read) -> None:
    table = {
        "name": "t",
        "kind": "crosstab",
        "pointer": "/*",
        "labels": {"area": "id"},
        "across": "y",
        "columns": r"\d+",
    }
    found = read([{"id": "AA", "2030": 1, "2031": None}], table)
    assert [(f.labels["y"], f.text) for f in found] == [("2030", "1"), ("2031", "")]


def test_numbers_stay_as_printed_and_pointers_are_escaped(read: Read) -> None:
    text = '[{"id": "AA", "a/b~c": 1.50}, {"id": "BB", "a/b~c": 100000000000000000000000}]'
    table = {**AREA, "pointer": "/*", "labels": {"area": "id"}, "values": {"n": "a/b~c"}}
    assert [(f.text, f.locator.pointer) for f in read(text, table)] == [
        ("1.50", "/0/a~1b~0c"),
        ("100000000000000000000000", "/1/a~1b~0c"),
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["data"][1].update(found=3), "the key 'found' of /data/* is not known"),
        (lambda d: d["data"][1].update(more={"n": 3}), "the key 'more' of /data/* is not known"),
        (lambda d: d["data"][1].update(seen={"n": 3}), "the key 'seen' of /data/* is not known"),
        (lambda d: d.update(unit="thousand"), "the key 'unit' of the top level is not known"),
        (lambda d: d.update(more=[]), "the key 'more' of the top level is not known"),
        (lambda d: d["data"][1].pop("seen"), "/data/1 lacks the key 'seen'"),
        (lambda d: d["data"][1].pop("id"), "/data/1 lacks the key 'id'"),
        (lambda d: [r.update(count=r.pop("seen")) for r in d["data"]], "the key 'count' of /data/* is not known"),
        (lambda d: d.update(rows=d.pop("data")), "the key 'rows' of the top level is not known"),
        (lambda d: d.update(data=[]), "table areas was not found"),
        (lambda d: d.update(data=5), "/data is no array or object"),
    ],
)
def test_a_document_that_is_laid_out_otherwise_says_where(
    read: Read, change: Callable[[Any], Any], reason: str
) -> None:
    changed = json.loads(json.dumps(AREAS))
    change(changed)
    with pytest.raises(LayoutError, match=reason.replace("*", r"\*")):
        read(changed)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[{"a": 1, "a": 2}]', "the key 'a' stands twice"),
        ('[{"a": NaN}]', "NaN stands where a number was due"),
        ('[{"a": -Infinity}]', "-Infinity stands where"),
        ('[{"a": 1}, {"a"', "line 1: this is not JSON .* is the file cut off"),
        ("[" * 33 + "]" * 33, "nested deeper than 32 levels"),
        ("[" * 100_000, "nested deeper than 32 levels"),
    ],
)
def test_what_is_no_plain_json_is_refused_by_reader_and_door(read: Read, text: str, reason: str) -> None:
    with pytest.raises(LayoutError, match=reason):
        read(text, {**AREA, "pointer": "/*"})
    assert json_tables.unfit(text.encode()) is not None


def test_bytes_are_capped_and_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not UTF-8" in str(json_tables.unfit(b'["\xff"]'))
    assert json_tables.unfit(b'\xef\xbb\xbf["a"]') is None
    assert json_tables.unfit(b'["' + b"[" * 100 + b'"]') is None  # brackets in a text nest nothing
    monkeypatch.setattr(json_tables, "_MAX_BYTES", 10)
    assert "more than 10" in str(json_tables.unfit(b"[0,1,2,3,4,5]"))


TOLD = "Zorro was found in the attic by a friend of the family and went home."


@pytest.mark.parametrize(
    "content",
    [
        {"data": [{"id": "AA", "n": 1, "note": "Zorro " * 60}]},
        {"data": [{"note": TOLD}]},
        {"data": [{"narrative": TOLD[:-1]}]},
        {"data": [{"t": "<p>Zorro</p>"}]},
        {"case_study": {"a": 1}},
        {"case-studies": ["Zorro"]},
        {"title": "Case study: Zorro"},
        {"lines": ["Zorro was found in", "the attic by a friend", "of the family."]},
        [TOLD],
        TOLD,
    ],
)
def test_what_tells_of_cases_is_refused_and_not_repeated(tmp_path: Path, content: object) -> None:
    reason = json_tables.unfit(json.dumps(content).encode())
    assert reason is not None
    assert "holds a narrative" in reason
    assert "Zorro" not in reason
    path = tmp_path / "told.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(LayoutError, match="holds a narrative"):
        json_tables.opening(path)


def test_a_key_that_is_a_text_is_not_repeated(read: Read) -> None:
    with pytest.raises(LayoutError, match=r"the key '\*' of /data/\* is not known"):
        read({"period": "x", "data": [{"id": "AA", "seen": 1, "Zorro was found": 2}]})


@pytest.mark.parametrize(
    "content",
    [
        {"case_studies_link": "/en/case-studies/aa.html", "case_studies": 12, "case_study_2": None},
        {"legal": "/dam/Saint Vincent and the Grenadines - Legal Research of the year and more.pdf"},
        {"hotline": "Canadian Centre for Child Protection Inc. (Cybertip.ca)", "n": "<50"},
        {"isps": {"Acme, " * 90: "<10"}},
    ],
)
def test_names_and_addresses_are_no_narrative(content: object) -> None:
    assert json_tables.unfit(json.dumps(content).encode()) is None


def test_the_opening_shows_keys_and_short_values_only(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(
        json.dumps({"period": "2031Y", "updated": "2032-03-04T00:00:00Z", "data": [{"a b": {"c": "secret"}}]})
    )
    found = json_tables.opening(path)
    assert found.text == "period: 2031Y updated: 2032-03-04T00:00:00Z /period /updated /data /data/*/* /data/*/*/c"
    assert str(found.dated_on) == "2032-03-04"
    path.write_text('{"updated": "2032-13-04"}')
    assert json_tables.opening(path).dated_on is None
