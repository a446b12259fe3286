"""Who calls without a session: a program with `Authorization: Bearer …` (RFC 6750), an access token or a long-lived one."""

from dataclasses import dataclass

from allauth.headless.tokens.strategies.jwt.internal import validate_access_token
from django.http import HttpRequest

from accounts import tokens
from accounts.models import Right, Token, User


@dataclass(frozen=True)
class Caller:
    """A person, or a program of theirs; a long-lived `token` narrows what it may do."""

    user: User
    token: Token | None = None

    def may(self, right: Right) -> bool:
        return self.user.may(right) and (self.token is None or right in self.token.scopes)


def bearer(request: HttpRequest) -> str | None:
    """What stands behind "Bearer" in the header Authorization; None without such a header."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def caller(request: HttpRequest) -> Caller | None:
    """Who sends the bearer token of a request; None when it is not good, or not any more."""
    value = bearer(request)
    if not value:
        return None
    if value.startswith(tokens.MARK):
        token = tokens.find(value)
        if token is None:
            return None
        tokens.note_use(token, request)
        return Caller(token.user, token)
    # The session behind it is looked up, so signing out ends it at once.
    found = validate_access_token(value)
    return Caller(found[0]) if found and isinstance(found[0], User) and found[0].is_active else None
