"""The form that submits a task."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from conversations.forms import ACCEPT, FilesField
from miaop.conditions import TASK_TYPE
from miaop.services import new_task_id
from miaop.strictjson import Malformed
from miaop.submission import MAX_INFO_BYTES, parsed

# Those of the other form, and the rest that the contract names (R4.7).
AUDIO = f".wma,{ACCEPT}"
ENDINGS = frozenset(each for each in AUDIO.split(",") if each.startswith("."))
MODES = [("auto", _("After the transcription")), ("none", _("Only when somebody asks"))]


class SubmitForm(forms.Form):
    """Files with what they share; its values are a task of the API (4.2)."""

    audio = FilesField(label=_("Audio files"), most=settings.MIAOP_MAX_FILES, accept=AUDIO)
    task_name = forms.CharField(
        label=_("Task name"), max_length=255, required=False, help_text=_("Made of the time when empty.")
    )
    language = forms.ChoiceField(label=_("Language"))
    supervisor_name = forms.CharField(label=_("Supervisor's name"), max_length=255, required=False)
    supervisor_email = forms.EmailField(
        label=_("Supervisor's email"),
        max_length=254,
        required=False,
        help_text=_("The conversations are those of the user with this address. You, when empty."),
    )
    ai = forms.ChoiceField(label=_("AI tasks"), choices=MODES, required=False, initial="auto")
    info = forms.CharField(
        label=_("Additional information"),
        required=False,
        strip=False,
        widget=forms.Textarea(
            attrs={"rows": 5, "dir": "ltr", "spellcheck": "false", "data-json-bytes": MAX_INFO_BYTES}
        ),
        help_text=_(
            'A JSON object of at most 10 KB, for example {"ticket": "A-17"}. It is shown at each conversation.'
        ),
    )
    # What is sent again under the same id is stored once (A24). It is the last field on purpose: a body that broke off on
    # its way lacks it, and is refused.
    task_id = forms.RegexField(
        r"\A[a-z0-9]{16}\Z",
        strip=False,
        widget=forms.HiddenInput,
        error_messages={"required": _("The form came in part only. Send it again.")},
    )

    def __init__(self, *args: Any, languages: Mapping[str, str], usual: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task_id"].initial = new_task_id()
        self.fields["language"].choices = [(name, name) for name in languages]  # type: ignore[attr-defined]
        self.fields["language"].initial = usual

    def clean_audio(self) -> list[UploadedFile]:
        """No file may be empty (R4.7), and none what its name and its browser say is something else than audio."""
        files: list[UploadedFile] = self.cleaned_data["audio"]
        wrong = {
            _("These files are empty: %(names)s"): [file for file in files if not file.size],
            _("These are no audio files: %(names)s"): [file for file in files if not _like_audio(file)],
        }
        errors = [
            forms.ValidationError(text, params={"names": ", ".join(file.name or "" for file in found)[:500]})
            for text, found in wrong.items()
            if found
        ]
        if errors:
            raise forms.ValidationError(errors)
        return files

    def clean_info(self) -> str:
        """An object, counted in bytes as it was typed (R4.6)."""
        # Browsers send line ends as two characters, whatever was typed.
        text = str(self.cleaned_data["info"]).replace("\r\n", "\n")
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > MAX_INFO_BYTES:
            params = {"most": MAX_INFO_BYTES, "size": size}
            raise forms.ValidationError(_("At most %(most)s bytes of UTF-8; this has %(size)s."), params=params)
        if not text.strip():
            return ""
        try:
            held = parsed(text.encode("utf-8", "surrogatepass"))
        except Malformed as error:
            raise forms.ValidationError(_("This is no JSON: %(why)s."), params={"why": str(error)}) from None
        if not isinstance(held, dict):
            raise forms.ValidationError(_("This must be a JSON object, in braces: not a list or a single value."))
        return text

    def names(self) -> list[str]:
        """The names of the files, in order; one without a name gets its number."""
        return [file.name or f"file-{number}" for number, file in enumerate(self.cleaned_data["audio"], start=1)]

    def task(self) -> dict[str, Any]:
        """The members of the task."""
        values = self.cleaned_data
        language = values["language"]
        files = [[{"file": name, "baseLanguage": language}] for name in self.names()]
        members = {
            "taskId": values["task_id"],
            "taskType": TASK_TYPE,
            "taskName": values["task_name"],
            "baseLanguages": [language],
            "meetings": [{"files": file, "aiGenerationMode": values["ai"] or "auto"} for file in files],
            "supervisor": {"name": values["supervisor_name"], "email": values["supervisor_email"]},
        }
        return members | ({"genericAdditionalInfo": values["info"]} if values["info"] else {})


def _like_audio(file: UploadedFile) -> bool:
    """A name without an ending tells nothing; what is inside is judged later (R4.7)."""
    ending = PurePath(file.name or "").suffix.lower()
    return not ending or ending in ENDINGS or (file.content_type or "").startswith("audio/")
