"""Queues of Redis or Valkey: lists of kombu's messages, as safe as the server's append-only file.

A message is taken by a script that moves it, in one step, where it waits to be settled. kombu itself takes it first and notes
that afterwards, so that a consumer which is killed in between has lost it.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from kombu import Connection

from importer.broker.letters import BrokerAway, Letter, Taken

#: Messages that go in one command.
_STRETCH = 1000
#: Seconds: for an answer, and between two looks into empty queues.
_ANSWER, _LOOK = 30, 0.05

#: KEYS: queue, hash {tag: message}, sorted set {tag: taken at}. ARGV: how many, a name for the tags, seconds to settle them in.
#: First what others took too long ago goes back to where it is taken next. A server whose memory is full lets a script go on
#: that began by removing something, so what it holds can still be taken; any Redis does so, only new ones know `allow-oom`.
_TAKE = """
local now = tonumber(redis.call('TIME')[1])
for _, tag in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now - ARGV[3], 'LIMIT', 0, 1000)) do
  local message = redis.call('HGET', KEYS[2], tag)
  redis.call('ZREM', KEYS[3], tag)
  if message then redis.call('RPUSH', KEYS[1], message) end
  redis.call('HDEL', KEYS[2], tag)
end
local taken = {}
for number = 1, tonumber(ARGV[1]) do
  local message = redis.call('RPOP', KEYS[1])
  if not message then break end
  local tag = ARGV[2] .. number
  redis.call('HSET', KEYS[2], tag, message)
  redis.call('ZADD', KEYS[3], now, tag)
  taken[#taken + 1] = message
end
return taken
"""


class RedisQueues:
    """One connection; the broker's options of Celery's own messages do not concern it."""

    def __init__(self, url: str) -> None:
        options = {"socket_connect_timeout": 5, "socket_timeout": _ANSWER}
        self._connection = Connection(url, transport_options=options)
        self._queues: Sequence[str] = ()
        self._most = 1
        self._round = 0
        with self._at_work():
            channel: Any = self._connection.channel()
            self._channel = channel
            self._client: Any = channel.client
            self._script = self._client.register_script(_TAKE)
            self._name = os.urandom(8).hex()

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        try:
            yield
        except (*self._connection.connection_errors, *self._connection.channel_errors) as problem:
            raise BrokerAway(str(problem) or type(problem).__name__) from problem

    def publish(self, queue: str, letters: Sequence[Letter], check: Callable[[], object] = bool) -> None:
        with self._at_work():
            for start in range(0, len(letters), _STRETCH):
                # Answered when it is in memory, and in the append-only file as often as `appendfsync` says.
                self._client.lpush(queue, *(self._message(queue, letter) for letter in letters[start : start + _STRETCH]))
                check()

    def _message(self, queue: str, letter: Letter) -> str:
        """A letter as kombu writes it into a list."""
        properties = {"delivery_mode": 2, "message_id": letter.id}
        message = self._channel.prepare_message(
            letter.body, 0, "application/json", "utf-8", dict(letter.headers), properties=properties
        )
        message["body"], encoding = self._channel.encode_body(letter.body, "base64")
        info = {"exchange": "", "routing_key": queue}
        message["properties"] |= {"body_encoding": encoding, "delivery_tag": letter.id, "delivery_info": info}
        return json.dumps(message)

    def listen(self, queues: Sequence[str], most: int) -> None:
        self._queues, self._most = queues, most

    def take(self, wait: float) -> list[Taken]:
        until = time.monotonic() + wait
        taken: list[Taken] = []
        with self._at_work():
            while True:
                for queue in self._queues:
                    if len(taken) < self._most:
                        taken += self._take(queue, self._most - len(taken))
                left = until - time.monotonic()
                if len(taken) >= self._most or left <= 0:
                    return taken
                time.sleep(min(_LOOK, left))

    def _take(self, queue: str, most: int) -> list[Taken]:
        self._round += 1
        name = f"{self._name}-{self._round}-"
        keys = [queue, *_kept(queue)]
        messages = self._script(keys, [most, name, settings.LOADIFY_QUEUE_RETURN])
        return [self._read(queue, message, f"{name}{number}") for number, message in enumerate(messages, 1)]

    def _read(self, queue: str, raw: bytes, tag: str) -> Taken:
        """What kombu wrote; of anything else the bytes as they are, so that somebody gets to see them."""
        try:
            message = json.loads(raw)
            properties = message["properties"]
            body = self._channel.decode_body(message["body"], properties.get("body_encoding"))
            headers = dict(message.get("headers") or {})
            name = str(properties.get("message_id") or "")
            data = body if isinstance(body, bytes) else str(body).encode("utf-8", "surrogatepass")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return Taken(queue, raw, "", {}, tag)
        return Taken(queue, data, name, headers, tag)

    def settle(self, taken: Iterable[Taken]) -> None:
        tags: dict[str, list[str]] = {}
        for one in taken:
            tags.setdefault(one.queue, []).append(one.tag)
        with self._at_work():
            # No transaction: a server whose memory is full queues nothing, not even what would make room. Cut off in between
            # it leaves a moment without a message, which nobody misses.
            pipe = self._client.pipeline(transaction=False)
            for queue, settled in tags.items():
                messages, times = _kept(queue)
                pipe.hdel(messages, *settled)
                pipe.zrem(times, *settled)
            if tags:
                pipe.execute()

    def close(self) -> None:
        try:
            self._connection.release()
        except OSError:
            pass


def _kept(queue: str) -> tuple[str, str]:
    """Where messages are that were taken from `queue` and not settled yet, and when they were."""
    return f"{queue}.taken", f"{queue}.taken.at"
