"""What several test files share: where the originals stand, data homes of the test's own, the command line."""

import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lightwell import source
from lightwell.archive import Document
from lightwell.settings import Settings, resource

ROOT = Path(__file__).parents[1]
ORIGINALS = ROOT.parent / "shared" / "reports"
collect_ignore = [] if os.environ.get("LIGHTWELL_TEST_ORCHESTRATION") == "1" else ["orchestration"]  # minutes each


SMALL = ("ncmec_by_country", "ncmec_by_esp", "ncmec_ojjdp")
SLOW = {  # every test of these files builds a release, or starts processes
    "test_briefing.py",
    "test_claims.py",
    "test_dumps.py",
    "test_estimate.py",
    "test_export.py",
    "test_lake.py",
    "test_orchestration.py",
    "test_statements.py",
    "test_store.py",
    "test_views_answers.py",
    "test_views_countries.py",
    "test_views_platforms.py",
    "test_views_statements.py",
    "test_warehouse.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that builds from the edition, starts from such a build or reads whole originals is slow by nature."""
    for item in items:
        if item.path.name in SLOW or {"_built_once", "_small_once", "originals"} & set(
            getattr(item, "fixturenames", ())
        ):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def originals() -> Path:
    """The publishers' own files, where this machine has them."""
    if not ORIGINALS.is_dir():
        pytest.skip("the publishers' originals are not on this machine (../shared/reports)")
    return ORIGINALS


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data home in a temporary folder."""
    return Settings(home=tmp_path / "home", allow_private_addresses=True, seconds_between_requests=0.0)


@pytest.fixture(scope="session")
def _built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one release made from the edition, once for all workers. Nobody writes to it: see `built`."""
    return _released_once(Settings(home=_of_all_workers(tmp_path_factory) / "edition", offline=True))


@pytest.fixture(scope="session")
def small_edition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The part of the edition that NCMEC published: built in seconds, where it does not matter what a release holds."""
    whole, folder = resource("edition"), tmp_path_factory.mktemp("small_edition")
    header, *rows = (whole / "documents.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [row for row in rows if row.split(",")[1] in SMALL]
    (folder / "documents.csv").write_text("".join([header, *kept]), encoding="utf-8")
    for name in SMALL:
        shutil.copytree(whole / "figures" / name, folder / "figures" / name)
    return folder


@pytest.fixture(scope="session")
def _small_once(small_edition: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one release made from the small edition. Nobody writes to it: see `small`."""
    home = _of_all_workers(tmp_path_factory) / "small"
    return _released_once(Settings(home=home, offline=True, edition=small_edition))


def _of_all_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def _released_once(settings: Settings) -> Path:
    from lightwell import refresh

    with settings.home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refresh.release(settings)
    return settings.home


@pytest.fixture
def small(_small_once: Path, small_edition: Path, tmp_path: Path) -> Settings:
    """A data home of the test's own in which the small edition is built and published."""
    home = tmp_path / "home"
    shutil.copytree(_small_once, home, symlinks=True)
    return Settings(home=home, edition=small_edition, allow_private_addresses=True, seconds_between_requests=0.0)


@pytest.fixture
def built(_built_once: Path, tmp_path: Path) -> Settings:
    """A data home of the test's own in which the edition is built and published."""
    home = tmp_path / "home"
    shutil.copytree(_built_once, home, symlinks=True)
    return Settings(home=home, allow_private_addresses=True, seconds_between_requests=0.0)


@pytest.fixture
def released(_built_once: Path) -> Settings:
    """The data home in which the edition is built and published, for tests that only ask."""
    return Settings(home=_built_once, offline=True)


@dataclass(frozen=True, slots=True)
class Ran:
    """What one run of the command line printed, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture
def lightwell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run `lightwell` in this process, through `main`, as the installed script does."""
    from lightwell import cli

    for name in ("HOME", "SOURCES", "EDITION", "OFFLINE", "ALLOW_PRIVATE_ADDRESSES"):
        monkeypatch.delenv(f"LIGHTWELL_{name}", raising=False)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the handlers of this process stay as they are

    def run(*arguments: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["lightwell", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run


def document(path: Path, source_id: str = "ncmec_by_esp") -> Document:
    """A document that stands at `path`, as the archive would describe it."""
    return Document(
        document_id="0" * 64,
        source_id=source_id,
        url=None,
        title=None,
        published_on=None,
        published_basis=None,
        retrieved_at=datetime(2026, 1, 1, tzinfo=UTC),
        media_type="application/pdf",
        bytes=path.stat().st_size,
        licence="",
        method="added",
        path=path,
    )


def release_archive(settings: Settings) -> str:
    """Build and publish what the archive holds, without the edition and the transcriptions, which may grow."""
    from lightwell import reading, refresh, warehouse

    sources = source.list_sources(settings)
    items = [item for item in reading.inputs(sources, settings) if item.document.method in ("fetched", "added")]
    built = refresh.build(refresh.prepare(items, settings), settings, sources=sources, digest="of the archive alone")
    return warehouse.publish(built, settings)
