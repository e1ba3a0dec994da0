"""Who holds which licence."""

import uuid
from collections.abc import Iterable

from licensing.models import Bundle, UserLicence


def licensed_users(user_ids: Iterable[uuid.UUID], bundle: Bundle) -> set[uuid.UUID]:
    """Those of ``user_ids`` that hold ``bundle``: one query for a whole batch."""
    return set(UserLicence.objects.filter(user_id__in=user_ids, bundle=bundle).values_list("user_id", flat=True))
