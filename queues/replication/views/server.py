"""The pairing server (Administration > System): who we are, who it is, whether it answers."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.permissions import Permission
from accounts.policy import viewer
from core.pages import ActionPage, ConfirmPage, Crumbs, FormPage, Page, Text, stamp_of
from queues.replication import pairing as services
from queues.replication.forms import FingerprintForm, PairingForm
from queues.replication.identity import installation
from queues.replication.models import Pairing
from queues.replication.selectors import copies_here, failure_text, open_conflicts, pairing_server, pending_number

TITLE = gettext_lazy("Pairing Server")
ROOT: Crumbs = [(gettext_lazy("Administration"), None), (gettext_lazy("System"), None)]
STEPS = {
    "address": gettext_lazy("Checking the address"),
    "answer": gettext_lazy("Sending a signed request"),
    "signature": gettext_lazy("Checking the signature of the answer"),
}


def pairing_crumbs() -> Crumbs:
    """The way to pages below it."""
    return [*ROOT, (TITLE, reverse("pairing:server"))]


def tabs(request: HttpRequest, route: str) -> list[dict[str, Any]]:
    """The tabs that the viewer may open; ``route`` is the one at hand."""
    named = [
        ("pairing:server", TITLE, Permission.PAIRING_VIEW),
        ("pairing:conflicts", gettext_lazy("Conflicts"), Permission.QUEUES_VIEW),
    ]
    return [
        {"label": label, "url": reverse(name), "active": name == route}
        for name, label, permission in named
        if viewer(request).has(permission)
    ]


class ServerPage(Page):
    """Both installations with their fingerprints, the state of sending, and the last test."""

    title = TITLE
    template_name = "queues/replication/server.html"
    region = "pairing"
    live = True

    def breadcrumbs(self) -> Crumbs:
        """Administration > System."""
        return ROOT

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page or its region."""
        pairing, own = pairing_server(), installation()
        numbers = {"pending": pending_number(), "copies": copies_here(), "conflicts": open_conflicts()}
        context = self.context(
            tabs=tabs(request, "pairing:server"),
            pairing=pairing,
            own=own,
            steps=[_shown(step) for step in pairing.test_steps] if pairing else [],
            problem=failure_text(pairing.last_error) if pairing and pairing.last_error else "",
            may_edit=viewer(request).has(Permission.PAIRING_EDIT),
            unpair_message=unpair_message(numbers["copies"]),
            **numbers,
        )
        shown = [own.name, *numbers.values()]
        if pairing:
            shown += [pairing.version, pairing.seen_at, pairing.failures, pairing.last_error, pairing.tested_at]
        return self.show(context, stamp=stamp_of(*shown))


def _shown(step: dict[str, Any]) -> dict[str, Any]:
    error = failure_text(step["failure"]) if step["failure"] else ""
    return {"label": STEPS[step["key"]], "state": step["state"], "ms": step["ms"], "error": error}


def unpair_message(copies: int) -> str:
    """The consequence, with the number of queues that were received."""
    text = ngettext(
        "Nothing is sent to the other installation and nothing taken from it any more. %(n)s queue that was received "
        "stays, with settings that can be changed only after it is detached.",
        "Nothing is sent to the other installation and nothing taken from it any more. %(n)s queues that were received "
        "stay, with settings that can be changed only after they are detached.",
        copies,
    )
    return text % {"n": copies}


class EditPage(FormPage):
    """Address and key."""

    title = gettext_lazy("Set Up Pairing")
    form_class = PairingForm
    cancel_url = reverse_lazy("pairing:server")  # type: ignore[assignment]

    def breadcrumbs(self) -> Crumbs:
        """Below the page."""
        return pairing_crumbs()

    def form_arguments(self) -> dict[str, Any]:
        """The stored values."""
        pairing = pairing_server()
        initial: dict[str, Any] = {"own_name": installation().name, "version": 0}
        if pairing is not None:
            initial |= {"address": pairing.address, "public_key": pairing.key_text, "version": pairing.version}
        return {"initial": initial}

    def save(self, form: PairingForm) -> HttpResponseBase:
        """Through the service."""
        user, values = viewer(self.request), form.cleaned_data
        saved = services.save_pairing(
            version=values["version"] or 0,
            own_name=values["own_name"],
            address=values["address"],
            public_key=values["public_key"],
            actor=user.actor,
            audit_tenant=user.tenant,
        )
        messages.success(self.request, _("The pairing was saved."))
        if saved.confirmed_at is None:
            messages.warning(self.request, _("Compare the fingerprints and confirm: until then nothing is exchanged."))
        return redirect("pairing:server")


def _pairing() -> Pairing:
    pairing = pairing_server()
    if pairing is None:
        raise Http404
    return pairing


class ConfirmFingerprint(FormPage):
    """Trust the key of the other side. The version of what was shown is posted: a key changed meanwhile is refused."""

    title = gettext_lazy("Confirm the fingerprint")
    form_class = FingerprintForm
    template_name = "queues/replication/confirm.html"
    cancel_url = reverse_lazy("pairing:server")  # type: ignore[assignment]

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the pairing."""
        super().setup(request, *args, **kwargs)
        self.pairing = pairing_server()

    def breadcrumbs(self) -> Crumbs:
        """Below the page."""
        return pairing_crumbs()

    def form_arguments(self) -> dict[str, Any]:
        """What the person saw."""
        return {"initial": {"version": _pairing().version}}

    def more_context(self, form: Any) -> dict[str, Any]:
        """The fingerprint to compare."""
        return {"pairing": self.pairing, "submit_label": _("Confirm")}

    def save(self, form: FingerprintForm) -> HttpResponseBase:
        """Through the service; the count of queues that go out."""
        user, pairing = viewer(self.request), _pairing()
        pairing.version = form.cleaned_data["version"] or 0
        number = services.confirm(pairing=pairing, actor=user.actor, audit_tenant=user.tenant)
        text = ngettext(
            "The fingerprint is confirmed; %(n)s queue is sent now.",
            "The fingerprint is confirmed; %(n)s queues are sent now.",
            number,
        )
        messages.success(self.request, text % {"n": number})
        return redirect("pairing:server")


class Unpair(ConfirmPage):
    """End the pairing."""

    title = gettext_lazy("End the pairing?")
    confirm_label = gettext_lazy("Unpair")
    cancel_url = reverse_lazy("pairing:server")  # type: ignore[assignment]

    def breadcrumbs(self) -> Crumbs:
        """Below the page."""
        return pairing_crumbs()

    def message(self) -> Text:
        """What ends and what stays."""
        _pairing()
        return unpair_message(copies_here())

    def act(self) -> Text:
        """Through the service."""
        user = viewer(self.request)
        services.unpair(pairing=_pairing(), actor=user.actor, audit_tenant=user.tenant)
        return _("The pairing has ended.")


class ServerAction(ActionPage):
    """Base of what needs no question."""

    def refused_url(self) -> str:
        """The page."""
        return reverse("pairing:server")


class TestConnection(ServerAction):
    """Ask the other side who it is; the steps stand on the page afterwards."""

    def act(self) -> str:
        """Through the service."""
        user = viewer(self.request)
        if services.test_connection(pairing=_pairing(), actor=user.actor, audit_tenant=user.tenant):
            messages.success(self.request, _("The other installation answered, and its signature is right."))
        else:
            messages.error(self.request, _("The test failed; the steps say where."))
        return self.refused_url()


class TryNow(ServerAction):
    """Send what is pending without waiting."""

    def act(self) -> str:
        """Through the service."""
        user = viewer(self.request)
        number = services.try_now(pairing=_pairing(), actor=user.actor, audit_tenant=user.tenant)
        text = ngettext("%(n)s queue is sent now.", "%(n)s queues are sent now.", number)
        messages.success(self.request, text % {"n": number})
        return self.refused_url()
