"""The web to the archive, politely, and one ledger line for the outcome of every attempt.

What holds for every request: one honest User-Agent; robots.txt is asked first and obeyed; a host is asked for one
thing a second at most, whatever the number of processes; redirects lead only to hosts the declaration names and to
public addresses; TLS is verified; no credentials are sent; bodies are capped while they arrive.
"""

import hashlib
import ipaddress
import queue
import re
import socket
import ssl
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from fcntl import LOCK_EX, flock
from html.parser import HTMLParser
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import BinaryIO, Self
from urllib.parse import parse_qsl, urldefrag, urlencode, urljoin, urlsplit, urlunsplit

import requests
from protego import Protego
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import DecodeError, HTTPError, NewConnectionError, ReadTimeoutError

from lightwell import __version__, archive, paging, store
from lightwell.archive import Attempt
from lightwell.errors import DeclarationError, FetchError, LayoutError, NotPublishedError
from lightwell.settings import Settings
from lightwell.source import Discovery, DocumentRule, Paging, Source
from lightwell.tables import json

USER_AGENT = f"Lightwell/{__version__} (+https://github.com/lightwell/lightwell; public aggregate statistics)"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODS = "application/vnd.oasis.opendocument.spreadsheet"

_SUFFIXES = {
    "application/pdf": ".pdf",
    "text/html": ".html",
    "text/csv": ".csv",
    "text/plain": ".txt",
    "application/json": ".json",
    "application/zip": ".zip",
    "application/gzip": ".gz",
    XLSX: ".xlsx",
    ODS: ".ods",
}
_HEAD = 4096  # bytes that are looked at to tell the media type
_BLOCK = 1 << 16
_PAGE_BYTES = 2_000_000  # cap of a discovery page, and of robots.txt
_REDIRECTS = 5
_EARLY_DAYS = 60  # a document is asked for from this many days before its usual publication
_PASSING = {429, 500, 502, 503, 504}
_BLOCKED = {202, 401, 403, 405, 429, 451, 503}  # what publishers answer to scripts; 202 and 405: a challenge page
_HTML = re.compile(
    rb"(?>\s+|<!--.*?-->|<\?xml[^>]*>)*+<(?:!doctype\s+html|html|head|body|script|title|meta)\b", re.I | re.S
)
_SECRET = re.compile(
    r"(?i)token|secret|passw|signature|credential|session|api[-_]?key|^(?:key|sig|pwd|auth(?:key|code|orization)?)$"
)


class _AttemptError(Exception):
    """An attempt came to nothing. `by_hand`: a person with a browser would probably succeed. `passing`: so may a
    script, some minutes later."""

    passing = False

    def __init__(
        self, reason: str, status: int | None = None, *, by_hand: bool = False, passing: bool | None = None
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.by_hand = by_hand
        self.passing = self.passing if passing is None else passing


class _PassingError(_AttemptError):
    """The same request may well succeed later; `wait` is the number of seconds the host asked for."""

    passing = True

    def __init__(self, reason: str, status: int | None = None, *, wait: float | None = None) -> None:
        super().__init__(reason, status, by_hand=status in _BLOCKED)
        self.wait = wait


class _UnreachableError(_AttemptError):
    """The host is not asked again in this run."""

    passing = True


def _forbid_private_peer(address: str) -> None:
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    if not (mapped or ip).is_global:
        raise _AttemptError(f"{address} is not a public address: nothing is fetched from there")


class _PublicHTTP(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _forbid_private_peer(self.sock.getpeername()[0])


class _PublicHTTPS(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _forbid_private_peer(self.sock.getpeername()[0])


class _PublicHTTPPool(HTTPConnectionPool):
    ConnectionCls = _PublicHTTP


class _PublicHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PublicHTTPS


class _PublicAdapter(HTTPAdapter):
    """Sends nothing over a connection whose other end is not a public address, whatever the name resolved to before.

    Connections through a proxy are made by another manager: there the proxy resolves and decides.
    """

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        super().init_poolmanager(*args, **kwargs)  # type: ignore[arg-type]
        self.poolmanager.pool_classes_by_scheme = {"http": _PublicHTTPPool, "https": _PublicHTTPSPool}


class _Session(requests.Session):
    """Leaves redirects alone. requests prepares the next hop even where it is told not to follow, and to that end
    reads the whole body of the redirect: without cap or deadline."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


@dataclass
class Client:
    """What one run shares over its sources: connections, robots.txt files, and the hosts that cannot be reached.

    `unreachable` maps `host:port` to the reason in words: name not resolved, connection refused or timed out,
    certificate refused, robots.txt not readable. Such a host is not asked again by this client.
    """

    settings: Settings
    sleep: Callable[[float], None] = time.sleep
    tries: int = 4  # of one address, while the failure is a passing one
    longest_wait: float = 120.0  # seconds; a host that asks for more is left for another run
    deadline: float = 600.0  # seconds for one body, however steadily it drips
    unreachable: dict[str, str] = field(default_factory=dict)
    robots: dict[str, Protego] = field(default_factory=dict)  # by scheme://host:port
    pauses: dict[str, float] = field(default_factory=dict)  # seconds robots.txt asks for, by host:port
    resolved: set[str] = field(default_factory=set)  # host:port whose addresses were looked at
    session: requests.Session = field(default_factory=_Session)

    def __post_init__(self) -> None:
        """Set up the session: no credentials from .netrc or addresses, no private peers."""
        self.session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
        self.session.auth = lambda request: request
        if not self.settings.allow_private_addresses:
            self.session.mount("https://", _PublicAdapter())
            self.session.mount("http://", _PublicAdapter())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()


@dataclass
class _Errand:
    source: Source
    client: Client
    on_attempt: Callable[[Attempt], None] | None
    history: list[Attempt]
    made: list[Attempt] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)
    passing: str | None = None  # a reason for which it is worth asking again soon

    def note(self, attempt: Attempt) -> Attempt:
        archive.record(self.client.settings, attempt)
        self.history.append(attempt)
        self.made.append(attempt)
        if self.on_attempt is not None:
            self.on_attempt(attempt)
        return attempt

    def fail(self, url: str, error: _AttemptError) -> Attempt:
        reason = f"{error}{_by_hand(self.source, url) if error.by_hand else ''}"
        self.passing = str(error) if error.passing else self.passing
        return self.note(_failed(self.source, url, reason, error.status))

    def newest(self, urls: Collection[str]) -> Attempt | None:
        """The newest attempt at one of these addresses that brought or confirmed a document."""
        shown = {redacted(url) for url in urls}
        return next((a for a in reversed(self.history) if a.outcome != "failed" and a.url in shown), None)


def fetch(
    source: Source,
    settings: Settings,
    *,
    today: date,
    on_attempt: Callable[[Attempt], None] | None = None,
    client: Client | None = None,
) -> list[Attempt]:
    """Ask for every document of the source that is due on `today`; the attempts made, in order, each in the ledger.

    The alternatives of a document are asked in order until one is held; later runs ask there only, conditionally.
    One line a host is written for a host that cannot be reached: what remains to be asked there is skipped without a
    line, also for the next sources with the same client (`client.unreachable` says why). Offline nothing is done.

    No publisher and no network makes this raise. ArchiveError: the disk; DeclarationError: `{year}` without `first`.
    """
    if settings.offline:
        return []
    if client is None:
        with Client(settings) as own:
            return fetch(source, settings, today=today, on_attempt=on_attempt, client=own)
    errand = _Errand(source, client, on_attempt, archive.attempts(settings, source.id))
    with archive.writing(settings):
        settings.archive.mkdir(parents=True, exist_ok=True)
        for alternatives in due(source, today):
            _first_of(errand, alternatives)
        for discovery in source.discover:
            _discover(errand, discovery)
    return errand.made


@dataclass(frozen=True, slots=True)
class Asked:
    """What asking for one document, or for the pages that link to documents, came to."""

    attempts: list[Attempt]  # in order, each in the ledger
    addresses: list[list[str]]  # of discovery: the alternatives of each document that is to be asked for
    passing: str | None  # why it is worth asking again soon: a host that cannot be reached, a dropped connection


def discover(source: Source, settings: Settings, *, today: date, client: Client | None = None) -> Asked:
    """The addresses of every document that is due on `today`: those of the declaration, then what its pages link to.

    Only a page that fails leaves a ledger line. `fetch_one` asks for each. Raises what `fetch` raises.
    """
    if client is None:
        with Client(settings) as own:
            return discover(source, settings, today=today, client=own)
    errand = _Errand(source, client, None, archive.attempts(settings, source.id))
    found = list(due(source, today))
    asked = {url for urls in found for url in _asked_first(errand, urls)}
    with archive.writing(settings):
        for discovery in source.discover:
            try:
                links = _matching_links(errand, discovery)
            except _AttemptError as error:
                errand.fail(discovery.page, error)
                continue
            found += [[link] for link in links if link not in asked]
            asked |= set(links)
    return Asked(errand.made, found, errand.passing)


def _asked_first(errand: _Errand, alternatives: list[str]) -> list[str]:
    """The address at which a document of several addresses is asked for: where it was had before, else the first."""
    held = errand.newest(alternatives)
    return [url for url in alternatives if held is None or redacted(url) == held.url][:1]


def fetch_one(source: Source, alternatives: list[str], settings: Settings, *, client: Client | None = None) -> Asked:
    """Ask for one document, which may have several addresses, as `fetch` does for each. Raises what `fetch` raises."""
    if client is None:
        with Client(settings) as own:
            return fetch_one(source, alternatives, settings, client=own)
    errand = _Errand(source, client, None, archive.attempts(settings, source.id))
    with archive.writing(settings):
        settings.archive.mkdir(parents=True, exist_ok=True)
        _first_of(errand, alternatives)
    return Asked(errand.made, [alternatives], errand.passing)


def take(place: Source, url: str, body: BinaryIO, limit: int, client: Client) -> None:
    """Ask for one address as politely as for a document, and write what comes to `body`: no archive and no ledger, for
    what is too large to keep. Of `place` its id, hosts and landing page are used.

    Raises ConnectionError where asking again soon may help, NotPublishedError for 404 and 410, else FetchError.
    """
    try:
        _retry(client, lambda: _once(client, place, url, body, limit, {}))
    except _AttemptError as error:
        if error.passing:
            raise ConnectionError(str(error)) from None
        raise (NotPublishedError if error.status in (404, 410) else FetchError)(str(error)) from None


@store.shared
def add(
    source: Source, file: Path, settings: Settings, *, url: str | None = None, published: date | None = None
) -> Attempt:
    """Take a file that a person downloaded into the archive, through the checks a fetched one passes.

    The outcome is `unchanged` where the source holds these bytes already; a `published` date given with them then is
    what `archive.documents` goes by. Raises FetchError, with the reason also in the ledger, if the file is refused.
    """
    try:
        attempt = _take_in(source, file, settings, url, published)
    except _AttemptError as error:
        archive.record(settings, _failed(source, url, str(error), None, method="added"))
        raise FetchError(str(error)) from None
    archive.record(settings, attempt)
    return attempt


def due(source: Source, today: date) -> Iterator[list[str]]:
    """For each document that may be out on `today`, the addresses it may have, in the order to try them."""
    for rule in source.documents:
        if not any("{year}" in url for url in rule.urls):
            yield rule.urls
            continue
        for year in _years(source, rule, today):
            yield [url.replace("{year}", str(year)) for url in rule.urls]


def sniff(stream: BinaryIO) -> str | None:
    """The media type that the bytes of a seekable stream show; None where they show none that is known here."""
    stream.seek(0)
    head = stream.read(_HEAD)
    if _HTML.match(head.removeprefix(b"\xef\xbb\xbf")):
        return "text/html"
    if b"%PDF-" in head[:1024]:
        return "application/pdf"
    if head.startswith(b"PK"):
        return _sniff_zip(stream)
    if head.startswith(b"\x1f\x8b"):
        return "application/gzip"
    return _sniff_text(head)


def redacted(url: str) -> str:
    """The address as it may be written down: without user, password, fragment, or the value of a secret parameter."""
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return "(an address that cannot be parsed)"
    query = parts.query
    if any(_SECRET.search(name) for name, _ in pairs):
        query = urlencode([(name, "..." if _SECRET.search(name) else value) for name, value in pairs])
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def _years(source: Source, rule: DocumentRule, today: date) -> Iterator[int]:
    if rule.first is None:
        raise DeclarationError(f"{source.id}: documents: {rule.urls[0]} has {{year}} and needs `first`")
    last = today.year - 1 if rule.last is None else min(rule.last, today.year - 1)
    for year in range(rule.first, last + 1):
        if date(year, 12, 31) + timedelta(days=source.published_after_days - _EARLY_DAYS) <= today:
            yield year


def _first_of(errand: _Errand, alternatives: list[str]) -> None:
    held = errand.newest(alternatives)
    for url in alternatives:
        if held is not None and redacted(url) != held.url:
            continue
        attempt = _try(errand, url)
        if attempt is not None and attempt.outcome != "failed":
            return


def _try(errand: _Errand, url: str) -> Attempt | None:
    errand.tried.add(url)
    try:
        if _host(url) in errand.client.unreachable:
            return None
        attempt = _attempt(errand, url)
    except _AttemptError as error:
        return errand.fail(url, error)
    return errand.note(attempt)


def _attempt(errand: _Errand, url: str) -> Attempt:
    source, settings = errand.source, errand.client.settings
    before = errand.newest([url])
    if before is None or before.document_id is None or not archive.holds(settings, before.document_id):
        before = None
    with tempfile.TemporaryFile(dir=settings.archive) as body:
        if (rule := source.paging(url)) is not None:
            came = Attempt(source.id, redacted(url), datetime.now(UTC), "unchanged", http_status=200)
            body.write(_pages(errand, url, rule))
            return _keep(source, settings, body, came, errand.history)
        asked = _validators(before)
        response = _retry(errand.client, lambda: _once(errand.client, source, url, body, source.max_bytes, asked))
        came = Attempt(
            source_id=source.id,
            url=redacted(url),
            attempted_at=datetime.now(UTC),
            outcome="unchanged",
            http_status=response.status_code,
            etag=response.headers.get("ETag"),
            last_modified=response.headers.get("Last-Modified"),
        )
        if response.status_code == 304 and before is not None:
            return replace(
                came,
                document_id=before.document_id,
                media_type=before.media_type,
                bytes=before.bytes,
                etag=came.etag or before.etag,
                last_modified=came.last_modified or before.last_modified,
            )
        return _keep(source, settings, body, came, errand.history)


def _pages(errand: _Errand, url: str, rule: Paging) -> bytes:
    """All pages of an address, joined. One that does not come, or is not as it has to be, fails the whole attempt."""

    def ask(number: int) -> bytes:
        client, source, address = errand.client, errand.source, paging.address(url, rule, number)
        page = BytesIO()
        try:
            _retry(client, lambda: _once(client, source, address, page, source.max_bytes, {}))
        except _AttemptError as error:
            told = {"by_hand": error.by_hand, "passing": error.passing}
            raise _AttemptError(f"page {number}: {error}", error.status, **told) from None
        if (found := sniff(page)) != "application/json":
            what = "HTML" if found == "text/html" else found or "something that is not recognised"
            raise _AttemptError(f"page {number}: the bytes are {what}, where JSON was due", 200)
        return page.getvalue()

    try:
        return paging.gather(ask, rule, errand.source.max_bytes)
    except LayoutError as error:
        raise _AttemptError(str(error), 200) from None


def _take_in(source: Source, file: Path, settings: Settings, url: str | None, published: date | None) -> Attempt:
    now = datetime.now(UTC)
    if url is not None and (not _host(url) or urlsplit(url).scheme not in ("http", "https")):
        raise _AttemptError(f"{redacted(url)} is no web address: give the https:// address the file came from")
    if published is not None and published > now.date() + timedelta(days=1):
        raise _AttemptError(f"{published} lies in the future: give the day on which the publisher released the file")
    shown = None if url is None else redacted(url)
    attempt = Attempt(source.id, shown, now, "stored", published_on=published, method="added")
    try:
        with file.open("rb") as body:
            return _keep(source, settings, body, attempt, archive.attempts(settings, source.id))
    except OSError as error:
        raise _AttemptError(f"{file.name} cannot be read: {error.strerror}") from None


def _keep(source: Source, settings: Settings, body: BinaryIO, came: Attempt, history: list[Attempt]) -> Attempt:
    """Archive the body if it is what the source publishes, and complete the attempt."""
    size = body.seek(0, 2)
    found = sniff(body)
    problem = _unfit(source, body, size, found)
    if problem is not None or found is None:
        hand = came.method == "fetched" and found == "text/html"
        raise _AttemptError(problem or "the bytes are nothing that is known", came.http_status, by_hand=hand)
    body.seek(0)
    document_id = hashlib.file_digest(body, "sha256").hexdigest()  # type: ignore[arg-type]  # any readable
    held = any(a.document_id == document_id and a.outcome != "failed" for a in history)
    if held and archive.holds(settings, document_id):
        outcome: archive.Outcome = "unchanged"
    else:
        outcome = "stored"
        body.seek(0)
        document_id, size = archive.store(settings, body, _SUFFIXES[found])
    return replace(came, outcome=outcome, document_id=document_id, media_type=found, bytes=size)


def _unfit(source: Source, body: BinaryIO, size: int, found: str | None) -> str | None:
    if size == 0:
        return "the file is empty"
    if size > source.max_bytes:
        return _over(source.max_bytes)
    if found not in source.media_type:
        what = "HTML" if found == "text/html" else found or "something that is not recognised"
        return f"the bytes are {what}, where {' or '.join(source.media_type)} was due"
    body.seek(max(0, size - 2048))
    if found == "application/pdf" and b"%%EOF" not in body.read():
        return "the PDF is truncated: its end (%%EOF) is missing"
    if found == "application/json":
        body.seek(0)
        return json.unfit(body.read(), source.texts())
    return None


def _over(limit: int) -> str:
    return f"larger than the {limit:,} bytes that max_bytes of the declaration allows"


def _failed(source: Source, url: str | None, reason: str, status: int | None, method: str = "fetched") -> Attempt:
    shown = None if url is None else redacted(url)
    return Attempt(source.id, shown, datetime.now(UTC), "failed", reason=reason, http_status=status, method=method)


def _by_hand(source: Source, url: str) -> str:
    add_it = f"`lightwell add {source.id} FILE --url {redacted(url)}`"
    return f". Open {source.landing_page} in a browser, download the document there, then run {add_it}"


def _sniff_zip(stream: BinaryIO) -> str | None:
    try:
        with zipfile.ZipFile(stream) as container:
            names = container.namelist()
            if "mimetype" in names and container.getinfo("mimetype").file_size < 100:
                return ODS if container.read("mimetype").strip() == ODS.encode() else "application/zip"
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError):
        return None
    if "[Content_Types].xml" in names and any(name.startswith("xl/") for name in names):
        return XLSX
    return "application/zip"


def _sniff_text(head: bytes) -> str | None:
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return _sniff_characters(head.decode(encoding))
    except UnicodeDecodeError as error:
        if error.start >= len(head) - 3:  # a character cut in two at the end of the head is no error
            return _sniff_characters(head[: error.start].decode(encoding))
        return _sniff_characters(head.decode("cp1252", errors="replace"))


def _sniff_characters(text: str) -> str | None:
    if not text.strip() or any(ord(c) < 32 and c not in "\t\n\r\f" for c in text):
        return None
    if text.lstrip()[0] in "{[":
        return "application/json"
    first = text.strip().splitlines()[0]
    return "text/csv" if any(c in first for c in ",;\t") else "text/plain"


class _Links(HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = (dict(attrs).get("href") or "").strip()
        if not href:
            return
        try:
            absolute = urldefrag(urljoin(self.base, href)).url
        except ValueError:
            return  # a broken link on a page that is not ours
        if tag == "base":
            self.base = absolute
        elif tag in ("a", "area") and absolute.startswith(("http://", "https://")):
            self.found.append(absolute)


def _discover(errand: _Errand, discovery: Discovery) -> None:
    try:
        if _host(discovery.page) in errand.client.unreachable:
            return
        links = _matching_links(errand, discovery)
    except _AttemptError as error:
        errand.fail(discovery.page, error)
        return
    for link in links:
        if link not in errand.tried:
            _try(errand, link)


def _matching_links(errand: _Errand, discovery: Discovery) -> list[str]:
    links = _links(errand, discovery.page)
    matching = [link for link in dict.fromkeys(links) if re.search(discovery.link, link)]
    if not matching:
        raise _AttemptError(f"none of the {len(links)} links of the page matches {discovery.link!r}: has it changed?")
    return matching


def _links(errand: _Errand, page: str) -> list[str]:
    body = BytesIO()
    response = _retry(errand.client, lambda: _once(errand.client, errand.source, page, body, _PAGE_BYTES, {}))
    if sniff(body) != "text/html":
        raise _AttemptError("the page is not HTML", response.status_code)
    parser = _Links(response.url)
    parser.feed(body.getvalue().decode("utf-8", errors="replace"))
    return parser.found


def _validators(before: Attempt | None) -> dict[str, str]:
    if before is None:
        return {}
    headers = {"If-None-Match": before.etag, "If-Modified-Since": before.last_modified}
    return {name: value for name, value in headers.items() if value is not None}


def _retry(client: Client, once: Callable[[], requests.Response]) -> requests.Response:
    """Do it until it succeeds or fails for good; the waits double, or are those the host asks for."""
    for n in count(1):
        try:
            return once()
        except _PassingError as error:
            wait = client.settings.seconds_between_requests * 2 ** (n - 1) if error.wait is None else error.wait
            if wait > client.longest_wait:
                reason = f"{error}, and asks to wait {wait:.0f} s: run again later"
                raise _AttemptError(reason, error.status, by_hand=error.by_hand, passing=True) from None
            if n >= client.tries:
                reason = f"{error} ({n} tries)"
                raise _AttemptError(reason, error.status, by_hand=error.by_hand, passing=True) from None
            client.sleep(wait)
    raise AssertionError  # count() does not end


def _once(
    client: Client,
    source: Source,
    url: str,
    body: BinaryIO,
    limit: int,
    headers: Mapping[str, str],
    obey_robots: bool = True,
) -> requests.Response:
    """Ask once, redirects followed, and write a 200's body to `body`. The response is closed: status and headers."""
    with _follow(client, source, url, headers, obey_robots) as response:
        status = response.status_code
        if status == 200:
            _receive(client, response, body, limit)
            return response
        if status == 304 and headers:
            return response
        if status in _PASSING:
            raise _PassingError(f"HTTP {status}", status, wait=_retry_after(response.headers))
        if status in (404, 410):
            where = f"nothing at this address: not published yet, or moved; see {source.landing_page}"
            raise _AttemptError(f"HTTP {status}: {where}", status)
        blocked = ": the publisher refuses scripts" if status in _BLOCKED else ""
        raise _AttemptError(f"HTTP {status}{blocked}", status, by_hand=status in _BLOCKED)


def _follow(
    client: Client, source: Source, url: str, headers: Mapping[str, str], obey_robots: bool
) -> requests.Response:
    for _ in range(_REDIRECTS + 1):
        _admit(client, source, url)
        if obey_robots and not _robots(client, source, url).can_fetch(url, USER_AGENT):
            raise _AttemptError(f"robots.txt of {_host(url)} disallows {redacted(url)}", by_hand=True)
        response = _request(client, url, headers)
        if not response.is_redirect:
            return response
        response.close()
        url = _target(url, response)
    raise _AttemptError(f"more than {_REDIRECTS} redirects, the last to {redacted(url)}")


def _target(url: str, response: requests.Response) -> str:
    location = response.headers["Location"].encode("latin-1").decode("utf-8", errors="replace")
    try:
        return urldefrag(urljoin(url, location)).url
    except ValueError:
        raise _AttemptError("redirects to an address that cannot be parsed", response.status_code) from None


def _admit(client: Client, source: Source, url: str) -> None:
    """Refuse an address that is not the source's to ask: scheme, host, or a private address behind the name."""
    host, private = _host(url), client.settings.allow_private_addresses
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and private):
        raise _AttemptError(f"{redacted(url)} is not https: only https addresses are fetched")
    if parts.hostname not in source.hosts:
        allowed = ", ".join(source.hosts)
        raise _AttemptError(
            f"{parts.hostname} of {redacted(url)} is not among the hosts that {source.id} allows ({allowed}): "
            "add it to `hosts` of the declaration if it is the publisher's"
        )
    if host in client.unreachable:
        raise _UnreachableError(client.unreachable[host])
    if host in client.resolved or (_proxied(url) and not _is_literal(parts.hostname)):
        return
    for address in _addresses(client, host):
        if not private:
            _forbid_private_peer(address)
    client.resolved.add(host)


def _addresses(client: Client, host: str) -> list[str]:
    """The addresses behind host:port. A resolver that hangs counts as one that knows nothing."""
    name, _, port = host.rpartition(":")
    answers: queue.SimpleQueue[list[str]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put([str(a[4][0]) for a in socket.getaddrinfo(name, int(port), type=socket.SOCK_STREAM)])
        except (OSError, UnicodeError):
            answers.put([])

    threading.Thread(target=ask, daemon=True).start()
    try:
        found = answers.get(timeout=client.settings.connect_timeout)
    except queue.Empty:
        found = []
    if not found:
        raise _give_up(client, host, f"the name {name} does not resolve: no network, or no such host")
    return found


def _robots(client: Client, source: Source, url: str) -> Protego:
    origin = f"{urlsplit(url).scheme}://{_host(url)}"
    if origin not in client.robots:
        rules = _read_robots(client, source, url)
        rate = rules.request_rate(USER_AGENT)
        asked = [rules.crawl_delay(USER_AGENT) or 0.0, rate.seconds / rate.requests if rate else 0.0]
        client.pauses[_host(url)] = max(asked)
        client.robots[origin] = rules
    return client.robots[origin]


def _read_robots(client: Client, source: Source, url: str) -> Protego:
    """The rules of RFC 9309: no such file allows everything; one that cannot be read allows nothing in this run."""
    address, body = urljoin(url, "/robots.txt"), BytesIO()
    try:
        _retry(client, lambda: _once(client, source, address, body, _PAGE_BYTES, {}, obey_robots=False))
    except _UnreachableError:
        raise
    except _AttemptError as error:
        if error.status is not None and 400 <= error.status < 500 and error.status != 429:
            return Protego.parse("")
        reason = f"robots.txt of {_host(url)} cannot be read ({error}): nothing is fetched there"
        raise _give_up(client, _host(url), reason, by_hand=error.by_hand) from None
    return Protego.parse(body.getvalue().decode("utf-8", errors="replace"))


def _request(client: Client, url: str, headers: Mapping[str, str]) -> requests.Response:
    _pace(client, _host(url))
    timeout = (client.settings.connect_timeout, client.settings.read_timeout)
    try:
        return client.session.get(url, headers=dict(headers), allow_redirects=False, stream=True, timeout=timeout)
    except requests.RequestException as error:
        raise _in_words(client, _host(url), error) from None


def _in_words(client: Client, host: str, error: requests.RequestException) -> _AttemptError:
    """What went wrong on the way, without the library's text: that repeats addresses with their secrets."""
    settings = client.settings
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, requests.ConnectTimeout):
        return _give_up(client, host, f"{host} cannot be reached: no answer within {settings.connect_timeout:g} s")
    if isinstance(error, requests.exceptions.ProxyError):
        return _give_up(client, host, f"{host} cannot be reached through the proxy that the environment names")
    if isinstance(error, requests.exceptions.SSLError):
        detail = cause.args[0] if cause is not None and cause.args else None
        why = detail.verify_message if isinstance(detail, ssl.SSLCertVerificationError) else "TLS failed"
        return _give_up(client, host, f"{host} has no certificate that can be trusted: {why}")
    if isinstance(error, requests.ReadTimeout):
        return _AttemptError(f"{host} sent nothing for {settings.read_timeout:g} s", passing=True)
    if isinstance(cause, NewConnectionError):
        return _give_up(client, host, f"{host} cannot be reached: it refuses connections, or there is no network")
    if isinstance(error, requests.ConnectionError):
        return _PassingError(f"{host} dropped the connection")
    return _AttemptError(f"{host} could not be asked: {type(error).__name__}")


def _receive(client: Client, response: requests.Response, body: BinaryIO, limit: int) -> None:
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and int(announced) > limit:
        raise _AttemptError(f"{int(announced):,} bytes, {_over(limit)}", response.status_code)
    body.seek(0)
    body.truncate()
    size, end = 0, time.monotonic() + client.deadline
    try:
        while block := response.raw.read1(_BLOCK, decode_content=True):
            size += len(block)
            if size > limit:
                raise _AttemptError(_over(limit), response.status_code)
            if time.monotonic() > end:
                raise _AttemptError(f"only {size:,} bytes came within {client.deadline:g} s", response.status_code)
            body.write(block)
    except ReadTimeoutError:
        reason = f"nothing came for {client.settings.read_timeout:g} s after {size:,} bytes"
        raise _AttemptError(reason, response.status_code) from None
    except DecodeError:
        raise _AttemptError("the body's Content-Encoding is broken", response.status_code) from None
    except HTTPError:
        reason = f"truncated: the connection ended after {size:,} of {announced or 'an unknown number of'} bytes"
        raise _PassingError(reason, response.status_code) from None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _pace(client: Client, host: str) -> None:
    """Wait until the host may be asked again. The time of the last request stands in a file that processes share."""
    pause = max(client.settings.seconds_between_requests, client.pauses.get(host, 0.0))
    if pause <= 0:
        return
    if pause > client.longest_wait:
        raise _AttemptError(f"robots.txt of {host} asks for {pause:.0f} s between requests: too long for one run")
    folder = client.settings.archive / ".hosts"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / host).open("a+", encoding="ascii") as file:
        flock(file, LOCK_EX)
        file.seek(0)
        text = file.read()
        last = float(text) if re.fullmatch(r"\d+\.\d+", text) else 0.0
        wait = min(last + pause - time.time(), pause)  # a clock that was set back does not make it longer
        if wait > 0:
            client.sleep(wait)
        file.truncate(0)
        file.write(f"{time.time():.6f}")


def _give_up(client: Client, host: str, reason: str, *, by_hand: bool = False) -> _UnreachableError:
    client.unreachable[host] = reason
    return _UnreachableError(reason, by_hand=by_hand)


def _host(url: str) -> str:
    """`host:port`, by which a run remembers hosts."""
    try:
        parts = urlsplit(url)
        port = parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        raise _AttemptError(f"{redacted(url)} is no web address") from None
    if not parts.hostname:
        raise _AttemptError(f"{redacted(url)} is no web address")
    return f"{parts.hostname}:{port}"


def _is_literal(hostname: str | None) -> bool:
    try:
        ipaddress.ip_address(hostname or "")
    except ValueError:
        return False
    return True


def _proxied(url: str) -> bool:
    return select_proxy(url, get_environ_proxies(url)) is not None
