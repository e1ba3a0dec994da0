"""Who uses which custom field: higher apps say so by functions that they name in the settings.

``CUSTOM_FIELD_USES`` maps a name to the dotted path of a function from ids of fields to the uses of each, for example
the jobs that filter by it or the tasks that write it. A field in use is not deleted, and its key stays.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings
from django.utils.functional import Promise
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Use:
    """One object that uses a field: what it is, its name, and its page (empty: none)."""

    kind: str | Promise
    name: str
    url: str = ""

    def __str__(self) -> str:
        return f"{self.kind} “{self.name}”"


class Reporter(Protocol):
    """What ``CUSTOM_FIELD_USES`` names; a fixed number of queries, whatever the number of fields."""

    def __call__(self, field_ids: Collection[int]) -> Mapping[int, list[Use]]:
        """The uses of those of the fields that have any."""
        ...


def uses_of(field_ids: Collection[int]) -> dict[int, list[Use]]:
    """All uses by field; a field without one has an empty list."""
    found: dict[int, list[Use]] = {pk: [] for pk in field_ids}
    for path in settings.CUSTOM_FIELD_USES.values() if found else ():
        reporter: Reporter = import_string(path)
        for pk, uses in reporter(field_ids).items():
            found[pk] += uses
    return found
