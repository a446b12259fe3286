"""What templates say of products and their Changes. `{% load products %}`"""

from typing import Any

from django import template

from importer.changes import Field
from pages.differences import Piece, differences
from products.models import Product

register = template.Library()

#: A text up to this long is shown whole, before and after.
SHORT = 60


@register.filter
def shown(value: Any) -> str:
    """A value of a product as people read it; blank for text that is empty or not known."""
    if isinstance(value, bool):
        return "active" if value else "inactive"
    return "" if value is None else str(value)


@register.filter
def pieces(field: Field) -> list[Piece]:
    """What a Change did to a long text, word by word; nothing for a short one, or where one side is not known."""
    before, after = field.before, field.after
    if not isinstance(before, str) or not isinstance(after, str) or max(len(before), len(after)) <= SHORT:
        return []
    return differences(before, after)


@register.filter
def was_other(field: Field, product: Product | None) -> bool:
    """True when restoring what the field was before would change the product."""
    return product is not None and getattr(product, field.name) != field.before


@register.filter
def label(name: str) -> str:
    """A field of a product in a sentence."""
    return {"sku": "SKU", "active": "state"}.get(name, name)
