"""The whole path against a publisher on this machine: what is fetched, read, held back, published, and what is said."""

import re
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from lightwell import answers, archive, reading, refresh, source, warehouse
from lightwell.errors import BuildError, DeclarationError
from lightwell.fetch import add
from lightwell.refresh import Refreshed
from lightwell.settings import Settings, resource
from replicas import ListReplica, as_picture, by_country, by_esp, thousands

TODAY = date(2024, 7, 1)  # 2020 to 2023 are due


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def typeset(replica: ListReplica, folder: Path, dated: str) -> bytes:
    """A replica's bytes, whose own metadata say that they were made on that day."""
    path = replica.write(folder / "replica.pdf")
    stamp = b"D:" + dated.replace("-", "").encode() + b"120000"
    return re.sub(rb"D:\d{14}", stamp, path.read_bytes())


def with_changed(replica: ListReplica, row: int, number: int) -> ListReplica:
    """The replica with another number in one row, and the total that goes with it."""
    rows = [list(r) for r in replica.rows]
    rows[row][1] = thousands(number)
    total = sum(int(r[1].replace(",", "")) for r in rows)
    return replace(replica, rows=[tuple(r) for r in rows], total=("Total:", thousands(total)))


def declare(folder: Path, source_id: str, like: str, **changes: Any) -> None:
    """A source of the test's own, declared like a packaged one."""
    declared = yaml.safe_load((resource("sources") / f"{like}.yml").read_text(encoding="utf-8"))
    del declared["discover"]
    folder.mkdir(exist_ok=True)
    text = yaml.safe_dump({**declared, "id": source_id, "hosts": ["localhost"], **changes})
    (folder / f"{source_id}.yml").write_text(text, encoding="utf-8")


@dataclass
class Publisher:
    """A web server with one PDF a year, and the home of someone who follows it."""

    server: HTTPServer
    settings: Settings
    folder: Path
    documents: dict[str, bytes] = field(default_factory=dict)

    def serve(self, replica: ListReplica, dated: str = "2023-05-04") -> None:
        self.documents[f"/{replica.year}.pdf"] = typeset(replica, self.folder, dated)

    def answer(self, request: Request) -> Response:
        body = self.documents.get(request.path)
        if body is None:
            return Response("not here", status=404)
        etag = f'"{hash(body)}"'
        if request.headers.get("If-None-Match") == etag:
            return Response(status=304, headers={"ETag": etag})
        return Response(body, headers={"ETag": etag}, content_type="application/pdf")

    def refresh(self) -> Refreshed:
        return refresh.refresh(self.settings, ["test_esp"], today=TODAY)

    def values(self, sql: str) -> list[tuple[Any, ...]]:
        return warehouse.query(sql, self.settings)[1]

    def total(self, year: int, of: str = "observation") -> list[float]:
        sql = f"SELECT obs_value FROM {of} WHERE source_id = 'test_esp' AND time_period = '{year}' AND is_total"
        return [value for (value,) in self.values(sql)]


@pytest.fixture
def publisher(httpserver: HTTPServer, small: Settings, tmp_path: Path) -> Publisher:
    sources = tmp_path / "sources"
    one = Publisher(httpserver, replace(small, extra_sources=sources), tmp_path)
    httpserver.expect_request(re.compile(".*")).respond_with_handler(one.answer)
    documents = [{"first": 2020, "last": 2023, "urls": [httpserver.url_for("/") + "{year}.pdf"]}]
    declare(sources, "test_esp", "ncmec_by_esp", documents=documents)
    return one


def printed_total(replica: ListReplica) -> float:
    assert replica.total is not None
    return float(replica.total[1].replace(",", ""))


def test_a_release_from_the_edition_alone(built: Settings) -> None:
    counts = {row["source"]: row for row in answers.status(built).records()}
    assert counts.keys() >= {"ncmec_by_country", "ncmec_by_esp", "ncmec_ojjdp"}
    assert counts["ncmec_by_esp"]["observations"] == 168 + 230 + 236 + 3
    assert counts["ncmec_by_country"]["observations"] == 242 + 245 + 247 + 3 + 3, "three print a dash for a number"
    assert all(row["quarantined"] == 0 for name, row in counts.items() if name.startswith("ncmec_by_"))


def test_offline_nothing_is_asked_and_nothing_new_is_published(publisher: Publisher) -> None:
    before = warehouse.current(publisher.settings)
    assert before is not None
    publisher.settings = replace(publisher.settings, offline=True, extra_sources=None)
    done = refresh.refresh(publisher.settings, today=TODAY)
    assert (done.published, done.read, done.release_id) == (False, 0, before.release_id)
    assert done.fetched.attempts == []
    assert publisher.server.log == []
    assert archive.attempts(publisher.settings) == []


@pytest.mark.slow
def test_what_is_new_is_read_and_published_once(publisher: Publisher) -> None:
    first, second, third = by_esp(20, year=2021), by_esp(21, year=2022), by_esp(22, year=2023)
    publisher.serve(first)
    publisher.serve(second)
    done = publisher.refresh()
    assert (done.published, done.read, done.fetched.stored) == (True, 2, 2)
    assert publisher.total(2021) == [printed_total(first)]
    assert publisher.total(2022) == [printed_total(second)]

    kept = {p: p.stat().st_mtime_ns for p in publisher.settings.figures.rglob("*.json")}
    publisher.server.clear_log()
    again = publisher.refresh()
    assert (again.published, again.read, again.release_id) == (False, 0, done.release_id)
    answered = {request.path: response.status_code for request, response in publisher.server.log}
    assert answered == {"/robots.txt": 404, "/2020.pdf": 404, "/2021.pdf": 304, "/2022.pdf": 304, "/2023.pdf": 404}
    assert {p: p.stat().st_mtime_ns for p in publisher.settings.figures.rglob("*.json")} == kept, "nothing is read"

    publisher.serve(third)
    last = publisher.refresh()
    assert (last.published, last.read, last.fetched.stored) == (True, 1, 1)
    assert publisher.total(2023) == [printed_total(third)]
    assert len(publisher.values("FROM document WHERE source_id = 'test_esp'")) == 3


@pytest.mark.slow
def test_a_later_vintage_is_a_restatement_and_the_earlier_one_stays_known(publisher: Publisher) -> None:
    early = by_esp(20, year=2022)
    late = with_changed(early, 4, 123_456)
    publisher.serve(early, "2023-05-04")
    publisher.refresh()
    publisher.serve(late, "2024-02-01")
    done = publisher.refresh()
    assert (done.published, done.read) == (True, 1)

    assert publisher.total(2022) == [printed_total(late)]
    assert publisher.total(2022, "as_of(DATE '2024-01-31')") == [printed_total(early)]
    assert publisher.total(2022, "as_of(DATE '2024-02-01')") == [printed_total(late)]
    assert publisher.total(2022, "as_of(DATE '2023-05-03')") == []
    dates = publisher.values(
        "SELECT published_on, published_basis FROM document WHERE source_id = 'test_esp' ORDER BY 1"
    )
    assert dates == [(date(2023, 5, 4), "document"), (date(2024, 2, 1), "document")]

    restated = answers.restatements(publisher.settings, source_id="test_esp").records()
    was = float(early.rows[4][1].replace(",", ""))
    assert {(r["first_obs_value"], r["latest_obs_value"]) for r in restated} == {
        (was, 123_456.0),
        (printed_total(early), printed_total(late)),
    }
    assert answers.restatements(publisher.settings, source_id="test_esp", over=1000.0).rows == []
    (row,) = [r for r in restated if not r["is_total"]]
    cited = answers.cite(publisher.settings, row["latest_observation_id"])
    assert [v["observation_id"] for v in cited["vintages"]] == [row["first_observation_id"]]


@pytest.mark.slow
def test_an_older_document_that_comes_late_does_not_replace_a_newer_one(publisher: Publisher) -> None:
    newer = by_esp(20, year=2022)
    publisher.serve(newer, "2024-02-01")
    publisher.refresh()
    publisher.serve(with_changed(newer, 4, 123_456), "2023-05-04")
    assert publisher.refresh().read == 1
    assert publisher.total(2022) == [printed_total(newer)], "the order is that of publication, not of arrival"


def wrong_total(replica: ListReplica) -> ListReplica:
    return replace(replica, total=("Total:", thousands(int(printed_total(replica)) + 1)))


def row_lost(replica: ListReplica) -> ListReplica:
    return replace(replica, rows=[*replica.rows[:5], *replica.rows[6:]])


def header_renamed(replica: ListReplica) -> ListReplica:
    return replace(replica, header=("Name", "Count"))


def text_lost(publisher: Publisher, replica: ListReplica) -> bytes:
    whole = replica.write(publisher.folder / "whole.pdf")
    return as_picture(whole, publisher.folder / "picture.pdf").read_bytes()


@pytest.mark.slow
def test_a_broken_document_is_held_back_whole_with_its_reason_and_the_rest_is_released(publisher: Publisher) -> None:
    good = {year: by_esp(20 + year % 10, year=year) for year in (2020, 2021, 2022, 2023)}
    for replica in good.values():
        publisher.serve(replica)
    publisher.refresh()
    before = publisher.values("SELECT observation_id, obs_value FROM observation ORDER BY 1")

    publisher.serve(wrong_total(good[2020]), "2024-06-01")
    publisher.serve(row_lost(good[2021]), "2024-06-01")
    publisher.serve(header_renamed(good[2022]), "2024-06-01")
    publisher.documents["/2023.pdf"] = text_lost(publisher, good[2023])
    done = publisher.refresh()
    assert (done.published, done.read) == (True, 4)
    assert publisher.values("SELECT observation_id, obs_value FROM observation ORDER BY 1") == before

    reasons = [r["reason"] for r in answers.held_documents(publisher.settings).records()]
    lost = int(good[2021].rows[5][1].replace(",", ""))
    assert len(reasons) == 4
    for said in ("(1 short)", f"({lost:,} short)", "by_esp was not found", "has no text"):
        assert any(said in reason for reason in reasons), (said, reasons)
    held = "SELECT DISTINCT document_id FROM quarantine WHERE source_id = 'test_esp' AND scope = 'document'"
    assert publisher.values(f"FROM observation_vintage WHERE document_id IN ({held})") == []
    (status,) = [r for r in answers.status(publisher.settings).records() if r["source"] == "test_esp"]
    assert (status["documents"], status["periods"]) == (8, 4)


@pytest.mark.slow
def test_a_release_that_loses_a_source_is_refused_and_the_published_one_stays(publisher: Publisher) -> None:
    publisher.serve(by_esp(20, year=2022))
    done = publisher.refresh()
    document = next(d for d in archive.documents(publisher.settings, [source.load("test_esp", publisher.settings)]))
    assert document.path is not None
    document.path.write_bytes(b"%PDF-1.7 spoilt %%EOF")
    with pytest.raises(BuildError, match=r"the release is refused: sources_still_present: .*test_esp"):
        refresh.release(publisher.settings)
    now = warehouse.current(publisher.settings)
    assert now is not None
    assert now.release_id == done.release_id
    assert len(publisher.total(2022)) == 1
    assert not list(publisher.settings.releases.glob(".building-*"))

    publisher.refresh()  # the file is fetched anew, and all is as before
    assert archive.verify(publisher.settings) == []
    assert len(publisher.total(2022)) == 1


def test_an_unknown_organisation_is_released_and_listed_with_the_nearest_names(publisher: Publisher) -> None:
    replica = by_esp(20, year=2022)
    publisher.serve(replace(replica, rows=[("Facebok", replica.rows[0][1]), *replica.rows[1:]]))
    publisher.refresh()
    (row,) = [r for r in answers.unmapped(publisher.settings).records() if r["printed"] == "Facebok"]
    assert row["kind"] == "organisation"
    assert row["nearest"].startswith("Facebook (facebook), ")
    assert row["nearest"].count("(") == 3
    said = publisher.values(
        "SELECT o.obs_text, p.printed_name FROM observation AS o JOIN provisional_organisation AS p "
        f"ON o.subject = p.organisation WHERE p.organisation = '{row['code']}'"
    )
    assert said == [(replica.rows[0][1], "Facebok")]
    assert publisher.total(2022) == [printed_total(replica)]


def test_an_unknown_area_holds_the_document_back_and_names_the_nearest(small: Settings, tmp_path: Path) -> None:
    settings = replace(small, extra_sources=tmp_path / "sources")
    declare(tmp_path / "sources", "test_country", "ncmec_by_country", documents=[])
    good = by_country(year=2022)
    spoilt = replace(good, rows=[("Philipines" if r[0] == "Philippines" else r[0], r[1]) for r in good.rows], year=2023)
    one = source.load("test_country", settings)
    for replica in (good, spoilt):
        add(one, replica.write(tmp_path / f"{replica.year}.pdf"), settings)
    assert refresh.release(settings)[1:] == (True, 2)
    (held,) = [r for r in answers.held_documents(settings).records() if r["source_id"] == "test_country"]
    assert "1 rows in quarantine, 0 allowed" in held["reason"]
    near = re.search(r"'Philipines' is no area .* the nearest: (.*?\)), (.*?\)), (.*?\))", held["reason"])
    assert near is not None
    assert near[1] == "Philippines (PHL)"
    periods = warehouse.query("SELECT DISTINCT time_period FROM observation WHERE source_id = 'test_country'", settings)
    assert periods[1] == [("2022",)]


def test_a_correction_that_fits_no_more_fails_the_build_and_is_named(
    settings: Settings, small_edition: Path, tmp_path: Path
) -> None:
    """The publisher mends the cell in which `Informational` is misprinted."""
    mended = shutil.copytree(small_edition, tmp_path / "mended")
    (figures,) = (mended / "figures" / "ncmec_ojjdp").glob("*.csv")
    text = figures.read_text(encoding="utf-8")
    wrong = '""Federal Law Enforcement"", ""year"": ""2021"", ""measure"": ""International""'
    assert wrong in text
    figures.write_text(text.replace(wrong, wrong.replace("International", "Informational")), encoding="utf-8")
    with pytest.raises(DeclarationError, match=r"correction ojjdp_2021_federal_informational of ncmec_ojjdp .*remove"):
        refresh.release(replace(settings, edition=mended))
    assert warehouse.current(settings) is None


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_publishers_that_cannot_be_reached_are_named_once_each_and_soon(small: Settings, tmp_path: Path) -> None:
    settings = replace(small, extra_sources=tmp_path / "sources")
    hosts = {"test_esp": "ncmec", "test_more": "ncmec", "test_iwf": "iwf"}
    for n, (source_id, name) in enumerate(hosts.items()):
        url = f"http://127.0.0.{n + 1}:{closed_port()}/{{year}}.pdf"
        documents = [{"first": 2020, "urls": [url]}]
        own = {"documents": documents, "publisher": name, "hosts": [f"127.0.0.{n + 1}"]}
        declare(tmp_path / "sources", source_id, "ncmec_by_esp", **own)
    before, started = warehouse.current(settings), time.monotonic()
    fetched = refresh.fetch(settings, list(hosts), today=TODAY)
    assert time.monotonic() - started < 10
    said = refresh.unreachable_publishers(fetched, settings)
    assert sorted(said) == ["Internet Watch Foundation", "National Center for Missing & Exploited Children"]
    assert all("cannot be reached" in reason for reason in said.values())
    assert len(fetched.attempts) == 3, "a host that is not there is asked once"
    assert all(refresh.is_unreachable(a, fetched) for a in fetched.attempts)
    assert warehouse.current(settings) == before


def test_an_unknown_source_is_refused_before_anything_is_asked(publisher: Publisher) -> None:
    with pytest.raises(DeclarationError, match="no source 'nope'"):
        refresh.refresh(publisher.settings, ["test_esp", "nope"], today=TODAY)
    assert publisher.server.log == []


def test_the_same_inputs_have_the_same_digest_and_others_another(publisher: Publisher) -> None:
    settings = publisher.settings
    sources = source.list_sources(settings)
    items = reading.inputs(sources, settings)
    digest = refresh.inputs_digest(items, settings)
    assert refresh.inputs_digest(reading.inputs(sources, settings), settings) == digest
    assert refresh.inputs_digest(items[1:], settings) != digest
    dated = replace(items[0], document=replace(items[0].document, published_on=date(2020, 1, 1)))
    assert refresh.inputs_digest([dated, *items[1:]], settings) != digest
    assert refresh.inputs_digest(items, replace(settings, extra_sources=None)) != digest


def test_progress_is_told_step_by_step(publisher: Publisher) -> None:
    publisher.serve(by_esp(20, year=2022))
    said: list[tuple[str, int, int]] = []
    note: Callable[[str, int, int], None] = lambda *step: said.append(step)  # noqa: E731
    refresh.refresh(publisher.settings, ["test_esp"], today=TODAY, progress=note)
    assert [step for step, _, _ in said][:1] == ["fetch test_esp"]
    assert {"read test_esp", "check", "build"} <= {step for step, _, _ in said}
    assert all(done <= of for _, done, of in said)
