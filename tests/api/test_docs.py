"""docs/api.md: its examples are run, one after the other, against a real site."""

import re
import shutil
import subprocess
from pathlib import Path

from tests.conftest import missing
from tests.site import Site

ROOT = Path(__file__).resolve().parent.parent.parent


def test_examples_do_what_the_page_says(site: Site, tmp_path: Path) -> None:
    if not shutil.which("curl"):
        missing("curl", "There is no curl here.")
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(examples) == 5
    # The page's receiver is on the internet, which tests do not ask.
    script = "\n".join(examples).replace("https://example.com/hook", "http://127.0.0.1:8009/hook")
    done = subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=tmp_path,
        env={**site.env, "site": site.url, "email": site.email, "password": site.password, "no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    answers = re.sub(r"(?<=[}\]])(?=[{\[])", "\n", done.stdout).splitlines()
    assert '"items"' in answers[0]
    assert '"sku": "SHELF-1"' in answers[1] and '"active": true' in answers[1]
    assert '"name": "Oak shelf, wide"' in answers[2]
    assert '"status": 412' in answers[3] and '"name": "Oak shelf, wide"' in answers[3]
    assert '"secret": "whsec_' in answers[4]
    assert '"url": "http://127.0.0.1:8009/hook"' in answers[5] and "whsec_" not in answers[5]
    assert '"name": "students"' in answers[6] and '"date_field": "date_recorded"' in answers[6]
    assert answers[7].startswith('{"items": [')
    site.manage("shell", "--no-imports", "-c", "from webhooks.models import Endpoint; Endpoint.objects.all().delete()")
