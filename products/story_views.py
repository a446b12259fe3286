"""What happened to products: one product with its timeline, the latest edits of everybody, and deleting all of them."""

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import person
from accounts.models import Right
from accounts.rights import needs
from importer import changes
from importer.models import Change
from pages.templatetags.figures import count
from products import edits
from products.datasets import PRODUCTS
from products.edits import FIELDS
from products.forms import values_of
from products.models import Product

#: Edits on a page.
PAGE = 50
#: Clearings that are shown where the next one is made.
CLEARINGS = 5


@require_safe
def show(request: HttpRequest, pk: int) -> HttpResponse:
    """A product and its timeline; one that was deleted is shown as it was last (410), one that never was is not found."""
    product = Product.objects.filter(pk=pk).first()
    story = changes.story(PRODUCTS.name, pk, FIELDS, values_of(product) if product else {})
    if product is None and not story:
        raise Http404("There has never been a product with this number.")
    context: dict[str, object] = {"pk": pk, "product": product, "story": story, "whole": len(story) < changes.MOST}
    if product is None:
        context["last"] = last_known(story)
        context["restorable"] = story[0].change.kind == Change.Kind.DELETED
    return render(request, "products/product.html", context, status=200 if product else 410)


def last_known(story: list[changes.Entry]) -> dict[str, object]:
    """What each field held last; None where nothing is known of it any more."""
    known: dict[str, object] = {}
    for entry in story:
        for field in entry.fields:
            known.setdefault(field.name, field.before if entry.change.kind == Change.Kind.DELETED else field.after)
    return known


@require_safe
def latest(request: HttpRequest) -> HttpResponse:
    """What people did lately, newest first; `?before=<number of a Change>` goes on where a page ended."""
    text = request.GET.get("before", "")
    before = int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
    found = changes.edits(PRODUCTS.name, FIELDS, before, PAGE + 1)
    shown = found[:PAGE]
    skus = skus_of(shown)
    context = {
        "rows": [(entry, skus.get(entry.change.row_id, "")) for entry in shown],
        "before": before,
        "next": shown[-1].change.pk if len(found) > PAGE else None,
    }
    return render(request, "products/edits.html", context)


def skus_of(entries: list[changes.Entry]) -> dict[int, str]:
    """The present SKU of each product, or the last one that these entries know."""
    known: dict[int, str] = {}
    for entry in reversed(entries):
        for field in entry.fields:
            if field.name == "sku":
                known[entry.change.row_id] = field.before if field.after is None else field.after
    pks = [entry.change.row_id for entry in entries]
    return known | dict(Product.objects.filter(pk__in=pks).values_list("pk", "sku"))


class ClearForm(forms.Form):
    word = forms.CharField(
        label="Type the word delete",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
        error_messages={"required": "Type the word delete to go on."},
    )

    def clean_word(self) -> str:
        word: str = self.cleaned_data["word"]
        if word.strip().lower() != "delete":
            raise forms.ValidationError("Nothing was deleted: the word to type is delete.")
        return word


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.ADMIN)
def delete_all(request: HttpRequest) -> HttpResponse:
    """Ask for a word, and delete every product."""
    form = ClearForm(request.POST if request.method == "POST" else None)
    status, busy = 200, None
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                rows = edits.clear(person(request))
                messages.success(request, f"{count(rows)} product{'' if rows == 1 else 's'} deleted. The catalogue is empty.")
                return redirect("products")
            except changes.Busy as problem:
                status, busy = 409, problem
    context = {
        "form": form,
        "busy": busy,
        "rows": Product.objects.count(),
        "clearings": changes.clearings(PRODUCTS.name)[:CLEARINGS],
    }
    return render(request, "products/delete_all.html", context, status=status)
