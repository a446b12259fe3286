"""Tells the owner of a long import that it has ended or needs them, by a notice on every page; by e-mail: importer/mails.py.

The engine writes `Import.news` in the transaction that makes it true; here it is shown, and forgotten when seen.
"""

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from accounts.models import User
from importer.models import Import
from importer.states import FINAL, State

#: Notices on a page.
MOST_SHOWN = 5

#: News may be out of date: a paused import was resumed, a review decided.
STILL_TRUE = (
    Q(news=Import.News.ENDED, state__in=FINAL)
    | Q(news=Import.News.REVIEW, state=State.REVIEW)
    | Q(news=Import.News.PAUSED, state=State.PAUSED)
)


def unseen(person: User) -> QuerySet[Import]:
    """Imports of a person with news they have not looked at, latest first."""
    return Import.objects.filter(STILL_TRUE, owner=person, seen_at=None).select_related("file").order_by("-news_at")


def see(run: Import, person: User) -> None:
    """Note that its owner looks at the import; newer news than they saw stays unseen."""
    if run.news and run.seen_at is None and run.owner_id == person.pk:
        Import.objects.filter(pk=run.pk, news_at=run.news_at).update(seen_at=timezone.now())


def on_pages(request: HttpRequest) -> dict[str, object]:
    """A context processor. One query, when a template looks: one more than is shown tells that there are more."""
    return {"import_news": SimpleLazyObject(lambda: list(unseen(request.user)[: MOST_SHOWN + 1]))}  # type: ignore[arg-type]
