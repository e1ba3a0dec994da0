"""Bulk actions on a list: ticked rows or all that match the filters, asked for with their count before they act."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.counting import count_text, counted
from core.errors import Conflict, InvalidInput
from core.pages import ListPage, Text, with_query

NAMES = {"action", "all_matching", "selection"}
# What most lists offer; a list says in its questions what that means for its rows.
ENABLE: dict[str, Any] = {"name": "enable", "label": gettext_lazy("Enable"), "icon": "circle-check"}
DISABLE: dict[str, Any] = {"name": "disable", "label": gettext_lazy("Disable"), "icon": "circle-minus"}
DELETE: dict[str, Any] = {"name": "delete", "label": gettext_lazy("Delete"), "icon": "trash", "danger": True}


class BulkMixin(ListPage):
    """POST twins of a list page: the first POST shows object, count and consequence, the confirmed one acts.

    Both name the same filters or rows; nothing ticked means all that match, so that it also works without scripts.
    """

    http_method_names = ["post"]

    def questions(self) -> dict[str, tuple[Text, Text]]:
        """For each action: its label and its consequence."""
        raise NotImplementedError

    def perform(self, action: str, rows: QuerySet[Any]) -> str | HttpResponseBase:
        """Call the service; return the sentence that says it is done, or an answer of its own (an export)."""
        raise NotImplementedError

    def list_url(self) -> str:
        """The list."""
        raise NotImplementedError

    def asks(self, action: str) -> bool:
        """Whether the action needs a confirmation."""
        return True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Ask, or act and go back to the same filters. Raises InvalidInput for an unknown action."""
        posted = request.POST.copy()
        action = posted.get("action", "")
        if action not in self.questions():
            raise InvalidInput("action", _("There is no such action."))
        if not posted.getlist("selection"):
            posted["all_matching"] = "1"
        rows = self.chosen(posted).select_related(None).prefetch_related(None).order_by()
        if self.asks(action) and posted.get("confirmed") != "1":
            return self.ask(action, counted(rows), posted)
        try:
            result = self.perform(action, rows)
        except Conflict as error:
            messages.error(request, error.message)
            result = ""
        if isinstance(result, HttpResponseBase):
            return result
        if result:
            messages.success(request, result)
        return HttpResponseRedirect(with_query(self.list_url(), request.GET))

    def ask(self, action: str, count: int, posted: Any) -> HttpResponseBase:
        """The question with the count."""
        label, consequence = self.questions()[action]
        number = ngettext("%(n)s row", "%(n)s rows", count) % {"n": count_text(count)}
        by = _("all that match the filters") if posted.get("all_matching") == "1" else _("the chosen ones")
        self.template_name = "core/confirm.html"
        chosen = [(name, value) for name in NAMES for value in posted.getlist(name)]
        context = self.context(
            title=f"{label}: {number}",
            message=f"{number} ({by}). {consequence}",
            confirm_label=label,
            danger=any(item["name"] == action and item.get("danger") for item in self.bulk_actions),
            cancel_url=with_query(self.list_url(), self.request.GET),
            chosen=[*chosen, ("confirmed", "1")],
        )
        return self.show(context)
