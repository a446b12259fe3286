from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_roles_tokens_audit"),
    ]

    operations = [
        migrations.AlterField(
            model_name="auditentry",
            name="kind",
            field=models.CharField(
                choices=[
                    ("signed_in", "Signed in"),
                    ("sign_in_failed", "Failed to sign in"),
                    ("signed_out", "Signed out"),
                    ("password_changed", "Changed the password"),
                    ("second_factor", "Changed the second factor"),
                    ("person_added", "Added a person"),
                    ("link_made", "Made a link to set a password"),
                    ("role_changed", "Changed a role"),
                    ("person_switched", "Let a person in or kept one out"),
                    ("token_made", "Made a token"),
                    ("token_revoked", "Revoked a token"),
                    ("token_used", "Used a token"),
                    ("cleared", "Deleted all rows"),
                    ("undone", "Undid an import"),
                    ("erased", "Erased a person's data"),
                    ("maintenance", "Opened or closed the site"),
                ],
                max_length=20,
            ),
        ),
    ]
