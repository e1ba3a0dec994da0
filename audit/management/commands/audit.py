"""``audit verify`` proves that the trail is what was written; ``audit checkpoint`` signs how far it reaches now."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.checkpoints import write_checkpoint
from audit.selectors import chain_named
from audit.signing import public_key_pem
from audit.verification import verify_chains


class Command(BaseCommand):
    """Exit code 0 when all is well, 1 when anything was found."""

    help = "Verify the audit trail (verify), sign its state (checkpoint), or print the public key (public-key)."

    def add_arguments(self, parser: CommandParser) -> None:
        """The sub-commands."""
        commands = parser.add_subparsers(dest="action", required=True, parser_class=ArgumentParser)
        verify = commands.add_parser("verify", help="walk the chains and compare them with the checkpoint file")
        verify.add_argument("--tenant", help="short name of one tenant; all chains when absent")
        verify.add_argument("--checkpoint", metavar="FILE", help="another checkpoint file than the one in the settings")
        commands.add_parser("checkpoint", help="append a signed line to the checkpoint file now")
        commands.add_parser("public-key", help="print the public key that checkpoints and statements are signed with")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the chosen sub-command."""
        if options["action"] == "verify":
            self.verify(options)
        elif options["action"] == "checkpoint":
            self.checkpoint()
        else:
            self.stdout.write(public_key_pem().strip())

    def verify(self, options: dict[str, Any]) -> None:
        """Print what was found; leave with 1 if anything was."""
        path = Path(options["checkpoint"] or settings.AUDIT_CHECKPOINT_FILE)
        if options["checkpoint"] and not path.is_file():
            raise CommandError(f"--checkpoint: there is no file {path}.")
        tenant_id = chain_named(options["tenant"]) if options["tenant"] else None
        if options["tenant"] and tenant_id is None:
            raise CommandError(f"--tenant: there is no tenant with the short name “{options['tenant']}”.")
        report = verify_chains(checkpoint=path, tenant_id=tenant_id)
        for finding in report.findings:
            where = f"chain {finding.tenant_id}" if finding.tenant_id else f"checkpoint file {path}"
            self.stderr.write(self.style.ERROR(f"{finding.kind.upper()}: {where}: {finding.text}."))
        summary = f"{report.chains} chains, {report.entries:,} entries, {report.lines:,} checkpoint lines"
        if report.findings:
            self.stderr.write(f"{summary}: {len(report.findings)} findings.")
            sys.exit(1)
        self.stdout.write(self.style.SUCCESS(f"{summary}: all is as it was written."))

    def checkpoint(self) -> None:
        """Write a line; a file that cannot be written is an error."""
        path = Path(settings.AUDIT_CHECKPOINT_FILE)
        try:
            chains = write_checkpoint(path)
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror or error}") from error
        self.stdout.write(f"{path}: {chains} chains.")
