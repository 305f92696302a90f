"""The search index over requests; `migrate` fills it when all migrations are done."""

from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations, models

SQLITE = "CREATE VIRTUAL TABLE portal_searchentry USING fts5(words, tags, tokenize = 'trigram')"
# Without a list of pending entries: it would make some writer pay for many, and every reader search it.
POSTGRESQL = (
    "CREATE TABLE portal_searchentry (rowid bigint PRIMARY KEY, words text NOT NULL, tags text[] NOT NULL)",
    "CREATE INDEX search_entry_by_all ON portal_searchentry"
    " USING gin (tags, words gin_trgm_ops) WITH (fastupdate = off)",
)


def make_index(apps, schema_editor):
    for statement in (SQLITE,) if schema_editor.connection.vendor == "sqlite" else POSTGRESQL:
        schema_editor.execute(statement)


def drop_index(apps, schema_editor):
    schema_editor.execute("DROP TABLE portal_searchentry")


class Migration(migrations.Migration):
    dependencies = [("portal", "0009_seals")]

    operations = [
        TrigramExtension(),
        migrations.RunPython(make_index, drop_index),
        migrations.CreateModel(
            name="SearchEntry",
            fields=[
                ("rowid", models.BigIntegerField(primary_key=True, help_text="The request's number.", serialize=False)),
                ("words", models.TextField()),
            ],
            options={"db_table": "portal_searchentry", "managed": False},
        ),
    ]
