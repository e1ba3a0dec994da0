"""Calls, recordings and transcripts. These tables are in every tenant's schema and nowhere else."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from core.ids import uuid7
from core.outcomes import Reason
from tenants.querysets import TenantManager


class Channel(models.TextChoices):
    """By which medium people spoke or wrote. All but voice are text: a conversation of theirs has a ``Thread``."""

    VOICE = "voice", _("Voice")
    CHAT = "chat", _("Chat")
    EMAIL = "email", _("E-mail")
    TICKET = "ticket", _("Ticket")


# Conversations by what they consist of; a text one never has audio, nor a spoken one messages (ADR 0011).
SPOKEN = models.Q(channel=Channel.VOICE)
WRITTEN = ~models.Q(channel=Channel.VOICE)
TEXT_CHANNELS = tuple(value for value in Channel.values if value != Channel.VOICE)


class Direction(models.TextChoices):
    """Who called whom, seen from the tenant."""

    INBOUND = "inbound", _("Inbound")
    OUTBOUND = "outbound", _("Outbound")
    INTERNAL = "internal", _("Internal")
    UNKNOWN = "unknown", _("Unknown")


class HoldEvent(models.TextChoices):
    """Stretches of a call in which nobody talks to the caller: music and announcements, as the phone platform tells."""

    HOLD = "hold", _("Hold")
    WAIT_IN_QUEUE = "wait_in_queue", _("Wait in queue")


class TranscriptionState(models.TextChoices):
    """What the calls list shows; written by the transcription job, which owns the truth."""

    NONE = "none", _("Not started")
    IN_PROGRESS = "in_progress", _("In progress")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")
    SKIPPED = "skipped", _("Skipped")
    ABORTED = "aborted", _("Aborted")


class Call(models.Model):
    """One conversation, spoken or written, with the ingestion fields of the field (domain §2, Ingestion schema).

    A written one begins with its first message and ends with its last, has no duration and no direction, and names as
    ``from`` who wrote first and as ``to`` whom that was for; all who take part are in its thread.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    external_id = models.CharField(_("external id"), max_length=200, unique=True)
    channel = models.CharField(_("channel"), max_length=20, choices=Channel, default=Channel.VOICE)
    direction = models.CharField(_("direction"), max_length=10, choices=Direction, default=Direction.UNKNOWN)
    started_at = models.DateTimeField(_("start"))
    ended_at = models.DateTimeField(_("end"), null=True, blank=True)
    duration_ms = models.PositiveBigIntegerField(_("duration"), default=0, help_text=_("milliseconds, as decoded"))
    from_number = models.CharField(_("from"), max_length=64, blank=True)
    from_name = models.CharField(_("from name"), max_length=150, blank=True)
    to_number = models.CharField(_("to"), max_length=64, blank=True)
    to_name = models.CharField(_("to name"), max_length=150, blank=True)
    # DO_NOTHING: the constraint in the database keeps users that calls name; users are disabled, never deleted.
    user = models.ForeignKey(
        User, on_delete=models.DO_NOTHING, null=True, blank=True, related_name="+", verbose_name=_("user")
    )
    group = models.CharField(_("group"), max_length=120, blank=True)
    queue_name = models.CharField(_("queue or campaign"), max_length=120, blank=True)
    language = models.CharField(_("language"), max_length=20, blank=True, default="en-US")
    tags = ArrayField(models.CharField(max_length=60), default=list, blank=True, verbose_name=_("tags"))
    # Old code that runs beside a migration writes rows without it: the database knows the default, too.
    confidential = models.BooleanField(_("confidential"), default=False, db_default=False)
    # [{"type": a HoldEvent, "start_ms", "end_ms"}], in order; as the platform tells them, beyond the audio's end, too.
    hold_events: Any = models.JSONField(_("hold and wait-in-queue events"), default=list, db_default=[])
    transcription_state = models.CharField(
        _("transcription"), max_length=12, choices=TranscriptionState, default=TranscriptionState.NONE
    )
    transcription_reason = models.CharField(_("reason"), max_length=80, blank=True)
    # By the clock of the database: when the state above changed last.
    transcription_at = models.DateTimeField(_("transcription changed"), db_default=Now(), editable=False)
    # What the sender added, by name: text, numbers, true or false. Shown, never interpreted.
    attributes: Any = models.JSONField(_("attributes"), default=dict, db_default={}, blank=True)
    # The sender wants no AI tasks unless a person asks for them.
    ai_on_request = models.BooleanField(_("AI tasks on request only"), default=False, db_default=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    # By the clock of the database. A service that changes facts or audio of a call sets it anew; what jobs write on
    # the call (state, reason) does not count, or a job that looks for changes would never end.
    changed_at = models.DateTimeField(_("changed"), db_default=Now(), editable=False)

    objects = TenantManager()

    class Meta:
        indexes = [
            models.Index(fields=["-started_at", "id"], name="call_newest"),
            models.Index(fields=["changed_at", "id"], name="call_changed"),
            models.Index(fields=["user", "-started_at"], name="call_of_user"),
            models.Index(fields=["group", "-started_at"], name="call_of_group"),
            GinIndex(fields=["tags"], name="call_tags"),
            models.Index(fields=["-started_at", "id"], name="call_written_newest", condition=WRITTEN),
        ]

    def __str__(self) -> str:
        return self.external_id

    @property
    def is_written(self) -> bool:
        """True for chats, e-mails and tickets, which consist of messages."""
        return self.channel != Channel.VOICE

    @property
    def transcription_reason_label(self) -> str:
        """The reason as a sentence."""
        return Reason.label_of(self.transcription_reason) if self.transcription_reason else ""


class Recording(models.Model):
    """The audio of a call: encrypted, cleaned of tags and art, 1–2 channels. ``problem`` holds a reason code."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="recordings", verbose_name=_("call"))
    storage_key = models.CharField(max_length=200, unique=True)
    sha256 = models.CharField(max_length=64, help_text=_("of the file as it came in"))
    # The same audio may come again: by the offline-task API, where every submission is one of its own.
    may_repeat = models.BooleanField(default=False, db_default=False, editable=False)
    label = models.CharField(_("file name"), max_length=255, blank=True)
    mime = models.CharField(max_length=60, blank=True)
    codec = models.CharField(_("codec"), max_length=40, blank=True)
    channels = models.PositiveSmallIntegerField(_("channels"), default=0)
    sample_rate = models.PositiveIntegerField(_("sample rate"), default=0, help_text=_("hertz"))
    duration_ms = models.PositiveBigIntegerField(_("duration"), default=0, help_text=_("milliseconds, as decoded"))
    bytes_plain = models.PositiveBigIntegerField(_("size"), default=0, help_text=_("bytes before encryption"))
    peaks = models.BinaryField(default=bytes)
    problem = models.CharField(_("problem"), max_length=80, blank=True)
    problem_detail = models.CharField(_("detail"), max_length=200, blank=True, help_text=_("what decoding found"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["sha256"], condition=models.Q(may_repeat=False), name="recording_sha256_once"
            )
        ]

    def __str__(self) -> str:
        return self.label or str(self.pk)


class Transcript(models.Model):
    """One version of a call's transcript. ``body`` holds turns and words as columns + zstd (conversations.codec)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="transcripts", verbose_name=_("call"))
    version = models.PositiveIntegerField(_("version"))
    is_current = models.BooleanField(default=True)
    engine_name = models.CharField(_("engine"), max_length=120)
    engine_model = models.CharField(_("model"), max_length=120, blank=True)
    language = models.CharField(_("language"), max_length=20, blank=True)
    duration_ms = models.PositiveBigIntegerField(_("duration"), help_text=_("milliseconds"))
    turn_count = models.PositiveIntegerField(default=0)
    word_count = models.PositiveIntegerField(default=0)
    body = models.BinaryField()
    text = models.TextField()
    # None: stored before transcripts were judged. The flags are those of conversations.health.judging, for filters;
    # {flag: the figure that raised it}, for people.
    health_score = models.SmallIntegerField(_("transcript health"), null=True, editable=False)
    health_flags = ArrayField(models.CharField(max_length=20), default=list, db_default=[], editable=False)
    health_figures: Any = models.JSONField(default=dict, db_default={}, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["call", "version"], name="transcript_version"),
            models.UniqueConstraint(fields=["call"], condition=models.Q(is_current=True), name="transcript_current"),
        ]
        indexes = [
            GinIndex(
                SearchVector("text", config="simple"), name="transcript_search", condition=models.Q(is_current=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.call_id} v{self.version}"


class Thread(models.Model):
    """The messages of a written conversation. ``body`` holds them but for their texts (conversations.threads.codec).

    ``text`` is the subject and what was written anew in each message; quoted history and signatures are in ``body``.
    ``version`` grows with every import that changed something; older versions are not kept.
    """

    call = models.OneToOneField(
        Call, on_delete=models.CASCADE, primary_key=True, related_name="thread", verbose_name=_("conversation")
    )
    version = models.PositiveIntegerField(_("version"), default=1)
    subject = models.CharField(_("subject"), max_length=300, blank=True)
    people = models.TextField(_("participants"), blank=True, help_text=_("a name and an address a line"))
    message_count = models.PositiveIntegerField(_("messages"))
    word_count = models.PositiveIntegerField(_("words"))
    text_chars = models.PositiveIntegerField(_("length of the text"), help_text=_("characters"))
    body = models.BinaryField()
    text = models.TextField()
    changed_at = models.DateTimeField(_("changed"), db_default=Now(), editable=False)

    objects = TenantManager()

    class Meta:
        indexes = [GinIndex(SearchVector("text", config="simple"), name="thread_search")]

    def __str__(self) -> str:
        return f"{self.call_id} v{self.version}"


# At the end, so that all models of the app are known by the module Django loads.
from conversations import execution_models, field_models, trial_models  # noqa: E402, F401
