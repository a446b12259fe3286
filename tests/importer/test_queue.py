"""Rows through a queue, in this process: what is published, what consumers make of it, and that the numbers add up."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone
from kombu import Connection

from cards.models import CardEvent
from contacts.models import Person
from importer import consuming, control, datasets, dead_letters, results, runner, tallies
from importer.broker.choice import connected
from importer.broker.letters import BrokerAway, Letter, Taken, dead_queue, results_queue, rows_queue
from importer.broker.redis import RedisQueues
from importer.loaders.queue import QueueLoader
from importer.models import CountedTally, DeadLetter, Import, Inbox, Reject, Tally
from importer.options import Options
from importer.readers.queue_rows import BadMessage, read
from importer.states import State
from loadify.embedded import free_port
from loadify.processes import wait_until
from tests.conftest import missing

FILE = "name,email\nAda,ada@example.org\nBea,bea@example.org\nOther Ada, ADA@Example.org \nNobody,\nCy,cy@example.org\n"


def store(dataset: str = "people") -> int:
    """Consume all there is, and tell of it as consume_rows does; returns how many messages that were."""
    found = 0
    with connected() as queues:
        queues.listen([rows_queue(dataset)], 500)
        while taken := queues.take(0.3):
            tallies.send(queues, consuming.consume(queues, taken))
            found += len(taken)
    return found


def sent(submit: Any, content: str = FILE) -> Import:
    run: Import = submit(content, "people", options=Options(queue=True))
    runner.run(run.pk)
    run.refresh_from_db()
    return run


def message(run: UUID, line: int, email: str, **more: Any) -> bytes:
    row = {"v": 1, "import": str(run), "line": line, "dataset": "people", "values": {"name": "N", "email": email}}
    return json.dumps(row | more).encode()


def put(*bodies: bytes, name: str = "") -> None:
    with connected() as queues:
        queues.publish(rows_queue("people"), [Letter(body, name or uuid4().hex) for body in bodies])


def counts(run: Import) -> dict[str, int]:
    run.refresh_from_db()
    names = ("lines", "published", "created", "unchanged", "rejected")
    return {name: getattr(run, name) for name in names}


def test_an_import_through_a_queue_ends_when_consumers_have_told_of_every_line(submit, queue_broker):
    run = sent(submit)
    assert run.state == State.CONSUMING
    assert counts(run) == {"lines": 5, "published": 4, "created": 0, "unchanged": 0, "rejected": 1}
    assert store() == 4
    assert results.collect() > 0
    assert counts(run) == {"lines": 5, "published": 4, "created": 3, "unchanged": 1, "rejected": 1}
    assert run.state == State.DONE and run.finished_at is not None
    assert set(Person.objects.values_list("name", "email")) == {
        ("Ada", "ada@example.org"),
        ("Bea", "bea@example.org"),
        ("Cy", "cy@example.org"),
    }
    assert not Tally.objects.exists()


def test_messages_that_come_twice_count_once(submit, queue_broker):
    run = sent(submit)
    put(*(message(run.public_id, line, f"{name}@example.org") for line, name in ((2, "ada"), (3, "bea"), (6, "cy"))))
    assert store() == 7
    results.collect()
    assert counts(run) == {"lines": 5, "published": 4, "created": 3, "unchanged": 1, "rejected": 1}
    put(message(run.public_id, 2, "ada@example.org"))
    assert store() == 1
    results.collect()
    assert counts(run)["unchanged"] == 1
    assert Inbox.objects.filter(run=run.public_id).count() == 4


def test_a_tally_that_comes_twice_counts_once(submit, queue_broker):
    run = sent(submit)
    tally = Tally.objects.create(run=run.public_id, counts={"created": 2})
    with connected() as queues:
        tallies.send(queues, [tally.batch])
        results.collect()
        Tally.objects.create(batch=tally.batch, run=run.public_id, counts={"created": 2})
        tallies.send(queues, [tally.batch])
    results.collect()
    assert counts(run)["created"] == 2
    assert CountedTally.objects.count() == 1


def test_a_tally_that_its_consumer_did_not_send_is_sent_by_another(submit, queue_broker):
    run = sent(submit)
    Tally.objects.create(run=run.public_id, counts={"created": 4}, at=timezone.now() - tallies._FORGOTTEN * 2)
    fresh = Tally.objects.create(run=run.public_id, counts={"created": 1})
    with connected() as queues:
        tallies.send(queues, [])
    results.collect()
    assert counts(run)["created"] == 4
    assert list(Tally.objects.all()) == [fresh]
    assert run.state == State.DONE


@pytest.mark.parametrize("queue_broker", ["valkey"], indirect=True)
def test_tallies_that_come_while_rows_are_still_sent_are_not_lost(submit, queue_broker, monkeypatch):
    from importer.publishing import Publishing

    note = Publishing._note

    def consumed_meanwhile(self: Publishing, *args: Any) -> None:
        # The first batch is sent and not yet checkpointed: its rows may be stored and counted already.
        if not Inbox.objects.exists():
            Inbox.objects.create(run=self.run.public_id, line=99, outcome="c")
            tallies.count([tallies.Told(uuid4(), self.run.public_id, {"rejected": 1, "created": 2}, [], [])])
        note(self, *args)

    monkeypatch.setattr(Publishing, "_note", consumed_meanwhile)
    monkeypatch.setattr("importer.staging.CHUNK", 2)
    run = sent(submit)
    assert counts(run) == {"lines": 5, "published": 4, "created": 2, "unchanged": 0, "rejected": 2}


POISON = {
    b"\xff not json": "The message is not JSON.",
    b"[]": "The message is not a JSON object.",
    b'{"v": 2}': "The message has the version “2”; 1 is known here.",
    b"{}": "The message does not say which version of its form it has.",
    b'{"v": 1}': "The message does not say which import it is of.",
}


@pytest.mark.parametrize(("body", "reason"), POISON.items())
def test_a_message_that_is_no_row_is_read_as_such(body, reason):
    with pytest.raises(BadMessage, match=reason.replace("(", r"\(")):
        read(body)


def test_poison_goes_to_the_dead_letters_with_the_reason_and_the_rest_is_stored(submit, queue_broker):
    run = sent(submit)
    lost = Import.objects.create(dataset="people")
    put(b"\xff\x00 nonsense")
    put(message(lost.public_id, 1, "not an address"))
    put(message(lost.public_id, 2, "x@example.org", dataset="cards"))
    put(message(lost.public_id, 3, "x@example.org", values={"name": "no key"}))
    put(message(lost.public_id, 4, "good@example.org"))
    assert store() == 9
    results.collect()
    assert run.state == State.CONSUMING and counts(run)["created"] == 3
    lost.refresh_from_db()
    assert (lost.created, lost.rejected) == (1, 3)
    found = {(letter.line, letter.run_id): (bytes(letter.body), letter.reason) for letter in DeadLetter.objects.all()}
    assert found[None, None] == (b"\xff\x00 nonsense", "The message is not JSON.")
    assert found[1, lost.pk][1].startswith("Line 1: “not an address” is not an e-mail address.")
    assert found[2, lost.pk][1].startswith("A row of cards came through the queue")
    assert found[3, lost.pk][1] == "The message has no value for email."
    assert sorted(Reject.objects.filter(run=lost).values_list("line", flat=True)) == [1, 2, 3]


def test_what_the_database_refuses_is_a_dead_letter_and_its_neighbours_are_stored(submit, queue_broker, monkeypatch):
    lost = Import.objects.create(dataset="people")
    # A name that the dataset lets through, and no column can take.
    monkeypatch.setattr("importer.values.Text.many", lambda self, texts: list(texts))
    put(*(message(lost.public_id, line, f"{line}@example.org") for line in (1, 2)))
    put(message(lost.public_id, 3, "3@example.org", values={"name": "x" * 300, "email": "3@example.org"}))
    put(message(lost.public_id, 4, "4@example.org", values={"name": "nul \x00", "email": "4@example.org"}))
    assert store() == 4
    results.collect()
    lost.refresh_from_db()
    assert (lost.created, lost.rejected) == (2, 2)
    reasons = dict(DeadLetter.objects.values_list("line", "reason"))
    assert reasons[3].startswith("Line 3: The database does not take it: value too long")
    assert set(reasons) == {3, 4}


def test_a_dead_letter_that_is_replayed_counts_as_what_becomes_of_it(submit, queue_broker, admin_user, monkeypatch):
    lost = Import.objects.create(dataset="people", lines=1, state=State.CONSUMING, options={"queue": True})
    put(message(lost.public_id, 7, "odd"))
    store()
    results.collect()
    lost.refresh_from_db()
    assert (lost.rejected, lost.created, lost.state) == (1, 0, State.DONE)
    # It is not mended: it comes back, and nothing is counted twice.
    assert dead_letters.replay(DeadLetter.objects.all(), admin_user) == 1
    store()
    results.collect()
    lost.refresh_from_db()
    assert (lost.rejected, lost.created) == (1, 0)
    assert dead_letters.of(admin_user).count() == 1 and DeadLetter.objects.count() == 2
    # Mended: an address is anything now.
    monkeypatch.setattr("contacts.cleaners.Email.__call__", lambda self, text: text)
    dead_letters.replay(dead_letters.of(admin_user), admin_user)
    assert store() == 1
    results.collect()
    lost.refresh_from_db()
    assert (lost.rejected, lost.created) == (0, 1)
    assert not Reject.objects.filter(run=lost).exists()
    assert not dead_letters.of(admin_user).exists()
    assert Person.objects.get().email == "odd"


@pytest.mark.parametrize("queue_broker", ["valkey"], indirect=True)
def test_a_rejected_row_that_only_comes_twice_stays_rejected(submit, queue_broker):
    lost = uuid4()
    Inbox.objects.create(run=lost, line=1, outcome="r")
    put(message(lost, 1, "fine@example.org"))
    store()
    assert not Person.objects.exists()


@pytest.mark.parametrize("queue_broker", ["rabbitmq"], indirect=True)
def test_a_message_is_settled_only_after_its_rows_are_committed(submit, queue_broker, monkeypatch):
    run = uuid4()
    put(message(run, 1, "one@example.org"))

    def away(*_: Any) -> None:
        raise consuming.OperationalError("away")

    with monkeypatch.context() as patch, connected() as queues:
        patch.setattr(consuming, "_tell", away)
        queues.listen([rows_queue("people")], 10)
        taken = queues.take(0.1)
        with pytest.raises(consuming.OperationalError):
            consuming.consume(queues, taken)
    assert not Person.objects.exists() and not Inbox.objects.exists()
    assert store() == 1
    assert Person.objects.count() == 1


def test_what_a_consumer_took_and_did_not_settle_goes_to_another(queue_broker, transactional_db):
    put(b"1", b"2", b"3")
    with connected() as queues:
        queues.listen([rows_queue("people")], 10)
        taken = queues.take(0.5)
        assert sorted(one.body for one in taken) == [b"1", b"2", b"3"]
        queues.settle(taken[:1])
    with connected() as queues:
        queues.listen([rows_queue("people")], 10)
        found: list[Taken] = []
        for _ in range(60):
            found += queues.take(0.2)
            if len(found) == 2:
                break
        assert sorted(one.body for one in found) == sorted(one.body for one in taken[1:])


@pytest.mark.parametrize("queue_broker", ["redis", "rabbitmq"], indirect=True)
def test_any_program_with_kombu_reads_and_writes_the_rows(submit, queue_broker):
    from kombu import Queue

    run = sent(submit)
    with Connection(queue_broker) as broker, broker.SimpleQueue(Queue(rows_queue("people"), durable=True)) as queue:
        first = queue.get(timeout=5)
        assert first.payload["values"] == {"name": "Ada", "email": "ada@example.org"}
        assert (first.content_type, first.properties["delivery_mode"]) == ("application/json", 2)
        assert first.properties["message_id"] == f"{run.public_id}:2"
        first.ack()
        broker.Producer().publish(first.payload, routing_key=rows_queue("people"), serializer="json")
    assert store() == 4
    results.collect()
    assert counts(run)["created"] == 3


def test_only_datasets_that_keep_the_first_go_through_a_queue(submit, settings):
    with pytest.raises(control.Refused, match="Products cannot go through a queue"):
        submit("sku,name,description\nA,a,a\n", options=Options(queue=True))
    settings.BROKER_URL = "memory://"
    with pytest.raises(control.Refused, match="RabbitMQ or Redis"):
        submit(FILE, "people", options=Options(queue=True))


@pytest.mark.parametrize("queue_broker", ["valkey"], indirect=True)
def test_the_verbs_say_what_they_cannot_do_with_rows_that_were_sent(submit, queue_broker):
    run = sent(submit)
    with pytest.raises(control.Refused, match="nothing to pause"):
        control.pause(run, None)
    with pytest.raises(control.Refused, match="cannot be rolled back"):
        control.cancel(run, None, roll_back=True)
    control.cancel(run, None, roll_back=False)
    assert run.state == State.CANCELLED
    store()
    results.collect()
    assert counts(run)["created"] == 3 and run.state == State.CANCELLED
    with pytest.raises(control.Refused, match="cannot be undone"):
        control.undo(run, None)


@pytest.mark.parametrize("queue_broker", ["valkey"], indirect=True)
def test_an_import_goes_on_when_the_broker_is_back(submit, queue_broker, monkeypatch):

    copy, away, seen = QueueLoader.copy, iter([True, True, False]), []

    def copied(self: QueueLoader, batch: Any) -> None:
        if next(away):
            raise BrokerAway("gone")
        seen.append(Import.objects.get().error)
        copy(self, batch)

    monkeypatch.setattr(QueueLoader, "copy", copied)
    run = sent(submit)
    assert seen == ["The broker does not take the rows (gone); the import goes on by itself when it does."]
    assert (run.state, run.error, run.published) == (State.CONSUMING, "", 4)


@pytest.mark.parametrize("queue_broker", ["valkey"], indirect=True)
def test_a_file_of_which_every_line_is_rejected_is_done_at_once(submit, queue_broker):
    run = sent(submit, "name,email\nA,\nB,\n")
    assert (run.state, run.rejected, run.published) == (State.DONE, 2, 0)


@pytest.mark.parametrize("queue_broker", ["valkey"], indirect=True)
def test_messages_that_are_no_tallies_are_dropped(submit, queue_broker):
    run = sent(submit)
    with connected() as queues:
        queues.publish(results_queue(), [Letter(b"nonsense", "1"), Letter(b"{}", "2"), Letter(b'{"batch": 5}', "3")])
        queues.publish(dead_queue(rows_queue("people")), [Letter(b"\xff", "4")])
    assert results.collect() == 4
    assert counts(run)["created"] == 0
    assert DeadLetter.objects.get().reason == "It does not say why it is here."


@pytest.mark.parametrize("queue_broker", ["valkey"], indirect=True)
@pytest.mark.parametrize("name", ["pickup", "delivered"])
def test_a_dataset_with_layouts_comes_out_as_by_an_import(submit, load, queue_broker, name):
    file = (Path(__file__).parent.parent / "files" / "cards-drifted" / f"{name}.csv").read_bytes()
    fields = ("event_key", "card_id", "stage", "phone", "at", "reference", "comment")
    plain = load(file, "cards", layout=name)
    expected = set(CardEvent.objects.values_list(*fields))
    CardEvent.objects.all().delete()
    run = submit(file, "cards", layout=name, options=Options(queue=True))
    runner.run(run.pk)
    store("cards")
    results.collect()
    run.refresh_from_db()
    assert (run.state, run.error) == (State.DONE, "")
    assert set(CardEvent.objects.values_list(*fields)) == expected and expected
    assert (run.created, run.rejected) == (plain.created, plain.rejected)


@pytest.fixture(params=["valkey", "redis"])
def own_redis(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> Iterator[str]:
    """A Valkey or a Redis whose memory nobody else needs."""
    if request.param == "valkey":
        yield settings.BROKER_URL
        return
    server, port = shutil.which("redis-server"), free_port()
    if server is None:
        missing("redis", "There is no redis-server here; on Debian: apt install redis-server.")
    url = f"redis://127.0.0.1:{port}/0"
    with (tmp_path / "redis.log").open("wb") as log:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        process = subprocess.Popen([str(server), *options], cwd=tmp_path, stdout=log, stderr=log)
    try:
        assert wait_until(lambda: b"eady to accept" in (tmp_path / "redis.log").read_bytes(), 30)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def test_a_redis_without_memory_takes_no_rows_and_still_gives_out_what_it_has(own_redis, settings):
    settings.BROKER_URL, settings.LOADIFY_QUEUE_RETURN = own_redis, 2
    settings.LOADIFY_QUEUE_PREFIX = f"test{uuid4().hex}."
    put(b"1", b"2", b"3")
    with connected() as queues:
        queues.listen([rows_queue("people")], 1)
        assert len(queues.take(1)) == 1
    time.sleep(settings.LOADIFY_QUEUE_RETURN + 1)
    with Connection(own_redis) as broker:
        client: Any = broker.channel().client
        client.script_flush()
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(BrokerAway, match="memory"):
                put(b"4")
            with connected() as queues:
                queues.listen([rows_queue("people")], 3)
                taken = queues.take(1)
                assert sorted(one.body for one in taken) == [b"1", b"2", b"3"]
                queues.settle(taken)
            assert not client.keys(f"{settings.LOADIFY_QUEUE_PREFIX}*")
        finally:
            client.config_set("maxmemory", 0)


def delete_queue(url: str, queue: str) -> None:
    with Connection(url) as broker:
        channel: Any = broker.channel()
        if url.startswith("amqp"):
            channel.queue_delete(queue)
        else:
            channel.client.delete(queue)


def test_rows_that_are_sent_after_somebody_deleted_the_queue_are_not_lost(queue_broker):
    queue = rows_queue("people")
    loader = QueueLoader(datasets.get("people"), uuid4(), ["name"], lambda: None)
    loader.copy([Letter(b"before", "1")])
    delete_queue(queue_broker, queue)
    # Whoever sends hears of it, and sends again.
    with suppress(BrokerAway):
        loader.copy([Letter(b"after", "2")])
    loader.copy([Letter(b"after", "2")])
    loader.close()
    with connected() as queues:
        queues.listen([queue], 10)
        assert b"after" in {one.body for one in queues.take(1)}


def test_a_consumer_outlives_the_queue_that_somebody_deletes(queue_broker):
    queue = rows_queue("people")
    with connected() as queues:
        queues.listen([queue], 10)
        assert queues.take(0.1) == []
        put(b"taken")
        taken = queues.take(1)
        assert len(taken) == 1
        delete_queue(queue_broker, queue)
        with suppress(BrokerAway):
            queues.settle(taken)
            put(b"after")
            assert [one.body for one in queues.take(1)] == [b"after"]
            return
    with connected() as queues:
        put(b"after")
        queues.listen([queue], 10)
        assert b"after" in {one.body for one in queues.take(1)}


def read_only(cursor: Any) -> None:
    cursor.execute("SET default_transaction_read_only = on")


def without_a_column(cursor: Any) -> None:
    cursor.execute("ALTER TABLE contacts_person RENAME COLUMN name TO other_name")


def without_the_inbox(cursor: Any) -> None:
    cursor.execute("ALTER TABLE importer_inbox RENAME TO importer_other")


REPAIRS = (
    "SET default_transaction_read_only = off",
    "ALTER TABLE IF EXISTS importer_other RENAME TO importer_inbox",
    "DO $$BEGIN ALTER TABLE contacts_person RENAME COLUMN other_name TO name; EXCEPTION WHEN others THEN NULL; END$$",
)


@pytest.mark.parametrize("queue_broker", ["valkey"], indirect=True)
@pytest.mark.parametrize("harm", [read_only, without_a_column, without_the_inbox])
def test_a_database_that_takes_no_rows_at_all_makes_no_dead_letters(submit, queue_broker, harm, settings):
    run = sent(submit)
    with connection.cursor() as cursor:
        harm(cursor)
    try:
        with connected() as queues:
            queues.listen([rows_queue("people")], 500)
            taken = queues.take(0.3)
            with pytest.raises(DatabaseError):
                consuming.consume(queues, taken)
    finally:
        with connection.cursor() as cursor:
            for repair in REPAIRS:
                cursor.execute(repair)
    time.sleep(settings.LOADIFY_QUEUE_RETURN + 1)
    assert store() == 4
    results.collect()
    assert counts(run)["created"] == 3 and not DeadLetter.objects.exists()


@pytest.mark.parametrize("queue_broker", ["valkey"], indirect=True)
def test_a_letter_that_is_replayed_from_two_windows_at_once_is_sent_once(submit, queue_broker, admin_user, monkeypatch):
    put(b"odd", b"odder")
    store()
    results.collect()
    publish, second = RedisQueues.publish, []

    def slowly(self: RedisQueues, queue: str, letters: Any, *more: Any) -> None:
        if not second:
            with ThreadPoolExecutor(1) as other:
                second.append(0)
                second[0] = other.submit(replay_all).result()
        publish(self, queue, letters, *more)

    def replay_all() -> int:
        try:
            return dead_letters.replay(dead_letters.of(admin_user), admin_user)
        finally:
            connection.close()

    monkeypatch.setattr(RedisQueues, "publish", slowly)
    assert (replay_all(), second) == (2, [0])
    monkeypatch.undo()
    assert store() == 2
