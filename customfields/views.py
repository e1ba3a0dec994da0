"""Administration > Customization > Custom Fields."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from core.bulk import DELETE, DISABLE, ENABLE, BulkMixin
from core.pages import ConfirmPage, Crumbs, FormPage, ListPage, Page, Text
from customfields.filters import FieldFilter
from customfields.forms import FieldForm, initial_of
from customfields.models import CustomField
from customfields.selectors import administered_fields, may_change
from customfields.services import delete_fields, save_field, set_enabled
from customfields.tables import FieldTable
from customfields.uses import uses_of

TITLE = gettext_lazy("Custom Fields")
ROOT: Crumbs = [(gettext_lazy("Administration"), None), (gettext_lazy("Customization"), None)]


class FieldList(ListPage):
    """The fields of all tenants and of those that the viewer sees."""

    title = TITLE
    table_class = FieldTable
    filterset_class = FieldFilter
    bulk_actions = [ENABLE, DISABLE, DELETE]

    def breadcrumbs(self) -> Crumbs:
        """Administration > Customization."""
        return ROOT

    def get_queryset(self) -> QuerySet[CustomField]:
        """Those that the viewer may look at."""
        return administered_fields(viewer(self.request))

    def may_edit(self) -> bool:
        """Whether the viewer may change any."""
        return viewer(self.request).has(Permission.CUSTOM_FIELDS_EDIT)

    def table_arguments(self) -> dict[str, Any]:
        """Row actions and check boxes for those who may act."""
        return {"may_edit": self.may_edit(), "everywhere": viewer(self.request).everywhere}

    def actions(self) -> list[dict[str, Any]]:
        """Add."""
        if not self.may_edit():
            return []
        return [{"label": _("Add"), "url": reverse("customfields:add"), "icon": "plus", "primary": True}]

    def bulk_url(self) -> str:
        """Enable, disable, delete."""
        return reverse("customfields:bulk")

    def more_context(self) -> dict[str, Any]:
        """No bulk actions for those who may only look."""
        return {} if self.may_edit() else {"bulk_actions": []}

    def empty(self) -> dict[str, Any]:
        """The first field."""
        empty: dict[str, Any] = {
            "icon": "adjustments-horizontal",
            "title": _("No custom field yet"),
            "text": _(
                "A custom field holds what people or AI tasks say about a conversation: a score, a topic, a summary."
            ),
        }
        if self.may_edit():
            empty |= {"url": reverse("customfields:add"), "label": _("Add")}
        return empty


class FieldBulk(BulkMixin, FieldList):
    """Enable, disable or delete the chosen fields."""

    def questions(self) -> dict[str, tuple[Text, Text]]:
        """What happens."""
        return {
            "enable": (_("Enable"), _("They are shown, searched and edited again.")),
            "disable": (_("Disable"), _("They are not shown, searched or edited; their values stay.")),
            "delete": (_("Delete"), _("Their values are deleted with them, in all conversations.")),
        }

    def asks(self, action: str) -> bool:
        """Only what cannot be undone."""
        return action == "delete"

    def list_url(self) -> str:
        """The list."""
        return reverse("customfields:fields")

    def perform(self, action: str, rows: QuerySet[CustomField]) -> str:
        """Through the services; a field out of reach refuses the whole."""
        fields, editor = list(rows), viewer(self.request)
        if action == "delete":
            number = delete_fields(fields=fields, editor=editor)
        else:
            number = set_enabled(fields=fields, enabled=action == "enable", editor=editor)
        return ngettext("%(n)s field was changed.", "%(n)s fields were changed.", number) % {"n": number}


class OneField(Page):
    """Base of the pages of one field."""

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the field of the address, when the viewer may see it."""
        super().setup(request, *args, **kwargs)
        pk = kwargs.get("pk")
        self.field: Any = None
        if pk is not None:
            self.field = get_object_or_404(administered_fields(viewer(request)), pk=pk)

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return [*ROOT, (TITLE, reverse("customfields:fields"))]

    def demand_reach(self) -> None:
        """A field of all tenants is changed by platform staff of all tenants alone."""
        user = viewer(self.request)
        if not user.has(Permission.CUSTOM_FIELDS_EDIT):
            raise PermissionDenied(user.lacking(Permission.CUSTOM_FIELDS_EDIT))
        if self.field is not None and not may_change(user, self.field):
            raise PermissionDenied(_("This field is of all tenants: the platform's administrators change it."))


class FieldPage(OneField, FormPage):
    """Add and edit; who may only look sees the same without buttons."""

    form_class = FieldForm
    template_name = "customfields/field.html"
    cancel_url = reverse_lazy("customfields:fields")  # type: ignore[assignment]

    def get_title(self) -> Text:
        """The name, or that it is new."""
        return self.field.name if self.field else _("Add custom field")

    def form_arguments(self) -> dict[str, Any]:
        """The stored values."""
        arguments: dict[str, Any] = {"editor": viewer(self.request), "field": self.field}
        if self.field is not None:
            arguments["initial"] = initial_of(self.field)
        return arguments

    def more_context(self, form: Any) -> dict[str, Any]:
        """Who uses it, and whether it may be changed."""
        user = viewer(self.request)
        if self.field is None:
            return {"may_change": True}
        return {
            "field": self.field,
            "may_change": may_change(user, self.field),
            "uses": uses_of([self.field.pk])[self.field.pk],
        }

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Refuse before anything is judged."""
        self.demand_reach()
        return super().post(request, *args, **kwargs)

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service."""
        field = save_field(
            field=self.field,
            tenant=form.owner(),
            values=form.values(),
            version=form.cleaned_data["version"] or 0,
            editor=viewer(self.request),
        )
        messages.success(self.request, _("The field “%(name)s” was saved.") % {"name": field.name})
        return redirect("customfields:fields")


class FieldDelete(OneField, ConfirmPage):
    """Delete a field with its values."""

    title = gettext_lazy("Delete this field?")
    confirm_label = gettext_lazy("Delete")
    cancel_url = reverse_lazy("customfields:fields")  # type: ignore[assignment]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Refuse before anything is asked."""
        if request.method in ("GET", "HEAD", "POST"):
            self.demand_reach()
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]

    def message(self) -> Text:
        """What goes."""
        text = _("The field “%(name)s” is deleted with its values in all conversations, and their history.")
        return text % {"name": self.field.name}

    def type_name(self) -> str:
        """Its name, once there are values to lose."""
        return self.field.name if self.field.has_values else ""

    def act(self) -> Text:
        """Through the service; Conflict while tasks or filters use it."""
        delete_fields(fields=[self.field], editor=viewer(self.request))
        return _("The field “%(name)s” was deleted.") % {"name": self.field.name}
