"""Pages of engines: a list, a form with Save and Test, questions, the page of a test. Each family has its own routes."""

from functools import partial
from typing import Any, ClassVar

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.permissions import Permission
from accounts.policy import viewer
from audit.services import grouped
from core.bulk import DISABLE, ENABLE
from core.errors import Conflict
from core.pages import ConfirmPage, Crumbs, FormPage, ListPage, Page, Text, stamp_of
from core.tables import PageTable
from engines.families import Family, family_of
from engines.filters import EngineFilter
from engines.forms import EngineForm, initial_of
from engines.models import ConnectionTest
from engines.selectors import (
    circuit_key,
    engines_with_last_test,
    failing_text,
    jobs_by_engine,
    open_circuits,
    stored_secret_names,
)
from engines.services import delete_engine, request_test, resume_engine, save_engine, trust_engine, try_engine
from engines.tables import EngineTable, since_text
from jobs.circuits.breakers import circuit_of

TITLE = gettext_lazy("Engines")
# The steps that end with words of the engine.
ANSWERING = {"wait", "answer"}
STEP_STATES = {"ok": "done", "running": "running", "failed": "failed"}


class FamilyMixin:
    """What a page of a family has to know: whose it is, where it stands, and the task that runs a test."""

    family: ClassVar[Family]
    place: ClassVar[Crumbs]
    # A static method: the task is not bound to a page.
    start_test: Any

    def url(self, name: str, *args: Any) -> str:
        """A route of the family."""
        return reverse(f"{self.family.namespace}:{name}", args=args)

    def below_list(self) -> Crumbs:
        """The way to pages below the list."""
        return [*self.place, (TITLE, self.url("engines"))]

    def begin_test(self, request: HttpRequest, engine: Any) -> HttpResponseBase:
        """Ask for a test and show it; a refusal (five a minute) is shown on the list."""
        try:
            with transaction.atomic():
                test = request_test(engine=engine, user=viewer(request))
                transaction.on_commit(partial(type(self).start_test, test))
        except Conflict as error:
            messages.error(request, error.message)
            return redirect(self.url("engines"))
        return redirect(self.url("test", engine.pk, test.pk))


class EngineList(FamilyMixin, ListPage):
    """The engines with status, last test and use."""

    title = TITLE
    template_name = "engines/engine_list.html"
    table_class: ClassVar[type[PageTable]] = EngineTable
    filterset_class = EngineFilter
    live = True
    bulk_actions = [
        ENABLE,
        {**DISABLE, "danger": True},
        {"name": "test", "label": gettext_lazy("Test Connection"), "icon": "plug-connected"},
    ]

    def bulk_url(self) -> str:
        """Enable, disable, test."""
        return self.url("bulk")

    def more_context(self) -> dict[str, Any]:
        """No bulk actions for those who may only look."""
        return {} if viewer(self.request).has(Permission.ENGINES_EDIT) else {"bulk_actions": []}

    def breadcrumbs(self) -> Crumbs:
        """Where the list stands."""
        return self.place

    def get_queryset(self) -> QuerySet[Any]:
        """Engines with their last test."""
        return engines_with_last_test(self.family)

    def table_arguments(self) -> dict[str, Any]:
        """The jobs and the circuits of all engines, in one query each."""
        may_edit = viewer(self.request).has(Permission.ENGINES_EDIT)
        return {"jobs": jobs_by_engine(self.family), "circuits": open_circuits(self.family), "may_edit": may_edit}

    def actions(self) -> list[dict[str, Any]]:
        """Add."""
        if not viewer(self.request).has(Permission.ENGINES_EDIT):
            return []
        return [{"label": _("Add"), "url": self.url("add"), "icon": "plus", "primary": True}]


class EnginePage(FamilyMixin, FormPage):
    """Add and edit, with "Save" and "Save and Test"."""

    form_class: ClassVar[type[EngineForm]]
    template_name = "engines/engine_form.html"
    add_title: ClassVar[Text]

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the engine of the address."""
        super().setup(request, *args, **kwargs)
        self.cancel_url = self.url("engines")
        engines = self.family.model.objects.select_related("tenant")
        self.engine = get_object_or_404(engines, pk=kwargs["pk"]) if "pk" in kwargs else None

    def get_title(self) -> Text:
        """The guide's title, or the name."""
        return self.engine.name if self.engine else self.add_title

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return self.below_list()

    def form_arguments(self) -> dict[str, Any]:
        """The stored values without the secrets; a new engine may name its type in the address."""
        if self.engine is None:
            return {"editor": viewer(self.request), "initial": {"engine_type": self.request.GET.get("type", "")}}
        names = stored_secret_names(self.engine)
        return {
            "editor": viewer(self.request),
            "engine": self.engine,
            "stored_secrets": names,
            "initial": initial_of(self.engine),
        }

    def more_context(self, form: Any) -> dict[str, Any]:
        """Why the engine is paused, or held back because it fails."""
        circuit = None if self.engine is None else circuit_of(circuit_key(self.engine))
        if circuit is not None and circuit.is_open:
            return {"warning": f"{failing_text(circuit)} {since_text(circuit)}"}
        if self.engine is None or self.engine.paused_at is None:
            return {}
        return {"warning": _("The engine is paused: %(why)s") % {"why": self.engine.pause_reason}}

    def save(self, form: EngineForm) -> HttpResponseBase:
        """Store; "Save and Test" goes on to the test."""
        if self.engine is not None:
            self.engine.version = form.cleaned_data["version"] or 0
        if self.request.POST.get("action") == "save_and_test":
            return self.save_and_test(form)
        self.store(form)
        return redirect(self.url("engines"))

    def write(self, form: Any, **common: Any) -> Any:
        """Call the service of the family with what is ``common`` to all."""
        return save_engine(family=self.family, **common)

    def store(self, form: EngineForm) -> Any:
        """Through the service."""
        user = viewer(self.request)
        saved = self.write(
            form,
            engine=self.engine,
            values=form.values(),
            settings=form.settings(),
            secrets=form.secrets(),
            actor=user.actor,
            audit_tenant=user.tenant,
        )
        messages.success(self.request, _("The engine “%(name)s” was saved.") % {"name": saved.name})
        return saved

    def save_and_test(self, form: EngineForm) -> HttpResponseBase:
        """Both services in one entry of the audit trail."""
        user, key = viewer(self.request), self.family.key
        with grouped(
            tenant_id=user.tenant_id,
            actor=user.actor,
            action=f"{key}.saved_and_tested",
            target_type=key,
            target_id="",
        ) as entry:
            saved = self.store(form)
            entry.target_id = str(saved.pk)
            return self.begin_test(self.request, saved)


class EngineQuestion(FamilyMixin, ConfirmPage):
    """Base of the changes of one engine that are asked for on a page of their own."""

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the engine."""
        super().setup(request, *args, **kwargs)
        self.cancel_url = self.url("engines")
        self.engine = get_object_or_404(self.family.model, pk=kwargs["pk"])

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return self.below_list()


class EngineDelete(EngineQuestion):
    """Delete an engine that no job uses."""

    title = gettext_lazy("Delete this engine?")
    confirm_label = gettext_lazy("Delete")

    def message(self) -> Text:
        """Name and consequence."""
        return _("The engine “%(name)s” with its settings, its secrets and its tests is deleted.") % {
            "name": self.engine.name
        }

    def type_name(self) -> str:
        """The name must be typed (screens §3.5)."""
        return self.engine.name

    def act(self) -> Text:
        """Delete; Conflict when a job uses it."""
        user = viewer(self.request)
        name = self.engine.name
        delete_engine(engine=self.engine, actor=user.actor, audit_tenant=user.tenant)
        return _("The engine “%(name)s” was deleted.") % {"name": name}


class EngineResume(EngineQuestion):
    """Let a paused engine work again."""

    title = gettext_lazy("Resume this engine?")
    confirm_label = gettext_lazy("Resume")
    danger = False

    def message(self) -> Text:
        """Name and reason of the pause."""
        if self.engine.paused_at is None:
            return _("The engine “%(name)s” is not paused.") % {"name": self.engine.name}
        return _("The engine “%(name)s” was paused: %(why)s Waiting records go on within half a minute.") % {
            "name": self.engine.name,
            "why": self.engine.pause_reason,
        }

    def act(self) -> Text:
        """Resume."""
        user = viewer(self.request)
        resume_engine(engine=self.engine, actor=user.actor, audit_tenant=user.tenant)
        return _("The engine “%(name)s” works again.") % {"name": self.engine.name}


class EngineTry(EngineQuestion):
    """Have a failing engine tried now."""

    title = gettext_lazy("Try this engine now?")
    confirm_label = gettext_lazy("Try now")
    danger = False

    def message(self) -> Text:
        """What a probe is."""
        text = _("One record is sent to the engine “%(name)s”. If the engine answers, all others follow.")
        return text % {"name": self.engine.name}

    def act(self) -> Text:
        """Make the probe due; Conflict when none is awaited."""
        user = viewer(self.request)
        try_engine(engine=self.engine, actor=user.actor, audit_tenant=user.tenant)
        return _("The engine “%(name)s” is tried with the next record.") % {"name": self.engine.name}


class EngineTrust(EngineQuestion):
    """Send everything to a failing engine again, without a probe."""

    title = gettext_lazy("Use this engine again?")
    confirm_label = gettext_lazy("Use again")
    danger = False

    def message(self) -> Text:
        """What happens if it still fails."""
        text = _(
            "All waiting records are sent to the engine “%(name)s” again without a probe. If it still fails, attempts are "
            "burnt until it is found out."
        )
        return text % {"name": self.engine.name}

    def act(self) -> Text:
        """Close the circuit; Conflict when it is closed."""
        user = viewer(self.request)
        trust_engine(engine=self.engine, actor=user.actor, audit_tenant=user.tenant)
        return _("The engine “%(name)s” is used again.") % {"name": self.engine.name}


class EngineTestStart(EngineQuestion):
    """Test Connection: the question for a plain link, the test itself by POST."""

    title = gettext_lazy("Test Connection")
    confirm_label = gettext_lazy("Test Connection")
    danger = False

    def message(self) -> Text:
        """What the test does."""
        return _("A short sample is sent to the engine “%(name)s”; the page shows every step.") % {
            "name": self.engine.name
        }

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Start and go to the page of the test."""
        return self.begin_test(request, self.engine)


class EngineTestPage(FamilyMixin, Page):
    """ "Test Speech Service" and its like: progress, steps with their times, the recognised text, the provider's own words."""

    template_name = "engines/engine_test.html"
    region = "engine-test"
    live_interval = 1

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return self.below_list()

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page; polled every second until the test has ended."""
        tests = self.family.test_model.objects.select_related("engine")
        test = get_object_or_404(tests, pk=kwargs["test_pk"], engine=kwargs["pk"])
        running = test.state in {ConnectionTest.State.WAITING, ConnectionTest.State.RUNNING}
        kind = self.family.types().get(test.engine.engine_type)
        context = self.context(
            engine=test.engine,
            engine_type_label=kind.label if kind else test.engine.engine_type,
            test=test,
            steps=shown_steps(test),
            live=running,
            edit_url=self.url("engine", test.engine.pk),
            run_again_url=self.url("test_start", test.engine.pk),
            close_url=self.url("engines"),
        )
        return self.show(context, stamp=stamp_of(test.state, test.progress, test.steps))


def shown_steps(test: Any) -> list[dict[str, Any]]:
    """The steps of the family, and after a failure the ones that were not reached as skipped."""
    family = family_of(test.engine)
    reached = {step["key"]: step for step in test.steps}
    ended = test.state in {ConnectionTest.State.PASSED, ConnectionTest.State.FAILED}
    shown = []
    for key, label in family.steps.items():
        step = reached.get(key)
        if step is None:
            shown.append({"label": label, "state": "skipped" if ended else "pending"})
            continue
        state = STEP_STATES.get(step["status"], "pending")
        detail = step.get("detail", "")
        shown.append(
            {
                "label": label,
                "state": state,
                "ms": step.get("elapsed_ms"),
                "text": getattr(test, family.text_field) if key in ANSWERING else "",
                "text_label": family.text_label,
                "note": detail if state != "failed" else "",
                "error": detail if state == "failed" else "",
            }
        )
    return shown
