"""One folder to hand over: a page as HTML and PDF, its pictures, the CSVs behind it, citations, caveats and checksums.

The same release gives the same bytes: no clock, no network, nothing of the machine goes in.
"""

import hashlib
import os
import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from lightwell import export, warehouse
from lightwell.briefing import scope as scopes
from lightwell.briefing.caveats import caveats, sheet
from lightwell.briefing.content import Content, Number, records
from lightwell.briefing.gather import gather
from lightwell.briefing.scope import Scope
from lightwell.citations import Cited, Notes, bibtex, cite, csl_json
from lightwell.errors import LightwellError
from lightwell.rows import quoted
from lightwell.settings import Settings

if TYPE_CHECKING:
    from lightwell.warehouse import Connection

SUMS = "SHA256SUMS"
_NUMBERED = """-- One row an observation that a number of the page was printed in or computed from.
-- note: Number of the note on the page that cites its document.
"""


def write(
    settings: Settings,
    to: Path,
    *,
    area: str | None = None,
    organisation: str | None = None,
    start: str | None = None,
    end: str | None = None,
    as_of: date | None = None,
) -> list[Path]:
    """Write the briefing on an area or an organisation into the folder `to`, replacing an earlier briefing there.

    `start` and `end` are the first and last period; `as_of` shows what was known on a day. Raises LightwellError, with
    the nearest names, for an area or organisation that the release does not know, and where `to` holds other files.
    """
    if (area is None) == (organisation is None):
        raise LightwellError("a briefing is on one area or on one organisation: give --area PHL or --organisation snap")
    _refuse_foreign(to)
    beside = to.with_name(f".{to.name}.{os.getpid()}.next")
    try:
        broken = "the release cannot be briefed on ({}): build it anew"
        with warehouse.connect(settings, as_of=as_of, writes_files=True) as con, warehouse.telling(broken):
            if area is not None:
                kind, (code, name, members) = "area", scopes.area(con, area)
            else:
                kind, (code, name, members) = "organisation", scopes.organisation(con, organisation or "")
            about = Scope(kind, code, name, members, scopes.first_day(start), scopes.last_day(end), as_of)
            beside.mkdir(parents=True)
            _fill(con, about, beside)
        _swap(beside, to)
    except OSError as error:
        raise LightwellError(f"the briefing in {to} could not be written: {error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return sorted(path for path in to.rglob("*") if path.is_file())


def _fill(con: "Connection", about: Scope, folder: Path) -> None:
    from lightwell.briefing import charts
    from lightwell.briefing.page import Page, html
    from lightwell.briefing.paper import pdf

    con.execute("SET TimeZone = 'UTC'")
    content = gather(con, about)
    notes = _notes(con, content)
    release = records(con, "SELECT release_id, built_at FROM release_info")[0]
    drawn = [charts.draw(p, _source(p.ids, notes, release["release_id"])) for p in content.pictures]
    found = caveats(con, about, content, notes)
    page = Page(about.name, _subtitle(about), _about(about, release), release["built_at"], content, drawn, notes, found)
    (folder / "briefing.html").write_text(html(page), encoding="utf-8")
    (folder / "briefing.pdf").write_bytes(pdf(page))
    (folder / "caveats.md").write_text(sheet(about.name, found), encoding="utf-8")
    references = list(notes.numbers)
    (folder / "citations.json").write_text(csl_json(references), encoding="utf-8")
    (folder / "citations.bib").write_text(bibtex(references), encoding="utf-8")
    (folder / "charts").mkdir()
    for one in drawn:
        (folder / "charts" / f"{one.name}.svg").write_text(one.svg, encoding="utf-8")
        (folder / "charts" / f"{one.name}.png").write_bytes(one.png)
    (folder / "data").mkdir()
    export.write(
        con, {**content.selects, "citations": _numbered(notes)}, folder / "data", title=f"Briefing: {about.name}"
    )
    _write_sums(folder)


def _notes(con: "Connection", content: Content) -> Notes:
    """Every number that is shown gets its notes, in the order of the page."""
    numbers = [fact.number for fact in content.facts]
    cells = [cell for table in content.tables for row in table.rows for cell in row if isinstance(cell, Number)]
    wanted = [one.ids for one in numbers] + [p.ids for p in content.pictures] + [one.ids for one in cells]
    notes = Notes(cite(con, [one for ids in wanted for one in ids]))
    for ids in wanted:
        notes.mark(ids)
    return notes


def _numbered(notes: Notes) -> str:
    """The SELECT of the observations shown, each with its note."""
    pairs = ", ".join(f"({note}, {quoted(one)})" for one, note in notes.shown.items()) or "(0, '')"
    return (
        f"{_NUMBERED}SELECT shown.note, citation.* FROM citation "  # noqa: S608  quoted
        f"JOIN (VALUES {pairs}) AS shown (note, observation_id) USING (observation_id)"
    )


def _source(ids: tuple[str, ...], notes: Notes, release_id: str) -> str:
    """Who counted, in which documents, in which release: the line under a picture."""
    cited: dict[str, list[Cited]] = {}
    for one in ids:
        of = notes.cited[one]
        cited.setdefault(of.reference.publisher, []).append(of)
    said = []
    for publisher, listed in cited.items():
        numbers = sorted({notes.shown[one.observation_id] for one in listed})
        said.append(
            f"{publisher}, notes {', '.join(map(str, numbers))}"
            if len(numbers) > 1
            else f"{publisher}, note {numbers[0]}"
        )
    return f"Source: {'; '.join(said)}. Lightwell release {release_id}."


def _subtitle(about: Scope) -> str:
    if about.kind == "area":
        return "Online sexual exploitation of children: what is counted, by whom, and what is not"
    return "Reports and enforcement on child sexual exploitation: two sides of the count"


def _about(about: Scope, release: dict[str, object]) -> str:
    parts = [f"Lightwell release {release['release_id']}, built {str(release['built_at'])[:10]}"]
    if about.start or about.end:
        parts.append(f"periods {about.start or 'first held'} to {about.end or 'last held'}")
    if about.as_of:
        parts.append(f"as known on {about.as_of}")
    if len(about.members) > 1:
        parts.append("with " + ", ".join(name for code, name in about.members if code != about.code))
    return "; ".join(parts) + ". Small numbers beside a figure lead to the notes."


# --- the folder ------------------------------------------------------------------------------------------------------


def _write_sums(folder: Path) -> None:
    """One line a file, as `sha256sum --check SHA256SUMS` takes it."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def _refuse_foreign(to: Path) -> None:
    """Raises LightwellError where the folder holds anything that no briefing wrote."""
    if to.exists() and not to.is_dir():
        raise LightwellError(f"{to} is a file: name a folder")
    held = {path.relative_to(to).as_posix() for path in to.rglob("*") if path.is_file()} if to.is_dir() else set()
    if not held:
        return
    sums = to / SUMS
    ours = {line[66:] for line in sums.read_text(encoding="utf-8").splitlines()} | {SUMS} if sums.is_file() else set()
    if foreign := sorted(held - ours):
        raise LightwellError(f"{to / foreign[0]} is not of a briefing: move it away, or name another folder")


def _swap(beside: Path, to: Path) -> None:
    """Put the new folder in the place of the old one."""
    old = to.with_name(f".{to.name}.{os.getpid()}.old")
    if to.exists():
        to.rename(old)
    beside.rename(to)
    shutil.rmtree(old, ignore_errors=True)
