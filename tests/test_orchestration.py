"""The steps that a scheduler runs: each may be killed and run again, and each says what came of it."""

import hashlib
import os
import threading
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pytest_httpserver import HTTPServer

from conftest import release_archive
from lightwell import answers, archive, dagbag, orchestration, source, summaries, warehouse
from lightwell.errors import BuildError, FetchError, LayoutError, NotPublishedError
from lightwell.fetch import add
from lightwell.settings import Settings, resource
from lightwell.source import Source
from replicas import by_esp
from test_warehouse import build, three_documents

TODAY = date(2026, 11, 22)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def publisher(tmp_path: Path, httpserver: HTTPServer, settings: Settings) -> Settings:
    """Settings with one source more: the list for 2022 of a publisher on this machine, and a page that links to it."""
    declaration = yaml.safe_load((resource("sources") / "ncmec_by_esp.yml").read_text(encoding="utf-8"))
    declaration |= {"id": "test_esp", "hosts": ["127.0.0.1"]}
    address = f"http://127.0.0.1:{httpserver.port}"
    declaration["documents"] = [{"first": 2022, "last": 2022, "urls": [f"{address}/{{year}}.pdf", f"{address}/b.pdf"]}]
    declaration["discover"] = [{"page": f"{address}/page", "link": r"\.pdf$"}]
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "test_esp.yml").write_text(yaml.safe_dump(declaration), encoding="utf-8")
    httpserver.expect_request("/robots.txt").respond_with_data("none", status=404)
    return replace(settings, extra_sources=tmp_path / "sources")


@pytest.fixture
def list_of_2022(tmp_path: Path) -> Path:
    return by_esp().write(tmp_path / "list.pdf")


def of(httpserver: HTTPServer, *names: str) -> list[str]:
    return [f"http://127.0.0.1:{httpserver.port}/{name}" for name in names]


# ------------------------------------------------------------------------------------------------------------ schedule


def test_every_cadence_has_a_time_and_the_sources_are_spread() -> None:
    cadences = get_args(Source.model_fields["cadence"].annotation)
    crons = {c: [orchestration.crontab(f"source_{i}", c) for i in range(40)] for c in cadences}
    assert len({cron.split()[1] for cron in crons["annual"]}) > 12, "the sources crowd in a few hours"
    assert all(cron.split()[4] == "*" for cron in crons["monthly"])
    assert all(cron.split()[4] in set("0123456") for c in set(cadences) - {"monthly"} for cron in crons[c])
    assert orchestration.crontab("ncmec_by_esp", "annual") == "53 17 * * 6", "the time of a source may not move"


# -------------------------------------------------------------------------------------------------------------- source


def test_what_is_due_and_what_a_page_links_to_is_found_once(publisher: Settings, httpserver: HTTPServer) -> None:
    page = '<html><a href="/2022.pdf">held</a><a href="/b.pdf">b</a><a href="/c.pdf">c</a><a href="/c.pdf">c</a></html>'
    httpserver.expect_request("/page").respond_with_data(page, content_type="text/html")
    found = orchestration.discover("test_esp", publisher, patient=True, today=TODAY)
    assert found == [of(httpserver, "2022.pdf", "b.pdf"), of(httpserver, "b.pdf"), of(httpserver, "c.pdf")]
    assert archive.attempts(publisher) == [], "a page that comes leaves no line"
    assert orchestration.discover("test_esp", replace(publisher, offline=True), patient=True) == []


def test_a_page_that_fails_is_asked_again_until_patience_ends(publisher: Settings, httpserver: HTTPServer) -> None:
    later = {"Retry-After": "9999"}
    httpserver.expect_request("/page").respond_with_data("later", status=503, headers=later)
    with pytest.raises(ConnectionError, match="test_esp: HTTP 503"):
        orchestration.discover("test_esp", publisher, patient=True, today=TODAY)
    found = orchestration.discover("test_esp", publisher, patient=False, today=TODAY)
    assert found == [of(httpserver, "2022.pdf", "b.pdf")], "what is declared is fetched all the same"
    assert [a.outcome for a in archive.attempts(publisher)] == ["failed"] * 2


def test_a_document_is_the_same_whether_it_came_or_was_held(
    publisher: Settings, httpserver: HTTPServer, list_of_2022: Path
) -> None:
    httpserver.expect_request("/2022.pdf").respond_with_data("none", status=404)
    httpserver.expect_request("/b.pdf").respond_with_data(list_of_2022.read_bytes())
    addresses = of(httpserver, "2022.pdf", "b.pdf")
    document_id = hashlib.sha256(list_of_2022.read_bytes()).hexdigest()
    assert orchestration.fetch("test_esp", addresses, publisher) == document_id
    assert orchestration.fetch("test_esp", addresses, publisher) == document_id
    assert [a.outcome for a in archive.attempts(publisher)] == ["failed", "stored", "unchanged"]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"status": 404}, NotPublishedError, "not published yet"),
        ({"status": 403}, FetchError, "refuses scripts"),
        ({"status": 503, "headers": {"Retry-After": "9999"}}, ConnectionError, "run again later"),
        ({"response_data": "<!doctype html><html></html>"}, FetchError, "the bytes are HTML"),
    ],
)
def test_a_failure_has_the_kind_that_says_whether_to_try_again(
    publisher: Settings, httpserver: HTTPServer, answer: dict[str, Any], kind: type[Exception], words: str
) -> None:
    httpserver.expect_request("/2022.pdf").respond_with_data(**{"response_data": "none", **answer})
    with pytest.raises(kind, match=words) as raised:
        orchestration.fetch("test_esp", of(httpserver, "2022.pdf"), publisher)
    assert type(raised.value) is kind


def test_what_robots_txt_disallows_is_not_tried_again(publisher: Settings, httpserver: HTTPServer) -> None:
    httpserver.clear()
    httpserver.expect_request("/robots.txt").respond_with_data("User-agent: *\nDisallow: /")
    with pytest.raises(FetchError, match="disallows"):
        orchestration.fetch("test_esp", of(httpserver, "2022.pdf"), publisher)


@pytest.mark.slow
def test_new_is_what_the_published_release_was_made_without(publisher: Settings, list_of_2022: Path) -> None:
    assert orchestration.new_documents("test_esp", publisher) == []
    document_id = add(source.load("test_esp", publisher), list_of_2022, publisher).document_id
    assert orchestration.new_documents("test_esp", publisher) == [document_id], "also what a run left that was killed"
    release_archive(publisher)
    assert orchestration.new_documents("test_esp", publisher) == []
    (transcribed,) = orchestration.new_documents("ncmec_transcribed", publisher)
    content = (resource("sources") / "ncmec_transcribed.csv").read_bytes()
    assert transcribed == hashlib.sha256(content).hexdigest()


def test_a_document_is_read_and_judged_by_itself(publisher: Settings, list_of_2022: Path, tmp_path: Path) -> None:
    one = source.load("test_esp", publisher)
    good = str(add(one, list_of_2022, publisher).document_id)
    found = orchestration.read_and_check("test_esp", good, publisher)
    assert found == orchestration.Checked(good, ["2022"], 71, 0)
    assert len(list(publisher.figures.rglob("*.json"))) == 1, "the figures are kept for the build"
    broken = replace(by_esp(), total=("Total:", "12")).write(tmp_path / "broken.pdf")
    bad = str(add(one, broken, publisher).document_id)
    refused = orchestration.read_and_check("test_esp", bad, publisher)
    assert refused.refused is not None
    assert "the printed total is 12" in refused.refused
    assert (refused.periods, refused.observations) == ([], 0)
    with pytest.raises(LayoutError, match="holds no document"):
        orchestration.read_and_check("test_esp", "0" * 64, publisher)
    results = [orchestration.as_result(found), orchestration.as_result(refused)]
    news = orchestration.news(results, [good, bad])
    assert news == {"documents": sorted([good, bad]), "periods": ["2022"], "refused": [bad]}


def test_the_summary_names_what_is_new_refused_failed_and_absent(
    publisher: Settings, httpserver: HTTPServer, list_of_2022: Path, tmp_path: Path
) -> None:
    httpserver.expect_request("/2022.pdf").respond_with_data(list_of_2022.read_bytes())
    httpserver.expect_request("/b.pdf").respond_with_data("no", status=403)
    httpserver.expect_request("/c.pdf").respond_with_data("none", status=404)
    good = orchestration.fetch("test_esp", of(httpserver, "2022.pdf"), publisher)
    checked = orchestration.as_result(orchestration.read_and_check("test_esp", good, publisher))
    quiet = summaries.of_source("test_esp", LONG_AGO, [good], [checked], publisher)
    assert (quiet.failed, quiet.worth_telling) == (False, True)
    assert quiet.subject == "test_esp: 1 asked for, 1 new, 0 refused, 0 failed"
    assert f"new: {good[:12]} ({of(httpserver, '2022.pdf')[0]}): 71 figures, 0 rows held back, for 2022" in quiet.text
    for name in ("b.pdf", "c.pdf"):
        with pytest.raises(FetchError):
            orchestration.fetch("test_esp", of(httpserver, name), publisher)
    bad = {**checked, "refused": "the total is 12"}
    loud = summaries.of_source("test_esp", LONG_AGO, [good, "0" * 64], [bad], publisher, failed_tasks=["fetch"])
    assert loud.subject == "FAILED test_esp: 3 asked for, 2 new, 2 refused, 1 failed"
    assert "the total is 12. What was released before stays" in loud.text
    assert "not read: 000000000000" in loud.text
    assert f"failed: {of(httpserver, 'b.pdf')[0]}: HTTP 403" in loud.text
    assert f"nothing there: {of(httpserver, 'c.pdf')[0]}" in loud.text
    assert "failed tasks: fetch" in loud.text
    nothing = summaries.of_source("test_esp", datetime.now(UTC) + timedelta(days=1), [], [], publisher)
    assert (nothing.failed, nothing.worth_telling) == (False, False)


def test_the_summary_of_a_declaration_with_a_mistake_says_which(publisher: Settings) -> None:
    assert publisher.extra_sources is not None
    (publisher.extra_sources / "colour.yml").write_text("id: colour\n", encoding="utf-8")
    said = summaries.of_source("colour", LONG_AGO, [], [], publisher)
    assert said.failed
    assert "colour.yml: title: Field required" in said.text


@pytest.mark.slow
def test_a_document_that_is_overdue_is_told_in_its_first_week(publisher: Settings, list_of_2022: Path) -> None:
    add(source.load("test_esp", publisher), list_of_2022, publisher)
    release_archive(publisher)
    late = date(2023, 12, 31) + timedelta(days=140)
    tomorrow = datetime.now(UTC) + timedelta(days=1)

    def told(today: date) -> tuple[bool, bool]:
        said = summaries.of_source("test_esp", tomorrow, [], [], publisher, today=today)
        return f"was expected by {late}" in said.text, said.worth_telling

    assert told(late) == (False, False)
    assert told(late + timedelta(days=2)) == (True, True)
    assert told(late + timedelta(days=20)) == (True, False), "it is on the page of every run, and in one notice"


# ------------------------------------------------------------------------------------------------------------- release


def test_a_build_that_is_set_aside_outlives_its_process_and_is_published_once(settings: Settings) -> None:
    release_id = warehouse.set_aside(build(settings, three_documents(), "one"), settings)
    assert warehouse.releases(settings) == []
    assert warehouse.held(settings, "one") == release_id
    assert warehouse.held(settings, "two") is None
    for _ in range(2):  # the second time it changes nothing
        warehouse.publish_held(settings, release_id)
        assert [r.release_id for r in warehouse.releases(settings)] == [release_id]
    current = warehouse.current(settings)
    assert current is not None
    assert (current.release_id, current.inputs_digest) == (release_id, "one")
    assert warehouse.held(settings, "one") is None
    with pytest.raises(BuildError, match="is gone"):
        warehouse.take_up(settings, release_id)


def test_a_publication_cut_short_before_the_link_is_finished(settings: Settings) -> None:
    release_id = warehouse.set_aside(build(settings, three_documents(), "one"), settings)
    (settings.releases / f".held-{release_id}").rename(settings.releases / release_id)
    warehouse.publish_held(settings, release_id)
    current = warehouse.current(settings)
    assert current is not None
    assert current.release_id == release_id
    later = warehouse.set_aside(build(settings, three_documents(), "two"), settings)
    warehouse.publish_held(settings, later)
    warehouse.publish_held(settings, release_id)
    now = warehouse.current(settings)
    assert now is not None
    assert now.release_id == later, "an old publication that is run again does not bring the old release back"


def test_two_processes_publish_one_build_at_once(settings: Settings) -> None:
    release_id = warehouse.set_aside(build(settings, three_documents(), "one"), settings)
    troubles: list[BuildError] = []

    def publish() -> None:
        try:
            warehouse.publish_held(settings, release_id)
        except BuildError as error:
            troubles.append(error)

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert troubles == []
    assert [r.release_id for r in warehouse.releases(settings)] == [release_id]


def test_what_was_set_aside_and_forgotten_is_removed_after_a_day(settings: Settings) -> None:
    first = warehouse.set_aside(build(settings, three_documents(), "one"), settings)
    long_ago = time.time() - 90_000
    os.utime(settings.releases / f".held-{first}", (long_ago, long_ago))
    second = warehouse.set_aside(build(settings, three_documents(), "two"), settings)
    assert [p.name for p in settings.releases.glob(".held-*")] == [f".held-{second}"]


def test_nothing_is_published_that_was_not_audited(settings: Settings) -> None:
    release_id = warehouse.set_aside(build(settings, three_documents(), "one"), settings)
    with pytest.raises(BuildError, match="has not been audited"):
        orchestration.publish(release_id, settings)
    assert warehouse.current(settings) is None


def test_offenders_are_traced_to_their_sources(settings: Settings) -> None:
    built = build(settings, three_documents(), "one")
    with warehouse.connect(path=built.database) as con:
        ((observation_id, document_id, source_id, metric),) = con.execute(
            "SELECT observation_id, document_id, source_id, metric FROM observation_vintage ORDER BY ALL LIMIT 1"
        ).fetchall()
        assert orchestration.sources_of(con, [(observation_id, 3)]) == [source_id]
        assert orchestration.sources_of(con, [(document_id, None)]) == [source_id]
        assert orchestration.sources_of(con, [([observation_id], "_T")]) == [source_id]
        assert source_id in orchestration.sources_of(con, [("metric", metric)])
        assert orchestration.sources_of(con, [(1, "of nobody")]) == []
    warehouse.discard(built)


def test_the_summary_of_a_release_says_what_changed_or_why_not(settings: Settings) -> None:
    nothing = summaries.of_release(None, None, settings)
    assert (nothing.failed, nothing.worth_telling) == (False, False)
    release_id = warehouse.set_aside(build(settings, three_documents(), "one"), settings)
    warehouse.publish_held(settings, release_id)
    said = summaries.of_release(release_id, None, settings)
    assert "ncmec_by_esp: documents 0 -> 2" in said.text
    refused = summaries.of_release(None, "audit two_parents finds 1 rows, of ncmec_by_esp", settings)
    assert refused.failed
    assert f"The current release is {release_id}." in refused.text
    unexported = summaries.of_release(release_id, "the disk is full", settings)
    assert unexported.subject == f"FAILED release {release_id} is published, but not exported"


# -------------------------------------------------------------------------------------------------------------- doctor


@pytest.mark.slow
@pytest.mark.xdist_group("airflow")
def test_the_doctor_notices_a_dag_that_cannot_be_imported(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("airflow.version", reason="Airflow is not installed: lightwell[airflow] brings it")
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "broken.py").write_text("from airflow.sdk import DAG\nimport no_such_module\n", encoding="utf-8")
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(folder))
    (finding,) = [f for f in answers.doctor(settings) if f.what == "DAGs"]
    assert not finding.well
    assert "broken.py: ModuleNotFoundError: No module named 'no_such_module'" in finding.said


def test_the_doctor_asks_for_no_dags_where_airflow_is_not_in_use() -> None:
    in_checkout = (resource("sql").parent / ".airflow").is_dir()
    assert (dagbag.dags_folder({}) is None) != in_checkout or dagbag.dags_folder({}) is None
