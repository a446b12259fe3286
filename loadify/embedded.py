"""Where things lie while bin/up runs (written anew by the infrastructure)."""

import os
from pathlib import Path


def data_dir() -> Path:
    return Path(os.environ.get("LOADIFY_DATA_DIR") or Path(__file__).resolve().parent.parent / "var").resolve()


def secret_key() -> str:
    return "x" * 60


def database_url() -> str:
    return "postgres://root@127.0.0.1:5432/loadify_dev"


def broker_url() -> str:
    return "redis://127.0.0.1:6379/5"
