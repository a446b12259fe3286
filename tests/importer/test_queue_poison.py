"""Messages that nobody could foresee: each is a dead letter, or dropped, and stops neither consumers nor the site."""

import base64
import json
from datetime import datetime
from typing import Any
from uuid import uuid4

import amqp
import pytest
from kombu import Connection

from contacts.models import Person
from importer import consuming, results, tallies
from importer.broker.choice import connected
from importer.broker.letters import Letter, dead_queue, results_queue, rows_queue
from importer.models import DeadLetter, Import, Reject
from importer.states import State
from tests.importer.test_queue import message, put, store

HUGE = 10**400
RUN = uuid4()


def bodies() -> dict[str, bytes]:
    row = {"v": 1, "import": str(RUN), "line": 1, "dataset": "people", "values": {"name": "N", "email": "e"}}
    odd: dict[str, Any] = {
        "null": None,
        "list": [row],
        "text": "row",
        "number": 5,
        "version": row | {"v": [[]]},
        "huge version": row | {"v": HUGE},
        "import is a list": row | {"import": [1]},
        "import has NUL": row | {"import": "\0"},
        "huge line": row | {"line": HUGE},
        "line 2": row | {"line": 2**63 - 1},
        "dataset is a list": row | {"dataset": []},
        "dataset NUL": row | {"line": 3, "dataset": "\0\ud800"},
        "dataset long": row | {"line": 4, "dataset": "x" * 100_000},
        "values null": row | {"line": 5, "values": None},
        "values deep": row | {"line": 6, "values": {"name": "N", "email": [[[[]]]]}},
        "values numbers": row | {"line": 7, "values": {"name": 1, "email": 2}},
        "NUL in a name": row | {"line": 8, "values": {"na\0me": "\0", "name": "N", "email": "bad"}},
        "half a surrogate in a name": row | {"line": 9, "values": {"\ud800": "\udc00", "name": "N", "email": "bad"}},
        "NUL": row | {"line": 10, "values": {"name": "N\0", "email": "nul@example.org"}},
        "half a surrogate": row | {"line": 11, "values": {"name": "N\ud800", "email": "half@example.org"}},
        "long": row | {"line": 12, "values": {"name": "N" * 1_000_000, "email": "long@example.org"}},
        "long address": row | {"line": 13, "values": {"name": "N", "email": "x" * 1_000_000}},
        "no values": row | {"line": 14, "values": {}},
    }
    found = {name: json.dumps(value).encode() for name, value in odd.items()}
    found |= {f"deep {depth}": b'{"v": ' + b"[" * depth + b"]" * depth + b"}" for depth in (300, 900, 950, 990, 100_000)}
    found |= {"digits": b'{"v": ' + b"9" * 5_000 + b"}", "digits in the line": b'{"v": 1, "line": ' + b"9" * 5_000 + b"}"}
    return found | {"empty": b"", "NaN": b"NaN", "utf-16": "\ud83d[".encode("utf-16", "surrogatepass"), "zeros": b"\0\0\0\0"}


def test_no_body_stops_a_consumer(submit, queue_broker):
    Import.objects.create(dataset="people", public_id=RUN)
    odd = bodies()
    for body in odd.values():
        put(body)
        put(message(uuid4(), 1, f"{uuid4().hex}@example.org"))
    while store():
        pass
    while results.collect():
        pass
    assert Person.objects.count() == len(odd)
    assert {bytes(letter.body) for letter in DeadLetter.objects.all()} == set(odd.values())


class Milliseconds(datetime):
    """A moment as programs write it that take AMQP's seconds for milliseconds."""

    def utctimetuple(self) -> Any:
        return 1970, 1, 1, 0, 0, 1_700_000_000_000


@pytest.mark.parametrize("queue_broker", ["rabbitmq"], indirect=True)
def test_what_a_message_of_rabbitmq_says_of_itself_stops_no_consumer(submit, queue_broker):
    odd: list[dict[str, Any]] = [
        {"content_type": "application/x-python-serialize", "content_encoding": "binary"},
        {"content_encoding": "unicode_escape", "body": b"\\ud800 and more"},
        {"content_encoding": "nothing-known"},
        {"content_encoding": "zlib", "application_headers": {"compression": "application/x-nothing"}},
        {"application_headers": {"replay": [1, {"a": None}], "reason": {"a": 1}, "import": 5, "line": [], "x-death": [{}]}},
        {"application_headers": {"reason": b"\xff"}},
        {"timestamp": 1_700_000_000_000},
        {"message_id": "\0\ud800"},
        {"message_id": "é" * 120},
        {"message_id": "€" * 80},
        {"content_type": "\ud800"},
        {"app_id": b"caf\xe9", "message_id": b"\xff"},
        {"application_headers": {"at": Milliseconds.now()}},
        {"message_id": ""},
    ]
    with Connection(queue_broker) as broker:
        channel: Any = broker.channel()
        channel.queue_declare(rows_queue("people"), durable=True, auto_delete=False)
        for number, properties in enumerate(odd):
            body = properties.pop("body", b"%d odd" % number)
            channel.basic_publish(amqp.Message(body, **properties), routing_key=rows_queue("people"))
            channel.basic_publish(amqp.Message(body, **properties), routing_key=dead_queue(rows_queue("people")))
            channel.basic_publish(amqp.Message(body, **properties), routing_key=results_queue())
    put(message(uuid4(), 1, "good@example.org"))
    assert store() == len(odd) + 1
    while results.collect():
        pass
    assert Person.objects.get().email == "good@example.org"
    assert len({bytes(letter.body) for letter in DeadLetter.objects.all()}) == len(odd)


@pytest.mark.parametrize("queue_broker", ["valkey", "redis"], indirect=True)
def test_what_lies_in_a_list_of_redis_stops_no_consumer(submit, queue_broker):
    good = {"body": base64.b64encode(b"odd").decode(), "headers": {}, "properties": {"body_encoding": "base64"}}

    def with_properties(**more: Any) -> bytes:
        return json.dumps(good | {"properties": {"body_encoding": "base64"} | more}).encode()

    odd = [
        b"",
        b"\xff\0",
        b"null",
        b"[]",
        b"[" * 100_000,
        b'{"body": ' + b"[" * 100_000,
        b"9" * 5_000,
        json.dumps(good | {"body": None}).encode(),
        json.dumps(good | {"body": "no base64!"}).encode(),
        json.dumps({"body": "\ud800", "properties": {}}).encode(),
        json.dumps({"body": [1], "properties": {"body_encoding": None}}).encode(),
        with_properties(body_encoding="nothing-known"),
        with_properties(body_encoding=[]),
        with_properties(message_id="\ud800" * 90),
        with_properties(message_id="\0"),
        with_properties(message_id={"a": 10**300}),
        with_properties(message_id="€" * 80),
        json.dumps(good | {"headers": [1]}).encode(),
        json.dumps(good | {"headers": {"replay": [1], "reason": "\0\ud800", "import": {}, "line": HUGE}}).encode(),
        json.dumps(good | {"headers": {"reason": 5, "import": "\0", "line": "٣"}}).encode(),
    ]
    with Connection(queue_broker) as broker:
        client: Any = broker.channel().client
        for queue in (rows_queue("people"), dead_queue(rows_queue("people")), results_queue()):
            client.lpush(queue, *odd)
    put(message(uuid4(), 1, "good@example.org"))
    assert store() == len(odd) + 1
    while results.collect():
        pass
    assert Person.objects.get().email == "good@example.org"
    assert DeadLetter.objects.exists()


RESULT = {"v": 1, "batch": "BATCH", "import": str(RUN), "counts": {"created": 1}, "rejects": [], "mended": []}
ODD_RESULTS: list[Any] = [
    None,
    [],
    RESULT | {"counts": None},
    RESULT | {"counts": {"created": HUGE}},
    RESULT | {"counts": {"created": 2**62}},
    RESULT | {"counts": {"created": float("inf")}},
    RESULT | {"counts": {"created": -5}},
    RESULT | {"counts": {"created": [1]}},
    RESULT | {"rejects": [[HUGE, {}, "reason"]]},
    RESULT | {"rejects": [[0, {}, "reason"]]},
    RESULT | {"rejects": [[1, {"name": "\0"}, "NUL \0 and \ud800"]]},
    RESULT | {"rejects": [[1, {"name": {"deep": [1]}}, ["reason"]]]},
    RESULT | {"rejects": {"1": 2}},
    RESULT | {"rejects": [[1, [1], "reason"]]},
    RESULT | {"mended": [HUGE]},
    RESULT | {"mended": "abc"},
    RESULT | {"batch": HUGE},
    RESULT | {"import": "\0"},
]


def test_no_result_stops_the_reader_or_counts_anything(submit, queue_broker):
    good = Import.objects.create(dataset="people", lines=9, checkpoint={"places": {"name": 0}, "width": 1})
    Import.objects.create(dataset="people", public_id=RUN, lines=9, state=State.CONSUMING, checkpoint=good.checkpoint)
    bodies = [json.dumps(one).encode() for one in ODD_RESULTS]
    bodies += [b"[" * 100_000, b'{"counts": ' + b"9" * 5_000 + b"}", b"", b"\xff"]
    fair = [RESULT | {"batch": str(uuid4()), "import": str(good.public_id), "counts": {"created": 2}} for _ in range(3)]
    with connected() as queues:
        for body in bodies:
            queues.publish(results_queue(), [Letter(body.replace(b"BATCH", uuid4().hex.encode()), uuid4().hex)])
        queues.publish(results_queue(), [Letter(json.dumps(one).encode(), uuid4().hex) for one in fair])
    while results.collect():
        pass
    good.refresh_from_db()
    assert good.created == 6
    assert all("\0" not in reject.reason for reject in Reject.objects.all())


def test_messages_of_one_id_are_different_letters_unless_they_say_the_same(submit, queue_broker):
    put(b"one", b"two", b"one", name="1")
    assert store() == 3
    results.collect()
    assert sorted(bytes(letter.body) for letter in DeadLetter.objects.all()) == [b"one", b"two"]


@pytest.mark.parametrize("queue_broker", ["valkey"], indirect=True)
def test_large_values_that_are_rejected_make_no_tally_that_a_broker_refuses(submit, queue_broker):
    run = Import.objects.create(dataset="people", lines=9, checkpoint={"places": {"name": 0, "email": 1}, "width": 2})
    put(*(message(run.public_id, line, "x" * 1_000_000, **{str(n): "x" for n in range(9)}) for line in (1, 2, 3)))
    with connected() as queues:
        queues.listen([rows_queue("people"), results_queue()], 500)
        tallies.send(queues, consuming.consume(queues, queues.take(1)))
        told = queues.take(1)
        assert len(told) == 1 and len(told[0].body) < 20_000
        tallies.count(tallies.read(told))
    reject = Reject.objects.filter(run=run).first()
    assert reject is not None and reject.cells == ["N", "x" * 999 + "…"]
