"""Fetching, against real servers on this machine: what is asked, what is kept, and what the ledger says of the rest."""

import datetime as dt
import gzip
import io
import socket
import ssl
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from lightwell import archive
from lightwell.archive import Attempt
from lightwell.errors import DeclarationError, FetchError
from lightwell.fetch import ODS, USER_AGENT, XLSX, Client, add, due, fetch, redacted, sniff
from lightwell.settings import Settings
from lightwell.source import Source

TODAY = date(2024, 7, 1)
PDF = b"%PDF-1.7\n" + b"numbers " * 400 + b"\n%%EOF\n"
OTHER = PDF.replace(b"numbers", b"letters")
HTML = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>"


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        home=tmp_path / "home",
        allow_private_addresses=True,
        seconds_between_requests=0.0,
        connect_timeout=1.0,
        read_timeout=1.0,
    )


@pytest.fixture
def web(httpserver: HTTPServer) -> HTTPServer:
    """A publisher without a robots.txt, until a test gives it one."""
    httpserver.expect_request("/robots.txt").respond_with_data("none", status=404)
    return httpserver


def a_source(*urls: str, **fields: Any) -> Source:
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
            "media_type": "application/pdf",
            "documents": [{"urls": [url]} for url in urls],
            "layouts": [],
            "observe": [],
            **fields,
        }
    )


def get(settings: Settings, *urls: str, client: Client | None = None, **fields: Any) -> list[Attempt]:
    return fetch(a_source(*urls, **fields), settings, today=TODAY, client=client)


def get_one(settings: Settings, url: str, client: Client | None = None, **fields: Any) -> Attempt:
    (attempt,) = get(settings, url, client=client, **fields)
    assert archive.attempts(settings)[-1] == attempt, "every attempt is in the ledger"
    return attempt


def failure(settings: Settings, url: str, client: Client | None = None, **fields: Any) -> str:
    attempt = get_one(settings, url, client, **fields)
    assert attempt.outcome == "failed"
    assert attempt.document_id is None
    assert not list(settings.archive.glob("??/*")), "a failure leaves no file"
    return str(attempt.reason)


def paths(server: HTTPServer) -> list[str]:
    return [request.path for request, _ in server.log]


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class RawServer:
    """Answers each connection as told, byte by byte: what a well-behaved server library will not do."""

    def __init__(self, *answers: Callable[[socket.socket], None]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.answers = list(answers)
        self.requests: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}{path}"

    def _serve(self) -> None:
        for answer in self.answers:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.requests.append(connection.recv(65536))
                try:
                    answer(connection)
                except OSError:
                    continue  # the client gave up, which is what the test is about


@pytest.fixture
def raw() -> Iterator[Callable[..., RawServer]]:
    servers: list[RawServer] = []

    def start(*answers: Callable[[socket.socket], None]) -> RawServer:
        servers.append(RawServer(*answers))
        return servers[-1]

    yield start
    for server in servers:
        server.listener.close()


def say(*parts: bytes, pause: float = 0.0) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)

    return answer


NO_ROBOTS = say(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


# What a good answer leaves behind


def test_200_is_stored_with_what_the_publisher_said_of_it(settings: Settings, web: HTTPServer) -> None:
    headers = {"ETag": '"v1"', "Last-Modified": "Wed, 01 May 2024 10:00:00 GMT"}
    web.expect_request("/a.pdf").respond_with_data(PDF, headers=headers, content_type="application/octet-stream")
    attempt = get_one(settings, web.url_for("/a.pdf"))
    assert (attempt.outcome, attempt.http_status, attempt.reason) == ("stored", 200, None)
    assert (attempt.media_type, attempt.bytes) == ("application/pdf", len(PDF))
    assert (attempt.etag, attempt.last_modified) == ('"v1"', "Wed, 01 May 2024 10:00:00 GMT")
    assert (attempt.method, attempt.url) == ("fetched", web.url_for("/a.pdf"))
    (document,) = archive.documents(settings, [a_source()])
    assert document.path is not None
    assert document.path.read_bytes() == PDF
    assert archive.last_modified_on(settings, document) == date(2024, 5, 1)
    assert archive.verify(settings) == []


def test_the_user_agent_says_who_asks_and_no_credentials_are_sent(
    settings: Settings, web: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login me password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    web.expect_request("/a.pdf").respond_with_data(PDF)
    get_one(settings, web.url_for("/a.pdf").replace("://", "://me:hunter2@"))
    assert len(web.log) == 2
    for request, _ in web.log:
        assert request.headers["User-Agent"] == USER_AGENT
        assert "Authorization" not in request.headers
    assert USER_AGENT.startswith("Lightwell/")
    assert "public aggregate statistics" in USER_AGENT


def test_304_is_unchanged_and_the_validators_are_sent_and_kept(settings: Settings, web: HTTPServer) -> None:
    headers = {"ETag": '"v1"', "Last-Modified": "Wed, 01 May 2024 10:00:00 GMT"}
    web.expect_oneshot_request("/a.pdf").respond_with_data(PDF, headers=headers)
    first = get_one(settings, web.url_for("/a.pdf"))
    asked = {"If-None-Match": '"v1"', "If-Modified-Since": "Wed, 01 May 2024 10:00:00 GMT"}
    web.expect_request("/a.pdf", headers=asked).respond_with_data(b"", status=304)
    for _ in range(2):  # the second time the validators come from the line of the first 304
        again = get_one(settings, web.url_for("/a.pdf"))
        assert (again.outcome, again.http_status, again.document_id) == ("unchanged", 304, first.document_id)
        assert (again.bytes, again.media_type, again.etag) == (first.bytes, first.media_type, '"v1"')
    assert len(archive.documents(settings, [a_source()])) == 1


@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_a_file_that_is_gone_from_the_archive_is_fetched_anew(settings: Settings, web: HTTPServer, harm: str) -> None:
    def answer(request: Request) -> Response:
        return Response(status=304) if "If-None-Match" in request.headers else Response(PDF, headers={"ETag": '"v1"'})

    web.expect_request("/a.pdf").respond_with_handler(answer)
    path = archive.path_of(settings, str(get_one(settings, web.url_for("/a.pdf")).document_id))
    path.write_bytes(b"") if harm == "damaged" else path.unlink()
    assert get_one(settings, web.url_for("/a.pdf")).outcome == "stored"
    assert archive.verify(settings) == []
    assert get_one(settings, web.url_for("/a.pdf")).outcome == "unchanged"


def test_the_same_bytes_without_validators_are_unchanged(settings: Settings, web: HTTPServer) -> None:
    web.expect_request("/a.pdf").respond_with_data(PDF)
    web.expect_request("/moved.pdf").respond_with_data(PDF)
    outcomes = [a.outcome for a in get(settings, web.url_for("/a.pdf"), web.url_for("/moved.pdf"))]
    assert outcomes == ["stored", "unchanged"]
    assert get_one(settings, web.url_for("/a.pdf")).http_status == 200


def test_a_304_that_nobody_asked_for_is_a_failure(settings: Settings, web: HTTPServer) -> None:
    web.expect_request("/a.pdf").respond_with_data(b"", status=304)
    assert failure(settings, web.url_for("/a.pdf")) == "HTTP 304"


def test_a_compressed_answer_is_kept_unpacked(settings: Settings, web: HTTPServer) -> None:
    web.expect_request("/a.pdf").respond_with_data(gzip.compress(PDF), headers={"Content-Encoding": "gzip"})
    assert get_one(settings, web.url_for("/a.pdf")).bytes == len(PDF)
    assert web.log[-1][0].headers["Accept-Encoding"] == "identity"


def test_every_attempt_is_told_as_it_is_made(settings: Settings, web: HTTPServer) -> None:
    web.expect_request("/a.pdf").respond_with_data(PDF)
    told: list[Attempt] = []
    source = a_source(web.url_for("/a.pdf"), web.url_for("/b.pdf"))
    made = fetch(source, settings, today=TODAY, on_attempt=told.append)
    assert told == made == archive.attempts(settings)
    assert [a.outcome for a in made] == ["stored", "failed"]


def test_offline_nothing_is_done(settings: Settings, web: HTTPServer) -> None:
    assert get(replace(settings, offline=True), web.url_for("/a.pdf")) == []
    assert web.log == []
    assert not settings.home.exists()


# What is due


def test_a_year_is_due_sixty_days_before_its_usual_publication() -> None:
    urls = ["https://localhost/{year}.pdf", "https://localhost/{year}/{year}.pdf"]
    source = a_source(documents=[{"urls": urls, "first": 2021}], published_after_days=120)
    assert [u[1][-9:] for u in due(source, date(2024, 2, 28))] == ["/2021.pdf", "/2022.pdf"]
    assert [u[1][-9:] for u in due(source, date(2024, 2, 29))] == ["/2021.pdf", "/2022.pdf", "/2023.pdf"]
    early = source.model_copy(update={"published_after_days": 0})
    assert [u[0][-9:] for u in due(early, date(2023, 12, 31))] == ["/2021.pdf", "/2022.pdf"], "no year before its end"
    ended = a_source(documents=[{"urls": urls, "first": 2021, "last": 2021}])
    assert list(due(ended, TODAY)) == [["https://localhost/2021.pdf", "https://localhost/2021/2021.pdf"]]


def test_a_year_without_a_first_one_is_a_mistake_in_the_declaration(settings: Settings) -> None:
    with pytest.raises(DeclarationError, match=r"letters: documents: .* needs `first`"):
        get(settings, "https://localhost/{year}.pdf")


def test_alternatives_are_tried_until_one_is_held_and_then_only_that_one(settings: Settings, web: HTTPServer) -> None:
    web.expect_request("/new/2022.pdf").respond_with_data(PDF)
    web.expect_request("/old/2023.pdf").respond_with_data(OTHER)
    urls = [web.url_for("/old/").rstrip("/") + "/{year}.pdf", web.url_for("/new/").rstrip("/") + "/{year}.pdf"]
    rule = {"urls": urls, "first": 2022}
    first = get(settings, documents=[rule])
    assert [(a.url or "")[-13:] + " " + a.outcome for a in first] == [
        "/old/2022.pdf failed",
        "/new/2022.pdf stored",
        "/old/2023.pdf stored",
    ]
    again = get(settings, documents=[rule])
    assert [(a.url or "")[-13:] + " " + a.outcome for a in again] == [
        "/new/2022.pdf unchanged",
        "/old/2023.pdf unchanged",
    ]


def test_404_everywhere_leaves_a_line_for_each_with_the_page_to_look_at(settings: Settings, web: HTTPServer) -> None:
    web.expect_request("/2023-a.pdf").respond_with_data("", status=404)
    web.expect_request("/2023-b.pdf").respond_with_data("", status=404)
    rule = {"urls": [web.url_for("/").rstrip("/") + "/{year}" + f"-{x}.pdf" for x in "ab"], "first": 2023}
    made = get(settings, documents=[rule])
    assert [(a.outcome, a.http_status) for a in made] == [("failed", 404)] * 2
    assert made[0].reason == (
        "HTTP 404: nothing at this address: not published yet, or moved; see https://publisher.example/letters"
    )


def test_links_of_a_discovery_page_are_fetched_once_each(settings: Settings, web: HTTPServer) -> None:
    page = """<html><base href="/files/"><a HREF="x.pdf#page=2">x</a> <a href=' x.pdf '>x again</a>
      <a href="/a.pdf">known</a> <a href="note.txt">no</a> <area href="y.pdf?a=1&amp;b=2"> <a href="mailto:x.pdf">m</a>
      <a href="http://[broken/z.pdf">z</a> <a>no href</a>"""
    web.expect_request("/page").respond_with_data(page, content_type="text/html")
    web.expect_request("/a.pdf").respond_with_data(PDF)
    web.expect_request("/files/x.pdf").respond_with_data(OTHER)
    web.expect_request("/files/y.pdf", query_string="a=1&b=2").respond_with_data(PDF + b"%%EOF")
    discover = [{"page": web.url_for("/page"), "link": r"\.pdf"}]
    made = get(settings, web.url_for("/a.pdf"), discover=discover)
    assert [a.outcome for a in made] == ["stored"] * 3
    assert paths(web) == ["/robots.txt", "/a.pdf", "/page", "/files/x.pdf", "/files/y.pdf"]
    assert not list(settings.archive.glob("??/*.html")), "the page itself is not kept"


def test_a_link_to_a_host_that_is_not_declared_is_told_and_not_followed(settings: Settings, web: HTTPServer) -> None:
    web.expect_request("/page").respond_with_data("<html><a href='https://cdn.example/x.pdf'>x</a>")
    (attempt,) = get(settings, discover=[{"page": web.url_for("/page"), "link": r"\.pdf$"}])
    assert "cdn.example" in str(attempt.reason)
    assert "add it to `hosts`" in str(attempt.reason)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"%PDF-1.4 no page", "the page is not HTML"),
        (b"<html><a href='/a.doc'>a</a>", "none of the 1 links of the page matches"),
        (b"<html>" + b" " * 2_000_000, "larger than the 2,000,000 bytes"),
    ],
)
def test_a_discovery_page_that_is_of_no_use_leaves_one_failed_line(
    settings: Settings, web: HTTPServer, content: bytes, reason: str
) -> None:
    web.expect_request("/page").respond_with_data(content)
    (attempt,) = get(settings, discover=[{"page": web.url_for("/page"), "link": r"\.pdf$"}])
    assert (attempt.outcome, attempt.url) == ("failed", web.url_for("/page"))
    assert reason in str(attempt.reason)


# What a bad answer leaves behind


def test_429_waits_as_long_as_the_host_asks(settings: Settings, web: HTTPServer) -> None:
    waits: list[float] = []
    web.expect_ordered_request("/robots.txt").respond_with_data("", status=404)
    web.expect_ordered_request("/a.pdf").respond_with_data("", status=429, headers={"Retry-After": "7"})
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    web.expect_ordered_request("/a.pdf").respond_with_data("", status=503, headers={"Retry-After": later})
    web.expect_ordered_request("/a.pdf").respond_with_data(PDF)
    attempt = get_one(settings, web.url_for("/a.pdf"), client=Client(settings, sleep=waits.append))
    assert attempt.outcome == "stored"
    assert waits[0] == 7
    assert 25 < waits[1] <= 30


def test_a_host_that_asks_for_a_long_wait_is_left_for_another_run(settings: Settings, web: HTTPServer) -> None:
    waits: list[float] = []
    web.expect_request("/a.pdf").respond_with_data("", status=429, headers={"Retry-After": "3600"})
    reason = failure(settings, web.url_for("/a.pdf"), client=Client(settings, sleep=waits.append))
    assert reason.startswith("HTTP 429, and asks to wait 3600 s: run again later. Open https://publisher.example")
    assert waits == []
    assert len(web.log) == 2


def test_500_then_200_is_stored_after_waits_that_double(settings: Settings, web: HTTPServer) -> None:
    waits: list[float] = []
    for _ in range(3):
        web.expect_oneshot_request("/a.pdf").respond_with_data("", status=500)
    web.expect_request("/a.pdf").respond_with_data(PDF)
    paced = replace(settings, seconds_between_requests=0.01)
    assert get_one(paced, web.url_for("/a.pdf"), client=Client(paced, sleep=waits.append)).outcome == "stored"
    backoff = [w for w in waits if w in (0.01, 0.02, 0.04)]
    assert backoff == [0.01, 0.02, 0.04]


def test_500_for_good_fails_after_four_tries(settings: Settings, web: HTTPServer) -> None:
    web.expect_request("/a.pdf").respond_with_data("", status=500)
    assert failure(settings, web.url_for("/a.pdf")) == "HTTP 500 (4 tries)"
    assert len(web.log) == 1 + 4


def test_a_dropped_connection_is_tried_again(settings: Settings, raw: Callable[..., RawServer]) -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(PDF) + PDF
    server = raw(NO_ROBOTS, say(), say(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n%PDF-"), say(whole))
    assert get_one(settings, server.url("/a.pdf")).bytes == len(PDF)
    assert len(server.requests) == 4


def test_a_connection_that_is_always_dropped_fails(settings: Settings, raw: Callable[..., RawServer]) -> None:
    server = raw(NO_ROBOTS, *[say()] * 4)
    assert failure(settings, server.url("/a.pdf")).endswith("dropped the connection (4 tries)")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_truncated_body_is_never_kept(settings: Settings, raw: Callable[..., RawServer], chunked: bool) -> None:
    length = b"Transfer-Encoding: chunked\r\n\r\nFFFF\r\n" if chunked else b"Content-Length: 9999\r\n\r\n"
    server = raw(NO_ROBOTS, *[say(b"HTTP/1.1 200 OK\r\n" + length + PDF)] * 4)
    reason = failure(settings, server.url("/a.pdf"))
    assert reason.startswith("truncated: the connection ended after")
    assert chunked or "of 9999 bytes" in reason


def test_a_pdf_without_its_end_is_truncated_even_if_no_length_was_announced(
    settings: Settings, raw: Callable[..., RawServer]
) -> None:
    server = raw(NO_ROBOTS, say(b"HTTP/1.0 200 OK\r\n\r\n" + PDF[:2000]))
    assert failure(settings, server.url("/a.pdf")) == "the PDF is truncated: its end (%%EOF) is missing"


def test_a_silent_host_costs_one_read_timeout(settings: Settings, raw: Callable[..., RawServer]) -> None:
    quick = replace(settings, read_timeout=0.2)
    server = raw(NO_ROBOTS, say(b"HTTP/1.1 200 OK\r\n", pause=1.0))
    assert failure(quick, server.url("/a.pdf")).endswith("sent nothing for 0.2 s")
    server = raw(NO_ROBOTS, say(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + PDF, pause=1.0))
    assert failure(quick, server.url("/a.pdf")) == f"nothing came for 0.2 s after {len(PDF):,} bytes"


def test_a_body_that_drips_is_given_up_at_the_deadline(settings: Settings, raw: Callable[..., RawServer]) -> None:
    drops = [b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", *[b"%"] * 60]
    server = raw(NO_ROBOTS, say(*drops, pause=0.05))
    started = time.monotonic()
    reason = failure(settings, server.url("/a.pdf"), client=Client(settings, deadline=0.3))
    assert "bytes came within 0.3 s" in reason
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("announced", [True, False])
def test_over_the_cap_is_refused_before_it_is_read(
    settings: Settings, raw: Callable[..., RawServer], announced: bool
) -> None:
    sent = 0

    def answer(connection: socket.socket) -> None:
        nonlocal sent
        length = b"Content-Length: 50000000\r\n" if announced else b""
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n%PDF-")
        for _ in range(500):
            sent += connection.send(b"x" * 100_000)

    server = raw(NO_ROBOTS, answer)
    reason = failure(settings, server.url("/a.pdf"), max_bytes=100_000)
    assert "larger than the 100,000 bytes that max_bytes of the declaration allows" in reason
    assert reason.startswith("50,000,000 bytes, ") == announced
    assert sent < 20_000_000


def test_a_compressed_body_is_capped_by_what_it_unpacks_to(settings: Settings, web: HTTPServer) -> None:
    bomb = gzip.compress(b"%PDF-" + bytes(30_000_000))
    assert len(bomb) < 100_000
    web.expect_request("/a.pdf").respond_with_data(bomb, headers={"Content-Encoding": "gzip"})
    assert failure(settings, web.url_for("/a.pdf"), max_bytes=100_000).startswith("larger than the 100,000")


def test_html_where_a_pdf_was_due_says_so_and_what_to_do(settings: Settings, web: HTTPServer) -> None:
    web.expect_request("/a.pdf").respond_with_data(HTML, content_type="application/pdf")
    url = web.url_for("/a.pdf")
    assert failure(settings, url) == (
        "the bytes are HTML, where application/pdf was due. Open https://publisher.example/letters in a browser, "
        f"download the document there, then run `lightwell add letters FILE --url {url}`"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"PK\x05\x06" + bytes(18), "the bytes are application/zip, where application/pdf was due"),
        (b"a,b\n1,2\n", "the bytes are text/csv, where"),
        (b"\x00\x01\x02", "the bytes are something that is not recognised, where"),
    ],
)
def test_another_type_than_declared_is_refused(
    settings: Settings, web: HTTPServer, content: bytes, reason: str
) -> None:
    web.expect_request("/a.pdf").respond_with_data(content, content_type="application/pdf")
    assert failure(settings, web.url_for("/a.pdf")).startswith(reason)


@pytest.mark.parametrize("status", [202, 401, 403, 405, 429, 451, 503])
def test_a_publisher_that_blocks_scripts_is_answered_with_the_way_by_hand(
    settings: Settings, web: HTTPServer, status: int
) -> None:
    web.expect_request("/a.pdf").respond_with_data(HTML, status=status)
    reason = failure(settings, web.url_for("/a.pdf"))
    assert reason.startswith(f"HTTP {status}")
    assert "Open https://publisher.example/letters in a browser" in reason
    assert reason.endswith(f"`lightwell add letters FILE --url {web.url_for('/a.pdf')}`")


def test_a_failure_leaves_the_earlier_document_as_it_was(settings: Settings, web: HTTPServer) -> None:
    web.expect_oneshot_request("/a.pdf").respond_with_data(PDF)
    get_one(settings, web.url_for("/a.pdf"))
    web.expect_request("/a.pdf").respond_with_data(HTML, status=403)
    assert get_one(settings, web.url_for("/a.pdf")).outcome == "failed"
    assert len(archive.documents(settings, [a_source()])) == 1


# Where it goes


def test_a_redirect_to_an_allowed_host_is_followed(settings: Settings, web: HTTPServer) -> None:
    there = web.url_for("/b.pdf").replace("localhost", "127.0.0.1")
    web.expect_request("/a.pdf").respond_with_data("", status=301, headers={"Location": there})
    web.expect_request("/b.pdf").respond_with_data(PDF)
    attempt = get_one(settings, web.url_for("/a.pdf"))
    assert (attempt.outcome, attempt.url) == ("stored", web.url_for("/a.pdf"))
    assert paths(web) == ["/robots.txt", "/a.pdf", "/robots.txt", "/b.pdf"], "each host's robots.txt is asked"


def test_a_redirect_off_the_allow_list_is_not_followed(settings: Settings, web: HTTPServer) -> None:
    there = web.url_for("/b.pdf?token=hush").replace("localhost", "127.0.0.1")
    web.expect_request("/a.pdf").respond_with_data("", status=302, headers={"Location": there})
    reason = failure(settings, web.url_for("/a.pdf"), hosts=["localhost"])
    assert reason.startswith("127.0.0.1 of ")
    assert reason.endswith(
        "is not among the hosts that letters allows (localhost): "
        "add it to `hosts` of the declaration if it is the publisher's"
    )
    assert "hush" not in reason
    assert paths(web) == ["/robots.txt", "/a.pdf"]


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("ftp://localhost/a.pdf", "ftp://localhost/a.pdf is not https"),
        ("file:///etc/passwd", "is no web address"),
        ("http://[", "redirects to an address that cannot be parsed"),
        ("http://localhost:x/", "is no web address"),
        ("/a.pdf", "more than 5 redirects"),
    ],
)
def test_a_redirect_to_nowhere_is_a_failure(
    settings: Settings, raw: Callable[..., RawServer], location: str, reason: str
) -> None:
    answer = say(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nConnection: close\r\n\r\n".encode())
    server = raw(NO_ROBOTS, *[answer] * 9)
    assert reason in failure(settings, server.url("/a.pdf"))
    assert len(server.requests) == (1 + 6 if location == "/a.pdf" else 1 + 1)


def test_the_body_of_a_redirect_is_not_read(settings: Settings, raw: Callable[..., RawServer]) -> None:
    sent = 0

    def long(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /b.pdf\r\n\r\n")
        for _ in range(500):
            sent += connection.send(b"x" * 100_000)

    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(PDF) + PDF
    assert get_one(settings, raw(NO_ROBOTS, long, say(whole)).url("/a.pdf")).outcome == "stored"
    assert sent < 20_000_000


def test_only_https_is_asked(settings: Settings, web: HTTPServer) -> None:
    public = replace(settings, allow_private_addresses=False)
    assert "is not https: only https addresses are fetched" in failure(public, web.url_for("/a.pdf"))
    assert web.log == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1"]
)
def test_a_private_address_is_not_asked(settings: Settings, host: str) -> None:
    public = replace(settings, allow_private_addresses=False)
    reason = failure(public, f"https://{host}:{closed_port()}/a.pdf", hosts=[host.strip("[]")])
    assert reason.endswith("is not a public address: nothing is fetched from there")


def test_a_name_that_comes_to_mean_a_private_address_gets_no_request(settings: Settings, web: HTTPServer) -> None:
    with Client(replace(settings, allow_private_addresses=False)) as client:
        with pytest.raises(Exception, match=r"127\.0\.0\.1 is not a public address"):
            client.session.get(web.url_for("/a.pdf").replace("localhost", "127.0.0.1"))
        assert web.log == []
    with Client(settings) as client:
        assert client.session.get(web.url_for("/robots.txt")).status_code == 404


# Robots, rates and hosts that are not there


def test_what_robots_txt_disallows_is_not_asked(settings: Settings, httpserver: HTTPServer) -> None:
    robots = "User-agent: lightwell\nDisallow: /private\n\nUser-agent: *\nDisallow: /\n"
    httpserver.expect_request("/robots.txt").respond_with_data(robots)
    httpserver.expect_request("/a.pdf").respond_with_data(PDF)
    made = get(settings, httpserver.url_for("/a.pdf"), httpserver.url_for("/private/b.pdf"))
    assert [a.outcome for a in made] == ["stored", "failed"]
    assert "robots.txt of localhost" in str(made[1].reason)
    assert "disallows" in str(made[1].reason)
    assert "`lightwell add letters FILE --url" in str(made[1].reason)
    assert paths(httpserver) == ["/robots.txt", "/a.pdf"], "robots.txt is asked once, /private never"


def test_a_redirect_into_what_robots_txt_disallows_is_not_followed(settings: Settings, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/robots.txt").respond_with_data("User-agent: *\nDisallow: /private\n")
    httpserver.expect_request("/a.pdf").respond_with_data("", status=302, headers={"Location": "/private/a.pdf"})
    assert "disallows" in failure(settings, httpserver.url_for("/a.pdf"))
    assert paths(httpserver) == ["/robots.txt", "/a.pdf"]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_robots_txt_that_is_not_there_allows_everything(
    settings: Settings, httpserver: HTTPServer, status: int
) -> None:
    httpserver.expect_request("/robots.txt").respond_with_data("", status=status)
    httpserver.expect_request("/a.pdf").respond_with_data(PDF)
    assert get_one(settings, httpserver.url_for("/a.pdf")).outcome == "stored"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_robots_txt_that_cannot_be_read_closes_the_host_for_the_run(
    settings: Settings, httpserver: HTTPServer, status: int
) -> None:
    httpserver.expect_request("/robots.txt").respond_with_data("", status=status)
    client = Client(settings)
    made = get(settings, httpserver.url_for("/a.pdf"), httpserver.url_for("/b.pdf"), client=client)
    assert len(made) == 1, "one line a host"
    assert f"cannot be read (HTTP {status} (4 tries)): nothing is fetched there" in str(made[0].reason)
    assert set(paths(httpserver)) == {"/robots.txt"}
    assert list(client.unreachable) == [f"localhost:{httpserver.port}"]


@pytest.mark.parametrize("rule", ["Crawl-delay: 9", "Request-rate: 2/18"])
def test_the_crawl_delay_is_respected(settings: Settings, httpserver: HTTPServer, rule: str) -> None:
    waits: list[float] = []
    httpserver.expect_request("/robots.txt").respond_with_data(f"User-agent: *\n{rule}\n")
    httpserver.expect_request("/a.pdf").respond_with_data(PDF)
    client = Client(settings, sleep=waits.append)
    get(settings, httpserver.url_for("/a.pdf"), httpserver.url_for("/a.pdf"), client=client)
    assert len(waits) == 1
    assert 8 < waits[0] <= 9


def test_a_crawl_delay_that_no_run_could_keep_is_a_failure(settings: Settings, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/robots.txt").respond_with_data("User-agent: *\nCrawl-delay: 86400\n")
    assert "asks for 86400 s between requests" in failure(settings, httpserver.url_for("/a.pdf"))


def test_a_host_is_asked_once_in_the_pause_whoever_asks(settings: Settings, web: HTTPServer) -> None:
    """Two clients that share only the data home, as two processes do."""
    times: list[float] = []

    def answer(_: Request) -> Response:
        times.append(time.monotonic())
        return Response(PDF)

    web.expect_request("/a.pdf").respond_with_handler(answer)
    paced = replace(settings, seconds_between_requests=0.2)
    url = web.url_for("/a.pdf")
    runs = [threading.Thread(target=get, args=(paced, url, url), daemon=True) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(times) == 4
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) > 0.15


PACED = """
import sys
from datetime import date
from pathlib import Path
from lightwell.fetch.asking import Client, _pace
from lightwell.settings import Settings
client = Client(Settings(home=Path(sys.argv[1]), seconds_between_requests=0.25))
for _ in range(3):
    _pace(client, "publisher.example:443")
"""


def test_the_pause_is_kept_between_processes(settings: Settings) -> None:
    started = time.monotonic()
    runs = [subprocess.Popen([sys.executable, "-c", PACED, str(settings.home)]) for _ in range(2)]
    assert [run.wait() for run in runs] == [0, 0]
    assert time.monotonic() - started > 5 * 0.25


def test_a_torn_or_future_stamp_of_the_last_request_does_no_harm(settings: Settings, web: HTTPServer) -> None:
    web.expect_request("/a.pdf").respond_with_data(PDF)
    (settings.archive / ".hosts").mkdir(parents=True)
    stamp = settings.archive / ".hosts" / f"localhost:{web.port}"
    for text in ("17", "99999999999.0"):
        stamp.write_text(text)
        waits: list[float] = []
        paced = replace(settings, seconds_between_requests=0.05)
        assert get_one(paced, web.url_for("/a.pdf"), client=Client(paced, sleep=waits.append)).outcome != "failed"
        assert max(waits) <= 0.05


def test_a_host_that_refuses_is_asked_once_a_run(settings: Settings, web: HTTPServer) -> None:
    web.expect_request("/b.pdf").respond_with_data(PDF)
    gone = f"http://127.0.0.1:{closed_port()}"
    rule = {"urls": [gone + "/{year}.pdf"], "first": 1990}
    source = a_source(documents=[rule, {"urls": [gone + "/a.pdf", web.url_for("/b.pdf")]}])
    client = Client(settings)
    started = time.monotonic()
    made = fetch(source, settings, today=TODAY, client=client)
    assert [a.outcome for a in made] == ["failed", "stored"], "one line for the host, and the mirror still serves"
    assert "cannot be reached: it refuses connections" in str(made[0].reason)
    assert get(settings, gone + "/c.pdf", client=client) == [], "nor is it asked for the next source of the run"
    assert len(client.unreachable) == 1
    assert time.monotonic() - started < 1


def test_a_name_that_does_not_resolve_costs_no_more_than_the_connect_timeout(settings: Settings) -> None:
    quick = replace(settings, connect_timeout=0.5)
    source = a_source(
        documents=[{"urls": ["https://nowhere.invalid/{year}.pdf"], "first": 1990}],
        discover=[{"page": "https://nowhere.invalid/page", "link": "pdf"}],
        hosts=["nowhere.invalid"],
    )
    started = time.monotonic()
    (attempt,) = fetch(source, quick, today=TODAY)
    assert time.monotonic() - started < 1.5
    assert attempt.reason == "the name nowhere.invalid does not resolve: no network, or no such host"


def test_a_resolver_that_hangs_costs_no_more_than_the_connect_timeout(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*_: object, **__: object) -> None:  # the one thing that cannot be run here
        time.sleep(2)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    (attempt,) = get(replace(settings, connect_timeout=0.1), *["https://localhost/a.pdf"] * 5)
    assert "does not resolve" in str(attempt.reason)
    assert time.monotonic() - started < 1


def test_a_host_that_does_not_answer_the_connection_is_given_up_at_once(settings: Settings) -> None:
    quick = replace(settings, connect_timeout=0.2)
    with socket.socket() as listener:  # its queue of connections is full: a further one gets no answer
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            url = f"http://127.0.0.1:{port}/"
            made = get(quick, url + "a.pdf", url + "b.pdf", url + "c.pdf")
    assert [a.reason for a in made] == [f"127.0.0.1:{port} cannot be reached: no answer within 0.2 s"]


# TLS and proxies


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate that vouches for itself, for localhost and publisher.example: its file, and a server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Lightwell test")])
    names = [x509.DNSName("localhost"), x509.DNSName("publisher.example")]
    now = dt.datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return folder / "cert.pem", context


@pytest.fixture
def tls(authority: tuple[Path, ssl.SSLContext]) -> Iterator[HTTPServer]:
    with HTTPServer(ssl_context=authority[1]) as server:
        server.expect_request("/robots.txt").respond_with_data("", status=404)
        yield server


def test_a_certificate_nobody_vouches_for_is_refused(settings: Settings, tls: HTTPServer) -> None:
    reason = failure(settings, tls.url_for("/a.pdf"))
    assert "has no certificate that can be trusted: self" in reason
    assert tls.log == []


def test_a_certificate_the_environment_vouches_for_is_accepted(
    settings: Settings, tls: HTTPServer, authority: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority[0]))
    tls.expect_request("/a.pdf").respond_with_data(PDF)
    assert get_one(settings, tls.url_for("/a.pdf")).outcome == "stored"


@pytest.fixture
def tunnel(tls: HTTPServer) -> Iterator[tuple[str, list[str]]]:
    """A proxy that leads every CONNECT to the TLS server: its address, and the first lines it was asked."""
    asked: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while block := source.recv(65536):
                sink.sendall(block)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return  # one of the two has hung up

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            asked.append(client.recv(65536).split(b"\r\n")[0].decode())
            server = socket.create_connection(("127.0.0.1", tls.port))
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            for pair in ((client, server), (server, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://me:hunter2@127.0.0.1:{listener.getsockname()[1]}", asked
    listener.close()


def test_a_proxy_of_the_environment_is_used_and_a_redirect_to_a_private_address_still_refused(
    settings: Settings,
    tls: HTTPServer,
    tunnel: tuple[str, list[str]],
    authority: tuple[Path, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy, asked = tunnel
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority[0]))
    public = replace(settings, allow_private_addresses=False)
    there = "https://127.0.0.1/b.pdf"
    tls.expect_request("/a.pdf").respond_with_data(PDF)
    tls.expect_request("/b.pdf").respond_with_data("", status=302, headers={"Location": there})
    hosts = ["publisher.example", "127.0.0.1"]
    made = get(public, "https://publisher.example/a.pdf", "https://publisher.example/b.pdf", hosts=hosts)
    assert [a.outcome for a in made] == ["stored", "failed"]
    assert made[1].reason == "127.0.0.1 is not a public address: nothing is fetched from there"
    assert {line.rpartition(" ")[0] for line in asked} == {"CONNECT publisher.example:443"}


def test_a_proxy_that_is_not_there_is_told_without_its_password(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:hunter2@127.0.0.1:{closed_port()}")
    made = get(settings, *["https://publisher.example/a.pdf"] * 3, hosts=["publisher.example"])
    assert [a.reason for a in made] == [
        "publisher.example:443 cannot be reached through the proxy that the environment names"
    ]


# What may be written down


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example/b.pdf?year=2023&x=", "https://a.example/b.pdf?year=2023&x="),
        ("https://me:pw@a.example:8443/b.pdf#p", "https://a.example:8443/b.pdf"),
        ("https://a.example/b?X-Amz-Signature=hush&year=2023", "https://a.example/b?X-Amz-Signature=...&year=2023"),
        (
            "https://a.example/b?sig=hush&access_token=hush&author=x",
            "https://a.example/b?sig=...&access_token=...&author=x",
        ),
        ("https://[", "(an address that cannot be parsed)"),
    ],
)
def test_addresses_are_written_down_without_secrets(url: str, shown: str) -> None:
    assert redacted(url) == shown


def test_no_secret_reaches_the_ledger_and_the_address_is_still_known_again(settings: Settings, web: HTTPServer) -> None:
    web.expect_request("/a.pdf", query_string="token=hush").respond_with_data(PDF, headers={"ETag": '"v1"'})
    url = web.url_for("/a.pdf?token=hush").replace("://", "://me:hush@")
    get_one(settings, url)
    get_one(settings, url)
    assert web.log[-1][0].headers["If-None-Match"] == '"v1"'
    get(settings, f"http://me:hush@127.0.0.1:{closed_port()}/a.pdf?token=hush")
    ledger = (settings.archive / "ledger" / "letters.jsonl").read_text()
    assert ledger.count("\n") == 3
    assert "hush" not in ledger


# What the bytes are


def zipped(**members: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as container:
        for name, content in members.items():
            container.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PDF, "application/pdf"),
        (b"\xef\xbb\xbf\r\n" + PDF, "application/pdf"),
        (HTML, "text/html"),
        (b"\xef\xbb\xbf  <!-- hello -->\n<HTML lang='en'>", "text/html"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "x">', "text/html"),
        (b"<script>location='%PDF-'</script>", "text/html"),
        (b"<!---->" * 500 + b"not html", "text/plain"),
        (zipped(**{"a.csv": "a,b"}), "application/zip"),
        (zipped(**{"docProps/app.xml": "", "xl/workbook.xml": "", "[Content_Types].xml": ""}), XLSX),
        (zipped(**{"[Content_Types].xml": "", "word/document.xml": ""}), "application/zip"),
        (zipped(mimetype=ODS, **{"content.xml": ""}), ODS),
        (zipped(mimetype="application/epub+zip"), "application/zip"),
        (zipped(**{"a.csv": "a,b" * 1000})[:-30], None),
        (gzip.compress(b"a,b", mtime=0), "application/gzip"),
        (b' \n[{"a": 1}]', "application/json"),
        (b"country,reports\nPHL,1\n", "text/csv"),
        ("Länder;Zahl\n".encode() * 1000, "text/csv"),
        ("é,".encode() * 1365 + b"aa" + "é".encode(), "text/csv"),
        ("Länder;Zahl\n".encode("cp1252"), "text/csv"),
        ("a\tb\n1\t2\n".encode("utf-16"), "text/csv"),
        (b"only words\n", "text/plain"),
        (b"", None),
        (b" \n ", None),
        (b"\x89PNG\r\n\x1a\n\x00", None),
    ],
)
def test_the_media_type_is_told_from_the_bytes(content: bytes, media_type: str | None) -> None:
    assert sniff(io.BytesIO(content)) == media_type


# By hand


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "2023-reports.pdf"
    path.write_bytes(PDF)
    return path


def test_a_file_added_by_hand_is_a_document_like_any_other(settings: Settings, file: Path) -> None:
    url = "https://publisher.example/2023.pdf?token=hush"
    attempt = add(a_source(), file, settings, url=url, published=date(2024, 5, 1))
    assert (attempt.outcome, attempt.method, attempt.published_on) == ("stored", "added", date(2024, 5, 1))
    assert attempt.url == "https://publisher.example/2023.pdf?token=..."
    assert archive.attempts(settings) == [attempt]
    (document,) = archive.documents(settings, [a_source()])
    assert (document.published_on, document.published_basis, document.method) == (date(2024, 5, 1), "stated", "added")
    assert document.path is not None
    assert document.path.read_bytes() == PDF


def test_adding_the_same_bytes_again_is_unchanged_but_a_new_date_counts(settings: Settings, file: Path) -> None:
    source = a_source()
    add(source, file, settings, published=date(2024, 5, 1))
    assert add(source, file, settings).outcome == "unchanged"
    (document,) = archive.documents(settings, [source])
    assert document.published_on == date(2024, 5, 1)
    assert add(source, file, settings, published=date(2024, 5, 9)).outcome == "unchanged"
    (document,) = archive.documents(settings, [source])
    assert document.published_on == date(2024, 5, 9)
    assert len(archive.attempts(settings)) == 3


def test_a_source_may_publish_in_two_formats(settings: Settings, file: Path, tmp_path: Path) -> None:
    source = a_source(media_type=["application/pdf", "text/csv"])
    table = tmp_path / "a.csv"
    table.write_bytes(b"\xef\xbb\xbfHarbour,Letters\nHull,1\n")
    assert add(source, file, settings).media_type == "application/pdf"
    assert add(source, table, settings).media_type == "text/csv"
    assert {d.media_type: (d.path or table).suffix for d in archive.documents(settings, [source])} == {
        "application/pdf": ".pdf",
        "text/csv": ".csv",
    }
    table.write_bytes(HTML)
    with pytest.raises(FetchError, match="the bytes are HTML, where application/pdf or text/csv was due"):
        add(source, table, settings)


def test_a_later_304_does_not_state_the_date_again(settings: Settings, web: HTTPServer, file: Path) -> None:
    web.expect_request("/a.pdf").respond_with_data(PDF, headers={"ETag": '"v1"'})
    source = a_source(web.url_for("/a.pdf"))
    add(source, file, settings, url=web.url_for("/a.pdf"), published=date(2024, 5, 1))
    (attempt,) = fetch(source, settings, today=TODAY)
    assert (attempt.outcome, attempt.published_on, attempt.method) == ("unchanged", None, "fetched")
    (document,) = archive.documents(settings, [source])
    assert (document.published_on, document.method) == (date(2024, 5, 1), "added")


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        (None, {}, "2023-reports.pdf cannot be read: No such file or directory"),
        (b"", {}, "the file is empty"),
        (HTML, {}, "the bytes are HTML, where application/pdf was due"),
        (b"a,b\n", {}, "the bytes are text/csv, where application/pdf was due"),
        (PDF + bytes(200_000), {}, "larger than the 100,000 bytes that max_bytes of the declaration allows"),
        (PDF[:-6], {}, "the PDF is truncated: its end (%%EOF) is missing"),
        (PDF, {"url": "2023.pdf"}, "2023.pdf is no web address"),
        (PDF, {"url": "file://host/2023.pdf"}, "file://host/2023.pdf is no web address: give the https:// address"),
        (PDF, {"published": date(2999, 1, 1)}, "2999-01-01 lies in the future"),
    ],
)
def test_a_file_that_would_not_be_fetched_is_not_added(
    settings: Settings, file: Path, content: bytes | None, options: dict[str, Any], reason: str
) -> None:
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(FetchError) as caught:
        add(a_source(max_bytes=100_000), file, settings, **options)
    assert str(caught.value).startswith(reason)
    (line,) = archive.attempts(settings)
    assert (line.outcome, line.method, line.reason) == ("failed", "added", str(caught.value))
    assert not list(settings.archive.glob("??/*"))
