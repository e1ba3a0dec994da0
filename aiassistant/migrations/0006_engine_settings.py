import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('aiassistant', '0005_outcomes'),
        ('jobs', '0016_record_filters'),
        ('tenants', '0002_details'),
    ]

    operations = [
        migrations.CreateModel(
            name='EngineWindow',
            fields=[
                ('engine', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='aiassistant.aiengine')),
                ('requests', models.JSONField(default=list)),
                ('tokens', models.JSONField(default=list)),
                ('throttled', models.JSONField(default=list)),
            ],
        ),
        migrations.AddField(
            model_name='aiengine',
            name='missing_model',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=120),
        ),
        migrations.AddField(
            model_name='aiengine',
            name='overrides',
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict, editable=False),
        ),
        migrations.AddField(
            model_name='aiengine',
            name='probed_at',
            field=models.DateTimeField(editable=False, null=True, verbose_name='probed'),
        ),
        migrations.AddField(
            model_name='engineprice',
            name='reasoning',
            field=models.DecimalField(blank=True, decimal_places=6, max_digits=14, null=True, validators=[django.core.validators.MinValueValidator(0)], verbose_name='reasoning'),
        ),
        migrations.AlterField(
            model_name='execution',
            name='engine',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='aiassistant.aiengine', verbose_name='engine'),
        ),
        migrations.AddIndex(
            model_name='execution',
            index=models.Index(fields=['engine', '-ended_at'], name='execution_of_engine'),
        ),
        migrations.AddConstraint(
            model_name='engineprice',
            constraint=models.CheckConstraint(condition=models.Q(('reasoning__isnull', True), ('reasoning__gte', 0), _connector='OR'), name='aiassistant_reasoning_not_negative'),
        ),
    ]
