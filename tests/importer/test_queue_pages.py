"""The pages of rows through a queue: the button, the import on its way, and dead letters; and the two commands."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from accounts.models import User
from importer import results
from importer.broker.letters import BrokerAway
from importer.intake import uploads
from importer.models import DeadLetter, Import
from importer.states import State

PEOPLE = Path(__file__).parent.parent / "files" / "people-no-header.csv"
FILE = b"name,email\nAda,ada@example.org\nBea,bea@example.org\n"


@pytest.fixture
def person(django_user_model: type[User]) -> User:
    return django_user_model.objects.create_user("one@example.com", "quite-long-enough-42", role="editor")


@pytest.fixture
def other(django_user_model: type[User]) -> User:
    return django_user_model.objects.create_user("two@example.com", "quite-long-enough-42", role="editor")


def letter(owner: User | None, number: int = 1) -> DeadLetter:
    run = Import.objects.create(dataset="people", owner=owner)
    body = b'{"secret": "%d"}' % number
    return DeadLetter.objects.create(
        message_id=f"m{number}", dataset="people", body=body, reason=f"Reason {number}.", run=run, line=number
    )


@pytest.mark.parametrize("queue_broker", ["valkey"], indirect=True)
def test_the_button_sends_the_file_through_the_queue(client, person, submit, queue_broker):
    client.force_login(person)
    file = uploads.keep(person, "people.csv", io.BytesIO(FILE))
    address = f"{reverse('import-prepare', args=[file.public_id])}?dataset=people"
    page = client.get(address)
    assert b"Send through the queue" in page.content
    chosen = {name: page.context["form"][name].value() or "" for name in page.context["form"].fields}
    chosen |= {name: page.context["reading"][name].value() for name in page.context["reading"].fields}
    answer = client.post(address, chosen | {"columns": page.context["columns"], "queue": "1"})
    run = Import.objects.get()
    assert answer.status_code == 302 and run.by_queue
    Import.objects.update(state=State.CONSUMING, lines=2, published=2, created=1)
    shown = client.get(reverse("import", args=[run.public_id])).content.decode()
    assert "Being stored" in shown and "Every row is sent." in shown and "on their way" in shown
    assert "Pause" not in shown and "Cancel…" in shown
    assert "Consumers store them all the same" in client.get(reverse("import-cancel", args=[run.public_id])).content.decode()


def test_products_have_no_such_button(client, person, submit):
    client.force_login(person)
    file = uploads.keep(person, "p.csv", io.BytesIO(b"sku,name,description\nA,a,a\n"))
    page = client.get(f"{reverse('import-prepare', args=[file.public_id])}?dataset=products")
    assert b"Start the import" in page.content and b"Send through the queue" not in page.content


def test_dead_letters_are_shown_to_the_owner_and_staff_alone(client, person, other, admin_user):
    letter(person), letter(other, 2), letter(None, 3)
    for who, reasons in ((person, {"Reason 1."}), (other, {"Reason 2."}), (admin_user, {f"Reason {n}." for n in (1, 2, 3)})):
        client.force_login(who)
        page = client.get(reverse("dead-letters"))
        assert {row.reason for row, _ in page.context["rows"]} == reasons
    assert b"secret" in page.content


def test_without_dead_letters_the_page_says_so(client, person):
    client.force_login(person)
    assert b"No message waits." in client.get(reverse("dead-letters")).content


def test_only_who_may_see_a_letter_discards_or_replays_it(client, person, other):
    mine = letter(person)
    client.force_login(other)
    for name in ("dead-letter-discard", "dead-letter-replay"):
        assert client.post(reverse(name, args=[mine.pk])).status_code == 404
    client.force_login(person)
    assert client.get(reverse("dead-letter-discard", args=[mine.pk])).status_code == 405
    assert client.post(reverse("dead-letter-discard", args=[mine.pk])).status_code == 302
    mine.refresh_from_db()
    assert mine.discarded_at is not None and mine.decided_by == person
    assert client.get(reverse("dead-letters")).context["rows"] == []


@pytest.mark.parametrize("queue_broker", ["valkey"], indirect=True)
def test_replaying_sends_the_letters_one_may_see(client, person, other, queue_broker, transactional_db):
    letter(person), letter(other, 2)
    client.force_login(person)
    assert client.post(reverse("dead-letters-replay")).status_code == 302
    assert list(DeadLetter.objects.filter(replayed_at=None).values_list("reason", flat=True)) == ["Reason 2."]


@pytest.mark.parametrize("queue_broker", ["valkey"], indirect=True)
def test_a_letter_stays_on_the_list_while_the_broker_is_away(client, person, queue_broker, transactional_db, monkeypatch):
    def away() -> None:
        raise BrokerAway("nobody there")

    mine = letter(person)
    monkeypatch.setattr("importer.broker.choice.connect", away)
    client.force_login(person)
    page = client.post(reverse("dead-letter-replay", args=[mine.pk]), follow=True)
    assert "Nothing was sent: nobody there" in page.content.decode()
    assert [row for row, _ in page.context["rows"]] == [mine]


def told(command: str, *arguments: str, **more: Any) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out, stderr=out, **more)
    return out.getvalue()


@pytest.mark.parametrize("queue_broker", ["valkey"], indirect=True)
def test_the_commands_send_and_store_a_file_without_a_heading(queue_broker, submit, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)
    sent = told("publish_rows", "people", str(PEOPLE))
    assert "looks like data, so its cells are taken for name, email" in sent
    assert "Being stored: 11,273 lines; 11,273 sent" in sent and "11,273 on their way" in sent
    assert told("consume_rows", "people", until_empty=True) == "11,273 messages taken.\n"
    while results.collect():
        pass
    run = Import.objects.get()
    assert (run.state, run.created, run.unchanged, run.rejected) == (State.DONE, 11_000, 273, 0)


def test_the_commands_refuse_with_a_sentence(submit, settings, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(CommandError, match="Products cannot go through a queue"):
        told("publish_rows", "products", str(PEOPLE))
    with pytest.raises(CommandError, match="There is no dataset called “nothing”"):
        told("publish_rows", "nothing", str(PEOPLE))
    with pytest.raises(CommandError, match="“products” is none; rows of these come through queues: cards, people"):
        told("consume_rows", "products")
    with pytest.raises(CommandError, match="Name one, or say --all"):
        told("consume_rows")
    settings.BROKER_URL = "memory://"
    with pytest.raises(CommandError, match="RabbitMQ or Redis"):
        told("consume_rows", "people")


@pytest.mark.parametrize(
    "address",
    [
        "redis://:hid/den@127.0.0.1:6379/0",
        "redis://:hid#den@127.0.0.1:6379/0",
        "redis://:hidden@127.0.0.1:6379/zero",
        "redis://:hidden@[::1/0",
        "redis://:hidden@127.0.0.1:6379/0?hidden=1",
        "amqp://guest:hidden@127.0.0.1:port//",
    ],
)
def test_an_address_that_is_none_is_said_without_its_password(address, submit, settings, client, admin_user, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)
    settings.BROKER_URL = address
    with pytest.raises(CommandError, match="BROKER_URL is no address of a broker") as refused:
        told("consume_rows", "people")
    assert "hid" not in str(refused.value)
    with pytest.raises(SystemExit):
        told("publish_rows", "people", str(PEOPLE))
    run = Import.objects.get()
    assert run.state == State.FAILED and run.error.startswith("BROKER_URL is no address") and "hid" not in run.error
    waiting = letter(admin_user)
    client.force_login(admin_user)
    page = client.post(reverse("dead-letter-replay", args=[waiting.pk]), follow=True).content.decode()
    assert "Nothing was sent: BROKER_URL is no address" in page and "hid/" not in page
    results.look()


def test_what_is_no_broker_is_not_quoted_with_its_password(submit, settings, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)
    settings.BROKER_URL = "guest:hidden@127.0.0.1"
    with pytest.raises(CommandError, match="Rows go through RabbitMQ or Redis") as refused:
        told("consume_rows", "people")
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("queue_broker", ["valkey", "rabbitmq"], indirect=True)
@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"batch": 0}, "--batch must be between 1 and 10,000 rows"),
        ({"batch": 40_000}, "--batch must be between 1 and 10,000 rows"),
        ({"wait": -1.0}, "--wait must be between 0 and 30 seconds"),
        ({"wait": float("nan")}, "--wait must be between 0 and 30 seconds"),
    ],
)
def test_consumers_say_which_batches_they_cannot_take(queue_broker, more, sentence, transactional_db, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(CommandError, match=sentence):
        told("consume_rows", "people", until_empty=True, **more)
