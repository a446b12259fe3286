import django.db.models.functions.text
from django.db import migrations, models

# What a search finds a piece of a SKU or name by, two letters and one letter included (docs/decisions/0011). Both sides of
# the comparison are made here, by the same functions, so what the database's locale does to letters cannot part them.
#
# product_letters spells a text in a-z and 0-9: blanks and hyphens become x, dots j, other marks and alphabets the digits of their
# bytes in UTF-8; a mark passes as a letter of Latin-1 to get there. The bodies are parsed once (RETURN), so that they work
# with any search_path, as in a restored dump.
FUNCTIONS = r"""
CREATE FUNCTION product_letters(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        -- Most texts take the short way, which costs a third.
        WHEN upper($1) COLLATE "C" ~ '^[A-Z0-9 .-]*$' THEN translate(lower(upper($1) COLLATE "C"), ' .-', 'xjx')
        ELSE regexp_replace(
            lower(encode(decode(translate(
                upper($1), '.!"#$%&''()*+,/:;<=>?@[\]^_`{|}~', 'JÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝ'
            ), 'escape'), 'escape') COLLATE "C"), '[^a-z0-9]', 'x', 'g')
    END;

CREATE FUNCTION product_trigrams(sku text, name text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
    -- The x at the end makes the last letter the beginning of a trigram, too.
    RETURN array_to_tsvector(show_trgm(product_letters(sku || ' ' || name) || 'x'));

CREATE FUNCTION product_trigrams_query(term text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (
        SELECT CASE WHEN length(letters) < 3 THEN letters || ':*' ELSE (
            SELECT string_agg(DISTINCT substr(letters, place, 3), ' & ')
            FROM generate_series(1, length(letters) - 2) place) END::tsquery
        FROM product_letters(term) letters);

CREATE FUNCTION product_words_query(words text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE
    -- All words; of the last one, which may not be typed to its end, every part is the beginning of a word.
    RETURN plainto_tsquery('simple', regexp_replace(words, '\S+\s*$', ''))
        && replace(plainto_tsquery('simple', substring(words from '\S+\s*$'))::text || ' ', ''' ', ''':* ')::tsquery;
"""

# The old indexes go last: dropping one locks the table, readers included, until the end of the transaction.
FORWARD = """
CREATE INDEX product_trigrams_gin ON products_product USING gin (product_trigrams(sku, name)) WITH (gin_pending_list_limit = 32768);
DROP INDEX IF EXISTS product_sku_trgm;
DROP INDEX IF EXISTS product_name_trgm;
"""

BACKWARD = """
CREATE INDEX product_sku_trgm ON products_product USING gin (upper(sku) gin_trgm_ops) WITH (gin_pending_list_limit = 32768);
CREATE INDEX product_name_trgm ON products_product USING gin (upper(name) gin_trgm_ops) WITH (gin_pending_list_limit = 32768);
DROP INDEX IF EXISTS product_trigrams_gin;
DROP FUNCTION product_words_query;
DROP FUNCTION product_trigrams_query;
DROP FUNCTION product_trigrams;
DROP FUNCTION product_letters;
"""


def forward(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        # Without parameters, because the texts hold percent signs.
        schema_editor.execute(FUNCTIONS, params=None)
        schema_editor.execute(FORWARD)


def backward(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(BACKWARD)


class Migration(migrations.Migration):
    dependencies = [("products", "0002_search")]

    operations = [
        migrations.AddIndex(
            model_name="product",
            index=models.Index(django.db.models.functions.text.Upper("name"), models.F("id"), name="product_name_order"),
        ),
        migrations.AddIndex(
            model_name="product", index=models.Index(fields=["updated_at", "id"], name="product_changed_order")
        ),
        migrations.AddIndex(
            model_name="product",
            index=models.Index(condition=models.Q(active=False), fields=["id"], name="product_inactive"),
        ),
        migrations.RunPython(forward, backward),
    ]
