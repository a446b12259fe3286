import django.utils.timezone
from django.db import migrations, models

import importer.values


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Contact",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(blank=True, max_length=255)),
                ("phone", importer.values.ByteOrdered(max_length=24)),
                ("email", importer.values.ByteOrdered(blank=True, max_length=254, verbose_name="e-mail")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("closed_until", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["phone", "created_at"], name="contact_phone"),
                    models.Index(fields=["email", "created_at"], name="contact_email"),
                    models.Index(fields=["created_at", "id"], name="contact_created"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Person",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(blank=True, max_length=255)),
                ("email", models.CharField(max_length=254, verbose_name="e-mail")),
                ("email_key", importer.values.KeyField(max_length=762)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "indexes": [models.Index(fields=["created_at", "id"], name="person_created")],
                "constraints": [models.UniqueConstraint(fields=("email_key",), name="person_email_key_unique")],
            },
        ),
    ]
