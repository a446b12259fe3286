"""Products over the API: the same search, the same rules and the same verbs as on the pages."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, NoReturn

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Field, Router, Schema, Status
from ninja.errors import ValidationError
from pydantic import AfterValidator, ConfigDict, StrictBool, WithJsonSchema

from accounts.access import person
from accounts.models import Right
from api.access import callers
from api.document import IF_MATCH
from api.fields import NO_NUL, VISIBLE, Cursor, Number, Typed
from api.lists import Listed, listed
from api.problems import InTheWay, Invalid, Problem
from importer.changes import Busy
from pages.paging import Page
from products import edits
from products.forms import ProductForm, values_of
from products.models import Product
from products.search import find

router = Router(tags=["products"])

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ProductOut(Schema):
    id: int
    sku: str
    name: str
    description: str
    active: bool
    created_at: datetime
    updated_at: datetime


class ProductPage(Listed[ProductOut]):
    """`next` and `previous` are values for the parameter `cursor`; null where there is no page."""


#: As the form and the column of a file take them, which say in sentences what is wrong.
Sku = Annotated[str, WithJsonSchema({"type": "string", "maxLength": Product.SKU_LENGTH, "pattern": VISIBLE})]
Name = Annotated[str, WithJsonSchema({"type": "string", "maxLength": Product.NAME_LENGTH, "pattern": NO_NUL})]
Description = Annotated[str, WithJsonSchema({"type": "string", "maxLength": Product.DESCRIPTION_LENGTH, "pattern": NO_NUL})]


class NewProduct(Schema):
    """Upper and lower case of an SKU are the same."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"sku": "SHELF-1", "name": "Oak shelf", "description": "80 cm", "active": True}]},
    )

    sku: Sku
    name: Name
    description: Description = ""
    active: StrictBool = True


class ProductPatch(Schema):
    """Fields that are not there stay as they are."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Oak shelf, wide"}]})

    # The factories only say that a field may be left out; what they make is dropped (`exclude_unset`).
    sku: Sku = Field(default_factory=str)
    name: Name = Field(default_factory=str)
    description: Description = Field(default_factory=str)
    active: StrictBool = Field(default_factory=bool)


class Cleared(Schema):
    deleted: int


def _meant(confirm: str) -> str:
    if confirm != "delete":
        raise ValueError("This deletes all products. Say confirm=delete if you mean it.")
    return confirm


Confirm = Annotated[str, AfterValidator(_meant), WithJsonSchema({"type": "string", "enum": ["delete"]})]
Sort = Literal["sku", "-sku", "name", "-name", "changed", "-changed"]


@router.get("", response=ProductPage, summary="List or search products")
def list_products(
    request: HttpRequest,
    q: Typed = "",
    words: Typed = "",
    active: Literal["", "yes", "no"] = "",
    sort: Sort = "sku",
    cursor: Cursor = "",
) -> dict[str, Any]:
    """`q` is a piece of the SKU or the name, `words` are words of the description. 25 products a page."""
    return listed(_find({"q": q, "words": words, "active": active, "sort": sort}, cursor))


@router.post("", auth=callers(Right.EDIT), response={201: ProductOut, 409: Problem}, summary="Make a product")
def create_product(request: HttpRequest, response: HttpResponse, given: NewProduct) -> Status[Product]:
    form = _checked(given.dict())
    try:
        product = edits.create(form.cleaned_data, person(request))
    except edits.SkuTaken as problem:
        _refuse_taken(problem)
    response["Location"] = reverse("api:product", args=[product.pk])
    response["ETag"] = etag(product)
    return Status(201, product)


@router.delete("", auth=callers(Right.ADMIN), response={200: Cleared, 409: Problem}, summary="Delete all products")
def clear_products(request: HttpRequest, response: HttpResponse, confirm: Confirm) -> Any:
    """Only with `confirm=delete`. Refused while an import is changing products."""
    try:
        return {"deleted": edits.clear(person(request))}
    except Busy as problem:
        raise InTheWay(str(problem)) from None


@router.get("/{int:pk}", response=ProductOut, url_name="product", summary="Get a product")
def get_product(request: HttpRequest, response: HttpResponse, pk: Number) -> Product | HttpResponse:
    """The header ETag names the version; with If-None-Match only another version than that one is answered."""
    product = _get(pk)
    response["ETag"] = etag(product)
    known = request.headers.get("If-None-Match", "")
    if known.strip() == "*" or etag(product) in (tag.removeprefix("W/") for tag in _tags(known)):
        return HttpResponse(status=304, headers={"ETag": etag(product)})
    return product


@router.patch(
    "/{int:pk}", auth=callers(Right.EDIT), response={200: ProductOut, 409: Problem, 412: Problem}, summary="Change a product"
)
def change_product(request: HttpRequest, response: HttpResponse, pk: Number, given: ProductPatch) -> Product:
    """With the header If-Match only if nobody has changed it since; the answer 412 shows the version that is `stored`."""
    stored = _get(pk)
    seen = _seen(request, stored)
    fields = given.dict(exclude_unset=True)
    form = _checked(values_of(stored) | fields)
    try:
        product = edits.change(pk, {name: form.cleaned_data[name] for name in fields}, person(request), seen)
    except edits.SkuTaken as problem:
        _refuse_taken(problem)
    except edits.Conflict as problem:
        raise _stale(problem.stored) from None
    except edits.Gone:
        raise Http404 from None
    response["ETag"] = etag(product)
    return product


@router.delete(
    "/{int:pk}", auth=callers(Right.EDIT), response={204: None, 412: Problem, 422: Problem}, summary="Delete a product"
)
def delete_product(request: HttpRequest, pk: Number) -> Status[None]:
    """If-Match as in changing one."""
    try:
        edits.delete(pk, person(request), _seen(request, _get(pk)))
    except edits.Conflict as problem:
        raise _stale(problem.stored) from None
    except edits.Gone:
        raise Http404 from None
    return Status(204, None)


def etag(product: Product) -> str:
    """A strong validator: no two states of a row bear the same `updated_at`."""
    return f'"{(product.updated_at - EPOCH) // timedelta(microseconds=1)}"'


def _find(query: Mapping[str, str], cursor: str) -> Page[Product]:
    found = find(query, cursor)
    if not found.filter.is_valid():
        raise Invalid(found.filter.form, kind="parameter")
    return found.page


def _get(pk: int) -> Product:
    product = Product.objects.filter(pk=pk).first()
    if product is None:
        raise Http404
    return product


def _checked(values: Mapping[str, Any]) -> ProductForm:
    form = ProductForm(values)
    if not form.is_valid():
        raise Invalid(form)
    return form


def _seen(request: HttpRequest, stored: Product) -> datetime | None:
    """The version that If-Match asks for (RFC 9110 §13.1.1); None when any will do."""
    if "If-Match" not in request.headers:
        return None
    header = request.headers["If-Match"].strip()
    if not re.fullmatch(IF_MATCH, header):
        # An empty one, say, of a variable that was never set: to take it for none would go over somebody else's change.
        raise ValidationError(
            [{"loc": ("header", "If-Match"), "msg": "Write an ETag in its quotes, several with commas, or *."}]
        )
    if header == "*":
        return None
    if etag(stored) not in _tags(header):
        raise _stale(stored)
    return stored.updated_at


def _tags(header: str) -> list[str]:
    """The validators of If-Match or If-None-Match; ours have no comma inside."""
    return [tag.strip() for tag in header.split(",")]


def _stale(stored: Product) -> InTheWay:
    return InTheWay("Somebody changed this product in the meantime.", 412, stored=edits.as_json(stored))


def _refuse_taken(problem: edits.SkuTaken) -> NoReturn:
    errors = [{"pointer": "/sku", "detail": str(problem)}]
    raise InTheWay(str(problem), errors=errors, stored=edits.as_json(problem.product)) from None
