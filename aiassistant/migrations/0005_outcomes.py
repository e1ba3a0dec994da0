import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('aiassistant', '0004_rails'),
        ('tenants', '0002_details'),
    ]

    operations = [
        migrations.CreateModel(
            name='DailyOutcome',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('day', models.DateField()),
                ('task_key', models.CharField(max_length=80)),
                ('engine', models.BigIntegerField()),
                ('completed', models.BigIntegerField()),
                ('failed', models.BigIntegerField()),
                ('invalid', models.BigIntegerField()),
                ('skipped', models.BigIntegerField()),
                ('outputs', models.BigIntegerField()),
                ('missing', models.BigIntegerField()),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'indexes': [models.Index(fields=['day'], name='aiassistant_outcome_by_day')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'day', 'task_key', 'engine'), name='aiassistant_daily_outcome_once')],
            },
        ),
    ]
