"""What the identity facade keeps: how a realm is set up, its signing keys, and the sessions behind its tokens."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from tenants.models import Tenant

ACCESS_SECONDS, REFRESH_SECONDS = (60, 3600), (300, 86_400)


class RealmSetting(models.Model):
    """How a tenant offers the offline-task API (R1.1, R1.3, 2.2). Without a row it is off."""

    tenant = models.OneToOneField(
        Tenant, on_delete=models.CASCADE, primary_key=True, related_name="realm", verbose_name=_("tenant")
    )
    enabled = models.BooleanField(_("offline-task API"), default=False)
    local_sign_in = models.BooleanField(_("sign-in with user name and password"), default=True)
    access_seconds = models.PositiveIntegerField(
        _("lifetime of access tokens"),
        default=300,
        validators=[MinValueValidator(ACCESS_SECONDS[0]), MaxValueValidator(ACCESS_SECONDS[1])],
        help_text=_("seconds"),
    )
    refresh_seconds = models.PositiveIntegerField(
        _("lifetime of refresh tokens"),
        default=1800,
        validators=[MinValueValidator(REFRESH_SECONDS[0]), MaxValueValidator(REFRESH_SECONDS[1])],
        help_text=_("seconds"),
    )
    cors_origins = ArrayField(
        models.CharField(max_length=300), default=list, blank=True, verbose_name=_("origins of pages that may call it")
    )
    # Of the answers with transcripts (R5.6, R5.7).
    participant_names = models.BooleanField(_("names of participants as speakers"), default=False)
    legacy_id = models.BooleanField(_("repeat “id” as “Id”"), default=False)
    # None: no limit but the disk's (R4.2).
    storage_megabytes = models.PositiveIntegerField(
        _("storage for audio"), null=True, blank=True, validators=[MinValueValidator(1)], help_text=_("megabytes")
    )
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(access_seconds__range=ACCESS_SECONDS, refresh_seconds__range=REFRESH_SECONDS),
                name="realm_lifetimes",
            )
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id}"


class RealmKey(models.Model):
    """One RSA key of a realm. The one that is not retired signs; retired ones verify until no token of theirs is valid."""

    kid = models.CharField(max_length=64, primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", verbose_name=_("tenant"))
    # PKCS#8, sealed with the tenant's data key.
    private = models.BinaryField(editable=False)
    # The public half as a JWK.
    public = models.JSONField()
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    retired_at = models.DateTimeField(_("retired"), null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], condition=models.Q(retired_at=None), name="one_signing_key_a_realm"
            )
        ]

    def __str__(self) -> str:
        return self.kid


def _built_in_client() -> list[str]:
    return ["browser_client"]


class TrustedIssuer(models.Model):
    """An OpenID Connect server outside whose access tokens let a tenant's users call the API (R2.9).

    A row lets people into its own tenant alone, whoever else trusts the same issuer.
    """

    class Mapping(models.TextChoices):
        """How a token shows that it is for this tenant."""

        REALM = "realm", _("The issuer's realm has the name of the tenant")
        FIXED = "fixed", _("Everybody of the issuer belongs to the tenant")
        CLAIM = "claim", _("A claim names the tenant")

    class UserClaim(models.TextChoices):
        """What names the user."""

        USERNAME = "preferred_username", _("User name")
        EMAIL = "email", _("Verified email")

    class RoleMode(models.TextChoices):
        """What a mapped role does to the rights of a request."""

        NARROW = "narrow", _("Only the rights that the user's own role has too")
        SET = "set", _("The rights of the mapped role")

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="trusted_issuers", verbose_name=_("tenant")
    )
    enabled = models.BooleanField(_("enabled"), default=True)
    issuer = models.CharField(_("issuer"), max_length=500)
    # Empty: discovery says where the keys are.
    jwks_uri = models.CharField(_("address of the keys"), max_length=500, blank=True)
    clients = ArrayField(models.CharField(max_length=120), default=_built_in_client, verbose_name=_("clients"))
    mapping = models.CharField(_("tenant is found by"), max_length=10, choices=Mapping, default=Mapping.REALM)
    tenant_claim = models.CharField(_("claim with the tenant"), max_length=120, blank=True)
    user_claim = models.CharField(_("users are found by"), max_length=20, choices=UserClaim, default=UserClaim.USERNAME)
    # Names with dots between them lead into objects: "realm_access.roles". Empty: everybody has his own role.
    role_claim = models.CharField(_("claim with roles"), max_length=120, blank=True)
    role_mode = models.CharField(_("mapped role"), max_length=10, choices=RoleMode, default=RoleMode.NARROW)
    # Pairs of a value of the claim and the id of a role; the first that a token has counts.
    roles = models.JSONField(_("roles"), default=list, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "issuer"],
                name="issuer_trusted_once_a_tenant",
                violation_error_message=_("This issuer is trusted already."),
            ),
            # Otherwise a token would not say whose it is.
            models.UniqueConstraint(
                fields=["issuer"],
                condition=models.Q(mapping="fixed"),
                name="issuer_belongs_to_one_tenant",
                violation_error_message=_("Another tenant counts everybody of this issuer as its own."),
            ),
        ]
        indexes = [models.Index(fields=["issuer"], name="trusted_issuer")]

    def __str__(self) -> str:
        return self.issuer


class RealmSession(models.Model):
    """What stands behind an access and a refresh token. Ended or out of time, both are worth nothing (R2.6)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="realm_sessions", verbose_name=_("user"))
    client = models.CharField(_("client"), max_length=80)
    scope = models.CharField(max_length=200)
    # The one refresh token that may be used, once.
    refresh_id = models.UUIDField()
    address = models.GenericIPAddressField(_("address"), null=True)
    started_at = models.DateTimeField(_("started"), auto_now_add=True)
    seen_at = models.DateTimeField(_("last seen"))
    ends_at = models.DateTimeField(_("ends"))
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        indexes = [models.Index(fields=["ends_at"], name="realm_session_end")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.started_at:%Y-%m-%d %H:%M}"
