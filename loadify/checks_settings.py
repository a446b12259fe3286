"""What newcomers get wrong on their own machine: versions, packages, keys, addresses, permissions. For `manage.py doctor`."""

import importlib.metadata
import importlib.util
import os
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.mail import get_connection
from django.http.request import validate_host

from loadify.checks import Wrong, first_line
from loadify.figures import disk

#: The oldest Python, characters of a good key, and bytes that are enough to go on with.
PYTHON, KEY, ROOM = (3, 11), 40, 1_000_000_000
_MAKE_A_KEY = 'python -c "import secrets; print(secrets.token_urlsafe(50))"'


def python() -> str:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < PYTHON:
        raise Wrong(f"Python is {found}; Loadify needs 3.11.", "Install it, remove .venv, and start bin/up.")
    return f"{found}, Django {django.get_version()}"


def packages() -> str:
    """What is installed is what requirements.txt pins: after a git pull it may not be."""
    pins = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (settings.BASE_DIR / "requirements.txt").read_text(), re.MULTILINE))
    other = sorted(name for name, pin in pins.items() if _installed(name) not in (None, pin))
    if other:
        raise Wrong(
            f"Packages have other versions than requirements.txt names: {', '.join(other)}.",
            "Start bin/up, which installs them, or run pip install -r requirements.txt.",
        )
    if importlib.util.find_spec("psycopg") is not None:
        raise Wrong(
            "psycopg 3 is installed; Django prefers it, and imports need psycopg 2.",
            "Run .venv/bin/pip uninstall psycopg, or make .venv anew.",
        )
    return f"{len(pins)} are as requirements.txt pins them"


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        # Some are for one system alone.
        return None


def keys() -> str:
    named = [("SECRET_KEY", settings.SECRET_KEY), *(("LOADIFY_WEBHOOK_KEYS", key) for key in settings.LOADIFY_WEBHOOK_KEYS)]
    for name, key in named:
        if len(key) < KEY or len(set(key)) < 10:
            raise Wrong(
                f"{name} is short or repeats itself ({len(key)} characters).",
                f"Set one of at least {KEY}, made by: {_MAKE_A_KEY}",
            )
    return "SECRET_KEY and LOADIFY_WEBHOOK_KEYS are long enough"


def debugging() -> str:
    if settings.DEBUG:
        raise Wrong("DEBUG is on: errors show settings and data to whoever meets them.", "Set DEBUG=0 where others come.")
    return "off"


def address() -> str:
    """LOADIFY_URL, ALLOWED_HOSTS and LOADIFY_HTTPS fit each other."""
    url = urlsplit(settings.LOADIFY_URL)
    host = url.hostname or ""
    if "*" in settings.ALLOWED_HOSTS:
        raise Wrong("ALLOWED_HOSTS is *: links in e-mails can be made to lead elsewhere.", f"Set ALLOWED_HOSTS={host}")
    if not validate_host(f"[{host}]" if ":" in host else host, settings.ALLOWED_HOSTS):
        raise Wrong(f"LOADIFY_URL leads to {host}, which ALLOWED_HOSTS does not name.", f"Add {host} to ALLOWED_HOSTS.")
    if (url.scheme == "https") != settings.HTTPS:
        raise Wrong(
            f"LOADIFY_URL begins with {url.scheme}, and LOADIFY_HTTPS is {int(settings.HTTPS)}.",
            "Behind a proxy of yours that speaks HTTPS, set LOADIFY_HTTPS=1 and LOADIFY_URL=https://…; else neither.",
        )
    return str(settings.LOADIFY_URL)


def email() -> str:
    if not settings.EMAIL_HOST:
        return "no mail server (EMAIL_HOST); e-mails are written to the logs"
    try:
        with get_connection():
            pass
    except OSError as problem:
        sentence = f"The mail server {settings.EMAIL_HOST} refuses: {first_line(problem)}"
        raise Wrong(sentence, "Mend EMAIL_HOST and the settings that begin with EMAIL_.") from None
    return f"{settings.EMAIL_HOST} answers"


def data_directory() -> str:
    place: Path = settings.DATA_DIR
    if not place.is_dir():
        raise Wrong(f"There is no {place}.", "Start bin/up once, or make it, for its owner alone (mode 700).")
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        raise Wrong(f"This user may not write to {place}.", "Run as the user it belongs to, or set LOADIFY_DATA_DIR.")
    secrets = [place / name for name in ("secret-key", "webhook-key", "password", "database-url", "broker-url")]
    if shown := [str(path) for path in secrets if path.exists() and path.stat().st_mode & 0o077]:
        raise Wrong("Others on this machine can read the keys of the site.", f"Run: chmod 600 {' '.join(shown)}")
    if disk().free < ROOM:
        raise Wrong(
            f"Only {disk().free / 1e9:.1f} GB are free in {place}.",
            "Make room: file, staged rows and Changes of an import take several times the size of its file.",
        )
    return f"{place}, {disk().free / 1e9:.0f} GB free"


def watched_folder() -> str:
    folder = settings.LOADIFY_FOLDER
    if folder and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise Wrong(
            f"LOADIFY_FOLDER is {folder}, where this user cannot write.", "Make it, and let the workers' user write there."
        )
    return folder or "none (LOADIFY_FOLDER)"
