"""People's turns are ordered by the ticks of their requests' last claims, and no longer by a counter of their own."""

from django.db import migrations, models

FILL = """
UPDATE portal_request SET claimed_tick = (
    SELECT max(attempt.claimed_tick) FROM portal_attempt attempt WHERE attempt.request_id = portal_request.id
) WHERE EXISTS (SELECT 1 FROM portal_attempt attempt WHERE attempt.request_id = portal_request.id)
"""


class Migration(migrations.Migration):
    dependencies = [("portal", "0002_beyond_tables")]
    operations = [
        migrations.AddField(
            model_name="request",
            name="claimed_tick",
            field=models.PositiveBigIntegerField(
                default=0, help_text="The key's tick when it was last claimed: people's turns are ordered by it."
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(
                models.F("requester"),
                models.OrderBy(models.F("claimed_tick"), descending=True),
                condition=models.Q(("claimed_tick__gt", 0)),
                name="request_turn",
            ),
        ),
        migrations.RemoveField(model_name="user", name="last_turn"),
        migrations.RemoveField(model_name="key", name="turn"),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
