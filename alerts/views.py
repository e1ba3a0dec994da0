"""Alerts (Administration > System > Alerts): rules, their history, snooze and test."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from alerts.filters import FiringFilter, RuleFilter
from alerts.forms import RuleForm, SnoozeForm
from alerts.models import AlertRule, Firing
from alerts.selectors import firings_for, rules_for
from alerts.services import FIELDS, ask_test, delete_rules, save_rule, set_enabled, snooze
from alerts.tables import FiringTable, RuleTable, status_of
from core.bulk import DELETE, DISABLE, ENABLE, BulkMixin
from core.pages import ActionPage, ConfirmPage, Crumbs, FormPage, KeysetListPage, ListPage, Page, Text
from core.tables import show_time
from licensing.alerts import mail_is_set_up

TITLE = gettext_lazy("Alerts")
ROOT: Crumbs = [(gettext_lazy("Administration"), None), (gettext_lazy("System"), None)]


class RuleList(ListPage):
    """The rules with how they stand."""

    title = TITLE
    table_class = RuleTable
    filterset_class = RuleFilter
    live = True
    bulk_actions = [ENABLE, DISABLE, DELETE]

    def breadcrumbs(self) -> Crumbs:
        """Administration > System."""
        return ROOT

    def get_queryset(self) -> QuerySet[AlertRule]:
        """Those that the viewer may see."""
        return rules_for(viewer(self.request))

    def may_edit(self) -> bool:
        """Rules are for those who may change the jobs of all tenants."""
        return viewer(self.request).everywhere and viewer(self.request).has(Permission.JOBS_EDIT)

    def table_arguments(self) -> dict[str, Any]:
        """Row actions and check boxes for those who may act."""
        return {"may_edit": self.may_edit()}

    def actions(self) -> list[dict[str, Any]]:
        """History, and Add."""
        history = {"label": _("History"), "url": reverse("alerts:history"), "icon": "history"}
        add = {"label": _("Add"), "url": reverse("alerts:add"), "icon": "plus", "primary": True}
        return [history, add] if self.may_edit() else [history]

    def bulk_url(self) -> str:
        """Change several."""
        return reverse("alerts:bulk")

    def more_context(self) -> dict[str, Any]:
        """No bulk actions for those who may only look; a word when no e-mail can be sent."""
        mail = "" if mail_is_set_up() else _("No mail server is set up: alerts show on pages only.")
        return {"intro": mail} | ({} if self.may_edit() else {"bulk_actions": []})

    def empty(self) -> dict[str, Any]:
        """No rule."""
        return {"icon": "alert-triangle", "title": _("No alert rule"), "text": _("Nothing is watched for you.")}


class RuleBulk(BulkMixin, RuleList):
    """Enable, disable or delete the chosen rules."""

    def questions(self) -> dict[str, tuple[Text, Text]]:
        """What happens."""
        return {
            "enable": (_("Enable"), _("They are looked at every minute.")),
            "disable": (_("Disable"), _("What they fire counts as resolved.")),
            "delete": (_("Delete"), _("Their history goes with them.")),
        }

    def asks(self, action: str) -> bool:
        """Only what cannot be undone."""
        return action == "delete"

    def list_url(self) -> str:
        """The list."""
        return reverse("alerts:list")

    def perform(self, action: str, rows: QuerySet[AlertRule]) -> str:
        """Through the services."""
        rules, editor = list(rows), viewer(self.request)
        if action == "delete":
            number = delete_rules(rules=rules, editor=editor)
        else:
            number = set_enabled(rules=rules, enabled=action == "enable", editor=editor)
        return ngettext("%(n)s rule was changed.", "%(n)s rules were changed.", number) % {"n": number}


class History(KeysetListPage):
    """What fired, newest first: warnings about limits as well."""

    title = gettext_lazy("History of alerts")
    table_class = FiringTable
    filterset_class = FiringFilter
    live = True

    def breadcrumbs(self) -> Crumbs:
        """Below the rules."""
        return [*ROOT, (TITLE, reverse("alerts:list"))]

    def get_queryset(self) -> QuerySet[Firing]:
        """Of the rules that the viewer may see."""
        return firings_for(viewer(self.request))

    def empty(self) -> dict[str, Any]:
        """Nothing has fired."""
        return {"icon": "circle-check", "title": _("No alert has fired")}


class OneRule(Page):
    """Base of the pages of one rule."""

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the rule of the address, when the viewer may see it."""
        super().setup(request, *args, **kwargs)
        pk = kwargs.get("pk")
        self.rule: Any = get_object_or_404(rules_for(viewer(request)), pk=pk) if pk is not None else None

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return [*ROOT, (TITLE, reverse("alerts:list"))]


class RulePage(OneRule, FormPage):
    """Add and edit, with how the rule stands and a test."""

    form_class = RuleForm
    template_name = "alerts/rule.html"
    cancel_url = reverse_lazy("alerts:list")  # type: ignore[assignment]

    def get_title(self) -> Text:
        """The name, or that it is new."""
        return self.rule.name if self.rule else _("Add alert rule")

    def form_arguments(self) -> dict[str, Any]:
        """The stored values."""
        arguments: dict[str, Any] = {"rule": self.rule}
        if self.rule is not None:
            arguments["initial"] = {name: getattr(self.rule, name) for name in (*FIELDS, "version")}
        return arguments

    def more_context(self, form: Any) -> dict[str, Any]:
        """How it stands, the last test, snooze."""
        if self.rule is None:
            return {}
        state, label = status_of(self.rule)
        asked = self.rule.test_asked_at is not None
        return {
            "rule": self.rule,
            "state": state,
            "state_label": label,
            "snoozed": show_time(self.rule.snoozed_until) if state == "paused" else "",
            "test": _("on its way") if asked else self.rule.test_result,
            "no_mail": not mail_is_set_up(),
        }

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service."""
        values = {name: form.cleaned_data[name] for name in FIELDS}
        version = form.cleaned_data["version"] or 0
        rule = save_rule(rule=self.rule, values=values, version=version, editor=viewer(self.request))
        messages.success(self.request, _("The rule “%(name)s” was saved.") % {"name": rule.name})
        return redirect("alerts:list")


class RuleDelete(OneRule, ConfirmPage):
    """Delete a rule with its history."""

    title = gettext_lazy("Delete this rule?")
    confirm_label = gettext_lazy("Delete")
    cancel_url = reverse_lazy("alerts:list")  # type: ignore[assignment]

    def message(self) -> Text:
        """What goes."""
        number = self.rule.firings.count()
        count = ngettext("%(n)s entry", "%(n)s entries", number) % {"n": number}
        return _("The rule “%(name)s” is deleted, with %(count)s of its history.") % {
            "name": self.rule.name,
            "count": count,
        }

    def act(self) -> Text:
        """Through the service."""
        delete_rules(rules=[self.rule], editor=viewer(self.request))
        return _("The rule “%(name)s” was deleted.") % {"name": self.rule.name}


class RuleSnooze(OneRule, FormPage):
    """Tell nobody for some hours."""

    form_class = SnoozeForm
    cancel_url = reverse_lazy("alerts:list")  # type: ignore[assignment]

    def get_title(self) -> Text:
        """Which rule."""
        return _("Snooze “%(name)s”") % {"name": self.rule.name}

    def more_context(self, form: Any) -> dict[str, Any]:
        """What the button says."""
        return {"submit_label": _("Snooze")}

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service."""
        snooze(rule=self.rule, hours=form.cleaned_data["hours"], editor=viewer(self.request))
        messages.success(self.request, _("Saved."))
        return redirect("alerts:list")


class RuleTest(ActionPage):
    """Have a test e-mail sent; a worker does it within a minute and says here what became of it."""

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the rule."""
        super().setup(request, *args, **kwargs)
        self.rule = get_object_or_404(rules_for(viewer(request)), pk=kwargs["pk"])

    def act(self) -> str:
        """Conflict without recipients, or while one is on its way."""
        ask_test(rule=self.rule, editor=viewer(self.request))
        messages.success(self.request, _("A test e-mail is sent within a minute."))
        return self.refused_url()

    def refused_url(self) -> str:
        """The rule."""
        return reverse("alerts:edit", args=[self.rule.pk])
