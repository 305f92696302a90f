"""Nobody has to acknowledge what differs from the contract; only days of which nothing is open are counted."""

from django.db import migrations, models


def _delete_open_days(apps, schema_editor):
    rows = apps.get_model("portal", "DailyCount").objects
    days = list(rows.filter(has_open=True).values_list("day", flat=True))
    rows.filter(day__in=days, is_final=False).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0012_releases_read"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="notice",
            name="notice_acknowledged_by_somebody",
        ),
        migrations.RemoveIndex(
            model_name="notice",
            name="notice_open",
        ),
        migrations.AlterField(
            model_name="event",
            name="verb",
            field=models.CharField(
                choices=[
                    ("submit", "submitted"),
                    ("claim", "claimed"),
                    ("response", "responded"),
                    ("late-response", "responded late"),
                    ("deadline-passed", "deadline passed"),
                    ("worker-died", "worker died"),
                    ("give-up", "waited too long"),
                    ("cancel", "cancelled"),
                    ("request-cancel", "cancellation requested"),
                    ("close", "closed"),
                    ("adopt", "adopted"),
                    ("not-created", "resolved: not created"),
                    ("reconcile", "reconciled"),
                    ("needs-review", "needs review"),
                    ("refuse-workspace", "workspace refused"),
                    ("pause", "key paused"),
                    ("resume", "key resuming"),
                    ("activate", "key active again"),
                    ("probe", "key probed"),
                    ("first-key", "first key accepted"),
                    ("ask-account", "asked which account the key belongs to"),
                    ("confirm-key", "key confirmed"),
                    ("withdraw-key", "key no longer accepted"),
                    ("note-sharing", "key is used elsewhere"),
                    ("clear-sharing", "key is not used elsewhere"),
                    ("baseline-scan", "first scan"),
                    ("change-types", "types changed"),
                    ("request-release", "release requested"),
                    ("released", "released"),
                    ("open-connection", "connection opened"),
                    ("end-connection", "connection ended"),
                    ("share", "shared"),
                    ("end-share", "sharing ended"),
                    ("give-workspace", "workspace given an owner"),
                    ("name-workspace", "workspace named"),
                    ("ended", "ended"),
                    ("begin-doubt", "in doubt"),
                    ("clear-doubt", "no longer in doubt"),
                    ("declare-ended", "declared ended"),
                    ("reopen", "active again"),
                    ("disown", "declared not ours"),
                    ("leave-out", "left out of scans"),
                    ("release-orphan", "unassigned workstation released"),
                    ("stray-response", "response of no known attempt"),
                    ("restore", "backup restored"),
                    ("restored", "restored"),
                    ("database-changed", "database changed"),
                    ("confirm-database", "database confirmed"),
                    ("clock-step", "clock stepped"),
                    ("settings", "settings changed"),
                    ("notice", "API change noticed"),
                    ("sign-in", "signed in"),
                    ("sign-in-failed", "sign-in failed"),
                    ("sign-in-blocked", "sign-in blocked"),
                    ("sign-out", "signed out"),
                    ("end-sessions", "sessions ended"),
                    ("set-up", "set up"),
                    ("change-password", "password changed"),
                    ("set-time-zone", "time zone changed"),
                    ("add-person", "person added"),
                    ("change-person", "person changed"),
                    ("make-link", "sign-in link made"),
                    ("use-link", "sign-in link used"),
                    ("add-group", "group added"),
                    ("change-group", "group changed"),
                    ("delete-group", "group deleted"),
                    ("checked", "audit log checked"),
                    ("evidence", "audit bundle downloaded"),
                    ("refused", "refused"),
                    ("export", "exported"),
                    ("prune", "pruned"),
                ],
                max_length=32,
            ),
        ),
        migrations.AlterField(
            model_name="notice",
            name="example",
            field=models.TextField(
                help_text="The first response that had it, shortened, without addresses and secrets."
            ),
        ),
        migrations.RemoveField(
            model_name="notice",
            name="acknowledged_at",
        ),
        migrations.RemoveField(
            model_name="notice",
            name="acknowledged_by",
        ),
        migrations.DeleteModel(name="MonthlyCount"),
        migrations.RunPython(_delete_open_days, migrations.RunPython.noop),
        migrations.RemoveField(
            model_name="dailycount",
            name="has_open",
        ),
        migrations.RemoveField(
            model_name="dailycount",
            name="open_numbers",
        ),
    ]
