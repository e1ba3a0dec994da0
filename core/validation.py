"""Checking a model before it is stored."""

from collections.abc import Collection
from typing import TypeVar

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import Model

from core.errors import InvalidInput

AnyModel = TypeVar("AnyModel", bound=Model)


def cleaned(model: AnyModel, *, clash_field: str, exclude: Collection[str] = ()) -> AnyModel:
    """Return ``model`` after its ``full_clean``; raise InvalidInput with the first field that breaks a rule.

    ``clash_field`` stands for constraints over several fields; ``exclude`` are fields that are not checked.
    """
    try:
        model.full_clean(exclude=exclude)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise InvalidInput(clash_field if field == NON_FIELD_ERRORS else field, messages[0]) from error
    return model
