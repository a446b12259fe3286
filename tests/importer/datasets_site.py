"""Files of every dataset into the database of DATABASE_URL, in a process of its own; tells counts and rows as JSON.

datasets_site.py DATASET:LAYOUT:FILE…
"""

import io
import json
from typing import Any

from tests.elsewhere import tell

COUNTS = ("lines", "created", "updated", "unchanged", "superseded", "held", "rejected")


def rows_of(name: str) -> list[list[str]]:
    """The rows of a dataset in the order of their keys, each value as text."""
    from importer import datasets

    dataset = datasets.get(name)
    live: Any = dataset.model._default_manager
    fields = [dataset.model._meta.get_field(column.name) for column in dataset.columns]
    return sorted([field.value_to_string(row) for field in fields] for row in live.all())


def told(*wanted: str) -> dict[str, Any]:
    """Import each file as the command does; its counts and rejects, and the rows of every dataset after them."""
    from django.core.management import call_command

    from importer.models import Import

    counts, reasons = [], []
    for name, layout, path in (text.split(":", 2) for text in wanted):
        out = io.StringIO()
        options = {"layout": layout} if layout else {}
        call_command("import_file", name, path, json=True, yes=True, stdout=out, **options)
        report = json.loads(out.getvalue().strip().splitlines()[-1])
        counts.append([report["state"], *(report[count] for count in COUNTS)])
        reasons.append(list(Import.objects.latest("pk").rejects.order_by("line").values_list("reason", flat=True)))
    names = sorted({text.split(":", 1)[0] for text in wanted})
    return {"counts": counts, "reasons": reasons, "rows": {name: rows_of(name) for name in names}}


if __name__ == "__main__":
    tell(told)
