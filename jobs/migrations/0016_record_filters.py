import django.contrib.postgres.indexes
import django.db.models.functions.comparison
from django.db import migrations, models


class Migration(migrations.Migration):
    # Writers wait while an index is built: half a second for a million records, each.

    dependencies = [
        ('jobs', '0015_policy'),
        ('tenants', '0002_details'),
    ]

    operations = [
        migrations.AlterField(
            model_name='record',
            name='wait',
            field=models.CharField(blank=True, choices=[('', 'due'), ('polling', 'waiting for the engine'), ('backoff', 'waiting after an error'), ('rate_limited', 'the engine asked to wait'), ('engine_paused', 'the engine is paused'), ('circuit_open', 'the engine fails; waiting for it to answer a probe'), ('limit', 'held until the limit resets or is raised'), ('tenant', 'the tenant is suspended'), ('rate_job', 'waiting: rate of the job'), ('rate_tenant', 'waiting: rate of the tenant')], default='', max_length=16),
        ),
        migrations.AddIndex(
            model_name='record',
            index=models.Index(condition=models.Q(('reason', ''), _negated=True), fields=['job', 'reason', '-id'], name='record_by_reason', opclasses=['int8_ops', 'varchar_pattern_ops', 'int8_ops']),
        ),
        migrations.AddIndex(
            model_name='record',
            index=django.contrib.postgres.indexes.BrinIndex(django.db.models.functions.comparison.Coalesce('last_processed_at', 'created_at'), autosummarize=True, name='record_moment', pages_per_range=32),
        ),
        migrations.AddIndex(
            model_name='record',
            index=models.Index(condition=models.Q(('wait', 'tenant')), fields=['tenant'], name='record_held_by_tenant'),
        ),
    ]
