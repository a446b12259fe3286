"""One POST to a receiver that may be slow, broken or hostile: it ends in time, and never raises for what a receiver does."""

import http.client
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import requests
from django.conf import settings
from urllib3.exceptions import HTTPError

from webhooks.addresses import BadAddress, place_of
from webhooks.connections import PinningAdapter
from webhooks.deadline import ENDED, SENT, Exchange, exchange
from webhooks.problems import ended, sentence

# Bytes: of an answer's body that are read, of its headers that are kept, and of all that it may send.
BODY, HEADERS, ALL = 16 * 1024, 8 * 1024, 128 * 1024


@dataclass(slots=True)
class Answer:
    """What came of a POST. `status` is None when no answer began; `error` is a sentence when the exchange did not end well.

    Both may be there: a receiver that says 200 and then does not end its answer has a status and an error.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    #: At most 16 KiB, never decompressed. What is no UTF-8, and NUL, which a database does not store, is replaced.
    body: str = ""
    seconds: float = 0.0
    error: str = ""


class Client:
    """Keeps connections to receivers open between posts. One for all threads of a process; `close` it at the end."""

    def __init__(self) -> None:
        self.adapters = {scheme: PinningAdapter(scheme) for scheme in ("http", "https")}

    def close(self) -> None:
        for adapter in self.adapters.values():
            adapter.close()

    def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float = 15.0) -> Answer:
        """Send `body` as it is, and give everything up after so many `seconds`.

        Redirects are answers like others. Proxies, .netrc and cookies play no part: an adapter of requests knows none,
        only its Session would. An address that addresses.py forbids is not called, and said to be so in the error.
        """
        answer, began = Answer(), time.monotonic()
        with exchange(seconds, ALL) as mine:
            try:
                place = place_of(url)
                request = requests.Request("POST", url, {**_common_headers(), **headers}, data=body).prepare()
                with self._send(self.adapters[place.scheme], request, mine) as response:
                    mine.awaited = ENDED
                    _read(response, answer)
            except BadAddress as problem:
                answer.error = str(problem)
            except (requests.RequestException, HTTPError, http.client.HTTPException, OSError) as problem:
                answer.error = sentence(problem, place, mine)
        answer.seconds = time.monotonic() - began
        return answer

    def _send(self, adapter: PinningAdapter, request: requests.PreparedRequest, mine: Exchange) -> requests.Response:
        # A connection kept from before may be closed by its receiver just as we write to it. When it has ended without
        # a byte of answer, we send again at once over another one, until that is a new one. The receiver may have taken
        # the first, but the outbox would send it again in any case, under the same webhook-id.
        while True:
            mine.connected = False
            try:
                response: requests.Response = adapter.send(request, stream=True, timeout=mine.left(SENT))
                return response
            except requests.ConnectionError as problem:
                if mine.connected or mine.room < ALL or not ended(problem):
                    raise


def _read(response: requests.Response, answer: Answer) -> None:
    answer.status = response.status_code
    answer.headers = dict(_kept(response.headers))
    body = bytearray()
    try:
        while len(body) < BODY and (piece := response.raw.read1(BODY - len(body), decode_content=False)):
            body += piece
    finally:
        answer.body = _text(body.decode(errors="replace"))


def _kept(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    room = HEADERS
    for name, value in headers.items():
        room -= len(name) + len(value)
        if room < 0:
            return
        yield _text(name), _text(value)


def _text(text: str) -> str:
    return text.replace("\0", "\ufffd")


def _common_headers() -> dict[str, str]:
    agent = f"Loadify/{settings.LOADIFY_VERSION} (webhooks)"
    return {"User-Agent": agent, "Accept": "*/*", "Accept-Encoding": "identity", "Content-Type": "application/json"}
