"""/admin/: who comes in, that nothing can be changed there, and that no secret is shown."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import tokens
from accounts.models import AuditEntry, Right, Role, User
from importer.models import Change
from pages.admin import ReadOnlyAdmin
from products.models import Product
from webhooks.models import Endpoint

OURS = ("accounts", "api", "cards", "contacts", "importer", "products", "students", "webhooks")


@pytest.fixture
def chief(db):
    return User.objects.create_user("chief@example.com", "a-pass-word-1", role=Role.ADMIN)


@pytest.fixture
def signed_in(client, chief):
    client.force_login(chief)
    return client


def test_admin_shows_every_model_of_ours_and_none_of_a_library():
    ours = {model for app in OURS for model in apps.get_app_config(app).get_models() if model is not None}
    assert set(admin.site._registry) == ours
    assert all(isinstance(shown, ReadOnlyAdmin) for shown in admin.site._registry.values())


def test_admin_leads_to_the_sign_in_of_the_site_and_refuses_other_roles(client, chief):
    assert client.get("/admin/products/product/")["Location"] == "/accounts/login/?next=/admin/products/product/"
    client.force_login(User.objects.create_user("ed@example.com", role=Role.EDITOR))
    for path in ("/admin/", "/admin/login/", "/admin/accounts/user/", "/admin/password_change/", "/admin/no/such/page/"):
        answer = client.get(path)
        assert (answer.status_code, "only an admin may do this" in answer.content.decode()) == (403, True), path
    client.force_login(chief)
    assert client.get("/admin/login/", follow=True).redirect_chain == [("/admin/", 302)]
    assert client.get("/admin/").status_code == 200


def test_every_list_of_the_admin_opens_and_can_be_searched(signed_in):
    for model, shown in admin.site._registry.items():
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for query in ("", *(("?q=x", "?q=7") if shown.search_fields else ())):
            assert signed_in.get(address + query).status_code == 200, address + query


def test_nothing_can_be_changed_in_the_admin(signed_in, chief):
    product = Product.objects.create(sku="A", name="One")
    for path in ("products/product", "accounts/user"):
        pk = product.pk if path.startswith("products") else chief.pk
        assert signed_in.get(f"/admin/{path}/{pk}/change/").status_code == 200
        for tried in ("add/", f"{pk}/change/", f"{pk}/delete/"):
            assert signed_in.post(f"/admin/{path}/{tried}", {"name": "Two", "post": "yes"}).status_code == 403
        signed_in.post(f"/admin/{path}/", {"action": "delete_selected", "_selected_action": [pk], "post": "yes"})
    product.refresh_from_db()
    assert (product.name, User.objects.filter(pk=chief.pk).exists()) == ("One", True)
    for path, place in (("password_change", "/accounts/password/change/"), ("logout", "/accounts/logout/")):
        assert signed_in.post(f"/admin/{path}/")["Location"] == place


def test_admin_shows_no_secret(signed_in, chief):
    token, key = tokens.make(chief, "robot", {Right.READ})
    endpoint = Endpoint.objects.create(url="https://example.com/x?key=hunter2", secret="sealed-now", old_secret="sealed-before")
    pages = [
        signed_in.get(f"/admin/{path}").content.decode()
        for path in (
            "accounts/token/",
            f"accounts/token/{token.pk}/change/",
            "accounts/user/",
            f"accounts/user/{chief.pk}/change/",
            "webhooks/endpoint/",
            f"webhooks/endpoint/{endpoint.pk}/change/",
        )
    ]
    for secret in (key, token.digest, chief.password, "argon2", "sealed-now", "sealed-before", "hunter2"):
        assert not [page for page in pages if secret in page], secret
    assert token.prefix in pages[0] and "chief@example.com" in pages[3] and "example.com/x" in pages[5]


def test_list_of_the_admin_counts_no_further_than_it_pages(signed_in, monkeypatch):
    monkeypatch.setattr("pages.admin.MOST", 3)
    AuditEntry.objects.bulk_create([AuditEntry(kind="signed_in") for _ in range(5)])
    with CaptureQueriesContext(
        connection,
    ) as asked:
        page = signed_in.get("/admin/accounts/auditentry/").content.decode()
    assert "3 audit entries" in page
    counts = [query["sql"] for query in asked if "COUNT(*)" in query["sql"] and "auditentry" in query["sql"]]
    assert len(counts) == 1 and "LIMIT 3" in counts[0]


def test_changes_in_the_admin_are_what_people_did_or_one_imports(signed_in, chief):
    with CaptureQueriesContext(connection) as asked:
        signed_in.get("/admin/importer/change/")
        signed_in.get("/admin/importer/change/?run__id__exact=7")
    read = [query["sql"] for query in asked if 'FROM "importer_change"' in query["sql"]]
    assert len(read) >= 2
    assert all('"run_id" IS NULL' in sql or '"run_id" = 7' in sql for sql in read)
    assert Change.objects.count() == 0
