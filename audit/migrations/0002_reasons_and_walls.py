"""Reason, before and after, IP and form of an entry; signing keys; the database refuses to change the trail (A3)."""

from django.db import migrations, models

FORWARD = """
CREATE FUNCTION audit_entry_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only: % refused', TG_OP;
END $$;
CREATE TRIGGER audit_entry_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_guard();
"""
BACKWARD = "DROP TRIGGER audit_entry_guard ON audit_auditentry; DROP FUNCTION audit_entry_guard();"


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='SigningKey',
            fields=[
                ('id', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('public_key', models.BinaryField()),
                ('wrapped_private_key', models.BinaryField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.AddField(
            model_name='auditentry',
            name='actor_tenant_id',
            field=models.UUIDField(null=True, verbose_name='tenant of the actor'),
        ),
        migrations.AddField(
            model_name='auditentry',
            name='after',
            field=models.JSONField(null=True, verbose_name='after'),
        ),
        migrations.AddField(
            model_name='auditentry',
            name='before',
            field=models.JSONField(null=True, verbose_name='before'),
        ),
        migrations.AddField(
            model_name='auditentry',
            name='form',
            field=models.PositiveSmallIntegerField(db_default=1, default=2),
        ),
        migrations.AddField(
            model_name='auditentry',
            name='ip',
            field=models.GenericIPAddressField(null=True, verbose_name='IP address'),
        ),
        migrations.AddField(
            model_name='auditentry',
            name='reason',
            field=models.CharField(db_default='', default='', max_length=500, verbose_name='reason'),
        ),
        migrations.AlterField(
            model_name='auditentry',
            name='actor',
            field=models.CharField(max_length=200, verbose_name='who'),
        ),
        migrations.AlterField(
            model_name='auditentry',
            name='at',
            field=models.DateTimeField(db_index=True, verbose_name='time'),
        ),
        migrations.AlterField(
            model_name='auditentry',
            name='digest',
            field=models.CharField(max_length=64, verbose_name='digest'),
        ),
        migrations.AlterField(
            model_name='auditentry',
            name='previous_digest',
            field=models.CharField(max_length=64, verbose_name='digest before'),
        ),
        migrations.AlterField(
            model_name='auditentry',
            name='request_id',
            field=models.CharField(default='-', max_length=64, verbose_name='request id'),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(fields=['tenant_id', 'id'], name='audit_of_tenant'),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(fields=['actor_tenant_id', 'id'], name='audit_of_actor_tenant'),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(fields=['request_id'], name='audit_of_request'),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
