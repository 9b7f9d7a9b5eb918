"""The lake with its catalogue in PostgreSQL: many ask it from processes of their own while a release is published."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from test_celery import POSTGRES, postgres

from lightwell import lake, warehouse
from lightwell.settings import Settings
from test_warehouse import build, three_documents

pytestmark = pytest.mark.skipif(
    not POSTGRES or os.geteuid() != 0,
    reason="needs PostgreSQL (apt-get install postgresql), and root to run it as postgres",
)
ANALYST = """
import sys, time
import duckdb
from lightwell import lake
con = duckdb.connect()
for extension in ("ducklake", "postgres_scanner"):
    lake._load(con, extension)
con.execute(f"ATTACH 'ducklake:{sys.argv[1]}' AS lightwell (READ_ONLY)")
con.execute("USE lightwell")
print("ready", flush=True)
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    con.begin()
    seen = con.execute("SELECT release_id FROM release_info").fetchall()
    counted = con.execute("SELECT count(*) FROM observation_vintage").fetchall()
    print(seen[0][0], counted[0][0], flush=True)
    con.commit()
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[str]:
    with postgres(tmp_path) as address:
        port = address.rpartition(":")[2].partition("/")[0]
        yield f"postgres:dbname=airflow host=127.0.0.1 port={port} user=airflow"


def analyst(catalogue: str, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ANALYST, catalogue, str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_analysts_see_the_release_before_or_the_new_one_and_nothing_between(catalogue: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    first = warehouse.publish(build(settings, three_documents()[:1], "first"), settings)
    assert lake.publish(settings, catalogue, tmp_path / "data").new
    analysts = [analyst(catalogue, 25) for _ in range(2)]
    second = warehouse.publish(build(settings, three_documents(), "second"), settings)
    assert lake.publish(settings, catalogue).new
    assert not lake.publish(settings, catalogue).new
    for process in analysts:
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        assert set(said.splitlines()) == {f"{first} 4", f"{second} 12"}


def test_two_that_publish_at_once_end_in_one_release(catalogue: str, tmp_path: Path) -> None:
    homes = [Settings(home=tmp_path / name) for name in ("one", "two")]
    ids = [warehouse.publish(build(home, three_documents(), "same"), home) for home in homes]
    lake.publish(homes[0], catalogue, tmp_path / "data")
    code = "import sys; from pathlib import Path; from lightwell import lake; from lightwell.settings import Settings\n"
    code += "print(lake.publish(Settings(home=Path(sys.argv[1])), sys.argv[2]).new)"
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(home.home), catalogue], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
        for home in homes
    ]  # fmt: skip
    said = [process.communicate(timeout=120) for process in running]
    assert any(process.returncode == 0 for process in running), said
    reader = analyst(catalogue, 1)
    seen = set(reader.communicate(timeout=60)[0].splitlines())
    assert len(seen) == 1
    assert seen <= {f"{one} 12" for one in ids}
