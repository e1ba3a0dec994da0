import django.db.models.deletion
from django.db import migrations, models

APPEND_ONLY = """
CREATE TRIGGER licensing_spendline_append_only BEFORE UPDATE OR DELETE ON licensing_spendline
    FOR EACH ROW EXECUTE FUNCTION licensing_refuse_change();
CREATE TRIGGER licensing_spendline_no_truncate BEFORE TRUNCATE ON licensing_spendline
    FOR EACH STATEMENT EXECUTE FUNCTION licensing_refuse_change();
"""
DROP = """
DROP TRIGGER licensing_spendline_append_only ON licensing_spendline;
DROP TRIGGER licensing_spendline_no_truncate ON licensing_spendline;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('licensing', '0004_claimed_alerts'),
        ('tenants', '0002_details'),
    ]

    operations = [
        migrations.CreateModel(
            name='SpendTotal',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('month', models.CharField(max_length=7)),
                ('task', models.BigIntegerField()),
                ('engine', models.BigIntegerField()),
                ('currency', models.CharField(blank=True, max_length=3)),
                ('shard', models.PositiveSmallIntegerField()),
                ('tokens', models.BigIntegerField()),
                ('cost', models.BigIntegerField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('month', 'task', 'engine', 'currency', 'shard'), name='spend_total_once')],
            },
        ),
        migrations.CreateModel(
            name='DailySpend',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('period', models.CharField(max_length=7)),
                ('day', models.DateField()),
                ('task', models.BigIntegerField()),
                ('engine', models.BigIntegerField()),
                ('model', models.CharField(blank=True, max_length=120)),
                ('currency', models.CharField(blank=True, max_length=3)),
                ('executions', models.BigIntegerField()),
                ('requests', models.BigIntegerField()),
                ('again', models.BigIntegerField()),
                ('prompt', models.BigIntegerField()),
                ('cached', models.BigIntegerField()),
                ('completion', models.BigIntegerField()),
                ('reasoning', models.BigIntegerField()),
                ('again_tokens', models.BigIntegerField()),
                ('cost', models.BigIntegerField()),
                ('again_cost', models.BigIntegerField()),
                ('estimated', models.BigIntegerField()),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant')),
            ],
            options={
                'indexes': [models.Index(fields=['day'], name='daily_spend_by_day')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'period', 'day', 'task', 'engine', 'model', 'currency'), name='daily_spend_once')],
            },
        ),
        migrations.CreateModel(
            name='SpendHold',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('request', models.CharField(max_length=80)),
                ('task', models.BigIntegerField()),
                ('engine', models.BigIntegerField()),
                ('tokens', models.BigIntegerField()),
                ('cost', models.BigIntegerField()),
                ('currency', models.CharField(blank=True, max_length=3)),
                ('until', models.DateTimeField()),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('tenant', 'request'), name='spend_hold_once')],
            },
        ),
        migrations.CreateModel(
            name='SpendLine',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('request', models.CharField(max_length=80)),
                ('number', models.PositiveSmallIntegerField()),
                ('part', models.CharField(choices=[('ask', 'Question'), ('map', 'Notes on a part'), ('reduce', 'Answer from notes'), ('retry', 'Repeated'), ('repair', 'Repair')], max_length=6)),
                ('task', models.BigIntegerField()),
                ('task_version', models.BigIntegerField()),
                ('engine', models.BigIntegerField()),
                ('model', models.CharField(blank=True, max_length=120)),
                ('record_type', models.CharField(max_length=20)),
                ('record_id', models.UUIDField()),
                ('prompt', models.BigIntegerField()),
                ('cached', models.BigIntegerField()),
                ('completion', models.BigIntegerField()),
                ('reasoning', models.BigIntegerField()),
                ('estimated', models.BooleanField()),
                ('cost', models.BigIntegerField()),
                ('currency', models.CharField(blank=True, max_length=3)),
                ('price', models.BigIntegerField(null=True)),
                ('period', models.CharField(max_length=7)),
                ('day', models.DateField()),
                ('zone', models.CharField(max_length=64)),
                ('at', models.DateTimeField()),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant')),
            ],
            options={
                'indexes': [models.Index(fields=['tenant', 'record_id', 'at'], name='spend_line_by_record'), models.Index(fields=['at'], name='spend_line_recent')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'request', 'number'), name='spend_line_once'), models.CheckConstraint(condition=models.Q(('cached__gte', 0), ('completion__gte', 0), ('cost__gte', 0), ('number__gte', 1), ('prompt__gte', 0), ('reasoning__gte', 0)), name='spend_line_never_negative')],
            },
        ),
        migrations.RunSQL(APPEND_ONLY, DROP),
    ]
