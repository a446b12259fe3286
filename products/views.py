"""Pages of the catalogue."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from pages.http import render_part
from pages.paging import page, total
from products.filters import ProductFilter
from products.models import Product


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Products by SKU, 25 at a time; `q` searches SKU and name."""
    products = ProductFilter(request.GET, Product.objects.all())
    good = products.is_valid()
    found = products.qs if good else Product.objects.none()
    query = products.form.cleaned_data.get("q", "")
    context = {
        "filter": products,
        "query": query,
        "page": page(found, request.GET.get("page", ""), by=("sku_key",)),
        "total": total(found, narrowed=bool(query) or not good),
    }
    return render_part(request, "products/index.html", "products/_list.html", context, status=200 if good else 422)
