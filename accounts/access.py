"""Who is asking: the person behind a request."""

from django.http import HttpRequest

from accounts.models import User


def person(request: HttpRequest) -> User:
    """The person who is signed in; for views that the middleware, or a check before them, keeps from everybody else."""
    assert isinstance(request.user, User)
    return request.user
