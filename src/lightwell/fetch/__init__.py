"""The web to the archive, politely, and one ledger line for the outcome of every attempt.

What holds for every request: one honest User-Agent; robots.txt is asked first and obeyed; a host is asked for one
thing a second at most, whatever the number of processes; redirects lead only to hosts the declaration names and to
public addresses; TLS is verified; no credentials are sent; bodies are capped while they arrive.
"""

import hashlib
import re
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urldefrag, urljoin, urlsplit

from lightwell import archive, paging, store
from lightwell.archive import Attempt
from lightwell.errors import DeclarationError, FetchError, LayoutError, NotPublishedError
from lightwell.fetch.asking import PAGE_BYTES, USER_AGENT, AttemptError, Client, ask, host_of, over, redacted
from lightwell.fetch.sniffing import ODS, SUFFIXES, XLSX, sniff
from lightwell.settings import Settings
from lightwell.source import Discovery, DocumentRule, Paging, Source
from lightwell.tables import json

__all__ = [
    "ODS",
    "USER_AGENT",
    "XLSX",
    "Asked",
    "Client",
    "add",
    "discover",
    "due",
    "fetch",
    "fetch_one",
    "redacted",
    "sniff",
    "take",
]

_EARLY_DAYS = 60  # a document is asked for from this many days before its usual publication


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
        """Write an attempt into the ledger, and tell whoever wants to know."""
        archive.record(self.client.settings, attempt)
        self.history.append(attempt)
        self.made.append(attempt)
        if self.on_attempt is not None:
            self.on_attempt(attempt)
        return attempt

    def fail(self, url: str, error: AttemptError) -> Attempt:
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
            except AttemptError as error:
                errand.fail(discovery.page, error)
                continue
            found += [[link] for link in links if link not in asked]
            asked |= set(links)
    return Asked(errand.made, found, errand.passing)


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


def _asked_first(errand: _Errand, alternatives: list[str]) -> list[str]:
    """The address at which a document of several addresses is asked for: where it was had before, else the first."""
    held = errand.newest(alternatives)
    return [url for url in alternatives if held is None or redacted(url) == held.url][:1]


def take(place: Source, url: str, body: BinaryIO, limit: int, client: Client) -> None:
    """Ask for one address as politely as for a document, and write what comes to `body`: no archive and no ledger, for
    what is too large to keep. Of `place` its id, hosts and landing page are used.

    Raises ConnectionError where asking again soon may help, NotPublishedError for 404 and 410, else FetchError.
    """
    try:
        ask(client, place, url, body, limit)
    except AttemptError as error:
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
    except AttemptError as error:
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
        if host_of(url) in errand.client.unreachable:
            return None
        attempt = _attempt(errand, url)
    except AttemptError as error:
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
        response = ask(errand.client, source, url, body, source.max_bytes, asked)
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

    def numbered(number: int) -> bytes:
        client, source, address = errand.client, errand.source, paging.address(url, rule, number)
        page = BytesIO()
        try:
            ask(client, source, address, page, source.max_bytes)
        except AttemptError as error:
            told = {"by_hand": error.by_hand, "passing": error.passing}
            raise AttemptError(f"page {number}: {error}", error.status, **told) from None
        if (found := sniff(page)) != "application/json":
            what = "HTML" if found == "text/html" else found or "something that is not recognised"
            raise AttemptError(f"page {number}: the bytes are {what}, where JSON was due", 200)
        return page.getvalue()

    try:
        return paging.gather(numbered, rule, errand.source.max_bytes)
    except LayoutError as error:
        raise AttemptError(str(error), 200) from None


def _take_in(source: Source, file: Path, settings: Settings, url: str | None, published: date | None) -> Attempt:
    now = datetime.now(UTC)
    if url is not None and (not host_of(url) or urlsplit(url).scheme not in ("http", "https")):
        raise AttemptError(f"{redacted(url)} is no web address: give the https:// address the file came from")
    if published is not None and published > now.date() + timedelta(days=1):
        raise AttemptError(f"{published} lies in the future: give the day on which the publisher released the file")
    shown = None if url is None else redacted(url)
    attempt = Attempt(source.id, shown, now, "stored", published_on=published, method="added")
    try:
        with file.open("rb") as body:
            return _keep(source, settings, body, attempt, archive.attempts(settings, source.id))
    except OSError as error:
        raise AttemptError(f"{file.name} cannot be read: {error.strerror}") from None


def _keep(source: Source, settings: Settings, body: BinaryIO, came: Attempt, history: list[Attempt]) -> Attempt:
    """Archive the body if it is what the source publishes, and complete the attempt."""
    size = body.seek(0, 2)
    found = sniff(body)
    problem = _unfit(source, body, size, found)
    if problem is not None or found is None:
        hand = came.method == "fetched" and found == "text/html"
        raise AttemptError(problem or "the bytes are nothing that is known", came.http_status, by_hand=hand)
    body.seek(0)
    document_id = hashlib.file_digest(body, "sha256").hexdigest()  # type: ignore[arg-type]  # any readable
    held = any(a.document_id == document_id and a.outcome != "failed" for a in history)
    if held and archive.holds(settings, document_id):
        outcome: archive.Outcome = "unchanged"
    else:
        outcome = "stored"
        body.seek(0)
        document_id, size = archive.store(settings, body, SUFFIXES[found])
    return replace(came, outcome=outcome, document_id=document_id, media_type=found, bytes=size)


def _unfit(source: Source, body: BinaryIO, size: int, found: str | None) -> str | None:
    if size == 0:
        return "the file is empty"
    if size > source.max_bytes:
        return over(source.max_bytes)
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


def _failed(source: Source, url: str | None, reason: str, status: int | None, method: str = "fetched") -> Attempt:
    shown = None if url is None else redacted(url)
    return Attempt(source.id, shown, datetime.now(UTC), "failed", reason=reason, http_status=status, method=method)


def _by_hand(source: Source, url: str) -> str:
    add_it = f"`lightwell add {source.id} FILE --url {redacted(url)}`"
    return f". Open {source.landing_page} in a browser, download the document there, then run {add_it}"


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
        if host_of(discovery.page) in errand.client.unreachable:
            return
        links = _matching_links(errand, discovery)
    except AttemptError as error:
        errand.fail(discovery.page, error)
        return
    for link in links:
        if link not in errand.tried:
            _try(errand, link)


def _matching_links(errand: _Errand, discovery: Discovery) -> list[str]:
    links = _links(errand, discovery.page)
    matching = [link for link in dict.fromkeys(links) if re.search(discovery.link, link)]
    if not matching:
        raise AttemptError(f"none of the {len(links)} links of the page matches {discovery.link!r}: has it changed?")
    return matching


def _links(errand: _Errand, page: str) -> list[str]:
    body = BytesIO()
    response = ask(errand.client, errand.source, page, body, PAGE_BYTES)
    if sniff(body) != "text/html":
        raise AttemptError("the page is not HTML", response.status_code)
    parser = _Links(response.url)
    parser.feed(body.getvalue().decode("utf-8", errors="replace"))
    return parser.found


def _validators(before: Attempt | None) -> dict[str, str]:
    if before is None:
        return {}
    headers = {"If-None-Match": before.etag, "If-Modified-Since": before.last_modified}
    return {name: value for name, value in headers.items() if value is not None}
