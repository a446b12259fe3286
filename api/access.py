"""Who may call the API: people who are signed in to the site.

Others get an answer, not a redirect: programs would take the page of the sign-in for what they asked for.
"""

from typing import Any

from django.http import HttpRequest
from ninja.security import SessionAuth


class SignedIn(SessionAuth):
    """The site's session. Whoever is signed out is told so first; only then does the CSRF token count."""

    def __call__(self, request: HttpRequest) -> Any:
        return super().__call__(request) if request.user.is_authenticated else None
