"""Contacts on the database of DATABASE_URL, in a process of its own: imports files, stores what was held, tells as JSON.

holding_site.py FILE…
"""

import io
import json
import time
from typing import Any

from tests.elsewhere import tell


def imported(path: str) -> dict[str, Any]:
    from django.core.management import call_command

    out = io.StringIO()
    call_command("import_file", "contacts", path, json=True, stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def told(*paths: str) -> dict[str, Any]:
    from django.conf import settings

    from contacts.models import Contact
    from importer import control, held
    from importer.models import Change, Held, HeldValue, Import

    reports = [imported(path) for path in paths]
    let_through = Held.objects.get(run=Import.objects.earliest("pk"), values__name="let through")
    held.release(let_through.pk, None)
    end = time.monotonic() + 60
    while Held.objects.filter(state=Held.State.WAITING).exists() and time.monotonic() < end:
        held.store_due()
        time.sleep(0.2)
    try:
        control.undo(Import.objects.latest("pk"), None)
        undo = ""
    except control.Refused as refused:
        undo = str(refused)
    rows = list(Contact.objects.exclude(name="let through").order_by("created_at", "id"))
    window = settings.LOADIFY_HOLD_SECONDS
    close = [
        [a.name, b.name]
        for a in rows
        for b in rows
        if a.pk < b.pk
        and (a.phone == b.phone or a.email and a.email == b.email)
        and abs((b.created_at - a.created_at).total_seconds()) < window
    ]
    return {
        "reports": reports,
        "names": [row.name for row in rows],
        "contacts": Contact.objects.count(),
        "close": close,
        "changes": Change.objects.filter(dataset="contacts", kind="c").count(),
        "left": [Held.objects.filter(state=Held.State.WAITING).count(), HeldValue.objects.count()],
        "undo": undo,
    }


if __name__ == "__main__":
    tell(told)
