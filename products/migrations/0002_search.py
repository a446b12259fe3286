from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations

# icontains compares UPPER(column) on PostgreSQL, so that is what the trigram indexes hold. A stored tsvector has
# statistics of its words; an index on the expression alone has none, and made the planner walk the primary key (5 s).
FORWARD = """
ALTER TABLE products_product ADD COLUMN description_words tsvector
    GENERATED ALWAYS AS (to_tsvector('simple', description)) STORED;
CREATE INDEX product_sku_trgm ON products_product USING gin (upper(sku) gin_trgm_ops) WITH (gin_pending_list_limit = 32768);
CREATE INDEX product_name_trgm ON products_product USING gin (upper(name) gin_trgm_ops) WITH (gin_pending_list_limit = 32768);
CREATE INDEX product_words_gin ON products_product USING gin (description_words) WITH (gin_pending_list_limit = 32768);
"""

BACKWARD = """
DROP INDEX product_sku_trgm;
DROP INDEX product_name_trgm;
ALTER TABLE products_product DROP COLUMN description_words;
"""


def forward(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FORWARD)


def backward(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(BACKWARD)


class Migration(migrations.Migration):
    dependencies = [("products", "0001_catalogue")]

    operations = [TrigramExtension(), migrations.RunPython(forward, backward)]
