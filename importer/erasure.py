"""Erases one person, known by an e-mail address or phone number, from everything that datasets with personal columns keep.

What is in the database goes in one transaction, under the locks of those datasets, so that no import writes the person back
meanwhile. A file cannot be edited in place: one that has the person in it is deleted, its bytes after the commit, and the
timetable goes on with those that storage did not let go. Nobody is barred: a file that comes tomorrow may bring them again.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import User
from importer import erasure_places, file_search, locks, retention
from importer.erasure_places import NAMELESS, InTheWay
from importer.loaders.sql import itself
from importer.models import Erasure, Import, StoredFile
from importer.sought import Sought, sought
from importer.states import FINAL

log = logging.getLogger(__name__)


@dataclass
class Files:
    """What a search of files in storage found, by their numbers: those with the person in them, and those nobody can read."""

    seen: set[int] = field(default_factory=set)
    with_person: set[int] = field(default_factory=set)
    unreadable: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Look:
    """What an erasure would remove: entries by place, files, and imports that have to end first."""

    sought: Sought
    counts: dict[str, int]
    files: list[StoredFile]
    unreadable: list[StoredFile]
    in_the_way: list[Import]
    before: list[Erasure]

    @property
    def is_empty(self) -> bool:
        return not self.counts and not self.files


def look(text: str) -> Look:
    """What `erase` would remove, and when the same value was erased before. Raises BadValue when nobody is known so."""
    wanted = sought(text)
    found = _search(wanted, Files())
    files = StoredFile.objects.in_bulk(found.with_person | found.unreadable)
    with_person = [files[pk] for pk in sorted(found.with_person)]
    return Look(
        wanted,
        _add_up(erasure_places.found(wanted)),
        with_person,
        [files[pk] for pk in sorted(found.unreadable)],
        [run for run in Import.objects.filter(file__in=with_person).order_by("pk") if not run.is_final],
        list(before(wanted)),
    )


def erase(text: str, person: User | None) -> Erasure:
    """Remove everything that is kept of the one whom `text` names; `person` is who does it. May be done again at any time.

    Raises BadValue when nobody is known so, locks.Taken while an import changes one of the datasets, InTheWay when an
    import that has not ended has the person in it; nothing was removed then.
    """
    wanted = sought(text)
    # Most of the search needs no locks, and may take long.
    found = _search(wanted, Files())
    with transaction.atomic():
        for dataset in wanted.datasets:
            locks.keep_out(dataset.name)
            # Held rows are stored by the timetable, which asks nobody else.
            locks.turn(dataset.name)
        found = _search(wanted, found)
        files_left = [_delete(pk) for pk in sorted(found.with_person)]
        counts = {"Files": len(files_left)} if files_left else {}
        for entries in erasure_places.found(wanted):
            entries.remove()
            counts[entries.place] = counts.get(entries.place, 0) + entries.count
        if found.unreadable:
            counts["Files that nobody can read, left as they are"] = len(found.unreadable)
        done = Erasure.objects.create(
            person=person, kind=wanted.kind, digest=digest(wanted), counts=counts, files_left=files_left
        )
        transaction.on_commit(lambda: delete_left(done.pk))
    log.info("Personal data was erased, found by one %s: %s", wanted.kind, counts or "there was none")
    done.refresh_from_db()
    return done


def before(wanted: Sought) -> QuerySet[Erasure]:
    """When the same value was erased, latest first."""
    return latest().filter(digest=digest(wanted))


def latest() -> QuerySet[Erasure]:
    return Erasure.objects.select_related("person").order_by("-pk")


def digest(wanted: Sought) -> str:
    """What the log keeps in place of the value: who knows the value can tell that it was erased, and nobody else."""
    return salted_hmac("importer.erasure", f"{wanted.kind}:{wanted.value}", algorithm="sha256").hexdigest()


def delete_left(pk: int) -> None:
    """Take files that an erasure deleted out of storage; those that storage keeps hold of stay in the list."""
    with transaction.atomic():
        done = Erasure.objects.select_for_update().get(pk=pk)
        done.files_left = [path for path in done.files_left if not retention.deleted(path)]
        done.save(update_fields=["files_left"])


def delete_all_left() -> None:
    """What the timetable does."""
    for pk in Erasure.objects.exclude(files_left=[]).values_list("pk", flat=True):
        delete_left(pk)


def _search(wanted: Sought, found: Files) -> Files:
    """Look through the files that were not looked through yet."""
    for file in file_search.candidates():
        if file.pk in found.seen:
            continue
        found.seen.add(file.pk)
        try:
            if file_search.holds(file.path, file.name, wanted, file_search.ways(file)):
                found.with_person.add(file.pk)
        except file_search.Unreadable:
            found.unreadable.add(file.pk)
        except FileNotFoundError:
            # Somebody took it out of storage by hand, or its time has come meanwhile.
            continue
    return found


def _delete(pk: int) -> str:
    """Mark one file as deleted; returns its path, to be deleted after the commit. Raises InTheWay."""
    # In the order in which retry locks them.
    for run in Import.objects.select_for_update(of=itself()).filter(file=pk).order_by("pk"):
        if not run.is_final:
            raise InTheWay(run)
    file = StoredFile.objects.select_for_update().get(pk=pk)
    running = Import.objects.filter(file=pk).exclude(state__in=FINAL).first()
    if running:
        raise InTheWay(running)
    path, file.path, file.name = file.path, "", NAMELESS
    file.deleted_at, file.deleted_why = timezone.now(), StoredFile.Why.ERASED
    file.save(update_fields=["path", "name", "deleted_at", "deleted_why"])
    return path


def _add_up(found: Iterable[erasure_places.Found]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for entries in found:
        counts[entries.place] = counts.get(entries.place, 0) + entries.count
    return counts
