"""A product of the catalogue, known by its SKU without regard to case."""

from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone

from importer.values import KeyField, fold


def sku_key(sku: str) -> str:
    """What makes two SKUs the same: NFC(casefold(NFC(trimmed))), without invisible characters.

    Import, form and API all call this one function, and no database folds by itself: they disagree about É.
    """
    return fold(sku)


class Product(models.Model):
    SKU_LENGTH = 100
    NAME_LENGTH = 255
    DESCRIPTION_LENGTH = 50_000

    sku = models.CharField("SKU", max_length=SKU_LENGTH)
    sku_key = KeyField(of="sku", folded_by=sku_key, max_length=3 * SKU_LENGTH)
    name = models.CharField(max_length=NAME_LENGTH)
    description = models.TextField(blank=True)
    active = models.BooleanField(default=True, db_default=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sku_key"], name="product_sku_key_unique")]
        indexes = [
            # The orders of the list, besides the one by SKU; id tells equal ones apart.
            models.Index(Upper("name"), "id", name="product_name_order"),
            models.Index(fields=["updated_at", "id"], name="product_changed_order"),
            # Mostly few products are inactive; where many are, they need no index.
            models.Index(fields=["id"], condition=models.Q(active=False), name="product_inactive"),
        ]

    # PostgreSQL also has description_words (a stored tsvector) and the search indexes: migrations 0002 and 0003.

    def __str__(self) -> str:
        return self.sku
