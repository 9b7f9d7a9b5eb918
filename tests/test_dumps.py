"""Daily dumps: one partition is fetched once, again where its SHA-1 has changed, and is never kept."""

import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from conftest import ROOT
from lightwell import dumps
from lightwell.errors import DumpError, FetchError
from lightwell.settings import Settings

sys.path.insert(0, str(ROOT / "benchmarks"))
from make_dump import Plan
from make_dump import make_dump as made

DAY = date(2025, 9, 15)
PLAN = Plan(rows=120, version="light", slug="tiktok", day=DAY, rows_per_csv=60, csvs_per_part=2, kinds=20)


class Database:
    """The publisher's server: dumps below /download, each answered by a redirect to a link elsewhere, as published."""

    def __init__(self, server: HTTPServer, folder: Path) -> None:
        self.server, self.folder = server, folder

    def clear(self) -> None:
        self.server.clear()
        self.server.no_handler_status_code = 404  # also for robots.txt

    def put(self, plan: Plan) -> None:
        path = made(self.folder, plan)
        for suffix in ("", ".sha1"):
            content = path.with_name(path.name + suffix).read_bytes()
            link = f"/signed/{path.name}{suffix}"
            self.server.expect_request(f"/download/{path.name}{suffix}").respond_with_data(
                "", status=302, headers={"Location": f"{link}?X-Amz-Signature=s3cret"}
            )
            self.server.expect_request(link).respond_with_data(content)

    @property
    def fetched(self) -> list[str]:
        return [r.path for r, _ in self.server.log if r.path.startswith("/signed/") and r.path.endswith(".zip")]


@pytest.fixture
def database(tmp_path: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("LIGHTWELL_STATEMENTS_ADDRESS", httpserver.url_for("/download"))
    found = Database(httpserver, tmp_path / "published")
    found.clear()
    yield found
    httpserver.clear()


def test_a_partition_is_found_reduced_once_and_not_kept(database: Database, settings: Settings) -> None:
    database.put(PLAN)
    (found,) = dumps.changed(DAY, ["tiktok", "nobody"], settings)
    assert (found.key, found.stem) == ("2025-09-15|tiktok", "sor-tiktok-2025-09-15-light")
    assert dumps.reduce(found, settings) == found.sha1
    assert dumps.reduced_sha1(DAY, "tiktok", settings) == found.sha1
    assert dumps.changed(DAY, ["tiktok", "nobody"], settings) == []
    assert dumps.reduce(found, settings) == found.sha1, "done again, nothing is fetched"
    assert database.fetched == ["/signed/sor-tiktok-2025-09-15-light.zip"]
    assert list(settings.home.rglob("*.zip")) == list(settings.home.glob("statements/.incoming-*")) == []
    assert list(settings.home.glob("statements/day=2025-09-15/*/*.parquet"))
    assert dumps.partition(**dumps.as_partitions([found])[0]) == found


def test_a_day_whose_sha1_has_changed_is_fetched_again(database: Database, settings: Settings) -> None:
    database.put(PLAN)
    (first,) = dumps.changed(DAY, ["tiktok"], settings)
    dumps.reduce(first, settings)
    database.clear()
    database.put(replace(PLAN, rows=90))
    (second,) = dumps.changed(DAY, ["tiktok"], settings)
    assert second.sha1 != first.sha1
    assert dumps.reduce(second, settings) == second.sha1


def test_by_schedule_the_week_before_and_a_share_of_what_is_old_is_looked_at_again(settings: Settings) -> None:
    receipts = settings.home / "statements" / "dumps"
    receipts.mkdir(parents=True)
    for ago in (60, 61, 120):
        (receipts / f"sor-x-{DAY - timedelta(days=ago)}-light.json").write_text("{}", encoding="utf-8")
    (receipts / "sor-x-2024-02-31-full.json").write_text("{}", encoding="utf-8")
    assert dumps.days_to_ask(DAY, settings, again=False) == [(DAY, None)]
    days = dumps.days_to_ask(DAY, settings, again=True)
    assert days[:8] == [(DAY - timedelta(days=n), None) for n in range(8)]
    assert days[8:] == [(DAY - timedelta(days=n), ["x"]) for n in (120, 60)]
    assert dumps.days_to_ask(dumps.FIRST, settings, again=True) == [(dumps.FIRST, None)]


def test_a_dump_that_is_not_the_one_announced_is_refused(database: Database, settings: Settings) -> None:
    database.put(PLAN)
    (found,) = dumps.changed(DAY, ["tiktok"], settings)
    with pytest.raises(DumpError, match="has another SHA-1 than its sidecar says"):
        dumps.reduce(replace(found, sha1="0" * 40), settings)
    assert dumps.reduced_sha1(DAY, "tiktok", settings) is None
    assert dumps.reduce(found, settings) == found.sha1, "what the refusal left behind is in nobody's way"


def test_trouble_has_the_kind_that_says_whether_to_try_again(database: Database, settings: Settings) -> None:
    name = "/download/sor-tiktok-2025-09-15-light.zip.sha1"
    database.server.expect_request(name).respond_with_data("<html>", status=403)
    with pytest.raises(FetchError, match="HTTP 403"):
        dumps.changed(DAY, ["tiktok"], settings)
    database.clear()
    database.server.expect_request(name).respond_with_data("no sidecar")
    with pytest.raises(DumpError, match=r"zip\.sha1 is no SHA-1 of"):
        dumps.changed(DAY, ["tiktok"], settings)
    database.clear()
    database.server.expect_request(name).respond_with_data("later", status=503, headers={"Retry-After": "9999"})
    with pytest.raises(ConnectionError, match="run again later"):
        dumps.changed(DAY, ["tiktok"], settings)


def test_two_processes_at_one_partition_fetch_it_once(database: Database, settings: Settings) -> None:
    database.put(PLAN)
    (found,) = dumps.changed(DAY, ["tiktok"], settings)
    went: list[str] = []
    threads = [threading.Thread(target=lambda: went.append(dumps.reduce(found, settings))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert went == [found.sha1] * 2
    assert len(database.fetched) == 1
