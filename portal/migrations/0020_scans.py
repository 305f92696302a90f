import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("portal", "0018_ticks_and_doubts")]
    operations = [
        migrations.RenameModel("Look", "Scan"),
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
