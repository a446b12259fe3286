"""Tells a worker that deliveries are due, from a thread of its own: nobody's edit waits for the broker.

A hint may be lost; the timetable asks every few seconds anyway. Many edits at once give one hint.
"""

import logging
import threading
import time

from celery import current_app

log = logging.getLogger(__name__)

#: Seconds between two hints at least; what is due meanwhile is found by whoever heard the first.
PAUSE = 0.05
#: The tasks that a hint may be for: deliveries to receivers that are well, and to those whose last try failed.
DELIVER, RETRY = "webhooks.deliver", "webhooks.retry"

_asked: set[str] = set()
_wanted = threading.Event()
_starting = threading.Lock()
_thread: threading.Thread | None = None


def give(*tasks: str) -> None:
    """Have a hint sent soon for each of these tasks, for DELIVER when none is named; returns at once."""
    global _thread
    _asked.update(tasks or (DELIVER,))
    _wanted.set()
    with _starting:
        # A forked process has its parent's thread only by name.
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_send_all, name="webhook hints", daemon=True)
            _thread.start()


def _send_all() -> None:
    while _wanted.wait():
        _wanted.clear()
        while _asked:
            try:
                current_app.send_task(_asked.pop(), retry=False, expires=5)
            except Exception as problem:
                log.warning(
                    "The broker does not take the hint (%s); deliveries start with the timetable.", type(problem).__name__
                )
        time.sleep(PAUSE)
