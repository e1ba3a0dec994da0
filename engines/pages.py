"""Pages about one engine: how it fares, and what it costs. Each family adds its own figures and amounts."""

from typing import Any, ClassVar

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.permissions import Permission
from accounts.policy import viewer
from core.outcomes import ErrorClass
from core.pages import ConfirmPage, Crumbs, FormPage, ListPage, Page, Text
from engines.prices import delete_price, in_force, today
from engines.selectors import failing_text
from engines.tables import clock, since_text
from engines.views import FamilyMixin
from jobs.circuits.models import Circuit

PRICES = gettext_lazy("Prices")


class OfEngine(FamilyMixin, Page):
    """Base of the pages of one engine."""

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the engine of the address."""
        super().setup(request, *args, **kwargs)
        self.engine = get_object_or_404(self.family.model.objects.select_related("tenant"), pk=kwargs["pk"])
        self.may_edit = viewer(request).has(Permission.ENGINES_EDIT)

    def breadcrumbs(self) -> Crumbs:
        """Below the engine."""
        return [*self.below_list(), (self.engine.name, self.url("overview", self.engine.pk))]


class EngineOverview(OfEngine):
    """How an engine fares; a family gives the figures and what else its template shows. Never any text of conversations."""

    region = "engine-overview"
    live = True

    def get_title(self) -> Text:
        """The name."""
        return str(self.engine.name)

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return self.below_list()

    def paused_word(self) -> str:
        """What stands in the badge of a paused engine."""
        return _("Paused")

    def common(self, circuit: Circuit | None) -> dict[str, Any]:
        """What the pages of all families show: type, state, what stopped it, and the routes of the buttons."""
        kind = self.family.types().get(self.engine.engine_type)
        namespace = self.family.namespace
        return {
            "engine": self.engine,
            "kind": kind.label if kind else self.engine.engine_type,
            "state": self.state(circuit),
            # Not "note": components of the page would take that for theirs.
            "stopped": self.note(circuit),
            "may_edit": self.may_edit,
            "routes": {
                name: f"{namespace}:{name}" for name in ("test_start", "engine", "prices", "resume", "try", "trust")
            },
            "failing": circuit is not None and circuit.is_open,
        }

    def state(self, circuit: Circuit | None) -> tuple[str, str]:
        """The look and the word."""
        if self.engine.paused_at is not None:
            return "paused", self.paused_word()
        if not self.engine.enabled:
            return "disabled", _("Disabled")
        return ("error", _("Failing")) if circuit is not None and circuit.is_open else ("ok", _("In order"))

    def note(self, circuit: Circuit | None) -> str:
        """Why it is paused or failing, and since when: said once here, and not on every record that waits for it."""
        if self.engine.paused_at is not None:
            return f"{ErrorClass.CONFIG.label}: {self.engine.pause_reason} {paused_text(self.engine)}"
        if circuit is not None and circuit.is_open:
            return f"{failing_text(circuit)} {since_text(circuit)}"
        return ""


class PriceList(OfEngine, ListPage):
    """The prices of an engine, with their history."""

    title = PRICES
    free: ClassVar[Text]

    def get_queryset(self) -> QuerySet[Any]:
        """Its own."""
        found: QuerySet[Any] = self.family.price_model.objects.filter(engine=self.engine).select_related("engine")
        return found

    def table_arguments(self) -> dict[str, Any]:
        """Which rows hold today."""
        rows = self.family.price_model.objects.filter(engine=self.engine)
        return {"holding": in_force(rows, today()), "may_edit": self.may_edit}

    def actions(self) -> list[dict[str, Any]]:
        """Add."""
        if not self.may_edit:
            return []
        url = self.url("price_add", self.engine.pk)
        return [{"label": _("Add price"), "url": url, "icon": "plus", "primary": True}]

    def empty(self) -> dict[str, Any]:
        """The first; ``free`` says what is done without one."""
        return {"icon": "gauge", "title": _("No price yet"), "text": self.free}


class PriceAdd(OfEngine, FormPage):
    """A new price row."""

    title = gettext_lazy("Add price")

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Back to the prices."""
        super().setup(request, *args, **kwargs)
        self.cancel_url = self.url("prices", self.engine.pk)

    def breadcrumbs(self) -> Crumbs:
        """Below the prices."""
        return [*super().breadcrumbs(), (PRICES, self.cancel_url)]

    def form_arguments(self) -> dict[str, Any]:
        """The currency of the engine, from today on."""
        last = self.family.price_model.objects.filter(engine=self.engine).order_by("-valid_from").first()
        return {"initial": {"currency": last.currency if last is not None else "", "valid_from": today().isoformat()}}

    def add(self, values: dict[str, Any], **who: Any) -> None:
        """Call the service of the family."""
        raise NotImplementedError

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service."""
        user = viewer(self.request)
        self.add(form.values(), actor=user.actor, audit_tenant=user.tenant)
        messages.success(self.request, _("The price was added."))
        return redirect(self.cancel_url)


class PriceDelete(OfEngine, ConfirmPage):
    """Delete a price that does not hold yet."""

    title = gettext_lazy("Delete this price?")
    confirm_label = gettext_lazy("Delete")

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the price."""
        super().setup(request, *args, **kwargs)
        prices = self.family.price_model.objects.select_related("engine")
        self.price = get_object_or_404(prices, pk=kwargs["price_pk"], engine=self.engine)
        self.cancel_url = self.url("prices", self.engine.pk)

    def message(self) -> Text:
        """Which one."""
        text = _("The price from %(day)s on is deleted; the one before it goes on.")
        return text % {"day": self.price.valid_from.isoformat()}

    def act(self) -> Text:
        """Through the service; Conflict for one that holds."""
        user = viewer(self.request)
        delete_price(price=self.price, actor=user.actor, audit_tenant=user.tenant)
        return _("The price was deleted.")


def paused_text(engine: Any) -> str:
    """Since when an engine is paused, in the viewer's zone."""
    zone = timezone.get_current_timezone_name()
    return _("Since %(since)s (%(zone)s).") % {"since": clock(engine.paused_at), "zone": zone}


def used_text(used: int, allowed: Any) -> str:
    """ "3 of 60", or that there is no limit."""
    if not isinstance(allowed, int):
        return _("no limit")
    return _("%(used)s of %(allowed)s") % {"used": f"{used:,}", "allowed": f"{allowed:,}"}
