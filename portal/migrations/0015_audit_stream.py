from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ('portal', '0014_audit_log'),
    ]

    operations = [
        migrations.CreateModel(
            name='StreamPosition',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('last_id', models.BigIntegerField(default=0, help_text='The newest event that is certain to have arrived.')),
                ('place', models.CharField(help_text='Where the database is that is sent: a copy is elsewhere.', max_length=300)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('pk', 1)), name='stream_position_is_one')],
            },
        ),
    ]
