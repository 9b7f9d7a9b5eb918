"""The release as a DuckLake with its catalogue in one file; PostgreSQL is in tests/orchestration/test_lake.py."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from conftest import Ran
from lightwell import lake, warehouse
from lightwell.errors import LightwellError
from lightwell.settings import Settings
from test_warehouse import build, three_documents

pytest.importorskip("duckdb_extension_ducklake", reason="a lake needs the extra: lightwell[many-machines]")


@pytest.fixture(scope="module")
def _two_releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("two") / "home"
    for documents in (three_documents()[:1], three_documents()):
        warehouse.publish(build(Settings(home=home), documents, f"of {len(documents)}"), Settings(home=home))
    return home


@pytest.fixture
def settings(_two_releases: Path, tmp_path: Path) -> Settings:
    """A home with two releases, of 4 and of 12 observations; the second is the current one."""
    shutil.copytree(_two_releases, tmp_path / "home", symlinks=True)
    return Settings(home=tmp_path / "home")


@pytest.fixture
def target(tmp_path: Path) -> str:
    return str(tmp_path / "catalogue.ducklake")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "an analyst's lake"


def asked(target: str, sql: str) -> list[tuple[object, ...]]:
    """What an analyst who has attached the lake read-only is answered."""
    with duckdb.connect() as con:
        lake._load(con, "ducklake")
        con.execute(f"ATTACH 'ducklake:{target}' AS lightwell (READ_ONLY)")
        con.execute("USE lightwell")
        return con.execute(sql).fetchall()


COUNTED = "SELECT release_id, (SELECT count(*) FROM observation_vintage) FROM release_info"
SNAPSHOTS = "SELECT snapshot_id, commit_message FROM lightwell.snapshots() WHERE author = 'lightwell' ORDER BY ALL"


def at_rest(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*.parquet")}


@pytest.mark.slow
def test_a_lake_holds_every_row_and_comment_of_the_release(settings: Settings, target: str, folder: Path) -> None:
    lay_out_for_others(settings, target, folder)
    done = lake.publish(settings, target, folder)
    assert done.new
    with warehouse.connect(settings, writes_files=True) as con:
        lake._load(con, "ducklake")
        con.execute(f"ATTACH 'ducklake:{target}' AS lake (READ_ONLY)")
        names = lake._names(con)
        for name in names:
            both = f'(FROM release.main."{name}" EXCEPT ALL FROM lake.main."{name}") UNION ALL '
            both += f'(FROM lake.main."{name}" EXCEPT ALL FROM release.main."{name}")'
            assert con.execute(both).fetchall() == [], name
        said = (
            "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE database_name = '{}' "
            "AND schema_name = 'main' ORDER BY ALL"
        )
        assert con.execute(said.format("lake")).fetchall() == con.execute(said.format("release")).fetchall()
    assert done.tables == len(names) > 40
    assert {"observation", "observation_vintage", "freshness"} < set(names)
    assert any(name.startswith("main/observation_vintage/") for name in at_rest(folder))
    files = at_rest(folder)
    assert lake.publish(settings, target) == replace(done, new=False), "the same release again"
    assert at_rest(folder) == files
    there = {name for (name,) in asked(target, "SELECT table_name FROM duckdb_tables()")}
    assert "notes" in there, "what others keep in the lake stays"
    assert "formerly" not in there, "what a release no longer has goes"


def lay_out_for_others(settings: Settings, target: str, folder: Path) -> None:
    """A lake with a table of an earlier release and one of an analyst's."""
    with warehouse.connect(settings, writes_files=True) as con:
        lake._attach(con, target, folder)
        con.begin()
        con.execute("CREATE TABLE lake.main.formerly AS SELECT 1 AS one")
        extra = json.dumps({"tables": ["formerly"]})
        con.execute("CALL lake.set_commit_message('lightwell', 'earlier', extra_info => $extra)", {"extra": extra})
        con.commit()
        con.execute("CREATE SCHEMA lake.of_ana")
        con.execute("CREATE TABLE lake.of_ana.notes AS SELECT 'a note' AS note")


@pytest.mark.slow
def test_a_lake_keeps_the_releases_before_for_a_while_and_is_whole_at_any_time(
    settings: Settings, target: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = warehouse.current(settings)
    first = warehouse.rollback(settings).release_id
    lake.publish(settings, target, folder)
    files = at_rest(folder)
    assert second is not None
    warehouse.rollback(settings, second.release_id)
    names = lake._names
    with monkeypatch.context() as patched:
        patched.setattr(lake, "_names", lambda con: [*names(con), "nothing has this name"])
        with pytest.raises(LightwellError, match=r"the lake at .* could not be written: .*nothing has this name"):
            lake.publish(settings, target)
    assert asked(target, COUNTED) == [(first, 4)], "what fails half way leaves what was"
    assert lake.publish(settings, target).new
    assert asked(target, COUNTED) == [(second.release_id, 12)]
    (before, said), (_, said_now) = asked(target, SNAPSHOTS)
    assert (said, said_now) == (first, second.release_id)
    assert asked(target, f"SELECT release_id FROM release_info AT (VERSION => {before})") == [(first,)]
    assert asked(target, f"SELECT count(*) FROM observation_vintage AT (VERSION => {before})") == [(4,)]
    warehouse.rollback(settings, first)
    lake.publish(settings, target, keep_days=0)
    assert asked(target, COUNTED) == [(first, 4)], "a release that is gone back to"
    assert len(asked(target, SNAPSHOTS)) == 1
    assert len(at_rest(folder)) == len(files), "of the others nothing is left"


def test_an_address_with_a_password_is_refused_unrepeated(settings: Settings) -> None:
    for address in ("postgres:dbname=x password=hunter2", "postgres:postgresql://me:hunter2@db/x"):
        with pytest.raises(LightwellError, match="set PGPASSWORD") as said:
            lake.publish(settings, address)
        assert "hunter2" not in str(said.value)


@pytest.mark.slow
def test_the_command_line_writes_a_lake(
    settings: Settings, target: str, folder: Path, lightwell: Callable[..., Ran]
) -> None:
    home = ["--home", settings.home]
    made = str(settings.database.readlink().parent.name)
    assert lightwell(*home, "lake", target, "--data", folder).out.startswith(f"published release {made}: ")
    assert lightwell(*home, "lake", target).out.startswith(f"the lake holds release {made} already: ")
    elsewhere = lightwell(*home, "lake", target, "--data", folder.parent / "elsewhere")
    assert (elsewhere.code, "could not be written" in elsewhere.err) == (1, True)
    assert "is neither postgres" in lightwell(*home, "lake", "mysql:db=x", "--data", folder).err
