"""One table for all that is limited, in place of sign-in's own: what was counted there lasts a day at most."""

import portal.models.clock
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("portal", "0006_workstations_by_length")]
    operations = [
        migrations.CreateModel(
            name="Limit",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "kind", "who", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=16)),
                ("who", models.CharField(max_length=64)),
                ("count", models.PositiveIntegerField(default=0)),
                ("at", models.DateTimeField(db_default=portal.models.clock.Now())),
                ("blocked_until", models.DateTimeField(blank=True, null=True)),
                ("left_out", models.PositiveIntegerField(default=0)),
            ],
            options={"indexes": [models.Index(models.F("at"), name="limit_by_time")]},
        ),
        migrations.DeleteModel(name="SignInThrottle"),
    ]
