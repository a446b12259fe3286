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
CLEAR = """
from cards.models import CardEvent
from accounts.models import User
from webhooks.models import Endpoint
CardEvent.objects.all().delete(), Endpoint.objects.all().delete(), User.objects.filter(email="new@example.com").delete()
"""

#: What the answers to each example hold, in this order.
SAID = [
    [],
    ["event: snapshot", '"dataset": "products"', '{"items": [{"id": '],
    ['"dataset": "products"'],
    ["name,address,discipline"],
    ['"items"', '"sku": "SHELF-1"', '"active": true'],
    ['"name": "Oak shelf, wide"', '"status": 412', '"name": "Oak shelf, wide"'],
    [
        '"card_id": "ZYW8827"',
        '"status": "picked_up"',
        '"status_at": "2023-11-12T23:59:00+04:00"',
        '"events": [{"status": "picked_up"',
    ],
    ['"secret": "whsec_', '"url": "http://127.0.0.1:8009/hook"'],
    ['"name": "students"', '"date_field": "date_recorded"', '{"items": ['],
    ['"status": 401'],
]


def test_examples_do_what_the_page_says(site: Site, tmp_path: Path) -> None:
    if not shutil.which("curl"):
        missing("curl", "There is no curl here.")
    site.manage("shell", "--no-imports", "-c", CARD)
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    # What an example answers stands between marks of its own; the page's receiver is on the internet, which tests do not ask.
    script = "".join(f"{example}\necho; echo '=== {number}'\n" for number, example in enumerate(examples))
    done = subprocess.run(
        ["sh", "-eu", "-c", script.replace("https://example.com/hook", "http://127.0.0.1:8009/hook")],
        cwd=tmp_path,
        env={
            **site.env,
            "site": site.url,
            "email": site.email,
            "new_email": "new@example.com",
            "password": site.password,
            "no_proxy": "127.0.0.1",
        },
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert (done.returncode, done.stderr) == (0, "")
    answers = [re.sub(r"(?<=[}\]])(?=[{\[])", "\n", part).strip() for part in re.split(r"=== \d+\n", done.stdout)]
    assert answers.pop() == "" and len(answers) == len(examples) == len(SAID)
    for answer, said in zip(answers, SAID, strict=True):
        place = 0
        for words in said:
            place = answer.find(words, place) + 1
            assert place, (words, answer)
    assert '"status": 200' in (tmp_path / "registered").read_text()
    # A worker that is at it hears of the pause within a second.
    for name in ("paused", "resumed"):
        assert '"dataset": "products"' in (tmp_path / name).read_text()
    site.manage("shell", "--no-imports", "-c", CLEAR)
