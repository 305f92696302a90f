"""A request may say what its new workspace is to be called."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("portal", "0009_words_for_fine")]
    operations = [
        migrations.AddField(
            model_name="request",
            name="workspace_name",
            field=models.CharField(
                blank=True,
                default="",
                help_text="What the new workspace is to be called. AgentStation does not see it.",
                max_length=60,
            ),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.CheckConstraint(
                condition=models.Q(("workspace_uid", ""), ("workspace_name", ""), _connector="OR"),
                name="request_names_new_workspace",
            ),
        ),
    ]
