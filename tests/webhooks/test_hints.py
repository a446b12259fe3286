"""Hints: few messages for many edits, and nobody waits for a broker."""

import threading
import time

import pytest
from kombu.exceptions import OperationalError

from webhooks import hints


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moments: list[float] = []

    def send_task(name: str, **options: object) -> None:
        assert (name, options) == ("webhooks.deliver", {"retry": False, "expires": 5})
        moments.append(time.monotonic())

    monkeypatch.setattr(hints.current_app, "send_task", send_task)
    return moments


def wait_until(condition) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_many_edits_give_few_hints_and_the_last_one_is_heard(sent: list[float]) -> None:
    began = time.monotonic()
    for _ in range(300):
        hints.give()
        time.sleep(0.001)
    last = time.monotonic()
    wait_until(lambda: sent and sent[-1] >= last - hints.PAUSE)
    time.sleep(0.1)
    assert 3 <= len(sent) <= (last - began) / hints.PAUSE + 2


def test_each_task_that_was_named_is_hinted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    monkeypatch.setattr(hints.current_app, "send_task", lambda name, **_: names.append(name))
    hints.give(hints.DELIVER, hints.RETRY)
    hints.give(hints.RETRY)
    wait_until(lambda: {"webhooks.deliver", "webhooks.retry"} <= set(names))
    time.sleep(2 * hints.PAUSE)
    assert names.count("webhooks.deliver") == 1
    assert names.count("webhooks.retry") <= 2


def test_broker_that_hangs_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = threading.Event()
    called = threading.Event()

    def send_task(name: str, **options: object) -> None:
        called.set()
        stuck.wait(10)

    monkeypatch.setattr(hints.current_app, "send_task", send_task)
    hints.give()
    assert called.wait(10)
    began = time.monotonic()
    for _ in range(100):
        hints.give()
    assert time.monotonic() - began < 5
    stuck.set()


def test_broker_that_is_away_is_tried_again_with_the_next_hint(sent: list[float], monkeypatch, caplog) -> None:
    well = hints.current_app.send_task
    refused = threading.Event()

    def refuse(*_: object, **__: object) -> None:
        refused.set()
        raise OperationalError("away")

    monkeypatch.setattr(hints.current_app, "send_task", refuse)
    hints.give()
    assert refused.wait(10)
    monkeypatch.setattr(hints.current_app, "send_task", well)
    hints.give()
    wait_until(lambda: sent)
    assert "The broker does not take the hint (OperationalError)" in caplog.text
