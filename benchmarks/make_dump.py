"""Synthetic dumps of the EU's DSA Transparency Database: seeded, with the real columns, nesting and skew, of any size.

    python benchmarks/make_dump.py FOLDER --rows 2000000 --version full --day 2025-09-15

writes `sor-global-2025-09-15-full.zip` and its `.sha1` sidecar: an outer zip that stores inner zips, one a million ids,
each with deflated CSV files of 100,000 rows. A row is made up: platforms, categories and codes are the published ones,
every text is a stock phrase. The same arguments give the same rows on every machine.
"""

import argparse
import hashlib
import json
import random
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from pathlib import Path

FULL = (
    "uuid", "decision_visibility", "decision_visibility_other", "end_date_visibility_restriction",
    "decision_monetary", "decision_monetary_other", "end_date_monetary_restriction", "decision_provision",
    "end_date_service_restriction", "decision_account", "end_date_account_restriction", "account_type",
    "decision_ground", "decision_ground_reference_url", "illegal_content_legal_ground", "illegal_content_explanation",
    "incompatible_content_ground", "incompatible_content_explanation", "incompatible_content_illegal", "category",
    "category_addition", "category_specification", "category_specification_other", "content_type",
    "content_type_other", "content_language", "content_date", "content_id_ean", "territorial_scope",
    "application_date", "decision_facts", "source_type", "source_identity", "automated_detection",
    "automated_decision", "platform_name", "platform_uid", "created_at",
)  # fmt: skip
NOT_LIGHT = ("illegal_content_explanation", "incompatible_content_explanation", "territorial_scope", "decision_facts")
EAN_SINCE = date(2025, 7, 1)
QUIRKS = ("escaped quote", "bad utf-8", "carriage return", "trailing backslash", "nul", "doubled quote")

_PLATFORMS = {
    "Google Shopping": 850, "TikTok": 46, "AliExpress": 22, "Facebook": 17, "Pinterest": 14, "Google Maps": 9,
    "Instagram": 8, "YouTube": 8, "Temu": 6, "Amazon": 5, "Discord Netherlands B.V.": 3, "X": 2, "LinkedIn": 2,
    "Snapchat": 2, "Reddit": 1.5, "Kleinanzeigen": 1, "Threads": 1, "Hotel Hideaway": 0.4, "Wallapop": 0.4,
    'Shop "Nord", Süd & Co': 0.1,
}  # fmt: skip
_SHOPS = ("Google Shopping", "AliExpress", "Temu", "Amazon", "Wallapop", 'Shop "Nord", Süd & Co')
_V1 = {
    "SCOPE_OF_PLATFORM_SERVICE": 60, "ILLEGAL_OR_HARMFUL_SPEECH": 10, "UNSAFE_AND_ILLEGAL_PRODUCTS": 6,
    "PORNOGRAPHY_OR_SEXUALIZED_CONTENT": 6, "VIOLENCE": 4, "SCAMS_AND_FRAUD": 5, "PROTECTION_OF_MINORS": 4,
    "DATA_PROTECTION_AND_PRIVACY_VIOLATIONS": 2, "INTELLECTUAL_PROPERTY_INFRINGEMENTS": 2, "SELF_HARM": 1,
}  # fmt: skip
_V2 = {
    "OTHER_VIOLATION_TC": 55, "ILLEGAL_OR_HARMFUL_SPEECH": 12, "UNSAFE_AND_PROHIBITED_PRODUCTS": 8, "VIOLENCE": 5,
    "CYBER_VIOLENCE": 4, "SCAMS_AND_FRAUD": 6, "PROTECTION_OF_MINORS": 5, "CONSUMER_INFORMATION": 2,
    "INTELLECTUAL_PROPERTY_INFRINGEMENTS": 2, "SELF_HARM": 1,
}  # fmt: skip
_KEYWORDS = {
    "PROTECTION_OF_MINORS": ("CHILD_SEXUAL_ABUSE_MATERIAL", "GROOMING_SEXUAL_ENTICEMENT_MINORS",
                             "AGE_SPECIFIC_RESTRICTIONS_MINORS", "OTHER"),
    "ILLEGAL_OR_HARMFUL_SPEECH": ("HATE_SPEECH", "DEFAMATION", "INCITEMENT_VIOLENCE_HATRED"),
    "SCAMS_AND_FRAUD": ("PHISHING", "INAUTHENTIC_ACCOUNTS", "INAUTHENTIC_LISTINGS"),
    "VIOLENCE": ("COORDINATED_HARM", "HUMAN_TRAFFICKING", "CHILD_SEXUAL_ABUSE_MATERIAL"),
    "CYBER_VIOLENCE": ("CYBER_HARASSMENT", "NON_CONSENSUAL_IMAGE_SHARING"),
}  # fmt: skip
_COUNTRIES = re.findall("..", "ATBEBGCYCZDEDKEEESFIFRGRHRHUIEISITLILTLULVMTNLNOPLPTROSESISK")
_SOURCES = {
    "SOURCE_VOLUNTARY": 95.0, "SOURCE_TYPE_OTHER_NOTIFICATION": 3.0, "SOURCE_ARTICLE_16": 2.0,
    "SOURCE_TRUSTED_FLAGGER": 0.2,
}  # fmt: skip
_LANGUAGES = ("", "", "", "EN", "DE", "FR", "ES", "PL")
_TEXTS = (
    "Content that is not allowed on the service, for example what misleads others about its origin or purpose, ",
    "The decision was taken after a review of the content, of notices received, and of our community guidelines; ",
    "Users may appeal within six months. Repeated violations can lead to further restrictions of the account, ",
    "Placing misleading or fraudulent offers is not permitted; the listing does not meet our product policy, ",
    "Our systems detected a violation of the terms of service (section 4) using automated and human moderation, ",
    'The item was reported under the category "other" and was found to be incompatible with our policy, ',
)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that decides a dump's rows."""

    rows: int
    version: str = "full"  # or light
    day: date = date(2025, 9, 15)
    seed: int = 1
    slug: str = "global"
    rows_per_csv: int = 100_000
    csvs_per_part: int = 10
    quirks: float = 0.0  # share of rows with a text that spoils a naive reader
    kinds: int = 5000  # different combinations of codes and texts
    level: int = 6  # of deflate, as libzip's default

    @property
    def stem(self) -> str:
        """The name the publisher gives such a dump, without `.zip`."""
        return f"sor-{self.slug}-{self.day}-{self.version}"

    @property
    def header(self) -> tuple[str, ...]:
        """The columns of this version on this day."""
        names = [n for n in FULL if n != "content_id_ean" or self.day >= EAN_SINCE]
        return tuple(n for n in names if self.version == "full" or n not in NOT_LIGHT)


def quoted(text: str) -> str:
    """A cell as PHP's fputcsv writes it."""
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in '," \\\t\r\n') else text


def codes(prefix: str, names: Iterable[str]) -> str:
    """Several codes in one cell: JSON text, or nothing."""
    full = [prefix + name for name in names]
    return json.dumps(full, separators=(",", ":")) if full else ""


def text(rng: random.Random, length: int) -> str:
    """Stock phrases up to about `length` characters."""
    made = ""
    while len(made) < length:
        made += rng.choice(_TEXTS)
    return made[:length].strip()


def weighted(rng: random.Random, weights: dict[str, float]) -> str:
    """One of the names, by weight."""
    return rng.choices(list(weights), list(weights.values()))[0]


def kind(rng: random.Random, plan: Plan) -> dict[str, str]:
    """The cells that a sort of statement has in common: all but ids and dates."""
    platform = weighted(rng, {name: weight**0.5 for name, weight in _PLATFORMS.items()})
    categories = _V2 if plan.day >= EAN_SINCE else _V1
    category = weighted(rng, categories)
    keywords = _KEYWORDS.get(category, ())
    chosen = rng.sample(keywords, rng.choice((1, 1, 1, 2, min(3, len(keywords))))) if keywords else []
    illegal = rng.random() < 0.05
    account = rng.choice(("SUSPENDED", "TERMINATED")) if rng.random() < 0.08 else ""
    visible = rng.choice(("CONTENT_REMOVED", "CONTENT_DISABLED", "CONTENT_DEMOTED", "OTHER", "CONTENT_AGE_RESTRICTED"))
    shows = [] if account and rng.random() < 0.5 else [visible, "CONTENT_LABELLED"][: rng.choice((1, 1, 1, 1, 2))]
    contents = (
        ["PRODUCT"] if platform in _SHOPS else rng.sample(("TEXT", "VIDEO", "IMAGE", "OTHER"), rng.choice((1, 1, 2)))
    )
    added = [rng.choice(list(categories))] if rng.random() < 0.02 else []
    return {
        "decision_visibility": codes("DECISION_VISIBILITY_", shows),
        "decision_visibility_other": text(rng, 40) if "OTHER" in shows else "",
        "decision_monetary": "DECISION_MONETARY_SUSPENSION" if rng.random() < 0.01 else "",
        "decision_provision": "DECISION_PROVISION_PARTIAL_SUSPENSION" if rng.random() < 0.03 else "",
        "decision_account": f"DECISION_ACCOUNT_{account}" if account else "",
        "account_type": rng.choice(("", "", "", "ACCOUNT_TYPE_BUSINESS", "ACCOUNT_TYPE_PRIVATE")),
        "decision_ground": f"DECISION_GROUND_{'ILLEGAL' if illegal else 'INCOMPATIBLE'}_CONTENT",
        "decision_ground_reference_url": "https://policies.example.org/terms#4" if rng.random() < 0.3 else "",
        "illegal_content_legal_ground": text(rng, 50) if illegal else "",
        "illegal_content_explanation": text(rng, 270) if illegal else "",
        "incompatible_content_ground": "" if illegal else text(rng, rng.randrange(20, 70)),
        "incompatible_content_explanation": "" if illegal else text(rng, rng.randrange(120, 400)),
        "incompatible_content_illegal": "" if illegal else rng.choice(("", "", "Yes", "No")),
        "category": f"STATEMENT_CATEGORY_{category}",
        "category_addition": codes("STATEMENT_CATEGORY_", added),
        "category_specification": codes("KEYWORD_", chosen if rng.random() < 0.4 else []),
        "category_specification_other": text(rng, 20) if "OTHER" in chosen else "",
        "content_type": codes("CONTENT_TYPE_", contents),
        "content_type_other": "listing" if "OTHER" in contents else "",
        "content_language": rng.choice(_LANGUAGES),
        "territorial_scope": codes("", _COUNTRIES if rng.random() < 0.95 else [rng.choice(_COUNTRIES)]),
        "decision_facts": text(rng, rng.randrange(120, 400)),
        "source_type": weighted(rng, _SOURCES),
        "automated_detection": rng.choice(("Yes", "Yes", "Yes", "No")),
        "automated_decision": "AUTOMATED_DECISION_" + rng.choice(("FULLY", "NOT_AUTOMATED", "PARTIALLY")),
        "platform_name": platform,
    }  # fmt: skip


@lru_cache(maxsize=4)
def templates(plan: Plan) -> tuple[list[bytes], list[float]]:
    """A `%`-template a kind, with its cumulated weight: few kinds make most of the rows."""
    rng = random.Random(f"{plan.seed} kinds")
    made, weights = [], []
    for at in range(plan.kinds):
        cells = kind(rng, plan)
        cells |= {"uuid": "\0u", "content_date": "\0c", "application_date": "\0a", "platform_uid": "\0p",
                  "created_at": "\0r"}  # fmt: skip
        line = ",".join(quoted(cells.get(name, "")) for name in plan.header).replace("%", "%%")
        for mark in "ucapr":
            line = line.replace(f"\0{mark}", f"%({mark})b")
        made.append(line.encode())
        share = _PLATFORMS[cells["platform_name"]] ** 0.5
        weights.append((weights[-1] if weights else 0) + share * 100 / (at % 1000 + 5))
    return made, weights


def rows(plan: Plan, first: int, count: int) -> Iterator[bytes]:
    """The lines of rows `first` to `first + count`, which depend on nothing but the plan and their number's file."""
    rng = random.Random(f"{plan.seed} {first}")
    made, weights = templates(plan)
    midnight = datetime(plan.day.year, plan.day.month, plan.day.day)
    days = [f'"{plan.day - timedelta(days=back)} 00:00:00"'.encode() for back in range(3000)]
    chosen = rng.choices(made, cum_weights=weights, k=count)
    hexes = rng.randbytes(16 * count).hex().encode()
    delays = rng.choices([0, 1, 2, 3, 5, 8, 20, 60, 200, 700, 2900], [50, 20, 8, 5, 4, 4, 3, 2, 2, 1, 1], k=count)
    handled = rng.choices([0, 1, 2, 9, 40], [70, 20, 5, 4, 1], k=count)
    for at, template in enumerate(chosen):
        h = hexes[32 * at : 32 * at + 32]
        u = b"-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))
        stamp = midnight + timedelta(seconds=(first + at) * 86399 // max(plan.rows, 1))
        applied = min(handled[at], delays[at]) if at % 50 else delays[at] + 1  # now and then before the content's date
        cells = {b"u": u, b"c": days[delays[at]] if at % 30 else b"", b"a": days[applied], b"p": h[:24],
                 b"r": f'"{stamp}"'.encode()}  # fmt: skip
        line = template % cells
        if plan.quirks and rng.random() < plan.quirks:
            line = quirky(line, plan, QUIRKS[rng.randrange(len(QUIRKS))])
        yield line


def quirky(line: bytes, plan: Plan, which: str) -> bytes:
    """The line with a free text that has an oddity of real dumps. `platform_uid` is followed by no comma in a text."""
    odd = {
        "escaped quote": rb'"he said \"stop, now\" twice"',
        "bad utf-8": b'"caf\xe9 \xff text"',
        "carriage return": b'"one\rtwo, three"',
        "trailing backslash": b'"ends in a backslash \\"',
        "nul": b'"with a \0 in it"',
        "doubled quote": b'"a ""quoted"", word"',
    }[which]
    at = plan.header.index("content_type_other")
    before, spot, after = _around(line, at)
    return before + (odd if spot in (b"", b"listing") else spot) + after


def _around(line: bytes, at: int) -> tuple[bytes, bytes, bytes]:
    """A well-formed line before, in and after its cell number `at`."""
    start, cell, inside = 0, 0, False
    for place, byte in enumerate(line):
        if byte == 34:
            inside = not inside
        elif byte == 44 and not inside:
            if cell == at:
                return line[:start], line[start:place], line[place:]
            cell, start = cell + 1, place + 1
    return line[:start], line[start:], b""


def csv(plan: Plan, first: int, count: int) -> bytes:
    """One CSV file: the header, then the rows; no line end after the last, as published."""
    return b"\n".join([",".join(plan.header).encode(), *rows(plan, first, count)])


def inner_zip(plan: Plan, part: int) -> bytes:
    """The inner zip of one window of ids."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=plan.level) as made:
        window = plan.csvs_per_part * plan.rows_per_csv
        start, end = part * window, min((part + 1) * window, plan.rows)
        for sub, first in enumerate(range(start, max(end, start + 1), plan.rows_per_csv)):
            name = f"{plan.stem}-{part:05d}-{sub:05d}.csv"
            made.writestr(
                _entry(name, plan, zipfile.ZIP_DEFLATED), csv(plan, first, max(0, min(plan.rows_per_csv, end - first)))
            )
    return out.getvalue()


def _entry(name: str, plan: Plan, method: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, (plan.day.year, plan.day.month, plan.day.day, 3, 0, 0))
    entry.compress_type = method
    return entry


def write_outer(path: Path, parts: Iterable[tuple[str, bytes]], plan: Plan) -> Path:
    """The outer zip of given inner zips, and its sidecar."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as outer:
        for name, data in parts:
            outer.writestr(_entry(name, plan, zipfile.ZIP_STORED), data)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha1").hexdigest()
    path.with_name(path.name + ".sha1").write_text(f"{digest}  {path.name}", encoding="ascii")
    return path


def make_dump(folder: Path, plan: Plan, *, processes: int = 1) -> Path:
    """Write a dump and its sidecar into `folder`; the bytes depend on the plan (and on the machine's zlib)."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = range(max(1, -(-plan.rows // (plan.csvs_per_part * plan.rows_per_csv))))
    names = [f"{plan.stem}-{part:05d}.csv.zip" for part in numbers]
    path = folder / f"{plan.stem}.zip"
    if processes == 1:
        return write_outer(path, zip(names, (inner_zip(plan, part) for part in numbers), strict=True), plan)
    with ProcessPoolExecutor(processes) as pool:
        return write_outer(path, zip(names, pool.map(inner_zip, [plan] * len(numbers), numbers), strict=True), plan)


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write a synthetic DSA dump.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--version", choices=("full", "light"), default="full")
    parser.add_argument("--day", type=date.fromisoformat, default=date(2025, 9, 15))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quirks", type=float, default=0.0, help="share of rows with an awkward text")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(arguments)
    plan = Plan(given.rows, given.version, given.day, given.seed, quirks=given.quirks)
    path = make_dump(given.folder, plan, processes=given.processes)
    print(f"{path}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
