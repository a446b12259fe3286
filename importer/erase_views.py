"""The page on which staff erase a person: enter an e-mail address or phone number, look at what there is, confirm."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.access import person
from accounts.models import Right
from accounts.rights import needs
from importer import erasure
from importer.forms import EraseForm
from importer.values import ImportProblem
from pages.paging import page
from pages.templatetags.figures import count

PAGE = 20


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.ADMIN)
def erase(request: HttpRequest) -> HttpResponse:
    """Ask for the person; a POST shows what would go, and one with `confirm` removes it.

    The value travels in bodies alone: addresses of pages end up in histories and logs.
    """
    form = EraseForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form}
    status = 200
    if request.method == "POST":
        try:
            if _posted(request, form, context):
                return redirect("erase")
            status = 200 if form.is_valid() else 422
        except ImportProblem as problem:
            status, context["problem"] = 409, problem
    context["page"] = page(erasure.latest(), request.GET.get("page", ""), by=("id",), size=PAGE, descending=True)
    return render(request, "importer/erase.html", context, status=status)


def _posted(request: HttpRequest, form: EraseForm, context: dict[str, Any]) -> bool:
    """True when the person was erased; else what there is of them is in the context. Raises ImportProblem."""
    if not form.is_valid():
        return False
    text = form.cleaned_data["text"]
    erasure.check_small()
    if "confirm" not in request.POST:
        context["seen"] = erasure.look(text)
        return False
    done = erasure.erase(text, person(request))
    removed = [f"{place}: {count(number)}" for place, number in done.removed]
    messages.success(request, f"Erased. {'; '.join(removed)}." if removed else "There was nothing of this person.")
    return True
