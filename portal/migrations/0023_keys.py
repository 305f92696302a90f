"""Several keys may be of one account: each that a process uses is a row, accepted or asked about."""

import hashlib
import hmac

import django.db.models.deletion
import portal.models.account
import portal.models.clock
from django.apps import apps as global_apps
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models
from django.utils import timezone

SANDBOX_KEY = "sandbox"


def accept_known_keys(apps, schema_editor):
    """A key whose former fingerprint is known here stays accepted. Of any other an operator is asked."""
    for key in apps.get_model("portal", "Key").objects.filter(account__retired_at=None).select_related("account"):
        for api_key in (settings.AGENTSTATION_API_KEY, SANDBOX_KEY):
            if key.fingerprint == make_former(api_key):
                apps.get_model("portal", "Credential").objects.get_or_create(
                    account=key.account,
                    fingerprint=make_fingerprint(key.account, api_key),
                    defaults={
                        "base_url": key.account.base_url,
                        "is_sandbox": api_key == SANDBOX_KEY,
                        "accepted_at": timezone.now(),
                    },
                )


def make_former(api_key):
    message = b"agentstation key " + api_key.encode()
    return hmac.new(settings.SECRET_KEY.encode(), message, hashlib.sha256).hexdigest()[:16]


def make_fingerprint(account, api_key):
    secret = f"{account.base_url}\n{api_key}".encode()
    return hashlib.scrypt(secret, salt=account.salt.encode(), n=2**14, r=8, p=1, dklen=8).hex()


def allow_credentials(apps, schema_editor):
    create_permissions(global_apps.get_app_config("portal"), apps=apps, verbosity=0, using=schema_editor.connection.alias)
    permission = apps.get_model("auth", "Permission").objects.get(
        content_type__app_label="portal", codename="view_credential"
    )
    for group in apps.get_model("auth", "Group").objects.filter(name__in=["Auditors", "Operators"]):
        group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [("portal", "0022_release")]
    operations = [
        migrations.AddField(
            model_name="account",
            name="salt",
            field=models.CharField(
                default=portal.models.account.make_salt, help_text="Of the fingerprints of its keys.", max_length=32
            ),
        ),
        migrations.AddField(
            model_name="key",
            name="pause_seconds",
            field=models.FloatField(default=0, help_text="How long the pause lasts, where it has an end."),
        ),
        migrations.CreateModel(
            name="Credential",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("fingerprint", models.CharField(help_text="Of base URL and key; tells nothing of them.", max_length=16)),
                ("base_url", models.URLField(max_length=500)),
                (
                    "is_sandbox",
                    models.BooleanField(default=False, help_text="It reaches our imitation of the provider."),
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
                (
                    "accepted_by",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: it was the account's first.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        help_text="The account that it reaches, or of which it is asked.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credentials",
                        to="portal.account",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("account", "fingerprint"), name="credential_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("accepted_by", None), ("accepted_at__isnull", False), _connector="OR"
                        ),
                        name="credential_accepted_by_with_time",
                    ),
                ],
            },
        ),
        migrations.RunPython(accept_known_keys, migrations.RunPython.noop),
        migrations.RunPython(allow_credentials, migrations.RunPython.noop),
        migrations.RemoveField(model_name="key", name="fingerprint"),
        migrations.RemoveField(model_name="key", name="new_fingerprint"),
    ]
