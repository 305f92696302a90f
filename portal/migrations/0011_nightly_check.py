"""The audit log is verified by one job each night; what was found before is in its events."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

_VERBS = [('submit', 'submitted'), ('claim', 'claimed'), ('response', 'responded'), ('late-response', 'responded late'), ('deadline-passed', 'deadline passed'), ('worker-died', 'worker died'), ('give-up', 'waited too long'), ('cancel', 'cancelled'), ('request-cancel', 'cancellation requested'), ('close', 'closed'), ('adopt', 'adopted'), ('not-created', 'resolved: not created'), ('reconcile', 'reconciled'), ('needs-review', 'needs review'), ('refuse-workspace', 'workspace refused'), ('pause', 'key paused'), ('resume', 'key resuming'), ('activate', 'key active again'), ('probe', 'key probed'), ('first-key', 'first key accepted'), ('ask-account', 'asked which account the key belongs to'), ('confirm-key', 'key confirmed'), ('withdraw-key', 'key no longer accepted'), ('note-sharing', 'key is used elsewhere'), ('clear-sharing', 'key is not used elsewhere'), ('baseline-scan', 'first scan'), ('change-types', 'types changed'), ('request-release', 'release requested'), ('released', 'released'), ('open-connection', 'connection opened'), ('end-connection', 'connection ended'), ('share', 'shared'), ('end-share', 'sharing ended'), ('give-workspace', 'workspace given an owner'), ('name-workspace', 'workspace named'), ('ended', 'ended'), ('begin-doubt', 'in doubt'), ('clear-doubt', 'no longer in doubt'), ('declare-ended', 'declared ended'), ('reopen', 'active again'), ('disown', 'declared not ours'), ('leave-out', 'left out of scans'), ('release-orphan', 'unassigned workstation released'), ('stray-response', 'response of no known attempt'), ('restore', 'backup restored'), ('restored', 'restored'), ('database-changed', 'database changed'), ('confirm-database', 'database confirmed'), ('clock-step', 'clock stepped'), ('settings', 'settings changed'), ('notice', 'API change noticed'), ('acknowledge', 'API change reviewed'), ('sign-in', 'signed in'), ('sign-in-failed', 'sign-in failed'), ('sign-in-blocked', 'sign-in blocked'), ('sign-out', 'signed out'), ('end-sessions', 'sessions ended'), ('set-up', 'set up'), ('change-password', 'password changed'), ('set-time-zone', 'time zone changed'), ('add-person', 'person added'), ('change-person', 'person changed'), ('make-link', 'sign-in link made'), ('use-link', 'sign-in link used'), ('add-group', 'group added'), ('change-group', 'group changed'), ('delete-group', 'group deleted'), ('checked', 'audit log checked'), ('evidence', 'audit bundle downloaded'), ('refused', 'refused'), ('export', 'exported'), ('prune', 'pruned')]


class Migration(migrations.Migration):
    dependencies = [("portal", "0010_workspace_names")]
    operations = [
        migrations.DeleteModel(name="Finding"),
        migrations.DeleteModel(name="LogCheck"),
        migrations.CreateModel(
            name="LogCheck",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                (
                    "asked_at",
                    models.DateTimeField(blank=True, help_text="Of a check that has not ended yet.", null=True),
                ),
                (
                    "begun_at",
                    models.DateTimeField(
                        blank=True, help_text="Of the check under way, or of the last.", null=True
                    ),
                ),
                (
                    "ended_at",
                    models.DateTimeField(
                        blank=True, help_text="Of the last check that came to its end.", null=True
                    ),
                ),
                (
                    "counts",
                    models.JSONField(
                        default=dict, help_text="What the last check verified, and how much it found."
                    ),
                ),
                (
                    "findings",
                    models.JSONField(default=list, help_text="The first things it found, as sentences."),
                ),
                (
                    "asked_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="log_check_is_one"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("asked_at", None), ("asked_by", None)),
                            models.Q(("asked_at__isnull", False), ("asked_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="log_check_asked_by_somebody",
                    ),
                ],
            },
        ),
        migrations.AlterField(
            model_name="event", name="verb", field=models.CharField(choices=_VERBS, max_length=32)
        ),
    ]
