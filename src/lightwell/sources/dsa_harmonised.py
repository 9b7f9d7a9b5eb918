"""Transparency reports on the template of Implementing Regulation (EU) 2024/2835, from any platform in any language.

The template fixes columns, codes and rows; only the words change with the language. So a part is known by its columns
and by the codes in them, numbers by their column, and the rows of parts 7 to 9 by their wording or else by the order
the template gives them. Each part is cut anew into a sheet under names of our own, which the template's declaration
(`templates/dsa_harmonised.yml`) reads; what a row says stays as printed.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import dropwhile, groupby
from typing import TYPE_CHECKING

from lightwell.errors import LayoutError
from lightwell.tables import Figure, delimited, refuse_scale, spreadsheet, zipped
from lightwell.tables.cells import Cell, Row, Sheet, address_labels, figures

if TYPE_CHECKING:
    from lightwell.archive import Document
    from lightwell.source import Layout

_CODE = re.compile(r"TOTAL|(?:STATEMENT_CATEGORY|KEYWORD)_[A-Z0-9_]+")
_FORM = re.compile(r"YYYY-MM-DD.*|Text to detail.*|\[?(?:\.\.\.|…)\]?|[A-Z]{2}, \[?…\]?, [A-Z]{2}")  # not filled in
_RESTRICTIONS = ["removal", "disabled", "demoted", "age_restricted", "interaction_restricted", "labelled", "other"]
_OWN = ["measures", "automated"] + [f"visibility_{kind}" for kind in _RESTRICTIONS]
_OWN += ["monetary_suspension", "monetary_termination", "monetary_other", "service_suspension", "service_termination"]
_OWN += ["account_suspension", "account_termination"]
_COLUMNS = {  # of each part by category: its numbers in the order of the template; as many columns of context follow
    "orders": ["act", "act_items", "act_receipt", "act_effect", "inform", "inform_receipt", "inform_effect"],
    "notices": [
        *["notices", "notices_trusted", "items", "items_trusted", "time", "time_trusted"],
        *["by_law", "by_law_trusted", "by_terms", "by_terms_trusted"],
    ],
    "own_illegal": _OWN,
    "own_terms": _OWN,
}
_ILLEGAL = re.compile(
    "ill[eé]g|ileg|illicit|illecit|rechtswidrig|il[ií]cit|onrechtmatig|nielegal|ulovlig|olaglig|παράνομ"
)
_TERMS = re.compile("incompat|unvereinbar|onverenigbaar|niezgodn|uforenelig|oförenlig|ασυμβίβαστ|conditions")

_DECISIONS = ["upheld", "partially reversed", "reversed"]
_COMPLAINT = ["total", *_DECISIONS, "time"]
_APPEALS: list[tuple[str, list[str]]] = [  # part 7: indicators and their scopes, in the order of the template
    ("complaints", [*_COMPLAINT, "omitted"]),
    ("restrictions", ["total"]),
    *[(f"complaints about {about}", _COMPLAINT) for about in ("visibility", "the service", "an account", "money")],
    *[(f"complaints about {about}", _COMPLAINT) for about in ("no action", "no action for a trusted flagger")],
    ("disputes", [*_COMPLAINT, "omitted", "implemented"]),
    *[(f"suspensions for {reason}", ["total"]) for reason in ("illegal content", "notices", "complaints")],
]
_AUTOMATED = ["measures", "other measures", "accuracy", "precision", "recall"]
_NOTICES = ["notices", "other notices", "accuracy", "precision", "recall"]
_MEANS = [("all", _AUTOMATED), ("own initiative", _AUTOMATED), ("notices", _NOTICES), ("trusted flaggers", _NOTICES)]
_PEOPLE = ["internal", "external", "linguistic"]
_RATES = ("accuracy", "precision", "recall")


_LANGUAGES = frozenset("bg cs da de el en es et fi fr ga hr hu it lt lv mt nl pl pt ro sk sl sv".split())  # noqa: SIM905
_COUNTRIES = frozenset(
    "at be bg cy cz de dk ee el es fi fr gr hr hu ie is it li lt lu lv mt nl no pl pt ro se si sk".split()  # noqa: SIM905
)
_OWN_HEADERS = [
    "Number of measures taken at the provider's own initiative",
    "Number of measures taken after detection with solely automated means",
    *[
        f"Visibility restriction {kind}"
        for kind in ("Removal", "Disable", "Demoted", "Age restricted", "Interaction restricted", "Labelled", "Other")
    ],
    *[f"Monetary restriction {kind}" for kind in ("Suspension", "Termination", "Other")],
    *["Provision of the service Suspension", "Provision of the service Termination"],
    *["Account restriction Suspension", "Account restriction Termination"],
]
_HEADERS = {
    "orders": [
        "Number of orders to act against illegal content received",
        "Number of specific items of information included in the total number of orders to act against illegal content",
        "Median time to inform the authority of the receipt of the order to act against illegal content",
        "Median time to give effect to the order to act against illegal content",
        "Number of orders to provide information",
        "Median time to inform the authority of the receipt of the order to provide information",
        "Median time to give effect to the order to provide information",
    ],
    "notices": [
        "Number of notices received",
        "Number of notices received from Trusted flaggers",
        "Number of specific items of information included in the total number of notices",
        "Number of specific items of information included in the total number of notices by Trusted Flaggers "
        "(Trusted Flagger notices)",
        "Median time to take action",
        "Median time to take action (Trusted Flagger notices)",
        "Number of actions taken on the basis of the law",
        "Number of actions taken on the basis of the law (Trusted Flagger notices)",
        "Number of actions taken on the basis of the terms and conditions of the service",
        "Number of actions taken on the basis of the terms and conditions of the service (Trusted Flagger notices)",
    ],
    "own_illegal": _OWN_HEADERS,
    "own_terms": _OWN_HEADERS,
}


@dataclass(frozen=True, slots=True)
class _Part:
    """One table of a report: its rows as filed, and where what they have in common stands."""

    kind: str
    name: str  # of the sheet or member it stands on
    rows: list[Row]  # without the header
    service: int
    period: int
    first: int  # column of the code (parts 3 to 6) or of the indicator (parts 7 to 10)


def extract(document: "Document", layout: "Layout") -> Iterator[Figure]:
    """Every number of a report, part by part. Raises LayoutError for a sheet that is no part of the template."""
    sheets = _sheets(document)
    parts = [part for sheet in sheets for part in _part(sheet)]
    if not parts:
        raise LayoutError("no sheet is a part with numbers of the template: is this a report on the template?")
    identified = _identified(sheets)
    said = next(iter(identified)) if len(identified) == 1 else ""
    service, period = _one_service(parts), ""
    _check_periods(parts, identified)
    _check_once(parts, service)
    if any(_is_blank(_text(row, part.period)) for part in parts for row in part.rows if _counts(part, row)):
        period = said or address_labels(document, layout).get("period", "")
    cut = [_cut(part, service, re.sub("^([sShH][12])-", r"\1 ", period)) for part in parts]
    return figures(cut, document, layout.model_copy(update={"address": None}))  # asked above, where it is needed


def _sheets(document: "Document") -> list[Sheet]:
    if document.media_type == "text/csv":
        return [delimited.sheet(document)]
    return zipped.sheets(document) if document.media_type == "application/zip" else spreadsheet.sheets(document)


# --- which part a sheet is -------------------------------------------------------------------------------------------


def _part(sheet: Sheet) -> Iterator[_Part]:
    """The part that a sheet is; nothing for one without numbers (1 identification, 2 categories, 11 prose)."""
    rows = [row for row in sheet.rows if any(cell.text for cell in row)]
    for row in rows:
        if len(texts := [cell.text for cell in row if cell.text]) == 1:  # a title, or a note below
            refuse_scale(texts[0])
    rows = list(dropwhile(lambda row: sum(bool(cell.text) for cell in row) == 1, rows))
    if len(rows) < 2:
        return
    width, body = _width(rows[0]), rows[1:]
    _refuse_second_header(rows[0], body)
    code = _column_of_codes(body)
    if code is not None:
        kind = _kind_by_category(rows[0], code, width - code, sheet.name)
        part = _Part(kind, sheet.name, body, 1, 2, code)
        _check_columns(rows[0], part)
    elif width in (7, 8):
        part = _Part(_kind_by_rows(body, width, sheet.name), sheet.name, body, 1, 2, 4)
    elif width <= 5:  # parts 1, 2 and 11, or a cover
        return
    else:
        raise LayoutError(f"{_where(sheet)} has {width} columns and no codes, which no part of the template has")
    if (stray := next((cell for row in body for cell in row[width:] if cell.text), None)) is not None:
        raise LayoutError(f"{stray.locator}: {stray.text[:60]!r} stands under no header: a comma too many in its line?")
    yield part


def _refuse_second_header(header: Row, body: Sequence[Row]) -> None:
    """Two parts, or two surfaces, on one sheet: what stands below the second header is not what the first says."""
    named = [_text(header, column).casefold() for column in (1, 2)]
    for row in body:
        if all(named) and [_text(row, column).casefold() for column in (1, 2)] == named:
            raise LayoutError(
                f"{row[0].locator}: a second header, {named[0]!r} and {named[1]!r} again: put what stands below it on "
                "a sheet or in a file of its own, as the template has it, and add that"
            )


def _check_columns(header: Row, part: _Part) -> None:
    """Where the headers are the template's English ones, each has to stand where the template has it.

    In any language the headers of the context behind the numbers repeat those of the numbers, in the same order.
    """
    expected = [_plain(text) for text in _HEADERS[part.kind]]
    at, count = _numbers_at(part), len(expected)
    printed = [_plain(cell.text) for cell in header[at : at + count]]
    if set(printed) & set(expected) and printed != expected:
        wrong = next(i for i, (one, other) in enumerate(zip(printed, expected, strict=True)) if one != other)
        raise LayoutError(
            f"{part.name or 'the table'}: column {at + wrong + 1} is headed {header[at + wrong].text!r}, where the "
            f"template has {_HEADERS[part.kind][wrong]!r}: columns were moved or renamed"
        )
    contexts = [_plain(cell.text) for cell in header[at + count : at + 2 * count]]
    repeated = [{i for i, number in enumerate(printed) if number and number in context} for context in contexts]
    beside = all(one and one in next_one for one, next_one in zip(printed[::2], printed[1::2], strict=False))
    if (beside and not any(repeated)) or any(found and i not in found for i, found in enumerate(repeated)):
        raise LayoutError(
            f"{part.name or 'the table'}: the columns of context do not follow the numbers in the numbers' order: "
            "columns were moved; bring them into the order of the template, and add that"
        )


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _numbers_at(part: _Part) -> int:
    """The column of the first number: behind the code, its description, and in part 3 the scope."""
    return part.first + (3 if part.kind == "orders" else 2)


def _column_of_codes(rows: Sequence[Row]) -> int | None:
    found = Counter(i for row in rows for i in (3, 4) if _CODE.fullmatch(_text(row, i).upper()))
    return max(found, key=lambda i: (found[i], i)) if found else None


def _kind_by_category(header: Row, code: int, width: int, name: str) -> str:
    """The part by the number of columns from the code on: the code, the description, its scope, numbers, contexts."""
    kinds = {3 + 2 * 7: "orders", 2 + 2 * 10: "notices", 2 + 2 * 16: "own"}
    if width not in kinds:
        raise LayoutError(
            f"{name or 'the table'}: {code} columns before the code and {width} from it on are of no part of the "
            f"template, which has 3 and {', '.join(map(str, kinds))}: a column was added or lost"
        )
    if kinds[width] != "own":
        return kinds[width]
    said, file = header[code].text.casefold(), re.split(r"[/\\]", name)[-1]
    illegal, terms = _ILLEGAL.search(said), _TERMS.search(said)
    if bool(illegal) == bool(terms):
        illegal, terms = re.search(r"(?<!\d)0?5_|illegal", file), re.search(r"(?<!\d)0?6_|_TC\b", file)
    if bool(illegal) == bool(terms):
        raise LayoutError(
            f"{name or 'the table'}: whether part 5 (illegal content) or part 6 (terms) is meant is not clear from "
            f"{said!r}: add the wording of this language to dsa_harmonised.py"
        )
    return "own_illegal" if illegal else "own_terms"


def _kind_by_rows(rows: Sequence[Row], width: int, name: str) -> str:
    """Parts 7 to 10 have the same columns: they differ in what stands in them, whatever the language."""
    scopes = {_text(row, 5) for row in rows}
    indicators = {_text(row, 4) for row in rows}
    if width == 7 and len(indicators) == 1:
        return "recipients"
    if width == 8 and len({_text(row, 3) for row in rows} - {""}) in (2, 3) and len(indicators) >= 10:
        return "appeals"
    if width == 8 and len(indicators) <= len(_PEOPLE) and not any(_english(text, _MEANS_WORDS) for text in indicators):
        return "people"
    if width == 8 and 3 < len(indicators) <= 7 and len(scopes) >= 4:
        return "means"
    raise LayoutError(f"{name or 'the table'}: {len(indicators)} indicators in {width} columns are of no part: 7 to 10")


def _width(header: Row) -> int:
    return max(i for i, cell in enumerate(header, start=1) if cell.text)


# --- what its rows have in common ------------------------------------------------------------------------------------


def _identified(sheets: Sequence[Sheet]) -> set[str]:
    """The periods that part 1 states, as intervals: one a service or none, where there is no part 1 or it says none."""
    stated = set()
    for sheet in sheets:
        rows = [row for row in sheet.rows if any(cell.text for cell in row)]
        if len(rows) == 6 and _width(rows[0]) == 4 and _column_of_codes(rows) is None:
            stated.add(_between(*(_text(row, 3) for row in rows[4:6])))
    return stated - {""}


def _between(first: str, last: str) -> str:
    """The interval of two days, where they can be read in one way only: from a first of a month to the end of one."""
    ends = {(a, b) for a in _days(first) for b in _days(last) if a.endswith("-01") and a < b and b[8:] >= "28"}
    return "/".join(ends.pop()) if len(ends) == 1 else ""


_TWO_DAYS = re.compile(r"(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4})\s?(?:/|-|–|—|to)\s?(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4})")


def _interval(printed: str) -> str:
    """A period from day to day as an interval of ISO days; as printed where that is not sure."""
    match = _TWO_DAYS.fullmatch(printed)
    return (match and _between(match[1], match[2])) or printed


def _check_periods(parts: Sequence[_Part], identified: set[str]) -> None:
    """Raises LayoutError where rows are of days that part 1 does not take in, as where last time's were left in."""
    told = [interval.split("/") for interval in identified]
    for part in parts:
        for row in part.rows:
            found = re.fullmatch(r"(\d{4}-\d\d-\d\d)/(\d{4}-\d\d-\d\d)", _interval(_text(row, part.period)))
            if told and found and _counts(part, row) and not any(a <= found[1] <= found[2] <= b for a, b in told):
                raise LayoutError(
                    f"{row[0].locator}: the row is of {found[0]}, part 1 says {' and '.join(sorted(identified))}: see "
                    "which of them is meant, and ask the publisher for a report that says one of them"
                )


def _check_once(parts: Sequence[_Part], service: str) -> None:
    """Raises LayoutError where a report has a part twice for one service, period and surface."""
    met: dict[tuple[str, ...], _Part] = {}
    for part in parts:
        for row in part.rows:
            if not _counts(part, row):
                continue
            name = _text(row, part.service) or service
            key = (part.kind, name.casefold(), _interval(_text(row, part.period)), _surface(part, name))
            if (other := met.setdefault(key, part)) is not part:
                raise LayoutError(
                    f"{part.name!r} and {other.name!r} are the same part of {name or 'one service'} and period, and "
                    "which of them counts what is not said: add the one you mean by itself"
                )


def _days(text: str) -> set[str]:
    """The days that a date can mean: one if it is ISO, two where it may begin with the month."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return {text}
    if match := re.fullmatch(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})", text):
        one, two, year = (int(group) for group in match.groups())
        return {f"{year}-{m:02}-{d:02}" for d, m in ((one, two), (two, one)) if m <= 12}
    return set()


def _one_service(parts: Sequence[_Part]) -> str:
    """The only service the report names, for rows that leave it out; empty where there are several or none."""
    named = {_text(row, part.service) for part in parts for row in part.rows if _counts(part, row)} - {""}
    return named.pop() if len(named) == 1 else ""


def _counts(part: _Part, row: Row) -> bool:
    """Whether a row holds a number. An empty cell is none: it says that nothing applies or nothing was given."""
    at = _numbers_at(part)
    return any(cell.text for cell in row[at : at + len(_COLUMNS.get(part.kind, ["value"]))])


def _is_blank(text: str) -> bool:
    return not text or _FORM.fullmatch(text) is not None


# --- the part cut anew -----------------------------------------------------------------------------------------------


def _cut(part: _Part, service: str, period: str) -> Sheet:
    """A sheet with the names that the declaration knows on top, and one record a row that holds a number."""
    columns = _COLUMNS.get(part.kind, ["value"])
    labels = ["service", "period", "surface"]
    labels += (
        ["code", "grain", "category", "keyword", "other", "scope"]
        if part.kind in _COLUMNS
        else ["row", "language", "country"]
    )
    cut = [[Cell(name, part.rows[0][0].locator) for name in (*labels, *columns)]]
    said = _by_category(part) if part.kind in _COLUMNS else _by_row(part)
    at = _numbers_at(part)
    for row, own in zip(part.rows, said, strict=True):
        numbers = [row[at + i] if at + i < len(row) else Cell("", row[0].locator) for i in range(len(columns))]
        if not _counts(part, row):
            continue
        printed = _text(row, part.period)
        name = _text(row, part.service) or service
        common = [name, period if _is_blank(printed) else _interval(printed), _surface(part, name)]
        cut.append([Cell(text, row[0].locator) for text in (*common, *own)] + numbers)
    return Sheet(part.kind, cut if len(cut) > 1 else [])


def _by_category(part: _Part) -> Iterator[list[str]]:
    """Code, grain, category, keyword, a keyword of the provider's own, and scope of each row.

    A keyword belongs to the category above it. Those of the provider's own are told apart by their description, or by
    what the code adds (KEYWORD_OTHER_PRIVACY); one that stands alone is all the rest of its category.
    """
    _check_order(part)
    category, many = "", _others(part)
    for row in part.rows:
        code, scope = _text(row, part.first).upper(), _scope(part, row)
        if not code.startswith("KEYWORD_"):
            category = code
            yield [code, "total" if code == "TOTAL" else "category", _slug(code), "", "", scope]
            continue
        keyword = "KEYWORD_OTHER" if code.startswith("KEYWORD_OTHER_") else code
        other = _slug(code.removeprefix("KEYWORD_OTHER_")) if keyword != code else ""
        if code == "KEYWORD_OTHER" and many[category, scope] > 1:
            other = _described(_text(row, part.first + 1))
        yield [f"{category} {keyword}".strip(), "keyword", _slug(category), _slug(keyword), other, scope]


def _check_order(part: _Part) -> None:
    """Raises LayoutError where a keyword stands under a category that is not its own, as after sorting: above every
    category, below the total, below the category's last (`other`), or with the label of another (Category 9a under 14).
    """
    if not _has_categories(part):
        return
    category, number, over = "", "", set[str]()
    for row in part.rows:
        code, label = _text(row, part.first).upper(), _text(row, part.first - 1)
        if not code.startswith("KEYWORD_"):
            category, number, over = code, _numbered(label), set()
            continue
        own = _numbered(label, "[a-z]")
        scope, last = _scope(part, row), code.startswith("KEYWORD_OTHER")
        if category in ("", "TOTAL"):
            wrong = "stands above every category"
        elif scope in over and not last:
            wrong = f"stands below KEYWORD_OTHER, the last of {category}"
        elif number and own and number != own:
            wrong = f"is labelled {label!r} but stands under {category}"
        else:
            over |= {scope} if last else set()
            continue
        raise LayoutError(
            f"{row[0].locator}: {code} {wrong}, where a keyword belongs to the category above it: the rows were sorted "
            "anew; take the report as it was filed"
        )


def _numbered(label: str, letter: str = "") -> str:
    """The number of a category in its label, or with a letter in that of its keyword: 9 of `Category 9`, `9a`."""
    match = re.fullmatch(rf"(?:\D+ )?(\d+){letter}", label)
    return match[1] if match else ""


def _has_categories(part: _Part) -> bool:
    return any(_text(row, part.first).upper().startswith(("TOTAL", "STATEMENT_")) for row in part.rows)


def _scope(part: _Part, row: Row) -> str:
    return _text(row, part.first + 2) if part.kind == "orders" else ""


def _slug(code: str) -> str:
    return re.sub("^(statement_category|keyword)_", "", code.lower())


def _others(part: _Part) -> Counter[tuple[str, str]]:
    """How many rows of a category's own further keywords hold a number, by category and scope."""
    found: Counter[tuple[str, str]] = Counter()
    category = ""
    for row in part.rows:
        code = _text(row, part.first).upper()
        if not code.startswith("KEYWORD_"):
            category = code
        elif code == "KEYWORD_OTHER" and _counts(part, row):
            found[category, _scope(part, row)] += 1
    return found


def _described(description: str) -> str:
    """A description as a code: its words, cut short and with a digest where they are many or not all Latin."""
    if _is_blank(description):
        return "not_described"
    slug = re.sub("[^a-z0-9]+", "_", description.lower()).strip("_")
    if slug and len(slug) <= 60 and description.isascii():
        return slug
    return f"{slug[:50].strip('_')}_{sha256(description.encode()).hexdigest()[:8]}".strip("_")


def _by_row(part: _Part) -> Iterator[list[str]]:
    """What each row of parts 7 to 10 counts, and in which language or country."""
    known = {"appeals": _appeals, "means": _means, "people": _people, "recipients": _recipients}[part.kind](part.rows)
    column = _broken_down_by(part)
    rates = [_text(row, 6) for row, counts in zip(part.rows, known, strict=True) if counts.endswith(_RATES)]
    percent = any(re.fullmatch(r"(?!1(?:\.0*)?\Z)[1-9]\d*(?:\.\d+)?|.*\d ?%", rate) for rate in rates)  # above 1
    for row, counts in zip(part.rows, known, strict=True):
        scope = _text(row, 5)
        by = scope.lower() if part.kind != "appeals" and _is_broken_down(scope) else ""
        said = counts if counts and (column or not by) else f"{_text(row, 4)} | {scope}"
        if percent and counts.endswith(_RATES):
            said = f"{counts} among rates that are printed as percentages"
        yield [said, by if column == "language" else "", by if column == "country" else ""]


def _broken_down_by(part: _Part) -> str:
    """Whether scopes of two letters are languages or countries; empty where they are some of both.

    The template asks for languages in parts 8 and 9, in small letters; reports with countries in part 8 are filed too.
    In capitals, codes that are all both a language's and a country's tell neither.
    """
    if part.kind == "recipients":
        return "country"
    scopes = {_text(row, 5) for row in part.rows if _is_broken_down(_text(row, 5))}
    small = {scope.lower() for scope in scopes}
    if part.kind == "people" or scopes == small:
        return "language"
    if small <= _LANGUAGES:
        return "" if small <= _COUNTRIES else "language"  # DE, FR, IT can be either
    return "country" if small <= _COUNTRIES else ""


_NO_SURFACE = re.compile(
    r"(?i)(?:^|_)(?:\d+|(?:20\d\d_?)?[hsq][1-4](?:_?20\d\d)?|final|v\d+)(?=_|\Z)"
)  # a period, a version


def _surface(part: _Part, service: str) -> str:
    """The part of a service that a sheet is about, where its name says more than the part: 6_own_initiative_TC_Ads."""
    if part.kind in ("people", "recipients"):
        return ""
    stem = re.sub(r"\.csv\Z", "", re.split(r"[/\\]", part.name)[-1], flags=re.IGNORECASE)
    kinds = "own_initiative_(?:TC|illegal)|appeals_and_recidivism|automated_means|(?:member_states?_)?orders|notices"
    match = re.search(rf"(?:{kinds})_(\w+)\Z", stem)
    said = _NO_SURFACE.sub("", match[1]).strip("_") if match else ""
    return "" if _slug(said).replace("_", " ") == _plain(service).replace("_", " ") else said


# --- the rows of parts 7 to 10 ---------------------------------------------------------------------------------------

_APPEALS_WORDS = {
    "number of complaints submitted to the internal-complaints mechanism": "complaints",
    "number of restrictions newly imposed as a result of an internal complaint": "restrictions",
    "complaint regarding a decision to remove or disable access to or restrict visibility of information": (
        "complaints about visibility"
    ),
    "complaint regarding a decision to suspend or terminate the provision of the service": (
        "complaints about the service"
    ),
    "complaint regarding a decision to suspend or terminate an account": "complaints about an account",
    "complaint regarding a decision to restrict the ability to monetise information": "complaints about money",
    "complaint regarding a decision not to take action on a notice submitted in accordance with article 16": (
        "complaints about no action"
    ),
    "complaint regarding a decision not to take action on a notice submitted by a trusted flagger in accordance with "
    "article 16": "complaints about no action for a trusted flagger",
    "number of disputes submitted to out-of-court dispute settlement bodies": "disputes",
    "number of suspensions enacted for the provision of manifestly illegal content": "suspensions for illegal content",
    "number of suspensions enacted for the provision of manifestly unfounded notices": "suspensions for notices",
    "number of suspensions enacted for the provision of manifestly unfounded complaints": "suspensions for complaints",
}
_SCOPE_WORDS = {
    "total number": "total",
    "decisions upheld": "upheld",
    "decisions partially reversed": "partially reversed",
    "decisions reversed": "reversed",
    "median time": "time",
    "decision omitted": "omitted",
    "decisions omitted": "omitted",
    "percentage of outcomes implemented": "implemented",
}
_MEANS_WORDS = {
    "number of measures solely taken by automated means": "measures",
    "number of measures not taken by automated means": "other measures",
    "number of notices solely processed by automated means": "notices",
    "number of notices not processed by automated means": "other notices",
    "accuracy of the automated means - accuracy": "accuracy",
    "accuracy of the automated means - precision": "precision",
    "accuracy of the automated means - recall": "recall",
}
_MEANS_SCOPES = {
    "total number": "all",
    "own-initiative": "own initiative",
    "nam total": "notices",
    "nam trusted flagger": "trusted flaggers",
}
_PEOPLE_WORDS = {
    "number of internal moderators employed by the provider": "internal",
    "number of external moderators contracted by the provider": "external",
    "number of total moderators with sufficient linguistic expertise": "linguistic",
}


def _english(text: str, words: dict[str, str]) -> str:
    return words.get(" ".join(text.casefold().replace("–", "-").split()), "")


def _is_english(rows: Sequence[Row], words: dict[str, str]) -> bool:
    return any(_english(_text(row, 4), words) for row in rows)


def _appeals(rows: Sequence[Row]) -> list[str]:
    """`indicator: scope` of each row of part 7; empty where neither wording nor order tells."""
    if _is_english(rows, _APPEALS_WORDS):
        pairs = [(_english(_text(row, 4), _APPEALS_WORDS), _english(_text(row, 5), _SCOPE_WORDS)) for row in rows]
        return [f"{indicator}: {scope}" if indicator and scope else "" for indicator, scope in pairs]
    runs = [[_text(row, 5) for row in run] for _, run in groupby(rows, key=lambda row: _text(row, 4))]
    if [len(run) for run in runs] != [len(scopes) for _, scopes in _APPEALS] or not _agree(runs):
        return [""] * len(rows)
    return [f"{indicator}: {scope}" for indicator, scopes in _APPEALS for scope in scopes]


def _agree(runs: Sequence[Sequence[str]]) -> bool:
    """Whether scopes stand in the same order under every indicator, as in the template, and are told apart."""
    longest = max(runs, key=len)
    return len(set(longest)) == len(longest) and all(run == longest[: len(run)] for run in runs)


def _means(rows: Sequence[Row]) -> list[str]:
    """`scope: indicator` of each row of part 8; the rows by language or country repeat the indicators of the first."""
    if _is_english(rows, _MEANS_WORDS):
        known = {_text(row, 4): _english(_text(row, 4), _MEANS_WORDS) for row in rows}
        scopes = {_text(row, 5): _english(_text(row, 5), _MEANS_SCOPES) for row in rows}
    else:
        fixed = [row for row in rows if not (_is_broken_down(_text(row, 5)) or _is_blank(_text(row, 5)))]
        order = [(scope, indicator) for scope, indicators in _MEANS for indicator in indicators]
        if len(fixed) != len(order):
            return [""] * len(rows)
        known = {_text(row, 4): indicator for row, (_, indicator) in zip(fixed, order, strict=True)}
        scopes = {_text(row, 5): scope for row, (scope, _) in zip(fixed, order, strict=True)}
        told = [(scopes[_text(row, 5)], known[_text(row, 4)]) for row in fixed]
        if told != order or len(known) != 7 or len(scopes) != 4:
            return [""] * len(rows)
    return [
        _named("all" if _is_broken_down(s := _text(row, 5)) else scopes.get(s, ""), known.get(_text(row, 4), ""))
        for row in rows
    ]


def _people(rows: Sequence[Row]) -> list[str]:
    """`total` or `language: indicator` of each row of part 9."""
    indicators = list(dict.fromkeys(_text(row, 4) for row in rows))
    known = {text: _english(text, _PEOPLE_WORDS) for text in indicators}
    if not any(known.values()):
        if len(indicators) != len(_PEOPLE) or any(_is_broken_down(_text(row, 5)) for row in rows[:3]):
            return [""] * len(rows)
        known = dict(zip(indicators, _PEOPLE, strict=True))
    totals = {_text(row, 5) for row in rows[:1]}
    return [
        _named(
            "broken down" if _is_broken_down(s := _text(row, 5)) else "total" if s in totals else "",
            known[_text(row, 4)],
        )
        for row in rows
    ]


def _recipients(rows: Sequence[Row]) -> list[str]:
    return ["recipients" if _text(row, 5) == "TOTAL" or _is_broken_down(_text(row, 5)) else "" for row in rows]


def _named(scope: str, indicator: str) -> str:
    return f"{scope}: {indicator}" if scope and indicator else ""


def _is_broken_down(scope: str) -> bool:
    """Whether a scope is a language (bg) or a country (BG)."""
    return re.fullmatch(r"[a-z]{2}|[A-Z]{2}", scope) is not None


def _text(row: Row, column: int) -> str:
    return " ".join(row[column].text.split()) if column < len(row) else ""


def _where(sheet: Sheet) -> str:
    return f"sheet {sheet.name!r}" if sheet.name else "the table"
