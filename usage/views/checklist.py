"""The verification check list of one tenant as a page (domain L14)."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.policy import viewer
from core.pages import stamp_of
from usage.checklist import check_list
from usage.views.statements import StatementsPage
from usage.views.usage import address


class CheckList(StatementsPage):
    """Live: each question with what was found, the verdict and where to mend it."""

    title = gettext_lazy("Check list")
    template_name = "usage/check_list.html"
    region = "check-list"
    live = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page or its region."""
        user, tenant = viewer(request), self.tenant_row
        lines = [
            {
                "line": line,
                "url": address(line.route, *([tenant.pk] if line.of_tenant else [])) if user.has(line.right) else "",
            }
            for line in check_list(tenant)
        ]
        return self.show(
            self.context(lines=lines, subtitle=tenant.name, failed_label=_("Missing")), stamp=stamp_of(lines)
        )
