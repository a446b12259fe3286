"""Pages of the catalogue."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from pages.http import render_part
from products.search import find


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Products, 25 at a time; ProductFilter says what the query may ask for."""
    found = find(request.GET, request.GET.get("page", ""))
    good = found.filter.is_valid()
    context = {
        "filter": found.filter,
        "query": found.filter.form.cleaned_data.get("q", ""),
        "page": found.page,
        "total": found.total,
    }
    return render_part(request, "products/index.html", "products/_list.html", context, status=200 if good else 422)
