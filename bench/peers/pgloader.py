"""pgloader, into the table as it is, with several workers; its own COPY in batches."""

import shutil
import subprocess
from pathlib import Path

NAME = "pgloader"
CLEAN = True
_COMMAND = """
LOAD CSV FROM '{path}' WITH ENCODING UTF-8
    (sku, sku_key, name, description, active, created_at, updated_at)
INTO {url}
    TARGET TABLE public.products_product
    TARGET COLUMNS (sku, sku_key, name, description, active, created_at, updated_at)
WITH skip header = 1, fields optionally enclosed by '"', fields escaped by double-quote, fields terminated by ',',
    workers = 2, concurrency = 1, batch size = 20MB, prefetch rows = 50000
SET work_mem TO '64MB';
"""


def missing() -> str:
    """Why it cannot take part, in a sentence; "" when it can."""
    return "" if shutil.which("pgloader") else "pgloader is not installed here (Debian has a package)."


def load(path: Path, url: str) -> None:
    command = path.with_name("pgloader.load")
    command.write_text(_COMMAND.format(path=path, url=url.replace("postgres://", "postgresql://", 1)), encoding="utf-8")
    done = subprocess.run(
        ["pgloader", "--on-error-stop", str(command)], cwd=path.parent, capture_output=True, text=True, check=False
    )
    if done.returncode or "ERROR" in done.stdout or "FATAL" in done.stdout:
        raise SystemExit(f"pgloader failed:\n{done.stdout[-2000:]}{done.stderr[-1000:]}")
