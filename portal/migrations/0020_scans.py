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
        migrations.AddField(
            model_name='scan',
            name='back_to',
            field=models.DateTimeField(blank=True, help_text='It reads the history until all of a page started before this.', null=True),
        ),
        migrations.AddField(
            model_name='scan',
            name='back_to_uid',
            field=models.TextField(blank=True, help_text='It reads the history until it has met this workstation.'),
        ),
        migrations.AddField(
            model_name='scan',
            name='cursor',
            field=models.TextField(blank=True, help_text="Of the next page. Empty: the list's first."),
        ),
        migrations.AddField(
            model_name='scan',
            name='earlier_cursor',
            field=models.TextField(blank=True, help_text='One that was read before: it must not come again.'),
        ),
        migrations.AddField(
            model_name='scan',
            name='is_evidence',
            # Those that there are may be named by events.
            field=models.BooleanField(default=True, help_text='An event names it, so that it is kept.'),
        ),
        migrations.AlterField(
            model_name='scan',
            name='is_evidence',
            field=models.BooleanField(default=False, help_text='An event names it, so that it is kept.'),
        ),
        migrations.AddField(
            model_name='scan',
            name='list_pages',
            field=models.PositiveIntegerField(default=0, help_text='Pages read of the list that it is in.'),
        ),
        migrations.AddField(
            model_name='scan',
            name='page_size',
            field=models.PositiveSmallIntegerField(default=100, help_text='Entries asked for in a page.'),
        ),
        migrations.AddField(
            model_name='scan',
            name='pages',
            field=models.PositiveIntegerField(default=0, help_text='Pages read.'),
        ),
        migrations.AddField(
            model_name='scan',
            name='paid_until',
            field=models.DateTimeField(blank=True, help_text='The time for which its share of the calls a minute is used up.', null=True),
        ),
        migrations.AddField(
            model_name='scan',
            name='phase',
            field=models.CharField(choices=[('ACTIVE', 'Reads the active list'), ('HISTORY', 'Reads the history'), ('CHECK', 'Reads singly what the lists lack')], default='ACTIVE', max_length=8),
        ),
        migrations.AddField(
            model_name='scan',
            name='reads_all',
            field=models.BooleanField(default=False, help_text='It reads the history to its end.'),
        ),
        migrations.AddField(
            model_name='scan',
            name='wait_until',
            field=models.DateTimeField(blank=True, help_text='The provider asked it to wait until then.', null=True),
        ),
        migrations.AddField(
            model_name='workstation',
            name='is_nameless',
            field=models.BooleanField(default=False, help_text='The provider listed it under an id that cannot be kept, or under none: `uid` is a digest.'),
        ),
        migrations.AddField(
            model_name='workstation',
            name='last_scan_id',
            field=models.PositiveBigIntegerField(blank=True, help_text='The newest scan that showed it, noted until a day after its end.', null=True),
        ),
        migrations.AlterField(
            model_name='account',
            name='first_look',
            field=models.CharField(choices=[('WANTED', 'Not yet'), ('BEGUN', 'Under way'), ('DONE', 'Done'), ('FAILED', 'The lists could not be read')], default='WANTED', max_length=8),
        ),
        migrations.AlterField(
            model_name='scan',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='scans', to='portal.account'),
        ),
        migrations.AlterField(
            model_name='scan',
            name='ended_at',
            field=models.DateTimeField(blank=True, help_text='Empty: it goes on in the next round.', null=True),
        ),
        migrations.AlterField(
            model_name='scan',
            name='ended_tick',
            field=models.PositiveBigIntegerField(blank=True, help_text="The key's tick when it ended.", null=True),
        ),
        migrations.AlterField(
            model_name='scan',
            name='is_whole',
            field=models.BooleanField(default=False, help_text='It came to its end and lacked nothing that had to be there.'),
        ),
        migrations.AlterField(
            model_name='scan',
            name='new_count',
            field=models.PositiveIntegerField(default=0, help_text='Workstations that no scan had shown before.'),
        ),
        migrations.AlterField(
            model_name='scan',
            name='problem',
            field=models.CharField(blank=True, help_text='Why it is not whole.', max_length=200),
        ),
        migrations.AlterField(
            model_name='workstation',
            name='listed_at',
            field=models.DateTimeField(blank=True, help_text='When a scan first showed it.', null=True),
        ),
        migrations.AlterField(
            model_name='workstation',
            name='listed_tick',
            field=models.PositiveBigIntegerField(blank=True, help_text="The key's tick then: whatever was claimed later has not made it.", null=True),
        ),
        migrations.AddIndex(
            model_name='workstation',
            index=models.Index(models.F('last_scan_id'), condition=models.Q(('last_scan_id__isnull', False)), name='workstation_by_scan'),
        ),
        migrations.AddConstraint(
            model_name='scan',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('account',), name='scan_one_open'),
        ),
        migrations.AddConstraint(
            model_name='scan',
            constraint=models.CheckConstraint(condition=models.Q(('is_whole', False), models.Q(('ended_at__isnull', False), ('problem', '')), _connector='OR'), name='scan_whole_has_ended'),
        ),
        migrations.AddConstraint(
            model_name='workstation',
            constraint=models.CheckConstraint(condition=models.Q(('is_nameless', False), models.Q(('made_for', None), ('request', None)), _connector='OR'), name='workstation_nameless_is_nobody_s'),
        ),
    ]
