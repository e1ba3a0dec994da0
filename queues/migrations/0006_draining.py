from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('queues', '0005_purging_in_slices'),
    ]

    operations = [
        migrations.AddField(
            model_name='processingqueue',
            name='drained_from',
            field=models.PositiveBigIntegerField(editable=False, null=True),
        ),
    ]
