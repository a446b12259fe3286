from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0002_tallies"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="delivery",
            options={"verbose_name_plural": "deliveries"},
        ),
        migrations.AlterModelOptions(
            name="tally",
            options={"verbose_name_plural": "tallies"},
        ),
    ]
