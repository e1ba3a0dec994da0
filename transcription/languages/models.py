"""The table of languages, for the whole platform."""

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from conversations.metadata import LANGUAGE


class Language(models.Model):
    """One language: the name is what senders write, letter by letter, and engines are asked for the tag.

    A disabled one is no longer taken; conversations in it stay what they are.
    """

    name = models.CharField(_("name"), max_length=60, unique=True)
    code = models.CharField(
        _("language tag"),
        max_length=20,
        validators=[RegexValidator(rf"\A{LANGUAGE.pattern}", _("Use a language tag such as en-US or he-IL."))],
        help_text=_("BCP 47, for example he-IL"),
    )
    # How the language calls somebody who speaks: the labels of transcripts begin with it (R5.6).
    speaker_word = models.CharField(_("word for “speaker”"), max_length=40, default="Speaker", db_default="Speaker")
    enabled = models.BooleanField(_("enabled"), default=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    def __str__(self) -> str:
        return self.name
