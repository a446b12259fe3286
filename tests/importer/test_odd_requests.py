"""Requests that no page of ours makes, and imports whose dataset was taken out: an answer, never a stack trace."""

import re

import pytest
from django.test import RequestFactory

from accounts.models import User
from importer import control, runner
from importer.models import Import
from importer.states import State
from pages.downloads import streamed

ROWS = "sku,name,description\na,One,\nb,Two\n"


@pytest.fixture
def ada(client, transactional_db):
    ada = User.objects.create_user("ada@example.com", name="Ada", role="editor")
    client.force_login(ada)
    return ada


@pytest.fixture
def orphan(load, ada):
    """An import whose dataset was taken out since."""
    run = load(ROWS)
    Import.objects.update(owner=ada, dataset="sweets")
    run.refresh_from_db()
    return run


def text(response) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


@pytest.mark.parametrize("state", [State.DONE, State.FAILED, State.REVIEW, State.PAUSED, State.CANCELLED])
def test_an_import_outlives_its_dataset_on_every_page(client, orphan, state):
    Import.objects.update(state=state)
    for path in ("", "kept/", "rejects/", "control/", "cancel/", "undo/", "review/", "rejects.csv", "file"):
        assert client.get(f"/imports/{orphan.public_id}/{path}").status_code in (200, 302), path
    assert "created it not known any more" in text(client.get(f"/imports/{orphan.public_id}/kept/"))
    assert client.get("/imports/").status_code == 200
    Import.objects.update(checkpoint={})
    assert b"line,reason" in b"".join(client.get(f"/imports/{orphan.public_id}/rejects.csv").streaming_content)


@pytest.mark.parametrize(
    ("state", "button", "data"),
    [
        (State.DONE, "undo", {}),
        (State.FAILED, "retry", {}),
        (State.REVIEW, "review", {"do": "approve"}),
        (State.REVIEW, "review", {"do": "choose"}),
    ],
)
def test_what_needs_the_dataset_is_refused_with_a_sentence(client, orphan, state, button, data):
    Import.objects.update(state=state)
    answer = client.post(f"/imports/{orphan.public_id}/{button}/", data, follow=True)
    assert "This site does not know the dataset “sweets” any more." in text(answer)
    orphan.refresh_from_db()
    assert orphan.state == state


def test_an_import_whose_dataset_is_taken_out_on_its_way_fails_with_a_sentence(orphan):
    Import.objects.update(state=State.PAUSED)
    control.resume(orphan, None)
    runner.run(orphan.pk)
    orphan.refresh_from_db()
    assert (orphan.state, orphan.error) == (State.FAILED, "This site does not know the dataset “sweets” any more.")


@pytest.mark.parametrize("q", ["\0", "a\0", "\ud800", "x" * 5000])
def test_a_review_is_searched_for_anything(client, submit, ada, q):
    run = submit(ROWS, mode=Import.Mode.REVIEW)
    runner.run(run.pk)
    Import.objects.update(owner=ada)
    for rows in ("updated", "created", "doubles", "\0"):
        asked = {"q": q.encode(errors="surrogatepass"), "rows": rows, "column": "\0", "page": "after-\0"}
        assert client.get(f"/imports/{run.public_id}/review/", asked).status_code == 200


@pytest.mark.parametrize("header", ["Upload-Metadata", "Upload-Checksum"])
def test_a_header_that_is_no_base64_is_refused(client, ada, header):
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "3", header: "sha1 é" if "Check" in header else "filename é"}
    address = "/uploads/"
    if header == "Upload-Checksum":
        address = client.post(address, headers=headers | {header: ""})["Location"]
        headers |= {"X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0"}
    answer = client.post(address, b"abc", content_type="application/offset+octet-stream", headers=headers)
    assert (answer.status_code, "base64" in answer.content.decode()) == (400, True)


def test_a_head_of_a_download_has_no_body():
    """Daphne sends the second piece of one: seen as the beginning of the next answer on that connection."""
    answer = streamed(RequestFactory().head("/"), iter([b"one", b"two"]), "text/csv", "file.csv")
    assert list(answer) == []
    assert answer["Content-Disposition"] == 'attachment; filename="file.csv"'
