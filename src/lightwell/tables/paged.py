"""Pages of an API: that all of them are there, each once and in order, with as many records as they say.

The proof is made twice: before a document is archived, and whenever it is read, so that a file that somebody cut,
joined or added by hand passes the same check as a fetched one.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lightwell.errors import LayoutError

if TYPE_CHECKING:
    from lightwell.source import Counted, Pages


def check(pages: Sequence[Any], rule: "Pages") -> None:
    """Raise LayoutError unless these are all pages, in order, and their records are as many as every page says."""
    last, total = whole(pages[0], rule.pages), whole(pages[0], rule.total)
    if total == 0:
        raise LayoutError("the answer has no records: it says that there are 0 in all; is the address still right?")
    received, seen = 0, list[Any]()
    for place, page in enumerate(pages):
        where = f"page {rule.first + place} of {last}"
        records = records_of(page, pages[0], where, rule)
        if records in seen:
            raise LayoutError(f"{where} repeats the records of page {rule.first + seen.index(records)}")
        if (said := whole(page, rule.number)) != rule.first + place:
            raise LayoutError(f"{where} calls itself page {said}: pages are missing or out of order")
        seen.append(records)
        received += len(records)
    if len(pages) != last:
        raise LayoutError(f"{len(pages)} of {last} pages are there: fetch the document again, or add all of its pages")
    if received != total:
        raise LayoutError(f"the pages have {received:,} records, and say that there are {total:,}")


def count(data: Any, rule: "Counted") -> None:
    """Make the check on a document as it is read: pages joined in one array, or one page as it came."""
    pages = data if rule.joined else [data]
    if not isinstance(pages, list) or not pages:
        raise LayoutError("the document is no array of pages: fetch it again")
    check(pages, rule)


def whole(page: Any, pointer: str) -> int:
    """The whole number at a pointer of a page, which JSON may write as a text too. Raises LayoutError for any other."""
    found = at(page, pointer)
    if not isinstance(found, (str, int)) or isinstance(found, bool) or not re.fullmatch("[0-9]{1,9}", str(found)):
        raise LayoutError(f"{pointer} of a page is no whole number: its pages cannot be counted")
    return int(found)


def at(page: Any, pointer: str) -> Any:
    """What stands at a pointer of a page. Raises LayoutError with the pointer where nothing does."""
    found = page
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        else:
            raise LayoutError(f"a page has no {pointer}: has the API changed, or does it answer with an error?")
    return found


def records_of(page: Any, first: Any, where: str, rule: "Pages") -> list[Any]:
    """The records of a page, which has some and says of the whole what the first page says. Raises LayoutError."""
    for pointer in (rule.pages, rule.total, *rule.same):
        if (here := at(page, pointer)) != (there := at(first, pointer)):
            shown = f"{here!s:.40} there, {there!s:.40} on the first page"
            raise LayoutError(f"{where} says another {pointer}: {shown}; the data changed meanwhile, fetch again")
    records = at(page, rule.records)
    if not isinstance(records, list) or not records:
        raise LayoutError(f"{where} has no records, of {at(page, rule.total)} in all")
    return records
