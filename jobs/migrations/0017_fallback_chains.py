from django.db import migrations, models

WHAT = [
    ("taken", "Taken in"),
    ("completed", "Completed"),
    ("failed", "Failed"),
    ("skipped", "Skipped"),
    ("aborted", "Aborted"),
    ("passed_on", "Passed on to another engine"),
    ("error", "Errors"),
    ("recovered", "Recovered errors"),
]


class Migration(migrations.Migration):
    # The column has a default that no row is rewritten for; choices are no business of the database.
    dependencies = [("jobs", "0016_record_filters"), ("tenants", "0002_details")]
    operations = [
        migrations.AddField(
            "record",
            "place",
            models.SmallIntegerField(db_default=0, default=0, verbose_name="place in the list of engines"),
        ),
        migrations.AlterField("figure", "what", models.CharField(choices=WHAT, max_length=10)),
        migrations.AlterField("figureslice", "what", models.CharField(choices=WHAT, max_length=10)),
    ]
