"""Links to downloads that work without a session and for a while only, so that they can be given to a download manager.

A token says what it opens and for whom it was made, and is signed. It opens nothing by itself: who serves it asks anew whether
that person may have the thing, so that a right that was taken away takes its links with it.
"""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.core import signing

_SALT = "pages.signed"


class BadLink(Exception):
    """The token was not made here, or was changed."""


class ExpiredLink(Exception):
    """The token is older than LOADIFY_LINK_SECONDS."""


@dataclass(frozen=True)
class Link:
    """What a token opens, such as ("import", its public id), and the number of the user who asked for it."""

    kind: str
    public_id: UUID
    user_id: int


def token(link: Link) -> str:
    return signing.dumps([link.kind, link.public_id.hex, link.user_id], salt=_SALT)


def read(token: str) -> Link:
    """What a token opens. Raises BadLink, ExpiredLink."""
    try:
        kind, public_id, user_id = signing.loads(token, salt=_SALT, max_age=settings.LOADIFY_LINK_SECONDS)
    except signing.SignatureExpired:
        raise ExpiredLink("The link has expired.") from None
    except signing.BadSignature:
        raise BadLink("The link is not one of this site.") from None
    return Link(kind, UUID(public_id), user_id)
