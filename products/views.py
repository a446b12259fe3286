"""The list of products: search, switch on and off, download."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from accounts.access import person
from accounts.models import Right
from accounts.rights import needs
from pages.downloads import streamed
from pages.http import render_part, wants_part
from products import edits, exports
from products.filters import ProductFilter
from products.models import Product
from products.search import find

#: What narrows the list down, in the order in which addresses name it.
NARROWING = ("q", "words", "active")
#: What the list can be ordered by → the heading that says so.
ORDERS = {"sku": "SKU", "name": "Name", "changed": "Changed"}


@dataclass(frozen=True)
class Heading:
    """The heading of a column that the list can be ordered by."""

    name: str
    label: str
    direction: str  # as in aria-sort; blank when the list is ordered by something else
    href: str


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Products, 25 at a time, narrowed down and ordered by what the address says."""
    found = find(request.GET, request.GET.get("page", ""))
    good = found.filter.is_valid()
    narrowing = asked(request, NARROWING)
    context = {
        "filter": found.filter,
        "asked": asked(request, (*NARROWING, "sort")),
        "narrowed": bool(narrowing),
        "page": found.page,
        "total": found.total,
        "headings": headings(request),
        "address": urlencode(asked(request, (*NARROWING, "sort"))),
        "download": urlencode(narrowing),
    }
    return render_part(request, "products/index.html", "products/_list.html", context, status=200 if good else 422)


@require_safe
def row(request: HttpRequest, pk: int) -> HttpResponse:
    """One row of the list, as it is: what stands there again when an edit is cancelled."""
    product = Product.objects.filter(pk=pk).first()
    return render(request, "products/_row.html", {"product": product, "back": True}) if product else gone(request, pk)


@require_POST
@needs(Right.EDIT)
def switch(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a product active or inactive; answers with its row of the list, or leads back to where the button was."""
    try:
        product = edits.change(pk, {"active": request.POST.get("active") == "true"}, person(request))
    except edits.Gone:
        return gone(request, pk)
    return render(request, "products/_row.html", {"product": product}) if wants_part(request) else redirect(came_from(request))


@require_safe
def export(request: HttpRequest) -> HttpResponseBase:
    """The products that the list shows, all pages of it, as a CSV file."""
    products = ProductFilter(request.GET, Product.objects.all())
    if not products.is_valid():
        return redirect(f"{reverse('products')}?{urlencode(asked(request, NARROWING))}")
    name = f"products-{timezone.localtime():%Y-%m-%d-%H%M}.csv"
    return streamed(request, exports.csv(products.qs), "text/csv; charset=utf-8", name)


def asked(request: HttpRequest, names: tuple[str, ...]) -> dict[str, str]:
    """What the address says of `names`, without what it leaves blank."""
    return {name: value for name in names if (value := request.GET.get(name, "").strip())}


def headings(request: HttpRequest) -> dict[str, Heading]:
    """The headings that order the list; the one it is ordered by turns it round."""
    now = request.GET.get("sort", "")
    if now.removeprefix("-") not in ORDERS:
        now = "sku"
    found = {}
    for name, label in ORDERS.items():
        direction = {name: "ascending", f"-{name}": "descending"}.get(now, "")
        wanted = f"-{name}" if now == name else name
        query = urlencode({**asked(request, NARROWING), **({} if wanted == "sku" else {"sort": wanted})})
        found[name] = Heading(name, label, direction, f"{reverse('products')}{'?' if query else ''}{query}")
    return found


def gone(request: HttpRequest, pk: int) -> HttpResponse:
    """What stands in the place of a row whose product was deleted; without htmx, the page that says the same."""
    if wants_part(request):
        return render(request, "products/_row_gone.html", {"pk": pk}, status=410)
    return redirect("product", pk)


def came_from(request: HttpRequest) -> str:
    """The page of this site that a form was sent from, or else the list."""
    referer = request.headers.get("Referer", "")
    ours = url_has_allowed_host_and_scheme(referer, {request.get_host()}, require_https=request.is_secure())
    return referer if ours else reverse("products")
