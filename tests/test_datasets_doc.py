"""docs/datasets.md: a copy of this clone does exactly what the page says, and then has the dataset everywhere."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: A block of the page: the name of its file if it has one, its language and its text.
_BLOCK = re.compile(r"(?:^`(?P<file>[\w./]+)`[^\n]*:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
#: What differs from one run to the next.
_TIMES = re.compile(r"\d+\.\d s|[\d,]+ rows/s")

#: Asks a site as a person and as a program that are signed in.
_ASK = """
import json
from django.test import Client
from accounts.models import User
client = Client(SERVER_NAME="127.0.0.1")
client.force_login(User.objects.create_user("anna@example.com", role="editor"))
paths = ["/imports/new/", "/imports/sample/branches.csv", "/data/", "/data/branches/", "/data/branches/?q=b-00999",
         "/api/v1/datasets", "/api/v1/datasets/branches/records?q=b-1"]
print(json.dumps({path: client.get(path).getvalue().decode() for path in paths}))
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files of this clone as they are, with its .venv."""
    folder = tmp_path / "clone"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().split("\0"):
        if name and not name.startswith(("tests/", "bench/")) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def add_lines(path: Path, diff: str) -> None:
    """Put the lines that `diff` adds after the one that it shows before them."""
    before = "".join(f"{line[1:]}\n" for line in diff.splitlines() if line[0] == " ")
    added = "".join(f"{line[1:]}\n" for line in diff.splitlines() if line[0] == "+")
    text = path.read_text()
    assert before and added and text.count(before) == 1
    path.write_text(text.replace(before, before + added))


def shell(script: str, clone: Path) -> str:
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "SECRET_KEY": "check", "LOADIFY_WEBHOOK_KEYS": "check"}
    env |= {"BROKER_URL": "memory://", "LOADIFY_DATA_DIR": str(clone / "var"), "LOG_LEVEL": "ERROR"}
    env["DATABASE_URL"] = f"sqlite:///{clone}/site.sqlite3"
    done = subprocess.run(["sh", "-euc", script], cwd=clone, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_page_adds_a_dataset_as_it_says(clone: Path) -> None:
    said = ""
    for block in _BLOCK.finditer((ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")):
        file, kind, text = block["file"], block["kind"], block["text"]
        if kind == "sh":
            said = shell(text, clone)
        elif kind == "text":
            assert _TIMES.sub("…", said) == _TIMES.sub("…", text)
        elif kind == "diff":
            add_lines(clone / "loadify" / "settings.py", text)
        else:
            assert file
            (clone / file).write_text(text, encoding="utf-8")

    answers = json.loads(shell(f".venv/bin/python manage.py shell --no-imports -c '{_ASK}'", clone))
    assert '<option value="branches">Branches</option>' in answers["/imports/new/"]
    assert "One branch for each code; a later file changes an earlier one." in answers["/imports/new/"]
    assert answers["/imports/sample/branches.csv"].count("B-000") == 20
    assert re.search(r"<strong>1,002</strong>\s+rows", answers["/data/"])
    assert re.search(r">\s*B-00999\s*</a>", answers["/data/branches/?q=b-00999"])
    assert "1,002 rows" in answers["/data/branches/"] and "Vanadzor" not in answers["/data/branches/"]
    listed = {one["name"]: one for one in json.loads(answers["/api/v1/datasets"])}
    assert [column["title"] for column in listed["branches"]["columns"]] == ["Code", "City", "Seats", "Opened"]
    found = json.loads(answers["/api/v1/datasets/branches/records?q=b-1"])["items"]
    assert [(one["code"], one["city"], one["seats"], one["opened"]) for one in found] == [("B-1", "Yerevan", 0, "2019-05-01")]


def test_files_of_the_page_are_well_formed() -> None:
    blocks = list(_BLOCK.finditer((ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")))
    assert [block["file"] for block in blocks if block["file"]] == [
        "branches/models.py",
        "branches/datasets.py",
        "branches.csv",
    ]
    assert {block["kind"] for block in blocks} == {"sh", "python", "diff", "csv", "text"}
    for block in blocks:
        if block["kind"] == "python":
            checked = subprocess.run(
                [sys.executable, "-m", "ruff", "format", "--check", "-"],
                input=block["text"],
                cwd=ROOT,
                text=True,
                capture_output=True,
            )
            assert checked.returncode == 0, block["file"]
