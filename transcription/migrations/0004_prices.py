import django.core.validators
import django.db.models.deletion
from django.db import migrations, models
from django.utils import timezone


def keep(apps, schema_editor):
    """The one price that an engine had goes on as a row of its history; its currency was never asked for (XXX: none)."""
    price = apps.get_model("transcription", "SpeechPrice")
    engines = apps.get_model("transcription", "SpeechEngine").objects.filter(price_per_minute__isnull=False)
    price.objects.bulk_create(
        price(engine=engine, valid_from=timezone.now().date(), currency="XXX", per_minute=engine.price_per_minute)
        for engine in engines
    )


class Migration(migrations.Migration):

    dependencies = [
        ("transcription", "0003_languages"),
    ]

    operations = [
        migrations.CreateModel(
            name="SpeechPrice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from", models.DateField(verbose_name="valid from")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("per_minute", models.DecimalField(decimal_places=6, max_digits=14, validators=[django.core.validators.MinValueValidator(0)], verbose_name="price per minute")),
                ("engine", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="prices", to="transcription.speechengine", verbose_name="engine")),
            ],
            options={
                "ordering": ["-valid_from"],
                "constraints": [
                    models.UniqueConstraint(fields=("engine", "valid_from"), name="transcription_one_price_a_day"),
                    models.CheckConstraint(condition=models.Q(("per_minute__gte", 0)), name="transcription_price_not_negative"),
                ],
            },
        ),
        migrations.RunPython(keep, migrations.RunPython.noop),
        # The column stays for processes of the version before, which still read it; a later version drops it.
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField(model_name="speechengine", name="price_per_minute")]
        ),
    ]
