"""Making, changing and deleting one product; what somebody typed is never lost, whatever happened to it meanwhile."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import person
from accounts.models import Right
from accounts.rights import needs
from importer import changes
from pages.http import render_part, wants_part
from products import edits
from products.datasets import PRODUCTS
from products.edits import FIELDS
from products.forms import ProductForm, typed, values_of
from products.models import Product
from products.templatetags.products import label, shown
from products.views import gone

#: Earlier than any change: a form that does not say which version it shows has seen none.
NEVER = datetime.min.replace(tzinfo=UTC)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.EDIT)
def new(request: HttpRequest) -> HttpResponse:
    """The form of a new product, and the product that comes of it."""
    if request.method != "POST":
        return render(request, "products/new.html", {"form": ProductForm(initial={"active": True})})
    form = ProductForm(typed(request.POST, None))
    if form.is_valid():
        try:
            product = edits.create(form.cleaned_data, person(request))
            messages.success(request, format_html("<bdi>{}</bdi> was created.", product.sku))
            return redirect("product", product.pk)
        except edits.SkuTaken as problem:
            taken(form, problem.product)
    return render(request, "products/new.html", {"form": form}, status=422)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.EDIT)
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """The form of a product, as a page or in place of its row of the list, and what becomes of it."""
    stored = Product.objects.filter(pk=pk).first()
    if request.method != "POST":
        if stored is None:
            return gone(request, pk)
        form = ProductForm(initial=values_of(stored), auto_id=ids(pk))
        return answer(request, pk, form, version=stored.updated_at.isoformat())
    form = ProductForm(typed(request.POST, stored), auto_id=ids(pk))
    version = request.POST.get("version", "")
    if not form.is_valid():
        return answer(request, pk, form, status=422, version=version)
    try:
        return saved(request, edits.change(pk, form.cleaned_data, person(request), seen(version)))
    except edits.SkuTaken as problem:
        taken(form, problem.product)
        return answer(request, pk, form, status=422, version=version)
    except edits.Conflict as problem:
        form, theirs = merged(form, problem.stored, seen(version))
        return answer(request, pk, form, status=409, version=problem.stored.updated_at.isoformat(), theirs=theirs)
    except edits.Gone:
        return answer(request, pk, form, status=410, gone=True)


@require_POST
@needs(Right.EDIT)
def restore(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring a deleted product back, as it was or with what is typed; one of which nothing is kept is made anew."""
    form = ProductForm(typed(request.POST, None), auto_id=ids(pk)) if "sku" in request.POST else None
    if form is not None and not form.is_valid():
        return answer(request, pk, form, status=422, gone=True)
    try:
        try:
            product = edits.restore_deleted(pk, person(request), form.cleaned_data if form else None)
        except edits.Gone:
            if form is None:
                raise
            product = edits.create(form.cleaned_data, person(request))
    except edits.SkuTaken as problem:
        if form is not None:
            taken(form, problem.product)
            return answer(request, pk, form, status=422, gone=True)
        messages.error(request, format_html("It was not restored: {}", taken_by(problem.product)))
        return redirect("product", pk)
    except edits.Gone as problem:
        messages.error(request, str(problem))
        return redirect("product", pk)
    return saved(request, product, "restored")


@require_POST
@needs(Right.EDIT)
def restore_value(request: HttpRequest, pk: int, change_id: int) -> HttpResponse:
    """Give one field the value it had before a Change."""
    field = request.POST.get("field", "")
    try:
        edits.restore_field(pk, change_id, field, person(request))
    except edits.SkuTaken as problem:
        messages.error(request, format_html("The old SKU was not restored: {}", taken_by(problem.product)))
    except edits.Gone as problem:
        messages.error(request, str(problem))
    else:
        messages.success(request, f"The {label(field)} was restored to what it was before.")
    return redirect("product", pk)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.EDIT)
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, and delete one product in the version that was asked about."""
    if request.method == "POST":
        try:
            product = edits.delete(pk, person(request), seen(request.POST.get("version", "")))
            words = '<bdi>{}</bdi> was deleted. <a href="{}">Look at it or restore it</a>'
            messages.success(request, format_html(words, product.sku, reverse("product", args=[pk])))
            return redirect("products")
        except edits.Conflict as problem:
            context = {"product": problem.stored, "by": changes.latest(PRODUCTS.name, pk)}
            return render(request, "products/delete.html", context, status=409)
        except edits.Gone as problem:
            messages.warning(request, str(problem))
            return redirect("product", pk)
    if (found := Product.objects.filter(pk=pk).first()) is None:
        return redirect("product", pk)
    return render(request, "products/delete.html", {"product": found})


def answer(request: HttpRequest, pk: int, form: ProductForm, *, status: int = 200, **context: Any) -> HttpResponse:
    # Where to go on: the first field with something to look at.
    first = next((name for name in FIELDS if name in form.errors or name in context.get("theirs", ())), FIELDS[0])
    form.fields[first].widget.attrs["autofocus"] = True
    context |= {"pk": pk, "form": form}
    return render_part(request, "products/edit.html", "products/_row_form.html", context, status=status)


def saved(request: HttpRequest, product: Product, done: str = "saved") -> HttpResponse:
    """The row of the list with a word that it worked, or the product's page with that word."""
    if wants_part(request):
        return render(request, "products/_row.html", {"product": product, "done": done})
    messages.success(request, format_html("<bdi>{}</bdi> was {}.", product.sku, done))
    return redirect("product", product.pk)


def seen(version: str) -> datetime:
    """The moment that tells which version a form shows."""
    try:
        moment = parse_datetime(version)
    except ValueError:
        moment = None
    return moment if moment is not None and moment.tzinfo else NEVER


def taken_by(product: Product) -> str:
    words = 'The SKU is taken by <a href="{}" target="_blank" rel="noopener"><bdi>{}</bdi></a> (opens in a new tab).'
    return format_html(words, reverse("product", args=[product.pk]), product.sku)


def taken(form: ProductForm, product: Product) -> None:
    form.add_error("sku", taken_by(product))


def merged(form: ProductForm, stored: Product, since: datetime) -> tuple[ProductForm, dict[str, Any]]:
    """A form that holds what was typed and, in fields the person left alone, what is stored; and what to say of it.

    Of each field that somebody else changed: {"text": what is stored, "untouched": whether the person had left it alone}.
    """
    mine, now = form.cleaned_data, values_of(stored)
    held = changes.since(PRODUCTS.name, stored.pk, since)
    theirs = {
        name: {"text": shown(now[name]), "untouched": held is not None and mine[name] == held[name]}
        for name in FIELDS
        if mine[name] != now[name] and (held is None or name in held)
    }
    untouched = {name: now[name] for name, said in theirs.items() if said["untouched"]}
    form = ProductForm({**form.data, **untouched}, auto_id=ids(stored.pk))
    return form, {"by": changes.latest(PRODUCTS.name, stored.pk), **theirs}


def ids(pk: int) -> str:
    return f"id_{pk}_%s"
