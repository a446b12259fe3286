"""The page on which admins close the site for new imports and open it again, and see what still runs and how full it is."""

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.access import person
from accounts.models import Right
from accounts.rights import needs
from importer import maintenance, quotas
from importer.forms import CloseForm
from importer.models import Import
from importer.states import CLAIMABLE, FINAL, NEEDS_SOMEBODY


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.ADMIN)
def maintain(request: HttpRequest) -> HttpResponse:
    """`open` takes imports again; anything else that is posted closes, with a reason."""
    form = CloseForm(request.POST if request.method == "POST" else None)
    if "open" in request.POST:
        maintenance.open_again(person(request))
        messages.success(request, "New imports are taken again.")
        return redirect("maintenance")
    if form.is_valid():
        maintenance.close(person(request), form.cleaned_data["reason"])
        messages.success(request, "No new imports are taken from now on. Those that were begun go on.")
        return redirect("maintenance")
    context = {"form": form, "switch": maintenance.closed(), "rooms": quotas.rooms(None), **_still()}
    return render(request, "importer/maintenance.html", context, status=422 if form.is_bound else 200)


def _still() -> dict[str, int]:
    """How many imports are on their way."""
    at_rest = NEEDS_SOMEBODY | CLAIMABLE
    return Import.objects.exclude(state__in=FINAL).aggregate(
        running=Count("pk", filter=~Q(state__in=at_rest)),
        queued=Count("pk", filter=Q(state__in=CLAIMABLE)),
        asking=Count("pk", filter=Q(state__in=NEEDS_SOMEBODY)),
    )
