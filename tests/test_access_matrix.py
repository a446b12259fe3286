"""Who may come where: every address and every operation of the API, called by everybody, against one table.

An address without a row in ROWS fails the tests and is named, and so does a row without an address.
"""

import io
import logging
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.conf import settings
from django.core.signals import request_finished
from django.db import close_old_connections, connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve, reverse
from django.utils import timezone

from accounts import tokens
from accounts.models import Right, User
from api.v1 import api
from cards.models import CardEvent, Stage
from contacts.models import Contact
from importer.intake import uploads
from importer.models import Change, DeadLetter, Export, Held, Import, Reject
from importer.states import ExportState, State
from pages import signed
from products import edits
from webhooks import endpoints, hints
from webhooks.models import Delivery

pytestmark = [pytest.mark.slow, pytest.mark.every]

#: `owner` and `other` are editors; what there is belongs to `owner`. `reader` is a program of the admin whose token has the
#: scope to read alone; it is nobody where the API and uploads end.
ACTORS = ("anonymous", "viewer", "owner", "other", "admin", "reader")

# What each of ACTORS meets: it comes in, is led to the sign-in (a program hears 401), or is told no (403, or 404).
OPEN = ("in", "in", "in", "in", "in", "in")
SIGNED_IN = ("sign in", "in", "in", "in", "in", "in")
#: Looking at what belongs to somebody.
OWN = ("sign in", "no", "in", "no", "in", "in")
#: Doing something to what belongs to somebody.
STEER = ("sign in", "no", "in", "no", "in", "no")
EDIT = ("sign in", "no", "in", "in", "in", "no")
ADMIN = ("sign in", "no", "no", "no", "in", "no")
#: A file that is not imported yet is no admin's business.
UPLOADER = ("sign in", "no", "in", "no", "no", "no")
SIGNED_OUT = ("sign in", "sign in", "sign in", "sign in", "sign in", "sign in")
REFUSED = ("sign in", "no", "no", "no", "no", "no")
NOBODY = ("no", "no", "no", "no", "no", "no")

Row = dict[str, tuple[str, ...]]

ASKED: Row = {"GET": SIGNED_IN}
FORM: Row = {"GET": SIGNED_IN, "POST": SIGNED_IN}
OPEN_FORM: Row = {"GET": OPEN, "POST": OPEN}
EDIT_FORM: Row = {"GET": EDIT, "POST": EDIT}
STEER_FORM: Row = {"GET": STEER, "POST": STEER}
ADMIN_FORM: Row = {"GET": ADMIN, "POST": ADMIN}

#: What can be looked at in /admin/.
MODELS = {
    "accounts": ("user", "token", "auditentry", "cacheentry"),
    "importer": (
        *("storedfile", "import", "change", "reject", "held", "heldvalue", "heartbeat", "datasetlock", "mapping"),
        *("stagedrow", "inbox", "tally", "countedtally", "deadletter", "erasure", "export", "maintenance"),
        *("lease", "storagemark"),
    ),
    "products": ("product",),
    "contacts": ("contact", "person"),
    "cards": ("cardevent",),
    "students": ("studentanswer",),
    "webhooks": ("endpoint", "event", "delivery", "attempt", "tally"),
    "api": ("answer", "calls"),
}
OF_MODEL: dict[str, Row] = {
    "": ADMIN_FORM,
    "add/": {"GET": REFUSED, "POST": REFUSED},
    "<path:object_id>/": ADMIN_FORM,
    "<path:object_id>/change/": {"GET": ADMIN, "POST": REFUSED},
    "<path:object_id>/delete/": {"GET": REFUSED, "POST": REFUSED},
    "<path:object_id>/history/": ADMIN_FORM,
}

#: Pattern of the address → method → who may. A method that is not named is answered 405.
ROWS: dict[str, Row] = {
    "": FORM,
    "healthz": OPEN_FORM,
    "readyz": {"GET": OPEN},
    "metrics": {"GET": ADMIN},
    "operations/": {"GET": ADMIN},
    # Signing in, and one's own account
    "accounts/login/": OPEN_FORM,
    "accounts/logout/": OPEN_FORM,
    "accounts/inactive/": {"GET": OPEN},
    "accounts/signup/": OPEN_FORM,
    "accounts/reauthenticate/": FORM,
    "accounts/confirm-email/": {"GET": OPEN},
    "^accounts/confirm-email/(?P<key>[-:\\w]+)/$": {"GET": OPEN, "POST": NOBODY},  # the key here is none
    "accounts/password/change/": FORM,
    "accounts/password/set/": FORM,
    "accounts/password/reset/": OPEN_FORM,
    "accounts/password/reset/done/": {"GET": OPEN},
    "^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": OPEN_FORM,
    "accounts/password/reset/key/done/": {"GET": OPEN},
    "accounts/2fa/": ASKED,
    "accounts/2fa/authenticate/": FORM,
    "accounts/2fa/reauthenticate/": FORM,
    "accounts/2fa/totp/activate/": FORM,
    "accounts/2fa/totp/deactivate/": FORM,
    "accounts/2fa/recovery-codes/": ASKED,
    "accounts/2fa/recovery-codes/generate/": FORM,
    "accounts/2fa/recovery-codes/download/": FORM,
    "profile/": ASKED,
    "profile/tokens/new/": FORM,
    "profile/tokens/<int:pk>/revoke/": {"GET": UPLOADER, "POST": UPLOADER},
    # The same for programs. A session of the site is nobody here, and so is a token.
    "_allauth/app/v1/config": {"GET": OPEN},
    # A 401 is what allauth says of a good sign-out, too.
    "_allauth/app/v1/auth/session": {"GET": SIGNED_IN, "DELETE": SIGNED_OUT},
    "_allauth/app/v1/auth/reauthenticate": {"POST": SIGNED_IN},
    "_allauth/app/v1/auth/code/confirm": OPEN_FORM,
    "_allauth/app/v1/auth/password/request": {"POST": OPEN},
    "_allauth/app/v1/auth/password/reset": {"GET": OPEN, "POST": OPEN},
    "_allauth/app/v1/auth/login": {"POST": OPEN},
    "_allauth/app/v1/auth/signup": {"POST": OPEN},
    "_allauth/app/v1/auth/email/verify": {"GET": OPEN, "POST": OPEN},
    "_allauth/app/v1/auth/email/verify/resend": {"POST": OPEN},
    "_allauth/app/v1/account/password/change": {"POST": SIGNED_IN},
    # Between a password and a code; nobody here is.
    "_allauth/app/v1/auth/2fa/authenticate": {"GET": SIGNED_OUT, "POST": SIGNED_OUT},
    "_allauth/app/v1/auth/2fa/reauthenticate": {"POST": SIGNED_IN},
    "_allauth/app/v1/account/authenticators": ASKED,
    "_allauth/app/v1/account/authenticators/totp": FORM | {"DELETE": SIGNED_IN},
    "_allauth/app/v1/account/authenticators/recovery-codes": FORM,
    "_allauth/app/v1/tokens/refresh": {"POST": OPEN},
    # People
    "people/": {"GET": ADMIN},
    "people/new/": ADMIN_FORM,
    "people/<int:pk>/": {"POST": ADMIN},
    "people/<int:pk>/invite/": {"POST": ADMIN},
    "audit/": {"GET": ADMIN},
    # Data
    "data/": ASKED,
    "data/<slug:dataset>/": ASKED,
    "data/<slug:dataset>/<int:pk>/": ASKED,
    "cards/": ASKED,
    "cards/<path:card_id>/": ASKED,
    "erase/": ADMIN_FORM,
    "maintenance/": ADMIN_FORM,
    # Imports
    "imports/": ASKED,
    "imports/new/": EDIT_FORM,
    "imports/sample/<slug:dataset>.csv": ASKED,
    "imports/prepare/<uuid:public_id>/": {"GET": UPLOADER, "POST": UPLOADER},
    "imports/<uuid:public_id>/": ASKED,
    "imports/<uuid:public_id>/events": ASKED,
    "imports/<uuid:public_id>/review/": {"GET": OWN, "POST": STEER},
    "imports/<uuid:public_id>/rejects/": {"GET": OWN},
    "imports/<uuid:public_id>/rejects.csv": {"GET": OWN},
    "imports/<uuid:public_id>/file": {"GET": OWN},
    "imports/<uuid:public_id>/kept/": {"GET": OWN},
    "imports/<uuid:public_id>/control/": {"GET": OWN},
    "imports/<uuid:public_id>/pause/": {"POST": STEER},
    "imports/<uuid:public_id>/resume/": {"POST": STEER},
    "imports/<uuid:public_id>/retry/": {"POST": STEER},
    "imports/<uuid:public_id>/cancel/": STEER_FORM,
    "imports/<uuid:public_id>/undo/": STEER_FORM,
    # The link of a file is signed and expires; who has it needs no more.
    "files/<str:token>": {"GET": OPEN},
    "held/": ASKED,
    "held/<int:pk>/release/": {"POST": STEER},
    "held/<int:pk>/discard/": {"POST": STEER},
    "queue/": ASKED,
    # Sends again those that one may send again.
    "queue/replay/": {"POST": EDIT},
    "queue/<int:pk>/replay/": {"POST": STEER},
    "queue/<int:pk>/discard/": {"POST": STEER},
    "uploads/": {"POST": EDIT},
    "uploads/<uuid:public_id>": {"HEAD": UPLOADER, "PATCH": UPLOADER, "DELETE": UPLOADER},
    # Exports
    "exports/": ASKED,
    "exports/new/": FORM,
    "exports/<uuid:public_id>/": {"GET": OWN},
    "exports/<uuid:public_id>/file": {"GET": OWN},
    "exports/<uuid:public_id>/control/": {"GET": OWN},
    "exports/<uuid:public_id>/pause/": {"POST": OWN},
    "exports/<uuid:public_id>/resume/": {"POST": OWN},
    "exports/<uuid:public_id>/cancel/": {"POST": OWN},
    # Products
    "products/": ASKED,
    "products/new/": EDIT_FORM,
    "products/export.csv": ASKED,
    "products/edits/": ASKED,
    "products/delete-all/": ADMIN_FORM,
    "products/<int:pk>/": ASKED,
    "products/<int:pk>/row/": ASKED,
    "products/<int:pk>/active/": {"POST": EDIT},
    "products/<int:pk>/edit/": EDIT_FORM,
    "products/<int:pk>/delete/": EDIT_FORM,
    "products/<int:pk>/restore/": {"POST": EDIT},
    "products/<int:pk>/changes/<int:change_id>/restore/": {"POST": EDIT},
    # Webhooks
    "webhooks/": {"GET": ADMIN},
    "webhooks/new/": ADMIN_FORM,
    "webhooks/<uuid:public_id>/": {"GET": ADMIN},
    "webhooks/<uuid:public_id>/edit/": ADMIN_FORM,
    "webhooks/<uuid:public_id>/switch/": {"POST": ADMIN},
    "webhooks/<uuid:public_id>/rotate/": ADMIN_FORM,
    "webhooks/<uuid:public_id>/secret/": {"GET": ADMIN},
    "webhooks/<uuid:public_id>/delete/": ADMIN_FORM,
    "webhooks/<uuid:public_id>/test/": {"POST": ADMIN},
    "webhooks/<uuid:public_id>/replay/": ADMIN_FORM,
    "webhooks/<uuid:public_id>/deliveries/<int:pk>/": {"GET": ADMIN},
    "webhooks/<uuid:public_id>/deliveries/<int:pk>/resend/": {"POST": ADMIN},
    # Looking at the database
    "admin/": ADMIN_FORM,
    "admin/login/": ADMIN_FORM,
    "admin/logout/": ADMIN_FORM,
    "admin/password_change/": ADMIN_FORM,
    "admin/password_change/done/": ADMIN_FORM,
    "admin/autocomplete/": {"GET": REFUSED},
    "admin/jsi18n/": ADMIN_FORM,
    "admin/r/<path:content_type_id>/<path:object_id>/": {"GET": REFUSED, "POST": REFUSED},  # no model has a page of its own
    f"admin/^(?P<app_label>{'|'.join(MODELS)})/$": ADMIN_FORM,
    "admin/(?P<url>.*)$": {"GET": REFUSED, "POST": REFUSED},
    **{f"admin/{app}/{model}/{rest}": OF_MODEL[rest] for app in MODELS for model in MODELS[app] for rest in OF_MODEL},
    # The API
    "api/docs": {"GET": OPEN},
    "api/v1/": {"GET": NOBODY, "POST": NOBODY},
    "api/v1/<rest:rest>": {"GET": NOBODY, "POST": NOBODY},
    # What the API is like is no secret: the source is open.
    "api/v1/openapi.json": OPEN_FORM,
    "api/v1/imports": {"GET": SIGNED_IN, "POST": EDIT},
    "api/v1/imports/<uuidstr:public_id>": ASKED,
    "api/v1/imports/<uuidstr:public_id>/events": ASKED,
    "api/v1/imports/<uuidstr:public_id>/apply": {"POST": STEER},
    "api/v1/imports/<uuidstr:public_id>/pause": {"POST": STEER},
    "api/v1/imports/<uuidstr:public_id>/resume": {"POST": STEER},
    "api/v1/imports/<uuidstr:public_id>/cancel": {"POST": STEER},
    "api/v1/imports/<uuidstr:public_id>/undo": {"POST": STEER},
    "api/v1/imports/<uuidstr:public_id>/retry": {"POST": STEER},
    "api/v1/imports/<uuidstr:public_id>/changes": {"GET": OWN},
    "api/v1/imports/<uuidstr:public_id>/rejects": {"GET": OWN},
    "api/v1/imports/<uuidstr:public_id>/file": {"GET": OWN},
    "api/v1/datasets": ASKED,
    "api/v1/datasets/<name>/records": ASKED,
    "api/v1/products": {"GET": SIGNED_IN, "POST": EDIT, "DELETE": ADMIN},
    "api/v1/products/<int:pk>": {"GET": SIGNED_IN, "PATCH": EDIT, "DELETE": EDIT},
    "api/v1/cards": ASKED,
    "api/v1/cards/<path:card_id>": ASKED,
    "api/v1/contacts": ASKED,
    "api/v1/held": ASKED,
    "api/v1/held/<int:pk>/release": {"POST": STEER},
    "api/v1/held/<int:pk>/discard": {"POST": STEER},
    "api/v1/exports": FORM,
    "api/v1/exports/<uuidstr:public_id>": {"GET": OWN},
    "api/v1/exports/<uuidstr:public_id>/file": {"GET": OWN},
    "api/v1/exports/<uuidstr:public_id>/pause": {"POST": OWN},
    "api/v1/exports/<uuidstr:public_id>/resume": {"POST": OWN},
    "api/v1/exports/<uuidstr:public_id>/cancel": {"POST": OWN},
    "api/v1/webhooks": {"GET": ADMIN, "POST": ADMIN},
    "api/v1/webhooks/<uuidstr:public_id>": {"GET": ADMIN, "PATCH": ADMIN, "DELETE": ADMIN},
    "api/v1/webhooks/<uuidstr:public_id>/test": {"POST": ADMIN},
    "api/v1/webhooks/<uuidstr:public_id>/rotate": {"POST": ADMIN},
    "api/v1/webhooks/<uuidstr:public_id>/replay": {"POST": ADMIN},
    "api/v1/webhooks/<uuidstr:public_id>/deliveries": {"GET": ADMIN},
    "api/v1/webhooks/<uuidstr:public_id>/deliveries/<int:pk>/resend": {"POST": ADMIN},
}

#: What an operation of the API must be asked for to find anything.
QUERIES = {"api/v1/cards": "?card_id=C-1", "api/v1/imports/<uuidstr:public_id>/events": "?once=1"}


TUS = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Upload-Length": "10"}


def routes(patterns: list[Any], before: str = "") -> Iterator[str]:
    for pattern in patterns:
        assert isinstance(pattern, (URLPattern, URLResolver))
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route


def test_every_address_has_a_row_and_every_row_an_address():
    found = set(routes(get_resolver().url_patterns))
    assert sorted(found - ROWS.keys()) == []
    assert sorted(ROWS.keys() - found) == []


def test_every_operation_of_the_api_has_a_row_and_every_row_an_operation():
    operations = {
        (method.upper(), path.lstrip("/")) for path, found in api.get_openapi_schema()["paths"].items() for method in found
    }
    besides = {"api/v1/", "api/v1/<rest:rest>", "api/v1/openapi.json"}
    rows = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route))
        for route, row in ROWS.items()
        if route.startswith("api/v1/") and route not in besides
        for method in row
    }
    assert sorted(operations - rows) == []
    assert sorted(rows - operations) == []


@pytest.fixture
def people(db: None) -> dict[str, User]:
    roles = {"viewer": "viewer", "owner": "editor", "other": "editor", "admin": "admin"}
    found = {name: User.objects.create_user(f"{name}@example.com", "long-enough", role=role) for name, role in roles.items()}
    for person in found.values():
        TOTP.activate(person, "JBSWY3DPEHPK3PXP")
        RecoveryCodes.activate(person)
    return found


@pytest.fixture
def credentials(people) -> dict[str, dict[str, str]]:
    """For each actor the headers that say who it is. Everybody has just given their password, so nobody is asked again."""
    found: dict[str, dict[str, str]] = {"anonymous": {}}
    for name, person in people.items():
        client = Client()
        client.force_login(person)
        session = client.session
        given = {"method": "password", "at": time.time(), "email": person.email, "reauthenticated": True}
        session.update({"account_authentication_methods": [given], "account_authentication_methods_user": str(person.pk)})
        session.save()
        key = client.cookies[settings.SESSION_COOKIE_NAME].value
        found[name] = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={key}", "X-Session-Token": key}
    found["reader"] = {"Authorization": f"Bearer {tokens.make(people['admin'], 'reader', [Right.READ])[1]}"}
    return found


@pytest.fixture
def places(people, settings, tmp_path) -> list[tuple[str, dict[str, object]]]:
    """Something of the owner's behind every address: (beginning of the address, what stands for its parts)."""
    storage = {"BACKEND": "importer.storage.folder.FolderStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "default": storage}
    owner = people["owner"]
    endpoint, _ = endpoints.add("https://192.0.2.1/hook", "Hook", [], owner)
    product = edits.create({"sku": "A-1", "name": "Oak", "description": "", "active": True}, owner)
    edits.change(product.pk, {"name": "Elm"}, owner)
    changed = Change.objects.get(dataset="products", kind=Change.Kind.UPDATED)
    file = uploads.keep(owner, "file.csv", io.BytesIO(b"sku,name,description\nA-1,Oak,\n,Ash,\n"))
    run = Import.objects.create(dataset="products", owner=owner, file=file, state=State.DONE, lines=2, updated=1, rejected=1)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE importer_change_{run.pk} PARTITION OF importer_change FOR VALUES IN ({run.pk})")
    Reject.objects.create(run=run, line=3, cells=["", "Ash", ""], reason="There is no SKU.")
    export = Export.objects.create(
        dataset="products", owner=owner, state=ExportState.DONE, path=file.path, bytes=file.size, finished_at=timezone.now()
    )
    values = {"name": "Ann", "phone": "011223344", "email": ""}
    waiting = Held.objects.create(run=run, line=2, dataset="contacts", values=values, due_at=timezone.now())
    letter = DeadLetter.objects.create(message_id="m", dataset="people", body=b"{}", reason="It is empty.", run=run, line=2)
    CardEvent.objects.create(card_id="C-1", stage=Stage.DELIVERED, at=timezone.now(), event_key="C-1")
    contact = Contact.objects.create(name="Ann", phone="011223344")
    ready = uploads.keep(owner, "next.csv", io.BytesIO(b"sku,name,description\nB-1,Oak,\n"))
    return [
        ("imports/prepare/", {"public_id": ready.public_id}),
        ("imports/", {"public_id": run.public_id, "dataset": "products"}),
        ("files/", {"token": signed.token(signed.Link("import", run.public_id, owner.pk))}),
        ("held/", {"pk": waiting.pk}),
        ("queue/", {"pk": letter.pk}),
        ("uploads/", {"public_id": uploads.begin(owner, "part.csv", 10).public_id}),
        ("exports/", {"public_id": export.public_id}),
        ("data/", {"dataset": "contacts", "pk": contact.pk}),
        ("datasets/", {"name": "contacts"}),
        ("products/", {"pk": product.pk, "change_id": changed.pk}),
        ("cards/", {"card_id": "C-1"}),
        ("webhooks/", {"public_id": endpoint.public_id, "pk": Delivery.objects.filter(endpoint=endpoint)[0].pk}),
        ("^accounts/confirm-email", {"key": "nonsense"}),
        ("^accounts/password", {"uidb36": "1", "key": "nonsense"}),
        ("profile/", {"pk": tokens.make(owner, "mine", [Right.READ])[0].pk}),
        ("people/", {"pk": people["viewer"].pk}),
        ("admin/", {"object_id": "1", "content_type_id": "1", "app_label": "products", "url": "nowhere"}),
        ("", {"rest": "nowhere"}),
    ]


def address(route: str, places: list[tuple[str, dict[str, object]]]) -> str:
    """Where a route leads to what there is."""
    below = route.removeprefix("api/v1/")
    parts = next(parts for beginning, parts in places if below.startswith(beginning))
    filled = re.sub(r"\(\?P<(\w+)>.*?\)|<(?:\w+:)?(\w+)>", lambda found: str(parts[found[1] or found[2]]), route)
    return "/" + filled.replace("^", "").replace("$", "") + QUERIES.get(route, "")


def met(answer: HttpResponse) -> str:
    signs_in = (reverse(settings.LOGIN_URL), reverse("admin:login"))  # the second leads on to the first
    if answer.status_code == 401 or answer.get("Location", "").startswith(signs_in):
        return "sign in"
    if answer.status_code >= 500:
        return f"an error {answer.status_code}"
    return "no" if answer.status_code in (403, 404) else "in"


def is_page(answer: HttpResponse) -> bool:
    return answer.status_code == 200 and answer["Content-Type"].startswith("text/html")


#: One for all calls: each has a chain of middleware of its own, which takes longer to make than most answers do.
caller = Client(raise_request_exception=False)


def dead_ends(page: str, actor: str) -> Iterator[str]:
    """The links, buttons and forms of a page that lead where somebody may not come. What belongs to anybody is the owner's."""
    place = ACTORS.index(actor)
    found = [("GET", href) for href in re.findall(r'(?:href|hx-get)="(/[^"#?]*)', page)]
    found += [("POST", href) for href in re.findall(r'hx-post="(/[^"#?]*)', page)]
    for form in re.findall(r"<form[^>]*>", page):
        method = "POST" if 'method="post"' in form else "GET"
        found += [(method, href) for href in re.findall(r'\saction="(/[^"#?]*)', form)]
    for method, href in sorted(set(found)):
        if not href.startswith(settings.STATIC_URL) and ROWS[route_of(href)][method][place] == "no":
            yield f"{method} {href}"


def route_of(way: str) -> str:
    """The pattern of an address, which a method may stand before."""
    return resolve(unquote(way.rpartition(" ")[2])).route


def call(method: str, route: str, places: list[tuple[str, dict[str, object]]], headers: dict[str, str]) -> HttpResponse:
    """Ask, and take back whatever the answer changed."""
    caller.cookies.clear()
    kinds = {"api": "application/json", "_allauth": "application/json", "uploads": "application/offset+octet-stream"}
    kind = kinds.get(route.partition("/")[0], "application/x-www-form-urlencoded")
    body = "" if method in ("GET", "HEAD") else "{}" if kind == "application/json" else "more"
    with transaction.atomic():
        answer = caller.generic(method, address(route, places), body, content_type=kind, headers=headers | TUS)
        transaction.set_rollback(True)
    return answer


@pytest.fixture
def closing() -> Iterator[list[HttpResponse]]:
    """Answers that stream, to be closed when the test has ended; the test's database connection stays open meanwhile."""
    found: list[HttpResponse] = []
    yield found
    request_finished.disconnect(close_old_connections)
    for answer in found:
        answer.close()
    request_finished.connect(close_old_connections)


def test_everybody_comes_where_the_table_says_and_nowhere_else(people, credentials, places, closing, monkeypatch, settings):
    monkeypatch.setattr(hints, "give", lambda *_: None)
    # It takes half a second each time, and is the same for all.
    monkeypatch.setattr(api, "get_openapi_schema", lambda **_: {})
    # Each refusal would be a traceback of the log.
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    # No broker: what would be sent through one is refused, after it is known who asks.
    settings.BROKER_URL = "memory://"
    settings.ACCOUNT_RATE_LIMITS = False
    wrong = []
    for route, row in ROWS.items():
        programs = route.startswith(("api/", "uploads/"))
        for method, expected in row.items():
            for actor, outcome in zip(ACTORS, expected, strict=True):
                if route.startswith("admin/") and actor in ("viewer", "owner", "reader"):
                    continue  # one for all that are no admins: these pages are many, and no one's own
                if actor == "reader" and not programs:
                    outcome = expected[0]  # pages know sessions alone
                answer = call(method, route, places, credentials[actor])
                closing.extend([answer] if answer.streaming else [])
                if met(answer) != outcome:
                    wrong.append(f"{method} {route}: {actor} meets “{met(answer)}” ({answer.status_code}), not “{outcome}”")
                # An admin may come everywhere but to what is somebody's own.
                if method == "GET" and actor != "admin" and is_page(answer):
                    wrong += [f"{route} leads {actor} to {way}" for way in dead_ends(answer.text, actor)]
        for method in {"GET", "POST"} - row.keys() - ({"GET"} if "HEAD" in row else set()):
            answer = call(method, route, places, credentials["admin"])
            if answer.status_code != 405:
                wrong.append(f"{method} {route} is answered {answer.status_code} and has no row")
    assert not wrong, "\n".join(wrong)


def test_owner_who_became_a_viewer_looks_at_what_is_theirs_and_steers_nothing(people, credentials, places, closing):
    User.objects.filter(pk=people["owner"].pk).update(role="viewer")
    wrong = []
    for route in [route for route in ROWS if route.startswith(("imports/", "held/", "queue/", "exports/"))]:
        for method, expected in ROWS[route].items():
            answer = call(method, route, places, credentials["owner"])
            closing.extend([answer] if answer.streaming else [])
            if met(answer) != ("in" if expected in (SIGNED_IN, OWN) else "no"):
                wrong.append(f"{method} {route} is answered {answer.status_code}")
            if method == "GET" and is_page(answer):
                # As for a viewer, but for what they may see of their own.
                ways = [way for way in dead_ends(answer.text, "viewer") if OWN not in ROWS[route_of(way)].values()]
                wrong += [f"{route} leads to {way}" for way in ways]
    assert not wrong, "\n".join(wrong)


def test_pages_of_an_empty_site_lead_a_viewer_nowhere_else(people, credentials):
    lists = [route for route, row in ROWS.items() if row.get("GET") == SIGNED_IN and "<" not in route]
    pages = {route: call("GET", route, [("", {})], credentials["viewer"]) for route in lists}
    assert {"imports/", "data/", "products/", "held/", "queue/", "exports/"} < {r for r in pages if is_page(pages[r])}
    assert {
        route: found for route in lists if is_page(pages[route]) and (found := [*dead_ends(pages[route].text, "viewer")])
    } == {}
