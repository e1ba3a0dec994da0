"""Figures of what jobs did."""

import django.contrib.postgres.fields
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0011_rate_of_actions'),
    ]

    operations = [
        migrations.CreateModel(
            name='FigureSlice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('job_id', models.BigIntegerField()),
                ('engine', models.CharField(blank=True, db_default='', default='', max_length=40)),
                ('tenant_id', models.UUIDField()),
                ('what', models.CharField(choices=[('taken', 'Taken in'), ('completed', 'Completed'), ('failed', 'Failed'), ('skipped', 'Skipped'), ('aborted', 'Aborted'), ('error', 'Errors'), ('recovered', 'Recovered errors')], max_length=10)),
                ('reason', models.CharField(blank=True, db_default='', default='', max_length=80)),
                ('number', models.BigIntegerField()),
                ('times', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), db_default=[], default=list, size=None)),
            ],
        ),
        migrations.CreateModel(
            name='Figure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('grain', models.CharField(choices=[('minute', 'minute'), ('hour', 'hour')], max_length=6)),
                ('at', models.DateTimeField()),
                ('job_id', models.BigIntegerField()),
                ('engine', models.CharField(blank=True, max_length=40)),
                ('tenant_id', models.UUIDField(default=uuid.UUID('00000000-0000-0000-0000-000000000000'))),
                ('what', models.CharField(choices=[('taken', 'Taken in'), ('completed', 'Completed'), ('failed', 'Failed'), ('skipped', 'Skipped'), ('aborted', 'Aborted'), ('error', 'Errors'), ('recovered', 'Recovered errors')], max_length=10)),
                ('reason', models.CharField(blank=True, max_length=80)),
                ('number', models.BigIntegerField()),
                ('times', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, size=None)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('grain', 'hour'), ('what', 'failed'), models.Q(('tenant_id', uuid.UUID('00000000-0000-0000-0000-000000000000')), _negated=True)), fields=['at'], name='figure_failed')],
                'constraints': [models.UniqueConstraint(fields=('grain', 'tenant_id', 'at', 'job_id', 'engine', 'what', 'reason'), name='figure_once')],
            },
        ),
    ]
