from django.db import migrations, models

from core.concurrently import BuildIndex


class Migration(migrations.Migration):
    # Only records of later engines are in the indexes; the table is written to while they are built.
    atomic = False
    dependencies = [("jobs", "0017_fallback_chains")]
    operations = [
        BuildIndex(
            "record",
            models.Index(
                fields=["job", "tenant", "lane", "next_at"],
                condition=models.Q(state="in_progress", place__gt=0),
                name="record_passed_on",
            ),
        ),
        BuildIndex(
            "record",
            models.Index(fields=["job", "place", "-id"], condition=models.Q(place__gt=0), name="record_by_place"),
        ),
    ]
