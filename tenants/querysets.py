"""Querysets of tenant models remember the tenant they were made in and refuse to run in another (security M6)."""

from typing import Any

from django.db import connections, models
from django.db.models import sql

from tenants.doors import NobodyEntered, WrongTenant


def _here() -> str:
    return connections["default"].schema_name  # type: ignore[attr-defined, no-any-return]


class TenantQuery(sql.Query):
    """A query bound to the schema in which it was made; every way to run it passes ``get_compiler`` or ``chain``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.made_in = _here()

    def _refuse_elsewhere(self) -> None:
        here = _here()
        if here == "public":
            raise NobodyEntered("Tenant data were asked for, but no tenant has been entered.")
        if self.made_in not in {here, "public"}:
            raise WrongTenant("This query was made in another tenant.")

    def get_compiler(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse to compile outside the tenant of origin."""
        self._refuse_elsewhere()
        return super().get_compiler(*args, **kwargs)

    def chain(self, klass: Any = None) -> Any:
        """Changing the class (UPDATE, DELETE, aggregate) happens right before running: the same refusal."""
        if klass is not None:
            self._refuse_elsewhere()
        return super().chain(klass)


class TenantQuerySet(models.QuerySet[Any]):
    """The queryset class of every model in a tenant's schema."""

    def __init__(self, model: Any = None, query: Any = None, using: Any = None, hints: Any = None) -> None:
        super().__init__(model=model, query=query or TenantQuery(model), using=using, hints=hints)


TenantManager = models.Manager.from_queryset(TenantQuerySet)
