"""Imports over the API: what a program sends and gets, and what only their owners may have."""

import json
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.models import Right, Role, User
from importer import runner
from importer.intake import uploads
from importer.models import Import
from products import edits
from products.models import Product
from tests.api.conftest import GOOD, Shop, problem

pytestmark = pytest.mark.django_db(transaction=True)

FIELDS = {
    *("id", "dataset", "state", "phase", "lines", "created", "updated", "unchanged", "superseded", "held", "rejected"),
    *("percent", "rows_per_second", "error", "started_at", "finished_at", "layout", "version", "position"),
}


def ran(answer: HttpResponse) -> Import:
    assert answer.status_code == 202, answer.content
    run = Import.objects.get(public_id=answer.json()["id"])
    runner.run(run.pk)
    run.refresh_from_db()
    return run


def test_file_of_a_form_is_imported_and_told_of(shop: Shop) -> None:
    answer = shop.send(GOOD, dataset="products", mode="apply")
    assert answer.json().keys() == FIELDS
    assert (answer.json()["state"], answer.json()["position"], answer.json()["lines"]) == ("queued", 1, 0)
    run = ran(answer)
    assert answer["Location"] == f"/api/v1/imports/{run.public_id}"
    told = shop.get(f"/imports/{run.public_id}").json()
    assert (told["state"], told["position"], told["lines"], told["created"], told["percent"]) == ("done", None, 2, 2, 100.0)
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
    assert [(change["line"], change["kind"], change["before"], change["after"]["name"]) for change in changes] == [
        (2, "created", None, "One"),
        (3, "created", None, "Two"),
    ]
    assert shop.post(f"/imports/{run.public_id}/undo").json()["phase"] == "undoing"
    runner.run(run.pk)
    assert shop.get(f"/imports/{run.public_id}").json()["state"] == "undone"
    assert Product.objects.count() == 0


def test_changes_tell_what_rows_were_after_the_import_not_what_they_are_now(shop: Shop, eva: User) -> None:
    first = ran(shop.send(GOOD, dataset="products"))
    second = ran(shop.send(GOOD.replace(b"One", b"Uno"), dataset="products"))
    one, two = Product.objects.order_by("sku")
    edits.change(one.pk, {"name": "Eins"}, eva)
    edits.delete(two.pk, eva)
    [change] = shop.get(f"/imports/{second.public_id}/changes").json()["items"]
    assert (change["row"], change["kind"], change["before"], change["after"]) == (
        one.pk,
        "updated",
        {"name": "One"},
        {"name": "Uno"},
    )
    created = shop.get(f"/imports/{first.public_id}/changes").json()["items"]
    assert [row["after"]["name"] for row in created] == ["One", "Two"]
    edits.change(one.pk, {"description": "erste"}, eva)
    edits.clear(eva)
    created = shop.get(f"/imports/{first.public_id}/changes").json()["items"]
    assert created[0]["after"] == {"name": "One", "description": "first"}


def test_buttons_do_what_they_say_and_refuse_with_a_sentence(shop: Shop) -> None:
    where = shop.send(GOOD, dataset="products")["Location"].removeprefix("/api/v1")
    assert shop.post(f"{where}/pause").json()["state"] == "paused"
    assert shop.post(f"{where}/resume").json()["state"] == "queued"
    assert shop.post(f"{where}/cancel?roll_back=true").json()["state"] == "cancelled"
    assert problem(shop.post(f"{where}/pause"), 409)["detail"] == "There is nothing to pause: the import is cancelled."
    assert problem(shop.post(f"{where}/retry"), 409)["detail"].startswith("Only an import that failed")


def test_rejects_come_as_json_and_as_the_file_of_the_page(shop: Shop, eva: User) -> None:
    run = ran(shop.send(GOOD + b",Three,third\n", dataset="products"))
    [reject] = shop.get(f"/imports/{run.public_id}/rejects").json()["items"]
    assert (reject["line"], reject["cells"]) == (4, ["", "Three", "third"])
    table = b"".join(shop.get(f"/imports/{run.public_id}/rejects?format=csv").streaming_content)
    assert table.decode().splitlines()[1].startswith("4,")
    shop.headers["Accept"] = "text/csv"
    assert b"".join(shop.get(f"/imports/{run.public_id}/rejects").streaming_content) == table
    shop.client.force_login(eva)
    page = shop.client.get(reverse("import-rejects-csv", args=[run.public_id]))
    assert b"".join(page.streaming_content) == table
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
