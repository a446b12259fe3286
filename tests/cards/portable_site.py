"""Imports the partner's drifted files twice on the database of DATABASE_URL, in a process of its own, and tells as JSON."""

from pathlib import Path
from typing import Any

from tests.elsewhere import tell

FILES = Path(__file__).resolve().parent.parent / "files" / "cards-drifted"


def told() -> dict[str, Any]:
    """Created and unchanged lines of each import, what two lookups find, and where the reports of a timeline came from."""
    from cards import lookup
    from importer import control, runner
    from importer.intake import uploads
    from tests.cards.conftest import LAYOUTS

    counts = []
    for name, layout in [*LAYOUTS.items()] * 2:
        with (FILES / name).open("rb") as file:
            run = control.submit(uploads.keep(None, name, file), "cards", owner=None, layout=layout)
        runner.run(run.pk)
        run.refresh_from_db()
        counts.append([run.created, run.unchanged + run.superseded])
    found = [*lookup.find("zyw8890").cards, *lookup.find(mobile="+971 534 534 535").cards, *lookup.find("nobody").cards]
    entries, _ = lookup.timeline(found[0])
    return {
        "counts": counts,
        "found": [
            [card.latest.card_id, card.latest.stage, card.latest.at.isoformat(), card.phones, card.attempts, card.failed]
            for card in found
        ],
        "lines": [entry.origin.line if entry.origin else None for entry in entries[:3]],
    }


if __name__ == "__main__":
    tell(told)
