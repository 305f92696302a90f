"""The searchable text of a request is a table like any other, which the portal's code fills."""

import django.db.models.deletion
from django.db import migrations, models

_FORMER = ("attempt_insert", "attempt_update", "lateresponse_insert", "workstation_insert", "workstation_update")


def drop_former(apps, schema_editor):
    for name in ("request_insert", "request_delete", *_FORMER):
        if schema_editor.connection.vendor == "sqlite":
            schema_editor.execute(f"DROP TRIGGER IF EXISTS portal_find_{name}")
        else:
            schema_editor.execute(f"DROP FUNCTION IF EXISTS portal_find_{name} CASCADE")
    schema_editor.execute("DROP TABLE portal_searchentry")


def index_words(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        # Without a list of pending entries: it would make some writer pay for many, and every reader search it.
        schema_editor.execute(
            "CREATE INDEX search_entry_by_words ON portal_searchentry"
            " USING gin (words gin_trgm_ops) WITH (fastupdate = off)"
        )


class Migration(migrations.Migration):
    dependencies = [("portal", "0015_audit_stream")]
    operations = [
        migrations.RunPython(drop_former),
        migrations.DeleteModel("SearchEntry"),
        migrations.CreateModel(
            name="SearchEntry",
            fields=[
                (
                    "request",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="search_entry",
                        serialize=False,
                        to="portal.request",
                    ),
                ),
                ("words", models.TextField()),
            ],
        ),
        migrations.RunPython(index_words),
    ]
