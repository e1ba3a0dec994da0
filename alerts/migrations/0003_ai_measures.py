"""Measures of AI tasks, and the rules that every installation begins with: they mail nobody until somebody says whom."""

from django.db import migrations, models

# Name, measure, threshold, minutes.
RULES = [
    ("AI tasks run again and again", "ai_executions", 50, 0),
    ("AI tasks take many tokens", "ai_tokens", 50_000, 10),
    ("AI requests are often repeated", "ai_repeats", 30, 10),
    ("AI budget reached", "ai_budget", 100, 0),
]


def add(apps, schema_editor):
    rule = apps.get_model("alerts", "AlertRule")
    rule.objects.bulk_create(
        [
            rule(name=name, measure=measure, threshold=threshold, minutes=minutes)
            for name, measure, threshold, minutes in RULES
        ],
        # Somebody may have given a rule of his own this name.
        ignore_conflicts=True,
    )


class Migration(migrations.Migration):

    dependencies = [
        ('alerts', '0002_first_rules'),
    ]

    operations = [
        migrations.AlterField(
            model_name='alertrule',
            name='measure',
            field=models.CharField(choices=[('lag', 'Lag of live work, 95th percentile (seconds)'), ('failures', 'Failure rate (percent)'), ('dead_letters', 'Failed records in an hour'), ('queue_age', 'Age of the oldest pending item (seconds)'), ('queue_unread', 'Items in a queue that no enabled job reads'), ('engine', 'Engine paused, or failing: its circuit breaker is open'), ('workers', 'Workers alive, fewer than'), ('limit', 'Service limit of a tenant used (percent)'), ('transaction', 'Oldest open transaction (seconds)'), ('ai_executions', 'AI executions of one conversation in an hour'), ('ai_tokens', 'Tokens per AI execution, average of an hour'), ('ai_repeats', 'AI requests that were repeated or repaired in an hour (percent)'), ('ai_budget', 'AI budget used (percent)')], max_length=16, verbose_name='watches'),
        ),
        migrations.RunPython(add, migrations.RunPython.noop),
    ]
