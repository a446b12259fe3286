from django.db import migrations, models


def forward(apps, schema_editor):
    """The latest edits of people are listed by number."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("CREATE INDEX importer_change_people_id ON importer_change_people (id)")


def backward(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX importer_change_people_id")


class Migration(migrations.Migration):
    dependencies = [("importer", "0001_engine")]

    operations = [
        migrations.AlterField(
            "change",
            "kind",
            models.CharField(choices=[("c", "created"), ("u", "updated"), ("d", "deleted"), ("x", "cleared")], max_length=1),
        ),
        migrations.RunPython(forward, backward),
    ]
