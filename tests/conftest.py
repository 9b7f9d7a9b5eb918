"""What several test files share: where the originals stand, and a data home of the test's own."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lightwell.archive import Document
from lightwell.settings import Settings

ROOT = Path(__file__).parents[1]
ORIGINALS = ROOT.parent / "shared" / "reports"


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
