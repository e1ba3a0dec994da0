"""The upload form."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations.metadata import DEFAULT_LANGUAGE, CallMetadata
from conversations.models import Channel, Direction
from core.errors import InvalidInput
from core.ids import uuid7

MAX_FILES = 50
VOICE = [(Channel.VOICE.value, Channel.VOICE.label)]
ACCEPT = ".wav,.mp3,.ogg,.opus,.flac,.m4a,.mp4,.aac,.amr,.au,.aiff,.webm,audio/*"


class FilesInput(forms.ClearableFileInput):
    """A file field that takes several files."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """At most ``most`` files; the value is a list. An empty file is left to the judge of audio, which says why."""

    def __init__(self, *, most: int = MAX_FILES, accept: str = ACCEPT, **kwargs: Any) -> None:
        self.most = most
        super().__init__(allow_empty_file=True, widget=FilesInput(attrs={"accept": accept}), **kwargs)

    def clean(self, data: Any, initial: Any = None) -> Any:
        """Clean each file."""
        files = data if isinstance(data, list | tuple) else [data]
        if len(files) > self.most:
            raise forms.ValidationError(_("Choose at most %(limit)d files."), params={"limit": self.most})
        return [super(FilesField, self).clean(file, initial) for file in files or [None]]


class UploadForm(forms.Form):
    """Several audio files that share their fields. The rules of the fields are those of every way in."""

    audio = FilesField(label=_("Audio files"))
    external_id = forms.CharField(
        label=_("External id"), required=False, help_text=_("For one file only. Made up when empty.")
    )
    started_at = forms.DateTimeField(
        label=_("Start"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("In your time zone. Now, when empty."),
    )
    channel = forms.ChoiceField(label=_("Channel"), choices=VOICE, required=False, initial="voice")
    direction = forms.ChoiceField(label=_("Direction"), choices=Direction.choices, required=False, initial="unknown")
    username = forms.CharField(label=_("Agent (user name)"), required=False)
    group = forms.CharField(label=_("Group"), required=False, help_text=_("The agent's group, when empty."))
    queue_name = forms.CharField(label=_("Queue or campaign"), required=False)
    from_number = forms.CharField(label=_("From"), required=False)
    from_name = forms.CharField(label=_("From name"), required=False)
    to_number = forms.CharField(label=_("To"), required=False)
    to_name = forms.CharField(label=_("To name"), required=False)
    language = forms.CharField(label=_("Language"), required=False, initial=DEFAULT_LANGUAGE)
    tags = forms.CharField(label=_("Tags"), required=False, help_text=_("Separated by commas."))

    def clean(self) -> dict[str, Any]:
        """Hold the shared fields to the rules of calls, and refuse fields that nobody knows (hostile 3A5)."""
        cleaned: dict[str, Any] = super().clean() or {}
        for name in self.data:
            if name not in self.fields and name != "csrfmiddlewaretoken":
                self.add_error(None, _("There is no field “%(name)s”.") % {"name": name[:80]})
        if len(cleaned.get("audio") or []) > 1 and cleaned.get("external_id"):
            self.add_error("external_id", _("An external id belongs to one file."))
        if not self.errors:
            try:
                self.metadata()
            except InvalidInput as error:
                self.add_error(error.field if error.field in self.fields else None, error.message)
        return cleaned

    def files_chosen(self) -> list[UploadedFile]:
        """The files of a valid form."""
        return list(self.cleaned_data["audio"])

    def metadata(self) -> CallMetadata:
        """The fields as metadata of one call. Raises InvalidInput."""
        values = self.cleaned_data
        texts = ("username", "group", "queue_name", "from_number", "from_name", "to_number", "to_name")
        return CallMetadata(
            external_id=values["external_id"] or f"upload-{uuid7()}",
            started_at=values["started_at"] or timezone.now(),
            channel=values["channel"] or Channel.VOICE.value,
            direction=values["direction"] or Direction.UNKNOWN.value,
            language=values["language"] or DEFAULT_LANGUAGE,
            tags=tuple(tag.strip() for tag in values["tags"].split(",") if tag.strip()),
            **{name: values[name] for name in texts},
        )
