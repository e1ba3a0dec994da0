from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # The ledger is written to while the index is built.
    atomic = False
    dependencies = [("licensing", "0006_playground_lines"), ("tenants", "0002_details")]
    operations = [
        AddIndexConcurrently(
            "entry",
            models.Index(
                condition=models.Q(("step", "settle")),
                fields=["engine", "at"],
                include=("amount", "tenant", "meter"),
                name="ledger_entry_by_engine",
            ),
        ),
    ]
