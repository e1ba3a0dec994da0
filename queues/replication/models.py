"""Who we are, who the pairing server is, what is to be sent to it, what came from it, and what does not fit."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.signed_http import fingerprint, installation_id, key_text


class Installation(models.Model):
    """This installation: its name for others and its key pair. There is one row, made at first use."""

    only = models.BooleanField(default=True, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=80)
    public_key = models.BinaryField(max_length=32, editable=False)
    wrapped_private_key = models.BinaryField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(only=True), name="one_installation")]

    def __str__(self) -> str:
        return self.name

    @property
    def identity(self):  # type: ignore[no-untyped-def]
        """The id that follows from the key."""
        return installation_id(bytes(self.public_key))

    @property
    def fingerprint(self) -> str:
        """What people compare."""
        return fingerprint(bytes(self.public_key))

    @property
    def key_text(self) -> str:
        """What is copied to the other side."""
        return key_text(bytes(self.public_key))


class Pairing(models.Model):
    """The pairing server. Nothing is sent or taken before somebody confirmed its fingerprint (``confirmed_at``).

    ``failures``, ``next_at`` and ``last_error`` are of the connection: while it fails, nothing at all is tried before
    ``next_at``. ``lease_until`` and ``fence`` let one sender work at a time.
    """

    only = models.BooleanField(default=True, unique=True, editable=False)
    address = models.CharField(_("address"), max_length=2000)
    public_key = models.BinaryField(max_length=32)
    # What the other side says it is called, in answers and requests that its key signed.
    name = models.CharField(_("name"), max_length=80, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    confirmed_by = models.CharField(max_length=200, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=40, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0)
    tested_at = models.DateTimeField(null=True, blank=True)
    test_steps = models.JSONField(default=list, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(only=True), name="one_pairing")]

    def __str__(self) -> str:
        return self.name or self.address

    @property
    def identity(self):  # type: ignore[no-untyped-def]
        """The id that follows from the key."""
        return installation_id(bytes(self.public_key))

    @property
    def fingerprint(self) -> str:
        """What people compare."""
        return fingerprint(bytes(self.public_key))

    @property
    def key_text(self) -> str:
        """The key as it was pasted."""
        return key_text(bytes(self.public_key))


class Kind(models.TextChoices):
    """What a snapshot says of a queue at its origin."""

    SAVED = "saved", _("Saved")
    RELEASED = "released", _("No longer replicated")
    DELETED = "deleted", _("Deleted")


class Outgoing(models.Model):
    """The newest snapshot of a queue that is, or was, replicated: one row a queue, so that its order keeps itself.

    Written in the transaction of the change. A newer snapshot replaces one that is not sent yet; the receiver needs
    only the last. ``pending_since`` is None when version ``sent_version`` was taken by the other side. Without foreign
    key: the row outlives its queue.
    """

    queue_id = models.BigIntegerField(primary_key=True)
    kind = models.CharField(max_length=10, choices=Kind)
    version = models.PositiveBigIntegerField()
    snapshot = models.JSONField()
    pending_since = models.DateTimeField(null=True, blank=True)
    sent_version = models.PositiveBigIntegerField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    # What the other side made of the version sent: applied, unchanged or conflict, and why.
    outcome = models.CharField(max_length=20, blank=True)
    reason = models.CharField(max_length=40, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["pending_since", "queue_id"],
                condition=models.Q(pending_since__isnull=False),
                name="queue_outgoing_pending",
            )
        ]

    def __str__(self) -> str:
        return f"{self.queue_id} {self.kind} {self.version}"


class QueueCopy(models.Model):
    """What is known here of a queue of another installation, and the queue that stands for it.

    ``seen_version`` is the highest version that was taken in: the same or a lower one changes nothing any more.
    ``local_name``: the copy was renamed here, so names from the origin are not followed.
    """

    class State(models.TextChoices):
        """A copy follows its origin only while it is attached."""

        ATTACHED = "attached", _("Follows its origin")
        DETACHED = "detached", _("Detached")
        ABSENT = "absent", _("Not here")
        DELETED_HERE = "deleted_here", _("Deleted here")

    origin = models.UUIDField()
    origin_queue = models.BigIntegerField()
    origin_name = models.CharField(max_length=80)
    queue = models.OneToOneField(
        "queues.ProcessingQueue", on_delete=models.SET_NULL, null=True, blank=True, related_name="copy"
    )
    state = models.CharField(max_length=20, choices=State, default=State.ABSENT)
    seen_version = models.PositiveBigIntegerField(default=0)
    local_name = models.CharField(max_length=120, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["origin", "origin_queue"], name="queue_copy_once")]
        verbose_name_plural = "copies"

    def __str__(self) -> str:
        return f"{self.origin_name} {self.origin_queue}"

    @property
    def attached(self) -> bool:
        """Whether the queue follows its origin."""
        return self.state == self.State.ATTACHED


class ReplicationConflict(models.Model):
    """A snapshot that could not be applied, with what stands here. Kept until a person decides, and afterwards."""

    class State(models.TextChoices):
        """Open until somebody decides or a newer snapshot takes its place."""

        OPEN = "open", _("Open")
        TAKEN = "taken", _("Theirs taken")
        KEPT = "kept", _("Ours kept")
        RENAMED = "renamed", _("Theirs renamed")
        SUPERSEDED = "superseded", _("Superseded")

    class Reason(models.TextChoices):
        """Why the snapshot was not applied."""

        NAME = "name", _("A queue of this name is here already")
        DETACHED = "detached", _("The copy was detached")
        DELETED_HERE = "deleted_here", _("The copy was deleted here")
        UNKNOWN_TENANT = "unknown_tenant", _("The tenant is not known here")
        UNKNOWN_GROUPS = "unknown_groups", _("A tenant group is not known here")
        IN_USE = "in_use", _("Deleted at its origin, but in use here")

    copy = models.ForeignKey(QueueCopy, on_delete=models.CASCADE, related_name="conflicts")
    kind = models.CharField(max_length=10, choices=Kind)
    version = models.PositiveBigIntegerField()
    name = models.CharField(_("name"), max_length=120)
    reason = models.CharField(_("reason"), max_length=20, choices=Reason)
    theirs = models.JSONField()
    # What stood here when it came, and again when it was decided.
    ours = models.JSONField(null=True, blank=True)
    queue = models.ForeignKey(
        "queues.ProcessingQueue", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.OPEN)
    created_at = models.DateTimeField(_("received"), auto_now_add=True)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.CharField(_("decided by"), max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["copy"], condition=models.Q(state="open"), name="one_open_conflict_a_copy")
        ]
        indexes = [models.Index(fields=["state", "-created_at"], name="queue_conflict_state")]

    def __str__(self) -> str:
        return f"{self.name} {self.reason}"


class SeenNonce(models.Model):
    """A request that was taken once, remembered while its time would still be accepted."""

    nonce = models.CharField(primary_key=True, max_length=32)
    at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.nonce
