"""Roles become rows. Built-in ones take their rights from the code, so the rows hold key and name only."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models

BUILT_IN = [
    ("platform_admin", "Platform administrator", True, "system"),
    ("tenant_admin", "Tenant administrator", False, "system"),
    ("supervisor", "Supervisor", False, "managed_groups"),
    ("agent", "Agent", False, "user"),
    ("auditor", "Auditor", False, "system"),
    ("integrator", "Integrator", False, "system"),
]


def fill(apps, schema_editor):
    """Make the built-in roles and give every user the one he had by name."""
    Role, User = apps.get_model("accounts", "Role"), apps.get_model("accounts", "User")
    for key, name, platform, scope in BUILT_IN:
        role = Role.objects.create(key=key, name=name, platform=platform, scope=scope)
        User.objects.filter(role_key=key).update(role=role)


class Migration(migrations.Migration):

    dependencies = [("accounts", "0001_initial"), ("tenants", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Role",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(blank=True, editable=False, max_length=20)),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("platform", models.BooleanField(default=False, editable=False)),
                ("scope", models.CharField(choices=[("system", "System"), ("managed_groups", "Managed groups"), ("user", "User")], default="user", max_length=20, verbose_name="access scope")),
                ("granted", django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), blank=True, default=list, size=None, verbose_name="permissions")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("tenant", models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name="roles", to="tenants.tenant", verbose_name="tenant")),
            ],
        ),
        migrations.AddConstraint(
            model_name="role",
            constraint=models.UniqueConstraint(condition=models.Q(("key", ""), _negated=True), fields=("key",), name="role_key_unique"),
        ),
        migrations.AddConstraint(
            model_name="role",
            constraint=models.UniqueConstraint(django.db.models.functions.text.Lower("name"), models.F("tenant"), name="role_name_unique_in_tenant", violation_error_message="A role of this name is there already."),
        ),
        migrations.AddConstraint(
            model_name="role",
            constraint=models.CheckConstraint(condition=models.Q(models.Q(("key", ""), ("tenant__isnull", False)), models.Q(models.Q(("key", ""), _negated=True), ("tenant__isnull", True)), _connector="OR"), name="role_is_built_in_or_of_a_tenant"),
        ),
        migrations.AddField(model_name="user", name="last_sign_in_at", field=models.DateTimeField(editable=False, null=True, verbose_name="last sign-in")),
        migrations.AddField(model_name="user", name="version", field=models.PositiveIntegerField(default=1, editable=False)),
        migrations.AddField(model_name="user", name="managed_groups", field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=120), blank=True, default=list, size=None, verbose_name="managed groups")),
        migrations.AddField(model_name="user", name="managed_tenant_groups", field=models.ManyToManyField(blank=True, related_name="managers", to="tenants.tenantgroup", verbose_name="managed tenant groups")),
        migrations.RenameField(model_name="user", old_name="role", new_name="role_key"),
        migrations.AddField(model_name="user", name="role", field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="users", to="accounts.role", verbose_name="role")),
        migrations.RunPython(fill, migrations.RunPython.noop),
        # The rows just written have checks pending at the end of the transaction; a table with such cannot be altered.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.AlterField(model_name="user", name="role", field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="users", to="accounts.role", verbose_name="role")),
        migrations.RemoveField(model_name="user", name="role_key"),
    ]
