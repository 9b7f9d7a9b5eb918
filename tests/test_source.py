"""Declarations: what is wrong in one is said with the file and the key, and nothing is taken for granted."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from lightwell import source
from lightwell.errors import DeclarationError
from lightwell.settings import Settings

PACKAGED = ["ncmec_by_country", "ncmec_by_esp", "ncmec_ojjdp"]
HARBOUR: dict[str, Any] = {
    "id": "harbour_letters",
    "title": "Letters by harbour",
    "publisher": "ncmec",
    "reporter": "ncmec",
    "description": "Letters that came in, by harbour.",
    "landing_page": "https://harbour.example/letters",
    "licence": "free to quote",
    "cadence": "annual",
    "published_after_days": 90,
    "hosts": ["harbour.example"],
    "media_type": "application/pdf",
    "documents": [{"urls": ["https://harbour.example/{year}.pdf"], "first": 2020}],
    "layouts": [
        {
            "period": r"(?P<year>20\d\d) Letters",
            "tables": [
                {"name": "by_harbour", "kind": "list", "label": "harbour", "header": "Harbour", "columns": {"n": "No"}}
            ],
        }
    ],
    "observe": [{"table": "by_harbour", "metric": "cybertip_reports", "time_period": {"label": "year"}}],
}


@pytest.fixture
def declare(tmp_path: Path) -> Callable[..., Settings]:
    """Write a made-up declaration with some of its fields changed; the settings that know its folder."""

    def write(name: str = "harbour_letters", **changes: Any) -> Settings:
        folder = tmp_path / "sources"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.yml").write_text(yaml.safe_dump({**HARBOUR, **changes}), encoding="utf-8")
        return Settings(home=tmp_path / "home", extra_sources=folder)

    return write


def refusal(settings: Settings, name: str = "harbour_letters") -> str:
    with pytest.raises(DeclarationError) as caught:
        source.load(name, settings)
    return str(caught.value)


def test_the_packaged_declarations_load_in_order_of_id() -> None:
    listed = [one.id for one in source.list_sources()]
    assert listed == sorted(listed) == source.list_ids()
    assert set(PACKAGED) <= set(listed)


def test_every_packaged_declaration_says_what_a_reader_needs() -> None:
    for one in source.list_sources():
        assert one.caveats, one.id
        assert one.licence, one.id
        assert one.landing_page.startswith("https://"), one.id
        assert one.documents or one.discover or one.hosts, one.id  # pages that need a browser: files come by `add`
        assert all(url.startswith("https://") for rule in one.documents for url in rule.urls), one.id


def test_a_declaration_of_ones_own_stands_beside_the_packaged_ones(declare: Callable[..., Settings]) -> None:
    settings = declare()
    assert source.load("harbour_letters", settings).title == "Letters by harbour"
    assert {*PACKAGED, "harbour_letters"} <= {one.id for one in source.list_sources(settings)}
    assert "harbour_letters" in source.list_ids(settings)
    assert "harbour_letters" not in source.list_ids()


def test_the_environment_names_the_folder_of_ones_own_declarations(declare: Callable[..., Settings]) -> None:
    folder = declare().extra_sources
    settings = Settings.from_environment({"LIGHTWELL_SOURCES": str(folder), "LIGHTWELL_HOME": "/tmp/elsewhere"})
    assert settings.home == Path("/tmp/elsewhere")
    assert source.load("harbour_letters", settings).id == "harbour_letters"
    assert Settings.from_environment({}).extra_sources is None


def test_an_unknown_source_is_told_the_known_ones() -> None:
    with pytest.raises(DeclarationError) as caught:
        source.load("ncmec_by_espp")
    assert "'ncmec_by_espp'" in str(caught.value)
    assert all(name in str(caught.value) for name in PACKAGED)


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown key": ({"licens": "free"}, "harbour_letters.yml: licens: Extra inputs are not permitted"),
    "an unknown key far inside": (
        {"observe": [{**HARBOUR["observe"][0], "metrics": "x"}]},
        "harbour_letters.yml: observe.0.metrics: Extra inputs are not permitted",
    ),
    "several labels without a map": (
        {"observe": [{**HARBOUR["observe"][0], "time_period": {"label": ["year", "half"]}}]},
        "label: several labels together need a map, and have no total",
    ),
    "a required key is missing": ({"publisher": None}, "harbour_letters.yml: publisher: "),
    "an id that is no file name": ({"id": "Harbour Letters"}, "harbour_letters.yml: id: "),
    "an id that is another's": ({"id": "harbour_parcels"}, "id: is 'harbour_parcels', must be the file's name"),
    "a host that is not allowed": (
        {"documents": [{"urls": ["https://elsewhere.example/a.pdf"]}]},
        "harbour_letters.yml: hosts: elsewhere.example of https://elsewhere.example/a.pdf is not among the",
    ),
    "a page of links on a host that is not allowed": (
        {"discover": [{"page": "https://elsewhere.example/", "link": "pdf$"}]},
        "hosts: elsewhere.example",
    ),
    "a pattern that does not compile": (
        {"layouts": [{**HARBOUR["layouts"][0], "period": "(?P<year>20"}]},
        "harbour_letters.yml: layouts.0.period: the pattern '(?P<year>20' does not compile",
    ),
    "a pattern that does not compile among the columns": (
        {"layouts": [{"tables": [{**HARBOUR["layouts"][0]["tables"][0], "columns": {"n": "No("}}]}]},
        "'No(' does not compile",
    ),
    "a table that nothing observes": (
        {"layouts": [{"tables": [*HARBOUR["layouts"][0]["tables"], {"name": "x", "kind": "prose", "pattern": "(1)"}]}]},
        "observe: nothing says what the figures of ['x'] mean",
    ),
    "a rule for a table that is not there": (
        {"reconcile": [{"table": "by_port", "across": "harbour"}]},
        "no layout has a table named 'by_port'",
    ),
    "a kind of table that is not there": (
        {"layouts": [{"tables": [{"name": "by_harbour", "kind": "pivot"}]}]},
        "harbour_letters.yml: layouts.0.tables.0: ",
    ),
    "a year before the first": ({"documents": [{"urls": [], "first": 20}]}, "documents.0.first: "),
    "a cadence that is not there": ({"cadence": "yearly"}, "harbour_letters.yml: cadence: "),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_mistake_is_said_with_the_file_and_the_key(what: str, declare: Callable[..., Settings]) -> None:
    changes, said = BROKEN[what]
    assert said in refusal(declare(**changes))


def test_what_is_no_yaml_is_said(declare: Callable[..., Settings]) -> None:
    settings = declare()
    assert settings.extra_sources is not None
    (settings.extra_sources / "harbour_parcels.yml").write_text("id: [harbour_parcels\n", encoding="utf-8")
    assert refusal(settings, "harbour_parcels").startswith("harbour_parcels.yml is not YAML: ")


@pytest.mark.parametrize("text", ["", "- id\n", "harbour_parcels\n"])
def test_yaml_that_is_no_mapping_is_said(text: str, declare: Callable[..., Settings]) -> None:
    settings = declare()
    assert settings.extra_sources is not None
    (settings.extra_sources / "harbour_parcels.yml").write_text(text, encoding="utf-8")
    assert refusal(settings, "harbour_parcels").startswith("harbour_parcels.yml: ")


def test_one_broken_declaration_does_not_hide_the_others_ids(declare: Callable[..., Settings]) -> None:
    assert "harbour_letters" in source.list_ids(declare(licens="free"))


def test_the_version_changes_with_the_layouts_and_with_nothing_else(declare: Callable[..., Settings]) -> None:
    first = source.load("harbour_letters", declare()).extractor_version()
    table = {**HARBOUR["layouts"][0]["tables"][0], "header": "Harbours?"}

    def version(**changes: Any) -> str:
        return source.Source.model_validate({**HARBOUR, **changes}).extractor_version()

    assert version() == first
    assert version(title="Letters", caveats=["Some are parcels."], published_after_days=30) == first
    assert version(layouts=[{**HARBOUR["layouts"][0], "tables": [table]}]) != first
    assert version(layouts=[{**HARBOUR["layouts"][0], "ignore": ["Page .*"]}]) != first


@pytest.mark.parametrize(
    ("source_id", "module"),
    [
        ("dsa_tiktok", "sources/dsa_harmonised/template.py"),
        ("dsa_tiktok", "sources/dsa_harmonised/__init__.py"),
        ("uk_prc", "sources/uk_prc.py"),
        ("uk_prc", "tables/cells.py"),
    ],
)
def test_the_version_changes_with_every_module_that_reads_the_source(
    monkeypatch: pytest.MonkeyPatch, source_id: str, module: str
) -> None:
    first, read = source.load(source_id).extractor_version(), Path.read_bytes

    def changed(path: Path) -> bytes:
        return read(path) + (b"# changed" if path.as_posix().endswith(module) else b"")

    monkeypatch.setattr(Path, "read_bytes", changed)
    assert source.load(source_id).extractor_version() != first


def test_the_next_document_is_expected_after_the_usual_delay(declare: Callable[..., Settings]) -> None:
    one = source.load("harbour_letters", declare())
    assert (
        str(one.next_expected(date(2022, 12, 31))) == "2024-03-30"
    )  # the report on 2023, ninety days after its last day
    assert one.next_expected(None) is None
    assert source.Source.model_validate({**HARBOUR, "cadence": "irregular"}).next_expected(date(2022, 12, 31)) is None
    quarterly = source.Source.model_validate({**HARBOUR, "cadence": "quarterly"})
    assert str(quarterly.next_expected(date(2022, 12, 31))) == "2023-06-29"  # ninety days after the end of March


def test_a_folder_of_declarations_that_is_not_there_is_said(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", extra_sources=tmp_path / "typo")
    for ask in (source.list_sources, source.list_ids):
        with pytest.raises(DeclarationError, match=r"LIGHTWELL_SOURCES: there is no folder .*typo"):
            ask(settings)


def test_a_name_that_is_taken_is_refused(declare: Callable[..., Settings]) -> None:
    settings = declare("ncmec_by_esp", id="ncmec_by_esp")
    for ask in (source.list_sources, lambda s: source.load("ncmec_by_country", s)):
        with pytest.raises(DeclarationError, match=r"ncmec_by_esp\.yml: .* is declared twice"):
            ask(settings)
