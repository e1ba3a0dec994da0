"""Alert rules and their firings."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('jobs', '0014_batch_size'),
        ('tenants', '0002_details'),
        ('transcription', '0002_price'),
    ]

    operations = [
        migrations.CreateModel(
            name='AlertRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120, unique=True, verbose_name='name')),
                ('measure', models.CharField(choices=[('lag', 'Lag of live work, 95th percentile (seconds)'), ('failures', 'Failure rate (percent)'), ('dead_letters', 'Failed records in an hour'), ('queue_age', 'Age of the oldest pending item (seconds)'), ('queue_unread', 'Items in a queue that no enabled job reads'), ('engine', 'Engine paused, or failing: its circuit breaker is open'), ('workers', 'Workers alive, fewer than'), ('limit', 'Service limit of a tenant used (percent)'), ('transaction', 'Oldest open transaction (seconds)')], max_length=16, verbose_name='watches')),
                ('enabled', models.BooleanField(default=True, verbose_name='enable')),
                ('threshold', models.FloatField(verbose_name='threshold')),
                ('minutes', models.PositiveSmallIntegerField(default=5, help_text='minutes', verbose_name='for')),
                ('recipients', django.contrib.postgres.fields.ArrayField(base_field=models.EmailField(max_length=254), blank=True, default=list, size=None, verbose_name='e-mail to')),
                ('snoozed_until', models.DateTimeField(editable=False, null=True, verbose_name='snoozed until')),
                ('snoozed_by', models.CharField(blank=True, editable=False, max_length=200)),
                ('test_asked_at', models.DateTimeField(editable=False, null=True)),
                ('test_result', models.CharField(blank=True, editable=False, max_length=200, verbose_name='last test')),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('engine', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='transcription.speechengine', verbose_name='engine')),
                ('job', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='jobs.jobdefinition', verbose_name='job')),
                ('tenant', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='tenants.tenant', verbose_name='tenant')),
            ],
        ),
        migrations.CreateModel(
            name='Firing',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(blank=True, max_length=120)),
                ('text', models.CharField(max_length=300, verbose_name='what was found')),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('firing', 'Firing'), ('resolved', 'Resolved')], default='pending', max_length=10, verbose_name='status')),
                ('value', models.FloatField(verbose_name='value')),
                ('threshold', models.FloatField(verbose_name='threshold')),
                ('since', models.DateTimeField(verbose_name='since')),
                ('fired_at', models.DateTimeField(null=True, verbose_name='fired')),
                ('resolved_at', models.DateTimeField(null=True, verbose_name='resolved')),
                ('snoozed_by', models.CharField(blank=True, max_length=200, verbose_name='snoozed by')),
                ('claimed_at', models.DateTimeField(null=True)),
                ('mailed_at', models.DateTimeField(null=True, verbose_name='e-mail sent')),
                ('rule', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='firings', to='alerts.alertrule', verbose_name='rule')),
            ],
            options={
                'indexes': [models.Index(fields=['state', '-id'], name='firing_list')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'resolved'), _negated=True), fields=('rule', 'subject'), name='firing_open_once')],
            },
        ),
    ]
