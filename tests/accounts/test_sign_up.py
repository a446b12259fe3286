"""The way to an account of one's own: shown where the site allows it; where mail is sent, nobody learns who has an account."""

import re

import pytest
from django.core import mail
from django.http import HttpResponse
from django.test import Client

from accounts.models import User
from tests.accounts.conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def confirms(settings) -> None:
    """A site that lets anybody make an account and sends mail, as loadify/settings.py sets it up."""
    settings.LOADIFY_SIGN_UP, settings.ACCOUNT_EMAIL_VERIFICATION = True, "mandatory"


def sign_up(email: str) -> HttpResponse:
    new = {"email": email, "password1": PASSWORD, "password2": PASSWORD}
    return Client().post("/accounts/signup/", new, follow=True)


def sign_in(client: Client, email: str) -> str:
    """Where it leads."""
    return client.post("/accounts/login/", {"login": email, "password": PASSWORD})["Location"]


def test_signing_up_is_offered_only_where_it_is_open(client: Client, settings) -> None:
    assert "Make an account" not in client.get("/accounts/login/").text
    settings.LOADIFY_SIGN_UP = True
    assert "Make an account" in client.get("/accounts/login/").text


def test_page_says_the_same_of_a_new_address_and_of_one_that_is_taken(eva: User, confirms: None) -> None:
    new, taken = sign_up("new@example.com"), sign_up("EVA@example.com")
    assert "Look into your mail" in new.text
    own = re.compile(r'"X-CSRFToken": "\w+"|(new|eva)@')
    assert own.sub("", new.text) == own.sub("", taken.text)
    assert [message.to for message in mail.outbox] == [["new@example.com"], ["eva@example.com"]]
    assert "You have one already" in mail.outbox[1].body
    assert all(" at http://testserver." in message.body for message in mail.outbox)
    assert [message.subject for message in mail.outbox] == ["Your e-mail address at Loadify", "Your account at Loadify"]
    assert User.objects.count() == 2


def test_who_signed_up_comes_in_once_the_address_is_confirmed(confirms: None) -> None:
    sign_up("new@example.com")
    client = Client()
    assert sign_in(client, "new@example.com") == "/accounts/confirm-email/"
    [link] = re.findall(r"/accounts/confirm-email/[^/\s]+/", mail.outbox[0].body)
    assert "new@example.com" in client.get(link).text
    client.post(link)
    assert sign_in(Client(), "new@example.com") == "/"


def test_link_that_is_no_good_is_answered_with_a_sentence(client: Client, confirms: None) -> None:
    assert "used up, too old" in client.get("/accounts/confirm-email/nothing/").text


def test_whom_an_admin_let_in_confirms_nothing(eva: User, confirms: None) -> None:
    assert sign_in(Client(), "eva@example.com") == "/"
    assert sign_in(Client(), "eva@example.com") == "/"
    assert mail.outbox == []
