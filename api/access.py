"""Who may call the API: programs with a bearer token, and people who are signed in to the site; each operation says which
right it needs.

Others get an answer, not a redirect: programs would take the page of the sign-in for what they asked for.
"""

from typing import Any

from django.http import HttpRequest
from ninja.security import SessionAuth
from ninja.security.http import HttpAuthBase

from accounts.access import person
from accounts.callers import Caller, bearer, caller
from accounts.models import Right
from accounts.rights import refusal
from api import rates
from api.problems import BadToken, Forbidden


def _counted(request: HttpRequest) -> None:
    """Raises rates.TooMany."""
    request.rate = rates.count_person(person(request))  # type: ignore[attr-defined]


def _allowed(found: Caller, right: Right) -> Caller:
    if not found.user.may(right):
        raise Forbidden(refusal(found.user, right))
    if not found.may(right):
        raise Forbidden(f"The token has no scope “{right.value}”; make one that has it.")
    return found


class Bearer(HttpAuthBase):
    """An access token of a sign-in, or a long-lived token. One that is not good is refused, whatever cookies say."""

    openapi_scheme = "bearer"
    openapi_description = "A token made on the page of one's account (lft_…), or the access token of a sign-in (JWT)."

    def __init__(self, right: Right) -> None:
        super().__init__()
        self.right = right

    def __call__(self, request: HttpRequest) -> Any:
        if bearer(request) is None:
            return None
        found = caller(request)
        if found is None:
            raise BadToken
        request.user = found.user
        _counted(request)
        return _allowed(found, self.right)


class Session(SessionAuth):
    """The site's session. Whoever is signed out is told so first; only then does the CSRF token count."""

    openapi_description = "The session of a browser. All but GET want the cookie csrftoken in the header X-CSRFToken, too."

    def __init__(self, right: Right) -> None:
        super().__init__()
        self.right = right

    def __call__(self, request: HttpRequest) -> Any:
        if not request.user.is_authenticated:
            return None
        _counted(request)
        if not super().__call__(request):
            return None
        return _allowed(Caller(person(request)), self.right)


def callers(right: Right) -> list[Any]:
    """Those who have a right, for the `auth` of an operation."""
    return [Bearer(right), Session(right)]
