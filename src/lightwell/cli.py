"""The command line: a thin face. Each command calls one function and prints what it returns."""

import json
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn

from lightwell import __version__, refresh, source
from lightwell.errors import LightwellError
from lightwell.settings import Settings

app = typer.Typer(
    name="lightwell",
    help="Public aggregate counts on the online sexual exploitation of children: gathered, checked, queryable.",
    epilog='Try: lightwell status  |  lightwell trend cybertip_reports  |  lightwell query "SELECT * FROM freshness"',
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
err = Console(stderr=True, soft_wrap=True, highlight=False)

_CITED = (
    "observation_id", "source_id", "label_text", "time_period", "obs_value", "unit_measure", "obs_text", "place",
    "locator", "title", "url", "document_id", "published_on", "retrieved_at", "note",
)  # fmt: skip

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
SourceIds = Annotated[list[str] | None, typer.Argument(help="Source ids; all if none is given.", show_default=False)]
Offline = Annotated[bool, typer.Option("--offline", help="Ask nothing of the network.")]


def main() -> None:
    """Run `lightwell`. Whatever a user, a publisher or the network can cause ends in one line and exit code 1."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # output into `head` ends quietly
    try:
        app(prog_name="lightwell")
    except LightwellError as error:
        err.print(f"lightwell: {escape(str(error))}")
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("lightwell: stopped; the published release is untouched and the next run goes on from here")
        sys.exit(130)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lightwell {__version__}")
        raise typer.Exit


@app.callback()
def _global(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(help="The data home (default: $LIGHTWELL_HOME, else ./warehouse).", show_default=False),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    settings = Settings.from_environment()
    context.obj = settings if home is None else replace(settings, home=home.expanduser().absolute())


# ------------------------------------------------------------------------------------------------------------ printing


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, date | datetime | Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _print_json(data: Any) -> None:
    typer.echo(json.dumps(_plain(data), ensure_ascii=False, indent=2, default=str))


def _show(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, as_json: bool = False) -> None:
    if as_json:
        _print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    from lightwell.export import format_rows

    typer.echo(format_rows(columns, rows, "table"), nl=False)


@contextmanager
def _progress() -> Iterator[refresh.Progress]:
    """A line that says what is going on, on a terminal; nothing where the output is piped or logged."""
    bar = Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed}/{task.total}"),
        console=err, transient=True, disable=not err.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task("")

        def say(step: str, done: int, total: int) -> None:
            bar.update(task, description=step, completed=done, total=total)

        yield say


def _say_fetched(fetched: refresh.Fetched, settings: Settings) -> None:
    if settings.offline:
        err.print("offline: nothing was asked of the network")
    for publisher, reason in refresh.unreachable_publishers(fetched, settings).items():
        err.print(f"{escape(publisher)} cannot be reached: {escape(reason)}")
    for attempt in fetched.attempts:
        if attempt.outcome == "stored":
            err.print(f"new: {escape(str(attempt.url))}")
    failed = [a for a in fetched.attempts if a.outcome == "failed" and not refresh.is_unreachable(a, fetched)]
    for attempt in failed[:5]:
        err.print(f"{attempt.source_id}: {escape(attempt.reason or 'failed')}")
    if len(failed) > 5:
        err.print(f"... and {len(failed) - 5} more attempts failed: the table fetch_outcome has them")


def _show_held(settings: Settings) -> None:
    """The status of the sources that hold something; how many hold nothing yet is said in one line."""
    from lightwell import answers

    found = answers.status(settings)
    held = [row for row in found.rows if row[1]]
    _show(found.columns, held)
    if empty := len(found.rows) - len(held):
        err.print(f"{empty} more declared sources hold no document yet: lightwell status")


# ------------------------------------------------------------------------------------------------------------- running


@app.command("refresh")
def refresh_command(context: typer.Context, sources: SourceIds = None, offline: Offline = False) -> None:
    """Fetch what is due, build, check and publish. Nothing new: nothing is published.

    Example: lightwell refresh ncmec_by_esp
    """
    settings = replace(context.obj, offline=context.obj.offline or offline)
    with _progress() as say:
        done = refresh.refresh(settings, sources or (), progress=say)
    _say_fetched(done.fetched, settings)
    if done.published:
        err.print(f"published release {done.release_id} ({done.read} documents read anew)")
    else:
        err.print(f"nothing new: release {done.release_id} stays the current one")
    _show_held(settings)
    err.print("Try next:")
    err.print('  lightwell query "SELECT * FROM reports_by_organisation ORDER BY reports DESC LIMIT 10"', markup=False)
    err.print("  lightwell trend cybertip_reports --by ref_area --where \"ref_area = 'PHL'\"", markup=False)
    err.print("  lightwell export --to exports/", markup=False)


@app.command()
def fetch(context: typer.Context, sources: SourceIds = None, as_json: Json = False) -> None:
    """Fetch what is due into the archive, without building.

    Example: lightwell fetch ncmec_by_country
    """
    with _progress() as say:
        fetched = refresh.fetch(context.obj, sources or (), progress=say)
    if as_json:
        _print_json([asdict(a) for a in fetched.attempts])
        return
    _say_fetched(fetched, context.obj)
    err.print(f"{len(fetched.attempts)} attempts, {fetched.stored} new documents")


@app.command()
def add(
    context: typer.Context,
    source_id: Annotated[str, typer.Argument(metavar="SOURCE", help="The source the file belongs to.")],
    file: Annotated[Path, typer.Argument(help="The file, as downloaded.")],
    url: Annotated[str | None, typer.Option(help="Where it was downloaded from.")] = None,
    published: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="When it was published.")] = None,
) -> None:
    """Take a file that was downloaded by hand into the archive, through the checks a fetched one passes.

    Example: lightwell add ncmec_by_country 2023.pdf --published 2024-05-01 && lightwell build
    """
    from lightwell.fetch import add as add_file

    one = source.load(source_id, context.obj)
    attempt = add_file(one, file, context.obj, url=url, published=published.date() if published else None)
    known = "already in the archive" if attempt.outcome == "unchanged" else "added"
    typer.echo(f"{known}: {attempt.document_id}")
    err.print("next: lightwell build")


@app.command()
def build(
    context: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Build even if nothing changed.")] = False,
) -> None:
    """Build, check and publish a release from what the archive and the edition hold.

    Example: lightwell build --force
    """
    with _progress() as say:
        release_id, published, read = refresh.release(context.obj, force=force, progress=say)
    if published:
        typer.echo(f"published release {release_id} ({read} documents read anew)")
    else:
        typer.echo(f"nothing new: release {release_id} stays the current one")
    from lightwell import answers

    for held in answers.held_documents(context.obj).records():
        err.print(f"in quarantine: {held['source_id']} {held['document_id'][:12]}: {escape(held['reason'])}")


# ------------------------------------------------------------------------------------------------------------- looking


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """What each source holds, how new it is, and what is late or in quarantine.

    Example: lightwell status --json
    """
    from lightwell import answers

    found = answers.status(context.obj)
    _show(found.columns, found.rows, as_json=as_json)


@app.command()
def sources(context: typer.Context, as_json: Json = False) -> None:
    """The declared sources: what each counts, how often it appears, where.

    Example: lightwell sources --json
    """
    listed = source.list_sources(context.obj)
    if as_json:
        _print_json([{**one.model_dump(include={"id", "title", "publisher", "cadence", "landing_page", "licence"}),
                      "description": one.description.strip(), "caveats": one.caveats} for one in listed])  # fmt: skip
        return
    _show(["source", "title", "publisher", "cadence"], [(s.id, s.title, s.publisher, s.cadence) for s in listed])


@app.command()
def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(help="One SELECT, or - to read it from standard input.")],
    output: Annotated[str, typer.Option("--format", "-f", help="table, csv, json or parquet.")] = "table",
    to: Annotated[Path | None, typer.Option(help="The file to write; needed for parquet.")] = None,
    as_json: Json = False,
) -> None:
    """Ask the current release in SQL. Read-only, without access to files or network.

    Example: lightwell query "SELECT time_period, obs_value FROM observation LIMIT 5" --format csv
    """
    from lightwell import warehouse
    from lightwell.export import write_rows

    columns, rows = warehouse.query(sys.stdin.read() if sql == "-" else sql, context.obj)
    write_rows(columns, rows, "json" if as_json else output, to)


@app.command()
def trend(
    context: typer.Context,
    metric: Annotated[str, typer.Argument(help="A metric, for example cybertip_reports.")],
    by: Annotated[str | None, typer.Option(help="reporter, subject, ref_area or harm.")] = None,
    where: Annotated[str | None, typer.Option(help="A SQL condition on observation.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="First period: 2020 or 2020-07.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last period.")] = None,
    output: Annotated[str, typer.Option("--format", "-f", help="table, csv or json.")] = "table",
    as_json: Json = False,
) -> None:
    """One metric over time: printed totals, or a series for each member of a dimension. Nothing is added up.

    Example: lightwell trend cybertip_reports --by ref_area --where "ref_area = 'PHL'" --from 2020
    """
    from lightwell import answers
    from lightwell.export import write_rows

    found = answers.trend(context.obj, metric, by=by, where=where, start=start, end=end)
    write_rows(found.columns, found.rows, "json" if as_json else output, None)
    for note in found.notes:
        err.print(escape(note))


@app.command()
def restatements(
    context: typer.Context,
    source_id: Annotated[str | None, typer.Option("--source", help="Only this source.")] = None,
    over: Annotated[float, typer.Option(help="Only changes of at least this share, 0.25 for a quarter.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Figures that a later document prints otherwise.

    Example: lightwell restatements --source ncmec_ojjdp --over 0.01
    """
    from lightwell import answers

    found = answers.restatements(context.obj, source_id=source_id, over=over)
    _show(found.columns, found.rows, as_json=as_json)


@app.command()
def cite(
    context: typer.Context,
    observation_id: Annotated[str, typer.Argument(help="An observation_id, or its beginning.")],
    image: Annotated[Path | None, typer.Option(help="Draw the page with the figure boxed into this PNG.")] = None,
    as_json: Json = False,
) -> None:
    """Where a figure was printed: document, page, box, printed text, URL, retrieval date, other vintages.

    Example: lightwell cite 3f2a --image page.png
    """
    from lightwell import answers

    cited = answers.cite(context.obj, observation_id)
    if as_json:
        _print_json(cited)
    else:
        typer.echo(cited["citation"])
        for name in _CITED:
            if cited[name] is not None:
                typer.echo(f"  {name:<15} {_plain(cited[name])}")
        for vintage in cited["vintages"]:
            typer.echo(
                f"  other vintage   {vintage['published_on']} {vintage['obs_text']} ({vintage['observation_id']})"
            )
    if image is not None:
        err.print(f"drawn: {answers.draw(context.obj, cited, image)}")


@app.command()
def unmapped(context: typer.Context, as_json: Json = False) -> None:
    """Names no codelist knows, with the nearest known ones, and figures in quarantine.

    Example: lightwell unmapped --json
    """
    from lightwell import answers

    found = answers.unmapped(context.obj)
    _show(found.columns, found.rows, as_json=as_json)


@app.command()
def quarantine(context: typer.Context, as_json: Json = False) -> None:
    """What is held and not published, each with the reason and what to do.

    Example: lightwell quarantine
    """
    from lightwell import answers

    found = answers.quarantine(context.obj)
    _show(found.columns, found.rows, as_json=as_json)


# ------------------------------------------------------------------------------------------------------------ releases


@app.command()
def export(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Tables, views or exports; the usual set if none.")] = None,
    to: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("exports"),
) -> None:
    """Write sorted CSV files and a datapackage.json with units, definitions, caveats and every document's citation.

    Example: lightwell export reports_by_area --to briefing/
    """
    from lightwell.export import export as write

    for path in write(context.obj, names or [], to):
        typer.echo(str(path))


@app.command()
def releases(context: typer.Context, as_json: Json = False) -> None:
    """The releases kept, newest first.

    Example: lightwell releases
    """
    from lightwell import warehouse

    rows = [
        (r.release_id, f"{r.published_at:%Y-%m-%d %H:%M}", sum(c["observations"] for c in r.counts.values()), r.current)
        for r in warehouse.releases(context.obj)
    ]
    _show(["release", "published", "observations", "current"], rows, as_json=as_json)


@app.command()
def rollback(
    context: typer.Context,
    release_id: Annotated[str | None, typer.Argument(help="The release to go back to; the one before if none.")] = None,
) -> None:
    """Make an earlier release the current one. The next build that finds something new publishes again.

    Example: lightwell rollback
    """
    from lightwell import warehouse

    typer.echo(f"current release: {warehouse.rollback(context.obj, release_id).release_id}")


@app.command()
def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Look over declarations, codelists, edition, archive and release. Exit code 1 if something is wrong.

    Example: lightwell doctor
    """
    from lightwell import answers

    findings = answers.doctor(context.obj)
    if as_json:
        _print_json([asdict(f) for f in findings])
    for finding in findings if not as_json else ():
        typer.echo(f"{'ok  ' if finding.well else 'BAD '} {finding.what}: {finding.said}")
    if not all(f.well for f in findings):
        raise typer.Exit(1)


@app.command(hidden=True)
def edition(context: typer.Context, to: Annotated[Path, typer.Option(help="The folder to write to.")]) -> None:
    """Write the edition from the documents in the archive (for maintainers, who have the originals).

    Example: lightwell --home /tmp/originals edition --to warehouse/edition
    """
    from lightwell import reading

    documents, count = reading.write_edition(source.list_sources(context.obj), context.obj, to)
    typer.echo(f"{documents} documents, {count} figures")
