"""An event is signed as a whole, with its changes; a seal holds ranges and one digest; a tombstone is signed.

`migrate` lets no database get here that has events of the former form.
"""

from django.db import migrations, models
from django.db.models import F

from portal.models import canonical_json


class Migration(migrations.Migration):
    dependencies = [("portal", "0013_drift_and_usage")]
    operations = [
        migrations.AlterField(
            model_name="event",
            name="detail",
            field=canonical_json.CanonicalJSONField(blank=True, default=dict),
        ),
        migrations.AlterField(
            model_name="change",
            name="columns",
            field=canonical_json.CanonicalJSONField(
                default=dict, help_text="Of each column what was there before, and after."
            ),
        ),
        migrations.RemoveIndex(model_name="change", name="change_by_row"),
        migrations.RemoveField(model_name="change", name="as_of"),
        migrations.RemoveField(model_name="change", name="signature"),
        migrations.AlterField(
            model_name="change",
            name="act",
            field=models.CharField(
                choices=[("ADDED", "added"), ("CHANGED", "changed"), ("REMOVED", "removed")], max_length=8
            ),
        ),
        migrations.AddIndex(
            model_name="change", index=models.Index(F("kind"), F("row_id"), F("event_id"), name="change_by_row")
        ),
        migrations.RemoveField(model_name="seal", name="marks"),
        migrations.AddField(
            model_name="seal",
            name="ids",
            field=models.JSONField(default=list, help_text="Of its events, as ranges."),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="seal",
            name="signatures",
            field=models.CharField(default="", help_text="The SHA-256 of its events' signatures.", max_length=64),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="tombstone",
            name="ids",
            field=models.JSONField(blank=True, default=list, help_text="Of each; of events as ranges."),
        ),
        migrations.AddField(
            model_name="tombstone",
            name="kept",
            field=models.JSONField(blank=True, default=list, help_text="Events of those seals that stay, as ranges."),
        ),
        migrations.AddField(
            model_name="tombstone", name="seal_number", field=models.BigIntegerField(default=0)
        ),
        migrations.AddField(
            model_name="tombstone",
            name="seal_digest",
            field=models.CharField(blank=True, default="", max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="tombstone",
            name="signature",
            field=models.CharField(default="", help_text="Of all this, with the audit key.", max_length=48),
            preserve_default=False,
        ),
    ]
