"""docs/benchmarks.md: each measurement writes a section of its own, and leaves the others as they are."""

import os
import platform
import re
from datetime import date
from pathlib import Path


def put(page: Path, section: str, text: str) -> None:
    """Write the section's text between its two marks; they are added at the end of the page if it has none yet."""
    begin, end = f"<!-- {section}: written by bench -->", f"<!-- end of {section} -->"
    block = f"{begin}\n{text.strip()}\n{end}"
    found = page.read_text(encoding="utf-8") if page.exists() else ""
    old = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    page.write_text(
        old.sub(lambda _: block, found) if old.search(found) else f"{found.rstrip()}\n\n{block}\n".lstrip(), "utf-8"
    )


def machine(server: str) -> str:
    """Where and when, in general words; `server` is the version of PostgreSQL."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = platform.system()
    return (
        f"Measured on {date.today().isoformat()}: {os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB of memory,"
        f" {system}, PostgreSQL {server} with the settings of `bin/up` and default durability,"
        f" Python {platform.python_version()}."
    )
