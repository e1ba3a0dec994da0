"""A mail server that refuses one customer."""

import smtplib

from django.core.mail.backends.locmem import EmailBackend


class RefusesAcme(EmailBackend):
    """Refuses what goes to acme; takes the rest."""

    def send_messages(self, messages):
        """One message at a time, as the product sends them."""
        if any("acme" in address for message in messages for address in message.to):
            raise smtplib.SMTPRecipientsRefused({})
        return super().send_messages(messages)
