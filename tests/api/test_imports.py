"""Imports over the API: what a program sends and gets, and what only their owners may have."""

import json
import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from accounts import tokens
from accounts.models import Right, Role, User
from importer import runner
from importer.intake import uploads
from importer.models import Import
from products.models import Product
from tests.api.conftest import problem

pytestmark = pytest.mark.django_db(transaction=True)

GOOD = b"sku,name,description\nA-1,One,first\nA-2,Two,second\n"
FIELDS = {
    *("id", "dataset", "state", "phase", "lines", "created", "updated", "unchanged", "superseded", "held", "rejected"),
    *("percent", "rows_per_second", "error", "started_at", "finished_at", "layout", "version"),
}


@pytest.fixture
def eva(db: None) -> User:
    return User.objects.create_user("eva@example.com", role=Role.EDITOR)


class Shop:
    """A program of somebody's, with a token; it sends forms and JSON."""

    def __init__(self, user: User, *scopes: Right) -> None:
        _, key = tokens.make(user, "shop", scopes or tuple(Right))
        self.headers = {"Authorization": f"Bearer {key}"}
        self.client = Client(enforce_csrf_checks=True, raise_request_exception=False)

    def send(self, content: bytes, name: str = "products.csv", **fields: Any) -> HttpResponse:
        data = {"file": SimpleUploadedFile(name, content), **fields}
        return self.client.post("/api/v1/imports", data, headers=self.headers)

    def get(self, path: str) -> HttpResponse:
        return self.client.get(f"/api/v1{path}", headers=self.headers)

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        data = "" if body is None else json.dumps(body)
        return self.client.generic("POST", f"/api/v1{path}", data, content_type="application/json", headers=sent)


@pytest.fixture
def shop(eva: User, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(runner, "hint", lambda pk: None)
    return Shop(eva)


def ran(answer: HttpResponse) -> Import:
    assert answer.status_code == 202, answer.content
    run = Import.objects.get(public_id=answer.json()["id"])
    runner.run(run.pk)
    run.refresh_from_db()
    return run


def test_file_of_a_form_is_imported_and_told_of(shop: Shop) -> None:
    answer = shop.send(GOOD, dataset="products", mode="apply")
    assert answer.json().keys() == FIELDS
    assert (answer.json()["state"], answer.json()["lines"]) == ("queued", 0)
    run = ran(answer)
    assert answer["Location"] == f"/api/v1/imports/{run.public_id}"
    told = shop.get(f"/imports/{run.public_id}").json()
    assert (told["state"], told["lines"], told["created"], told["percent"]) == ("done", 2, 2, 100.0)
    assert shop.get("/imports?mine=true").json()["items"] == [told]
    assert shop.get("/imports?state=failed").json()["items"] == []
    assert Product.objects.count() == 2


def test_upload_in_parts_is_named_by_its_id(shop: Shop, eva: User) -> None:
    file = uploads.keep(eva, "products.csv", SimpleUploadedFile("products.csv", GOOD))
    run = ran(shop.post("/imports", {"upload": str(file.public_id)}))
    assert (run.dataset, run.created, run.owner) == ("products", 2, eva)
    theirs = uploads.keep(User.objects.create_user("b@example.com", role="editor"), "p.csv", SimpleUploadedFile("p.csv", GOOD))
    refused = problem(shop.post("/imports", {"upload": str(theirs.public_id)}), 422)
    assert refused["errors"][0]["pointer"] == "/upload"


def test_mapping_says_which_heading_is_which_column(shop: Shop) -> None:
    content = b"Code,Title,Text\nA-1,One,first\n"
    mapping = json.dumps({"sku": "code", "name": "Title", "description": "Text"})
    run = ran(shop.send(content, dataset="products", mapping=mapping))
    assert (run.created, Product.objects.get().name) == (1, "One")


@pytest.mark.parametrize(
    ("fields", "pointer", "words"),
    [
        ({"dataset": "products", "mapping": '{"price": "Code"}'}, "/mapping/price", "“price” is no column"),
        ({"dataset": "products", "mapping": '{"sku": "Sku"}'}, "/mapping/sku", "no heading “Sku”"),
        ({"dataset": "products", "mapping": '{"sku": "Code"}'}, "/mapping", "name, description"),
        ({"dataset": "products", "mapping": "{"}, "/mapping", "not JSON"),
        ({"dataset": "products", "mapping": "[1]"}, "/mapping", "valid dictionary"),
        ({"mapping": '{"sku": "Code"}'}, "/mapping", "needs a dataset"),
        ({"dataset": "cars"}, "/dataset", "cars"),
        ({"dataset": "products"}, "/file", "no column “sku”"),
        ({"mode": "now"}, "/mode", "'review' or 'apply'"),
        ({"price": "1"}, "/price", "not permitted"),
    ],
)
def test_what_does_not_fit_is_422_with_the_place(shop: Shop, fields: dict[str, str], pointer: str, words: str) -> None:
    refused = problem(shop.send(b"Code,Title\nA-1,One\n", **fields), 422)
    assert refused["errors"][0]["pointer"] == pointer
    assert words in refused["errors"][0]["detail"]
    assert Import.objects.count() == 0


def test_file_that_was_refused_is_there_for_another_try(shop: Shop) -> None:
    refused = problem(shop.send(GOOD, dataset="cars"), 422)
    run = ran(shop.post("/imports", {"upload": refused["stored"]["upload"], "dataset": "products"}))
    assert run.created == 2


def test_form_without_a_file_or_too_large_is_refused(shop: Shop, settings) -> None:
    answer = shop.client.post("/api/v1/imports", {"dataset": "products"}, headers=shop.headers)
    assert problem(answer, 422)["errors"][0]["pointer"] == "/file"
    settings.LOADIFY_FORM_LIMIT = 100
    assert "tus" in problem(shop.send(GOOD * 10), 413)["detail"]
    settings.LOADIFY_FORM_LIMIT = 0
    assert "tus" in problem(shop.send(b"x" * 70_000), 413)["detail"]


def test_review_waits_and_is_approved(shop: Shop) -> None:
    run = ran(shop.send(GOOD, dataset="products", mode="review"))
    assert run.state == "review"
    assert problem(shop.post(f"/imports/{run.public_id}/apply", {"seen": 0}), 409)["stored"]["state"] == "review"
    assert shop.post(f"/imports/{run.public_id}/apply").json()["state"] == "queued"
    runner.run(run.pk)
    assert shop.get(f"/imports/{run.public_id}").json()["state"] == "done"
    changes = shop.get(f"/imports/{run.public_id}/changes").json()["items"]
    assert [(change["line"], change["kind"], change["before"]) for change in changes] == [
        (2, "created", None),
        (3, "created", None),
    ]
    assert shop.post(f"/imports/{run.public_id}/undo").json()["phase"] == "undoing"
    runner.run(run.pk)
    assert shop.get(f"/imports/{run.public_id}").json()["state"] == "undone"
    assert Product.objects.count() == 0


def test_buttons_do_what_they_say_and_refuse_with_a_sentence(shop: Shop) -> None:
    where = shop.send(GOOD, dataset="products")["Location"].removeprefix("/api/v1")
    assert shop.post(f"{where}/pause").json()["state"] == "paused"
    assert shop.post(f"{where}/resume").json()["state"] == "queued"
    assert shop.post(f"{where}/cancel", {"roll_back": True}).json()["state"] == "cancelled"
    assert problem(shop.post(f"{where}/pause"), 409)["detail"] == "There is nothing to pause: the import is cancelled."
    assert problem(shop.post(f"{where}/retry"), 409)["detail"].startswith("Only an import that failed")


def test_rejects_come_as_json_and_as_the_file_of_the_page(shop: Shop, eva: User) -> None:
    run = ran(shop.send(GOOD + b",Three,third\n", dataset="products"))
    [reject] = shop.get(f"/imports/{run.public_id}/rejects").json()["items"]
    assert (reject["line"], reject["cells"]) == (4, ["", "Three", "third"])
    table = b"".join(shop.get(f"/imports/{run.public_id}/rejects?format=csv").streaming_content)
    assert table.decode().splitlines()[1].startswith("4,")
    assert b"".join(shop.get(f"/imports/{run.public_id}/file").streaming_content) == GOOD + b",Three,third\n"


def test_others_see_state_and_counts_and_nothing_of_the_rows(shop: Shop) -> None:
    run = ran(shop.send(GOOD, dataset="products"))
    other = Shop(User.objects.create_user("other@example.com", role=Role.EDITOR))
    assert other.get(f"/imports/{run.public_id}").json()["created"] == 2
    assert other.get("/imports?mine=true").json()["items"] == []
    for part in ("rejects", "changes", "file"):
        problem(other.get(f"/imports/{run.public_id}/{part}"), 403)
    problem(other.post(f"/imports/{run.public_id}/undo"), 403)
    admin = Shop(User.objects.create_user("admin@example.com", role=Role.ADMIN))
    assert admin.get(f"/imports/{run.public_id}/file").status_code == 200
    assert admin.post(f"/imports/{run.public_id}/undo").status_code == 200


def test_viewer_and_narrow_token_may_not_import(eva: User) -> None:
    viewer = Shop(User.objects.create_user("v@example.com", role=Role.VIEWER))
    assert "viewer" in problem(viewer.send(GOOD), 403)["detail"]
    assert "“import”" in problem(Shop(eva, Right.READ).send(GOOD), 403)["detail"]


def test_one_snapshot_of_the_events_ends(shop: Shop) -> None:
    run = ran(shop.send(GOOD, dataset="products"))
    answer = shop.get(f"/imports/{run.public_id}/events?once=1")
    assert answer["Content-Type"] == "text/event-stream"
    name, _, data = answer.content.decode().strip().splitlines()
    assert name == "event: snapshot"
    assert json.loads(data.removeprefix("data: ")) == shop.get(f"/imports/{run.public_id}").json()
    problem(shop.get(f"/imports/{uuid.uuid4()}/events?once=1"), 404)


def test_post_with_a_key_happens_once(shop: Shop) -> None:
    new = {"sku": "K-1", "name": "Once"}
    first = shop.post("/products", new, Idempotency_Key="abc")
    again = shop.post("/products", new, Idempotency_Key="abc")
    assert (first.status_code, again.status_code, again["Idempotent-Replayed"]) == (201, 201, "true")
    assert (again.content, again["Location"], again["ETag"]) == (first.content, first["Location"], first["ETag"])
    assert Product.objects.count() == 1
    assert (
        "another request" in problem(shop.post("/products", {"sku": "K-2", "name": "x"}, Idempotency_Key="abc"), 422)["detail"]
    )
    problem(shop.post("/products", new, Idempotency_Key=""), 400)


def test_key_is_of_one_person_and_its_answer_is_sealed(shop: Shop) -> None:
    from api.models import Answer

    shop.post("/products", {"sku": "K-1", "name": "Once"}, Idempotency_Key="abc")
    assert b"K-1" not in bytes(Answer.objects.get().body)
    other = Shop(User.objects.create_user("other@example.com", role=Role.EDITOR))
    problem(other.post("/products", {"sku": "K-1", "name": "Once"}, Idempotency_Key="abc"), 409)


def test_form_with_a_key_is_stored_once(shop: Shop) -> None:
    shop.headers["Idempotency-Key"] = "form"
    first, again = shop.send(GOOD, dataset="products"), shop.send(GOOD, dataset="products")
    assert first.json()["id"] == again.json()["id"]
    assert Import.objects.count() == 1
    problem(shop.send(GOOD + b"A-3,x,y\n", dataset="products"), 422)


def test_request_that_is_at_work_is_not_begun_again(shop: Shop, eva: User) -> None:
    from api.models import Answer

    shop.post("/products", {"sku": "K-1", "name": "Once"}, Idempotency_Key="abc")
    Answer.objects.update(status=None)
    assert "still" in problem(shop.post("/products", {"sku": "K-1", "name": "Once"}, Idempotency_Key="abc"), 409)["detail"]


def test_upload_in_parts_takes_a_bearer_token_and_no_cookie_without_its_csrf_token(shop: Shop, eva: User) -> None:
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(GOOD)), "Upload-Metadata": "filename cHJvZHVjdHMuY3N2"}
    begun = shop.client.post("/uploads/", headers=tus | shop.headers)
    assert begun.status_code == 201, begun.content
    part = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"} | shop.headers
    where = begun["Location"]
    sent = shop.client.patch(where, GOOD, content_type="application/offset+octet-stream", headers=part)
    assert (sent.status_code, sent["Upload-Offset"]) == (204, str(len(GOOD)))
    assert ran(shop.post("/imports", {"upload": where.rpartition("/")[2]})).created == 2

    client = Client(enforce_csrf_checks=True)
    client.force_login(eva)
    assert client.post("/uploads/", headers=tus).status_code == 403
    assert client.post("/uploads/", headers=tus | {"Authorization": "Bearer lft_0_0"}).status_code == 401
    assert Client().post("/uploads/", headers=tus | Shop(eva, Right.READ).headers).status_code == 403
