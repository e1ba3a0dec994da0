"""Pages as declarations: a list, a form on a service, a confirmation, a bare action (examples-to-follow 9, 10).

A page class says which rows, table, filters, form or service; how lists are paged, exported and polled and how a
service's refusals are shown is here. Permissions are declared where the routes are, by the apps.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import IntegrityError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext as _
from django.views import View
from django_tables2 import RequestConfig

from core.counting import COUNT_LIMIT, count_text, counted
from core.errors import Conflict, InvalidInput
from core.exports import csv_response
from core.tables import PageTable

Text = str | Promise
Crumbs = list[tuple[Text, str | None]]
PAGE_SIZES = (25, 50, 100, 250)
EXPORT_CHUNK = 1000


def whole(text: str | None, fallback: int) -> int:
    """A small whole number from the address, or ``fallback``: what people type there never breaks a page."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else fallback


def stamp_of(*parts: Any) -> str:
    """The version stamp of what a page shows: an ETag over ``parts``."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode("utf-8", "replace")).hexdigest()
    return f'W/"{digest[:32]}"'


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts exactly up to 10,000 and no further (screens §3.1)."""

    @cached_property
    def counted(self) -> int:
        """Rows, at most one more than the limit."""
        data = getattr(self.object_list, "data", self.object_list)
        rows = getattr(data, "data", data)
        return counted(rows) if isinstance(rows, QuerySet) else len(rows)

    @cached_property
    def count(self) -> int:  # type: ignore[override]
        """Rows that can be paged through."""
        return min(self.counted, COUNT_LIMIT)

    @property
    def label(self) -> str:
        """The total in words: exact, or "10,000+"."""
        return count_text(self.counted)


class Page(View):
    """What every page has: title, breadcrumbs, template and live polling of one region."""

    title: Text = ""
    template_name = ""
    region = ""
    live = False
    live_interval: int | None = None

    def get_title(self) -> Text:
        """The heading."""
        return self.title

    def breadcrumbs(self) -> Crumbs:
        """The way to this page."""
        return []

    @property
    def polled(self) -> bool:
        """True when only the live region is asked for."""
        return bool(self.region) and self.request.headers.get("HX-Target", "").endswith(f"#{self.region}")

    def context(self, **extra: Any) -> dict[str, Any]:
        """What templates of pages read."""
        return {"title": self.get_title(), "breadcrumbs": self.breadcrumbs(), **extra}

    def show(self, context: Mapping[str, Any], *, status: int = 200, stamp: str = "") -> HttpResponse:
        """Render; a poll of the live region gets only the content, and 204 when its stamp is still the same."""
        request, polled = self.request, self.polled
        if polled and stamp and request.headers.get("If-None-Match") == stamp:
            return HttpResponse(status=204)
        values = {
            "layout": "core/region.html" if polled else "base.html",
            "live": self.live and status == 200,
            "live_interval": self.live_interval,
            "live_headers": json.dumps({"If-None-Match": stamp}) if stamp else "",
            **context,
        }
        response = render(request, self.template_name, values, status=status)
        if stamp:
            response["ETag"] = stamp
        return response


class ListPage(Page):
    """A table with filters in the address, sorting, paging, CSV export of exactly what is shown, and polling."""

    table_class: ClassVar[type[PageTable]]
    filterset_class: ClassVar[Any] = None
    template_name = "core/list.html"
    region = "list"
    page_sizes: tuple[int, ...] = PAGE_SIZES
    bulk_actions: list[dict[str, Any]] = []

    def get_queryset(self) -> QuerySet[Any]:
        """All rows that this viewer may see on this page."""
        raise NotImplementedError

    def table_arguments(self) -> dict[str, Any]:
        """Further arguments of the table class."""
        return {}

    def actions(self) -> list[dict[str, Any]]:
        """Buttons of the page: label, url, icon, primary."""
        return []

    def empty(self) -> dict[str, Any]:
        """What to say when there is nothing yet."""
        return {}

    def bulk_url(self) -> str:
        """Where bulk actions are posted to."""
        return ""

    def more_context(self) -> dict[str, Any]:
        """Further context; wins over what the page itself would say."""
        return {}

    def pulse(self) -> Iterable[Any] | None:
        """Values that differ whenever the region would, cheaper than its rows; None: what the rows show is the stamp."""
        return None

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page, its live region, or its rows as CSV; filters that break a rule are named and match nothing.

        A pulse is taken before the rows: what changes in between is seen at the next poll.
        """
        pulse = self.pulse()
        stamp = stamp_of(request.get_full_path(), *pulse) if pulse is not None else ""
        if self.polled and stamp and request.headers.get("If-None-Match") == stamp:
            return HttpResponse(status=204)
        filterset = self.filterset(request.GET)
        refused = filterset is not None and not filterset.is_valid()
        rows = self.get_queryset() if filterset is None else filterset.qs
        rows = rows.none() if refused else rows
        if request.GET.get("format") == "csv" and not refused:
            return self.export(rows)
        table, context = self.paged(rows)
        stamp = stamp or stamp_of(*self.shown(table), context.get("total_label", ""))
        query = request.GET.copy()
        query["format"] = "csv"
        context |= {
            "table": table,
            "filter": filterset,
            "actions": self.actions(),
            "empty": self.empty(),
            "bulk_actions": self.bulk_actions,
            "bulk_url": with_query(self.bulk_url(), request.GET) if self.bulk_actions else "",
            "csv_url": f"?{query.urlencode()}",
        }
        context = self.context(**context | self.more_context())
        return self.show(context, status=400 if refused else 200, stamp=stamp)

    def filterset(self, data: QueryDict) -> Any:
        """The filters bound to the address, or None."""
        if self.filterset_class is None:
            return None
        return self.filterset_class(data, queryset=self.get_queryset(), request=self.request)

    def make_table(self, rows: Any) -> PageTable:
        """The table, sorted as the address says. Given the request when it is made, it would page itself, unclamped."""
        table = self.table_class(rows, **self.table_arguments())
        RequestConfig(self.request, paginate=False).configure(table)
        if isinstance(table.data.data, QuerySet):
            # Equal values must not change places between two pages.
            table.data.data = table.data.data.order_by(*table.data.data.query.order_by, "pk")
        return table

    def paged(self, rows: QuerySet[Any]) -> tuple[PageTable, dict[str, Any]]:
        """The table cut to one page, size and number clamped, and what the pager reads."""
        table = self.make_table(rows)
        paginator = CappedPaginator(table.rows, self.page_size())
        table.paginator = paginator
        table.page = paginator.get_page(self.request.GET.get("page"))
        return table, {"total_label": paginator.label}

    def page_size(self) -> int:
        """Rows a page: one of the sizes on offer."""
        size = whole(self.request.GET.get("per_page"), 0)
        return size if size in self.page_sizes else self.page_sizes[0]

    def shown(self, table: PageTable) -> Iterable[Any]:
        """Everything that the region shows, for the version stamp."""
        for row in table.paginated_rows:
            yield from (row.record.pk, *(cell for _column, cell in row.items()))

    def export(self, rows: QuerySet[Any]) -> HttpResponseBase:
        """All matching rows, sorted as shown, in pieces."""
        table = self.make_table(rows)

        def lines() -> Iterable[list[Any]]:
            found = table.data.data.iterator(chunk_size=EXPORT_CHUNK)
            while chunk := list(islice(found, EXPORT_CHUNK)):
                yield from self.table_class(chunk, order_by=(), **self.table_arguments()).export()

        return csv_response(str(self.get_title()), table.header(), lines())

    def chosen(self, posted: QueryDict) -> QuerySet[Any]:
        """Rows of a bulk action: the ticked ones, or all that match the filters of the address.

        Raises InvalidInput when the filters break a rule: then "all matching" would mean more than was seen.
        """
        if posted.get("all_matching") == "1":
            filterset = self.filterset(self.request.GET)
            if filterset is None:
                return self.get_queryset()
            if not filterset.is_valid():
                raise InvalidInput("filter", _("The filters are not valid, so nothing was changed."))
            rows: QuerySet[Any] = filterset.qs
            return rows
        keys = [whole(key, 0) for key in posted.getlist("selection")[:COUNT_LIMIT]]
        return self.get_queryset().filter(pk__in=keys)


class KeysetListPage(ListPage):
    """A list of a big set: newest first, "40–60 of many", < and > by key, no count and no sorting (domain C43)."""

    page_sizes = (20, 50, 100, 250)

    def paged(self, rows: QuerySet[Any]) -> tuple[PageTable, dict[str, Any]]:
        """Fetch one row more than a page to know whether there is a further one."""
        size, start = self.page_size(), whole(self.request.GET.get("from"), 0)
        before, after = whole(self.request.GET.get("before"), 0), whole(self.request.GET.get("after"), 0)
        if after:
            found = list(rows.filter(pk__gt=after).order_by("pk")[: size + 1])
            newer, older = len(found) > size, True
            page, start = found[:size][::-1], start if newer else 0
        else:
            found = list((rows.filter(pk__lt=before) if before else rows).order_by("-pk")[: size + 1])
            newer, older, page = bool(before), len(found) > size, found[:size]
        pager = {
            "start": start + 1 if page else 0,
            "end": start + len(page),
            "total": _("many") if newer or older else len(page),
            "previous_url": self.turn(after=page[0].pk, start=max(start - size, 0)) if newer and page else "",
            "next_url": self.turn(before=page[-1].pk, start=start + size) if older and page else "",
            "sizes": [{"size": s, "url": self.turn(size=s), "active": s == size} for s in self.page_sizes],
        }
        table = self.table_class(page, orderable=False, **self.table_arguments())
        return table, {"total_label": pager["total"], "pager": pager}

    def make_table(self, rows: Any) -> PageTable:
        """For exports: the same order as on the page."""
        return self.table_class(rows.order_by("-pk"), orderable=False, **self.table_arguments())

    def turn(self, *, before: int = 0, after: int = 0, start: int = 0, size: int = 0) -> str:
        """The address of another page with the same filters."""
        query = self.request.GET.copy()
        for name, value in (("before", before), ("after", after), ("from", start)):
            query.pop(name, None)
            if value:
                query[name] = str(value)
        if size:
            query["per_page"] = str(size)
        return f"?{query.urlencode()}"


def with_query(url: str, query: QueryDict) -> str:
    """``url`` with the filters of the address."""
    return f"{url}?{query.urlencode()}" if query else url


class FormPage(Page):
    """Create or edit through a service: InvalidInput stands at its field (422), Conflict above the form (409).

    What was typed stays in both cases; nothing is stored.
    """

    form_class: ClassVar[type[forms.Form]]
    template_name = "core/form.html"
    cancel_url = ""

    def form_arguments(self) -> dict[str, Any]:
        """Further arguments of the form class, with ``initial``."""
        return {}

    def save(self, form: Any) -> HttpResponseBase:
        """Call the service and say where to go."""
        raise NotImplementedError

    def more_context(self, form: Any) -> dict[str, Any]:
        """Further context."""
        return {}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The form."""
        return self.show_form(self.form_class(**self.form_arguments()))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Save, or show the form again with what was wrong."""
        form = self.form_class(request.POST, **self.form_arguments())
        if not form.is_valid():
            return self.show_form(form, status=422)
        try:
            return self.save(form)
        except InvalidInput as error:
            name = getattr(form, "aliases", {}).get(error.field, error.field)
            form.add_error(name if name in form.fields else None, error.message)
            return self.show_form(form, status=422)
        except Conflict as error:
            form.add_error(None, error.message)
        except IntegrityError:
            # The rules were met a moment ago; somebody stored the same name in between.
            form.add_error(None, _("Somebody else stored the same in the meantime. Reload and try again."))
        return self.show_form(form, status=409)

    def show_form(self, form: forms.Form, status: int = 200) -> HttpResponseBase:
        """Render the form."""
        return self.show(self.context(form=form, cancel_url=self.cancel_url, **self.more_context(form)), status=status)


class ConfirmPage(Page):
    """A destructive change: a page that states object, count and consequence, and the change itself by POST."""

    template_name = "core/confirm.html"
    confirm_label: Text = ""
    danger = True
    cancel_url = ""

    def message(self) -> Text:
        """Object, count and consequence."""
        raise NotImplementedError

    def type_name(self) -> str:
        """The name that must be typed, or empty."""
        return ""

    def act(self) -> Text:
        """Call the service; return the sentence that says it is done."""
        raise NotImplementedError

    def done_url(self) -> str:
        """Where to go afterwards."""
        return self.cancel_url

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The question."""
        return self.ask()

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Act, unless the typed name differs (422) or the object is in use or gone (409)."""
        name = self.type_name()
        if name and request.POST.get("confirm_name", "").strip() != name.strip():
            return self.ask(_("The typed name is not the name of the object. Nothing was changed."), status=422)
        try:
            messages.success(request, str(self.act()))
        except Conflict as error:
            return self.ask(error.message, status=409)
        return HttpResponseRedirect(self.done_url())

    def ask(self, problem: str = "", status: int = 200) -> HttpResponseBase:
        """Render the question, with what was wrong."""
        context = self.context(
            message=self.message(),
            cancel_url=self.cancel_url,
            confirm_label=self.confirm_label,
            danger=self.danger,
            type_name=self.type_name(),
            problem=problem,
        )
        return self.show(context, status=status)


class ActionPage(View):
    """A change that needs no form and no question: POST only; a refusal is shown where one came from."""

    http_method_names = ["post"]

    def act(self) -> str:
        """Call the service; return the address to go to."""
        raise NotImplementedError

    def refused_url(self) -> str:
        """Where to show a refusal."""
        raise NotImplementedError

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Act and go on."""
        try:
            return HttpResponseRedirect(self.act())
        except Conflict as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(self.refused_url())
