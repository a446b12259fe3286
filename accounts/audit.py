"""The log of what people may ask about later. Entries are only added; each is also a line of the process's log."""

import logging
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest

from accounts.models import AuditEntry, User

log = logging.getLogger(__name__)

Kind = AuditEntry.Kind


def record(
    kind: AuditEntry.Kind, person: User | None, detail: str = "", *, request: HttpRequest | None = None, email: str = ""
) -> AuditEntry:
    """Write down that `person` did something; `email` is for a sign-in that names nobody we know."""
    entry = AuditEntry.objects.create(
        kind=kind,
        person=person,
        email=(person.email if person else email)[:254],
        address=address_of(request) if request else None,
        detail=detail,
    )
    # One line, whatever somebody has called a token.
    log.info("audit: %s by %s: %r", kind.value, f"user {person.pk}" if person else "nobody", detail)
    return entry


def address_of(request: HttpRequest) -> str | None:
    """The address that the request came from; behind proxies the one that the nearest trusted one saw.

    LOADIFY_PROXIES says how many proxies of ours stand before the site: what further ones claim is not believed.
    """
    near = request.META.get("REMOTE_ADDR") or None
    if not settings.LOADIFY_PROXIES:
        return near
    forwarded = [part for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    if len(forwarded) < settings.LOADIFY_PROXIES:
        return near
    return _address(forwarded[-settings.LOADIFY_PROXIES]) or near


def _address(text: str) -> str | None:
    """An address without the port that some proxies write behind it; None for what is none, such as "unknown" (RFC 7239)."""
    text = text.strip().partition("%")[0]
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return None
