from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("importer", "0009_privacy"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="countedtally",
            options={"verbose_name_plural": "counted tallies"},
        ),
        migrations.AlterModelOptions(
            name="held",
            options={"verbose_name_plural": "held rows"},
        ),
        migrations.AlterModelOptions(
            name="inbox",
            options={"verbose_name_plural": "inbox"},
        ),
        migrations.AlterModelOptions(
            name="tally",
            options={"verbose_name_plural": "tallies"},
        ),
    ]
