"""The API is what its document says: schemathesis asks the real server, as an admin's program, with schemathesis.toml.

Each operation has 200 examples; half of those that name something name what is there. The long form (LOADIFY_FULL=1) asks in
sequences and at the edges, too.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from loadify.processes import wait_until
from tests.site import ROOT, Site

pytestmark = pytest.mark.slow

#: Asking in sequences, and the values at the edges, one by one, are left to LOADIFY_FULL=1.
PHASES = [] if os.environ.get("LOADIFY_FULL") == "1" else ["--phases", "examples,fuzzing"]

MAKE = """
from accounts import tokens
from accounts.models import Right, User
from cards.models import CardEvent
for number in range(20):
    CardEvent.objects.create(card_id=f"ZYW{number}", stage=1, phone="585949014", at="2023-11-12T19:59:00Z", event_key=number)
print(tokens.make(User.objects.get(email="boss@example.com"), "schemathesis", list(Right))[1])
"""
PRODUCTS = "sku,name,description\nA-1,One,first\nA-2,,without a name\n" + "".join(f"B-{n},Name {n},text\n" for n in range(100))
#: All but the first are held.
CONTACTS = "Name,Phone Number,Email Address\n" + "".join(f"Ann {n},011223344,ann{n}@x.am\n" for n in range(60))


@pytest.fixture(scope="module")
def api_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of its own, whose table may be emptied, and which counts no calls."""
    settings = {"LOADIFY_API_RATE": "0", "LOADIFY_WEBHOOK_ALLOW_PRIVATE": "1", "LOADIFY_HOLD_SECONDS": "3600"}
    with Site(tmp_path_factory.mktemp("api"), **settings) as site:
        yield site


class Program:
    def __init__(self, site: Site) -> None:
        self.key = site.manage("shell", "--no-imports", "-c", MAKE).stdout.strip().splitlines()[-1]
        self.root = f"{site.url}/api/v1"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {self.key}"

    def get(self, path: str) -> Any:
        return self._answered(self.session.get(self.root + path, timeout=30))

    def post(self, path: str, **given: Any) -> Any:
        return self._answered(self.session.post(self.root + path, timeout=30, **given))

    def import_file(self, dataset: str, content: str) -> str:
        """Import a file as far as its review."""
        files = {"file": (f"{dataset}.csv", content.encode())}
        made: str = self.post("/imports", files=files, data={"dataset": dataset, "mode": "review"})["id"]
        self.wait_for(made, "review")
        return made

    def apply(self, one: str) -> None:
        self.post(f"/imports/{one}/apply")
        self.wait_for(one, "done")

    def wait_for(self, one: str, state: str) -> None:
        assert wait_until(lambda: self.get(f"/imports/{one}")["state"] == state, 120), self.get(f"/imports/{one}")

    def _answered(self, answer: requests.Response) -> Any:
        assert answer.ok, answer.text
        return answer.json()


def make_all(program: Program) -> dict[str, list[dict[str, Any]]]:
    """Something of every kind; the path parameters that name it, by the path of the operations."""
    imports = [program.import_file("contacts", CONTACTS), program.import_file("products", PRODUCTS)]
    for one in imports:
        program.apply(one)
    imports += [program.import_file("products", PRODUCTS.replace("Name", f"No {number}")) for number in range(3)]
    exports = [program.post("/exports", json={"dataset": name})["id"] for name in ("products", "contacts")]
    webhook = program.post("/webhooks", json={"url": "http://127.0.0.1:65530/", "events": ["import.completed"]})["id"]
    program.post(f"/webhooks/{webhook}/test")
    program.apply(imports[2])
    assert wait_until(lambda: program.get(f"/webhooks/{webhook}/deliveries")["items"], 60)
    return {
        "/imports/{public_id}": [{"public_id": one} for one in imports],
        "/exports/{public_id}": [{"public_id": one} for one in exports],
        "/held/{pk}": [{"pk": row["id"]} for row in program.get("/held?limit=100")["items"]],
        "/cards/{card_id}": [{"card_id": f"ZYW{number}"} for number in range(20)],
        "/webhooks/{public_id}": [{"public_id": webhook}],
        "/webhooks/{public_id}/deliveries/{pk}": [
            {"public_id": webhook, "pk": row["id"]} for row in program.get(f"/webhooks/{webhook}/deliveries")["items"]
        ],
    }


def test_api_is_what_its_document_says(api_site: Site, tmp_path: Path) -> None:
    program = Program(api_site)
    env = {
        **os.environ,
        "API_TOKEN": program.key,
        "API_THERE": json.dumps(make_all(program)),
        "SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks",
        "no_proxy": "127.0.0.1",
    }
    command = [str(ROOT / ".venv/bin/schemathesis"), "--config-file", str(ROOT / "schemathesis.toml"), "run"]
    command += [f"{program.root}/openapi.json", "--no-color", "-n", "200", *PHASES]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=1800, check=False)
    (tmp_path / "said.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    assert done.returncode == 0, (done.stdout + done.stderr)[-20_000:]
    [selected, tested] = re.findall(r"(?:Selected|Tested):\s+(\d+)", done.stdout)
    document = json.loads((ROOT / "tests/api/openapi.json").read_text(encoding="utf-8"))
    operations = [operation for path in document["paths"].values() for operation in path.values() if "operationId" in operation]
    assert int(selected) == int(tested) == len(operations)
    [cases] = re.findall(r"(\d+) generated", done.stdout)
    assert int(cases) >= 200 * len(operations), done.stdout[-3000:]
