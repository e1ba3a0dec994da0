"""What the classes of errors do: a page of help, made from the table that decides."""

from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext_lazy

from core.outcomes import Reason
from core.pages import Crumbs, Page
from core.treatments import explanations


class ErrorClasses(Page):
    """The table."""

    title = gettext_lazy("What errors do")
    template_name = "jobs/error_classes.html"

    def breadcrumbs(self) -> Crumbs:
        """Administration > Jobs."""
        return [(gettext_lazy("Administration"), None), (gettext_lazy("Jobs"), None)]

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        """The page; it changes with the version only."""
        crashed = Reason.CRASHED
        context = self.context(classes=explanations(), crashed=crashed.value, crashed_label=crashed.label)
        return self.show(context)
