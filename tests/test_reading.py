"""Readings: cached by sha256 and extractor version, the edition beside them, and which of the two is taken."""

import csv
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lightwell import archive, reading, source
from lightwell.archive import Document
from lightwell.errors import BuildError, LayoutError
from lightwell.fetch import add
from lightwell.reading import Input, Reading
from lightwell.settings import Settings, resource
from lightwell.source import Source
from lightwell.tables import Figure
from replicas import ListReplica, as_picture, by_country, by_esp

ESP = source.load("ncmec_by_esp")
COUNTRY = source.load("ncmec_by_country")


def add_one(one: Source, replica: ListReplica, settings: Settings, published: date | None = None) -> Document:
    """Typeset a replica, take it into the archive, and return the archived document."""
    path = replica.write(settings.home.parent / f"{one.id}-{replica.year}.pdf")
    found = add(one, path, settings, published=published).document_id
    return next(d for d in archive.documents(settings, [one]) if d.document_id == found)


def as_rows(figures: list[Figure]) -> list[tuple[str, str, str, str]]:
    """Figures as comparable rows, sorted: the edition has an order of its own."""
    return sorted((f.table, json.dumps(dict(f.labels), sort_keys=True), f.text, str(f.locator)) for f in figures)


# --- the cache -------------------------------------------------------------------------------------------------------


def test_a_document_is_read_once(settings: Settings) -> None:
    document = add_one(ESP, by_esp(20), settings)
    assert not reading.is_cached(document, ESP, settings)
    fresh = reading.read(document, ESP, settings)
    assert reading.is_cached(document, ESP, settings)
    assert len(fresh.figures) == 21
    gone = replace(document, path=settings.home / "no such file.pdf")
    assert reading.read(gone, ESP, settings) == fresh, "the second time nothing is read, and the result is the same"


def test_a_reading_is_kept_under_sha256_source_and_version(settings: Settings) -> None:
    document = add_one(ESP, by_esp(20), settings)
    reading.read(document, ESP, settings)
    (kept,) = settings.figures.rglob("*.json")
    assert kept.relative_to(settings.figures).as_posix() == (
        f"{document.document_id[:2]}/{document.document_id}-ncmec_by_esp-{ESP.extractor_version()}.json"
    )
    assert [p for p in settings.figures.rglob("*") if p.is_file()] == [kept], "nothing temporary is left"


@pytest.mark.parametrize("left", ["", "{", "{}", '{"figures": []}', "[]"])
def test_what_a_crash_left_in_the_cache_is_read_anew(left: str, settings: Settings) -> None:
    document = add_one(ESP, by_esp(12), settings)
    fresh = reading.read(document, ESP, settings)
    (kept,) = settings.figures.rglob("*.json")
    kept.write_text(left, encoding="utf-8")
    assert reading.read(document, ESP, settings) == fresh
    assert len(json.loads(kept.read_text(encoding="utf-8"))["figures"]) == 13


def test_another_layout_is_another_reading(settings: Settings) -> None:
    document = add_one(ESP, by_esp(12), settings)
    first = reading.read(document, ESP, settings)
    layout = ESP.layouts[0].model_copy(update={"ignore": [*ESP.layouts[0].ignore, "A line that no page has"]})
    changed = ESP.model_copy(update={"layouts": [layout]})
    assert not reading.is_cached(document, changed, settings)
    second = reading.read(document, changed, settings)
    assert second.extractor_version != first.extractor_version
    assert second.figures == first.figures


def test_a_document_unlike_its_layout_is_a_reading_with_its_reason(settings: Settings) -> None:
    whole = by_esp(20)
    document = add_one(ESP, replace(whole, header=("Name", "Sum")), settings)
    found = reading.read(document, ESP, settings)
    assert found.figures == []
    assert found.problem
    assert reading.read(replace(document, path=None), ESP, settings) == found


def test_a_folder_that_cannot_be_written_is_said(settings: Settings) -> None:
    document = add_one(ESP, by_esp(12), settings)
    settings.figures.write_text("in the way", encoding="utf-8")
    with pytest.raises(BuildError, match=r"cannot write below .*figures"):
        reading.read(document, ESP, settings)


def test_a_year_that_no_layout_covers_and_a_page_without_one() -> None:
    with pytest.raises(LayoutError, match="reports on 2012, and no layout of ncmec_by_esp covers it"):
        reading.choose_layout(ESP, "2012 Reports by ESP")
    with pytest.raises(LayoutError, match="has no text"):
        reading.choose_layout(ESP, "")
    with pytest.raises(LayoutError, match=r"does not say which period .* is this a document of ncmec_by_esp"):
        reading.choose_layout(ESP, "2022 CyberTipline Reports by Country")
    assert reading.choose_layout(ESP, "2031 CyberTipline Reports by ESP") is ESP.layouts[0]


# --- the day of publication ------------------------------------------------------------------------------------------


def taken(document: Document, settings: Settings) -> tuple[date | None, str | None]:
    found, _ = reading.take(Input(ESP, document), settings)
    return found.published_on, found.published_basis


def test_the_day_a_person_states_goes_before_the_document_s_own(settings: Settings) -> None:
    today = datetime.now(UTC).date()
    stated = add_one(ESP, by_esp(12), settings, published=date(2023, 5, 4))
    assert taken(stated, settings) == (date(2023, 5, 4), "stated")
    found, basis = taken(add_one(ESP, by_esp(13), settings), settings)
    assert basis == "document"
    assert found is not None
    assert abs((found - today).days) <= 1, "typeset today"


def test_without_either_the_server_s_day_is_taken_and_at_last_that_of_retrieval(settings: Settings) -> None:
    document = add_one(ESP, by_esp(12), settings)
    reading.read(document, ESP, settings)
    (kept,) = settings.figures.rglob("*.json")
    kept.write_text(json.dumps({**json.loads(kept.read_text(encoding="utf-8")), "dated_on": None}), encoding="utf-8")
    assert taken(document, settings) == (document.retrieved_at.date(), "retrieved")
    attempt = archive.attempts(settings, ESP.id)[-1]
    archive.record(
        settings, replace(attempt, outcome="unchanged", last_modified="Tue, 02 May 2023 10:00:00 GMT", method="fetched")
    )
    assert taken(document, settings) == (date(2023, 5, 2), "http")


# --- the edition -----------------------------------------------------------------------------------------------------


@pytest.fixture
def written(settings: Settings, tmp_path: Path) -> Path:
    """An edition made of two replicas."""
    add_one(ESP, by_esp(20), settings, published=date(2023, 5, 4))
    add_one(COUNTRY, by_country(), settings, published=date(2023, 5, 5))
    folder = tmp_path / "edition"
    assert reading.write_edition([ESP, COUNTRY], settings, folder) == (2, 21 + 51)
    return folder


def test_an_edition_gives_the_figures_back_that_it_was_made_of(written: Path, settings: Settings) -> None:
    held = {d.document_id: d for d in archive.documents(settings, [ESP, COUNTRY])}
    shipped = reading.edition(written)
    assert {d.document_id for d, _ in shipped} == held.keys()
    for document, found in shipped:
        one = source.load(document.source_id)
        known, fresh = reading.take(Input(one, held[document.document_id]), settings)
        assert as_rows(found.figures) == as_rows(fresh.figures)
        assert found.extractor_version == fresh.extractor_version
        retrieved = known.retrieved_at.replace(microsecond=0)
        assert document == replace(known, retrieved_at=retrieved, method="edition", path=None)


def test_writing_an_edition_again_gives_the_same_bytes(written: Path, settings: Settings, tmp_path: Path) -> None:
    again = tmp_path / "again"
    reading.write_edition([COUNTRY, ESP], settings, again)
    first, second = (
        {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        for folder in (written, again)
    )
    assert first == second
    assert b"\r" not in b"".join(first.values())


def test_large_figures_are_kept_compressed(
    settings: Settings, tmp_path: Path, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_LARGE", 1000)
    small = reading.edition(written)
    reading.write_edition([ESP, COUNTRY], settings, written)
    assert len(list(written.rglob("*.csv.gz"))) == 2
    assert reading.edition(written) == small


def figure_file(folder: Path) -> Path:
    return next(p for p in sorted(folder.rglob("*.csv")) if p.name != "documents.csv")


def spoil(folder: Path, how: str) -> None:
    """Make the files of an edition disagree."""
    if how == "figures gone":
        figure_file(folder).unlink()
    elif how == "document gone":
        lines = (folder / "documents.csv").read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / "documents.csv").write_text("".join(lines[:-1]), encoding="utf-8")
    elif how == "figures under another source":
        path = figure_file(folder)
        other = next(p for p in path.parent.parent.iterdir() if p != path.parent)
        path.rename(other / path.name)
    else:
        path = figure_file(folder)
        path.write_text(path.read_text(encoding="utf-8").replace("locator", "place", 1), encoding="utf-8")


@pytest.mark.parametrize("how", ["figures gone", "document gone", "figures under another source", "column renamed"])
def test_an_edition_whose_files_disagree_fails(how: str, written: Path) -> None:
    spoil(written, how)
    with pytest.raises(BuildError, match="edition"):
        reading.edition(written)


def test_a_folder_that_is_no_edition_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"is no edition: .*`lightwell edition --to` writes one"):
        reading.edition(tmp_path)


def test_no_edition_is_written_of_nothing_or_of_what_cannot_be_read(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="is empty: `lightwell add`"):
        reading.write_edition([ESP], settings, tmp_path / "edition")
    picture = as_picture(by_esp(12).write(tmp_path / "list.pdf"), tmp_path / "picture.pdf")
    add(ESP, picture, settings)
    with pytest.raises(BuildError, match="cannot be read: "):
        reading.write_edition([ESP], settings, tmp_path / "edition")
    assert not (tmp_path / "edition" / "documents.csv").exists()


# --- which of the two is taken ---------------------------------------------------------------------------------------


@pytest.fixture
def shipping(written: Path) -> Callable[[Settings], dict[str, Input]]:
    """Inputs by source, where the two replicas are what ships with the code."""
    return lambda settings: {i.source.id: i for i in reading.inputs([ESP, COUNTRY], replace(settings, edition=written))}


def test_with_an_empty_archive_the_edition_is_taken(
    shipping: Callable[[Settings], dict[str, Input]], tmp_path: Path
) -> None:
    found = shipping(Settings(home=tmp_path / "empty"))
    assert {i.document.method for i in found.values()} == {"edition"}
    assert len(found["ncmec_by_esp"].given.figures) == 21  # type: ignore[union-attr]


def test_an_archived_document_takes_over_from_the_edition(
    shipping: Callable[[Settings], dict[str, Input]], settings: Settings
) -> None:
    found = shipping(settings)
    assert {i.document.method for i in found.values()} == {"added"}
    assert all(i.given is None for i in found.values())


@pytest.mark.parametrize("how", ["damaged", "missing"])
def test_where_the_archive_s_file_is_spoilt_the_edition_serves(
    how: str, shipping: Callable[[Settings], dict[str, Input]], settings: Settings
) -> None:
    path = shipping(settings)["ncmec_by_esp"].document.path
    assert path is not None
    path.write_bytes(b"%PDF-1.7 other bytes %%EOF") if how == "damaged" else path.unlink()
    found = shipping(settings)
    assert found["ncmec_by_esp"].document.method == "edition"
    assert found["ncmec_by_country"].document.method == "added"


@pytest.mark.parametrize(("how", "said"), [("damaged", "no longer has its sha256"), ("missing", "is missing")])
def test_a_spoilt_file_that_no_edition_has_is_a_document_with_a_problem(
    how: str, said: str, written: Path, settings: Settings
) -> None:
    lone = add_one(ESP, by_esp(14, year=2023), settings)
    assert lone.path is not None
    lone.path.write_bytes(b"%PDF-1.7 other bytes %%EOF") if how == "damaged" else lone.path.unlink()
    held = reading.inputs([ESP, COUNTRY], replace(settings, edition=written))
    assert len(held) == 3
    (spoilt,) = [i for i in held if i.document.document_id == lone.document_id]
    assert isinstance(spoilt.given, Reading)
    assert said in str(spoilt.given.problem)
    assert "lightwell add ncmec_by_esp FILE" in str(spoilt.given.problem)
    assert spoilt.given.figures == []


# --- what ships, and the originals -----------------------------------------------------------------------------------

PRINTED = {  # figures and printed total, of documents whose parts add up to it
    ("ncmec_by_esp", "2020"): (168, 21_447_786),
    ("ncmec_by_esp", "2021"): (230, 29_157_083),
    ("ncmec_by_esp", "2022"): (236, 31_802_525),
    ("ncmec_by_country", "2020"): (242, 21_751_085),
    ("ncmec_by_country", "2021"): (245, 29_397_681),
    ("ncmec_by_country", "2022"): (247, 32_059_029),
}


def test_the_shipped_figures_add_up_to_the_printed_totals() -> None:
    found = {}
    for document, shipped in reading.edition(resource("edition")):
        if document.source_id in ("ncmec_by_esp", "ncmec_by_country"):
            label = "esp" if document.source_id == "ncmec_by_esp" else "country"
            numbers = [f for f in shipped.figures if f.text.strip("-")]
            parts = [int(f.text.replace(",", "")) for f in numbers if not f.labels[label].lower().startswith("total")]
            (total,) = [int(f.text.replace(",", "")) for f in numbers if f.labels[label].lower().startswith("total")]
            assert sum(parts) == total, document.title
            found[document.source_id, shipped.figures[0].labels["year"]] = (len(parts), total)
    assert found == PRINTED


def test_the_shipped_figures_each_have_a_page_and_a_box() -> None:
    for document, shipped in reading.edition(resource("edition")):
        compiled = document.source_id == "us_tip_tiers"  # by researchers; nobody says where it was published
        assert document.url is not None or compiled
        assert shipped.figures
        if document.media_type == "application/pdf":
            assert all(f.locator.page and f.locator.box for f in shipped.figures), document.title


def test_the_edition_is_figures_and_nothing_else() -> None:
    folder = resource("edition")
    files = [p for p in folder.rglob("*") if p.is_file()]
    assert {p.name.partition(".")[2] for p in files} <= {"csv", "csv.gz"}
    with (folder / "documents.csv").open(encoding="utf-8", newline="") as handle:
        assert len(list(csv.DictReader(handle))) == len(reading.edition(resource("edition"))) == len(files) - 1


@pytest.mark.slow
def test_every_shipped_figure_is_what_the_original_prints(originals: Path, settings: Settings) -> None:
    """The originals are matched by sha256; every PDF of the edition must be among them."""
    paths = {hashlib.sha256(p.read_bytes()).hexdigest(): p for p in originals.rglob("*") if p.is_file()}
    for document, shipped in reading.edition(resource("edition")):
        assert document.document_id in paths, f"no original of {document.source_id}: {document.title}"
        one = source.load(document.source_id)
        original = replace(document, path=paths[document.document_id])
        fresh = reading.read(original, one, settings)
        assert fresh.problem is None
        assert as_rows(shipped.figures) == as_rows(fresh.figures), document.title
        assert fresh.title == document.title
        assert original.bytes == paths[document.document_id].stat().st_size


@pytest.mark.slow
def test_originals_take_over_from_the_edition(originals: Path, settings: Settings) -> None:
    add(ESP, originals / "ncmec" / "ncmec-by-esp-2022.pdf", settings)
    found = reading.inputs(source.list_sources(), settings)
    transcribed = sum(1 + len(s.earlier) for s in source.list_sources() if s.method == "transcribed")
    assert len(found) == len(reading.edition(resource("edition"))) + transcribed
    assert [i.document.method for i in found if i.given is None and i.document.method != "transcribed"] == ["added"]
