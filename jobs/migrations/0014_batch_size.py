from django.db import migrations, models


class Migration(migrations.Migration):
    # A job that was left at the old default takes the new one: a batch of five hundred costs little more than one of
    # a hundred. There are few jobs, so one UPDATE does it.
    dependencies = [("jobs", "0013_taken_in")]

    operations = [
        migrations.AlterField(
            model_name="jobdefinition",
            name="batch_size",
            field=models.PositiveSmallIntegerField(default=500, verbose_name="batch size"),
        ),
        migrations.RunSQL(
            "UPDATE jobs_jobdefinition SET batch_size = 500 WHERE batch_size = 100", migrations.RunSQL.noop
        ),
    ]
