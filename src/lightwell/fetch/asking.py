"""One address, asked politely: robots.txt first, one thing a second from a host, known hosts and public addresses only.

What goes wrong on the way becomes an AttemptError in words; nothing of requests or urllib3 is raised.
"""

import ipaddress
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from fcntl import LOCK_EX, flock
from io import BytesIO
from itertools import count
from typing import BinaryIO, Self
from urllib.parse import parse_qsl, urldefrag, urlencode, urljoin, urlsplit, urlunsplit

import requests
from protego import Protego
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import DecodeError, HTTPError, NewConnectionError, ReadTimeoutError

from lightwell import __version__
from lightwell.settings import Settings
from lightwell.source import Source

USER_AGENT = f"Lightwell/{__version__} (+https://github.com/lightwell/lightwell; public aggregate statistics)"
_BLOCK = 1 << 16
PAGE_BYTES = 2_000_000  # cap of a discovery page, and of robots.txt
_REDIRECTS = 5
_PASSING = {429, 500, 502, 503, 504}
_BLOCKED = {202, 401, 403, 405, 429, 451, 503}  # what publishers answer to scripts; 202 and 405: a challenge page
_SECRET = re.compile(
    r"(?i)token|secret|passw|signature|credential|session|api[-_]?key|^(?:key|sig|pwd|auth(?:key|code|orization)?)$"
)


class AttemptError(Exception):
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


class _PassingError(AttemptError):
    """The same request may well succeed later; `wait` is the number of seconds the host asked for."""

    passing = True

    def __init__(self, reason: str, status: int | None = None, *, wait: float | None = None) -> None:
        super().__init__(reason, status, by_hand=status in _BLOCKED)
        self.wait = wait


class _UnreachableError(AttemptError):
    """The host is not asked again in this run."""

    passing = True


def _forbid_private_peer(address: str) -> None:
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    if not (mapped or ip).is_global:
        raise AttemptError(f"{address} is not a public address: nothing is fetched from there")


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


def host_of(url: str) -> str:
    """`host:port`, by which a run remembers hosts."""
    try:
        parts = urlsplit(url)
        port = parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        raise AttemptError(f"{redacted(url)} is no web address") from None
    if not parts.hostname:
        raise AttemptError(f"{redacted(url)} is no web address")
    return f"{parts.hostname}:{port}"


def over(limit: int) -> str:
    """What is said of a file that is too large."""
    return f"larger than the {limit:,} bytes that max_bytes of the declaration allows"


def ask(
    client: Client,
    source: Source,
    url: str,
    body: BinaryIO,
    limit: int,
    headers: Mapping[str, str] | None = None,
    *,
    obey_robots: bool = True,
) -> requests.Response:
    """Ask for one address until it answers or fails for good, and write a 200's body, of at most `limit` bytes, to
    `body`. The response is closed: status and headers. Raises AttemptError with the reason in words.
    """
    return _retry(client, lambda: _once(client, source, url, body, limit, headers or {}, obey_robots))


def _retry(client: Client, once: Callable[[], requests.Response]) -> requests.Response:
    """Do it until it succeeds or fails for good; the waits double, or are those the host asks for."""
    for n in count(1):
        try:
            return once()
        except _PassingError as error:
            wait = client.settings.seconds_between_requests * 2 ** (n - 1) if error.wait is None else error.wait
            if wait > client.longest_wait:
                reason = f"{error}, and asks to wait {wait:.0f} s: run again later"
                raise AttemptError(reason, error.status, by_hand=error.by_hand, passing=True) from None
            if n >= client.tries:
                reason = f"{error} ({n} tries)"
                raise AttemptError(reason, error.status, by_hand=error.by_hand, passing=True) from None
            client.sleep(wait)
    raise AssertionError  # count() does not end


def _once(
    client: Client,
    source: Source,
    url: str,
    body: BinaryIO,
    limit: int,
    headers: Mapping[str, str],
    obey_robots: bool,
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
            raise AttemptError(f"HTTP {status}: {where}", status)
        blocked = ": the publisher refuses scripts" if status in _BLOCKED else ""
        raise AttemptError(f"HTTP {status}{blocked}", status, by_hand=status in _BLOCKED)


def _follow(
    client: Client, source: Source, url: str, headers: Mapping[str, str], obey_robots: bool
) -> requests.Response:
    for _ in range(_REDIRECTS + 1):
        _admit(client, source, url)
        if obey_robots and not _robots(client, source, url).can_fetch(url, USER_AGENT):
            raise AttemptError(f"robots.txt of {host_of(url)} disallows {redacted(url)}", by_hand=True)
        response = _request(client, url, headers)
        if not response.is_redirect:
            return response
        response.close()
        url = _target(url, response)
    raise AttemptError(f"more than {_REDIRECTS} redirects, the last to {redacted(url)}")


def _target(url: str, response: requests.Response) -> str:
    location = response.headers["Location"].encode("latin-1").decode("utf-8", errors="replace")
    try:
        return urldefrag(urljoin(url, location)).url
    except ValueError:
        raise AttemptError("redirects to an address that cannot be parsed", response.status_code) from None


def _admit(client: Client, source: Source, url: str) -> None:
    """Refuse an address that is not the source's to ask: scheme, host, or a private address behind the name."""
    host, private = host_of(url), client.settings.allow_private_addresses
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and private):
        raise AttemptError(f"{redacted(url)} is not https: only https addresses are fetched")
    if parts.hostname not in source.hosts:
        allowed = ", ".join(source.hosts)
        raise AttemptError(
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
    origin = f"{urlsplit(url).scheme}://{host_of(url)}"
    if origin not in client.robots:
        rules = _read_robots(client, source, url)
        rate = rules.request_rate(USER_AGENT)
        asked = [rules.crawl_delay(USER_AGENT) or 0.0, rate.seconds / rate.requests if rate else 0.0]
        client.pauses[host_of(url)] = max(asked)
        client.robots[origin] = rules
    return client.robots[origin]


def _read_robots(client: Client, source: Source, url: str) -> Protego:
    """The rules of RFC 9309: no such file allows everything; one that cannot be read allows nothing in this run."""
    address, body = urljoin(url, "/robots.txt"), BytesIO()
    try:
        ask(client, source, address, body, PAGE_BYTES, obey_robots=False)
    except _UnreachableError:
        raise
    except AttemptError as error:
        if error.status is not None and 400 <= error.status < 500 and error.status != 429:
            return Protego.parse("")
        reason = f"robots.txt of {host_of(url)} cannot be read ({error}): nothing is fetched there"
        raise _give_up(client, host_of(url), reason, by_hand=error.by_hand) from None
    return Protego.parse(body.getvalue().decode("utf-8", errors="replace"))


def _request(client: Client, url: str, headers: Mapping[str, str]) -> requests.Response:
    _pace(client, host_of(url))
    timeout = (client.settings.connect_timeout, client.settings.read_timeout)
    try:
        return client.session.get(url, headers=dict(headers), allow_redirects=False, stream=True, timeout=timeout)
    except requests.RequestException as error:
        raise _in_words(client, host_of(url), error) from None


def _in_words(client: Client, host: str, error: requests.RequestException) -> AttemptError:
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
        return AttemptError(f"{host} sent nothing for {settings.read_timeout:g} s", passing=True)
    if isinstance(cause, NewConnectionError):
        return _give_up(client, host, f"{host} cannot be reached: it refuses connections, or there is no network")
    if isinstance(error, requests.ConnectionError):
        return _PassingError(f"{host} dropped the connection")
    return AttemptError(f"{host} could not be asked: {type(error).__name__}")


def _receive(client: Client, response: requests.Response, body: BinaryIO, limit: int) -> None:
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and int(announced) > limit:
        raise AttemptError(f"{int(announced):,} bytes, {over(limit)}", response.status_code)
    body.seek(0)
    body.truncate()
    size, end = 0, time.monotonic() + client.deadline
    try:
        while block := response.raw.read1(_BLOCK, decode_content=True):
            size += len(block)
            if size > limit:
                raise AttemptError(over(limit), response.status_code)
            if time.monotonic() > end:
                raise AttemptError(f"only {size:,} bytes came within {client.deadline:g} s", response.status_code)
            body.write(block)
    except ReadTimeoutError:
        reason = f"nothing came for {client.settings.read_timeout:g} s after {size:,} bytes"
        raise AttemptError(reason, response.status_code) from None
    except DecodeError:
        raise AttemptError("the body's Content-Encoding is broken", response.status_code) from None
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
        raise AttemptError(f"robots.txt of {host} asks for {pause:.0f} s between requests: too long for one run")
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


def _is_literal(hostname: str | None) -> bool:
    try:
        ipaddress.ip_address(hostname or "")
    except ValueError:
        return False
    return True


def _proxied(url: str) -> bool:
    return select_proxy(url, get_environ_proxies(url)) is not None
