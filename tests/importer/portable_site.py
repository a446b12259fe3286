"""One Loadify on the database of DATABASE_URL, in a process of its own: makes its tables, imports files, tells as JSON.

portable_site.py FILE…
"""

import io
import json
import os
from typing import Any

from tests.elsewhere import tell


def imported(path: str) -> dict[str, Any]:
    """Import a file as `manage.py import_file` does; what it reports, the rejected lines, Changes and rows after it."""
    from django.core.management import call_command

    from importer.models import Change, Import, StagedRow
    from products.models import Product

    out = io.StringIO()
    call_command("import_file", "products", path, json=True, stdout=out)
    run = Import.objects.latest("pk")
    changes = Change.objects.filter(run=run).order_by("line").values_list("line", "before")
    return {
        "report": json.loads(out.getvalue()),
        "rejected": list(run.rejects.order_by("line").values_list("line", flat=True)),
        "changes": {line: before and {n: v for n, v in before.items() if n != "updated_at"} for line, before in changes},
        "rows": {row[0]: row[1:] for row in Product.objects.values_list("sku_key", "sku", "name", "description", "active")},
        "staged": StagedRow.objects.count(),
    }


def steered() -> dict[str, Any]:
    """What the verbs and the timetable do with the last import, and what a search finds."""
    from importer import changes, control, datasets, sweep
    from importer.models import Import
    from products import search

    run = Import.objects.latest("pk")
    try:
        control.undo(run, None)
        undo = ""
    except control.Refused as refused:
        undo = str(refused)
    assert run.file is not None
    queued = control.submit(run.file, "products", owner=None)
    control.pause(queued, None)
    paused = queued.state
    control.cancel(queued, None, roll_back=False)
    sweep.sweep()
    sweep.tidy()
    found = search.find({"q": "thr", "sort": "name"}, "")
    words = search.find({"words": "z"}, "")
    return {
        "exported": exported(),
        "undo": undo,
        "states": [paused, queued.state],
        "found": [product.sku for product in found.page.rows],
        "words": [product.sku for product in words.page.rows],
        "cleared": changes.clear(datasets.get("products"), None),
    }


def exported() -> dict[str, Any]:
    """All products as `manage.py export` writes them, in two attempts; and whether an import finds them unchanged."""
    from importer import export_control, exports
    from importer.models import Export

    exports.SPAN = 1_000
    piece = exports.Writing._piece
    export = export_control.request_export("products", None)

    def paused(writing: Any, rows: Any, span: int) -> int:
        if writing.number == 2:
            export_control.pause(export)
            writing.heart._once()
        return piece(writing, rows, span)

    exports.Writing._piece = paused  # type: ignore[method-assign]
    exports.run(export.pk)
    exports.Writing._piece = piece  # type: ignore[method-assign]
    export.refresh_from_db()
    state, had = export.state, export.rows_done
    export_control.resume(export)
    exports.run(export.pk)
    export.refresh_from_db()
    path = f"{os.environ['LOADIFY_DATA_DIR']}/files/{export.path}"
    with open(path, encoding="utf-8-sig", newline="") as file:
        skus = [line.split(",")[0] for line in file][1:]
    again = imported(path)["report"]
    Export.objects.all().delete()
    return {"states": [state, export.state], "paused": 0 < had < len(skus), "skus": skus, "unchanged": again["unchanged"]}


def watched() -> dict[str, Any]:
    """What who looks after the site is told: by doctor, by Prometheus, and by the page of figures."""
    from django.test import Client

    from accounts.models import User
    from loadify import metrics
    from loadify.checks import Wrong
    from loadify.checkup import checkup

    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_superuser("root@example.com", "not-important-9"))
    return {
        "doctor": {name: [found.problem] if isinstance(found, Wrong) else found for name, found in checkup()},
        "metrics": metrics.text().decode(),
        "operations": client.get("/operations/").status_code,
    }


def told(*paths: str) -> dict[str, Any]:
    return {"imports": [imported(path) for path in paths], "watched": watched(), **steered()}


if __name__ == "__main__":
    tell(told)
