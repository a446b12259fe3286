"""bin/audit.py: what it makes of the answers of pip-audit."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent

GOOD = {"name": "django", "version": "5.2.19", "vulns": []}
BAD = {"name": "pip", "version": "1.0", "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-2030-1"], "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "vine", "skip_reason": "Dependency not found on PyPI and could not be audited: vine (5.1.0)"}


@pytest.mark.parametrize(
    ("answer", "code", "sentence"),
    [
        ([GOOD], 0, ""),
        ([GOOD, BAD], 1, "pip 1.0 has PYSEC-1, CVE-2030-1; mended in 1.1.\n"),
        ([GOOD, UNKNOWN], 0, "pip-audit looked at 1 packages, and not at vine.\n"),
        # A mirror of the index knows no package, and pip-audit calls that a success.
        ([UNKNOWN], 0, "No service of known vulnerabilities could be asked from here"),
        (None, 0, "No service of known vulnerabilities could be asked from here"),
    ],
)
def test_audit_fails_for_what_was_found_and_says_what_was_not_looked_at(
    tmp_path: Path, answer: Any, code: int, sentence: str
) -> None:
    (tmp_path / "answer").write_text("" if answer is None else json.dumps({"dependencies": answer}))
    tool = tmp_path / "pip-audit"
    tool.write_text(f'#!/bin/sh\ncat "{tmp_path}/answer"\n')
    tool.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "bin/audit.py"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code
    assert done.stderr.startswith(sentence) if sentence else done.stderr == ""
