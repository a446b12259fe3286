from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("importer", "0004_staged_rows"),
    ]

    operations = [
        migrations.AddField(
            model_name="import",
            name="mail_not_before",
            field=models.DateTimeField(null=True),
        ),
    ]
