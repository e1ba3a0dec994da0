from django.db import migrations, models

from core.concurrently import BuildIndex


class Migration(migrations.Migration):
    # The ledger is written to while the index is built.
    atomic = False
    dependencies = [("licensing", "0006_playground_lines"), ("tenants", "0002_details")]
    operations = [
        BuildIndex(
            "entry",
            models.Index(
                condition=models.Q(("step", "settle")),
                fields=["engine", "at"],
                include=("amount", "tenant", "meter"),
                name="ledger_entry_by_engine",
            ),
        ),
    ]
