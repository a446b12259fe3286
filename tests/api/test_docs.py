"""docs/api.md: its examples are run, one after the other, against a real site."""

import re
import shutil
import subprocess
from pathlib import Path

from tests.conftest import missing
from tests.site import Site

ROOT = Path(__file__).resolve().parent.parent.parent

#: The card that the page looks up.
CARD = """
from cards.models import CardEvent
CardEvent.objects.create(card_id="ZYW8827", stage=1, phone="585949014", at="2023-11-12T19:59:00Z", event_key="zyw8827 docs")
"""


def test_examples_do_what_the_page_says(site: Site, tmp_path: Path) -> None:
    if not shutil.which("curl"):
        missing("curl", "There is no curl here.")
    site.manage("shell", "--no-imports", "-c", CARD)
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
    answers = re.sub(r"}(?={)", "}\n", done.stdout).splitlines()
    assert '"items"' in answers[0]
    assert '"items"' in answers[0]
    assert '"sku": "SHELF-1"' in answers[1] and '"active": true' in answers[1]
    assert '"name": "Oak shelf, wide"' in answers[2]
    assert '"status": 412' in answers[3] and '"name": "Oak shelf, wide"' in answers[3]
    assert '"card_id": "ZYW8827", "status": "picked_up", "status_at": "2023-11-12T23:59:00+04:00"' in answers[4]
    assert '"events": [{"status": "picked_up"' in answers[5]
    assert '"secret": "whsec_' in answers[6]
    assert '"url": "http://127.0.0.1:8009/hook"' in answers[7] and "whsec_" not in answers[7]
    site.manage("shell", "--no-imports", "-c", "from webhooks.models import Endpoint; Endpoint.objects.all().delete()")
    site.manage("shell", "--no-imports", "-c", "from cards.models import CardEvent; CardEvent.objects.all().delete()")
