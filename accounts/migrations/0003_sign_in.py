"""Sign-in: throttles, sessions, second factors, single sign-on; and two fields of users."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_roles'),
        ('tenants', '0002_details'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='language',
            field=models.CharField(blank=True, max_length=10, verbose_name='language'),
        ),
        migrations.AddField(
            model_name='user',
            name='must_change_password',
            field=models.BooleanField(default=False, editable=False, verbose_name='must change the password'),
        ),
        migrations.CreateModel(
            name='SignInThrottle',
            fields=[
                ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=10)),
                ('window_started_at', models.DateTimeField()),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('locked_until', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['window_started_at'], name='sign_in_throttle_age')],
            },
        ),
        migrations.CreateModel(
            name='LinkedIdentity',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('issuer', models.CharField(max_length=500, verbose_name='issuer')),
                ('subject', models.CharField(max_length=255)),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='linked')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant', verbose_name='tenant')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='identities', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name_plural': 'linked identities',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'issuer', 'subject'), name='identity_unique_in_tenant'), models.UniqueConstraint(fields=('user', 'issuer'), name='one_identity_an_issuer')],
            },
        ),
        migrations.CreateModel(
            name='RecoveryCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(editable=False, max_length=64)),
                ('used_at', models.DateTimeField(editable=False, null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='recovery_codes', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('user', 'digest'), name='recovery_code_unique')],
            },
        ),
        migrations.CreateModel(
            name='SecondFactor',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('totp', 'Authenticator app'), ('passkey', 'Passkey')], max_length=10, verbose_name='kind')),
                ('name', models.CharField(max_length=80, verbose_name='name')),
                ('secret', models.BinaryField()),
                ('credential_id', models.BinaryField(null=True, unique=True)),
                ('sign_count', models.BigIntegerField(default=0, editable=False)),
                ('last_step', models.BigIntegerField(default=0, editable=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='added')),
                ('confirmed_at', models.DateTimeField(editable=False, null=True)),
                ('last_used_at', models.DateTimeField(editable=False, null=True, verbose_name='last used')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='second_factors', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('kind', 'totp')), fields=('user',), name='one_totp_a_user'), models.CheckConstraint(condition=models.Q(models.Q(('credential_id__isnull', True), ('kind', 'totp')), models.Q(('credential_id__isnull', False), ('kind', 'passkey')), _connector='OR'), name='second_factor_credential')],
            },
        ),
        migrations.CreateModel(
            name='TenantSignIn',
            fields=[
                ('tenant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='sign_in', serialize=False, to='tenants.tenant', verbose_name='tenant')),
                ('require_second_factor', models.BooleanField(default=False, verbose_name='require a second factor')),
                ('oidc_enabled', models.BooleanField(default=False, verbose_name='single sign-on')),
                ('oidc_label', models.CharField(blank=True, max_length=60, verbose_name='label of the button')),
                ('oidc_issuer', models.CharField(blank=True, max_length=500, verbose_name='issuer')),
                ('oidc_client_id', models.CharField(blank=True, max_length=255, verbose_name='client id')),
                ('oidc_client_secret', models.BinaryField(null=True)),
                ('oidc_match', models.CharField(choices=[('preferred_username', 'User name (preferred_username)'), ('email', 'Verified email address (email)')], default='preferred_username', max_length=20, verbose_name='users are found by')),
                ('oidc_create_users', models.BooleanField(default=False, verbose_name='create unknown users')),
                ('oidc_second_factor', models.BooleanField(default=False, verbose_name='ask for our second factor too')),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('oidc_default_role', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.role', verbose_name='role of created users')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('oidc_enabled', False), models.Q(models.Q(('oidc_issuer', ''), _negated=True), models.Q(('oidc_client_id', ''), _negated=True), ('oidc_client_secret__isnull', False)), _connector='OR'), name='oidc_is_complete_when_enabled')],
            },
        ),
        migrations.CreateModel(
            name='UserSession',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('session_key', models.CharField(editable=False, max_length=40, unique=True)),
                ('address', models.GenericIPAddressField(null=True, verbose_name='address')),
                ('user_agent', models.CharField(blank=True, max_length=300, verbose_name='device')),
                ('method', models.CharField(blank=True, max_length=40, verbose_name='signed in with')),
                ('started_at', models.DateTimeField(auto_now_add=True, verbose_name='started')),
                ('seen_at', models.DateTimeField(verbose_name='last seen')),
                ('ends_at', models.DateTimeField(verbose_name='ends')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sessions', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'indexes': [models.Index(fields=['ends_at'], name='user_session_end')],
            },
        ),
    ]
