"""The pages of one address of an API, asked for in order and joined into one document.

The document is a JSON array whose elements are the pages as they came, byte for byte, also where there is only one:
the pointer `/0/1/17/value` leads into the first page. Either every page is there and the records are as many as the
pages say, or there is no document.
"""

from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from lightwell.errors import LayoutError
from lightwell.source import Paging
from lightwell.tables import json, paged


def address(url: str, rule: Paging, number: int) -> str:
    """The address of one page."""
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, f"{rule.parameter}={number}")))
    return urlunsplit(parts._replace(query=query))


def gather(ask: Callable[[int], bytes], rule: Paging, max_bytes: int) -> bytes:
    """Every page that `ask` gives by its number, joined. Raises LayoutError where a page is not as it has to be.

    No page is asked for after one that is wrong, nor after `max_bytes` in all or `most` pages.
    """
    bodies: list[bytes] = []
    pages: list[object] = []
    last = rule.first
    while rule.first + len(pages) <= last:
        number = rule.first + len(pages)
        bodies.append(ask(number).removeprefix(b"\xef\xbb\xbf").strip())
        if (size := sum(map(len, bodies)) + 2 * len(bodies)) > max_bytes:
            raise LayoutError(f"page {number}: {size:,} bytes in all, more than the {max_bytes:,} of max_bytes")
        pages.append(_page(bodies[-1], number))
        last = _last(pages, rule)
    paged.check(pages, rule)
    return b"[" + b",\n".join(bodies) + b"]"


def _page(body: bytes, number: int) -> object:
    try:
        return json.parsed(body)
    except LayoutError as error:
        raise LayoutError(f"page {number}: {error}") from None


def _last(pages: list[object], rule: Paging) -> int:
    """The number of the last page. Raises LayoutError once a page differs from the first, or there are too many."""
    number = rule.first + len(pages) - 1
    last, total = paged.whole(pages[-1], rule.pages), paged.whole(pages[-1], rule.total)
    if last > rule.most:
        raise LayoutError(f"page {number}: there are {last} pages, more than the {rule.most} of the declaration")
    if total:
        paged.records_of(pages[-1], pages[0], f"page {number} of {last}", rule)
    return last + rule.first - 1
