import django.contrib.auth.models
import django.contrib.auth.validators
import django.db.models.deletion
import django.utils.timezone
import portal.models.account
import portal.models.beginning
import portal.models.clock
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="Request",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "submission",
                    models.UUIDField(help_text="Names one filled-in form, so that sending it twice makes one request."),
                ),
                ("type", models.CharField(max_length=200)),
                (
                    "workspace_uid",
                    models.CharField(blank=True, help_text="The workspace asked for; empty: a new one.", max_length=64),
                ),
                (
                    "note",
                    models.CharField(blank=True, help_text="Stays here; AgentStation does not see it.", max_length=500),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("QUEUED", "Queued"),
                            ("SENDING", "Sending"),
                            ("SUCCEEDED", "Succeeded"),
                            ("FAILED", "Failed"),
                            ("UNKNOWN", "Checking"),
                            ("CANCELLED", "Cancelled"),
                        ],
                        default="QUEUED",
                        max_length=16,
                    ),
                ),
                (
                    "failure",
                    models.CharField(blank=True, help_text="Code of the failure that it ended in.", max_length=32),
                ),
                (
                    "attempt_count",
                    models.PositiveIntegerField(default=0, help_text="Attempts that count against the limit of tries."),
                ),
                ("created_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                (
                    "queued_at",
                    models.DateTimeField(
                        db_default=portal.models.clock.Now(), help_text="When it was last put into the queue."
                    ),
                ),
                (
                    "paused_seconds_before",
                    models.FloatField(default=0, help_text="The key's paused_seconds when it was queued."),
                ),
                ("next_attempt_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("took", models.FloatField(blank=True, help_text="Seconds from its receipt to its end.", null=True)),
                (
                    "was_unknown",
                    models.BooleanField(default=False, help_text="Whether its outcome was unknown at some time."),
                ),
                (
                    "cancel_requested_at",
                    models.DateTimeField(blank=True, help_text="Wanted while the outcome was unknown.", null=True),
                ),
                (
                    "operator_note",
                    models.CharField(
                        blank=True, help_text="Why a person has to decide what became of it.", max_length=300
                    ),
                ),
            ],
            options={
                "permissions": [
                    ("submit_request", "Can request workstations"),
                    ("close_request", "Can close requests whose outcome is unknown"),
                ],
            },
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "username",
                    models.CharField(
                        error_messages={"unique": "A user with that username already exists."},
                        help_text="Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.",
                        max_length=150,
                        unique=True,
                        validators=[django.contrib.auth.validators.UnicodeUsernameValidator()],
                        verbose_name="username",
                    ),
                ),
                ("first_name", models.CharField(blank=True, max_length=150, verbose_name="first name")),
                ("last_name", models.CharField(blank=True, max_length=150, verbose_name="last name")),
                ("email", models.EmailField(blank=True, max_length=254, verbose_name="email address")),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False,
                        help_text="Designates whether the user can log into this admin site.",
                        verbose_name="staff status",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Designates whether this user should be treated as active. Unselect this instead of deleting accounts.",
                        verbose_name="active",
                    ),
                ),
                ("date_joined", models.DateTimeField(default=django.utils.timezone.now, verbose_name="date joined")),
                (
                    "last_turn",
                    models.PositiveBigIntegerField(
                        default=0, help_text="The key's turn when a request of theirs was claimed."
                    ),
                ),
                (
                    "time_zone",
                    models.CharField(
                        blank=True, help_text="Of the times they see; empty: the portal's.", max_length=64
                    ),
                ),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "verbose_name": "person",
                "verbose_name_plural": "people",
                "permissions": [("see_all", "Can see everybody's requests and workstations")],
                "abstract": False,
            },
            managers=[
                ("objects", django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("base_url", models.URLField(max_length=500)),
                ("created_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                (
                    "retired_at",
                    models.DateTimeField(
                        blank=True, help_text="When an operator said that the key is another's.", null=True
                    ),
                ),
                (
                    "baseline_scan",
                    models.CharField(
                        choices=[
                            ("WANTED", "Not yet"),
                            ("BEGUN", "Under way"),
                            ("DONE", "Done"),
                            ("FAILED", "The lists could not be read"),
                        ],
                        default="WANTED",
                        max_length=8,
                    ),
                ),
                (
                    "salt",
                    models.CharField(
                        default=portal.models.account.make_salt,
                        help_text="Of the fingerprints of its keys.",
                        max_length=32,
                    ),
                ),
                (
                    "shared_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When a workstation was first seen that no attempt explains: the key is used elsewhere, too.",
                        null=True,
                    ),
                ),
                (
                    "longest_lag",
                    models.FloatField(
                        default=0,
                        help_text="Seconds for which the lists lacked a workstation that lived, at most, of late.",
                    ),
                ),
                ("longest_lag_at", models.DateTimeField(blank=True, null=True)),
                (
                    "lag_tick",
                    models.PositiveBigIntegerField(default=0, help_text="Up to which tick the lag has been measured."),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("http_status", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("error", models.TextField(blank=True, help_text="AgentStation's own word for the error.")),
                ("message", models.TextField(blank=True, help_text="AgentStation's own sentence.")),
                (
                    "response",
                    models.BinaryField(
                        blank=True, help_text="The response's body, at most its first 1 MiB.", null=True
                    ),
                ),
                ("number", models.PositiveIntegerField(help_text="1 for the request's first attempt.")),
                ("worker", models.CharField(help_text="Machine and process that made it.", max_length=200)),
                (
                    "token",
                    models.CharField(
                        blank=True,
                        help_text="Random: tells this attempt from another that was given its id.",
                        max_length=32,
                    ),
                ),
                ("claimed_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                (
                    "claimed_tick",
                    models.PositiveBigIntegerField(default=0, help_text="The key's tick when it was claimed."),
                ),
                (
                    "ended_tick",
                    models.PositiveBigIntegerField(
                        blank=True, help_text="The key's tick when its end was recorded.", null=True
                    ),
                ),
                (
                    "deadline_at",
                    models.DateTimeField(help_text="From then on the outcome is unknown, unless it was recorded."),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("SENDING", "Under way"),
                            ("SUCCEEDED", "Succeeded"),
                            ("FAILED", "Failed"),
                            ("UNKNOWN", "Checking"),
                            ("NOT_SENT", "Not sent"),
                        ],
                        default="SENDING",
                        max_length=16,
                    ),
                ),
                ("failure", models.CharField(blank=True, max_length=32)),
                ("key_fingerprint", models.CharField(blank=True, help_text="Of the key that it used.", max_length=16)),
                (
                    "names_taken",
                    models.BooleanField(
                        default=False,
                        help_text="The response named a workstation that belongs to another request, and an operator has to decide.",
                    ),
                ),
                ("retry_after", models.FloatField(blank=True, help_text="Seconds, as AgentStation asked.", null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Change",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "event_id", "position", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("event_id", models.BigIntegerField()),
                ("position", models.PositiveIntegerField(help_text="Among the changes of its event: 0, 1, 2 ...")),
                ("kind", models.CharField(help_text="Of the row.", max_length=32)),
                ("row_id", models.BigIntegerField()),
                (
                    "act",
                    models.CharField(
                        choices=[("ADDED", "added"), ("CHANGED", "changed"), ("REMOVED", "removed"), ("KEPT", "kept")],
                        max_length=8,
                    ),
                ),
                (
                    "as_of",
                    models.BigIntegerField(
                        help_text="The event after which it was so: an earlier one where that was pruned."
                    ),
                ),
                (
                    "columns",
                    models.JSONField(default=dict, help_text="Of each column what was there before, and after."),
                ),
                ("signature", models.CharField(help_text="Of all this, with the audit key.", max_length=48)),
            ],
        ),
        migrations.CreateModel(
            name="Connection",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("desktop", "Desktop"),
                            ("terminal", "Terminal"),
                            ("log", "Live log"),
                            ("vnc", "VNC address"),
                            ("cdp", "Browser address"),
                        ],
                        max_length=8,
                    ),
                ),
                ("is_view_only", models.BooleanField(default=False)),
                ("reason", models.TextField(blank=True, help_text="Why somebody else than its owner opened it.")),
                ("opened_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                (
                    "seen_at",
                    models.DateTimeField(
                        db_default=portal.models.clock.Now(), help_text="When its page last said that it is open."
                    ),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Credential",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "fingerprint",
                    models.CharField(help_text="Of base URL and key; tells nothing of them.", max_length=16),
                ),
                ("base_url", models.URLField(max_length=500)),
                (
                    "is_sandbox",
                    models.BooleanField(default=False, help_text="It reaches our imitation of AgentStation."),
                ),
                (
                    "asked_at",
                    models.DateTimeField(
                        db_default=portal.models.clock.Now(), help_text="When a process first came with it."
                    ),
                ),
                ("accepted_at", models.DateTimeField(blank=True, null=True)),
                (
                    "seen_at",
                    models.DateTimeField(blank=True, help_text="When a worker last showed that it has it.", null=True),
                ),
                ("seen_on", models.CharField(blank=True, help_text="That worker.", max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name="DailyCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "day",
                    models.DateField(
                        help_text="A day of the site's zone; requests belong to the day on which they were made."
                    ),
                ),
                ("zone", models.CharField(help_text="The site's zone when the day was counted.", max_length=64)),
                (
                    "counts",
                    models.JSONField(
                        default=dict, help_text="For each kind (status, type, ...) how many of each value."
                    ),
                ),
                (
                    "open_numbers",
                    models.JSONField(default=list, help_text="Requests that had not ended when the day was counted."),
                ),
                ("has_open", models.BooleanField(default=False)),
                (
                    "is_final",
                    models.BooleanField(
                        default=False,
                        help_text="Some of its requests were pruned: it is never counted again, in whatever zone.",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Database",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "identity",
                    models.CharField(
                        help_text="Random; a copy of the database has it too.", max_length=32, unique=True
                    ),
                ),
                (
                    "place",
                    models.CharField(
                        help_text="Where it was when it was last in use; a copy is elsewhere.", max_length=300
                    ),
                ),
                (
                    "timeline",
                    models.BigIntegerField(default=0, help_text="PostgreSQL's: another one after a replica took over."),
                ),
                (
                    "timeline_tick",
                    models.PositiveBigIntegerField(
                        default=0, help_text="The key's tick when the timeline was taken as it is."
                    ),
                ),
                (
                    "doubt",
                    models.CharField(
                        blank=True,
                        help_text="What changed, until an operator says what became of the database.",
                        max_length=32,
                    ),
                ),
                ("doubted_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_default=portal.models.clock.Now())),
                ("actor_id", models.BigIntegerField(blank=True, help_text="Empty: the portal itself.", null=True)),
                ("actor_name", models.CharField(blank=True, max_length=150)),
                (
                    "address",
                    models.CharField(blank=True, help_text="Where the actor's HTTP request came from.", max_length=45),
                ),
                (
                    "verb",
                    models.CharField(
                        choices=[
                            ("submit", "submitted"),
                            ("claim", "claimed"),
                            ("response", "responded"),
                            ("late-response", "responded late"),
                            ("deadline-passed", "deadline passed"),
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
                            ("note-sharing", "key is used elsewhere"),
                            ("baseline-scan", "first scan"),
                            ("change-types", "types changed"),
                            ("request-release", "release requested"),
                            ("released", "released"),
                            ("open-connection", "connection opened"),
                            ("end-connection", "connection ended"),
                            ("share", "shared"),
                            ("end-share", "sharing ended"),
                            ("name-workspace", "workspace named"),
                            ("ended", "ended"),
                            ("begin-doubt", "in doubt"),
                            ("clear-doubt", "no longer in doubt"),
                            ("declare-ended", "declared ended"),
                            ("reopen", "active again"),
                            ("disown", "declared not ours"),
                            ("release-orphan", "unassigned workstation released"),
                            ("stray-response", "response of no known attempt"),
                            ("restore", "backup restored"),
                            ("restored", "restored"),
                            ("database-changed", "database changed"),
                            ("confirm-database", "database confirmed"),
                            ("clock-step", "clock stepped"),
                            ("settings", "settings changed"),
                            ("notice", "API change noticed"),
                            ("acknowledge", "API change reviewed"),
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
                            ("finding", "finding in the audit log"),
                            ("acknowledge-finding", "finding acknowledged"),
                            ("evidence", "audit bundle downloaded"),
                            ("refused", "refused"),
                            ("export", "exported"),
                            ("prune", "pruned"),
                        ],
                        max_length=32,
                    ),
                ),
                ("target", models.CharField(help_text="Kind and name of what it was done to.", max_length=300)),
                (
                    "request_number",
                    models.BigIntegerField(blank=True, help_text="The request that it belongs to.", null=True),
                ),
                ("detail", models.JSONField(blank=True, default=dict)),
                ("reason", models.TextField(blank=True)),
                (
                    "http_request",
                    models.CharField(
                        blank=True,
                        db_default="",
                        help_text="Id of the HTTP request that did it: all that one click did has the same. Empty: no page did it.",
                        max_length=64,
                    ),
                ),
                (
                    "signature",
                    models.CharField(
                        blank=True,
                        db_default="",
                        help_text="Of all this and of what it changed, with the audit key.",
                        max_length=48,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="EventNumber",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("last", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="File",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField(blank=True, help_text="By AgentStation's clock.", null=True)),
                ("first_seen_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                ("raw", models.TextField(blank=True)),
                ("name", models.TextField(blank=True)),
                ("url", models.TextField(blank=True)),
                ("size", models.BigIntegerField(blank=True, help_text="Bytes.", null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Finding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=32)),
                ("what", models.CharField(max_length=200)),
                ("words", models.CharField(max_length=500)),
                ("found_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                ("acknowledged_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Key",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("ACTIVE", "Active"),
                            ("PAUSED", "Paused"),
                            ("RESUMING", "Resuming, one attempt at a time"),
                        ],
                        default="ACTIVE",
                        max_length=8,
                    ),
                ),
                (
                    "cause",
                    models.CharField(blank=True, help_text="Code of the failure that pauses the key.", max_length=32),
                ),
                ("paused_at", models.DateTimeField(blank=True, null=True)),
                (
                    "paused_until",
                    models.DateTimeField(
                        blank=True, help_text="Empty: until an operator or a probe ends it.", null=True
                    ),
                ),
                (
                    "pause_seconds",
                    models.FloatField(default=0, help_text="How long the pause lasts, where it has an end."),
                ),
                (
                    "operator_only",
                    models.BooleanField(default=False, help_text="No time and no probe ends this pause."),
                ),
                ("pause_ended_at", models.DateTimeField(blank=True, null=True)),
                ("paused_seconds", models.FloatField(default=0)),
                (
                    "consecutive_failures",
                    models.PositiveIntegerField(default=0, help_text="Of those that pause the key when several come."),
                ),
                (
                    "consecutive_pauses",
                    models.PositiveIntegerField(default=0, help_text="Timed pauses since the last success."),
                ),
                ("probes", models.PositiveIntegerField(default=0, help_text="Probes made in this pause.")),
                ("probe_at", models.DateTimeField(blank=True, help_text="When the next probe is due.", null=True)),
                ("resumed_by_probe", models.BooleanField(default=False)),
                (
                    "tick",
                    models.PositiveBigIntegerField(
                        default=0,
                        help_text="Raised by each claim, recorded end, end of a pause and scan: it orders them, no clock does.",
                    ),
                ),
                (
                    "resumed_tick",
                    models.PositiveBigIntegerField(
                        default=0,
                        help_text="The tick at which the last pause ended. Attempts claimed before do not count.",
                    ),
                ),
                (
                    "turn",
                    models.PositiveBigIntegerField(
                        default=0, help_text="Counts claims; people's turns are ordered by it."
                    ),
                ),
            ],
            options={
                "permissions": [("resume_key", "Can resume the key after a pause")],
            },
        ),
        migrations.CreateModel(
            name="LateResponse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("http_status", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("error", models.TextField(blank=True, help_text="AgentStation's own word for the error.")),
                ("message", models.TextField(blank=True, help_text="AgentStation's own sentence.")),
                (
                    "response",
                    models.BinaryField(
                        blank=True, help_text="The response's body, at most its first 1 MiB.", null=True
                    ),
                ),
                ("came_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("SENDING", "Under way"),
                            ("SUCCEEDED", "Succeeded"),
                            ("FAILED", "Failed"),
                            ("UNKNOWN", "Checking"),
                            ("NOT_SENT", "Not sent"),
                        ],
                        max_length=16,
                    ),
                ),
                ("failure", models.CharField(blank=True, max_length=32)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("name", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("holder", models.CharField(max_length=200)),
                ("token", models.PositiveBigIntegerField(default=0)),
                ("expires_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Log",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField(blank=True, help_text="By AgentStation's clock.", null=True)),
                ("first_seen_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                ("raw", models.TextField(blank=True)),
                ("type", models.TextField(blank=True)),
                ("level", models.TextField(blank=True)),
                ("url", models.TextField(blank=True)),
            ],
        ),
        migrations.CreateModel(
            name="LogCheck",
            fields=[
                (
                    "what",
                    models.CharField(
                        choices=[("NEW", "what is new"), ("ALL", "all of it"), ("SENT", "checkpoints")],
                        max_length=4,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "begun_at",
                    models.DateTimeField(blank=True, help_text="Of the check under way, or of the last.", null=True),
                ),
                (
                    "ended_at",
                    models.DateTimeField(blank=True, help_text="Of the last check that came to its end.", null=True),
                ),
                (
                    "phase",
                    models.CharField(
                        blank=True, help_text="Events, or a kind of row; empty: at its end.", max_length=32
                    ),
                ),
                (
                    "position",
                    models.BigIntegerField(default=0, help_text="The last event, seal or row that was checked."),
                ),
                (
                    "rounds",
                    models.PositiveBigIntegerField(default=0, help_text="How often this was written; never fewer."),
                ),
                (
                    "signature",
                    models.CharField(blank=True, help_text="Of all this, with the audit key.", max_length=48),
                ),
            ],
        ),
        migrations.CreateModel(
            name="MonthlyCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField(help_text="Its first day.")),
                ("zone", models.CharField(help_text="The site's zone when its days were summed up.", max_length=64)),
                ("counts", models.JSONField(default=dict, help_text="As those of a day.")),
            ],
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        help_text="What differs, such as workstation.type=quantum.", max_length=200, unique=True
                    ),
                ),
                ("first_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                (
                    "example",
                    models.TextField(
                        help_text="The first response that had it, shortened; addresses without what follows '?'."
                    ),
                ),
                ("numbers", models.JSONField(default=list, help_text="The first requests whose responses had it.")),
                ("acknowledged_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "API change",
            },
        ),
        migrations.CreateModel(
            name="Restore",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "lost_since",
                    models.DateTimeField(help_text="The newest claim that the backup has; what came later is lost."),
                ),
                ("lost_since_tick", models.PositiveBigIntegerField(help_text="The key's tick in the backup.")),
                ("restored_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                ("restored_tick", models.PositiveBigIntegerField(help_text="The key's tick from then on.")),
            ],
        ),
        migrations.CreateModel(
            name="Scan",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("begun_at", models.DateTimeField()),
                (
                    "ended_at",
                    models.DateTimeField(blank=True, help_text="Empty: it goes on in the next round.", null=True),
                ),
                ("begun_tick", models.PositiveBigIntegerField(default=0, help_text="The key's tick when it began.")),
                (
                    "ended_tick",
                    models.PositiveBigIntegerField(blank=True, help_text="The key's tick when it ended.", null=True),
                ),
                (
                    "is_whole",
                    models.BooleanField(
                        default=False, help_text="It came to its end and lacked nothing that had to be there."
                    ),
                ),
                ("problem", models.CharField(blank=True, help_text="Why it is not whole.", max_length=200)),
                ("active_count", models.PositiveIntegerField(default=0)),
                ("history_count", models.PositiveIntegerField(default=0)),
                (
                    "own_count",
                    models.PositiveIntegerField(default=0, help_text="Workstations of requests that it showed."),
                ),
                (
                    "witness_tick",
                    models.PositiveBigIntegerField(
                        default=0,
                        help_text="The key's tick when the newest of these was claimed: nothing older can be missing yet.",
                    ),
                ),
                (
                    "clock_offset",
                    models.FloatField(
                        blank=True,
                        help_text="Seconds by which AgentStation's clock, by its Date header, was ahead.",
                        null=True,
                    ),
                ),
                (
                    "new_count",
                    models.PositiveIntegerField(default=0, help_text="Workstations that no scan had shown before."),
                ),
                (
                    "phase",
                    models.CharField(
                        choices=[
                            ("ACTIVE", "Reads the active list"),
                            ("HISTORY", "Reads the history"),
                            ("CHECK", "Reads singly what the lists lack"),
                        ],
                        default="ACTIVE",
                        max_length=8,
                    ),
                ),
                ("cursor", models.TextField(blank=True, help_text="Of the next page. Empty: the list's first.")),
                (
                    "earlier_cursor",
                    models.TextField(blank=True, help_text="One that was read before: it must not come again."),
                ),
                ("pages", models.PositiveIntegerField(default=0, help_text="Pages read.")),
                (
                    "list_pages",
                    models.PositiveIntegerField(default=0, help_text="Pages read of the list that it is in."),
                ),
                (
                    "failures",
                    models.PositiveSmallIntegerField(default=0, help_text="Calls for the next page that failed."),
                ),
                ("page_size", models.PositiveSmallIntegerField(default=100, help_text="Entries asked for in a page.")),
                (
                    "back_to",
                    models.DateTimeField(
                        blank=True, help_text="It reads the history until all of a page started before this.", null=True
                    ),
                ),
                (
                    "back_to_uid",
                    models.TextField(blank=True, help_text="It reads the history until it has met this workstation."),
                ),
                ("is_evidence", models.BooleanField(default=False, help_text="An event names it, so that it is kept.")),
                ("reads_all", models.BooleanField(default=False, help_text="It reads the history to its end.")),
                (
                    "wait_until",
                    models.DateTimeField(blank=True, help_text="AgentStation asked it to wait until then.", null=True),
                ),
                (
                    "paid_until",
                    models.DateTimeField(
                        blank=True,
                        help_text="The time for which its share of the calls a minute is used up.",
                        null=True,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Seal",
            fields=[
                (
                    "number",
                    models.BigIntegerField(
                        help_text="1, 2, 3 ...: none is left out.", primary_key=True, serialize=False
                    ),
                ),
                ("made_at", models.DateTimeField()),
                ("first_id", models.BigIntegerField()),
                ("last_id", models.BigIntegerField()),
                (
                    "count",
                    models.PositiveIntegerField(
                        help_text="Events in it; ids between them may be missing from the start."
                    ),
                ),
                ("key_id", models.CharField(help_text="Of the audit key; tells nothing of it.", max_length=8)),
                (
                    "previous",
                    models.CharField(blank=True, help_text="The digest of the seal before it.", max_length=64),
                ),
                ("marks", models.BinaryField(help_text="For each event its id, its time and a digest of all of it.")),
                ("digest", models.CharField(help_text="Of all this, with the audit key.", max_length=64)),
            ],
            options={
                "verbose_name": "audit seal",
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                (
                    "session_key",
                    models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name="session key"),
                ),
                ("session_data", models.TextField(verbose_name="session data")),
                ("expire_date", models.DateTimeField(db_index=True, verbose_name="expire date")),
                ("address", models.CharField(blank=True, max_length=45)),
                ("browser", models.CharField(blank=True, help_text="What the browser says of itself.", max_length=200)),
                ("began_at", models.DateTimeField(blank=True, null=True)),
                ("seen_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "session",
                "verbose_name_plural": "sessions",
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Share",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("level", models.CharField(choices=[("look", "Look only"), ("work", "Look and work")], max_length=8)),
                ("created_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                (
                    "until",
                    models.DateTimeField(
                        blank=True, help_text="Empty: for as long as the workstation lives.", null=True
                    ),
                ),
                ("ended_at", models.DateTimeField(blank=True, help_text="When it was taken back.", null=True)),
            ],
        ),
        migrations.CreateModel(
            name="SignInLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                ("valid_until", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="SignInThrottle",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=16)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("last_at", models.DateTimeField()),
                ("blocked_until", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="StrayResponse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("http_status", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("error", models.TextField(blank=True, help_text="AgentStation's own word for the error.")),
                ("message", models.TextField(blank=True, help_text="AgentStation's own sentence.")),
                (
                    "response",
                    models.BinaryField(
                        blank=True, help_text="The response's body, at most its first 1 MiB.", null=True
                    ),
                ),
                ("attempt_number", models.PositiveBigIntegerField(help_text="The id that the attempt had.")),
                ("token", models.CharField(help_text="The attempt's own.", max_length=32, unique=True)),
                ("came_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("SENDING", "Under way"),
                            ("SUCCEEDED", "Succeeded"),
                            ("FAILED", "Failed"),
                            ("UNKNOWN", "Checking"),
                            ("NOT_SENT", "Not sent"),
                        ],
                        max_length=16,
                    ),
                ),
                ("failure", models.CharField(blank=True, max_length=32)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Tombstone",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("made_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                (
                    "kind",
                    models.CharField(
                        choices=[("EVENTS", "Events"), ("REQUESTS", "Requests"), ("WORKSTATIONS", "Workstations")],
                        max_length=12,
                    ),
                ),
                ("first_id", models.BigIntegerField()),
                ("last_id", models.BigIntegerField()),
                (
                    "ids",
                    models.JSONField(
                        blank=True, default=list, help_text="Of each; empty for events, where the range counts."
                    ),
                ),
                ("counts", models.JSONField(default=dict, help_text="Rows by kind.")),
            ],
            options={
                "verbose_name": "deletion record",
            },
        ),
        migrations.CreateModel(
            name="Worker",
            fields=[
                ("name", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("started_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                ("seen_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                ("stopped_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Workspace",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField(blank=True, help_text="By AgentStation's clock.", null=True)),
                ("first_seen_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                ("raw", models.TextField(blank=True)),
                (
                    "name",
                    models.CharField(
                        blank=True,
                        help_text="What its owner calls it. Stays here; AgentStation does not see it.",
                        max_length=60,
                    ),
                ),
                ("status", models.TextField(blank=True)),
            ],
        ),
        migrations.CreateModel(
            name="Workstation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField(blank=True, help_text="By AgentStation's clock.", null=True)),
                ("first_seen_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                ("raw", models.TextField(blank=True)),
                (
                    "is_foreign",
                    models.BooleanField(
                        default=False,
                        help_text="Nobody's here: it was there before the portal first used the account, or its request was pruned.",
                    ),
                ),
                (
                    "is_nameless",
                    models.BooleanField(
                        default=False,
                        help_text="AgentStation listed it under an id that cannot be kept, or under none: `uid` is a digest.",
                    ),
                ),
                ("listed_at", models.DateTimeField(blank=True, help_text="When a scan first showed it.", null=True)),
                (
                    "listed_tick",
                    models.PositiveBigIntegerField(
                        blank=True,
                        help_text="The key's tick then: whatever was claimed later has not made it.",
                        null=True,
                    ),
                ),
                (
                    "last_scan_id",
                    models.PositiveBigIntegerField(
                        blank=True,
                        help_text="The newest scan that showed it, noted until a day after its end.",
                        null=True,
                    ),
                ),
                ("type", models.TextField(blank=True)),
                ("status", models.TextField(blank=True)),
                (
                    "refreshed_at",
                    models.DateTimeField(
                        db_default=portal.models.clock.Now(), help_text="When AgentStation last told about it."
                    ),
                ),
                ("refresh_due_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                ("release_requested_at", models.DateTimeField(blank=True, null=True)),
                (
                    "release_due_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When AgentStation is next told to release it; while it is told, a deadline.",
                        null=True,
                    ),
                ),
                (
                    "release_tried_at",
                    models.DateTimeField(blank=True, help_text="When AgentStation was last told.", null=True),
                ),
                ("release_tries", models.PositiveIntegerField(default=0, help_text="How often AgentStation was told.")),
                (
                    "release_failure",
                    models.CharField(
                        blank=True, help_text="Code of the failure that the last try to release it met.", max_length=32
                    ),
                ),
                (
                    "refused_connections",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="AgentStation's words by kind of connection, where it opened none.",
                    ),
                ),
                (
                    "doubted_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="Since when AgentStation no longer finds it, though nothing says that it ended.",
                        null=True,
                    ),
                ),
                (
                    "doubted_tick",
                    models.PositiveBigIntegerField(blank=True, help_text="The key's tick then.", null=True),
                ),
                (
                    "ended_at",
                    models.DateTimeField(blank=True, help_text="When the portal learned that it had ended.", null=True),
                ),
            ],
        ),
        migrations.CreateModel(
            name="WorkstationType",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200)),
                ("description", models.TextField(blank=True)),
                ("hardware", models.JSONField(blank=True, default=list)),
                ("software", models.JSONField(blank=True, default=list)),
                ("ai_models", models.JSONField(blank=True, default=list, verbose_name="AI models")),
                ("raw", models.TextField(blank=True, help_text="As AgentStation's list described it.")),
                ("first_listed_at", models.DateTimeField(db_default=portal.models.clock.Now())),
                (
                    "listed_at",
                    models.DateTimeField(
                        db_default=portal.models.clock.Now(), help_text="When AgentStation's list last had it."
                    ),
                ),
                (
                    "withdrawn_at",
                    models.DateTimeField(
                        blank=True, help_text="Since when it is not offered any more. Empty: it is offered.", null=True
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SearchEntry",
            fields=[
                (
                    "request",
                    models.OneToOneField(
                        db_column="rowid",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="search_entry",
                        serialize=False,
                        to="portal.request",
                    ),
                ),
                ("words", models.TextField()),
            ],
            options={
                "db_table": "portal_searchentry",
                "managed": False,
            },
        ),
        migrations.AddField(
            model_name="request",
            name="requester",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="requests",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="request",
            name="account",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="requests",
                to="portal.account",
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.UniqueConstraint(
                condition=models.Q(("retired_at", None)), fields=("base_url",), name="account_current_once"
            ),
        ),
        migrations.AddField(
            model_name="attempt",
            name="request",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="attempts", to="portal.request"
            ),
        ),
        migrations.AddIndex(
            model_name="change",
            index=models.Index(models.F("kind"), models.F("row_id"), models.F("as_of"), name="change_by_row"),
        ),
        migrations.AddField(
            model_name="connection",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="credential",
            name="accepted_by",
            field=models.ForeignKey(
                blank=True,
                help_text="Empty: it was the account's first.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="credential",
            name="account",
            field=models.ForeignKey(
                help_text="The account that it reaches, or of which it is asked.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="credentials",
                to="portal.account",
            ),
        ),
        migrations.AddField(
            model_name="dailycount",
            name="person",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="database",
            constraint=models.CheckConstraint(condition=models.Q(("pk", 1)), name="database_is_one"),
        ),
        migrations.AddConstraint(
            model_name="database",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("doubt", ""), ("doubted_at", None)),
                    models.Q(models.Q(("doubt", ""), _negated=True), ("doubted_at__isnull", False)),
                    _connector="OR",
                ),
                name="database_doubt_has_time",
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(models.F("request_number"), models.F("id"), name="event_of_request"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(models.F("verb"), models.OrderBy(models.F("id"), descending=True), name="event_by_verb"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                models.F("verb"),
                models.OrderBy(models.F("id"), descending=True),
                condition=models.Q(("actor_id__isnull", False)),
                name="event_of_people",
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                models.F("verb"),
                models.OrderBy(models.F("id"), descending=True),
                condition=models.Q(("actor_id", None)),
                name="event_of_portal",
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                models.F("actor_name"), models.OrderBy(models.F("id"), descending=True), name="event_by_actor"
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                models.F("target"), models.OrderBy(models.F("id"), descending=True), name="event_by_target"
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                models.F("id"),
                models.F("reason"),
                condition=models.Q(("reason", ""), _negated=True),
                name="event_with_reason",
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                models.F("http_request"),
                models.OrderBy(models.F("id"), descending=True),
                condition=models.Q(("http_request", ""), _negated=True),
                name="event_by_http_request",
            ),
        ),
        migrations.AddConstraint(
            model_name="eventnumber",
            constraint=models.CheckConstraint(condition=models.Q(("pk", 1)), name="event_number_is_one"),
        ),
        migrations.AddField(
            model_name="finding",
            name="acknowledged_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="key",
            name="account",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="key", to="portal.account"
            ),
        ),
        migrations.AddField(
            model_name="lateresponse",
            name="attempt",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="late_response", to="portal.attempt"
            ),
        ),
        migrations.AddField(
            model_name="monthlycount",
            name="person",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="notice",
            name="acknowledged_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="restore",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="restores", to="portal.account"
            ),
        ),
        migrations.AddField(
            model_name="scan",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="scans", to="portal.account"
            ),
        ),
        migrations.AddIndex(
            model_name="seal",
            index=models.Index(fields=["last_id"], name="seal_by_last_event"),
        ),
        migrations.AddField(
            model_name="session",
            name="user",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="sessions",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="share",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="shares", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="signinlink",
            name="person",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="sign_in_link",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="signinthrottle",
            index=models.Index(fields=["last_at"], name="throttle_by_time"),
        ),
        migrations.AddField(
            model_name="strayresponse",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="stray_responses", to="portal.account"
            ),
        ),
        migrations.AddIndex(
            model_name="tombstone",
            index=models.Index(fields=["kind", "last_id"], name="tombstone_by_range"),
        ),
        migrations.AddField(
            model_name="workspace",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="workspaces", to="portal.account"
            ),
        ),
        migrations.AddField(
            model_name="workspace",
            name="owner",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="workspaces",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="log",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="logs", to="portal.workspace"
            ),
        ),
        migrations.AddField(
            model_name="file",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="files", to="portal.workspace"
            ),
        ),
        migrations.AddField(
            model_name="workstation",
            name="account",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="workstations",
                to="portal.account",
            ),
        ),
        migrations.AddField(
            model_name="workstation",
            name="made_for",
            field=models.ForeignKey(
                blank=True,
                help_text="The request whose late response named it, when that had ended otherwise.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="named_late",
                to="portal.request",
            ),
        ),
        migrations.AddField(
            model_name="workstation",
            name="release_requested_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="workstation",
            name="request",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="workstation",
                to="portal.request",
            ),
        ),
        migrations.AddField(
            model_name="workstation",
            name="workspace",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="workstations",
                to="portal.workspace",
            ),
        ),
        migrations.AddField(
            model_name="share",
            name="workstation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="shares", to="portal.workstation"
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="workstation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="connections", to="portal.workstation"
            ),
        ),
        migrations.AddField(
            model_name="workstationtype",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="workstation_types", to="portal.account"
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(
                models.F("status"), models.F("requester"), models.F("queued_at"), models.F("id"), name="request_queue"
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(
                models.F("account"), models.F("id"), condition=models.Q(("status", "UNKNOWN")), name="request_unknown"
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(
                models.F("requester"),
                models.OrderBy(models.F("id"), descending=True),
                models.F("status"),
                models.F("type"),
                models.F("failure"),
                models.F("was_unknown"),
                models.F("took"),
                name="request_by_person",
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(
                models.F("status"),
                models.OrderBy(models.F("id"), descending=True),
                models.F("requester"),
                models.F("type"),
                models.F("failure"),
                models.F("was_unknown"),
                models.F("took"),
                name="request_by_status",
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(
                models.F("type"),
                models.OrderBy(models.F("id"), descending=True),
                models.F("requester"),
                models.F("status"),
                models.F("failure"),
                models.F("was_unknown"),
                models.F("took"),
                name="request_by_type",
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(
                models.F("failure"),
                models.OrderBy(models.F("id"), descending=True),
                models.F("requester"),
                models.F("status"),
                models.F("type"),
                models.F("was_unknown"),
                models.F("took"),
                name="request_by_failure",
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(
                models.OrderBy(models.F("id"), descending=True),
                models.F("requester"),
                models.F("status"),
                models.F("type"),
                models.F("failure"),
                models.F("took"),
                condition=models.Q(("was_unknown", True)),
                name="request_was_unknown",
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(
                models.F("took"), models.OrderBy(models.F("id"), descending=True), name="request_by_length"
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(models.F("created_at"), name="request_by_time"),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(models.F("failure"), models.F("ended_at"), name="request_failed_lately"),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(
                models.F("workspace_uid"), models.OrderBy(models.F("id"), descending=True), name="request_by_workspace"
            ),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.UniqueConstraint(fields=("requester", "submission"), name="request_submission_once"),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status__in", ["FAILED", "UNKNOWN"]), models.Q(("failure", ""), _negated=True)),
                    models.Q(models.Q(("status__in", ["FAILED", "UNKNOWN"]), _negated=True), ("failure", "")),
                    _connector="OR",
                ),
                name="request_failure_where_failed",
            ),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at__isnull", False), ("status__in", ["SUCCEEDED", "FAILED", "CANCELLED"])),
                    models.Q(
                        models.Q(("status__in", ["SUCCEEDED", "FAILED", "CANCELLED"]), _negated=True),
                        ("ended_at", None),
                    ),
                    _connector="OR",
                ),
                name="request_ended_where_final",
            ),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.CheckConstraint(
                condition=models.Q(("next_attempt_at", None), ("status", "QUEUED"), _connector="OR"),
                name="request_next_attempt_only_queued",
            ),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at", None), ("took", None)),
                    models.Q(("ended_at__isnull", False), ("took__isnull", False)),
                    _connector="OR",
                ),
                name="request_took_where_ended",
            ),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "UNKNOWN"), _negated=True), ("was_unknown", True), _connector="OR"
                ),
                name="request_unknown_is_noted",
            ),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(
                models.F("deadline_at"), condition=models.Q(("outcome", "SENDING")), name="attempt_under_way"
            ),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(models.F("claimed_at"), name="attempt_by_time"),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(models.F("failure"), models.F("ended_at"), name="attempt_failed_lately"),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(
                models.F("key_fingerprint"), models.OrderBy(models.F("id"), descending=True), name="attempt_by_key"
            ),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(
                models.F("outcome"), models.OrderBy(models.F("id"), descending=True), name="attempt_by_outcome"
            ),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(
                models.F("failure"), models.OrderBy(models.F("id"), descending=True), name="attempt_by_failure"
            ),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(
                models.F("outcome"),
                models.F("failure"),
                models.OrderBy(models.F("id"), descending=True),
                name="attempt_by_both",
            ),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.UniqueConstraint(fields=("request", "number"), name="attempt_number_once"),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.UniqueConstraint(
                condition=models.Q(("outcome", "SENDING")), fields=("request",), name="attempt_one_under_way"
            ),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at", None), ("outcome", "SENDING")),
                    models.Q(models.Q(("outcome", "SENDING"), _negated=True), ("ended_at__isnull", False)),
                    _connector="OR",
                ),
                name="attempt_ended_where_outcome",
            ),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("outcome__in", ["FAILED", "UNKNOWN"]), models.Q(("failure", ""), _negated=True)),
                    models.Q(models.Q(("outcome__in", ["FAILED", "UNKNOWN"]), _negated=True), ("failure", "")),
                    _connector="OR",
                ),
                name="attempt_failure_where_failed",
            ),
        ),
        migrations.AddConstraint(
            model_name="credential",
            constraint=models.UniqueConstraint(fields=("account", "fingerprint"), name="credential_once"),
        ),
        migrations.AddConstraint(
            model_name="credential",
            constraint=models.CheckConstraint(
                condition=models.Q(("accepted_by", None), ("accepted_at__isnull", False), _connector="OR"),
                name="credential_accepted_by_with_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="dailycount",
            constraint=models.UniqueConstraint(fields=("person", "day"), name="daily_count_once_a_person"),
        ),
        migrations.AddConstraint(
            model_name="dailycount",
            constraint=models.UniqueConstraint(
                condition=models.Q(("person", None)), fields=("day",), name="daily_count_once"
            ),
        ),
        migrations.AddIndex(
            model_name="finding",
            index=models.Index(models.F("id"), condition=models.Q(("acknowledged_at", None)), name="finding_open"),
        ),
        migrations.AddConstraint(
            model_name="finding",
            constraint=models.UniqueConstraint(fields=("kind", "what", "words"), name="finding_once"),
        ),
        migrations.AddConstraint(
            model_name="finding",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("acknowledged_at", None), ("acknowledged_by", None)),
                    models.Q(("acknowledged_at__isnull", False), ("acknowledged_by__isnull", False)),
                    _connector="OR",
                ),
                name="finding_acknowledged_by_somebody",
            ),
        ),
        migrations.AddConstraint(
            model_name="key",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("cause", ""), ("paused_at", None), ("paused_until", None), ("state", "ACTIVE")),
                    models.Q(
                        ("paused_at", None),
                        ("paused_until", None),
                        ("state", "RESUMING"),
                        models.Q(("cause", ""), _negated=True),
                    ),
                    models.Q(("paused_at__isnull", False), ("state", "PAUSED"), models.Q(("cause", ""), _negated=True)),
                    _connector="OR",
                ),
                name="key_pause_has_cause_and_start",
            ),
        ),
        migrations.AddConstraint(
            model_name="monthlycount",
            constraint=models.UniqueConstraint(fields=("person", "month"), name="monthly_count_once_a_person"),
        ),
        migrations.AddConstraint(
            model_name="monthlycount",
            constraint=models.UniqueConstraint(
                condition=models.Q(("person", None)), fields=("month",), name="monthly_count_once"
            ),
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(models.F("id"), condition=models.Q(("acknowledged_at", None)), name="notice_open"),
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("acknowledged_at", None), ("acknowledged_by", None)),
                    models.Q(("acknowledged_at__isnull", False), ("acknowledged_by__isnull", False)),
                    _connector="OR",
                ),
                name="notice_acknowledged_by_somebody",
            ),
        ),
        migrations.AddIndex(
            model_name="restore",
            index=models.Index(
                models.F("account"), models.OrderBy(models.F("id"), descending=True), name="restore_by_account"
            ),
        ),
        migrations.AddIndex(
            model_name="scan",
            index=models.Index(
                models.F("account"), models.OrderBy(models.F("id"), descending=True), name="scan_by_account"
            ),
        ),
        migrations.AddConstraint(
            model_name="scan",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at", None)), fields=("account",), name="scan_one_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="scan",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("is_whole", False), models.Q(("ended_at__isnull", False), ("problem", "")), _connector="OR"
                ),
                name="scan_whole_has_ended",
            ),
        ),
        migrations.AddIndex(
            model_name="workspace",
            index=models.Index(
                models.F("uid"), models.OrderBy(models.F("id"), descending=True), name="workspace_by_uid"
            ),
        ),
        migrations.AddIndex(
            model_name="workspace",
            index=models.Index(
                models.F("owner"), models.OrderBy(models.F("id"), descending=True), name="workspace_by_owner"
            ),
        ),
        migrations.AddIndex(
            model_name="workspace",
            index=models.Index(
                portal.models.beginning.Beginning("status"),
                models.OrderBy(models.F("id"), descending=True),
                name="workspace_by_status",
            ),
        ),
        migrations.AddIndex(
            model_name="workspace",
            index=models.Index(
                models.F("owner"),
                portal.models.beginning.Beginning("status"),
                models.OrderBy(models.F("id"), descending=True),
                name="workspace_by_both",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspace",
            constraint=models.UniqueConstraint(fields=("account", "uid"), name="workspace_uid_once"),
        ),
        migrations.AddIndex(
            model_name="log",
            index=models.Index(models.F("uid"), models.OrderBy(models.F("id"), descending=True), name="log_by_uid"),
        ),
        migrations.AddIndex(
            model_name="log",
            index=models.Index(
                portal.models.beginning.Beginning("level"),
                models.OrderBy(models.F("id"), descending=True),
                name="log_by_level",
            ),
        ),
        migrations.AddIndex(
            model_name="log",
            index=models.Index(
                portal.models.beginning.Beginning("type"),
                models.OrderBy(models.F("id"), descending=True),
                name="log_by_type",
            ),
        ),
        migrations.AddConstraint(
            model_name="log",
            constraint=models.UniqueConstraint(fields=("workspace", "uid"), name="log_uid_once"),
        ),
        migrations.AddIndex(
            model_name="file",
            index=models.Index(models.F("uid"), models.OrderBy(models.F("id"), descending=True), name="file_by_uid"),
        ),
        migrations.AddIndex(
            model_name="file",
            index=models.Index(
                portal.models.beginning.Beginning("name"),
                models.OrderBy(models.F("id"), descending=True),
                name="file_by_name",
            ),
        ),
        migrations.AddConstraint(
            model_name="file",
            constraint=models.UniqueConstraint(fields=("workspace", "uid"), name="file_uid_once"),
        ),
        migrations.AddIndex(
            model_name="workstation",
            index=models.Index(
                models.F("uid"), models.OrderBy(models.F("id"), descending=True), name="workstation_by_uid"
            ),
        ),
        migrations.AddIndex(
            model_name="workstation",
            index=models.Index(
                portal.models.beginning.Beginning("status"),
                models.OrderBy(models.F("id"), descending=True),
                name="workstation_by_status",
            ),
        ),
        migrations.AddIndex(
            model_name="workstation",
            index=models.Index(
                portal.models.beginning.Beginning("type"),
                models.OrderBy(models.F("id"), descending=True),
                name="workstation_by_type",
            ),
        ),
        migrations.AddIndex(
            model_name="workstation",
            index=models.Index(
                portal.models.beginning.Beginning("type"),
                portal.models.beginning.Beginning("status"),
                models.OrderBy(models.F("id"), descending=True),
                name="workstation_by_both",
            ),
        ),
        migrations.AddIndex(
            model_name="workstation",
            index=models.Index(
                models.F("account"), models.F("type"), condition=models.Q(("request", None)), name="workstation_unowned"
            ),
        ),
        migrations.AddIndex(
            model_name="workstation",
            index=models.Index(
                models.F("made_for"), condition=models.Q(("made_for__isnull", False)), name="workstation_made_for"
            ),
        ),
        migrations.AddIndex(
            model_name="workstation",
            index=models.Index(models.F("account"), models.F("listed_tick"), name="workstation_by_listing"),
        ),
        migrations.AddIndex(
            model_name="workstation",
            index=models.Index(
                models.F("account"),
                models.F("refresh_due_at"),
                condition=models.Q(("ended_at", None)),
                name="workstation_live",
            ),
        ),
        migrations.AddIndex(
            model_name="workstation",
            index=models.Index(
                models.F("account"),
                models.F("release_due_at"),
                condition=models.Q(("ended_at", None), ("release_requested_at__isnull", False)),
                name="workstation_release_due",
            ),
        ),
        migrations.AddIndex(
            model_name="workstation",
            index=models.Index(
                models.F("account"),
                models.F("release_tried_at"),
                condition=models.Q(("release_tried_at__isnull", False)),
                name="workstation_release_tried",
            ),
        ),
        migrations.AddIndex(
            model_name="workstation",
            index=models.Index(
                models.F("last_scan_id"),
                condition=models.Q(("last_scan_id__isnull", False)),
                name="workstation_by_scan",
            ),
        ),
        migrations.AddConstraint(
            model_name="workstation",
            constraint=models.UniqueConstraint(fields=("account", "uid"), name="workstation_uid_once"),
        ),
        migrations.AddConstraint(
            model_name="workstation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("release_requested_at", None), ("release_requested_by", None)),
                    models.Q(("release_requested_at__isnull", False), ("release_requested_by__isnull", False)),
                    _connector="OR",
                ),
                name="workstation_release_has_asker",
            ),
        ),
        migrations.AddConstraint(
            model_name="workstation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("release_due_at", None), ("release_requested_at", None)),
                    models.Q(
                        ("release_requested_at__isnull", False),
                        models.Q(("release_due_at__isnull", False), ("ended_at__isnull", False), _connector="OR"),
                    ),
                    _connector="OR",
                ),
                name="workstation_release_is_due_once_asked",
            ),
        ),
        migrations.AddConstraint(
            model_name="workstation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("doubted_at", None), ("doubted_tick", None)),
                    models.Q(("doubted_at__isnull", False), ("doubted_tick__isnull", False), ("ended_at", None)),
                    _connector="OR",
                ),
                name="workstation_doubt_only_while_live",
            ),
        ),
        migrations.AddConstraint(
            model_name="workstation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("is_nameless", False), models.Q(("made_for", None), ("request", None)), _connector="OR"
                ),
                name="workstation_nameless_is_nobody_s",
            ),
        ),
        migrations.AddConstraint(
            model_name="share",
            constraint=models.UniqueConstraint(
                models.F("workstation"), models.F("person"), condition=models.Q(("ended_at", None)), name="share_once"
            ),
        ),
        migrations.AddIndex(
            model_name="connection",
            index=models.Index(models.F("seen_at"), condition=models.Q(("ended_at", None)), name="connection_open"),
        ),
        migrations.AddConstraint(
            model_name="workstationtype",
            constraint=models.UniqueConstraint(fields=("account", "name"), name="workstation_type_once"),
        ),
        migrations.AddConstraint(
            model_name="workstationtype",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="workstation_type_has_name"
            ),
        ),
    ]
