"""Sends the news of long imports to their owners by e-mail: each at least once, and nobody waits for a mail server.

An e-mail is taken for a while by one UPDATE, sent, and then marked. So that of a process that dies while it sends is sent by
another one, and what could not be sent is tried again, less and less often, for a day.
"""

import logging
import threading
import time
from datetime import timedelta
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused

from django.conf import settings
from django.core.mail import send_mail
from django.db import DatabaseError, connection
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils import timezone

from importer.models import Import
from importer.news import STILL_TRUE
from importer.progress import snapshot
from importer.states import State

log = logging.getLogger(__name__)

#: Between two tries at one e-mail. The shortest is also how long a process may take to send it.
SHORTEST, LONGEST = timedelta(minutes=2), timedelta(hours=1)
#: An e-mail that cannot be sent is given up after this time.
GIVE_UP = timedelta(days=1)
#: Seconds for which this process leaves a mail server alone that did not answer.
REST = 60.0
#: E-mails of one round.
MOST_SENT = 20

#: How an import ended, after “Your import of …”.
ENDED = {
    State.DONE: "is done",
    State.FAILED: "has failed",
    State.CANCELLED: "was cancelled",
    State.UNDONE: "was undone",
}

_rest_until = 0.0
_one_round = threading.Lock()


def send_aside() -> None:
    """Send what is due in a thread of its own, unless one is at it: the timetable does not wait for a mail server."""
    if _one_round.acquire(blocking=False):
        threading.Thread(target=_round, name="news by e-mail", daemon=True).start()


def _round() -> None:
    try:
        send_due()
    except DatabaseError:
        log.warning("News are sent later: the database does not answer.", exc_info=True)
    finally:
        connection.close()
        _one_round.release()


def send_due() -> int:
    """Send what is due, and return how many e-mails went out. Safe in several processes at once."""
    due = Import.objects.filter(STILL_TRUE, _due(), mailed_at=None, owner__is_active=True).select_related("owner", "file")
    return sum(_send(run) for run in due.order_by("news_at")[:MOST_SENT]) if time.monotonic() >= _rest_until else 0


def _due() -> Q:
    now = timezone.now()
    return Q(news_at__gt=now - GIVE_UP) & (Q(mail_not_before=None) | Q(mail_not_before__lte=now))


def _send(run: Import) -> bool:
    global _rest_until
    assert run.news_at is not None
    now = timezone.now()
    again = now + min(max(SHORTEST, (now - run.news_at) / 2), LONGEST)
    same = Import.objects.filter(pk=run.pk, news_at=run.news_at, mailed_at=None)
    if time.monotonic() < _rest_until or not same.filter(_due()).update(mail_not_before=again):
        return False
    sent = over = True
    try:
        send_news(run)
    except Exception as problem:
        # Whatever it is, it must not keep the e-mails about other imports.
        code, foreseen = _code(problem), isinstance(problem, SMTPException | OSError)
        sent, over = False, code >= 500 or again > run.news_at + GIVE_UP
        fate = "it is given up" if over else f"the next try is at {again:%H:%M:%S %Z}"
        log.warning("The e-mail about import %s was not sent; %s. %s", run.public_id, fate, problem, exc_info=not foreseen)
        if foreseen and not code:
            _rest_until = time.monotonic() + REST
    if over:
        same.update(mailed_at=timezone.now())
    return sent


def _code(problem: Exception) -> int:
    """What the mail server answered to this e-mail: 500 and more is for good. 0 when it took none, or was not there."""
    if isinstance(problem, SMTPRecipientsRefused):
        return min(code for code, _ in problem.recipients.values())
    return problem.smtp_code if isinstance(problem, SMTPDataError) else 0


def send_news(run: Import) -> None:
    """Send the e-mail now. Raises SMTPException, OSError."""
    assert run.owner is not None
    context = {
        "run": run,
        "progress": snapshot(run, ask=False),
        "url": f"{settings.LOADIFY_URL}/imports/{run.public_id}/",
    }
    text = render_to_string("importer/news.txt", context)
    send_mail(subject(run), text, settings.DEFAULT_FROM_EMAIL, [run.owner.email])


def subject(run: Import) -> str:
    """“Import of products.csv is done”; never more than one line."""
    name = " ".join((run.file.name if run.file else run.dataset).split())
    words = {State.REVIEW: "is ready for your review", State.PAUSED: "was paused"}
    return f"Import of {name} {words.get(State(run.state)) or ENDED[State(run.state)]}"
