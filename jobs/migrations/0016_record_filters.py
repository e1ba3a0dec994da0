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
        migrations.AddIndex(
            model_name='record',
            index=models.Index(condition=models.Q(('reason', ''), _negated=True), fields=['job', 'reason', '-id'], name='record_by_reason', opclasses=['int8_ops', 'varchar_pattern_ops', 'int8_ops']),
        ),
        migrations.AddIndex(
            model_name='record',
            index=django.contrib.postgres.indexes.BrinIndex(django.db.models.functions.comparison.Coalesce('last_processed_at', 'created_at'), autosummarize=True, name='record_moment', pages_per_range=32),
        ),
    ]
