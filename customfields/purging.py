"""What stays of a deleted tenant in public: its definitions, which go with it."""

import uuid

from customfields.models import CustomField


def purge_fields(tenant_id: uuid.UUID) -> int:
    """Delete them; return how many there were."""
    number, _by_model = CustomField.objects.filter(tenant_id=tenant_id).delete()
    return number
