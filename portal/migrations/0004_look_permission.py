"""Auditors and operators may see looks."""

from django.apps import apps as global_apps
from django.contrib.auth.management import create_permissions
from django.db import migrations


def allow_looks(apps, schema_editor):
    create_permissions(global_apps.get_app_config("portal"), apps=apps, verbosity=0, using=schema_editor.connection.alias)
    permission = apps.get_model("auth", "Permission").objects.get(content_type__app_label="portal", codename="view_look")
    for group in apps.get_model("auth", "Group").objects.filter(name__in=["Auditors", "Operators"]):
        group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [("portal", "0003_settling")]
    operations = [migrations.RunPython(allow_looks, migrations.RunPython.noop)]
