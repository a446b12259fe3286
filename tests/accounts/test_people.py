"""People: added by an admin, given a role, kept out; and the log that tells of it."""

import re

import pytest
from django.core import mail
from django.test import Client

from accounts import people
from accounts.models import AuditEntry, Role, User
from accounts.tasks import forget_entries
from tests.accounts.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def log() -> list[tuple[str, str, str]]:
    found = AuditEntry.objects.exclude(kind="signed_in").order_by("id")
    return list(found.values_list("kind", "email", "detail"))


def test_person_is_added_and_chooses_a_password_by_the_link(admin: Client) -> None:
    page = admin.post("/people/new/", {"email": "New@Example.com", "name": "Nora", "role": "editor"})
    link = re.search(r'id="secret"[^>]*>\s*http://[^/]*([^<\s]*)', page.text)
    assert link and "sends no e-mail" in page.text and page["Cache-Control"].startswith("max-age=0")
    nora = User.objects.get(email="new@example.com")
    assert (nora.role, nora.has_usable_password(), nora.is_staff) == (Role.EDITOR, False, False)
    client = Client()
    form = client.get(link[1], follow=True)
    where = form.redirect_chain[-1][0]
    done = client.post(where, {"password1": PASSWORD, "password2": PASSWORD}, follow=True)
    assert 'href="/accounts/login/"' in done.text and "Password saved" in done.text
    assert Client().post("/accounts/login/", {"login": "new@example.com", "password": PASSWORD})["Location"] == "/"
    assert "does not work any more" in client.get(link[1], follow=True).text
    assert log()[0] == ("person_added", "boss@example.com", "new@example.com as editor")
    nora.refresh_from_db()
    assert nora.password.startswith("argon2")


def test_link_is_mailed_where_the_site_sends_mail(admin: Client, settings) -> None:
    settings.EMAIL_HOST = "mail"
    assert "sent by e-mail" in admin.post("/people/new/", {"email": "n@example.com", "role": "viewer"}).text
    assert [message.to for message in mail.outbox] == [["n@example.com"]]


def test_address_that_is_taken_is_said(admin: Client, eva: User) -> None:
    page = admin.post("/people/new/", {"email": "EVA@example.com", "role": "viewer"})
    assert page.status_code == 422 and "is here already" in page.text


def test_role_is_changed_and_written_down(admin: Client, eva: User) -> None:
    assert "eva@example.com is an admin now." in admin.post(f"/people/{eva.pk}/", {"role": "admin"}, follow=True).text
    eva.refresh_from_db()
    assert (eva.role, eva.is_staff, eva.is_superuser) == (Role.ADMIN, True, True)
    assert log() == [("role_changed", "boss@example.com", "eva@example.com from editor to admin")]


def test_person_who_is_kept_out_is_out_at_once(admin: Client, eva: User) -> None:
    theirs = Client()
    theirs.force_login(eva)
    assert theirs.get("/imports/").status_code == 200
    admin.post(f"/people/{eva.pk}/", {"on": "0"})
    assert theirs.get("/imports/").status_code == 302
    assert "/accounts/inactive/" in Client().post("/accounts/login/", {"login": eva.email, "password": PASSWORD})["Location"]
    admin.post(f"/people/{eva.pk}/", {"on": "1"})
    assert theirs.get("/imports/").status_code == 200


def test_nobody_changes_themselves_and_the_site_keeps_an_admin(admin: Client, boss: User, eva: User) -> None:
    assert "another admin" in admin.post(f"/people/{boss.pk}/", {"role": "viewer"}, follow=True).text
    assert "another admin" in admin.post(f"/people/{boss.pk}/", {"on": "0"}, follow=True).text
    with pytest.raises(people.PeopleProblem, match="no admin any more"):
        people.change_role(boss.pk, Role.VIEWER, eva)
    boss.refresh_from_db()
    assert boss.role == Role.ADMIN


def test_list_is_searched_and_says_when_nobody_fits(admin: Client, eva: User) -> None:
    assert "eva@example.com" in admin.get("/people/").text
    assert admin.get("/people/?q=eva").text.count("has never signed in") == 1
    assert "Nobody found" in admin.get("/people/?q=nobody").text


def test_log_is_narrowed_down(admin: Client, eva: User) -> None:
    admin.post(f"/people/{eva.pk}/", {"role": "admin"})
    Client().post("/accounts/login/", {"login": "who@example.com", "password": "x"})
    everything = admin.get("/audit/").text
    assert "from editor to admin" in everything and "who@example.com" in everything
    assert "from editor" not in admin.get("/audit/?kind=sign_in_failed").text
    assert "from editor" not in admin.get("/audit/?who=WHO@example.com").text
    assert "Nothing of that kind" in admin.get("/audit/?day=2001-01-01").text
    assert admin.get("/audit/?day=nonsense").status_code == 200


def test_entries_go_when_their_days_are_over(eva: User, settings) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from accounts import audit

    audit.record(audit.Kind.SIGNED_IN, eva)
    AuditEntry.objects.update(at=timezone.now() - timedelta(days=366))
    settings.LOADIFY_AUDIT_DAYS = 0
    assert forget_entries() == 0
    settings.LOADIFY_AUDIT_DAYS = 365
    assert forget_entries() == 1
