import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0006_user_time_zone'),
    ]

    operations = [
        migrations.CreateModel(
            name='DailyCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(help_text="A day of the site's zone; requests belong to the day on which they were made.")),
                ('zone', models.CharField(help_text="The site's zone when the day was counted.", max_length=64)),
                ('counts', models.JSONField(default=dict, help_text='For each kind (status, type, ...) how many of each value.')),
                ('open_numbers', models.JSONField(default=list, help_text='Requests that had not ended when the day was counted.')),
                ('has_open', models.BooleanField(default=False)),
                ('person', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [
                    models.UniqueConstraint(fields=('person', 'day'), name='daily_count_once_a_person'),
                    models.UniqueConstraint(condition=models.Q(('person', None)), fields=('day',), name='daily_count_once'),
                ],
            },
        ),
        migrations.AddIndex(
            model_name='attempt',
            index=models.Index(models.F('failure'), models.F('ended_at'), name='attempt_failed_lately'),
        ),
        migrations.AddIndex(
            model_name='request',
            index=models.Index(models.F('failure'), models.F('ended_at'), name='request_failed_lately'),
        ),
    ]
