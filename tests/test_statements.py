"""Statements: a dump's rows come out in two cubes to the last one, or it is refused; nothing else is kept of them."""

import hashlib
import io
import json
import os
import random
import re
import signal
import struct
import sys
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from conftest import ROOT, Ran
from lightwell import statements
from lightwell.errors import DumpError
from lightwell.statements import crew, dump, lines, rows, scan

os.environ["POLARS_MAX_THREADS"] = "1"  # as a worker has it
sys.path.insert(0, str(ROOT / "benchmarks"))
import make_dump
from make_dump import Plan
from make_dump import make_dump as made

SMALL = Plan(rows=2400, rows_per_csv=400, csvs_per_part=3, kinds=150, seed=5)
V1 = replace(SMALL, day=date(2024, 3, 14))
ABOUT = "STATEMENT_CATEGORY_PROTECTION_OF_MINORS"
Cube = Counter[tuple[object, ...]]
Reduce = Callable[..., statements.Reduced]


@pytest.fixture(scope="module")
def workers() -> Iterator[crew.Workers]:
    """One worker that many tests ask, as several dumps of one command do."""
    with crew.started(1) as started:
        yield started


@pytest.fixture
def reduced(workers: crew.Workers) -> Reduce:
    """Reduce one dump as the command does, with the worker that is there."""

    def one(path: Path, to: Path, *, unverified: bool = False) -> statements.Reduced:
        to.mkdir(parents=True, exist_ok=True)
        return statements.reduce_one(path, to, workers, unverified=unverified)

    return one


def cube(to: Path, name: str) -> Cube:
    """A cube as written: platform, its columns in order, and the number of statements."""
    names = ("platform", *statements.cubes.CUBES[name])
    found = duckdb.sql(
        f"SELECT {', '.join(names)}, statements FROM read_parquet('{to}/*/*/*.{name}.parquet', "
        "hive_partitioning = true, hive_types = {'day': DATE, 'platform': VARCHAR})"
    ).fetchall()
    cells = [tuple(tuple(v) if isinstance(v, list) else v for v in row) for row in found]
    assert len({c[:-1] for c in cells}) == len(cells), "a cell stands once"
    return Counter({c[:-1]: c[-1] for c in cells})


def oracle(tables: Sequence[bytes], name: str) -> Cube:
    """The same cube computed with pandas from the CSV files, with none of Lightwell's code but the columns' names."""
    frames = [pd.read_csv(io.BytesIO(t), dtype=str, keep_default_na=False) for t in tables]
    frame = pd.concat(frames, ignore_index=True)
    listed = ["decision_visibility", "content_type", "category_addition", "category_specification"]
    for column in listed:
        frame[column] = [tuple(sorted(set(json.loads(cell or "[]")))) for cell in frame[column]]
    frame["automated_detection"] = frame["automated_detection"] == "Yes"
    dates = {c: pd.to_datetime(frame[c].str[:10], errors="coerce") for c in rows.DATES}
    edges = [-(10**6), -1, *[e - 1 for e in (1, 2, 3, 7, 14, 30, 90, 180, 365, 730)], 10**6]
    for column, first, last in (
        ("content_to_application", "content_date", "application_date"),
        ("application_to_reception", "application_date", "created_at"),
        ("content_to_reception", "content_date", "created_at"),
    ):
        days = (dates[last] - dates[first]).dt.days
        frame[column] = pd.cut(days, edges, labels=[-1, 0, 1, 2, 3, 7, 14, 30, 90, 180, 365, 730]).astype(object)
    if name == "minors":
        keywords = set(rows.MINORS_KEYWORDS)
        said = frame["category_specification"].map(lambda k: bool(keywords & set(k)))
        frame = frame[(frame["category"] == ABOUT) | frame["category_addition"].map(lambda a: ABOUT in a) | said]
    columns = ["platform_name", *statements.cubes.CUBES[name]]
    cells = [
        tuple(None if v == "" or (isinstance(v, float) and v != v) else v for v in row)
        for row in frame[columns].itertuples(index=False, name=None)
    ]
    return Counter(cells)


def tables_of(path: Path) -> list[bytes]:
    found = []
    with zipfile.ZipFile(path) as outer:
        for part in outer.namelist():
            with zipfile.ZipFile(io.BytesIO(outer.read(part))) as inner:
                found += [inner.read(name) for name in inner.namelist()]
    return found


def written(folder: Path, tables: Sequence[bytes], plan: Plan = SMALL, name: str | None = None) -> Path:
    """A dump of given CSV files in one inner zip, with its sidecar."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as inner:
        for at, table in enumerate(tables):
            inner.writestr(name or f"{plan.stem}-00000-{at:05d}.csv", table)
    folder.mkdir(parents=True, exist_ok=True)
    return make_dump.write_outer(folder / f"{plan.stem}.zip", [(f"{plan.stem}-00000.csv.zip", data.getvalue())], plan)


def signed(path: Path) -> Path:
    """The dump with a sidecar that fits its bytes, whatever was done to them."""
    digest = hashlib.sha1(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".sha1").write_text(f"{digest}  {path.name}")
    return path


def line(plan: Plan = SMALL, **cells: str) -> bytes:
    """A row with given cells, the required ones filled in."""
    usual = {
        "decision_visibility": '["DECISION_VISIBILITY_OTHER"]', "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT",
        "category": "STATEMENT_CATEGORY_VIOLENCE", "content_type": '["CONTENT_TYPE_TEXT"]',
        "source_type": "SOURCE_VOLUNTARY", "automated_detection": "Yes", "platform_name": "X", "platform_uid": "abc",
        "automated_decision": "AUTOMATED_DECISION_FULLY", "created_at": f"{plan.day} 10:11:12",
        "application_date": f"{plan.day} 00:00:00",
    }  # fmt: skip
    row = {**usual, **cells}
    return ",".join(make_dump.quoted(row.get(name, "")) for name in plan.header).encode()


def table(*lines: bytes, plan: Plan = SMALL) -> bytes:
    return b"\n".join([",".join(plan.header).encode(), *lines])


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("dumps"), SMALL)


# ------------------------------------------------------------------------------------------------------------ counting


def test_the_publishers_own_rows(originals: Path, tmp_path: Path) -> None:
    folder = originals / "dsa_statements"
    if not folder.is_dir():
        pytest.skip("no original dumps here")
    receipts = [r.receipt for r in statements.reduce(sorted(folder.glob("*.zip")), tmp_path)]
    assert [(r.rows, r.counted, r.rejected, r.sha1_verified) for r in receipts] == [(3, 3, {}, True), (4, 4, {}, True)]
    found = cube(tmp_path, "activity")
    assert found == sum((oracle([p.read_bytes()], "activity") for p in folder.glob("*.csv")), Counter())
    assert sum(n for cell, n in found.items() if cell[0] == "Hotel Hideaway") == 2
    about = cube(tmp_path, "minors")
    assert {(cell[0], cell[8], cell[-3:]): n for cell, n in about.items()} == {
        ("TikTok", True, (0, 2, 2)): 1,
        ("TikTok", True, (730, 1, 730)): 1,
    }


@pytest.mark.parametrize("plan", [SMALL, V1, replace(SMALL, version="light"), replace(V1, version="light")], ids=str)
def test_both_cubes_are_what_pandas_counts(reduced: Reduce, plan: Plan, tmp_path: Path) -> None:
    path = made(tmp_path / "dumps", plan)
    tables = tables_of(path)
    assert len(tables[0].partition(b"\n")[0].split(b",")) in (33, 34, 37, 38)
    receipt = reduced(path, tmp_path / "cubes").receipt
    assert (receipt.rows, receipt.counted, receipt.rejected, receipt.csv_files) == (2400, 2400, {}, 6)
    for name in ("activity", "minors"):
        assert cube(tmp_path / "cubes", name) == oracle(tables, name)
    assert receipt.about_minors == cube(tmp_path / "cubes", "minors").total() > 0


def test_several_codes_in_a_cell_never_multiply_statements(reduced: Reduce, tmp_path: Path) -> None:
    several = {
        "category_specification": '["KEYWORD_OTHER","KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL","KEYWORD_OTHER"]',
        "content_type": '["CONTENT_TYPE_TEXT","CONTENT_TYPE_IMAGE"]',
        "category_addition": f'["STATEMENT_CATEGORY_VIOLENCE","{ABOUT}"]',
    }
    turned = {**several, "content_type": '["CONTENT_TYPE_IMAGE","CONTENT_TYPE_TEXT"]'}
    receipt = reduced(written(tmp_path, [table(line(**several), line(**turned), line())]), tmp_path / "cubes").receipt
    assert (receipt.counted, receipt.about_minors) == (3, 2)
    assert cube(tmp_path / "cubes", "activity").total() == 3
    ((cell, n),) = cube(tmp_path / "cubes", "minors").items()
    assert n == 2
    assert ("KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL", "KEYWORD_OTHER") in cell
    assert ("CONTENT_TYPE_IMAGE", "CONTENT_TYPE_TEXT") in cell


@pytest.mark.slow
def test_the_same_dump_gives_the_same_bytes_with_any_number_of_workers(small: Path, tmp_path: Path) -> None:
    made_of = []
    for at, workers in enumerate((1, 2)):
        list(statements.reduce([small], tmp_path / str(at), workers=workers))
        files = sorted((tmp_path / str(at)).rglob("*.*"))
        made_of.append({f.relative_to(tmp_path / str(at)): f.read_bytes() for f in files if f.is_file()})
    assert made_of[0] == made_of[1]
    assert len(made_of[0]) > 20


def test_what_is_kept_is_codes_names_and_numbers(reduced: Reduce, small: Path, tmp_path: Path) -> None:
    reduced(small, tmp_path)
    names = {name for name, _ in make_dump._PLATFORMS.items()}
    for name in ("activity", "minors"):
        for cell in cube(tmp_path, name):
            for value in cell[1:]:
                for code in value if isinstance(value, tuple) else (value,):
                    assert code is None or isinstance(code, bool | int) or re.fullmatch(r"[A-Z0-9_]+", str(code))
            assert cell[0] in names


# ----------------------------------------------------------------------------------------------------- awkward and bad


@pytest.mark.slow
@pytest.mark.parametrize("which", make_dump.QUIRKS)
def test_awkward_texts_change_no_count(
    reduced: Reduce, which: str, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make_dump, "QUIRKS", (which,))
    odd = made(tmp_path / "odd", replace(SMALL, quirks=0.1))
    assert odd.read_bytes() != small.read_bytes()
    receipt = reduced(odd, tmp_path / "cubes").receipt
    assert (receipt.rows, receipt.counted) == (2400, 2400)
    assert cube(tmp_path / "cubes", "minors") == oracle(tables_of(small), "minors")
    assert cube(tmp_path / "cubes", "activity") == oracle(tables_of(small), "activity")


SECRET = "a name, and a text"
REJECTED = {
    "a code of no published form": (line(category=SECRET), "no published form of category"),
    "no code": (line(decision_ground=""), "no published form of decision_ground"),
    "a list that is none": (line(content_type="CONTENT_TYPE_TEXT"), "no published form of content_type"),
    "keywords that are none": (line(category=ABOUT, category_specification=SECRET), "of category_specification"),
    "another day": (line(created_at="2025-09-14 23:59:59"), "created_at is of another day"),
    "too few cells": (b"a,b,c", "does not split into the header's cells"),
    "too many cells": (line() + b",more", "does not split into the header's cells"),
    "an empty line": (b"", "does not split into the header's cells"),
    "a cell that is not closed": (b'"' + line(), "does not split into the header's cells"),
    "bytes that are no text": (line().replace(b",X,", b",\xff\xfe,"), "no published form of platform_name"),
    "a name that moves the cursor": (line(platform_name="X\x1b[2J"), "no published form of platform_name"),
    "a line longer than any": (line(decision_facts="x" * (rows.LONGEST_LINE + 10)), "longer than any row"),
    "a line much longer than any": (
        line(decision_facts=random.Random(1).randbytes(rows.LONGEST_LINE * 2).hex()),
        "longer than any row",
    ),
    "a row over two lines": (line(decision_facts="one\ntwo"), "does not split into the header's cells"),
}


@pytest.mark.parametrize("what", REJECTED)
def test_a_row_that_cannot_be_counted_is_rejected_and_counted_as_that(
    reduced: Reduce, what: str, tmp_path: Path
) -> None:
    bad, reason = REJECTED[what]
    good = [line(), line(category=ABOUT)]
    one = reduced(written(tmp_path, [table(good[0], bad, good[1], good[0])]), tmp_path / "cubes")
    lines = 1 + bad.count(b"\n")
    assert (one.receipt.rows, one.receipt.counted) == (3 + lines, 3)
    assert sum(one.receipt.rejected.values()) == lines
    assert all(reason in said for said in one.receipt.rejected)
    assert one.rejected[0][:2] == ("sor-global-2025-09-15-full-00000-00000.csv", 3)
    assert cube(tmp_path / "cubes", "activity") == oracle([table(good[0], good[1], good[0])], "activity")
    assert SECRET not in repr(one)
    assert not any(SECRET.encode() in f.read_bytes() for f in (tmp_path / "cubes").rglob("*.*") if f.is_file())


@pytest.mark.parametrize("body", [b"", b"\n"])
def test_a_file_without_rows(reduced: Reduce, body: bytes, tmp_path: Path) -> None:
    receipt = reduced(written(tmp_path, [table() + body, table() + body]), tmp_path / "cubes").receipt
    assert (receipt.rows, receipt.counted, receipt.platforms, receipt.csv_files) == (0, 0, 0, 2)
    assert json.loads((tmp_path / "cubes" / "dumps" / f"{SMALL.stem}.json").read_text())["rows"] == 0


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"uuid,category", "names 2 columns; known are 33, 34, 37, 38"),
        (table().replace(b"source_type", b"source_kind"), "column 32 of its header is not source_type"),
        (b"\xef\xbb\xbf" + table(), "column 1 of its header is not uuid"),
        (b"", "names 1 columns"),
        (b"PK\3\4 a zip in a zip in a zip" * 30_000, "names 1 columns"),
    ],
)
def test_a_header_that_is_not_known_is_refused(reduced: Reduce, header: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(DumpError, match=f"{SMALL.stem}.*{said}"):
        reduced(written(tmp_path, [header]), tmp_path / "cubes")
    assert not list((tmp_path / "cubes").rglob("*.parquet"))


# ------------------------------------------------------------------------------------------------ blocks and the engine


COLUMNS = SMALL.header


def block(*given: bytes) -> lines.Block:
    (one,) = lines.blocks([b"\n".join(given) + b"\n"], (*COLUMNS, scan._BEYOND))
    return one


def raw(*given: bytes) -> lines.Ready:
    """Lines as if each were as published."""
    return lines.Ready(block(*given).text, len(given))


@pytest.fixture(scope="module")
def engine() -> scan.Engine:
    return scan.Engine()


GOOD = line(decision_facts='one, "two"', platform_name='Shop "Nord", Süd', category=ABOUT)
UNFIT = {  # what polars alone would count, cut or fill up, and what the engine must refuse
    "short": GOOD.rpartition(b",")[0],
    "much too short": b"a,b",
    "empty": b"",
    "a cell more": GOOD + b",more",
    "an empty cell in quotes more": GOOD + b',""',
    "the day is in the wrong place": GOOD.replace(b",abc,", b","),
    "the last two cells": GOOD.partition(b",")[2],
    "no cell is closed": b'"' + GOOD,
    "a quote alone": GOOD.replace(b"one, ", b'one", '),
    "another day": GOOD.replace(b'"2025-09-15 10', b'"2025-09-14 10'),
    "no text in the name": GOOD.replace("Süd".encode(), b"S\xfcd"),
    "a control character in the name": GOOD.replace("Süd".encode(), b"S\x00d"),
    "a code with a quote too many": GOOD.replace(b",SOURCE_VOLUNTARY,", b',""SOURCE_VOLUNTARY,'),
    "a list with more after its end": GOOD.replace(b'""]"', b'""]"x'),
    "no code": GOOD.replace(b"SOURCE_VOLUNTARY", b""),
    "a code in small letters": GOOD.replace(b"SOURCE_VOLUNTARY", b"source_voluntary"),
    "a keyword that is none": line(category=ABOUT, category_specification='["CSAM"]'),
}


@pytest.mark.parametrize("what", UNFIT)
def test_the_engine_takes_no_block_with_an_unfit_line(engine: scan.Engine, what: str) -> None:
    for given in ([UNFIT[what]], [GOOD, UNFIT[what], GOOD], [UNFIT[what], GOOD], [GOOD, UNFIT[what]]):
        assert not engine.add(raw(*given), COLUMNS, SMALL.day, carefully=False)
    assert engine.add(raw(GOOD, GOOD), COLUMNS, SMALL.day, carefully=False)
    ((*_, n),) = engine.take()
    assert n == 2, "of what was refused nothing stays"


def test_a_block_without_a_row_is_a_block(engine: scan.Engine) -> None:
    ready = lines.ready(block(b"a", b"b", b"c"), COLUMNS, SMALL.day, carefully=False)
    assert (ready.rows, [number for number, _ in ready.rejected]) == (0, [2, 3, 4])
    assert engine.add(ready, COLUMNS, SMALL.day, carefully=False)
    assert engine.take() == []


@pytest.mark.parametrize("more", [b",", b",,", b',,"x"', b',"",', b" ", b"\r"])
def test_a_line_that_does_not_end_as_published_is_read_carefully(more: bytes) -> None:
    """Polars cuts off what comes after one empty cell too many."""
    ready = lines.ready(block(GOOD, GOOD + more, GOOD), COLUMNS, SMALL.day, carefully=False)
    if more == b"\r":
        assert (ready.rows, ready.rejected) == (3, ())
    else:
        assert (ready.rows, [number for number, _ in ready.rejected]) == (2, [3])


def test_bytes_that_are_no_text_lose_no_row_of_their_block(engine: scan.Engine) -> None:
    """Polars looks for them in cells that are not asked for, too, unless it is told to read on."""
    given = [GOOD, line(decision_facts="caf\0").replace(b"\0", b"\xe9 \xff\xfe\xc3"), GOOD.replace(b"one", b"\xc3")]
    assert engine.add(raw(*given), COLUMNS, SMALL.day, carefully=False)
    assert sum(int(cell[-1] or 0) for cell in engine.take()) == 3


def remembered(engine: scan.Engine) -> set[str]:
    """Every text that polars remembers of what it was given."""
    return {code for kind in engine._kinds.values() for code in kind.categories.to_series()}


def test_what_a_refused_block_held_does_not_stay_in_memory(engine: scan.Engine) -> None:
    engine.add(raw(GOOD), COLUMNS, SMALL.day, carefully=False)
    assert not engine.add(raw(GOOD, line(category="a secret")), COLUMNS, SMALL.day, carefully=False)
    assert "STATEMENT_CATEGORY_PROTECTION_OF_MINORS" in remembered(engine)
    assert "a secret" not in remembered(engine)
    assert [cell[-1] for cell in engine.take()] == [1]
    assert remembered(engine) == set()


def test_what_was_allowed_in_one_block_is_not_allowed_in_all(engine: scan.Engine) -> None:
    """A keyword that is none is not looked at in a statement about something else, and U+FFFD is trusted only in a
    block that was read carefully; neither is trusted in another block because polars remembers it."""
    other = line(category_specification='["CSAM"]')
    assert engine.add(raw(other, GOOD), COLUMNS, SMALL.day, carefully=False)
    about = line(category=ABOUT, category_specification='["CSAM"]')
    assert not engine.add(raw(GOOD, about), COLUMNS, SMALL.day, carefully=False)
    doubtful = line(platform_name="caf\ufffd")
    assert not engine.add(raw(doubtful), COLUMNS, SMALL.day, carefully=False)
    assert engine.add(raw(doubtful), COLUMNS, SMALL.day, carefully=True)
    assert not engine.add(raw(GOOD, doubtful), COLUMNS, SMALL.day, carefully=False)
    assert engine.add(raw(GOOD, other), COLUMNS, SMALL.day, carefully=False)
    assert sum(int(cell[-1] or 0) for cell in engine.take()) == 5


@pytest.mark.parametrize("at_once", [0, 1, 3, 10_000])
def test_how_many_rows_are_counted_at_once_changes_no_count(
    at_once: int, engine: scan.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "_MANY_ROWS", at_once)
    odd = line(category_specification='["CSAM"]', content_date="2025-09-01 00:00:00")
    given = [[GOOD], [GOOD, GOOD], [odd], [GOOD, line()], [line(), odd], [GOOD], [line()]]
    for block_of in given:
        assert engine.add(raw(*block_of), COLUMNS, SMALL.day, carefully=False)
    assert sorted((str(cell[2]), cell[-1]) for cell in engine.take()) == [
        (ABOUT, 5),
        ("STATEMENT_CATEGORY_VIOLENCE", 5),
    ]


def mutated(rng: random.Random, given: bytes) -> bytes:
    """A line with a few bytes changed, added or left out, or cells or parts of them repeated; the line's end stays."""
    made, end = bytearray(given[:-23]), given[-23:]
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        at = rng.randrange(len(made))
        some = rng.choice((b'"', b'""', b",", b'","', b'",', b',"', b"\\", b'\\"', b"\r", b"\x00", b"\xff", b" ", b"x"))
        if (how := rng.random()) < 0.6:
            made[at:at] = some
        elif how < 0.8:
            made[at : at + len(some)] = some
        else:
            del made[at : at + rng.choice((1, 1, 2, 9))]
    return bytes(made) + end


@pytest.mark.slow
def test_no_line_is_counted_otherwise_because_of_the_lines_beside_it(engine: scan.Engine) -> None:
    """What the engine counts of a line as it is, it counts of the line after a careful reading: so it does not matter
    whether its block was read carefully for another line's sake."""
    rng, seen = random.Random(11), Counter[str]()
    texts = {"decision_facts": 'he said "no", twice', "illegal_content_explanation": "a, b", "source_identity": "x y"}
    whole = [line(**texts, platform_name=name) for name in ("X", 'Shop "Nord", Süd', "Hotel Hideaway")]
    for _ in range(2500):
        given = mutated(rng, rng.choice(whole)).replace(b"\n", b"")
        as_is = lines.ready(one := block(given), COLUMNS, SMALL.day, carefully=False)
        if as_is.text is not one.text:
            seen["read carefully anyway"] += 1
            continue
        if not engine.add(as_is, COLUMNS, SMALL.day, carefully=False):
            seen["refused"] += 1
            continue
        found = engine.take()
        careful = lines.ready(one, COLUMNS, SMALL.day, carefully=True)
        assert engine.add(careful, COLUMNS, SMALL.day, carefully=True), given
        assert [[v or None for v in cell] for cell in engine.take()] == [[v or None for v in cell] for cell in found]
        seen["alike"] += 1
    assert min(seen.values()) > 150, seen


@pytest.mark.parametrize("size", [1, 2, 7, 64, 1000, 5000])
def test_blocks_hold_every_line_once_wherever_pieces_end(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK", 900)
    monkeypatch.setattr(rows, "LONGEST_LINE", 300)
    rng = random.Random(size)
    whole = [b"x" * rng.choice((0, 1, 5, 40, 40, 300, 301, 2000)) for _ in range(80)]
    text = b"\n".join([*whole, b"last"])
    for data in (text, text + b"\n", text + b"\n\n", b"\n" + text):
        due = data.removesuffix(b"\n").split(b"\n")
        found, number = [], 2
        for one in lines.blocks([data[at : at + size] for at in range(0, len(data), size)], ("a", "b")):
            assert one.number == number
            assert one.text.startswith(b"a,b\n")
            starts = [4, *(one.ends[:-1] + 1)]
            found += [one.text[a:b] for a, b in zip(starts, one.ends, strict=True)]
            assert one.ends[-1] + 1 == len(one.text) < 4 + 900 + max(size, 301) + 5000
            number += len(one.ends)
        assert len(found) == len(due)
        for got, expected in zip(found, due, strict=True):
            assert got == expected or (len(expected) > 300 < len(got) and expected.startswith(got[:301]))


def test_a_line_too_long_for_memory_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LONGEST_LINE", 300)
    (one,) = lines.blocks([b"x" * 200] * 50_000 + [b"\ny"], ("a",))
    assert len(one.text) < 1000
    assert len(one.ends) == 2


# ------------------------------------------------------------------------------------------------------- damaged dumps


def patched(path: Path, find: bytes, put: bytes, at: int = 0) -> None:
    """Replace bytes after the `at`-th place where `find` stands."""
    data = bytearray(path.read_bytes())
    place = -1
    for _ in range(at + 1):
        place = data.index(find, place + 1)
    data[place : place + len(put)] = put
    path.write_bytes(data)


def _flag(path: Path) -> None:
    """Every header says that what follows is encrypted."""
    data = bytearray(path.read_bytes())
    for start, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        for found in re.finditer(re.escape(start), bytes(data)):
            data[found.start() + at] |= 1
    path.write_bytes(data)


def _rezip(path: Path, change: Callable[[str, bytes], list[tuple[str, bytes]]], **options: object) -> None:
    with zipfile.ZipFile(path) as outer:
        parts = [(name, outer.read(name)) for name in outer.namelist()]
    with zipfile.ZipFile(path, "w", **options) as outer:  # type: ignore[call-overload]
        for name, data in parts:
            for new_name, new_data in change(name, data):
                outer.writestr(new_name, new_data)


def _bomb(path: Path) -> None:
    """A CSV of zeros that inflates a thousandfold."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as inner:
        inner.writestr(f"{SMALL.stem}-00000-00000.csv", bytes(64 << 20))
    make_dump.write_outer(path, [(f"{SMALL.stem}-00000.csv.zip", data.getvalue())], SMALL)


def _liar(path: Path) -> None:
    """The same with directories that say it is small."""
    _bomb(path)
    size = struct.pack("<I", 64 << 20)
    for at in range(path.read_bytes().count(size)):
        patched(path, size, struct.pack("<I", 200_000)) if at >= 0 else None


def _repeat(path: Path) -> None:
    """The last directory entry twice: the same part would be counted twice."""
    data = path.read_bytes()
    end = data[-22:]
    entry = data[data.rindex(b"PK\1\2") : -22]
    count, length = struct.unpack("<H", end[10:12])[0] + 1, struct.unpack("<I", end[12:16])[0] + len(entry)
    path.write_bytes(data[:-22] + entry + end[:8] + struct.pack("<2HI", count, count, length) + end[16:])


def _hide(path: Path) -> None:
    """A directory that is cut short by its last entry: that part would not be counted."""
    data = path.read_bytes()
    last = data.rindex(b"PK\1\2")
    end, count = data[-22:], struct.unpack("<H", data[-12:-10])[0] - 1
    length = struct.unpack("<I", end[12:16])[0] - (len(data) - 22 - last)
    path.write_bytes(data[:last] + end[:8] + struct.pack("<2HI", count, count, length) + end[16:])


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut off": (lambda p: p.write_bytes(p.read_bytes()[:-1000]), "at byte [0-9,]+, .*cut off"),
    "cut to nothing": (lambda p: p.write_bytes(b""), "at byte 0, is 0 bytes long"),
    "no zip": (lambda p: p.write_bytes(b"<html>" * 100), "at byte 578, does not end in a directory"),
    "bytes before": (lambda p: p.write_bytes(b"x" * 7 + p.read_bytes()), "at byte .* not where it is said to be"),
    "bytes after": (lambda p: p.write_bytes(p.read_bytes() + b"x"), "at byte .* does not end in a directory"),
    "deflated data changed": (lambda p: patched(p, b"\xff", b"\xfe", 40), "at byte .*(damaged|CRC-32|ends|inflates)"),
    "encrypted": (_flag, "at byte .*encrypted"),
    "a name that climbs": (
        lambda p: _rezip(p, lambda n, d: [(f"../../{n}", d)]), "not named as an inner zip of this dump"),
    "a name of another dump": (
        lambda p: _rezip(p, lambda n, d: [(n.replace("global", "tiktok"), d)]), "not named as an inner zip"),
    "one zip deeper": (
        lambda p: _rezip(p, lambda n, d: [(n.removesuffix(".csv.zip"), d)]), "not named as an inner zip"),
    "inner zips compressed": (
        lambda p: _rezip(p, lambda n, d: [(n, d)], compression=zipfile.ZIP_DEFLATED), "where the publisher stores"),
    "a bomb": (_bomb, "at byte .*inflates from [0-9,]+ to 67,108,864 bytes, which no dump does"),
    "a bomb that lies": (_liar, "at byte .*inflates to more than its 200,000 bytes"),
    "a part listed twice": (_repeat, "at byte .*lists a name twice"),
    "a part hidden": (_hide, "at byte .*does not begin where the last file ends"),
    "no part": (lambda p: _rezip(p, lambda n, d: []), "holds no CSV file"),
    "a part that is empty": (lambda p: _rezip(p, lambda n, d: [(n, d[-22:-14] + bytes(14))]), "holds no CSV file"),
    "a part missing": (
        lambda p: _rezip(p, lambda n, d: [] if "00000.csv" in n else [(n, d)]), ""),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_dump_is_refused_with_file_and_offset(
    reduced: Reduce, what: str, small: Path, tmp_path: Path
) -> None:
    damage, said = DAMAGE[what]
    path = tmp_path / small.name
    path.write_bytes(small.read_bytes())
    damage(path)
    if not said:
        with pytest.raises(DumpError, match=f"lacks {SMALL.stem}-00000.csv.zip"):
            reduced(path, tmp_path / "cubes", unverified=True)
        receipt = reduced(signed(path), tmp_path / "cubes").receipt
        assert (receipt.rows, receipt.missing_parts) == (1200, (0,))
        return
    with pytest.raises(DumpError, match=f"{SMALL.stem}.*{said}"):
        reduced(signed(path), tmp_path / "cubes")
    assert [p.name for p in (tmp_path / "cubes").rglob("*")] == []


@pytest.mark.slow
def test_the_sidecar_decides(reduced: Reduce, small: Path, tmp_path: Path) -> None:
    path, sidecar = tmp_path / small.name, tmp_path / f"{small.name}.sha1"
    path.write_bytes(small.read_bytes())
    with pytest.raises(DumpError, match="has no sidecar"):
        reduced(path, tmp_path / "cubes")
    sidecar.write_text(f"{'0' * 40}  {path.name}")
    with pytest.raises(DumpError, match="another SHA-1 than its sidecar says; nothing was counted"):
        reduced(path, tmp_path / "cubes")
    for text in ("", "not a digest", f"{'0' * 40}  other.zip", "\xff"):
        sidecar.write_bytes(text.encode("latin-1"))
        with pytest.raises(DumpError, match="sidecar"):
            reduced(path, tmp_path / "cubes")
    assert not list((tmp_path / "cubes").rglob("*.*"))
    sidecar.unlink()
    assert not reduced(path, tmp_path / "cubes", unverified=True).receipt.sha1_verified
    sidecar.write_bytes(small.with_name(f"{small.name}.sha1").read_bytes())
    assert reduced(path, tmp_path / "cubes").receipt.sha1_verified


def test_an_engine_that_loses_a_row_is_an_error(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = scan._read

    def lossy(text: bytes, columns: tuple[str, ...]) -> object:
        frame = read(text, columns)
        return None if frame is None else frame.head(-1)

    monkeypatch.setattr(scan, "_read", lossy)
    with dump.opened(small) as opened, pytest.raises(DumpError, match="could not be counted"):
        scan.count(scan.Engine(), opened.file, opened.members[0], opened.day, small.name)


def test_a_folder_that_cannot_be_made(small: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DumpError, match="cannot be made a folder"):
        list(statements.reduce([small], tmp_path / "file"))


def test_a_name_that_is_no_dumps(reduced: Reduce, tmp_path: Path) -> None:
    for name, said in (("a.zip", "is not a dump's name"), ("sor-x-2025-02-30-full.zip", "names a day that is none")):
        with pytest.raises(DumpError, match=said):
            reduced(tmp_path / name, tmp_path / "cubes", unverified=True)
    with pytest.raises(DumpError, match="cannot be read: No such file"):
        reduced(tmp_path / "sor-x-2025-02-03-full.zip", tmp_path / "cubes", unverified=True)


@pytest.mark.slow
def test_zips_that_are_written_otherwise(reduced: Reduce, small: Path, tmp_path: Path) -> None:
    """With data descriptors, sizes in extra fields, or CSV files that are stored: all of it stands in the format."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, b: bytes) -> int:  # type: ignore[override]
            self.data += b
            return len(b)

    made_by = []
    for large, method in ((True, zipfile.ZIP_DEFLATED), (False, zipfile.ZIP_DEFLATED), (False, zipfile.ZIP_STORED)):
        pipe = Pipe()
        with zipfile.ZipFile(pipe, "w", method) as inner:
            for at, data in enumerate(tables_of(small)):
                with inner.open(f"{SMALL.stem}-00000-{at:05d}.csv", "w", force_zip64=large) as file:
                    file.write(data)
        folder = tmp_path / str(len(made_by))
        folder.mkdir()
        path = folder / small.name
        with (
            zipfile.ZipFile(path, "w") as outer,
            outer.open(f"{SMALL.stem}-00000.csv.zip", "w", force_zip64=large) as file,
        ):
            file.write(bytes(pipe.data))
        made_by.append(path)
    found = [r.receipt.counted for p in made_by for r in [reduced(signed(p), p.parent / "cubes")]]
    assert found == [2400] * 3


# ------------------------------------------------------------------------------------------------------------- writing


def test_nothing_is_counted_twice(reduced: Reduce, small: Path, tmp_path: Path) -> None:
    reduced(small, tmp_path)
    before = cube(tmp_path, "activity")
    light = made(tmp_path / "dumps", replace(SMALL, version="light"))
    with pytest.raises(DumpError, match=r"already counted in .*, from sor-global-2025-09-15-full"):
        reduced(light, tmp_path)
    assert cube(tmp_path, "activity") == before
    reduced(made(tmp_path / "dumps", replace(SMALL, day=date(2025, 9, 16))), tmp_path)
    assert duckdb.sql(f"SELECT sum(statements) FROM '{tmp_path}/*/*/*.activity.parquet'").fetchall() == [(4800,)]


def test_a_dump_that_was_published_anew_replaces_its_own(reduced: Reduce, tmp_path: Path) -> None:
    first = written(tmp_path / "1", [table(line(), line(platform_name="Gone"), line(category=ABOUT))])
    second = written(tmp_path / "2", [table(line(), line(platform_name='A "B", C/../D'))])
    reduced(first, tmp_path / "cubes")
    reduced(second, tmp_path / "cubes")
    assert {cell[0]: n for cell, n in cube(tmp_path / "cubes", "activity").items()} == {"X": 1, 'A "B", C/../D': 1}
    assert not list((tmp_path / "cubes").rglob("*.minors.parquet"))
    assert [p.name for p in (tmp_path / "cubes" / "dumps").iterdir()] == [f"{SMALL.stem}.json"]


def test_months_add_up_to_the_receipts(reduced: Reduce, small: Path, tmp_path: Path) -> None:
    assert statements.monthly(tmp_path) == []
    receipts = [reduced(small, tmp_path).receipt]
    receipts.append(reduced(made(tmp_path / "dumps", replace(SMALL, day=date(2025, 9, 16), seed=6)), tmp_path).receipt)
    found = statements.monthly(tmp_path)
    assert {(m.month, m.days) for m in found} == {("2025-09", 2)}
    assert sum(m.count for m in found if m.measure == "statements") == 4800
    assert sum(m.count for m in found if m.measure == "minors_statements") == sum(r.about_minors for r in receipts)
    tables = tables_of(small) + tables_of(tmp_path / "dumps" / "sor-global-2025-09-16-full.zip")
    pairs = Counter(str(keyword) for c, n in oracle(tables, "minors").items() for keyword in c[13] for _ in range(n))  # type: ignore[attr-defined]
    assert _summed(found, "minors_keyword_pairs") == pairs
    next(tmp_path.rglob("*.minors.parquet")).unlink()
    with pytest.raises(DumpError, match=r"the cube minors of .* does not add up to its receipt"):
        statements.monthly(tmp_path)


def _summed(found: Sequence[statements.Monthly], measure: str) -> Counter[str]:
    summed = Counter[str]()
    for one in found:
        if one.measure == measure:
            summed[one.code] += one.count
    return summed


def test_a_worker_that_is_killed_ends_in_an_error(tmp_path: Path) -> None:
    path = made(tmp_path / "dumps", replace(SMALL, rows=60_000, rows_per_csv=10_000))
    with crew.started(2) as workers, dump.opened(path) as opened:
        job = crew.Job(workers, opened, lambda *_: None)
        os.kill(workers[0].process.pid, signal.SIGTERM)
        with pytest.raises(DumpError, match=r"a worker ended \(SIGTERM\) at .*; nothing was written"):
            job.result()
    assert all(w.process.returncode is not None for w in workers)


@pytest.mark.slow
def test_a_killed_worker_leaves_nothing_behind(tmp_path: Path) -> None:
    path = made(tmp_path / "dumps", replace(SMALL, rows=60_000, rows_per_csv=10_000))
    children = Path(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/children")
    if not children.exists():
        pytest.skip("this system does not list a process's children")
    before = set(children.read_text().split())

    def kill() -> None:
        while not (found := set(children.read_text().split()) - before):
            time.sleep(0.001)
        time.sleep(0.3)
        os.kill(int(min(found)), signal.SIGTERM)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(DumpError, match="a worker ended"):
        list(statements.reduce([path], tmp_path / "cubes", workers=2))
    killer.join()
    assert [p.name for p in (tmp_path / "cubes").rglob("*")] == []


@pytest.mark.slow
def test_the_command_says_rows_in_counted_and_rejected(lightwell: Callable[..., Ran], tmp_path: Path) -> None:
    path = written(tmp_path, [table(line(), b"bad")])
    ran = lightwell("statements", "reduce", path, "--to", tmp_path / "cubes", "--workers", "1")
    assert ran.code == 0
    assert f"dump {SMALL.stem}, rows 2, counted 1, rejected 1, about_minors 0, platforms 1" in ran.out
    assert "00000.csv line 3: does not split into the header's cells" in " ".join(ran.err.split())
    path.write_bytes(path.read_bytes()[:-5])
    ran = lightwell("statements", "reduce", path, "--to", tmp_path / "other")
    assert (ran.code, ran.out) == (1, "")
    assert "cut off" in ran.err


# ------------------------------------------------------------------------------------------------------------- fuzzing


def cells_of(path: Path, workers: crew.Workers) -> tuple[Counter[scan.Cell], int, int]:
    with dump.opened(path) as opened:
        if opened.missing_parts:
            raise DumpError(f"{path.name} lacks a part, at byte 0")
        found = crew.Job(workers, opened, lambda *_: None).result()
    return Counter(found.cells), found.lines, sum(found.rejected.values())


def mutation(rng: random.Random, data: bytes) -> bytes:
    """The dump with bits flipped, cut off, or with blocks moved, repeated, left out or overwritten."""
    size = len(data)
    a, b = sorted((rng.randrange(size), rng.randrange(size)))
    short = data[a : a + rng.randrange(1, 200)]
    flipped = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        directory = rng.random() < 0.4
        flipped[rng.randrange(size - 400, size) if directory else rng.randrange(size)] ^= 1 << rng.randrange(8)
    return rng.choice(
        (bytes(flipped), bytes(flipped), bytes(flipped), data[:a], data[a:], data[:a] + data[b:], data + short,
         data[:a] + short + data[a:], data[:a] + data[b:] + data[a:b], data[:b] + short + data[b + len(short) :],
         data[:b] + bytes(len(short)) + data[b + len(short) :])
    )  # fmt: skip


@pytest.mark.slow
def test_a_thousand_damaged_dumps_are_exact_or_refused(tmp_path: Path) -> None:
    plan = replace(SMALL, rows=120, rows_per_csv=20, csvs_per_part=3)
    path = made(tmp_path, plan)
    data, rng, outcomes = path.read_bytes(), random.Random(7), Counter[str]()
    with crew.started(1) as started:
        workers = started
        truth = cells_of(path, workers)
        assert (truth[0].total(), *truth[1:]) == (120, 120, 0)
        for _ in range(800):
            path.write_bytes(mutation(rng, data))
            try:
                assert cells_of(path, workers) == truth
                outcomes["exact"] += 1
            except DumpError as error:
                assert plan.stem in str(error)
                assert re.search(r"at byte [\d,]+", str(error)), str(error)
                outcomes["refused"] += 1
            assert workers[0].process.poll() is None
            workers[0].ask(None, 10, "")  # forget what was counted before the damage
    assert outcomes["refused"] > 600
    assert outcomes["exact"] > 5


@pytest.mark.slow
def test_hundreds_of_damaged_files_lose_no_row(tmp_path: Path) -> None:
    """The CSV itself is changed, and everything around it is made to fit: only rows can tell."""
    plan = replace(SMALL, rows=60, rows_per_csv=60, csvs_per_part=1)
    original = tables_of(made(tmp_path, plan))[0]
    header, _, body = original.partition(b"\n")
    rng = random.Random(8)
    with crew.started(1) as workers:
        truth = cells_of(written(tmp_path, [original], plan), workers)[0]
        for _ in range(300):
            changed = bytearray(body)
            touched = set()
            for _ in range(rng.choice((1, 2, 5))):
                at = rng.randrange(len(changed))
                touched.add(bytes(changed[:at]).count(b"\n"))
                changed[at] = rng.choice((changed[at] ^ (1 << rng.randrange(8)), *b'",\n\\\r\x00\xff '))
            found, lines, rejected = cells_of(written(tmp_path, [header + b"\n" + bytes(changed)], plan), workers)
            assert lines == len([*bytes(changed).split(b"\n")]) - bytes(changed).endswith(b"\n")
            assert found.total() + rejected == lines
            gone, come = (truth - found).total(), (found - truth).total()
            assert gone <= 2 * len(touched), "a line that was not touched, nor beside one, is counted as it was"
            assert come <= 2 * len(touched)


@pytest.mark.slow
def test_a_large_dump_equals_pandas_with_two_workers(tmp_path: Path) -> None:
    path = made(tmp_path / "dumps", Plan(rows=120_000, rows_per_csv=20_000, csvs_per_part=2, seed=9, quirks=0.0))
    ((receipt, _),) = [(r.receipt, r.rejected) for r in statements.reduce([path], tmp_path / "cubes", workers=2)]
    assert (receipt.rows, receipt.counted) == (120_000, 120_000)
    for name in ("activity", "minors"):
        assert cube(tmp_path / "cubes", name) == oracle(tables_of(path), name)
