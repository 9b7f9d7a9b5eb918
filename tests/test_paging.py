"""APIs in pages, against real servers: every page or no document, and the same count when a document is read."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from conftest import document
from lightwell import archive, paging, reading
from lightwell.archive import Attempt
from lightwell.errors import FetchError, LayoutError
from lightwell.fetch import Client, add, fetch
from lightwell.settings import Settings
from lightwell.source import DocumentRule, Paging, Source
from lightwell.tables import paged

SIZE = 500  # records of a page
PAGES = {"number": "/0/page", "pages": "/0/pages", "total": "/0/total", "records": "/1", "same": ["/0/lastupdated"]}
RULE = Paging.model_validate({**PAGES, "parameter": "page"})
TABLE: dict[str, Any] = {
    "name": "letters",
    "kind": "records",
    "pointer": "/*/1/*",
    "labels": {"area": "area/id", "year": "date"},
    "values": {"letters": "value"},
    "unused": [r"(?:/\*)?/0/(?:page|pages|total|lastupdated)", "decimal"],
    "empty": "skip",
}
Change = Callable[[int, list[Any]], object]  # the number of a page and the page -> what the server sends instead


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def web(httpserver: HTTPServer) -> HTTPServer:
    httpserver.expect_request("/robots.txt").respond_with_data("none", status=404)
    return httpserver


def a_page(number: int, records: int, size: int = SIZE) -> list[Any]:
    """One page of so many records in all, numbered from 0."""
    head = {"page": number, "pages": -(-records // size), "total": records, "lastupdated": "2031-07-01"}
    rows = range((number - 1) * size, min(number * size, records))
    return [head, [{"area": {"id": f"A{n}"}, "date": "2030", "value": n * 10, "decimal": 0} for n in rows]]


def a_source(url: str, **fields: Any) -> Source:
    rule = fields.pop("paging", RULE.model_dump())
    layouts = [
        {"when": r"^/\*/\*/page", "counted": {**PAGES, "joined": True}, "tables": [TABLE]},
        {"when": r"^/\*/page", "counted": {**PAGES, "joined": False}, "tables": [{**TABLE, "pointer": "/1/*"}]},
    ]
    return Source.model_validate(
        {
            "id": "letters",
            "title": "Letters",
            "publisher": "ncmec",
            "reporter": "ncmec",
            "description": "Letters counted.",
            "landing_page": "https://publisher.example/letters",
            "licence": "free to quote",
            "cadence": "annual",
            "hosts": ["127.0.0.1", "localhost"],
            "media_type": "application/json",
            "documents": [{"urls": [url], "paging": rule}],
            "layouts": layouts,
            "observe": [{"table": "letters", "metric": "cybertip_reports", "time_period": {"label": "year"}}],
            **fields,
        }
    )


def publish(web: HTTPServer, records: int, change: Change | None = None) -> str:
    """Serve so many records at an address, 500 a page; `change` may spoil a page."""

    def serve(request: Request) -> Response:
        number = int(request.args["page"])
        page = a_page(number, records)
        sent = page if change is None else change(number, page)
        return sent if isinstance(sent, Response) else Response(json.dumps(sent), mimetype="application/json")

    web.expect_request("/letters", query_string={"format": "json", "page": "1"}).respond_with_handler(serve)
    web.expect_request("/letters").respond_with_handler(serve)
    return web.url_for("/letters?format=json")


def ask(settings: Settings, one: Source, client: Client | None = None) -> Attempt:
    (attempt,) = fetch(one, settings, today=date(2031, 8, 1), client=client)
    assert archive.attempts(settings)[-1] == attempt, "every attempt is in the ledger"
    return attempt


def read(settings: Settings, one: Source) -> reading.Reading:
    (held,) = archive.documents(settings, [one])
    return reading.read(held, one, settings)


# --- every page -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("records", "pages"), [(1, 1), (500, 1), (501, 2), (999, 2), (1000, 2), (1001, 3)])
def test_all_records_are_taken_to_the_last_page(settings: Settings, web: HTTPServer, records: int, pages: int) -> None:
    one = a_source(publish(web, records))
    attempt = ask(settings, one)
    assert attempt.outcome == "stored"
    assert attempt.url == web.url_for("/letters?format=json"), "the address without the page"
    assert [r.args.get("page") for r, _ in web.log[1:]] == [str(n) for n in range(1, pages + 1)]
    found = read(settings, one)
    assert found.problem is None
    assert [f.text for f in found.figures] == [str(n * 10) for n in range(records)]
    last = found.figures[-1]
    assert last.locator.pointer == f"/{pages - 1}/1/{(records - 1) % SIZE}/value"
    assert dict(last.labels) == {"area": f"A{records - 1}", "year": "2030", "column": "letters"}


def test_the_pages_are_kept_byte_for_byte_also_a_single_one(settings: Settings, web: HTTPServer) -> None:
    record = '{"area":{"id":"A"},"date":"2030","value":1.50}'
    body = f'\ufeff[ {{"page":"1", "pages":1,"total":1,"lastupdated":"2031-07-01"}},\n[{record}]]\n'
    web.expect_request("/letters").respond_with_data(body.encode(), content_type="application/json")
    attempt = ask(settings, a_source(web.url_for("/letters")))
    kept = archive.path_of(settings, str(attempt.document_id)).read_bytes()
    assert kept == b"[" + body.removeprefix("\ufeff").strip().encode() + b"]"
    assert attempt.document_id == hashlib.sha256(kept).hexdigest()
    assert attempt.bytes == len(kept)


def test_the_day_of_the_data_is_the_vintage(settings: Settings, web: HTTPServer) -> None:
    one = a_source(publish(web, 501))
    ask(settings, one)
    (held,) = archive.documents(settings, [one])
    dated, _ = reading.take(reading.Input(one, held), settings)
    assert (dated.published_on, dated.published_basis) == (date(2031, 7, 1), "document")


def test_unchanged_pages_are_no_new_document(settings: Settings, web: HTTPServer) -> None:
    one = a_source(publish(web, 501))
    first, second = ask(settings, one), ask(settings, one)
    assert (first.outcome, second.outcome) == ("stored", "unchanged")
    assert first.document_id == second.document_id


def test_robots_and_pauses_hold_for_every_page(settings: Settings, httpserver: HTTPServer) -> None:
    rules = "User-agent: *\nCrawl-delay: 7\nDisallow: /*page=2"
    httpserver.expect_request("/robots.txt").respond_with_data(rules)
    slept: list[float] = []
    attempt = ask(settings, a_source(publish(httpserver, 501)), Client(settings, sleep=slept.append))
    assert "page 2: robots.txt of" in str(attempt.reason)
    assert [r.args.get("page") for r, _ in httpserver.log[1:]] == ["1"]
    attempt = ask(settings, a_source(httpserver.url_for("/letters?format=json")), Client(settings, sleep=slept.append))
    assert slept
    assert all(6 < pause <= 7 for pause in slept)


# --- or no document -------------------------------------------------------------------------------------------------


def on(page: int, sent: Callable[[list[Any]], object]) -> Change:
    return lambda number, content: sent(content) if number == page else content


def with_head(**head: object) -> Callable[[list[Any]], object]:
    return lambda page: [{**page[0], **head}, page[1]]


def without(key: str) -> Callable[[list[Any]], object]:
    return lambda page: [{k: v for k, v in page[0].items() if k != key}, page[1]]


FAILURES: dict[str, tuple[int, Change | None, str]] = {
    "no records": (0, None, "the answer has no records: it says that there are 0 in all"),
    "an error": (1, on(1, lambda _: [{"message": [{"id": "120"}]}]), "a page has no /0/pages: has the API changed"),
    "a page that breaks": (1001, on(2, lambda _: Response("no", status=500)), r"page 2: HTTP 500 \(2 tries\)"),
    "a page not found": (1001, on(3, lambda _: Response("no", status=404)), "page 3: HTTP 404"),
    "a page in HTML": (1001, on(2, lambda _: Response("<html></html>")), "page 2: the bytes are HTML, where JSON"),
    "half a page": (1001, on(2, lambda p: Response(json.dumps(p)[:-9])), "page 2: line 1: this is not JSON"),
    "an empty page": (1001, on(2, lambda p: [p[0], []]), "page 2 of 3 has no records, of 1001 in all"),
    "null for records": (1001, on(3, lambda p: [p[0], None]), "page 3 of 3 has no records, of 1001 in all"),
    "another total": (1001, on(2, with_head(total=1002)), "page 2 of 3 says another /0/total: 1002 there, 1001 on"),
    "another number of pages": (1001, on(3, with_head(pages=4)), "page 3 of 4 says another /0/pages: 4 there, 3 on"),
    "another day": (1001, on(3, with_head(lastupdated="2031-08-01")), "page 3 of 3 says another /0/lastupdated"),
    "one page again": (1001, lambda n, p: [p[0], a_page(1, 1001)[1]] if n == 2 else p, "page 2 of 3 repeats .* page 1"),
    "the page asked ignored": (1001, lambda n, p: a_page(1, 1001), "repeats|calls itself"),
    "pages misnumbered": (1001, on(2, with_head(page=3)), "page 2 of 3 calls itself page 3: pages are missing"),
    "a record lost": (1001, on(2, lambda p: [p[0], p[1][1:]]), "the pages have 1,000 records, and say .* 1,001"),
    "a record more": (999, on(2, lambda p: [p[0], [*p[1], {"a": 1}]]), "the pages have 1,000 records, and say .* 999"),
    "no total": (501, on(1, without("total")), "a page has no /0/total"),
    "a total in words": (501, lambda n, p: with_head(total="many")(p), "/0/total of a page is no whole number"),
    "more pages than declared": (200_000, None, "page 1: there are 400 pages, more than the 200"),
}


@pytest.mark.parametrize(("records", "change", "reason"), FAILURES.values(), ids=FAILURES.keys())
def test_what_is_not_whole_leaves_nothing_and_the_old_vintage_serves(
    settings: Settings, web: HTTPServer, records: int, change: Change | None, reason: str
) -> None:
    one = a_source(publish(web, 501))
    before = ask(settings, one)
    web.clear_all_handlers()
    web.expect_request("/robots.txt").respond_with_data("none", status=404)
    publish(web, records, change)
    attempt = ask(settings, one, Client(settings, tries=2))
    assert attempt.outcome == "failed"
    assert attempt.document_id is None
    assert re.search(reason, str(attempt.reason)), attempt.reason
    assert [d.document_id for d in archive.documents(settings, [one])] == [before.document_id]


def test_no_page_is_asked_for_after_a_wrong_one(settings: Settings, web: HTTPServer) -> None:
    ask(settings, a_source(publish(web, 5000, on(2, with_head(total=9)))))
    assert [r.args.get("page") for r, _ in web.log[1:]] == ["1", "2"]


def test_a_dropped_connection_in_the_middle_is_tried_again(settings: Settings, web: HTTPServer) -> None:
    asked: list[int] = []

    def dropped_once(number: int, page: list[Any]) -> object:
        asked.append(number)
        body = json.dumps(page)
        if asked.count(number) == 1 and number == 2:
            return Response(iter([body[:100]]), headers={"Content-Length": str(len(body))})
        return page

    attempt = ask(settings, a_source(publish(web, 1001, dropped_once)))
    assert (attempt.outcome, asked) == ("stored", [1, 2, 2, 3])


def test_the_bytes_of_all_pages_are_capped_together(settings: Settings, web: HTTPServer) -> None:
    size = len(json.dumps(a_page(1, 1001)))
    attempt = ask(settings, a_source(publish(web, 1001), max_bytes=size * 3 // 2))
    assert "page 2: " in str(attempt.reason)
    assert "of max_bytes" in str(attempt.reason)


# --- and when it is read --------------------------------------------------------------------------------------------


def joined(*pages: object) -> str:
    return json.dumps(list(pages))


HAND: dict[str, tuple[str, str | None]] = {
    "joined": (joined(a_page(1, 501), a_page(2, 501)), None),
    "one page as it came": (json.dumps(a_page(1, 3)), None),
    "one page of two": (json.dumps(a_page(1, 501)), "1 of 2 pages are there"),
    "a page left out": (joined(a_page(1, 1001), a_page(3, 1001)), "calls itself page 3: pages are missing"),
    "the last left out": (joined(a_page(1, 1001), a_page(2, 1001)), "2 of 3 pages are there"),
    "out of order": (joined(a_page(2, 501), a_page(1, 501)), "page 1 of 2 calls itself page 2"),
    "records cut": (
        joined([a_page(1, 3)[0], a_page(1, 3)[1][:2]]),
        "the pages have 2 records, and say that there are 3",
    ),
    "two vintages": (
        joined(a_page(1, 501), with_head(lastupdated="2032-01-01")(a_page(2, 501))),
        "says another /0/lastupdated",
    ),
    "a new key in a record": (
        json.dumps([a_page(1, 1)[0], [{**a_page(1, 1)[1][0], "confidence": 1}]]),
        "the key 'confidence' of /1/* is not known",
    ),
    "a new key in an object of a record": (
        json.dumps([a_page(1, 1)[0], [{**a_page(1, 1)[1][0], "area": {"id": "A", "kind": 1}}]]),
        "the key 'area/kind' of /1/* is not known",
    ),
    "a new key about the page": (joined(with_head(licence=1)(a_page(1, 1))), "the key '0/licence' of /* is not known"),
    "a key that no record has": (
        json.dumps([a_page(1, 1)[0], [{"area": {"id": "A"}, "value": 1}]]),
        "no record of /1/* has the key 'date'",
    ),
    "a key that one record lacks": (
        json.dumps([a_page(1, 2)[0], [a_page(1, 2)[1][0], {"area": {"id": "A"}, "date": "2030"}]]),
        "/1/1 lacks the key 'value' that other records have",
    ),
}


@pytest.mark.parametrize(("content", "problem"), HAND.values(), ids=HAND.keys())
def test_a_file_added_by_hand_is_counted_again(
    settings: Settings, tmp_path: Path, content: str, problem: str | None
) -> None:
    file, one = tmp_path / "letters.json", a_source("http://127.0.0.1/letters")
    file.write_text(content, encoding="utf-8")
    add(one, file, settings)
    found = read(settings, one)
    if problem is None:
        assert found.problem is None
        assert found.figures
    else:
        assert problem in str(found.problem)
        assert found.figures == []


def test_a_null_is_left_out_and_a_zero_is_not(settings: Settings, tmp_path: Path) -> None:
    head, records = a_page(1, 2)
    records[1]["value"] = None
    file, one = tmp_path / "letters.json", a_source("http://127.0.0.1/letters")
    file.write_text(json.dumps([head, records]), encoding="utf-8")
    add(one, file, settings)
    assert [f.text for f in read(settings, one).figures] == ["0"]


# --- texts that describe a series -----------------------------------------------------------------------------------


def test_a_declared_text_about_a_series_is_no_narrative_and_any_other_is(settings: Settings, tmp_path: Path) -> None:
    about = (
        "Letters that came in over the year, by area and by day of arrival, as counted by the harbour office. See it."
    )
    file = tmp_path / "letters.json"
    head, records = a_page(1, 1)
    file.write_text(json.dumps([head, [{**records[0], "about": about}]]), encoding="utf-8")
    plain = a_source("http://127.0.0.1/letters")
    with pytest.raises(FetchError, match="holds a narrative"):
        add(plain, file, settings)
    layouts = [
        layout.model_copy(
            update={
                "texts": [r"(?:/\d+)?/1/\d+/about"],
                "tables": [t.model_copy(update={"unused": [*t.unused, "about"]}) for t in layout.tables],  # type: ignore[union-attr]
            }
        )
        for layout in plain.layouts
    ]
    one = plain.model_copy(update={"layouts": layouts})
    add(one, file, settings)
    assert read(settings, one).problem is None
    for told in ("Zorro " * 400, "<p>Zorro</p>", "Case study: Zorro"):
        file.write_text(json.dumps([head, [{**records[0], "about": told}]]), encoding="utf-8")
        with pytest.raises(FetchError, match="holds a narrative") as caught:
            add(one, file, settings)
        assert "Zorro" not in str(caught.value)


# --- the parts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.example/a", "https://api.example/a?page=3"),
        ("https://api.example/a?format=json&per_page=5", "https://api.example/a?format=json&per_page=5&page=3"),
    ],
)
def test_the_page_is_a_parameter_of_the_address(url: str, expected: str) -> None:
    assert paging.address(url, RULE, 3) == expected


def test_pages_may_be_numbered_from_0() -> None:
    rule = RULE.model_copy(update={"first": 0, "same": []})
    pages = [json.dumps([{"page": n, "pages": 2, "total": 2}, [{"n": n}]]).encode() for n in range(2)]
    assert json.loads(paging.gather(lambda n: pages[n], rule, 1000)) == [json.loads(p) for p in pages]
    paged.check([json.loads(p) for p in pages], rule)
    with pytest.raises(LayoutError, match="page 0 of 2 calls itself page 1"):
        paged.check([json.loads(p) for p in reversed(pages)], rule)


def test_pages_and_years_do_not_go_together() -> None:
    with pytest.raises(ValidationError, match=r"paging: goes with addresses without \{year\}"):
        DocumentRule.model_validate(
            {"urls": ["https://api.example/{year}"], "first": 2020, "paging": RULE.model_dump()}
        )


def test_an_array_of_nothing_is_no_document(tmp_path: Path) -> None:
    one = a_source("http://127.0.0.1/letters")
    path = tmp_path / "a.json"
    path.write_text("[]", encoding="utf-8")
    held = replace(document(path, "letters"), media_type="application/json")
    with pytest.raises(LayoutError, match="no array of pages"):
        list(one.extractor("application/json")(held, one.layouts[0]))
