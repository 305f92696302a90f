"""What requests are found by: two columns of their own, and a text without tags; `migrate` gathers the texts at its end."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from portal.models import clock

SQLITE = ("CREATE VIRTUAL TABLE portal_searchentry USING fts5(words, tokenize = 'trigram')",)
# Without a list of pending entries: it would make some writer pay for many, and every reader search it.
POSTGRESQL = (
    "CREATE TABLE portal_searchentry (rowid bigint PRIMARY KEY, words text NOT NULL)",
    "CREATE INDEX search_entry_by_words ON portal_searchentry USING gin (words gin_trgm_ops) WITH (fastupdate = off)",
)
COLUMNS = ("requester", "status", "type", "failure", "was_unknown", "took")


def list_others(column):
    return [models.F(other) for other in COLUMNS if other != column]


def fill_columns(apps, schema_editor):
    requests, attempts = (apps.get_model("portal", name).objects for name in ("Request", "Attempt"))
    unknown = attempts.filter(request=models.OuterRef("pk"), outcome="UNKNOWN")
    # At once: rows that are changed a second time would leave PostgreSQL checks to do, and no index could be made.
    requests.update(
        took=clock.Seconds("ended_at", "created_at"),
        was_unknown=models.Case(
            models.When(models.Q(status="UNKNOWN") | models.Exists(unknown), then=True), default=False
        ),
    )


def make_table(apps, schema_editor):
    schema_editor.execute("DROP TABLE portal_searchentry")
    for statement in {"sqlite": SQLITE, "postgresql": POSTGRESQL}[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("portal", "0026_sessions")]

    operations = [
        migrations.AlterField(
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
            name="took",
            field=models.FloatField(blank=True, null=True, help_text="Seconds from its receipt to its end."),
        ),
        migrations.AddField(
            model_name="request",
            name="was_unknown",
            field=models.BooleanField(default=False, help_text="Whether its outcome was unknown at some time."),
        ),
        migrations.RunPython(fill_columns, migrations.RunPython.noop),
        *(
            operation
            for name, column in (
                ("request_by_person", "requester"),
                ("request_by_status", "status"),
                ("request_by_type", "type"),
                ("request_by_failure", "failure"),
            )
            for operation in (
                migrations.RemoveIndex(model_name="request", name=name),
                migrations.AddIndex(
                    model_name="request",
                    index=models.Index(
                        *(models.F(column), models.F("id").desc(), *list_others(column)),
                        name=name,
                    ),
                ),
            )
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(
                *(models.F("id").desc(), *list_others("was_unknown")),
                name="request_was_unknown",
                condition=models.Q(was_unknown=True),
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(models.F("took"), models.F("id").desc(), name="request_by_length"),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.CheckConstraint(
                name="request_took_where_ended",
                condition=models.Q(ended_at=None, took=None) | models.Q(ended_at__isnull=False, took__isnull=False),
            ),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.CheckConstraint(
                name="request_unknown_is_noted",
                condition=~models.Q(status="UNKNOWN") | models.Q(was_unknown=True),
            ),
        ),
        migrations.RunPython(make_table),
    ]
