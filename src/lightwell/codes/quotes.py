"""Reads and checks the codelists of quoted figures and of the conflicts among them."""

import re
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from lightwell.codes.areas import areas
from lightwell.codes.entries import CODE, Entry, check_amount, keyed, read_list
from lightwell.codes.lists import (
    COMPARATORS,
    EVIDENCE,
    VERDICTS,
    Harm,
    Metric,
    QuotedConflict,
    QuotedConflictStep,
    QuotedConflictValue,
    QuotedDocument,
    QuotedFigure,
    Unit,
)

_SHA256 = re.compile("[0-9a-f]{64}")


class QuotedLists(NamedTuple):
    """The five lists of quoted figures."""

    document: Mapping[str, QuotedDocument]
    figure: list[QuotedFigure]
    conflict: list[QuotedConflict]
    value: list[QuotedConflictValue]
    step: list[QuotedConflictStep]


def load_quoted(
    folder: Path, metric: Mapping[str, Metric], unit: Mapping[str, Unit], harm: Mapping[str, Harm]
) -> QuotedLists:
    """Read and check them. Raises DeclarationError naming file and line."""
    documents = read_list(folder, "quoted_document", QuotedDocument)
    figures = read_list(folder, "quoted_figure", QuotedFigure)
    _check_quoted(documents, figures, metric, unit, harm)
    conflicts = read_list(folder, "quoted_conflict", QuotedConflict)
    values = read_list(folder, "quoted_conflict_value", QuotedConflictValue)
    steps = read_list(folder, "quoted_conflict_step", QuotedConflictStep)
    parts = {(entry.value.quoted_id, entry.value.part) for entry in figures}
    _check_conflicts(conflicts, parts)
    _check_conflict_values(conflicts, values, parts, metric, unit)
    _check_conflict_steps(steps, {(entry.value.conflict_id, entry.value.value_key) for entry in values})
    return QuotedLists(
        keyed(documents),
        [entry.value for entry in figures],
        [entry.value for entry in conflicts],
        [entry.value for entry in values],
        [entry.value for entry in steps],
    )


def _check_quoted(
    documents: Iterable[Entry[QuotedDocument]],
    entries: Iterable[Entry[QuotedFigure]],
    metric: Mapping[str, Metric],
    unit: Mapping[str, Unit],
    harm: Mapping[str, Harm],
) -> None:
    for document in documents:
        if not _SHA256.fullmatch(document.value.document_id):
            raise document.fault("document_id is no sha256 in hex")
        if not (document.value.file_name and document.value.title and document.value.publisher):
            raise document.fault("file_name, title or publisher is empty")
    known = {document.value.quoted_document for document in documents}
    ids = {entry.value.quoted_id for entry in entries}
    sentences: dict[str, tuple[str, str, str, str]] = {}
    parts: set[tuple[str, str]] = set()
    for entry in entries:
        found = entry.value
        _check_range(entry)
        check_amount(entry, found.quoted_value, found.value_low, found.value_high, found.comparator)
        entry.require("quoted_document", found.quoted_document, known)
        sentence = (found.quoted_document, found.char_start, found.char_end, found.text_sha256)
        if sentences.setdefault(found.quoted_id, sentence) != sentence:
            raise entry.fault(f"{found.quoted_id} is one sentence and cannot stand at two places")
        if (found.quoted_id, found.part) in parts:
            raise entry.fault(f"part {found.part} of {found.quoted_id} stands here twice")
        parts.add((found.quoted_id, found.part))
        if bool(found.comparator) != bool(found.unit_measure):
            raise entry.fault("a number needs a unit_measure, and nothing else has one")
        _check_quoted_codes(entry, metric, unit, harm, ids)


def _check_range(entry: Entry[QuotedFigure]) -> None:
    found = entry.value
    if not re.fullmatch("[A-Z][1-9][0-9]*", found.quoted_id) or not re.fullmatch("[1-9]", found.part):
        raise entry.fault(f"{found.quoted_id!r}, part {found.part!r}: must be like B11 and 2")
    if not (found.char_start.isdecimal() and found.char_end.isdecimal()):
        raise entry.fault(f"characters {found.char_start!r} to {found.char_end!r} are no whole numbers")
    if int(found.char_start) >= int(found.char_end):
        raise entry.fault(f"characters {found.char_start} to {found.char_end} hold nothing")
    if not _SHA256.fullmatch(found.text_sha256):
        raise entry.fault("text_sha256 is no sha256 in hex")
    if not found.what:
        raise entry.fault("what is empty")


def _check_quoted_codes(
    entry: Entry[QuotedFigure],
    metric: Mapping[str, Metric],
    unit: Mapping[str, Unit],
    harm: Mapping[str, Harm],
    ids: Container[str],
) -> None:
    found = entry.value
    listed: tuple[tuple[str, Container[str]], ...] = (
        ("metric", metric), ("unit_measure", unit), ("harm", harm), ("ref_area", areas()), ("redundant_with", ids),
    )  # fmt: skip
    for column, codes in listed:
        if code := getattr(found, column):
            entry.require(column, code, codes)
    for area in found.named_areas.split():
        entry.require("named_areas", area, areas())
    if found.metric and metric[found.metric].unit_measure != found.unit_measure:
        raise entry.fault(f"{found.metric} is counted in {metric[found.metric].unit_measure}, not {found.unit_measure}")


def _check_conflicts(entries: Iterable[Entry[QuotedConflict]], quoted: Iterable[tuple[str, str]]) -> None:
    ids = {quoted_id for quoted_id, _ in quoted}
    seen: set[str] = set()
    for entry in entries:
        found = entry.value
        if not re.fullmatch("C[1-9][0-9]*", found.conflict_id) or found.conflict_id in seen:
            raise entry.fault(f"conflict_id {found.conflict_id!r} is not like C2, or stands here for the second time")
        seen.add(found.conflict_id)
        for quoted_id in found.quoted_ids.split():
            entry.require("quoted_ids", quoted_id, ids)
        if found.verdict not in VERDICTS:
            raise entry.fault(f"verdict {found.verdict!r} must be one of {', '.join(VERDICTS)}")
        if found.read_comparator not in ("", *COMPARATORS):
            raise entry.fault(f"read_comparator {found.read_comparator!r} is no comparator")
        if not (found.title and found.handling and found.citation):
            raise entry.fault("title, handling or citation is empty")


def _check_conflict_values(
    conflicts: Iterable[Entry[QuotedConflict]],
    entries: Iterable[Entry[QuotedConflictValue]],
    quoted: Container[tuple[str, str]],
    metric: Mapping[str, Metric],
    unit: Mapping[str, Unit],
) -> None:
    known = {conflict.value.conflict_id for conflict in conflicts}
    keys: set[tuple[str, str]] = set()
    for entry in entries:
        found = entry.value
        if not re.fullmatch(r"(?:[a-z_]+=[^\s=]+)?", found.dimension):
            raise entry.fault(f"dimension {found.dimension!r} is not written as study=ijm_osec_2020")
        entry.require("conflict_id", found.conflict_id, known)
        check_amount(entry, found.amount, found.value_low, found.value_high, found.comparator)
        if sum(map(bool, (found.quoted_id, found.comparator, found.term))) != 1:
            raise entry.fault("give a quoted figure, a number or a term, one of the three")
        if found.quoted_id and (found.quoted_id, found.part) not in quoted:
            raise entry.fault(f"part {found.part!r} of {found.quoted_id!r} is not in quoted_figure.csv")
        listed: tuple[tuple[str, Container[str]], ...] = (
            ("metric", metric), ("unit_measure", unit), ("ref_area", areas()),
        )  # fmt: skip
        for column, codes in listed:
            if code := getattr(found, column):
                entry.require(column, code, codes)
        if found.evidence not in EVIDENCE or (found.evidence == "quoted") != bool(found.quoted_id):
            raise entry.fault(f"evidence {found.evidence!r} must be one of {', '.join(EVIDENCE)}; quoted for a quote")
        if not (found.said_by and found.what and (found.citation or found.quoted_id)):
            raise entry.fault("said_by, what or citation is empty")
        if (found.conflict_id, found.value_key) in keys or not CODE.fullmatch(found.value_key):
            raise entry.fault(f"value_key {found.value_key!r} is no code, or stands here twice")
        keys.add((found.conflict_id, found.value_key))


def _check_conflict_steps(entries: Iterable[Entry[QuotedConflictStep]], keys: Container[tuple[str, str]]) -> None:
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        found = entry.value
        used = (found.left_key, found.against_key, *([found.right_key] if found.operator else []))
        for key in used:
            if (found.conflict_id, key) not in keys:
                raise entry.fault(f"{found.conflict_id} has no value {key!r} in quoted_conflict_value.csv")
        if found.operator not in ("", "*", "/", "+", "-") or (bool(found.operator) != bool(found.right_key)):
            raise entry.fault(f"operator {found.operator!r} must be one of * / + - with a right_key, or empty without")
        if found.relation not in COMPARATORS or found.expected not in ("holds", "fails"):
            raise entry.fault(f"relation {found.relation!r} or expected {found.expected!r} is not known")
        if not re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", found.tolerance) or not found.what:
            raise entry.fault(f"tolerance {found.tolerance!r} is no number, or what is empty")
        if (found.conflict_id, found.step) in seen or not re.fullmatch("[1-9][0-9]?", found.step):
            raise entry.fault(f"step {found.step!r} of {found.conflict_id} is no number, or stands here twice")
        seen.add((found.conflict_id, found.step))
