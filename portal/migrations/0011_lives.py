from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0010_notification_defaults'),
    ]

    operations = [
        migrations.AddField(
            model_name='workstation',
            name='end_seen',
            field=models.FloatField(help_text='Seconds since its last announcement that workers have seen pass; empty: none yet.', null=True),
        ),
    ]
