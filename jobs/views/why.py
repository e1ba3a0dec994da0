""" "Why?" of one call: what every job decided about it, and what it would decide now."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.policy import viewer
from conversations.selectors import call_for
from core.pages import Crumbs, Page, Text
from jobs.explaining import explain_now, explain_record, records_of
from tenants.doors import current_tenant


class CallWhy(Page):
    """For everybody who may see the call; figures of the tenant only with the right to usage."""

    template_name = "jobs/why.html"

    def get_title(self) -> Text:
        """The question."""
        return _("Why? Conversation %(call)s") % {"call": self.call.external_id}

    def breadcrumbs(self) -> Crumbs:
        """Below the call."""
        return [
            (_("Conversations"), reverse("conversations:calls")),
            (self.call.external_id, reverse("conversations:call", args=[self.call.pk])),
        ]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Stored decisions and the one of now, job by job."""
        user, tenant = viewer(request), current_tenant()
        self.call = call_for(user, kwargs["pk"])
        records = records_of(tenant, self.call.pk)
        decided = [explanation for record in records for explanation in explain_record(record, user)]
        now = [explain_now(record.job, tenant, self.call.pk, user) for record in records]
        context = self.context(
            call=self.call, decided=decided, now=[explanation for explanation in now if explanation is not None]
        )
        return self.show(context)
