"""Long-lived tokens for programs: made, shown once, kept as a hash, scoped, revoked, and looked up when one comes."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from datetime import date, datetime, timedelta

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit
from accounts.models import Right, Token, User

#: What every key begins with, so that people and scanners of secrets know one when they see it.
MARK = "lft_"
#: What a key looks like; anything else is not worth a query.
FORM = re.compile(rf"({MARK}[0-9a-f]{{12}})_[\w-]{{43}}", re.ASCII)
#: That a token was used is written on it no more often than this.
NOTED_EVERY = timedelta(minutes=1)


def make(user: User, name: str, scopes: Collection[Right], expires_at: datetime | None = None) -> tuple[Token, str]:
    """Make a token and return it with the key, which is kept nowhere: "lft_", 12 letters of prefix, "_", 43 of secret."""
    prefix = MARK + secrets.token_hex(6)
    key = f"{prefix}_{secrets.token_urlsafe(32)}"
    token = Token.objects.create(
        user=user, name=name, prefix=prefix, digest=_digest(key), scopes=sorted(scopes), expires_at=expires_at
    )
    audit.record(audit.Kind.TOKEN_MADE, user, f"{token}, for {', '.join(token.scopes)}")
    return token, key


def revoke(token: Token, person: User) -> None:
    """The next request with it is refused. Pressing twice is harmless."""
    if Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit.record(audit.Kind.TOKEN_REVOKED, person, f"{token} of {token.user.email}")


def find(key: str) -> Token | None:
    """The token of a key, if it is still good and its owner may still come in."""
    form = FORM.fullmatch(key)
    token = Token.objects.select_related("user").filter(prefix=form[1]).first() if form else None
    if token is None or not hmac.compare_digest(token.digest, _digest(key)):
        return None
    return token if token.is_good and token.user.is_active else None


def note_use(token: Token, request: HttpRequest) -> None:
    """Write on the token that it was used; the log hears of it once for each address and hour."""
    now, address = timezone.now(), audit.address_of(request)
    new = token.last_used_at is None or token.last_used_from != address or _hour(token.last_used_at) != _hour(now)
    if not new and token.last_used_at is not None and now - token.last_used_at < NOTED_EVERY:
        return
    same = Token.objects.filter(pk=token.pk).filter(Q(last_used_at=token.last_used_at))
    if same.update(last_used_at=now, last_used_from=address) and new:
        audit.record(audit.Kind.TOKEN_USED, token.user, str(token), request=request)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _hour(moment: datetime) -> tuple[date, int]:
    return moment.date(), moment.hour
