"""What importing products means, written as plainly as Python allows: a dict, and one loop over the lines."""

import csv
import io
from dataclasses import dataclass, field

from importer.values import fold

YES, NO = ["1", "t", "true", "y", "yes", "on", "active"], ["0", "f", "false", "n", "no", "off", "inactive"]
LIMITS = {"sku": 100, "name": 255, "description": 50_000}


@dataclass
class Catalogue:
    """key → (sku, name, description, active); `stamp` counts how often a row was written."""

    rows: dict[str, tuple[str, str, str, bool]] = field(default_factory=dict)
    stamps: dict[str, int] = field(default_factory=dict)

    def load(self, text: str, blank: dict[str, str] | None = None) -> dict[str, object]:
        """Import a file with the heading sku,name,description[,active]; returns buckets, rejected lines and before-images.

        `blank` {column: "keep" or "clear"} says what an empty name or description does to the old one.
        """
        reader = csv.reader(io.StringIO(text, newline=""))
        heading = next(reader)
        lines, rejected, winners = 0, [], {}
        begin = reader.line_num + 1
        for row in reader:
            line, begin = begin, reader.line_num + 1
            if not row:
                continue
            lines += 1
            cells = dict(zip(heading, row, strict=False))
            active = fold(cells.get("active", ""))
            sku, name = cells.get("sku", "").strip(), cells.get("name", "").strip()
            if (
                len(row) != len(heading)
                or not fold(sku)
                or len(sku) > LIMITS["sku"]
                or len(name) > LIMITS["name"]
                or active not in ("", *YES, *NO)
                or "\0" in "".join((sku, name, cells["description"]))
            ):
                rejected.append(line)
                continue
            winners[fold(sku)] = (line, (sku, name, cells["description"], active))
        counts = {"lines": lines, "created": 0, "updated": 0, "unchanged": 0, "rejected": len(rejected)}
        counts["superseded"] = lines - len(rejected) - len(winners)
        changes = {}
        for key, (line, (sku, name, description, active)) in winners.items():
            old = self.rows.get(key)
            if old and not name and (blank or {}).get("name") == "keep":
                name = old[1]
            if old and not description and (blank or {}).get("description") == "keep":
                description = old[2]
            new = (sku, name, description, active in YES if active else (old[3] if old else True))
            if old == new:
                counts["unchanged"] += 1
                continue
            counts["updated" if old else "created"] += 1
            names = ("sku", "name", "description", "active")
            changes[line] = {n: o for n, o, v in zip(names, old, new, strict=True) if o != v} if old else None
            self.rows[key] = new
            self.stamps[key] = self.stamps.get(key, 0) + 1
        return {"counts": counts, "rejected": rejected, "changes": changes}
