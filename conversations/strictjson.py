"""JSON without surprises: no duplicate keys, no NaN, no endless numbers, no half characters (hostile 3A9)."""

import json
from typing import Any

from django.utils.translation import gettext as _


class NotStrict(ValueError):
    """The text is not the JSON that we take; the message is for people."""


def loads(content: bytes) -> Any:
    """Parse UTF-8 JSON. Raises NotStrict."""
    try:
        return json.loads(
            content.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_refuse, parse_int=_integer
        )
    except UnicodeDecodeError:
        raise NotStrict(_("The file is not UTF-8 text.")) from None
    except json.JSONDecodeError as error:
        raise NotStrict(_("The file is not valid JSON (line %(line)d).") % {"line": error.lineno}) from None
    except RecursionError:
        raise NotStrict(_("The JSON is nested too deeply.")) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise NotStrict(_("A field is given twice."))
    return values


def _refuse(constant: str) -> Any:
    raise NotStrict(_("%(constant)s is not a number in JSON.") % {"constant": constant})


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise NotStrict(_("A number is too large."))
    return int(digits)
