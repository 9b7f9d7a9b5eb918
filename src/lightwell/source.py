"""A source: one declaration (`sources/<id>.yml`) and, where the format's reader needs help, one small function.

The declaration says what to fetch, how the documents are laid out, and what the figures mean. Everything in it is
validated on load: an unknown key, a pattern that does not compile or a host that is not allowed fails with the file's
name and the key.
"""

import hashlib
import importlib
import importlib.util
import re
from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from lightwell import tables
from lightwell.errors import DeclarationError
from lightwell.settings import Settings, resource
from lightwell.tables import Figure

if TYPE_CHECKING:
    from lightwell.archive import Document

Extractor = Callable[["Document", "Layout"], Iterator[Figure]]


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"the pattern {pattern!r} does not compile: {error}") from None
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]
Crontab = Annotated[str, Field(pattern=r"^[0-9*,/-]+( [0-9A-Za-z*,/#?-]+){4}$")]
Year = Annotated[int, Field(ge=1990, le=2100)]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


MediaTypes = Annotated[list[str], BeforeValidator(_listed), Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pages(_Strict):
    """Where a page of an API says how many pages and records there are: JSON pointers (RFC 6901) within one page."""

    number: str  # the page's own number
    pages: str  # how many pages there are
    total: str  # how many records all pages have together
    records: str  # the array of the page's records
    same: list[str] = []  # what every page has to say alike, besides: the day of the data, say
    first: Annotated[int, Field(ge=0, le=1)] = 1  # the first page's number


class Paging(Pages):
    """How the pages of one address are asked for. All together are one document: see `paging`."""

    parameter: Annotated[str, Field(pattern=r"^[A-Za-z_]+$")]  # of the address: the number of the page
    most: Annotated[int, Field(ge=1)] = 200  # pages; where there are more, none is taken


class Counted(Pages):
    """A document of pages whose records are counted again when it is read."""

    joined: bool  # the pages stand in one array; else the document is one page as it came, and there must be no other


class DocumentRule(_Strict):
    """Where the documents of a range of years are published. `{year}` stands for the year reported on."""

    urls: list[str]  # alternatives for one document: mirrors and guessed paths, tried in order
    first: Year | None = None  # first and last year reported on; a rule without a year is one document
    last: Year | None = None
    paging: Paging | None = None  # of JSON: the address gives its records page by page

    @model_validator(mode="after")
    def _one_document(self) -> "DocumentRule":
        if self.paging is not None and any("{year}" in url for url in self.urls):
            raise ValueError("paging: goes with addresses without {year}")
        return self


class Discovery(_Strict):
    """A page that links to the documents: every link that matches is fetched as well."""

    page: str
    link: Pattern  # searched in the absolute URL


class _Table(_Strict):
    name: str
    required: bool = True  # whether a document without it is unlike the layout


class ListTable(_Table):
    """Names and numbers under a header, over many pages of a PDF, ended by a printed total."""

    kind: Literal["list"]
    label: str  # name of the label that a row's text becomes
    header: Pattern  # of the names' column
    columns: dict[str, Pattern]  # name of each number column -> its printed header
    total: Pattern | None = None  # the row that ends the table


class GridTable(_Table):
    """A boxed table of a PDF, with header rows on top."""

    kind: Literal["grid"]
    header: Pattern  # searched in the title and the header texts
    label: str | None = None  # name of the label that the first column becomes; null: every column holds figures
    row_labels: Pattern | None = None  # named groups over the first column's text become labels in place of `label`
    column_labels: list[Pattern] = []  # named groups over title and header levels, joined by " | ", become labels
    cell: Pattern | None = None  # named group `text` and others, once for each figure in a cell
    skip_columns: Pattern | None = None  # headers of columns that hold no figure
    shaded: bool = False  # cells are shaded areas, not ruled; `header` is then searched in "heading | title headers"
    heading: str | None = None  # name of the label that the section's heading becomes; of a shaded table


class ProseTable(_Table):
    """Numbers in sentences."""

    kind: Literal["prose"]
    pattern: Pattern  # named group `text` is the number, the others become labels


class RecordsTable(_Table):
    """A header row and a record in every row below it, in a text table, a sheet, an HTML table or a JSON array."""

    kind: Literal["records"]
    sheet: Pattern | None = None  # name of the sheet, or caption of the HTML table; default: any
    pointer: str | None = None  # of JSON: where the records are, RFC 6901 with `*` for every element or member
    labels: dict[str, Pattern]  # name of each label -> the printed header of its column
    values: dict[str, Pattern]  # name of each number column -> its printed header
    unused: list[Pattern] = []  # headers of columns that hold neither
    skip: dict[str, Pattern] = {}  # rows whose label is this are no records of ours
    empty: Literal["missing", "skip"] = "missing"  # an empty number: printed as missing, or a cell that is not used


class CrosstabTable(_Table):
    """Rows by columns: labels on the left, and every other column's header is a label too."""

    kind: Literal["crosstab"]
    sheet: Pattern | None = None
    pointer: str | None = None
    labels: dict[str, Pattern]  # name of each label -> the printed header of its column
    across: str  # name of the label that the other columns' headers become
    columns: Pattern  # what those headers look like
    unused: list[Pattern] = []
    skip: dict[str, Pattern] = {}
    empty: Literal["missing", "skip"] = "missing"


Table = Annotated[ListTable | GridTable | ProseTable | RecordsTable | CrosstabTable, Field(discriminator="kind")]


class Layout(_Strict):
    """How the documents of a range of periods are laid out. Drift is data: a new layout, not a copy of code."""

    when: Pattern | None = None  # found in the beginning of the document; the first layout that fits is taken
    since: Year | None = Field(default=None, alias="from")
    until: Year | None = Field(default=None, alias="to")
    period: Pattern | None = None  # named group `year`, found in the document's own title
    period_label: str | None = (
        "year"  # the label that this year becomes; null where the tables print years of their own
    )
    address: Pattern | None = None  # named groups, found in the document's URL, become labels of every figure
    stated: Pattern | None = None  # named groups, found in one row of the cells, become labels of every figure
    tables: list[Table]
    ignore_sheets: list[Pattern] = []  # names of sheets that hold no data of ours; any other needs a table
    ignore: list[Pattern] = []  # whole lines or rows that are no data
    counted: Counted | None = None  # of JSON that an API gives in pages: the records must be as many as it says
    texts: list[Pattern] = []  # of JSON: pointers whose texts describe a series or its method, however long


class FromLabel(_Strict):
    """How one field of an observation is filled from a figure's labels."""

    label: str | tuple[str, ...]  # several are read as one text, joined by " | ", for a map, or agree on a code
    codelist: Literal["ref_area"] | None = None  # of a dimension: the codelist that names its codes
    code: Literal["iso3", "m49"] | None = None  # of an area: the label is a code of ISO 3166-1 or UN M49, never a name
    map: dict[Pattern, str] | None = None  # pattern over the whole printed text -> code; None: the field's codelist
    rest: Literal["refuse", "codelist", "slug"] = "refuse"  # what the map does not know: the codelist's, or its words
    total: str | None = None  # the code where the label is a total

    @model_validator(mode="after")
    def _closed(self) -> "FromLabel":
        if isinstance(self.label, tuple) and (
            (self.map is None and self.rest != "codelist") or self.rest == "slug" or self.total is not None
        ):
            raise ValueError(
                "label: several labels together need a map, and have no total (or `rest: codelist`, to agree on a code)"
            )
        return self

    def text(self, labels: Mapping[str, str]) -> str:
        """What a figure's labels say for this field; a label that the figure does not have reads as an empty text."""
        if isinstance(self.label, str):
            return labels.get(self.label, "")
        return " | ".join([labels.get(name, "") for name in self.label])


Value = str | FromLabel


class Observe(_Strict):
    """What the figures of one table mean. A plain string is a constant; otherwise a label is read."""

    table: str
    metric: Value
    time_period: Value
    subject: Value = "_T"
    ref_area: Value = "_T"
    harm: Value = "_T"
    dimensions: dict[str, Value] = {}
    totals: dict[str, Pattern] = {}  # label -> pattern of the printed text that makes the figure a total
    note: str | None = None  # the label that holds a footnote of the figure; it becomes the observation's note
    doubt: str | None = None  # the label in which the reader says why a figure is not to be believed: quarantined
    freq: Literal["A", "S", "Q", "M", "D", "_O", "*"] = "A"  # _O: a time range; *: as each period says
    comparator: Value = "="  # one of = > < ~ >= <=, where the printed number does not say
    reporter: Value | None = None  # default: the source's
    obs_status: Literal["A", "E", "P", "B"] | FromLabel = "A"
    percent_sign: Literal["printed", "header"] = "printed"  # header: it says percent, and the numbers have no sign
    missing: Pattern | None = None  # a printed word that says that there is no number, such as NaN
    ranks: dict[Pattern, float | None] = {}  # of an ordinal scale: printed word -> place; null: off the scale
    low: str | None = None  # the labels that hold the bounds of the value, such as those of a confidence interval
    high: str | None = None
    cited: FromLabel | None = None  # the label that holds the address of the page a transcribed figure was printed on

    @model_validator(mode="after")
    def _paired(self) -> "Observe":
        if (self.low is None) != (self.high is None):
            raise ValueError("low: goes with high, and high with low")
        return self


class Reconcile(_Strict):
    """Parts that must add up exactly to a total printed in the same document."""

    table: str
    across: str  # the label over which the parts are added; all other labels are held fixed
    parts: Pattern | None = None  # default: every figure of the table that is no total across that label
    total: Pattern | None = None  # default: the label's pattern in `totals`
    refuse: Literal["document", "sum"] = "document"  # what a mismatch puts in quarantine; sum: its parts and total only


class Source(_Strict):
    """A publication series of one publisher, as declared."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{2,62}$")]
    title: str
    publisher: str  # code in the organisation codelist
    publisher_name: str | None = None  # of a publisher that the codelist lacks: provisional, to be reviewed
    reporter: str  # who counted; usually the publisher
    description: str  # what is counted, in our own words
    caveats: list[str] = []  # printed with every export
    landing_page: str
    licence: str
    cadence: Literal["annual", "half-yearly", "quarterly", "monthly", "irregular"]
    published_after_days: int = 0  # usual days from a period's end to its publication
    owner: Annotated[str, Field(min_length=1)] = "lightwell"  # who looks after it: named in the scheduler's notices
    schedule: Crontab | None = None  # when the scheduler asks, in UTC; default: by the cadence, spread by the id
    done_within_hours: Annotated[float, Field(gt=0, le=168)] = 6.0  # a run that is not over by then is told as late
    hosts: list[str]  # nothing is fetched from anywhere else, redirects included
    media_type: MediaTypes  # one, or a list where eras differ; tables.READERS says which module reads each
    max_bytes: int = 20_000_000
    documents: list[DocumentRule] = []
    discover: list[Discovery] = []
    method: Literal["read", "transcribed"] = "read"
    transcribed_on: date | None = None  # transcribed: the day of the second look at `<id>.csv` beside the declaration
    earlier: list[str] = []  # transcribed: CSVs beside it of earlier editions, whose values are older vintages
    layouts: list[Layout]
    observe: list[Observe]
    reconcile: list[Reconcile] = []
    quarantined_rows: int = 0  # more rows than this in quarantine put the whole document there
    template: str | None = None  # `templates/<name>.yml`, whose keys hold where the declaration has none of its own
    module: str | None = None  # the module of `sources/` that reads the documents, where it is not the source's own

    @model_validator(mode="after")
    def _consistent(self) -> "Source":
        urls = [u for d in self.documents for u in d.urls] + [d.page for d in self.discover]
        for url in urls:
            if (host := urlsplit(url).hostname) not in self.hosts:
                raise ValueError(f"hosts: {host} of {url} is not among the allowed hosts")
        if (self.method == "transcribed") != (self.transcribed_on is not None):
            raise ValueError("transcribed_on: goes with method: transcribed, and is needed there")
        if self.earlier and self.method != "transcribed":
            raise ValueError("earlier: goes with method: transcribed")
        known = {t.name for layout in self.layouts for t in layout.tables}
        for name in [o.table for o in self.observe] + [r.table for r in self.reconcile]:
            if name not in known:
                raise ValueError(f"no layout has a table named {name!r}")
        if silent := known - {o.table for o in self.observe}:
            raise ValueError(f"observe: nothing says what the figures of {sorted(silent)} mean")
        return self

    def extractor(self, media_type: str) -> Extractor:
        """The function `extract` of `sources/<id>.py`, or the plain reader of the media type where there is none."""
        name = f"lightwell.sources.{self.module or self.id}"
        if importlib.util.find_spec(name) is not None:
            return importlib.import_module(name).extract  # type: ignore[no-any-return]
        return tables.reader(media_type).extract  # type: ignore[no-any-return]

    def texts(self) -> list[str]:
        """The pointers of JSON documents whose texts are about a series, in any of its layouts."""
        return [pattern for layout in self.layouts for pattern in layout.texts]

    def paging(self, url: str) -> Paging | None:
        """How the pages of an address are asked for; None where its answer is one document."""
        return next((rule.paging for rule in self.documents if url in rule.urls), None)

    def extractor_version(self) -> str:
        """Twelve hex digits that change whenever the code or the layouts that read this source change."""
        folder = Path(tables.__file__).parent
        modules = [*folder.rglob("*.py")]
        spec = importlib.util.find_spec(f"lightwell.sources.{self.module or self.id}")
        if spec is not None and spec.origin:
            own = Path(spec.origin)
            modules += own.parent.rglob("*.py") if own.name == "__init__.py" else [own]
        digest = hashlib.sha256()
        for module in sorted(modules):
            digest.update(module.read_bytes())
        for layout in self.layouts:
            digest.update(layout.model_dump_json(by_alias=True).encode())
        return digest.hexdigest()[:12]

    def next_expected(self, newest: date | None) -> date | None:
        """The day by which the next document is usually out, given the last day of the newest period held.

        None if nothing is held or the cadence is irregular.
        """
        months = {"annual": 12, "half-yearly": 6, "quarterly": 3, "monthly": 1, "irregular": 0}[self.cadence]
        if newest is None or not months:
            return None
        year, month = divmod(newest.year * 12 + newest.month - 1 + months, 12)
        return date(year, month + 1, monthrange(year, month + 1)[1]) + timedelta(days=self.published_after_days)


def load(source_id: str, settings: Settings | None = None) -> Source:
    """The declaration of one source. Raises DeclarationError with the known ids where there is none of that name."""
    sources = {path.stem: path for path in _declarations(settings)}
    if source_id not in sources:
        raise DeclarationError(f"no source {source_id!r}; there are: {', '.join(sorted(sources))}")
    return _load(sources[source_id])


def list_sources(settings: Settings | None = None) -> list[Source]:
    """Every declared source, in order of id."""
    return [_load(path) for path in _declarations(settings)]


def list_ids(settings: Settings | None = None) -> list[str]:
    """The ids that are declared, in order. No declaration is read, so one with a mistake is among them."""
    return sorted({path.stem for path in _declarations(settings)})


def folder_of(source_id: str, settings: Settings | None = None) -> Path:
    """The folder that holds a source's declaration, and its transcription where it has one."""
    return next(path.parent for path in _declarations(settings) if path.stem == source_id)


def _declarations(settings: Settings | None) -> list[Path]:
    packaged = {path.stem: path for path in resource("sources").glob("*.yml")}
    own: dict[str, Path] = {}
    if settings is not None and settings.extra_sources is not None:
        if not settings.extra_sources.is_dir():
            raise DeclarationError(f"LIGHTWELL_SOURCES: there is no folder {settings.extra_sources}")
        own = {path.stem: path for path in settings.extra_sources.glob("*.yml")}
    if twice := sorted(packaged.keys() & own.keys()):
        raise DeclarationError(f"{twice[0]}.yml: {own[twice[0]]} is declared twice: give it a name of its own")
    return [path for _, path in sorted({**packaged, **own}.items())]


def _on_template(data: Any, path: Path) -> Any:
    """A declaration laid over the template it names; `$name` there stands for what `given` says, caveats are added."""
    if not isinstance(data, dict) or data.get("template") is None:
        return data
    template = resource("sources") / "templates" / f"{data['template']}.yml"
    if not template.is_file():
        raise DeclarationError(f"{path.name}: template: there is no {template.name} in sources/templates")
    own = {key: value for key, value in data.items() if key != "given"}
    given, used = data.get("given") or {}, set[str]()
    if not isinstance(given, dict):
        raise DeclarationError(f"{path.name}: given: must be what {template.name} asks for, name by name")
    base = _fill(_parse(template.read_text(encoding="utf-8")), given, used)
    if wrong := used ^ given.keys():
        raise DeclarationError(f"{path.name}: given: {sorted(wrong)} must be what {template.name} asks for")
    return {**base, **own, "caveats": [*base.get("caveats", []), *own.get("caveats", [])]}


def _fill(value: Any, given: Mapping[str, Any], used: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _fill(part, given, used) for key, part in value.items()}
    if isinstance(value, list):
        return [_fill(part, given, used) for part in value]
    if isinstance(value, str) and value.startswith("$"):
        used.add(value[1:])
        return given.get(value[1:])
    return value


def _parse(text: str) -> Any:
    return yaml.load(text, Loader=yaml.CSafeLoader)


@cache
def _load(path: Path) -> Source:
    try:
        data = _on_template(_parse(path.read_text(encoding="utf-8")), path)
        source = Source.model_validate(data)
    except yaml.YAMLError as error:
        raise DeclarationError(f"{path.name} is not YAML: {error}") from None
    except ValidationError as error:
        found = error.errors()
        first = next((e for e in found if e["loc"][-1:] != ("str",)), found[0])  # of a mapping: what is wrong inside it
        where = "".join(f"{part}." for part in first["loc"])[:-1]
        said = first["msg"].removeprefix("Value error, ")
        raise DeclarationError(": ".join(filter(None, (path.name, where, said)))) from None
    if source.id != path.stem:
        raise DeclarationError(f"{path.name}: id: is {source.id!r}, must be the file's name")
    return source
