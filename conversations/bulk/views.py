"""Bulk actions on the calls list: choosing, the page that previews and starts, and what came of it."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.policy import viewer
from conversations.bulk.choosing import AT_ONCE, Choice, choice_of, freeze
from conversations.bulk.deeds import DEEDS
from conversations.bulk.services import AS_IT_WAS, CHANGED, GONE, carry_out
from conversations.models import Call
from conversations.selectors import visible_calls
from conversations.views import CallList
from core.counting import COUNT_LIMIT
from core.errors import Conflict, InvalidInput
from core.ids import uuids
from core.pages import Crumbs, Page, Text

SAMPLE = 5
WHY: dict[str, Text] = {
    CHANGED: gettext_lazy("Changed meanwhile: skipped"),
    GONE: gettext_lazy("Deleted meanwhile: skipped"),
    AS_IT_WAS: gettext_lazy("Nothing to change"),
}
# What says where in the list one stands, not which calls are meant.
PLACE = {"page", "per_page", "sort", "format"}


class CallBulk(CallList):
    """Freezes what an action is to change and leads to its preview."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Nothing ticked means all that match, so that it also works without scripts.

        Raises InvalidInput for an unknown action or filters that break a rule, PermissionDenied without the right.
        """
        user, name = viewer(request), request.POST.get("action", "")
        if name not in DEEDS:
            raise InvalidInput("action", _("There is no such action."))
        deed = DEEDS[name]
        if not deed.held_by(user):
            raise PermissionDenied(user.lacking(deed.own, deed.others))
        posted = request.POST.copy()
        ticked = bool(posted.getlist("selection")) and posted.get("all_matching") != "1"
        posted["all_matching"] = "" if ticked else "1"
        filters = [key for key, value in request.GET.items() if value and key not in PLACE and not ticked]
        choice = freeze(deed=name, rows=self.chosen(posted), user=user, filters=sorted(filters), ticked=ticked)
        return HttpResponseRedirect(reverse("conversations:call_bulk", args=[choice.id]))

    def chosen(self, posted: QueryDict) -> QuerySet[Call]:
        """As for other lists; calls are named by UUIDs."""
        if posted.get("all_matching") == "1":
            return super().chosen(posted)
        return self.get_queryset().filter(pk__in=uuids(posted.getlist("selection")[:COUNT_LIMIT]))


class CallBulkPage(Page):
    """The preview with its start; afterwards what came of it."""

    template_name = "conversations/bulk.html"

    @cached_property
    def choice(self) -> Choice:
        """What the viewer chose within the last hour. Raises Http404."""
        found = choice_of(viewer(self.request), self.kwargs["pk"])
        if found is None:
            raise Http404
        return found

    def get_title(self) -> Text:
        """What is done to how many."""
        number = len(self.choice.calls)
        calls = ngettext("%(n)s conversation", "%(n)s conversations", number) % {"n": f"{number:,}"}
        return f"{DEEDS[self.choice.deed].label}: {calls}"

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return [(_("Conversations"), reverse("conversations:calls"))]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The preview, or the outcome."""
        return self.page()

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Do it, or say why not: 422 for a tag that cannot be one, 409 when it was begun already or has no object."""
        tag = request.POST.get("tag", "")
        try:
            done = carry_out(choice=self.choice, user=viewer(request), tag=tag)
        except InvalidInput as error:
            return self.page(problem=error.message, tag=tag, status=422)
        except Conflict as error:
            return self.page(problem=error.message, tag=tag, status=409)
        text = ngettext("%(n)s conversation was changed.", "%(n)s conversations were changed.", done.changed)
        if DEEDS[done.deed].queued:
            text = ngettext(
                "%(n)s conversation was put into queues.", "%(n)s conversations were put into queues.", done.changed
            )
        messages.success(request, text % {"n": f"{done.changed:,}"})
        return HttpResponseRedirect(request.path)

    def page(self, *, problem: str = "", tag: str = "", status: int = 200) -> HttpResponseBase:
        """Render it."""
        choice = self.choice
        sample = [pk for pk, _stamp in choice.calls[:SAMPLE]]
        chosen = _("the chosen ones") if choice.ticked else _("all that match the filters")
        if choice.more:
            most = {"n": f"{AT_ONCE:,}"}
            chosen = _("the newest %(n)s of those that match; do the same again for the others") % most
        context = self.context(
            choice=choice,
            deed=DEEDS[choice.deed],
            chosen=chosen,
            sample=visible_calls(viewer(self.request)).filter(pk__in=sample).order_by("-started_at", "-pk"),
            left=[(pk, WHY.get(why, why), why != GONE) for pk, why in choice.left],
            list_url=reverse("conversations:calls"),
            problem=problem,
            tag=tag,
        )
        return self.show(context, status=status)
