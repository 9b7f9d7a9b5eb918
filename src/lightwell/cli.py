"""The command line: a thin face. Each command calls one function and prints what it returns."""

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn

from lightwell import __version__, refresh, source
from lightwell.errors import LightwellError
from lightwell.settings import Settings

if TYPE_CHECKING:
    from lightwell import claims

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
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="Show what was known that day.", show_default=False),
]
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
        str | None,
        typer.Option(
            help="The data home, a folder or s3://BUCKET/PREFIX (default: $LIGHTWELL_HOME, else ./warehouse).",
            show_default=False,
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    named = {} if home is None else {"LIGHTWELL_HOME": home}
    context.obj = Settings.from_environment({**os.environ, **named})


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


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _show(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, as_json: bool = False) -> None:
    if as_json:
        _print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    from lightwell.rows import format_rows

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
    cited: Annotated[bool, typer.Option("--cite", help="Add the documents behind the rows.")] = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Ask the current release in SQL. Read-only, without access to files or network.

    With --cite the documents that observation_id, document_id or source_id lead to are added: under a table, inside
    JSON, else beside FILE as FILE.citations.json (CSL-JSON) or on standard error.

    Example: lightwell query "SELECT year, reports, observation_ids FROM reports_by_area WHERE ref_area = 'PHL'" --cite
    """
    from lightwell import warehouse
    from lightwell.rows import write_rows

    form = "json" if as_json else output
    columns, rows = warehouse.query(sys.stdin.read() if sql == "-" else sql, context.obj, as_of=_day(as_of))
    if cited:
        from lightwell import citations

        for line in citations.write_cited(context.obj, columns, rows, form, to):
            err.print(escape(line))
    else:
        write_rows(columns, rows, form, to)


@app.command()
def trend(
    context: typer.Context,
    metric: Annotated[str, typer.Argument(help="A metric, for example cybertip_reports.")],
    by: Annotated[str | None, typer.Option(help="reporter, subject, ref_area or harm.")] = None,
    where: Annotated[str | None, typer.Option(help="A SQL condition on observation.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="First period: 2020 or 2020-07.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last period.")] = None,
    as_of: AsOf = None,
    output: Annotated[str, typer.Option("--format", "-f", help="table, csv or json.")] = "table",
    as_json: Json = False,
) -> None:
    """One metric over time: printed totals, or a series for each member of a dimension. Nothing is added up.

    Example: lightwell trend cybertip_reports --by ref_area --where "ref_area = 'PHL'" --from 2020
    """
    from lightwell import answers
    from lightwell.rows import write_rows

    found = answers.trend(context.obj, metric, by=by, where=where, start=start, end=end, as_of=_day(as_of))
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
def quoted(
    context: typer.Context,
    check: Annotated[str | None, typer.Option(help="Find the figures that this text quotes.")] = None,
    conflict: Annotated[str | None, typer.Option(help="Only what this conflict concerns, for example C2.")] = None,
    as_json: Json = False,
) -> None:
    """Figures quoted in two public texts, each with its place there and what contradicts it.

    Example: lightwell quoted --check "48,000 cases a week"
    """
    from lightwell import claims
    from lightwell import quoted as quotes

    if check is not None:
        _show_checked(claims.check(context.obj, claims.read_text(check), quoted_only=True), as_json=as_json)
        return
    rows = quotes.rows(context.obj, conflict)
    conflicts = quotes.conflicts(context.obj, conflict) if conflict else []
    if as_json:
        _print_json({"quoted": rows, "conflicts": [asdict(c) for c in conflicts]} if conflict else rows)
        return
    columns = ("quoted_id", "part", "said", "what", "time_period", "ref_area", "conflicts", "status", "place")
    _show(columns, [quotes.line(row) for row in rows])
    for line in quotes.told(conflicts):
        typer.echo(line)


@app.command("check-claim")
def check_claim(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A text, a file that holds it, or - for standard input.")],
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 where something is contradicted.")] = False,
    as_json: Json = False,
) -> None:
    """Hold the numbers of a text against the release: what matches, what is rounded, what contradicts, with citations.

    Exit code 0 whatever is found (3 with --strict where something is contradicted), 1 where the text cannot be read.

    Example: lightwell check-claim "In 2022 the Philippines had 2.6 million CyberTipline reports"
    """
    from lightwell import claims

    given = claims.read_text(text, sys.stdin.buffer.read(4 * claims.LARGEST_TEXT + 1) if text == "-" else None)
    checked = claims.check(context.obj, given)
    _show_checked(checked, as_json=as_json)
    if strict and checked.contradicted:
        raise typer.Exit(3)


def _show_checked(checked: "claims.Checked", *, as_json: bool) -> None:
    from lightwell import claims

    if as_json:
        _print_json(asdict(checked))
        return
    if rows := claims.table(checked):
        _show(claims.TABLE, rows)
    for line in claims.remarks(checked):
        typer.echo(line)


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


# ----------------------------------------------------------------------------------------------------------- estimates


@app.command("estimate")
def estimate_command(
    table: Annotated[Path, typer.Argument(metavar="TABLE.csv", help="Counts of people by combination of lists.")],
    model: Annotated[str | None, typer.Option(help="Fit this model too: '[12,3]', or by names '[LA:NG,PF]'.")] = None,
    max_order: Annotated[int | None, typer.Option(help="Largest interaction to try: 2 is pairs of lists.")] = None,
    p: Annotated[float, typer.Option("--p", help="Stepwise adds an interaction if its p-value is below this.")] = 0.02,
    bootstrap: Annotated[int, typer.Option(help="Replicates of the BCa interval; 0 for none.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the replicates: the same seed gives the same interval.")] = 1234,
    count: Annotated[str | None, typer.Option(help="The count column, where its name does not tell.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw a forest plot into this .svg or .png file.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    as_json: Json = False,
) -> None:
    """Estimate how many people there are from lists that overlap, in every usual way, and say how far they disagree.

    TABLE.csv holds counts, one row for each combination of lists, never a row for each person; combinations that are
    not there count 0. Two shapes are read, columns in any order, separated by comma, semicolon or tab:

    \b
      LA,NG,PF,count       a column of 0 and 1 for each list, named as the list,
      1,0,0,54             and a column of counts (count, n, freq, Frequency, ...;
      1,1,0,15             --count NAME if it is named otherwise)
    \b
      history,count        one column of histories, a digit for each list;
      100,54               the lists are then called A, B, C, ...
      110,15

    Printed together: main effects, the best model by BIC and by AIC (two to five lists: of all models; more: walking
    downhill), forward stepwise by p-value, Chao's lower bound, every answer with one list left out, two lists at a time
    (Lincoln-Petersen, Chapman). A model without a finite or identifiable estimate is refused, with the reason.
    Exit code 1 if --model is refused or nothing could be estimated.

    \b
    Example: lightwell estimate lists.csv --plot lists.svg
             lightwell estimate lists.csv --model "[12,3]" --bootstrap 0 --json
    """
    from lightwell import estimate as estimation
    from lightwell.rows import format_rows

    if as_csv and as_json:
        raise typer.BadParameter("--csv and --json exclude each other")
    counts = estimation.read_table(table, count)
    options = estimation.Options(max_order, p, bootstrap, seed)
    with _progress() as say:
        report = estimation.estimate(counts, model, options, say)
    if plot is not None:
        estimation.draw(report, plot)
        err.print(f"drawn: {plot}", markup=False)
    if as_json:
        _print_json(estimation.as_json(report))
    else:
        rows = estimation.as_rows(report)
        text = format_rows(estimation.COLUMNS, rows, "csv") if as_csv else estimation.as_text(report)
        typer.echo(text, nl=False)
    if as_csv:
        err.print(report.disagreement, *report.caveats, sep="\n", markup=False)
    asked = [a for a in report.answers if a.method == "model"] or report.answers
    if all(a.estimate is None for a in asked):
        raise typer.Exit(1)


# ------------------------------------------------------------------------------------------------------------ releases


@app.command()
def export(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Tables, views or exports; all of them if none.")] = None,
    to: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("exports"),
    formats: Annotated[
        list[str] | None, typer.Option("--format", "-f", help="parquet or xlsx, beside the CSV; can be repeated.")
    ] = None,
    as_of: AsOf = None,
) -> None:
    """Write sorted CSV files and a datapackage.json with units, definitions, caveats and every document's citation.

    With --as-of every view shows what was known that day; tables, such as observation_vintage, hold all there is.

    Example: lightwell export reports_by_area --to briefing/ --format xlsx
    """
    from lightwell.export import export as write

    for path in write(context.obj, names or [], to, formats=formats or (), as_of=_day(as_of)):
        typer.echo(str(path))


@app.command()
def briefing(
    context: typer.Context,
    to: Annotated[Path, typer.Option(help="The folder to write; an earlier briefing in it is replaced.")],
    area: Annotated[str | None, typer.Option(help="An area: PHL, or a name of it.")] = None,
    organisation: Annotated[str | None, typer.Option(help="An organisation: snap, or a name of it.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="First period: 2020 or 2020-07.")] = None,
    end: Annotated[str | None, typer.Option("--until", help="Last period.")] = None,
    as_of: AsOf = None,
) -> None:
    """Write a page on one area or organisation as HTML and PDF, with charts, data, citations, caveats and checksums.

    Example: lightwell briefing --area PHL --to briefing-phl/
    """
    from lightwell import briefing as briefings

    if (area is None) == (organisation is None):
        raise typer.BadParameter("give one of --area and --organisation")
    written = briefings.write(
        context.obj, to, area=area, organisation=organisation, start=start, end=end, as_of=_day(as_of)
    )
    for path in written:
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
def lake(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="The catalogue: 'postgres:dbname=... host=...', or a file.")],
    data: Annotated[Path | None, typer.Option(help="The shared folder of the Parquet files; for a new lake.")] = None,
    keep_days: Annotated[int, typer.Option(min=0, help="Let go of snapshots that are older.")] = 30,
) -> None:
    """Write the current release into a DuckLake, where many analysts ask at once. docs/scaling.md says how.

    Example: lightwell lake "postgres:dbname=lake host=db.example user=lightwell" --data /srv/lake
    """
    from lightwell import lake as lakes

    done = lakes.publish(context.obj, target, data, keep_days=keep_days)
    said = "published release {}: {} tables" if done.new else "the lake holds release {} already: {} tables"
    typer.echo(said.format(done.release_id, done.tables))


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


# ---------------------------------------------------------------------------------------------------------- statements

statements_app = typer.Typer(
    help="Daily dumps of the EU's DSA Transparency Database.\n\n"
    "Example: lightwell statements reduce sor-tiktok-2025-09-15-light.zip --to cubes/",
    no_args_is_help=True,
)
app.add_typer(statements_app, name="statements")


@statements_app.command("reduce")
def statements_reduce(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Dumps as downloaded, each with its .sha1.")],
    to: Annotated[Path, typer.Option(help="The folder to write the cubes to.")],
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one a core if not given.")] = None,
    unverified: Annotated[bool, typer.Option("--unverified", help="Take a dump that has no .sha1.")] = False,
    as_json: Json = False,
) -> None:
    """Count the statements of daily dumps into two small cubes a dump, as Parquet by day and platform.

    Rows in = rows counted + rows rejected, or nothing is written. No text or identifier of a statement is kept.

    Example: lightwell statements reduce sor-tiktok-2025-09-15-light.zip --to cubes/
    """
    from lightwell import statements

    columns = ("dump", "rows", "counted", "rejected", "about_minors", "platforms", "sha1_verified")
    with _progress() as say:
        for one in statements.reduce(files, to, workers=workers, unverified=unverified, progress=say):
            receipt = asdict(one.receipt)
            for name, line, reason in one.rejected:
                err.print(f"rejected: {name} line {line}: {reason}", markup=False)
            if as_json:
                typer.echo(json.dumps(receipt))
            else:
                row = receipt | {"rejected": sum(one.receipt.rejected.values())}
                typer.echo(", ".join(f"{name} {_spaced(row[name])}" for name in columns))


@statements_app.command("monthly")
def statements_monthly(
    context: typer.Context,
    to: Annotated[Path, typer.Option(help="The CSV file to write.")],
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="A folder of cubes; the data home's if not given.")
    ] = None,
) -> None:
    """Write the cubes' counts by platform and month as the CSV that the source dsa_statements reads.

    Only days on end are written: a month with a gap in its days is named and left out.

    The data home's cubes are those that the scheduler's tasks reduced, on whichever machine.

    Example: lightwell statements monthly cubes/ --to months.csv
    """
    from lightwell import dumps, rows, store
    from lightwell.statements import months

    if folder is None:
        store.take_cubes(context.obj)
        folder = dumps.home_of(context.obj)
    made = months.table(folder)
    for platform, month in made.left_out:
        err.print(f"left out: {platform} {month}: not every day between its first and last was reduced", markup=False)
    if not made.lines:
        raise LightwellError(f"{folder} has no month or range of days to write: reduce dumps to it first")
    rows.write_text(made.text, to)
    typer.echo(f"{made.lines:,} counts; next: lightwell add dsa_statements {to} --published DAY (of the reduction)")


def _spaced(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


@app.command(hidden=True)
def edition(context: typer.Context, to: Annotated[Path, typer.Option(help="The folder to write to.")]) -> None:
    """Write the edition from the documents in the archive (for maintainers, who have the originals).

    Example: lightwell --home /tmp/originals edition --to warehouse/edition
    """
    from lightwell import reading

    documents, count = reading.write_edition(source.list_sources(context.obj), context.obj, to)
    typer.echo(f"{documents} documents, {count} figures")
