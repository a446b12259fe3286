"""Who may do what on pages: a view says which right it needs."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.access import person
from accounts.models import Right, Role, User

Rest = ParamSpec("Rest")
Answer = TypeVar("Answer", bound=HttpResponseBase)

_WORDS = {
    Right.READ: "look at this",
    Right.IMPORT: "import files or steer imports",
    Right.EDIT: "change records",
    Right.ADMIN: "do this",
}


def refusal(user: User, right: Right) -> str:
    """The sentence for somebody whose role lacks a right."""
    whose = "an admin" if right == Right.ADMIN else "an editor"
    return f"Your role is {Role(user.role).value}; only {whose} may {_WORDS[right]}."


def needs(
    right: Right,
) -> Callable[[Callable[Concatenate[HttpRequest, Rest], Answer]], Callable[Concatenate[HttpRequest, Rest], Answer]]:
    """A view for those whose role has the right; others are answered 403 with a sentence."""

    def narrowed(view: Callable[Concatenate[HttpRequest, Rest], Answer]) -> Callable[Concatenate[HttpRequest, Rest], Answer]:
        @wraps(view)
        def answer(request: HttpRequest, /, *args: Rest.args, **kwargs: Rest.kwargs) -> Answer:
            if not person(request).may(right):
                raise PermissionDenied(refusal(person(request), right))
            return view(request, *args, **kwargs)

        return answer

    return narrowed
