import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('aiassistant', '0003_executions'),
        ('tenants', '0002_details'),
    ]

    operations = [
        migrations.CreateModel(
            name='TenantRate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('per_minute', models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100000)], verbose_name='executions a minute')),
                ('spent', models.JSONField(default=list, editable=False)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('tenant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='ai_rate', to='tenants.tenant', verbose_name='tenant')),
            ],
        ),
        migrations.CreateModel(
            name='Budget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120, unique=True, verbose_name='name')),
                ('enabled', models.BooleanField(default=True, verbose_name='enable')),
                ('currency', models.CharField(blank=True, max_length=3, verbose_name='currency')),
                ('soft', models.BigIntegerField(null=True, verbose_name='warn at')),
                ('hard', models.BigIntegerField(null=True, verbose_name='stop at')),
                ('by_platform', models.BooleanField(default=True, editable=False)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('engine', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='aiassistant.aiengine', verbose_name='engine')),
                ('task', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='aiassistant.aitask', verbose_name='task')),
                ('tenant', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='tenants.tenant', verbose_name='tenant')),
            ],
            options={
                'ordering': ['name'],
                'indexes': [models.Index(condition=models.Q(('enabled', True)), fields=['tenant'], name='aiassistant_budget_of')],
                'constraints': [models.CheckConstraint(condition=models.Q(('soft__gt', 0), ('hard__gt', 0), _connector='OR'), name='aiassistant_budget_has_an_amount')],
            },
        ),
    ]
