"""Every route declares its policy; this is the mark of routes that need no sign-in (accounts.policy has the rest)."""

from collections.abc import Callable
from typing import Any

PUBLIC = "public"


def public(view: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a view as open to anybody."""
    view.policy = PUBLIC  # type: ignore[attr-defined]
    return view
