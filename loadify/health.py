"""Answers for those who watch over the processes: /healthz for this one alone, /readyz for what it needs."""

import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from django.db import connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from loadify.checks import READY, Check, Wrong

log = logging.getLogger(__name__)

#: Seconds that all checks of one answer may take together.
LIMIT = 2.0


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing is said of the database or the broker."""
    return HttpResponse("ok", content_type="text/plain")


@dataclass(frozen=True)
class Known:
    """What a check found, "ok" or a sentence, and until when that is good."""

    found: str
    until: float


class Readiness:
    """Runs checks side by side, each at most once at a time however many ask, and remembers for a moment what they found.

    So neither a service that hangs nor somebody who asks again and again costs more than a thread per check.
    """

    def __init__(self, checks: Mapping[str, tuple[Check, float]]) -> None:
        self.checks = checks
        self._pool = ThreadPoolExecutor(max_workers=len(checks), thread_name_prefix="ready")
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[Known]] = {}

    def ask(self, limit: float = LIMIT) -> dict[str, str]:
        """What each check found, after `limit` seconds at the latest."""
        with self._lock:
            asked = {name: self._start(name) for name in self.checks}
        wait(asked.values(), limit)
        return {
            name: future.result().found if future.done() else f"There was no answer within {limit:g} seconds."
            for name, future in asked.items()
        }

    def _start(self, name: str) -> "Future[Known]":
        last = self._under_way.get(name)
        if last is None or (last.done() and last.result().until < time.monotonic()):
            last = self._under_way[name] = self._pool.submit(self._run, name)
        return last

    def _run(self, name: str) -> Known:
        check, good_for = self.checks[name]
        try:
            check()
            found = "ok"
        except Wrong as wrong:
            found = wrong.problem
            log.warning("Not ready: %s %s", wrong.problem, wrong.remedy)
        except Exception:
            found = "The check stopped on an error of ours; the log has it."
            log.exception("Not ready: the check of %s failed.", name)
        finally:
            connections.close_all()
        # What is wrong may be over in a moment.
        return Known(found, time.monotonic() + (good_for if found == "ok" else 1))


readiness = Readiness(READY)


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether this process has all it needs to serve (503 when not), with a sentence for what is missing."""
    found = readiness.ask()
    ready = set(found.values()) == {"ok"}
    return JsonResponse({"ready": ready, "checks": found}, status=200 if ready else 503)
