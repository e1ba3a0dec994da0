from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('licensing', '0006_playground_lines'),
        ('tenants', '0002_details'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('step', 'settle')), fields=['engine', 'at'], include=('amount', 'tenant', 'meter'), name='ledger_entry_by_engine'),
        ),
    ]
