"""Threads for the tests: raw values, stored threads, e-mails."""

from email.message import EmailMessage
from email.utils import format_datetime

from conversations.models import Call
from conversations.threads.reading import read_thread
from conversations.threads.services import import_thread
from tests.conversations.calls import START

PEOPLE = [
    {"id": "c", "role": "customer", "name": "Rita Lane", "address": "rita@example.com"},
    {"id": "a", "role": "agent", "name": "Alan Agent", "address": "alan@acme.example"},
]


def raw(external_id: str = "chat-1", *texts: str, **fields) -> dict:
    """A chat of customer and agent, a message a minute, as JSON brings it."""
    messages = [
        {"id": f"m{number}", "sender": "ca"[number % 2], "offset_s": 60 * number, "text": text}
        for number, text in enumerate(texts or ("my parcel is late", "I am sorry, I look for it"))
    ]
    values = {
        "external_id": external_id,
        "channel": "chat",
        "started_at": START.isoformat(),
        "participants": PEOPLE,
        "messages": messages,
    }
    return values | fields


def take(tenant, *args, **fields):
    """Import ``raw`` by the service; what was done."""
    return import_thread(tenant=tenant, thread=read_thread(raw(*args, **fields)), actor="test", source="test")


def stored_thread(tenant, *args, **fields) -> Call:
    """A stored thread's conversation."""
    return Call.objects.get(pk=take(tenant, *args, **fields).call_id)


def letter(sender: str, text: str, *, number: int, subject: str = "Parcel", answers: str = "", **heads: str) -> bytes:
    """One e-mail with the id ``<mNUMBER@x>``, so many minutes after START."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, heads.pop("to", "help@acme.example"), subject
    mail["Date"] = format_datetime(START.replace(minute=number))
    mail["Message-ID"] = f"<m{number}@x>"
    if answers:
        mail["References"] = mail["In-Reply-To"] = answers
    for name, value in heads.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes()


def mbox(*letters: bytes) -> bytes:
    """The letters as an mbox file."""
    quoted = (item.replace(b"\nFrom ", b"\n>From ") for item in letters)
    return b"".join(b"From somebody Fri Nov 20 09:30:00 2026\n" + item + b"\n\n" for item in quoted)
