"""Pairing with a second installation: address and key, the confirmed fingerprint, Test connection, unpairing."""

import time
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.services import append
from core.errors import Conflict, InvalidInput
from core.moves import move
from core.names import demand_name
from core.outbound import AddressRefused, check_url
from core.signed_http import KeyMalformed, fingerprint, read_key
from queues.replication import peer
from queues.replication.identity import installation
from queues.replication.models import Installation, Outgoing, Pairing
from queues.replication.outbox import record_all
from tenants.models import Tenant
from tenants.selectors import outbound_policy

CHANGED = gettext_lazy("Somebody else changed the pairing in the meantime. Reload the page.")


def save_pairing(
    *, version: int, own_name: str, address: str, public_key: str, actor: str, audit_tenant: Tenant
) -> Pairing:
    """Store our name, and the other side's address and key; another key has to be confirmed anew.

    ``version`` is what the person saw, 0 when there was no pairing. Raises InvalidInput naming field and rule, Conflict
    when somebody else was quicker. The name of the address is looked up, so call it outside a transaction.
    """
    name = own_name.strip()
    if not name:
        raise InvalidInput("own_name", _("Enter a name."))
    demand_name("own_name", name)
    return _store(version, name[:80], _address(address), _key(public_key), actor, audit_tenant)


def _address(text: str) -> str:
    policy = outbound_policy()
    try:
        checked = check_url(text.strip(), policy, field="address")
    except AddressRefused as error:
        raise InvalidInput("address", error.message) from error
    if checked.scheme != "https" and not policy.lists_port(checked.port):
        raise InvalidInput("address", _("The address must start with https://, unless it is a listed inside address."))
    if "?" in checked.url:
        raise InvalidInput("address", _("The address must not hold a question mark."))
    return checked.url


def _key(text: str) -> bytes:
    try:
        key = read_key(text)
    except KeyMalformed:
        raise InvalidInput(
            "public_key", _("This is no public key of an installation: one line that begins with ed25519:")
        ) from None
    if key == bytes(installation().public_key):
        raise InvalidInput("public_key", _("This is the key of this installation. Paste the key of the other one."))
    return key


@transaction.atomic
def _store(version: int, name: str, address: str, key: bytes, actor: str, audit_tenant: Tenant) -> Pairing:
    own = installation()
    Installation.objects.filter(pk=own.pk).update(name=name)
    pairing = Pairing.objects.select_for_update().first()
    if (pairing.version if pairing else 0) != version:
        raise Conflict(str(CHANGED))
    if pairing is None:
        pairing = Pairing(address=address, public_key=key)
    else:
        pairing.version += 1
        if bytes(pairing.public_key) != key:
            pairing.confirmed_at, pairing.confirmed_by, pairing.name, pairing.seen_at = None, "", "", None
    pairing.address, pairing.public_key = address, key
    pairing.failures, pairing.next_at, pairing.last_error = 0, None, ""
    pairing.tested_at, pairing.test_steps = None, []
    pairing.save()
    _audit(pairing, "pairing.changed", actor, audit_tenant, name=name)
    return pairing


@transaction.atomic
def confirm(*, pairing: Pairing, actor: str, audit_tenant: Tenant) -> int:
    """Trust the key whose fingerprint somebody compared; return how many queues are to be sent now.

    Raises Conflict when it is confirmed already, or was changed since it was shown.
    """
    move(
        Pairing.objects.filter(pk=pairing.pk, version=pairing.version, confirmed_at=None),
        conflict=_("The fingerprint is confirmed already, or the key was changed. Reload the page."),
        confirmed_at=timezone.now(),
        confirmed_by=actor[:200],
        version=F("version") + 1,
    )
    count = record_all()
    _audit(pairing, "pairing.confirmed", actor, audit_tenant)
    return count


@transaction.atomic
def unpair(*, pairing: Pairing, actor: str, audit_tenant: Tenant) -> None:
    """Forget the pairing server: nothing is sent or taken any more. What was received stays as it is."""
    removed, _by_model = Pairing.objects.filter(pk=pairing.pk).delete()
    if not removed:
        raise Conflict(str(CHANGED))
    _audit(pairing, "pairing.removed", actor, audit_tenant)


@transaction.atomic
def try_now(*, pairing: Pairing, actor: str, audit_tenant: Tenant) -> int:
    """Do not wait for the next try; return how many snapshots are pending."""
    move(
        Pairing.objects.filter(pk=pairing.pk, confirmed_at__isnull=False),
        conflict=_("Confirm the fingerprint first."),
        failures=0,
        next_at=None,
    )
    pending = Outgoing.objects.filter(pending_since__isnull=False).update(next_at=None)
    _audit(pairing, "pairing.retried", actor, audit_tenant)
    return pending


def test_connection(*, pairing: Pairing, actor: str, audit_tenant: Tenant) -> bool:
    """Ask the other side who it is, and keep the steps for the page; return whether all went well.

    Takes up to ten seconds, so call it outside a transaction.
    """
    steps = _test(installation(), pairing)
    passed = all(step["state"] == "done" for step in steps)
    name = next((step["name"] for step in steps if step.get("name")), pairing.name)
    with transaction.atomic():
        now = timezone.now()
        seen: dict[str, Any] = {}
        if passed:
            seen = {"seen_at": now, "name": name, "next_at": None, "failures": 0, "last_error": ""}
        move(
            Pairing.objects.filter(pk=pairing.pk, version=pairing.version),
            conflict=str(CHANGED),
            tested_at=now,
            test_steps=steps,
            **seen,
        )
        _audit(pairing, "pairing.tested", actor, audit_tenant, passed=passed)
    return passed


def _test(own: Installation, pairing: Pairing) -> list[dict[str, Any]]:
    """The steps with their state, milliseconds, and code of what went wrong; the words are made when they are shown."""
    steps: list[dict[str, Any]] = []
    started = time.monotonic()
    try:
        check_url(pairing.address, outbound_policy(), field="address")
    except AddressRefused:
        return [*steps, _step("address", started, "address"), *map(_skipped, ("answer", "signature"))]
    steps.append(_step("address", started))
    started = time.monotonic()
    try:
        answer = peer.ask(own, pairing, peer.PING, b"{}")
    except peer.PeerFailed as failed:
        if failed.code in {"answer", "clock", "signature", "unsigned"}:
            return [*steps, _step("answer", started), _step("signature", started, failed.code)]
        return [*steps, _step("answer", started, failed.code), _skipped("signature")]
    done = _step("signature", started)
    done["name"] = answer.text("name", 80)
    return [*steps, _step("answer", started), done]


def _step(key: str, started: float, failure: str = "") -> dict[str, Any]:
    milliseconds = round((time.monotonic() - started) * 1000)
    return {"key": key, "state": "failed" if failure else "done", "ms": milliseconds, "failure": failure}


def _skipped(key: str) -> dict[str, Any]:
    return {"key": key, "state": "skipped", "ms": None, "failure": ""}


def _audit(pairing: Pairing, action: str, actor: str, audit_tenant: Tenant, **more: Any) -> None:
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action=action,
        target_type="pairing",
        target_id=str(pairing.pk),
        details={"server_address": pairing.address, "fingerprint": fingerprint(bytes(pairing.public_key)), **more},
    )
