"""Our references: under them uploads are known at providers, also when the answer to an upload was lost (security R7, R9)."""

import uuid

from jobs.verdicts import Claimed

PREFIX = "parlance"


def new_reference(record: Claimed, mark: str) -> str:
    """One that nobody has, with ``mark`` of the session that uploads under it."""
    marked = [mark] if mark else []
    return "-".join([PREFIX, str(record.id), str(record.generation), *marked, uuid.uuid4().hex[:12]])


def mark_in(reference: str) -> str:
    """The mark that a reference was made with; empty where it has none."""
    parts = reference.split("-")
    return parts[3] if len(parts) == 5 and parts[0] == PREFIX else ""
