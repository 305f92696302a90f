"""The three groups of people, with their permissions."""

from django.apps import apps as global_apps
from django.contrib.auth.management import create_permissions
from django.db import migrations

READ = [
    f"view_{model}"
    for model in ("account", "key", "request", "attempt", "lateanswer", "workstation", "workspace", "file", "log", "event")
]
GROUPS = {
    "Members": ["submit_request"],
    "Auditors": ["see_all", *READ],
    "Operators": ["submit_request", "see_all", "resume_key", "close_request", *READ],
}


def make_groups(apps, schema_editor):
    # On a new database Django makes the permissions only after the last migration, too late for here.
    create_permissions(global_apps.get_app_config("portal"), apps=apps, verbosity=0, using=schema_editor.connection.alias)
    group_model, permission_model = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for name, codenames in GROUPS.items():
        permissions = permission_model.objects.filter(content_type__app_label="portal", codename__in=codenames)
        group_model.objects.get_or_create(name=name)[0].permissions.set(permissions)


class Migration(migrations.Migration):
    dependencies = [("portal", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
