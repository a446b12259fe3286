"""The API is what its document says: schemathesis asks the real server, as an admin's program, with schemathesis.toml.

The short form has few examples for each operation; the long form (LOADIFY_FULL=1) has 200, and asks in sequences, too.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.site import ROOT, Site

pytestmark = pytest.mark.slow

EXTENT = ["-n", "200"] if os.environ.get("LOADIFY_FULL") == "1" else ["-n", "5", "--phases", "examples,fuzzing"]

MAKE_TOKEN = """
from accounts import tokens
from accounts.models import Right, User
print(tokens.make(User.objects.get(email="boss@example.com"), "schemathesis", list(Right))[1])
"""


@pytest.fixture(scope="module")
def api_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of its own, whose table may be emptied, and which counts no calls."""
    with Site(tmp_path_factory.mktemp("api"), LOADIFY_API_RATE="0") as site:
        yield site


def test_api_is_what_its_document_says(api_site: Site, tmp_path: Path) -> None:
    key = api_site.manage("shell", "--no-imports", "-c", MAKE_TOKEN).stdout.strip().splitlines()[-1]
    command = [str(ROOT / ".venv/bin/schemathesis"), "--config-file", str(ROOT / "schemathesis.toml"), "run"]
    command += [f"{api_site.url}/api/v1/openapi.json", "--no-color", *EXTENT]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "API_TOKEN": key, "no_proxy": "127.0.0.1", "SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks"},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    (tmp_path / "said.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    assert done.returncode == 0, (done.stdout + done.stderr)[-20_000:]
    assert re.search(r"Operations?:\s+\d+ selected", done.stdout), done.stdout[-3000:]
