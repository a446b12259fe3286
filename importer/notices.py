"""Tells people on every page what of the site's state concerns them: that no new imports are taken, that room runs out."""

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts.models import User
from importer import maintenance, quotas


def for_person(person: User) -> list[str]:
    """Sentences for who imports, and for who looks after the site. A query for the former, and those of the limits that are
    set for the latter."""
    switch = maintenance.closed() if person.may_import else None
    return [
        *([maintenance.sentence(switch)] if switch else []),
        *(quotas.warnings(None) if person.may_admin else []),
    ]


def on_pages(request: HttpRequest) -> dict[str, object]:
    """A context processor, which asks when a template looks."""
    return {"site_notices": SimpleLazyObject(lambda: for_person(request.user))}  # type: ignore[arg-type]
