"""Erases one person, known by an e-mail address or phone number, from everything that datasets with personal columns keep.

What is in the database goes in one transaction, under the locks of those datasets, so that no import writes the person back
meanwhile. A file cannot be edited in place: one that has the person in it is deleted, its bytes after the commit, and the
timetable goes on with those that storage did not let go. Nobody is barred: a file that comes tomorrow may bring them again.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts import audit
from accounts.models import User
from importer import erasure_places, file_search, locks, retention
from importer.erasure_places import NAMELESS, InTheWay
from importer.file_search import Document
from importer.loaders.sql import itself
from importer.models import Erasure, Export, Import, StoredFile
from importer.sought import Sought, personal_datasets, sought
from importer.states import FINAL
from importer.values import ImportProblem
from pages.templatetags.figures import size as in_words

log = logging.getLogger(__name__)
#: Bytes of files that are searched while a page waits, half a minute's work; more is for the command.
PAGE_BYTES = 512 << 20


class TooMuch(ImportProblem):
    """The files are too many to be searched while a page waits."""


@dataclass
class Search:
    """What was found in storage: paths that were looked at, files with the person in them, and files nobody can read."""

    seen: set[str] = field(default_factory=set)
    files: list[Document] = field(default_factory=list)
    unreadable: list[Document] = field(default_factory=list)


@dataclass(frozen=True)
class Look:
    """What an erasure would remove: entries by place, files; what has to end first; and when it was done before."""

    counts: dict[str, int]
    files: list[Document]
    unreadable: list[Document]
    in_the_way: list[InTheWay]
    before: list[Erasure]

    @property
    def is_empty(self) -> bool:
        return not self.counts and not self.files


def check_small() -> None:
    """Raises TooMuch when a page would have to wait for too long."""
    sizes = [document.size for document in file_search.documents()]
    if sum(sizes) > PAGE_BYTES:
        raise TooMuch(
            f"{len(sizes):,} files with {in_words(sum(sizes))} have to be searched, which takes longer than a page may. "
            "Somebody who looks after the server can do it: manage.py erase_person"
        )


def look(text: str) -> Look:
    """What `erase` would remove. Raises BadValue when nobody is known so."""
    wanted = sought(text)
    found = _search(wanted, Search())
    counts: dict[str, int] = {}
    for entries in erasure_places.found(wanted):
        counts[entries.place] = counts.get(entries.place, 0) + entries.count
    return Look(counts, found.files, found.unreadable, list(_in_the_way(found.files)), list(before(wanted)))


def erase(text: str, person: User | None) -> Erasure:
    """Remove everything that is kept of the one whom `text` names; `person` is who does it. May be done again at any time.

    Raises BadValue when nobody is known so, locks.Taken while an import changes one of the datasets, InTheWay when an
    import that has not ended has the person in it; nothing was removed then.
    """
    wanted = sought(text)
    # Most of the search needs no locks, and may take long.
    found = _search(wanted, Search())
    with transaction.atomic():
        for dataset in wanted.datasets:
            locks.keep_out(dataset.name)
            # Held rows are stored by the timetable, which asks nobody else.
            locks.turn(dataset.name)
        found = _search(wanted, found)
        for problem in _in_the_way(found.files):
            raise problem
        files_left = [_delete(document) for document in found.files]
        counts = {"Files": len(files_left)} if files_left else {}
        for entries in erasure_places.found(wanted):
            entries.remove()
            counts[entries.place] = counts.get(entries.place, 0) + entries.count
        if found.unreadable:
            counts["Files that nobody can read, left as they are"] = len(found.unreadable)
        done = Erasure.objects.create(
            person=person, kind=wanted.kind, digest=digest(wanted), counts=counts, files_left=files_left
        )
        audit.record(audit.Kind.ERASED, person, f"One {wanted.kind}, entry {done.pk} of the list of erasures")
        transaction.on_commit(lambda: delete_left(done.pk))
    log.info("Personal data was erased, found by %s: %s", wanted.kind, counts or "there was none")
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


def _search(wanted: Sought, found: Search) -> Search:
    """Look through the files that were not looked through yet."""
    for document in file_search.documents():
        if document.path in found.seen:
            continue
        found.seen.add(document.path)
        try:
            if file_search.holds(document, wanted):
                found.files.append(document)
        except file_search.Unreadable:
            found.unreadable.append(document)
        except FileNotFoundError:
            # Somebody took it out of storage by hand, or its time has come meanwhile.
            continue
    return found


def _in_the_way(files: list[Document]) -> Iterator[InTheWay]:
    """Imports of these files that have not ended, and exports that may have written the person already."""
    rows = [document.row for document in files if isinstance(document.row, StoredFile)]
    for run in Import.objects.filter(file__in=rows).exclude(state__in=FINAL).order_by("pk"):
        yield InTheWay.by(run)
    for dataset in personal_datasets():
        if any(not export.is_final for export in Export.objects.filter(dataset=dataset.name)):
            yield InTheWay(f"An export of {dataset.title.lower()} has not ended; try again when it has, or cancel it.")


def _delete(document: Document) -> str:
    """Say of a file that it was deleted; returns its path, to be deleted after the commit. Raises InTheWay."""
    if isinstance(document.row, Export):
        export = Export.objects.filter(pk=document.row.pk)
        export.update(path="", expires_at=timezone.now(), version=F("version") + 1)
        return document.path
    # In the order in which retry locks them.
    for run in Import.objects.select_for_update(of=itself()).filter(file=document.row).order_by("pk"):
        erasure_places.drop_read(run)
    file = StoredFile.objects.select_for_update().get(pk=document.row.pk)
    # One that was begun between the two.
    for run in Import.objects.filter(file=file).exclude(state__in=FINAL):
        raise InTheWay.by(run)
    file.path, file.name = "", NAMELESS
    file.deleted_at, file.deleted_why = timezone.now(), StoredFile.Why.ERASED
    file.save(update_fields=["path", "name", "deleted_at", "deleted_why"])
    return document.path
