from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0002_no_overlap"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="person",
            options={"verbose_name_plural": "people"},
        ),
    ]
