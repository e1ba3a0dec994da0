"""The rules that every installation begins with: they show on pages, and mail nobody until somebody says whom."""

from django.db import migrations

# Name, measure, threshold, minutes.
RULES = [
    ("Live work is late", "lag", 600, 5),
    ("Many records fail", "failures", 10, 10),
    ("Dead letters grow", "dead_letters", 100, 0),
    ("Queue is late", "queue_age", 900, 5),
    ("Queue without a reader", "queue_unread", 1, 5),
    ("Engine is down", "engine", 1, 1),
    ("No worker", "workers", 1, 1),
    ("Service limit nearly used", "limit", 80, 0),
    ("Service limit 95 % used", "limit", 95, 0),
    ("Service limit used up", "limit", 100, 0),
    ("Long transaction", "transaction", 300, 1),
]


def add(apps, schema_editor):
    rule = apps.get_model("alerts", "AlertRule")
    rule.objects.bulk_create(
        rule(name=name, measure=measure, threshold=threshold, minutes=minutes)
        for name, measure, threshold, minutes in RULES
    )


class Migration(migrations.Migration):
    dependencies = [("alerts", "0001_initial")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
