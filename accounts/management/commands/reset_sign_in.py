"""``reset_sign_in``: let somebody in again who lost the password or the second factor."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.factors.services import reset
from accounts.passwords import new_password, set_by_admin
from accounts.signin.services import claim

ACTOR = "system:reset_sign_in"


class Command(BaseCommand):
    """For the last administrator above all; audited like the pages that do the same."""

    help = "Remove the second factors of a user, or give him a new password that he must change."

    def add_arguments(self, parser: CommandParser) -> None:
        """Who, and what."""
        parser.add_argument("organisation")
        parser.add_argument("username")
        parser.add_argument("--second-factor", action="store_true", help="remove second factors and recovery codes")
        parser.add_argument("--password", action="store_true", help="make a password and show it once")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what was asked; raises CommandError for an unknown user or when nothing was asked."""
        user = claim(organisation=options["organisation"], username=options["username"]).user
        if user is None:
            raise CommandError("There is no such user.")
        if not options["second_factor"] and not options["password"]:
            raise CommandError("Say --second-factor, --password or both.")
        if options["second_factor"]:
            count = reset(user=user, actor=ACTOR)
            self.stdout.write(f"Second factors removed: {count}")
        if options["password"]:
            password = new_password()
            set_by_admin(user=user, password=password, actor=ACTOR)
            self.stdout.write(f"New password of “{user.username}”, to be changed at the next sign-in: {password}")
