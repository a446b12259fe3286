"""What people do to products, by page or by program: each verb is one transaction with its Change and its event."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from accounts import audit
from accounts.models import User
from importer import changes
from importer.loaders.sql import was_deadlocked
from importer.models import Change
from products.datasets import PRODUCTS
from products.models import Product, sku_key
from webhooks import outbox
from webhooks.event_types import declare

FIELDS = ("sku", "name", "description", "active")

PRODUCT_CREATED = declare("product.created", "A product was created by hand")
PRODUCT_UPDATED = declare("product.updated", "A product was changed by hand")
PRODUCT_DELETED = declare("product.deleted", "A product was deleted by hand")
PRODUCTS_CLEARED = declare("products.cleared", "All products were deleted")


class EditProblem(Exception):
    """Why an edit was not made; nothing was changed. The text is a sentence."""


class SkuTaken(EditProblem):
    """Another product has the SKU, in whatever letter case."""

    def __init__(self, product: Product) -> None:
        self.product = product
        super().__init__(f"The SKU {product.sku} is taken.")


class Conflict(EditProblem):
    """Somebody changed the product since it was looked at; `stored` is what they made of it."""

    def __init__(self, stored: Product) -> None:
        self.stored = stored
        super().__init__("Somebody else changed this product in the meantime.")


class Gone(EditProblem):
    """The product, or what was to be restored, is not there any more."""


def create(values: Mapping[str, Any], person: User | None) -> Product:
    """Make a product of clean `values` (all of FIELDS). Raises SkuTaken."""
    product = Product(**values)
    product.created_at = product.updated_at = timezone.now()
    with transaction.atomic():
        _save(product, force_insert=True)
        _record_created(product, person)
    return product


def change(pk: int, values: Mapping[str, Any], person: User | None, seen: datetime | None = None) -> Product:
    """Set clean `values` (some of FIELDS) and return the product; one that already has them is left alone.

    `seen` is the product's `updated_at` when the person looked at it. Raises Conflict when it has been changed since, Gone,
    SkuTaken. Without `seen`, only the given fields are at stake.
    """
    with transaction.atomic():
        product = _locked(pk)
        before = {name: getattr(product, name) for name in values if getattr(product, name) != values[name]}
        if not before:
            return product
        if seen is not None and product.updated_at != seen:
            raise Conflict(product)
        old_stamp = product.updated_at
        after = {name: values[name] for name in before}
        for name, value in after.items():
            setattr(product, name, value)
        product.updated_at = _after(old_stamp)
        _save(product, update_fields=[*after, "sku_key", "updated_at"])
        stamped = {"updated_at": old_stamp.isoformat(), **before}
        changes.record(PRODUCTS.name, pk, Change.Kind.UPDATED, person, product.updated_at, before=stamped, after=after)
        _tell(PRODUCT_UPDATED, product, before, after)
    return product


def delete(pk: int, person: User | None, seen: datetime | None = None) -> Product:
    """Delete a product and return what it was; it can be restored. Raises Conflict, Gone."""
    with transaction.atomic():
        product = _locked(pk)
        if seen is not None and product.updated_at != seen:
            raise Conflict(product)
        before = {name: getattr(product, name) for name in FIELDS}
        Product.objects.filter(pk=pk).delete()
        stamps = {"created_at": product.created_at.isoformat(), "updated_at": product.updated_at.isoformat()}
        changes.record(PRODUCTS.name, pk, Change.Kind.DELETED, person, timezone.now(), before=before | stamps)
        _tell(PRODUCT_DELETED, product, before, {})
    return product


def restore_field(pk: int, change_id: int, field: str, person: User | None) -> Product:
    """Give one field the value that it had before a Change. Raises Gone, SkuTaken."""
    found = Change.objects.filter(dataset=PRODUCTS.name, row_id=pk, pk=change_id, kind=Change.Kind.UPDATED).first()
    before = found.before if found else None
    if not before or field not in FIELDS or field not in before:
        raise Gone("This old value is not kept any more.")
    return change(pk, {field: before[field]}, person)


def restore_deleted(pk: int, person: User | None, values: Mapping[str, Any] | None = None) -> Product:
    """Bring back a product that a person deleted, under its old number; clean `values` take the place of its old ones.

    One that is there already is returned as it is. Raises Gone when nothing is kept of it, SkuTaken.
    """
    with transaction.atomic():
        last = changes.latest(PRODUCTS.name, pk, lock=True)
        if (there := Product.objects.filter(pk=pk).first()) is not None:
            return there
        if last is None or last.kind != Change.Kind.DELETED or not last.before:
            raise Gone("Nothing is kept of this product that could be restored.")
        product = Product(pk=pk, **{name: last.before[name] for name in FIELDS} | dict(values or {}))
        product.created_at = datetime.fromisoformat(last.before["created_at"])
        product.updated_at = _after(datetime.fromisoformat(last.before["updated_at"]))
        _save(product, force_insert=True)
        _record_created(product, person)
    return product


def clear(person: User | None) -> int:
    """Delete all products; returns how many. Raises importer.changes.Busy while an import is changing them."""
    with transaction.atomic():
        rows = changes.clear(PRODUCTS, person)
        audit.record(audit.Kind.CLEARED, person, f"{rows:,} products")
        outbox.record(PRODUCTS_CLEARED, {"deleted": rows}, {"deleted": rows})
    return rows


def as_json(product: Product) -> dict[str, Any]:
    """A product as events and the API show it."""
    names = ("id", *FIELDS, "created_at", "updated_at")
    return {name: getattr(product, name) for name in names}


def _locked(pk: int) -> Product:
    product = Product.objects.select_for_update().filter(pk=pk).first()
    if product is None:
        raise Gone("This product is not there any more; somebody deleted it.")
    return product


def _after(stamp: datetime) -> datetime:
    """Now, and later than `stamp` in any case, so that `updated_at` tells one state of a row from the next."""
    return max(timezone.now(), stamp + timedelta(microseconds=1))


def _save(product: Product, **how: Any) -> None:
    try:
        with transaction.atomic():
            product.save(**how)
    except (IntegrityError, OperationalError) as problem:
        # Two who swap their SKUs wait for each other, and the database lets one of them go on.
        if isinstance(problem, OperationalError) and not was_deadlocked(problem):
            raise
        taken = Product.objects.filter(sku_key=sku_key(product.sku)).first()
        if taken is None:
            raise
        raise SkuTaken(taken) from None


def _record_created(product: Product, person: User | None) -> None:
    after = {name: getattr(product, name) for name in FIELDS}
    changes.record(PRODUCTS.name, product.pk, Change.Kind.CREATED, person, product.updated_at, after=after)
    _tell(PRODUCT_CREATED, product, {}, after)


def _tell(event_type: str, product: Product, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    full = {"product": as_json(product), "before": before, "after": after}
    short = {
        "product": {"id": product.pk, "sku": product.sku},
        "changed": sorted(before.keys() | after.keys()),
        "url": f"{settings.LOADIFY_URL}/api/v1/products/{product.pk}",
    }
    outbox.record(event_type, full, short)
