"""What sign-in needs to remember: throttles, sessions, second factors, and how a tenant's people sign in."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Role, User
from tenants.models import Tenant

# Marks in a User-Agent, the particular before the general.
BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrom", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


class SignInThrottle(models.Model):
    """Attempts of one account, device, address or second factor; counted by one statement in ``accounts.lockout``.

    ``key`` is a digest, so the table names nobody; rows of names that never existed look like any other.
    """

    key = models.CharField(max_length=64, primary_key=True)
    kind = models.CharField(max_length=10)
    window_started_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    locked_until = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["window_started_at"], name="sign_in_throttle_age")]

    def __str__(self) -> str:
        return f"{self.kind} {self.attempts}"


class UserSession(models.Model):
    """One signed-in browser of a user; its session is alive as long as the framework's row of the same key is."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions", verbose_name=_("user"))
    session_key = models.CharField(max_length=40, unique=True, editable=False)
    address = models.GenericIPAddressField(_("address"), null=True)
    user_agent = models.CharField(_("device"), max_length=300, blank=True)
    method = models.CharField(_("signed in with"), max_length=40, blank=True)
    started_at = models.DateTimeField(_("started"), auto_now_add=True)
    seen_at = models.DateTimeField(_("last seen"))
    ends_at = models.DateTimeField(_("ends"))

    class Meta:
        indexes = [models.Index(fields=["ends_at"], name="user_session_end")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def device(self) -> str:
        """Browser and system in words, as the browser claims to be."""
        browser = next((name for mark, name in BROWSERS if mark in self.user_agent), "")
        system = next((name for mark, name in SYSTEMS if mark in self.user_agent), "")
        return " · ".join(filter(None, (browser, system))) or self.user_agent[:40] or "–"


class SecondFactor(models.Model):
    """An authenticator app (TOTP) or a passkey of a user.

    ``secret`` is the sealed TOTP secret, or the public credential of a passkey. ``last_step`` is the newest TOTP step
    that was used: no code passes twice (hostile 3B17). Not confirmed: enrolment has begun and counts for nothing.
    """

    class Kind(models.TextChoices):
        """What it is."""

        TOTP = "totp", _("Authenticator app")
        PASSKEY = "passkey", _("Passkey")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="second_factors", verbose_name=_("user"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    name = models.CharField(_("name"), max_length=80)
    secret = models.BinaryField(editable=False)
    credential_id = models.BinaryField(null=True, unique=True, editable=False)
    sign_count = models.BigIntegerField(default=0, editable=False)
    last_step = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(_("added"), auto_now_add=True)
    confirmed_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user"], condition=models.Q(kind="totp"), name="one_totp_a_user"),
            models.CheckConstraint(
                condition=models.Q(kind="totp", credential_id__isnull=True)
                | models.Q(kind="passkey", credential_id__isnull=False),
                name="second_factor_credential",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.name}"


class RecoveryCode(models.Model):
    """One code for the day when the second factor is lost; only its digest is stored, and it works once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recovery_codes", verbose_name=_("user"))
    digest = models.CharField(max_length=64, editable=False)
    used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="recovery_code_unique")]

    def __str__(self) -> str:
        return f"{self.user_id} {'used' if self.used_at else 'unused'}"


class TenantSignIn(models.Model):
    """How the people of a tenant sign in: second factor, and single sign-on by OpenID Connect."""

    class Match(models.TextChoices):
        """The claim that names the user."""

        USERNAME = "preferred_username", _("User name (preferred_username)")
        EMAIL = "email", _("Verified email address (email)")

    tenant = models.OneToOneField(
        Tenant, on_delete=models.CASCADE, related_name="sign_in", primary_key=True, verbose_name=_("tenant")
    )
    require_second_factor = models.BooleanField(_("require a second factor"), default=False)
    oidc_enabled = models.BooleanField(_("single sign-on"), default=False)
    oidc_label = models.CharField(_("label of the button"), max_length=60, blank=True)
    oidc_issuer = models.CharField(_("issuer"), max_length=500, blank=True)
    oidc_client_id = models.CharField(_("client id"), max_length=255, blank=True)
    oidc_client_secret = models.BinaryField(null=True, editable=False)
    oidc_match = models.CharField(_("users are found by"), max_length=20, choices=Match, default=Match.USERNAME)
    oidc_create_users = models.BooleanField(_("create unknown users"), default=False)
    oidc_default_role = models.ForeignKey(
        Role, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("role of created users")
    )
    oidc_second_factor = models.BooleanField(_("ask for our second factor too"), default=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(oidc_enabled=False)
                | (
                    ~models.Q(oidc_issuer="")
                    & ~models.Q(oidc_client_id="")
                    & models.Q(oidc_client_secret__isnull=False)
                ),
                name="oidc_is_complete_when_enabled",
            )
        ]

    def __str__(self) -> str:
        return f"{self.tenant}"


class LinkedIdentity(models.Model):
    """A user's identity at an issuer: once linked, the subject decides, whatever his name or address becomes."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="identities", verbose_name=_("user"))
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", verbose_name=_("tenant"))
    issuer = models.CharField(_("issuer"), max_length=500)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(_("linked"), auto_now_add=True)

    class Meta:
        verbose_name_plural = "linked identities"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "issuer", "subject"], name="identity_unique_in_tenant"),
            models.UniqueConstraint(fields=["user", "issuer"], name="one_identity_an_issuer"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.issuer}"
