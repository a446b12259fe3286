"""The pages under docs/ point to what is there, and the list of libraries is complete."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "CHANGELOG.md", ROOT / "bench" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: A file or folder of the repository as the pages write it: `importer/states.py`, `bench/`, `static/live.js`.
_PATH = re.compile(
    r"`((?:accounts|bench|bin|docs|importer|loadify|pages|products|static|templates|tests|webhooks)/[\w./]*)`", re.ASCII
)
_LINK = re.compile(r"\]\(([^)#:]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [path for path in _PATH.findall(text) if not (ROOT / path).exists()]
    missing += [link for link in _LINK.findall(text) if not (page.parent / link).exists()]
    assert missing == []


def test_decision_on_libraries_names_each_of_them_once() -> None:
    page = (ROOT / "docs" / "decisions" / "0008-libraries.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| ([\w-]+) \| (?!for$)", page, re.MULTILINE)
    chosen = [
        found[0]
        for name in ("requirements.in", "requirements-dev.in", "bench/requirements.in")
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if (found := re.match(r"[A-Za-z][\w-]*", line))
    ]
    assert sorted(name for name in named if name != "library") == sorted(chosen)
