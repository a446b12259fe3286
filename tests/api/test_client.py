"""The OpenAPI document is enough to call the API: a client that was made of it alone does a day's work."""

import importlib
import os
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.site import Site

FILE = b"sku,name,description\nclient-1,By file,x\nclient-2,By file,x\n"
MAKE_TOKEN = """
from accounts import tokens
from accounts.models import Right, User
print(tokens.make(User.objects.get(email="boss@example.com"), "client", [Right.READ, Right.IMPORT, Right.EDIT])[1])
"""


@pytest.fixture
def made(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Loads a module of the client that openapi-python-client makes of the site's document."""
    document = tmp_path / "openapi.json"
    document.write_bytes(requests.get(f"{site.url}/api/v1/openapi.json", timeout=30).content)
    path = Path(sys.executable).parent
    # It formats what it made with ruff, from the PATH.
    env = os.environ | {"PATH": f"{path}:{os.environ['PATH']}"}
    command = [path / "openapi-python-client", "generate", "--path", document, "--meta", "none", "--fail-on-warning"]
    done = subprocess.run(
        [*command, "--output-path", tmp_path / "loadify_client"],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda name: importlib.import_module(f"loadify_client.{name}")
    for name in [name for name in sys.modules if name.startswith("loadify_client")]:
        del sys.modules[name]


def test_client_made_of_the_document_does_a_days_work(made: Any, site: Site) -> None:
    key = site.manage("shell", "--no-imports", "-c", MAKE_TOKEN).stdout.strip().splitlines()[-1]
    models = made("models")
    with made("client").AuthenticatedClient(base_url=site.url, token=key, raise_on_unexpected_status=True) as client:

        def call(operation: str, *args: Any, **given: Any) -> Any:
            return made(f"api.{operation}").sync(*args, client=client, **given)

        new = models.NewProduct(sku="client-1", name="Made by a client")
        product = call("products.create_product", body=new, idempotency_key="client-1")
        assert call("products.create_product", body=new, idempotency_key="client-1") == product
        changed = call("products.change_product", product.id, body=models.ProductPatch(active=False))
        assert (changed.name, changed.active) == ("Made by a client", False)
        assert call("products.list_products", q="client-1").items == [changed]

        file = made("types").File(payload=BytesIO(FILE), file_name="products.csv", mime_type="text/csv")
        begun = call("imports.start_import", body=models.StartImportFilesBody(file=file, dataset="products"))
        deadline = time.monotonic() + 60
        while (run := call("imports.get_import", begun.id)).state != "done":
            assert time.monotonic() < deadline, run
            time.sleep(0.2)
        assert (run.lines, run.created, run.updated) == (2, 1, 1)

        # The bearer token of the document is what it takes, and problems are what the document says.
        refused = call("webhooks.list_webhooks")
        assert (type(refused), refused.status) == (models.Problem, 403)
        call("products.delete_product", product.id)
