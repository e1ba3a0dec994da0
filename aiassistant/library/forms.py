"""The forms of tasks: what it is called, what it asks, for what it is used."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from aiassistant.facts import FILTER_FIELDS
from aiassistant.library.checking import BOUNDS, MAX_OUTPUT_TOKENS
from aiassistant.library.definitions import Limits, Overflow, Reasoning
from aiassistant.library.models import AITask, AITaskVersion, Applies, OverflowPath, OverwriteRule
from aiassistant.library.output_rows import OutputsWidget
from aiassistant.library.outputs import MAX_OUTPUTS
from aiassistant.library.services import HEAD
from aiassistant.library.templates import MAX_TEMPLATE
from aiassistant.models import AIEngine
from aiassistant.selectors import engines_for
from conversations.fields.deciding import Overwrite
from core.forms import EnableField, WholeNumberField
from customfields.models import CustomField
from jobs.clauses import ClausesForm
from jobs.custom_fields import filter_field
from jobs.filters import FilterField
from tenants.models import Tenant
from tenants.selectors import visible_tenants

MAX_JSON = 200_000
LIMIT_LABELS: Mapping[str, Any] = {
    "min_duration_s": _("Least duration of a call, seconds"),
    "min_words": _("Least number of words"),
    "request_timeout_s": _("Time of one request, seconds"),
    "conversation_timeout_s": _("Time for one conversation, seconds"),
    "max_requests": _("Most requests for one conversation"),
    "max_executions": _("Most executions of one conversation a day"),
}


class PromptField(forms.CharField):
    """A template."""

    def __init__(self, *, rows: int, **kwargs: Any) -> None:
        widget = forms.Textarea(attrs={"rows": rows, "spellcheck": "true", "dir": "auto", "class": "p-mono"})
        super().__init__(**{"max_length": MAX_TEMPLATE, "strip": False, "widget": widget, **kwargs})

    def clean(self, value: Any) -> str:
        """With the line ends that are stored."""
        return str(super().clean(value)).replace("\r\n", "\n").replace("\r", "\n").strip()


class OutputsField(forms.CharField):
    """Outputs as rows, or as JSON; custom fields are named by their keys, which people can read."""

    fields: Mapping[str, int] = {}

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"rows": 18, "spellcheck": "false", "dir": "ltr", "class": "p-mono", "aria-label": _("Outputs as JSON")}
        widget = OutputsWidget(attrs=attrs)
        super().__init__(**{"max_length": MAX_JSON, "widget": widget, **kwargs})

    def clean(self, value: Any) -> list[Any]:
        """The list, with the ids of custom fields; a key that nobody knows is named."""
        try:
            read = json.loads(str(super().clean(value)), parse_constant=_no_constant, object_pairs_hook=_no_twins)
        except (ValueError, RecursionError) as error:
            raise ValidationError(_("This is no valid JSON: %(why)s"), params={"why": str(error)[:200]}) from None
        if not isinstance(read, list):
            raise ValidationError(_("A task has 1 to %(most)s outputs."), params={"most": MAX_OUTPUTS})
        for each in read:
            if isinstance(each, dict) and isinstance(each.get("field"), str):
                key = each["field"]
                if key not in self.fields:
                    name = str(each.get("name", ""))[:40]
                    text = _("%(output)s: there is no custom field with the key “%(key)s”.")
                    raise ValidationError(text, params={"output": name, "key": key[:64]})
                each["field"] = self.fields[key]
        return read


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


class FiltersForm(ClausesForm):
    """A form with filters on what is known of a conversation, custom fields included."""

    clauses_help = _("A conversation must meet all clauses. Without any, every one is asked about.")

    def add_filters(self, owner: Tenant | None, stored: list[Any]) -> None:
        """The clauses, on the facts that ``owner`` (None: the library) may ask about and those that are stored."""
        self.add_clauses(self._known(owner, stored), stored)

    def _known(self, owner: Tenant | None, stored: list[Any]) -> dict[str, FilterField]:
        own = CustomField.objects.filter(Q(tenant=None) | Q(tenant=owner), enabled=True, deleted_at=None)
        more = {
            made.name: made for made in map(filter_field, own.select_related("tenant").order_by("position", "name"))
        }
        names = {clause["field"] for clause in stored} - set(FILTER_FIELDS) - set(more)
        kept = {name: FILTER_FIELDS[name] for name in sorted(names) if name in FILTER_FIELDS}
        return {**{name: FILTER_FIELDS[name] for name in FILTER_FIELDS}, **more, **kept}


class TaskForm(FiltersForm):
    """A task; what it asks becomes a new version when it differs."""

    title = forms.CharField(label=_("Title"), max_length=80)
    key = forms.SlugField(
        label=_("Key"),
        max_length=40,
        help_text=_("Names the task in prompts of later tasks: a–z, digits and _. It stays."),
    )
    tenant = forms.ModelChoiceField(
        label=_("Scope"), queryset=Tenant.objects.none(), required=False, empty_label=_("Library of all tenants")
    )
    enabled = EnableField(help_text=_("A disabled task runs for nobody, whatever tenants chose."))
    description = forms.CharField(
        label=_("Description"), max_length=1000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    position = WholeNumberField(label=_("Order"), min_value=0, max_value=100_000, initial=100)
    applies_to = forms.ChoiceField(label=_("Applies to"), choices=Applies.choices)
    system_template = PromptField(rows=8, label=_("Instructions"))
    user_template = PromptField(
        rows=8, label=_("Request"), help_text=_("With {{transcript}} exactly once. The variables are listed below.")
    )
    outputs = OutputsField(
        label=_("Outputs"),
        help_text=_("What a model answers, and the custom field that holds each value."),
    )
    engine = forms.ModelChoiceField(
        label=_("AI engine"),
        queryset=AIEngine.objects.none(),
        required=False,
        empty_label=_("That of the job, the tenant or the system"),
    )
    model = forms.CharField(label=_("Model"), max_length=120, required=False, help_text=_("Blank: that of the engine."))
    temperature = forms.FloatField(
        label=_("Temperature"), min_value=0, max_value=2, required=False, help_text=_("Blank: that of the engine.")
    )
    max_output_tokens = WholeNumberField(
        label=_("Most tokens of an answer"), min_value=16, max_value=MAX_OUTPUT_TOKENS, required=False
    )
    reasoning = forms.ChoiceField(
        label=_("Reasoning"),
        required=False,
        choices=[
            (Reasoning.DEFAULT.value, _("As the engine does")),
            (Reasoning.LOW.value, _("Little")),
            (Reasoning.MEDIUM.value, _("Some")),
            (Reasoning.HIGH.value, _("Much")),
        ],
    )
    overflow = forms.ChoiceField(
        label=_("Long conversations"), choices=OverflowPath.choices, initial=Overflow.MAP_REDUCE.value
    )
    overwrite = forms.ChoiceField(
        label=_("Overwrite values"),
        choices=OverwriteRule.choices,
        initial=Overwrite.IF_NOT_EDITED.value,
        help_text=_("A value that a person has pinned is never overwritten."),
    )
    why = forms.CharField(
        label=_("Why"), max_length=500, required=False, help_text=_("Stands in the history of versions.")
    )
    publish = forms.BooleanField(
        label=_("Let this version run"),
        required=False,
        help_text=_("Else it is a draft, and the version before runs on."),
    )

    def __init__(
        self, *args: Any, editor: User, task: AITask | None, newest: AITaskVersion | None, **kwargs: Any
    ) -> None:
        self.editor, self.task = editor, task
        super().__init__(*args, **kwargs)
        owner = self._owner(editor, task)
        fields: Any = self.fields
        fields["engine"].queryset = AIEngine.objects.order_by("name") if owner is None else engines_for(owner)
        reachable = CustomField.objects.filter(Q(tenant=None) | Q(tenant=owner), deleted_at=None)
        named = list(reachable.order_by("position", "name").values_list("key", "pk", "name"))
        fields["outputs"].fields = {key: pk for key, pk, _name in named}
        fields["outputs"].widget.keys = [(key, f"{name} ({key})") for key, _pk, name in named]
        for name, (low, high) in BOUNDS.items():
            fields[name] = WholeNumberField(
                label=LIMIT_LABELS[name], min_value=low, max_value=high, initial=getattr(Limits(), name)
            )
        self.add_filters(owner, newest.filters if newest is not None else [])
        heads = ["title", "key", "tenant", "enabled", "description", "position", "applies_to"]
        if not editor.tenant.is_system:
            heads.remove("tenant")
            del fields["tenant"]
        self.sections = [
            ("", heads),
            (_("Prompt"), ["system_template", "user_template"]),
            (_("Answers"), ["outputs", "overwrite"]),
            (_("Filters"), [*self.clause_names, "add_fact", "min_duration_s", "min_words"]),
            (_("Engine"), ["engine", "model", "temperature", "max_output_tokens", "reasoning"]),
            (_("This change"), ["why", "publish"]),
        ]
        rest = ["overflow", "request_timeout_s", "conversation_timeout_s", "max_requests", "max_executions"]
        self.folded = [(_("Advanced: long conversations and limits"), rest)]

    def _owner(self, editor: User, task: AITask | None) -> Tenant | None:
        """Whose task it is; of a new one by platform staff what was chosen."""
        scope: Any = self.fields["tenant"]
        scope.queryset = visible_tenants(editor).order_by("name")
        if task is not None:
            self.fields["key"].disabled = scope.disabled = True
            return task.tenant
        if not editor.tenant.is_system:
            return editor.tenant
        if not editor.everywhere:
            scope.required, scope.empty_label = True, None
        chosen = self.data.get("tenant", "") if self.is_bound else ""
        return next((tenant for tenant in scope.queryset if str(tenant.pk) == chosen), None)

    def owner(self) -> Tenant | None:
        """Of a new task: the chosen tenant, that of the editor, or None for the library."""
        chosen: Tenant | None = self.cleaned_data.get("tenant")
        return chosen if self.editor.tenant.is_system else self.editor.tenant

    def head(self) -> dict[str, Any]:
        """What it is called."""
        return {name: self.cleaned_data[name] for name in HEAD}

    def content(self) -> dict[str, Any]:
        """What it asks."""
        cleaned = self.cleaned_data
        plain = ("applies_to", "system_template", "user_template", "outputs", "overflow", "overwrite", "model")
        return {
            **{name: cleaned[name] for name in plain},
            "params": {name: cleaned[name] for name in ("temperature", "max_output_tokens", "reasoning")},
            "limits": {name: cleaned[name] for name in BOUNDS},
            "filters": self.filters(),
            "engine_ref": cleaned["engine"].pk if cleaned["engine"] is not None else None,
        }


def initial_of(task: AITask, version: AITaskVersion) -> dict[str, Any]:
    """The stored values as the form shows them."""
    plain = ("applies_to", "system_template", "user_template", "overflow", "overwrite", "model")
    return {
        **{name: getattr(task, name) for name in (*HEAD, "tenant", "version")},
        **{name: getattr(version, name) for name in plain},
        **version.params,
        **version.limits,
        "engine": version.engine_ref,
        "outputs": outputs_text(version.outputs),
    }


def outputs_text(outputs: list[Any]) -> str:
    """Outputs as people read and write them: custom fields by key; one that is gone by its number."""
    wanted = [each["field"] for each in outputs if "field" in each]
    keys = dict(CustomField.objects.filter(pk__in=wanted, deleted_at=None).values_list("pk", "key"))
    shown = [{**each, "field": keys.get(each["field"], each["field"])} if "field" in each else each for each in outputs]
    return json.dumps(shown, indent=2, ensure_ascii=False)


class LabelForm(forms.Form):
    """Which version a label points to."""

    label = forms.CharField(label=_("Label"), max_length=40)
    number = forms.TypedChoiceField(label=_("Version"), coerce=int, empty_value=None, required=False)
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, numbers: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices: Any = self.fields["number"]
        choices.choices = [("", _("Take the label away")), *((str(number), str(number)) for number in numbers)]


class OverrideForm(FiltersForm):
    """The prompt and the filters of one tenant."""

    own_prompt = forms.BooleanField(label=_("Own prompt"), required=False)
    system_template = PromptField(rows=8, label=_("Instructions"), required=False)
    user_template = PromptField(rows=8, label=_("Request"), required=False)
    own_filters = forms.BooleanField(label=_("Own filters"), required=False)
    why = forms.CharField(label=_("Why"), max_length=500, required=False)
    version = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, owner: Tenant, stored: AITaskVersion, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_filters(owner, stored.filters)
        self.sections = [
            (_("Prompt"), ["own_prompt", "system_template", "user_template"]),
            (_("Filters"), ["own_filters", *self.clause_names, "add_fact"]),
            (_("This change"), ["why"]),
        ]

    def prompt(self) -> dict[str, str] | None:
        """Both templates, where they are overridden."""
        if not self.cleaned_data["own_prompt"]:
            return None
        return {name: self.cleaned_data[name] for name in ("system_template", "user_template")}

    def own_clauses(self) -> list[Any] | None:
        """The clauses, where they are overridden."""
        return self.filters() if self.cleaned_data["own_filters"] else None


class PolicyForm(forms.Form):
    """What a tenant may do besides switching tasks on and off."""

    overrides = forms.BooleanField(label=_("May override prompts and filters"), required=False)
    own_tasks = forms.BooleanField(label=_("May have own tasks"), required=False)
