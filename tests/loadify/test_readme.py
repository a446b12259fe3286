"""README.md tells the truth: its settings are those the source reads, its commands and links are there."""

import os
import re
import runpy
import shlex
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: Django's own name, which no person sets.
NOT_FOR_PEOPLE = {"DJANGO_SETTINGS_MODULE"}
PACKAGES = ("accounts", "api", "importer", "loadify", "pages", "products", "webhooks")

_READS = re.compile(r"""(?:\benviron(?:\.get\(|\.pop\(|\[)|\bgetenv\(|\b(?:flag|number|names)\()\s*["']([A-Z][A-Z_]*)["']""")
_SHELL_READS = re.compile(r"\$\{([A-Z][A-Z_]*):?[-+=?]")
_SETTING = re.compile(r"^\| `([A-Z][A-Z_]*)` \| (.+?) \|", re.MULTILINE)
_VARIABLE = re.compile(r"[A-Z][A-Z_]*=")


def settings_of_the_table() -> dict[str, str]:
    return dict(_SETTING.findall(README))


def names_in_the_source() -> set[str]:
    sources = [ROOT / "manage.py", *(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))]
    found = {name for path in sources for name in _READS.findall(path.read_text(encoding="utf-8"))}
    scripts = [path for path in (ROOT / "bin").iterdir() if path.is_file()]
    found |= {name for path in scripts for name in _SHELL_READS.findall(path.read_text(encoding="utf-8"))}
    return found - NOT_FOR_PEOPLE


def command_lines() -> list[str]:
    """The lines of the README's shell blocks, and the commands that stand in its text."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    text = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    inline = re.findall(r"`((?:bin/\w+|manage\.py \w+)[^`]*)`", text)
    return [line for block in blocks for line in block.splitlines() if line] + inline


def test_settings_table_names_exactly_what_the_source_reads() -> None:
    assert set(settings_of_the_table()) == names_in_the_source()
    assert len(_SETTING.findall(README)) == len(settings_of_the_table())


def test_settings_table_tells_the_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare = {"LOADIFY_DATA_DIR": str(tmp_path), "SECRET_KEY": "k" * 50, "LOADIFY_WEBHOOK_KEYS": "w" * 50}
    bare["DATABASE_URL"] = "postgres://u@db.example/shop"
    monkeypatch.setattr(os, "environ", bare)
    settings = runpy.run_path(str(ROOT / "loadify" / "settings.py"))
    told = {name: re.match(r"`([^`]*)`", default) for name, default in settings_of_the_table().items()}
    checked = set()
    for name, default in told.items():
        if default and name in settings and name not in bare:
            value = settings[name]
            shown = ",".join(value) if isinstance(value, list) else str(int(value) if isinstance(value, bool) else value)
            assert shown == default[1], name
            checked.add(name)
    assert checked >= {"DEBUG", "ALLOWED_HOSTS", "LOADIFY_LEASE", "LOADIFY_MAX_FILE_SIZE", "TIME_ZONE"}


@pytest.mark.parametrize("line", command_lines())
def test_command_of_the_readme_is_there(line: str) -> None:
    words = shlex.split(line)
    while _VARIABLE.match(words[0]):
        assert words.pop(0).partition("=")[0] in settings_of_the_table()
    if words[0] in ("git", "cd"):
        return
    if words[0].startswith("bin/"):
        assert os.access(ROOT / words[0], os.X_OK)
        return
    if words[0] == ".venv/bin/python":
        words.pop(0)
    assert words.pop(0) == "manage.py"
    app = get_commands()[words[0]]
    command = load_command_class(app, words[0]) if isinstance(app, str) else app
    if len(words) > 1:
        # Exits with a sentence when the command knows no such argument.
        command.create_parser("manage.py", words[0]).parse_args(words[1:])


@pytest.mark.parametrize("path", sorted({*re.findall(r"\]\(([^)#:]+)\)", README), *re.findall(r'src="([^"]+)"', README)}))
def test_what_the_readme_links_to_is_there(path: str) -> None:
    assert (ROOT / path).exists()
