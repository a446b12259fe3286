from django.db import migrations

# The indexes of the orders carry what a search looks at, so that a walk along an order reads the index alone: a row of
# the table is ten times as wide, and the next one in the order lies on another page (docs/decisions/0011). Other databases
# have the plain indexes that the model says.
CARRIED = "INCLUDE (sku, name, active)"

# Blanks, hyphens and the end become qq, and q itself q0. Blanks and hyphens were x, which made every "-l" look like the
# size xl. After qq comes a letter, after a real q never one but 0, so nothing else looks like "-l" now.
LETTERS = r"""
CREATE OR REPLACE FUNCTION product_letters(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        -- Most texts take the short way, which costs a third.
        WHEN upper($1) COLLATE "C" ~ '^[A-Z0-9 .-]*$'
        THEN replace(replace(translate(lower(upper($1) COLLATE "C"), ' .-', '_j_'), 'q', 'q0'), '_', 'qq')
        ELSE regexp_replace(
            replace(lower(encode(decode(translate(
                upper($1), '.!"#$%&''()*+,/:;<=>?@[\]^_`{|}~', 'JÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝ'
            ), 'escape'), 'escape') COLLATE "C"), 'q', 'q0'), '[^a-z0-9]', 'qq', 'g')
    END;

CREATE OR REPLACE FUNCTION product_trigrams(sku text, name text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
    -- With the blank at the end the last letter is the beginning of a trigram, too.
    RETURN array_to_tsvector(show_trgm(product_letters(sku || ' ' || name || ' ')));
"""

LETTERS_BEFORE = r"""
CREATE OR REPLACE FUNCTION product_letters(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN upper($1) COLLATE "C" ~ '^[A-Z0-9 .-]*$' THEN translate(lower(upper($1) COLLATE "C"), ' .-', 'xjx')
        ELSE regexp_replace(
            lower(encode(decode(translate(
                upper($1), '.!"#$%&''()*+,/:;<=>?@[\]^_`{|}~', 'JÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝ'
            ), 'escape'), 'escape') COLLATE "C"), '[^a-z0-9]', 'x', 'g')
    END;

CREATE OR REPLACE FUNCTION product_trigrams(sku text, name text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN array_to_tsvector(show_trgm(product_letters(sku || ' ' || name) || 'x'));
"""

# What an index holds was made by the functions as they were, so it is made again. Exclusive locks come last: they keep
# readers out until the end of the transaction.
INDEXES = """
CREATE INDEX product_trigrams_new ON products_product USING gin (product_trigrams(sku, name)) WITH (gin_pending_list_limit = 32768);
CREATE UNIQUE INDEX product_sku_key_new ON products_product (sku_key) {carried_with_id};
CREATE INDEX product_name_new ON products_product (upper(name), id) {carried};
CREATE INDEX product_changed_new ON products_product (updated_at, id) {carried};
DROP INDEX IF EXISTS product_trigrams_gin;
ALTER INDEX product_trigrams_new RENAME TO product_trigrams_gin;
ALTER TABLE products_product DROP CONSTRAINT product_sku_key_unique;
ALTER TABLE products_product ADD CONSTRAINT product_sku_key_unique UNIQUE USING INDEX product_sku_key_new;
DROP INDEX IF EXISTS product_name_order;
ALTER INDEX product_name_new RENAME TO product_name_order;
DROP INDEX IF EXISTS product_changed_order;
ALTER INDEX product_changed_new RENAME TO product_changed_order;
"""


def change(schema_editor, letters, carried):
    if schema_editor.connection.vendor == "postgresql":
        indexes = INDEXES.format(carried=carried, carried_with_id=carried.replace("(", "(id, "))
        # Without parameters, because the texts hold percent signs.
        for statement in (letters, indexes):
            schema_editor.execute(statement, params=None)


def forward(apps, schema_editor):
    change(schema_editor, LETTERS, CARRIED)


def backward(apps, schema_editor):
    change(schema_editor, LETTERS_BEFORE, "")


class Migration(migrations.Migration):
    dependencies = [("products", "0003_trigrams")]

    operations = [migrations.RunPython(forward, backward)]
