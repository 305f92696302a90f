"""The row of a connection is there before the provider is asked to open it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("portal", "0007_limits")]
    operations = [
        migrations.AddField(model_name="connection", name="is_opening", field=models.BooleanField(default=False)),
        migrations.AddIndex(
            model_name="connection", index=models.Index(models.F("opened_at"), name="connection_by_time")
        ),
    ]
