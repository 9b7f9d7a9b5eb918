"""The quality report: what every check found, document by document, on one page that needs nothing else."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from lightwell.archive import Document
from lightwell.quality.checks import Check, Verdict
from lightwell.source import Source


def write_report(
    path: Path,
    release_id: str,
    built_at: datetime,
    rows: Sequence[tuple[Source, Document, Verdict]],
    release_checks: Sequence[Check],
) -> None:
    """Write the quality report: one HTML file that loads nothing, opens offline and prints."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ordered = sorted(rows, key=lambda row: (row[0].id, row[1].url or "", row[1].document_id))
    verdicts = [verdict for _, _, verdict in ordered]
    checks = [*release_checks, *(check for verdict in verdicts for check in verdict.checks)]
    html = environment.get_template("report.html.j2").render(
        release_id=release_id,
        built_at=built_at,
        sources=_by_source(ordered),
        release_checks=release_checks,
        released=sum(verdict.released for verdict in verdicts),
        held=sum(not verdict.released for verdict in verdicts),
        held_rows=sum(q.scope == "row" for verdict in verdicts for q in verdict.quarantined),
        failed=sum(not check.passed and check.severity == "critical" for check in checks),
        warned=sum(not check.passed and check.severity != "critical" for check in checks),
        checks=len(checks),
    )
    path.write_text(html, encoding="utf-8")


def _by_source(
    rows: Sequence[tuple[Source, Document, Verdict]],
) -> list[tuple[Source, list[tuple[Document, Verdict]]]]:
    """Rows sorted by source, one entry a source."""
    sources = {source.id: source for source, _, _ in rows}
    return [(sources[key], [(d, v) for s, d, v in rows if s.id == key]) for key in sources]
