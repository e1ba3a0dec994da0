"""What becomes of a meeting whose conversation is deleted; the tables below know nothing of it."""

from typing import Any

from django.db.models import Field
from django.db.models.deletion import Collector
from django.db.models.functions import Now


def set_null_and_moment(collector: Collector, field: "Field[Any, Any]", sub_objs: Any, using: str) -> None:
    """``on_delete`` of a meeting's call: as SET_NULL, and the meeting keeps when that was (5.1: a change of status)."""
    moment: Any = field.model._meta.get_field("call_deleted_at")
    # In this order: behind the other one the meetings could not be found by their call.
    collector.add_field_update(moment, Now(), sub_objs)
    collector.add_field_update(field, None, sub_objs)


# The collector leaves the meetings unloaded and changes them by one statement each.
set_null_and_moment.lazy_sub_objs = True  # type: ignore[attr-defined]
