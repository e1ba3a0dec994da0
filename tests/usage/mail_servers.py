"""Mail servers of every temper."""

import smtplib

from django.core.mail.backends.locmem import EmailBackend

from licensing.alerts import send_mails
from licensing.models import Meter

opened: list[str] = []


class RefusesAcme(EmailBackend):
    """Refuses what goes to acme; takes the rest."""

    def send_messages(self, messages):
        """One message at a time, as the product sends them."""
        if any("acme" in address for message in messages for address in message.to):
            raise smtplib.SMTPRecipientsRefused({})
        return super().send_messages(messages)


class RunsAgain(EmailBackend):
    """Another run begins while this one waits for the server."""

    def send_messages(self, messages):
        """The other one finds nothing to send."""
        assert send_mails(Meter.TRANSCRIPTION_SECONDS) == 0
        return super().send_messages(messages)


class Counts(EmailBackend):
    """Writes down that it was opened, as the real one does when it has no connection."""

    connected = False

    def open(self):
        """Once for a run."""
        if not self.connected:
            self.connected = True
            opened.append("up")

    def send_messages(self, messages):
        """Over the connection."""
        self.open()
        return super().send_messages(messages)


class Down(EmailBackend):
    """Cannot be reached."""

    def open(self):
        """Refused."""
        opened.append("down")
        raise ConnectionRefusedError

    def send_messages(self, messages):
        """Never reached."""
        self.open()
