
from django.db import migrations, models


class Migration(migrations.Migration):
    # Only records of later engines are in the indexes; the column has a default that no row is rewritten for.

    dependencies = [
        ('jobs', '0016_record_filters'),
        ('tenants', '0002_details'),
    ]

    operations = [
        migrations.AddField(
            model_name='record',
            name='place',
            field=models.SmallIntegerField(db_default=0, default=0, verbose_name='place in the list of engines'),
        ),
        migrations.AddIndex(
            model_name='record',
            index=models.Index(condition=models.Q(('place__gt', 0), ('state', 'in_progress')), fields=['job', 'tenant', 'lane', 'next_at'], name='record_passed_on'),
        ),
        migrations.AddIndex(
            model_name='record',
            index=models.Index(condition=models.Q(('place__gt', 0)), fields=['job', 'place', '-id'], name='record_by_place'),
        ),
    ]
