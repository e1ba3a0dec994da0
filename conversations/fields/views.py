"""One value of a conversation: edit, unpin, history. Thin: rules are in ``editing`` and in the selectors."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.permissions import Permission
from accounts.policy import viewer
from conversations.field_models import FieldValue
from conversations.fields.editing import edit_value, unpin_value
from conversations.fields.forms import ValueForm
from conversations.fields.records import conversations_of
from conversations.fields.selectors import current_values, history_of
from conversations.fields.tables import HistoryTable
from core.pages import ActionPage, Crumbs, FormPage, KeysetListPage, Text
from customfields.models import CustomField
from customfields.selectors import EDIT_RIGHTS, may_edit_value, readable_fields
from tenants.doors import current_tenant

VIEW_FIELDS = (Permission.FIELDS_VIEW, Permission.SUMMARY_VIEW, Permission.SENTIMENT_VIEW, Permission.TOPICS_VIEW)
EDIT_FIELDS = tuple(EDIT_RIGHTS.values())


class OneValue:
    """Base of the pages of one field of one conversation: both must be visible, or there is nothing here."""

    def setup(
        self, request: HttpRequest, *args: Any, record_type: str, pk: uuid.UUID, field: int, **kwargs: Any
    ) -> None:
        """Load conversation and field."""
        super().setup(request, *args, **kwargs)  # type: ignore[misc]
        self.kind = conversations_of(record_type)
        self.conversation = self.kind.find(viewer(request), pk)
        self.key = (record_type, pk)
        found = next((custom for custom in readable_fields(viewer(request)) if custom.pk == field), None)
        if found is None:
            raise Http404
        self.custom: CustomField = found

    def current(self) -> FieldValue | None:
        """What stands there."""
        return current_values([self.key[1]], [self.custom]).get((self.key[1], self.custom.pk))

    def page_url(self) -> str:
        """The conversation, at its fields."""
        return f"{self.kind.url(self.key[1])}#fields"

    def demand_edit(self, request: HttpRequest) -> None:
        """403 with the reason."""
        user = viewer(request)
        if may_edit_value(user, self.custom):
            return
        code = EDIT_RIGHTS.get(self.custom.attribute)  # type: ignore[call-overload]
        if code is not None and not user.has(code):
            raise PermissionDenied(user.lacking(code))
        raise PermissionDenied(_("People do not edit the field “%(name)s”.") % {"name": self.custom.name})

    def crumbs(self) -> Crumbs:
        """Below the conversation."""
        calls: Crumbs = [(_("Calls"), reverse("conversations:calls"))] if self.key[0] == "call" else []
        return [*calls, (self.conversation.external_id, self.page_url())]


class ValuePage(OneValue, FormPage):
    """Edit a value; saving pins it."""

    form_class = ValueForm
    template_name = "conversations/field_form.html"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Refuse those who may not edit it."""
        super().setup(request, *args, **kwargs)
        self.cancel_url = self.page_url()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """403 before anything is shown."""
        if request.method in ("GET", "HEAD", "POST"):
            self.demand_edit(request)
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]

    def get_title(self) -> Text:
        """Which field."""
        return _("Edit “%(name)s”") % {"name": self.custom.name}

    def breadcrumbs(self) -> Crumbs:
        """Below the conversation."""
        return self.crumbs()

    def form_arguments(self) -> dict[str, Any]:
        """What stands there."""
        self.version = self.current()
        return {"custom": self.custom, "version": self.version}

    def more_context(self, form: Any) -> dict[str, Any]:
        """What saving does; a button that takes the pin off."""
        where = {"record_type": self.key[0], "pk": self.key[1], "field": self.custom.pk}
        pinned = self.version is not None and self.version.pinned
        return {
            "intro": _("Saving pins the value: AI tasks do not overwrite it until the pin is taken off."),
            "unpin_url": reverse("conversations:field_unpin", kwargs=where) if pinned else "",
        }

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service."""
        user = viewer(self.request)
        edit_value(
            tenant=current_tenant(),
            key=self.key,
            field=self.custom,
            value=form.cleaned_data["value"],
            seen=form.cleaned_data["seen"] or 0,
            editor=user,
        )
        messages.success(self.request, _("“%(name)s” was saved.") % {"name": self.custom.name})
        return HttpResponseRedirect(self.page_url())


class ValueUnpin(OneValue, ActionPage):
    """Take the pin off."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """403 before anything else."""
        self.demand_edit(request)
        return super().post(request, *args, **kwargs)

    def act(self) -> str:
        """The value of the last task stands again, if there is one."""
        unpin_value(tenant=current_tenant(), key=self.key, field=self.custom, editor=viewer(self.request))
        messages.success(self.request, _("“%(name)s” is not pinned any more.") % {"name": self.custom.name})
        return self.page_url()

    def refused_url(self) -> str:
        """The conversation."""
        return self.page_url()


class ValueHistory(OneValue, KeysetListPage):
    """Every version of a value, newest first."""

    table_class = HistoryTable

    def get_title(self) -> Text:
        """Which field."""
        return _("History of “%(name)s”") % {"name": self.custom.name}

    def breadcrumbs(self) -> Crumbs:
        """Below the conversation."""
        return self.crumbs()

    def get_queryset(self) -> QuerySet[FieldValue]:
        """Of this conversation and field."""
        return history_of(self.key, self.custom)

    def table_arguments(self) -> dict[str, Any]:
        """What judges the values, and whether quotes may be shown."""
        readable = self.kind.reads(viewer(self.request), self.conversation)
        return {"custom": self.custom, "readable": readable, "page_url": self.kind.url(self.key[1])}

    def empty(self) -> dict[str, Any]:
        """No value yet."""
        return {"icon": "history", "title": _("No value yet")}
