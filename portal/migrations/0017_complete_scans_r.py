from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("portal", "0016_search_text")]

    operations = [
        migrations.RemoveConstraint("scan", "scan_whole_has_ended"),
        migrations.RenameField("scan", "is_whole", "is_complete"),
        migrations.AlterField(
            "scan", "problem", models.CharField(blank=True, help_text="Why it is not complete.", max_length=200)
        ),
        migrations.AddConstraint(
            "scan",
            models.CheckConstraint(
                name="scan_complete_has_ended",
                condition=Q(is_complete=False) | Q(ended_at__isnull=False, problem=""),
            ),
        ),
    ]
