import django.utils.timezone
from django.db import migrations, models

import importer.values


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="StudentAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200)),
                ("address", models.CharField(blank=True, max_length=500)),
                ("discipline", models.CharField(blank=True, max_length=100)),
                ("cgpa", models.DecimalField(decimal_places=2, max_digits=4, verbose_name="CGPA")),
                ("date_recorded", models.DateField()),
                ("answer_key", importer.values.ByteOrdered(editable=False, max_length=650)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "indexes": [models.Index(fields=["date_recorded", "id"], name="student_answer_date")],
                "constraints": [models.UniqueConstraint(fields=("answer_key",), name="student_answer_key_unique")],
            },
        ),
    ]
