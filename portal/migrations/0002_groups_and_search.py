"""What is no table of a model: the groups of people, and PostgreSQL's index of search texts.

The triggers are put where they belong whenever `migrate` ends.
"""

from django.apps import apps as global_apps
from django.contrib.auth.management import create_permissions
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations

from portal.models.groups import PERMISSIONS


def make_groups(apps, schema_editor):
    # On a new database Django makes the permissions only after the last migration, too late for here.
    create_permissions(
        global_apps.get_app_config("portal"), apps=apps, verbosity=0, using=schema_editor.connection.alias
    )
    group_model, permission_model = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for name, codenames in PERMISSIONS.items():
        permissions = permission_model.objects.filter(content_type__app_label="portal", codename__in=codenames)
        group_model.objects.create(name=name).permissions.set(permissions)


def index_words(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        # Without a list of pending entries: it would make some writer pay for many, and every reader search it.
        schema_editor.execute(
            "CREATE INDEX search_entry_by_words ON portal_searchentry"
            " USING gin (words gin_trgm_ops) WITH (fastupdate = off)"
        )


class Migration(migrations.Migration):
    dependencies = [("portal", "0001_tables"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [
        TrigramExtension(),
        migrations.RunPython(make_groups),
        migrations.RunPython(index_words),
    ]
