"""Tells the owner of a long import that it has ended or needs them: by e-mail, and by a notice on every page.

The engine writes `Import.news` in the transaction that makes it true; here it is shown, sent once, and forgotten when seen.
"""

import logging
import time
from datetime import timedelta
from smtplib import SMTPException, SMTPRecipientsRefused

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from accounts.models import User
from importer.models import Import
from importer.progress import snapshot
from importer.states import FINAL, State

log = logging.getLogger(__name__)

#: An e-mail that cannot be sent is given up after this time.
GIVE_UP = timedelta(days=1)
#: Seconds for which this process leaves a mail server alone that did not answer.
REST = 60.0
#: Notices on a page, and e-mails of one round.
MOST_SHOWN, MOST_SENT = 5, 20

_rest_until = 0.0

#: News may be out of date: a paused import was resumed, a review decided.
_STILL_TRUE = (
    Q(news=Import.News.ENDED, state__in=FINAL)
    | Q(news=Import.News.REVIEW, state=State.REVIEW)
    | Q(news=Import.News.PAUSED, state=State.PAUSED)
)


def unseen(person: User) -> QuerySet[Import]:
    """Imports of a person with news they have not looked at, latest first."""
    return Import.objects.filter(_STILL_TRUE, owner=person, seen_at=None).select_related("file").order_by("-news_at")


def see(run: Import, person: User) -> None:
    """Note that its owner looks at the import; newer news than they saw stays unseen."""
    if run.news and run.seen_at is None and run.owner_id == person.pk:
        Import.objects.filter(pk=run.pk, news_at=run.news_at).update(seen_at=timezone.now())


def on_pages(request: HttpRequest) -> dict[str, object]:
    """A context processor. One query, when a template looks: one more than is shown tells that there are more."""
    return {"import_news": SimpleLazyObject(lambda: list(unseen(request.user)[: MOST_SHOWN + 1]))}  # type: ignore[arg-type]


def mail_due() -> int:
    """Send what is due, and return how many e-mails went out. Safe in several processes at once: a claim is one UPDATE.

    A process that dies between claim and sending loses the e-mail; the notice on the pages stays.
    """
    if time.monotonic() < _rest_until:
        return 0
    due = Import.objects.filter(_STILL_TRUE, mailed_at=None, news_at__gt=timezone.now() - GIVE_UP, owner__is_active=True)
    return sum(_mail(run) for run in due.select_related("owner", "file").order_by("news_at")[:MOST_SENT])


def _mail(run: Import) -> bool:
    global _rest_until
    claim = timezone.now()
    same = Import.objects.filter(pk=run.pk, news_at=run.news_at)
    if time.monotonic() < _rest_until or not same.filter(mailed_at=None).update(mailed_at=claim):
        return False
    try:
        send_news(run)
    except SMTPRecipientsRefused as problem:
        for_good = all(code >= 500 for code, _ in problem.recipients.values())
        log.warning("The e-mail about import %s was refused%s: %s", run.public_id, " for good" if for_good else "", problem)
        if not for_good:
            same.filter(mailed_at=claim).update(mailed_at=None)
        return False
    except (SMTPException, OSError) as problem:
        log.warning("The e-mail about import %s could not be sent; trying again. %s", run.public_id, problem)
        same.filter(mailed_at=claim).update(mailed_at=None)
        _rest_until = time.monotonic() + REST
        return False
    return True


def send_news(run: Import) -> None:
    """Send the e-mail now. Raises SMTPException, OSError."""
    assert run.owner is not None
    context = {
        "run": run,
        "progress": snapshot(run, ask_holder=False),
        "url": f"{settings.LOADIFY_URL}/imports/{run.public_id}/",
    }
    text = render_to_string("importer/news.txt", context)
    send_mail(subject(run), text, settings.DEFAULT_FROM_EMAIL, [run.owner.email])


def subject(run: Import) -> str:
    """“Import of products.csv is done”; never more than one line."""
    name = " ".join((run.file.name if run.file else run.dataset).split())
    words = {State.REVIEW: "is ready for your review", State.PAUSED: "was paused"}
    return f"Import of {name} {words.get(State(run.state)) or ENDED[State(run.state)]}"


#: How an import ended, after “Your import of …”.
ENDED = {
    State.DONE: "is done",
    State.FAILED: "has failed",
    State.CANCELLED: "was cancelled",
    State.UNDONE: "was undone",
}
