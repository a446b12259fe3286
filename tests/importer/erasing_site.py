"""One Loadify on the database of DATABASE_URL, in a process of its own: imports people and contacts, erases one, tells as JSON.

erasing_site.py PEOPLE CONTACTS OTHERS
"""

import io
from datetime import timedelta
from typing import Any

from tests.elsewhere import tell


def told(people: str, contacts: str, others: str) -> dict[str, Any]:
    from django.core.files.storage import default_storage
    from django.core.management import call_command
    from django.utils import timezone

    from contacts.models import Contact, Person
    from importer import erasure, retention
    from importer.models import Change, Held, Import, Reject, StagedRow, StoredFile

    for dataset, path in (("people", people), ("contacts", contacts), ("people", others)):
        call_command("import_file", dataset, path, json=True, yes=True, stdout=io.StringIO())
    failed = Import.objects.earliest("pk")
    other = Import.objects.create(dataset="people", state="failed", checkpoint={"heading": ["ann@example.com"]})
    StagedRow.objects.create(run=other, line=2, key="ann@example.com", values={"name": "Ann", "email": "ann@example.com"})
    before = {"email": "ann@example.com"}
    Change.objects.create(dataset="people", row_id=99, run=failed, at=timezone.now(), kind="u", before=before)
    seen = erasure.look("Ann@example.com")
    counts = [dict(erasure.erase(text, None).removed) for text in ("Ann@example.com", "+374 55 123456", "ann@example.com")]
    again = erasure.look("ANN@example.com")
    paths = StoredFile.objects.exclude(path="").values_list("path", flat=True)
    old = timezone.now() - timedelta(days=100)
    StoredFile.objects.update(created_at=old)
    Import.objects.update(finished_at=old)
    return {
        "seen": seen.counts,
        "counts": counts,
        "again": [again.is_empty, len(again.before)],
        "people": sorted(Person.objects.values_list("email", flat=True)),
        "contacts": sorted(Contact.objects.values_list("name", flat=True)),
        "held": [[row.state, row.values] for row in Held.objects.all()],
        "rejects": [[reject.line, len(reject.cells)] for reject in Reject.objects.order_by("pk")],
        "changes": Change.objects.filter(dataset="people").count(),
        "staged": StagedRow.objects.count(),
        "files": [default_storage.exists(path) for path in paths],
        "names": sorted(StoredFile.objects.values_list("name", flat=True)),
        "retired": retention.delete_old(),
        "left": StoredFile.objects.exclude(path="").count(),
    }


if __name__ == "__main__":
    tell(told)
