"""Products in the admin: to look at."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from pages.admin import ReadOnlyAdmin
from products.models import Product, sku_key


@admin.register(Product)
class ProductAdmin(ReadOnlyAdmin):
    note = (
        "Products are changed on their own pages, so that webhooks and their history tell of it. The search is for a whole SKU."
    )
    list_display = ("sku", "name", "active", "created_at", "updated_at")
    list_filter = ("active",)
    search_fields = ("sku_key__exact",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Product], search_term: str
    ) -> tuple[QuerySet[Product], bool]:
        """A SKU may hold blanks, which are no breaks between words here."""
        return (queryset.filter(sku_key=sku_key(search_term)) if search_term else queryset), False

    def view_on_site(self, obj: Product) -> str:
        return reverse("product", args=[obj.pk])
