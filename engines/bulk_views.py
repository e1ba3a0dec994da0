"""Bulk actions on the list of engines (screens §3.3)."""

from functools import partial
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.policy import viewer
from core.bulk import BulkMixin
from core.pages import Text
from engines.services import request_tests, set_engines_enabled
from engines.views import FamilyMixin


class EngineBulkMixin(FamilyMixin, BulkMixin):
    """Enable, disable or test the chosen engines; to be mixed with the list of a family."""

    def questions(self) -> dict[str, tuple[Text, Text]]:
        """What each does."""
        return {
            "enable": (_("Enable"), _("Jobs use them again.")),
            "disable": (_("Disable"), _("Jobs send nothing to them: what comes up meanwhile waits.")),
            "test": (_("Test Connection"), _("A short sample is sent to each; the list shows the results.")),
        }

    def asks(self, action: str) -> bool:
        """Enabling can be undone at once."""
        return action != "enable"

    def list_url(self) -> str:
        """The list."""
        return self.url("engines")

    def perform(self, action: str, rows: QuerySet[Any]) -> str:
        """Through the services."""
        user = viewer(self.request)
        engines = list(self.family.model.objects.filter(pk__in=rows.values("pk")).order_by("name"))
        if action == "test":
            return self.test(engines)
        enabled = action == "enable"
        changed = set_engines_enabled(engines=engines, enabled=enabled, actor=user.actor, audit_tenant=user.tenant)
        return ngettext("%(n)s engine changed.", "%(n)s engines changed.", changed) % {"n": changed}

    def test(self, engines: list[Any]) -> str:
        """As many as may be tested in a minute; the others are named."""
        with transaction.atomic():
            tests, left = request_tests(family=self.family, engines=engines, user=viewer(self.request))
            for test in tests:
                transaction.on_commit(partial(type(self).start_test, test))
        if left:
            text = _("Five tests a minute may be asked for. Not tested: %(names)s")
            messages.warning(self.request, text % {"names": ", ".join(engine.name for engine in left)})
        return ngettext("%(n)s test was started.", "%(n)s tests were started.", len(tests)) % {"n": len(tests)}
