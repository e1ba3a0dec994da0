"""``create_user SHORTNAME USERNAME``: create a user of a tenant, with licences."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.passwords import new_password
from accounts.permissions import DefaultRole
from accounts.services import create_user
from core.errors import InvalidInput
from licensing.models import Bundle
from licensing.services import grant
from tenants.models import Tenant


class Command(BaseCommand):
    """The password comes from PARLANCE_USER_PASSWORD; without it one is made and shown once."""

    help = "Create a user of a tenant, with licences."

    def add_arguments(self, parser: CommandParser) -> None:
        """Who, in which role, with which licences."""
        parser.add_argument("tenant", metavar="SHORTNAME")
        parser.add_argument("username", metavar="USERNAME")
        parser.add_argument("--role", choices=DefaultRole.values, default=DefaultRole.AGENT)
        parser.add_argument("--full-name", default="")
        parser.add_argument("--group", default="")
        parser.add_argument("--licence", choices=Bundle.values, action="append", default=[])

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        """Create and grant, both or neither."""
        tenant = Tenant.objects.filter(slug=options["tenant"].lower()).first()
        if tenant is None:
            raise CommandError(f"There is no tenant with the short name “{options['tenant']}”.")
        given = os.environ.get("PARLANCE_USER_PASSWORD", "")
        password = given or new_password()
        try:
            user = create_user(
                tenant=tenant,
                username=options["username"],
                password=password,
                role=options["role"],
                full_name=options["full_name"],
                group=options["group"],
                actor="system:command",
            )
        except InvalidInput as error:
            raise CommandError(str(error)) from error
        for bundle in options["licence"]:
            grant(user=user, bundle=Bundle(bundle), actor="system:command")
        shown = "from PARLANCE_USER_PASSWORD" if given else password
        self.stdout.write(f"Created the user “{user.username}” of {tenant.slug}, password: {shown}")
