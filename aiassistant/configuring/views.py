"""How an engine fares, what its server can do, its prices; and default engines."""

from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.permissions import Permission
from accounts.policy import viewer
from aiassistant import services
from aiassistant.configuring.abilities import abilities_of, save_overrides
from aiassistant.configuring.faring import Faring, faring_of, limits_of
from aiassistant.configuring.filters import DefaultFilter, PriceFilter
from aiassistant.configuring.forms import AbilitiesForm, AIPriceForm, DefaultForm, found_text
from aiassistant.configuring.tables import AIPriceTable, DefaultTable
from aiassistant.models import DefaultEngine
from aiassistant.pricing import fits
from aiassistant.rails.tables import LOOKS
from aiassistant.rails.views import executions_for
from aiassistant.views import AIPages
from core.money import sums_text
from core.pages import ConfirmPage, Crumbs, FormPage, ListPage, Text, stamp_of
from engines import pages
from engines.pages import used_text
from engines.views import FamilyMixin
from tenants.selectors import visible_tenants

LAST = 10


class EngineOverview(AIPages, pages.EngineOverview):
    """Latency, errors, throttling, breaker, limits, spending, abilities and the last executions; never any text."""

    template_name = "aiassistant/engine.html"

    def paused_word(self) -> str:
        """A model that is gone has a word of its own."""
        return _("Model not found") if self.engine.missing_model else super().paused_word()

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page."""
        engine, user = self.engine, viewer(request)
        fares = faring_of(engine, user)
        last = executions_for(user).filter(engine=engine).order_by("-ended_at")[:LAST]
        tiles, common = tiles_of(fares), self.common(fares.circuit)
        executions = [
            {
                "url": reverse("rails:execution", args=[one.pk]),
                "label": one.task_label,
                "look": LOOKS.get(one.state, "info"),
                "state": one.get_state_display(),
                "reason": one.reason_label,
                "ended": one.ended_at,
                "ms": f"{one.latency_ms:,}",
                "tokens": f"{one.tokens:,}",
            }
            for one in last
        ]
        context = self.context(
            **common,
            tiles=tiles,
            facts=self.facts(fares),
            abilities=[(a.label, found_text(a.counts), a.set is not None) for a in abilities_of(engine)],
            executions=executions,
            all_url=reverse("rails:executions") + f"?engine={engine.pk}",
            usage_url=reverse("rails:usage") + f"?engine={engine.pk}",
        )
        return self.show(
            context, stamp=stamp_of(tiles, common["state"], common["stopped"], context["facts"], executions)
        )

    def facts(self, fares: Faring) -> list[tuple[Any, str]]:
        """Who may use it, and how far its bounds are used."""
        engine, limits = self.engine, limits_of(self.engine)
        breaker = _("Closed: it is asked") if fares.circuit is None else fares.circuit.get_state_display()
        tenants = list(engine.tenants.order_by("name").values_list("name", flat=True)[: LAST + 1])
        chosen = ", ".join(tenants[:LAST]) + ("…" if len(tenants) > LAST else "")
        who = engine.tenant.name if engine.tenant is not None else chosen or engine.get_visibility_display()
        return [
            (_("Model"), str(engine.settings.get("model", "–"))),
            (_("Tenants that may use it"), str(who)),
            (_("Circuit breaker"), str(breaker)),
            (_("Requests at a time"), used_text(fares.places, limits["concurrency"])),
            (_("Requests in this minute"), used_text(fares.requests_now, limits["requests_per_minute"])),
            (_("Tokens in this minute"), used_text(fares.tokens_now, limits["tokens_per_minute"])),
        ]


def tiles_of(fares: Faring) -> list[dict[str, Any]]:
    """The figures that are looked for first."""
    newest = _("of the newest %(n)s executions") % {"n": f"{fares.ended:,}"}
    share = fares.failed_share
    return [
        {
            "label": _("95 % answered within"),
            "value": f"{fares.p95_ms:,.0f} ms" if fares.p95_ms is not None else "–",
            "note": _("half within %(n)s ms") % {"n": f"{fares.p50_ms:,.0f}"} if fares.p50_ms is not None else "",
            "icon": "clock",
        },
        {
            "label": _("Failed"),
            "value": f"{share:,.1f} %" if share is not None else "–",
            "note": newest,
            "icon": "alert-circle",
        },
        {
            "label": _("Asked to wait (429)"),
            "value": f"{fares.throttled:,}",
            "note": _("within a day"),
            "icon": "player-pause",
        },
        {"label": _("Spent"), "value": sums_text(fares.spent.cost), "note": _("in 30 days"), "icon": "gauge"},
        {"label": _("Tokens"), "value": f"{fares.spent.tokens:,}", "note": _("in 30 days"), "icon": "messages"},
        {
            "label": _("Executions"),
            "value": f"{fares.spent.executions:,}",
            "note": _("in 30 days"),
            "icon": "player-play",
        },
    ]


class AbilitiesPage(AIPages, pages.OfEngine, FormPage):
    """What the server can do, set by hand above what was found out."""

    title = gettext_lazy("What the server can do")
    form_class = AbilitiesForm

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Back to the engine."""
        super().setup(request, *args, **kwargs)
        self.cancel_url = reverse("aiassistant:overview", args=[self.engine.pk])

    def form_arguments(self) -> dict[str, Any]:
        """The record."""
        return {"engine": self.engine, "initial": {"version": self.engine.version}}

    def save(self, form: AbilitiesForm) -> HttpResponseBase:
        """Through the service."""
        user = viewer(self.request)
        save_overrides(
            engine=self.engine,
            overrides=form.overrides(),
            version=form.cleaned_data["version"] or 0,
            actor=user.actor,
            audit_tenant=user.tenant,
        )
        messages.success(self.request, _("Saved."))
        return redirect(self.cancel_url)


class PriceList(AIPages, pages.PriceList):
    """With the model of each row."""

    table_class = AIPriceTable
    filterset_class = PriceFilter
    free = gettext_lazy("Without a price tokens are counted and cost nothing.")


class PriceAdd(AIPages, pages.PriceAdd):
    """A new price row; says when it is not for the model of the engine."""

    form_class = AIPriceForm

    def add(self, values: dict[str, Any], **who: Any) -> None:
        """Through the service."""
        services.add_price(engine=self.engine, values=values, **who)
        model = str(self.engine.settings.get("model", ""))
        if model and not fits(values["model_pattern"], model):
            text = _("It is not for the model “%(model)s”, which the engine asks unless a task names another one.")
            messages.warning(self.request, text % {"model": model})


class PriceDelete(AIPages, pages.PriceDelete):
    """Delete a price that does not hold yet."""

    def message(self) -> Text:
        """Which one."""
        text = _("The price of “%(model)s” from %(day)s on is deleted; the one before it goes on.")
        return text % {"model": self.price.model_pattern, "day": self.price.valid_from.isoformat()}


def defaults_for(request: HttpRequest) -> QuerySet[DefaultEngine]:
    """That of the system, and those of visible tenants."""
    seen = visible_tenants(viewer(request)).order_by().values("pk")
    return DefaultEngine.objects.filter(Q(tenant=None) | Q(tenant__in=seen)).select_related("tenant", "engine")


class DefaultList(AIPages, FamilyMixin, ListPage):
    """Which engine answers where neither task nor job names one."""

    title = gettext_lazy("Default engines")
    table_class = DefaultTable
    filterset_class = DefaultFilter

    def breadcrumbs(self) -> Crumbs:
        """Below the engines."""
        return self.below_list()

    def get_queryset(self) -> QuerySet[DefaultEngine]:
        """Of visible tenants."""
        return defaults_for(self.request)

    def table_arguments(self) -> dict[str, Any]:
        """No actions for those who may only look."""
        return {"may_edit": viewer(self.request).has(Permission.ENGINES_EDIT)}

    def actions(self) -> list[dict[str, Any]]:
        """Set."""
        if not viewer(self.request).has(Permission.ENGINES_EDIT):
            return []
        return [{"label": _("Set default"), "url": reverse("aiassistant:default_add"), "icon": "plus", "primary": True}]

    def empty(self) -> dict[str, Any]:
        """The first."""
        return {
            "icon": "messages",
            "title": _("No default yet"),
            "text": _("Tasks and jobs must name their engine. A default answers where they do not."),
        }


class DefaultPage(AIPages, FamilyMixin, FormPage):
    """Set the default of a tenant or of the system."""

    title = gettext_lazy("Default engine")
    form_class = DefaultForm

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the default of the address."""
        super().setup(request, *args, **kwargs)
        self.cancel_url = reverse("aiassistant:defaults")
        self.default = get_object_or_404(defaults_for(request), pk=kwargs["pk"]) if "pk" in kwargs else None

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return [*self.below_list(), (gettext_lazy("Default engines"), self.cancel_url)]

    def form_arguments(self) -> dict[str, Any]:
        """What is set."""
        found = self.default
        initial = {} if found is None else {"tenant": found.tenant_id, "engine": found.engine_id}
        return {"editor": viewer(self.request), "initial": initial}

    def save(self, form: DefaultForm) -> HttpResponseBase:
        """Through the service."""
        user, tenant, engine = viewer(self.request), form.cleaned_data["tenant"], form.cleaned_data["engine"]
        services.set_default(tenant=tenant, engine=engine, actor=user.actor, audit_tenant=user.tenant)
        messages.success(self.request, _("The default was set."))
        return redirect(self.cancel_url)


class DefaultClear(AIPages, FamilyMixin, ConfirmPage):
    """Let a tenant have the system's default again, or the system none."""

    title = gettext_lazy("Clear this default?")
    confirm_label = gettext_lazy("Clear")

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the default."""
        super().setup(request, *args, **kwargs)
        self.cancel_url = reverse("aiassistant:defaults")
        self.default = get_object_or_404(defaults_for(request), pk=kwargs["pk"])

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return [*self.below_list(), (gettext_lazy("Default engines"), self.cancel_url)]

    def message(self) -> Text:
        """What follows."""
        if self.default.tenant is None:
            return _("Tasks whose job names no engine cannot be answered then, unless their tenant has a default.")
        text = _("Conversations of “%(tenant)s” are then answered by the default of the system.")
        return text % {"tenant": self.default.tenant.name}

    def act(self) -> Text:
        """Through the service."""
        user = viewer(self.request)
        services.clear_default(default=self.default, actor=user.actor, audit_tenant=user.tenant)
        return _("The default was cleared.")
