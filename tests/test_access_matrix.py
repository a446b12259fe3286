"""Who may do what: every address of the site and every operation of the API, as everybody in turn, against a table.

A route without a row in the table fails, and so does a row without a route.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from accounts import tokens
from accounts.models import Right, Role, User
from api.v1 import api
from cards.models import CardEvent
from importer.intake import uploads
from importer.models import DeadLetter, Export, Held, Import
from importer.states import State
from pages import signed
from products.models import Product
from tests.access_table import OPERATIONS, PAGES
from webhooks import endpoints, hints
from webhooks.models import Delivery, Event

pytestmark = pytest.mark.django_db

HELD = {"name": "Ann", "phone": "+37411123456", "email": "ann@example.com"}
#: Nobody, a viewer, another editor, the editor whose things they are, an admin: in this order stand the letters of a row.
ACTORS = ("nobody", "viewer", "other", "owner", "admin")


def letter(status: int, location: str) -> str:
    """i: in; -: sign in first; n: you may not; 0: there is no such thing for you; m: not by this method;
    !: it broke."""
    if status == 401 or (status == 302 and location.startswith("/accounts/login/")):
        return "-"
    return {403: "n", 404: "0", 405: "m"}.get(status, "i" if status < 500 else "!")


@pytest.fixture
def people() -> dict[str, AbstractBaseUser | None]:
    roles = {"viewer": Role.VIEWER, "other": Role.EDITOR, "owner": Role.EDITOR, "admin": Role.ADMIN}
    made = {name: User.objects.create_user(f"{name}@example.com", role=role) for name, role in roles.items()}
    return {"nobody": None, **made}


@pytest.fixture
def clients(people: dict[str, AbstractBaseUser | None]) -> dict[str, Client]:
    found = {}
    for name in ACTORS:
        found[name] = Client(raise_request_exception=False)
        if (person := people[name]) is not None:
            found[name].force_login(person)
    return found


@pytest.fixture
def values(people: dict[str, Any], settings, tmp_path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """For each beginning of a route what stands for its parameters: things of the owner."""
    monkeypatch.setattr(hints, "give", lambda: None)
    # Nobody is to wait for a receiver.
    monkeypatch.setattr("webhooks.delivery.send_test", lambda endpoint: (_ for _ in ()).throw(endpoint.DoesNotExist))
    settings.LOADIFY_WEBHOOK_ALLOW_PRIVATE, settings.LOADIFY_API_RATE = True, 0
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}},
    }
    owner, viewer = people["owner"], people["viewer"]
    file = uploads.keep(owner, "products.csv", SimpleUploadedFile("products.csv", b"sku,name,description\na,b,c\n"))
    run = Import.objects.create(owner=owner, file=file, dataset="products", state=State.DONE)
    export = Export.objects.create(owner=owner, dataset="products")
    product = Product.objects.create(sku="a", name="b")
    endpoint, _ = endpoints.add("http://127.0.0.1:9/", "", [], owner)
    delivery = Delivery.objects.create(endpoint=endpoint, event=Event.objects.create(type="t", body=b"{}"))
    held = Held.objects.create(run=run, line=1, dataset="contacts", values=HELD, due_at=timezone.now())
    with connection.cursor() as cursor:
        # As the import would have made it: a released row writes its Change there.
        cursor.execute(f"CREATE TABLE importer_change_{run.pk} PARTITION OF importer_change FOR VALUES IN ({run.pk})")
    dead = DeadLetter.objects.create(message_id="m", dataset="people", body=b"", reason="r", run=run)
    CardEvent.objects.create(card_id="C1", stage=1, phone="1", at=timezone.now(), event_key="k")
    token, _ = tokens.make(owner, "t", [Right.READ])
    link = signed.token(signed.Link("import", run.public_id, owner.pk))
    return {
        "": {"dataset": "products", "token": link, "card_id": "C1", "rest": "x", "name": "products", "pk": product.pk},
        "_allauth": {"provider": "x", "key": "x"},
        "accounts": {"uidb36": "1", "key": "x-y"},
        "data": {"dataset": "products", "pk": product.pk},
        "exports": {"public_id": export.public_id},
        "held": {"pk": held.pk},
        "imports": {"public_id": run.public_id, "dataset": "products"},
        "imports/prepare": {"public_id": file.public_id},
        "people": {"pk": viewer.pk},
        "products": {"pk": product.pk, "change_id": 1},
        "profile": {"pk": token.pk},
        "queue": {"pk": dead.pk},
        "uploads": {"public_id": file.public_id},
        "webhooks": {"public_id": endpoint.public_id, "pk": delivery.pk},
    }


def routes(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    """Every address below, as Django writes it: "imports/<uuid:public_id>/"."""
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from routes(pattern, route)


def filled(route: str, values: dict[str, dict[str, Any]]) -> str:
    route = route.replace("^", "")
    beginning = max((name for name in values if route.startswith(name)), key=len)
    route = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", route).replace("$", "").replace("\\Z", "")
    known = {**values[""], **values[beginning]}
    return "/" + re.sub(r"[<{](?:\w+:)?(\w+)[>}]", lambda match: str(known[match[1]]), route)


def seen(clients: dict[str, Client], method: str, address: str, **how: Any) -> str:
    """The letters of all actors; whatever a request does is taken back."""
    letters = ""
    for name in ACTORS:
        with transaction.atomic():
            answer = clients[name].generic(method, address, **how)
            letters += letter(answer.status_code, answer.headers.get("Location", ""))
            transaction.set_rollback(True)
    return letters


def test_every_page_lets_in_whom_the_table_says(clients: dict[str, Client], values: dict[str, dict[str, Any]]) -> None:
    operations = {_shape(path.strip("/")) for path in api.get_openapi_schema(path_prefix="/api/v1/")["paths"]}
    found = {}
    for route in routes(get_resolver()):
        if _shape(route) in operations:
            continue
        before = {name: client.cookies.copy() for name, client in clients.items()}
        rows = []
        for method in ("GET", "POST"):
            for name, client in clients.items():
                client.cookies = before[name].copy()
            rows.append(seen(clients, method, filled(route, values)))
        found[route] = " ".join(rows)
        for name, client in clients.items():
            client.cookies = before[name]
    assert found == PAGES


def test_every_operation_lets_in_whom_the_table_says(clients: dict[str, Client], values: dict[str, dict[str, Any]]) -> None:
    document = api.get_openapi_schema(path_prefix="/api/v1/")
    found = {}
    for path, operations in document["paths"].items():
        for method in operations:
            body = {"data": json.dumps({}), "content_type": "application/json"} if method in ("post", "patch") else {}
            address = "/api/v1" + filled(path.removeprefix("/api/v1/"), values)
            found[f"{method.upper()} {path}"] = seen(clients, method.upper(), address, **body)
    assert found == OPERATIONS


def _shape(route: str) -> str:
    return re.sub(r"[<{].*?[>}]", "*", route)
