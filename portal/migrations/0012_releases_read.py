"""A person is told once of a release of somebody else's, in whichever browser they are."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("portal", "0011_nightly_check")]
    operations = [
        migrations.AddField(
            model_name="user",
            name="last_read_release",
            field=models.BigIntegerField(db_default=0, default=0, editable=False),
        ),
    ]
