"""What an import would change, in numbers and warnings for a person to look at; and whether it has to wait for one."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from importer import datasets
from importer.loaders.choice import Loader, loader_for
from importer.loaders.postgres import Compared, PostgresLoader
from importer.models import Import
from importer.options import Options
from importer.values import ImportProblem, quote

#: Percentages of less than this say nothing: rows of a catalogue, rows that a warning is about, rows of a drift.
LEAST_CATALOGUE, LEAST_ROWS, LEAST_DRIFT = 100, 20, 10
#: Seconds from which it is worth a warning how long rows would be held.
LONG_WAIT = 3600


@dataclass(frozen=True)
class Decision:
    """What goes into Import.review, and whether the import waits for a person."""

    review: dict[str, Any]
    waits: bool


def loader_of(run: Import) -> Loader:
    """The loader of a file whose heading was read, without the columns that a person left out."""
    dataset = datasets.of_old(run.dataset)
    left_out = set(Options.of(run.options).left_out) - dataset.decisive
    found = dataset.seen_as(run.layout).names(run.checkpoint["places"])
    return loader_for(dataset, run.pk, [name for name in found if name not in left_out])


def decide(run: Import, found: Compared, loader: Loader) -> Decision:
    """Sum up what COMPARE found. Part of the caller's transaction; makes the list of duplicates when the import waits.

    The review: `counts` {to_create, to_update, to_hold, unchanged, superseded, rejected, missing},
    `columns` [{name, changed, emptied}],
    `warnings` [{kind, sentence}], `mangled` {kind: {count, examples}}, `rows_before`, `drift` (a sentence or ""), `approved`
    (the counts that a person agreed to, with their `columns`), and `absent` (rows that could be switched off) when it waits.
    """
    if not isinstance(loader, PostgresLoader):
        if run.mode == Import.Mode.REVIEW:
            raise ImportProblem("A review needs PostgreSQL; this site runs on another database. Import the file at once.")
        if Options.of(run.options).deactivate_missing:
            raise ImportProblem(
                "Switching off what the file does not have needs PostgreSQL; this site runs on another database."
            )
        return Decision({}, waits=False)
    superseded = run.lines - run.rejected - found.keys
    mangled = (
        {"scientific": loader.scientific(), "shortened": loader.shortened()} if found.to_create and not loader.in_turn else {}
    )
    review: dict[str, Any] = {
        "counts": {
            "to_create": found.to_create,
            "to_update": found.to_update,
            "to_hold": found.to_hold,
            "unchanged": found.keys - found.planned,
            "superseded": superseded,
            "rejected": run.rejected,
            "missing": found.missing,
        },
        "columns": [{"name": name, "changed": found.changed[name], "emptied": found.emptied[name]} for name in found.changed],
        "rows_before": found.live,
        "mangled": {kind: {"count": keys.count, "examples": keys.examples} for kind, keys in mangled.items() if keys.count},
        "drift": "",
    }
    review["warnings"] = list(warnings(run, found, review["mangled"]))
    approved = run.review.get("approved")
    if approved is not None:
        review["drift"] = drift(approved, review, run.lines)
        if not review["drift"]:
            review["approved"] = approved
    waits = needed(run, review)
    if waits:
        review["absent"] = loader.count_missing()
        if superseded:
            loader.list_doubles()
    return Decision(review, waits)


def needed(run: Import, review: dict[str, Any]) -> bool:
    """True when `run`, of which nothing was written yet, must not go on before a person has seen `review`."""
    if Options.of(run.options).unasked or run.created or run.updated or run.held or run.deactivated or "approved" in review:
        return False
    if review["drift"] or review["warnings"] or run.review.get("chosen") or run.mode == Import.Mode.REVIEW:
        return True
    changes = review["counts"]["to_update"] or review["counts"]["missing"]
    return run.mode == Import.Mode.AUTO and bool(changes)


def warnings(run: Import, found: Compared, mangled: dict[str, Any]) -> list[dict[str, str]]:
    """What looks like a mistake: [{"kind": …, "sentence": …}]"""
    title = datasets.get(run.dataset).title.lower()
    said: list[dict[str, str]] = []

    def warn(kind: str, sentence: str) -> None:
        said.append({"kind": kind, "sentence": sentence})

    if found.live >= LEAST_CATALOGUE and _over(found.to_update, found.live, settings.LOADIFY_WARN_CHANGED):
        warn("changed", f"{found.to_update:,} of the {found.live:,} {title} there are would change.")
    switch = datasets.get(run.dataset).switch
    for name, number in found.emptied.items():
        if name != switch and number >= LEAST_ROWS and _over(number, found.to_update, settings.LOADIFY_WARN_EMPTIED):
            warn("emptied", f"The column {quote(name)} would go blank in {number:,} of the {found.to_update:,} updated rows.")
    off = found.emptied.get(switch, 0) + found.missing
    if off >= LEAST_ROWS and _over(off, found.live, settings.LOADIFY_WARN_INACTIVE):
        warn("inactive", f"{off:,} of the {found.live:,} {title} there are would become inactive.")
    if found.missing and run.rejected:
        lines = "1 line was" if run.rejected == 1 else f"{run.rejected:,} lines were"
        warn("rejected", f"{lines} rejected; the keys that stand there count as missing from the file.")
    if found.longest_wait > LONG_WAIT:
        hours = found.longest_wait / 3600
        about = f"{hours:,.0f}" if hours >= 10 else f"{hours:.1f}"
        warn("held", f"{found.to_hold:,} lines come too early, and the last of them would be stored in about {about} hours.")
    for kind, keys in mangled.items():
        warn(kind, _mangled(kind, keys["count"], keys["examples"][0]))
    return said


def _mangled(kind: str, number: int, example: list[Any]) -> str:
    line, key, live = example
    if kind == "scientific":
        keys = "1 new key looks" if number == 1 else f"{number:,} new keys look"
        return f"{keys} like a long number that a spreadsheet has shortened: {quote(key)} in line {line:,}."
    keys = "1 new key" if number == 1 else f"{number:,} new keys"
    there = f"{quote(key)} in line {line:,}, where {quote(live)} is there already"
    return f"A spreadsheet may have dropped or added zeros in {keys}: {there}."


def drift(approved: dict[str, Any], review: dict[str, Any], lines: int) -> str:
    """A sentence when `review` has moved away from the counts that a person agreed to; "" when it is near enough."""
    counts = review["counts"]
    # What is held is an estimate that time alone changes.
    moved = (
        abs(_new(counts) - _new(approved)),
        *(abs(counts[name] - approved.get(name, 0)) for name in ("to_update", "missing")),
    )
    if _drifted(max(moved), lines):
        then, now = (
            f"{_new(part):,} created, {part.get('to_update', 0):,} updated and {part.get('missing', 0):,} missing"
            for part in (approved, counts)
        )
        return f"Rows were changed since you looked: you approved {then}; now it would be {now}. Please look again."
    agreed = {column["name"]: column for column in approved.get("columns", [])}
    for column in review["columns"]:
        before = agreed.get(column["name"], column)
        for count, words in (("emptied", "go blank or off"), ("changed", "change")):
            if _drifted(abs(column[count] - before[count]), lines):
                return (
                    f"Rows were changed since you looked: the column {quote(column['name'])} would now {words} "
                    f"in {column[count]:,} rows, not in {before[count]:,}. Please look again."
                )
    return ""


def _new(counts: dict[str, Any]) -> int:
    return int(counts.get("to_create", 0) + counts.get("to_hold", 0))


def _drifted(moved: int, lines: int) -> bool:
    return moved > LEAST_DRIFT and _over(moved, lines, settings.LOADIFY_REVIEW_DRIFT)


def _over(part: int, whole: int, percent: int) -> bool:
    return part * 100 > whole * percent
