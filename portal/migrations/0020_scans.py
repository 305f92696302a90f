import django.db.models.deletion
from django.db import migrations, models


def rename_permissions(apps, schema_editor):
    """Rename them here: Django does so after all migrations, when a later one has made permissions of the new name."""
    for permission in apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="portal", codename__endswith="_look"
    ):
        permission.codename = permission.codename.replace("_look", "_scan")
        permission.name = permission.name.replace("look", "scan")
        permission.save(update_fields=["codename", "name"])


class Migration(migrations.Migration):
    dependencies = [("portal", "0019_worker"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [
        migrations.RenameModel("Look", "Scan"),
        migrations.RunPython(rename_permissions, migrations.RunPython.noop),
        migrations.RenameIndex("scan", new_name="scan_by_account", old_name="look_by_account"),
        migrations.RenameField("scan", "is_complete", "is_whole"),
        migrations.RenameField("workstation", "shown_at", "listed_at"),
        migrations.AlterField(
            "scan",
            "account",
            models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="scans", to="portal.account"
            ),
        ),
        migrations.AlterField(
            "scan",
            "new_count",
            models.PositiveIntegerField(default=0, help_text="Workstations that no scan had shown before."),
        ),
        migrations.AlterField(
            "workstation",
            "listed_at",
            models.DateTimeField(blank=True, help_text="End of the first whole scan that showed it.", null=True),
        ),
        migrations.AlterField(
            "workstation",
            "listed_tick",
            models.PositiveBigIntegerField(
                blank=True, help_text="The key's tick at the end of the first whole scan that showed it.", null=True
            ),
        ),
    ]
