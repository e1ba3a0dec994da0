"""A thousand random tampers of the chains, as a superuser who knows how digests are made: every one is found (A3)."""

import json
import random
import uuid
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.canonical import GENESIS
from audit.checkpoints import read_points, write_checkpoint
from audit.models import AuditEntry, SigningKey
from audit.services import digest_of
from audit.verification import Kind, verify_chains
from tests.audit.conftest import grow, say

pytestmark = pytest.mark.django_db
TAMPERS = 1000
COLUMNS = {
    "at": lambda row: row.at + timedelta(microseconds=1),
    "actor": lambda row: row.actor + "x",
    "actor_tenant_id": lambda row: uuid.uuid4(),
    "action": lambda row: row.action[:-1],
    "target_type": lambda row: row.target_type.upper() + "!",
    "target_id": lambda row: row.target_id + "0",
    "details": lambda row: {**row.details, "added": 1},
    "before": lambda row: {"limit": -1},
    "after": lambda row: None if row.after else {"limit": -1},
    "reason": lambda row: row.reason + ".",
    "ip": lambda row: "203.0.113.9",
    "request_id": lambda row: "req_forged_request",
    "form": lambda row: 1,
    "previous_digest": lambda row: "f" * 64,
    "digest": lambda row: "e" * 64,
    "position": lambda row: row.position + 1_000_000,
    "tenant_id": lambda row: uuid.uuid4(),
}


def row_of(chain, position):
    return AuditEntry.objects.get(tenant_id=chain, position=position)


def change(row, **values):
    AuditEntry.objects.filter(pk=row.pk).update(**values)


def swap(one, other, *names):
    """Exchange the values of two rows; the position goes by way of a free one."""
    left, right = {n: getattr(one, n) for n in names}, {n: getattr(other, n) for n in names}
    if "position" in names or "tenant_id" in names:
        change(one, position=-one.position)
    change(other, **left)
    change(one, **right)


def rehash_from(chain, position):
    """What a clever superuser does: make every digest fit again."""
    rows = AuditEntry.objects.filter(tenant_id=chain, position__gte=position - 1).order_by("position")
    previous = GENESIS
    for row in rows:
        if row.position >= position:
            row.previous_digest = previous
            row.digest = digest_of(row)
            change(row, previous_digest=row.previous_digest, digest=row.digest)
        previous = row.digest


def edit(dice, chain, other, last):
    row, column = row_of(chain, dice.randint(1, last)), dice.choice(sorted(COLUMNS))
    change(row, **{column: COLUMNS[column](row)})


def delete(dice, chain, other, last):
    row_of(chain, dice.randint(1, last)).delete()


def delete_and_close_the_gap(dice, chain, other, last):
    position = dice.randint(1, last - 1)
    row_of(chain, position).delete()
    for row in AuditEntry.objects.filter(tenant_id=chain, position__gt=position).order_by("position"):
        change(row, position=row.position - 1)


def reorder(dice, chain, other, last):
    one, two = dice.sample(range(1, last + 1), 2)
    names = dice.choice([("position",), ("position", "previous_digest"), ("position", "previous_digest", "digest")])
    swap(row_of(chain, one), row_of(chain, two), *names)


def swap_chains(dice, chain, other, last):
    position = dice.randint(1, last)
    swap(row_of(chain, position), row_of(other, position), "tenant_id", "position")


def cut_the_tail(dice, chain, other, last):
    AuditEntry.objects.filter(tenant_id=chain, position__gt=dice.randint(0, last - 1)).delete()


def edit_and_rehash(dice, chain, other, last):
    position = dice.randint(1, last)
    column = dice.choice(["actor", "action", "details", "reason", "ip", "target_id"])
    row = row_of(chain, position)
    change(row, **{column: COLUMNS[column](row)})
    rehash_from(chain, position)


def insert_and_rehash(dice, chain, other, last):
    position = dice.randint(1, last)
    for row in AuditEntry.objects.filter(tenant_id=chain, position__gte=position).order_by("-position"):
        change(row, position=row.position + 1)
    new = row_of(chain, position + 1)
    new.pk, new.position, new.actor = None, position, "nobody"
    new.save(force_insert=True)
    rehash_from(chain, position)


def empty(dice, chain, other, last):
    AuditEntry.objects.filter(tenant_id=chain).delete()


HANDS = [
    edit,
    delete,
    delete_and_close_the_gap,
    reorder,
    swap_chains,
    cut_the_tail,
    edit_and_rehash,
    insert_and_rehash,
    empty,
]


def test_a_thousand_random_tampers_are_all_found(acme, globex, tampering, checkpoint_file):
    chain, other = uuid.uuid4(), uuid.uuid4()
    for tenant in (acme, globex):
        tenant.pk = chain if tenant is acme else other
        grow(tenant, 12)
    write_checkpoint(checkpoint_file)
    clean = verify_chains(checkpoint=checkpoint_file)
    assert clean.findings == []
    dice, missed, done = random.Random(20261121), [], dict.fromkeys((hand.__name__ for hand in HANDS), 0)
    for number in range(TAMPERS):
        hand = dice.choice(HANDS)
        with tampering():
            hand(dice, chain, other, 12)
            done[hand.__name__] += 1
            if not _found(checkpoint_file, chain, other):
                missed.append((number, hand.__name__))
    assert missed == []
    assert sum(done.values()) == TAMPERS
    assert min(done.values()) > TAMPERS / len(HANDS) / 2
    assert verify_chains(checkpoint=checkpoint_file).findings == []


def _found(path, *chains) -> bool:
    return any(verify_chains(checkpoint=path, tenant_id=chain).findings for chain in chains)


def test_the_finding_names_the_first_wrong_position_and_what_was_done(acme, tampering, checkpoint_file):
    start = AuditEntry.objects.filter(tenant_id=acme.pk).count()
    grow(acme, 6)
    write_checkpoint(checkpoint_file)
    position, end = start + 3, start + 6

    def only_finding():
        (finding,) = verify_chains(checkpoint=checkpoint_file).findings
        assert finding.tenant_id == acme.pk
        return finding.kind, finding.position

    with tampering():
        change(row_of(acme.pk, position), actor="x")
        assert only_finding() == (Kind.EDITED, position)
    with tampering():
        row_of(acme.pk, position).delete()
        assert only_finding() == (Kind.MISSING, position)
    with tampering():
        swap(row_of(acme.pk, position), row_of(acme.pk, end), "position")
        assert only_finding() == (Kind.REORDERED, position)
    with tampering():
        change(row_of(acme.pk, position), actor="x")
        rehash_from(acme.pk, position)
        assert only_finding() == (Kind.REWRITTEN, end)
    with tampering():
        row_of(acme.pk, end).delete()
        assert only_finding() == (Kind.CUT, end)
    with tampering():
        row = row_of(acme.pk, position)
        change(row, id=AuditEntry.objects.order_by("pk").last().pk + 100)
        assert only_finding() == (Kind.REORDERED, position + 1)


def test_only_chains_that_grew_are_named_again_and_lines_are_linked(acme, globex, checkpoint_file):
    grow(acme, 2)
    write_checkpoint(checkpoint_file)
    AuditEntry.objects.count()
    write_checkpoint(checkpoint_file)
    lines = [json.loads(line) for line in checkpoint_file.read_text().splitlines()]
    assert len(lines) == 2
    assert str(acme.pk) in {tenant for tenant, _position, _digest in lines[0]["chains"]}
    points = read_points(checkpoint_file)
    assert points.problems == []
    assert points.of_chain[acme.pk][-1][1] == AuditEntry.objects.filter(tenant_id=acme.pk).order_by("pk").last().digest


def test_a_forged_or_missing_checkpoint_line_is_found(acme, checkpoint_file):
    for _number in range(3):
        say(acme)
        write_checkpoint(checkpoint_file)
    lines = checkpoint_file.read_text().splitlines(keepends=True)

    def findings(text: str) -> list[str]:
        checkpoint_file.write_text(text)
        report = verify_chains(checkpoint=checkpoint_file, tenant_id=acme.pk)
        return [f.text for f in report.findings if f.kind is Kind.CHECKPOINT]

    assert findings("".join(lines)) == []
    assert findings(lines[0] + lines[2]) == ["line 2: lines before it are missing or were changed"]
    forged = json.loads(lines[1])
    forged["chains"] = []
    assert "line 2: its signature is not ours" in findings(lines[0] + json.dumps(forged) + "\n" + lines[2])
    assert "line 2: unreadable" in findings(lines[0] + "nonsense\n" + lines[2])
    assert "line 1: unreadable" in findings("[1]\n")


def test_a_key_that_somebody_put_into_the_database_signs_nothing_we_accept(acme, checkpoint_file):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from audit.checkpoints import _signable
    from audit.signing import sign, verify

    signed = sign(b"data")
    assert verify(signed.key_id, b"data", signed.signature_b64)
    assert not verify(signed.key_id, b"other", signed.signature_b64)
    assert not verify(signed.key_id, b"data", "no base64")
    assert not verify("unknown", b"data", signed.signature_b64)
    own = Ed25519PrivateKey.generate()
    ours = SigningKey.objects.get(pk=signed.key_id)
    SigningKey.objects.create(
        pk="mine", public_key=own.public_key().public_bytes_raw(), wrapped_private_key=ours.wrapped_private_key
    )
    body = {"chains": [], "previous": GENESIS, "time": timezone.now().isoformat(), "key": "mine"}
    import base64

    body["signature"] = base64.b64encode(own.sign(_signable(body))).decode()
    checkpoint_file.write_text(json.dumps(body) + "\n")
    report = verify_chains(checkpoint=checkpoint_file, tenant_id=acme.pk)
    assert [f.text for f in report.findings if f.kind is Kind.CHECKPOINT] == ["line 1: its signature is not ours"]


def test_the_public_key_alone_checks_a_signature(db):
    import base64

    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    from audit.signing import public_key_pem, sign

    signed = sign(b"statement")
    load_pem_public_key(public_key_pem().encode()).verify(base64.b64decode(signed.signature_b64), b"statement")


def test_checkpoints_that_are_not_written_alarm(acme, checkpoint_file, tampering, caplog, settings):
    from audit.tasks import checkpoint

    say(acme)
    assert verify_chains(checkpoint=checkpoint_file, tenant_id=acme.pk).findings == []
    with tampering():
        AuditEntry.objects.filter(tenant_id=acme.pk).update(at=timezone.now() - timedelta(minutes=20))
        rehash_from(acme.pk, 1)
        (finding,) = verify_chains(checkpoint=checkpoint_file, tenant_id=acme.pk).findings
        assert finding.kind is Kind.CHECKPOINT
    settings.AUDIT_CHECKPOINT_FILE = str(checkpoint_file / "no" / "such" / "directory")
    checkpoint()
    assert "cannot be written" in caplog.text


def test_the_command_ends_with_one_when_anything_is_wrong(acme, tampering, checkpoint_file, capsys):
    grow(acme, 3)
    call_command("audit", "checkpoint", stdout=StringIO())
    out = StringIO()
    call_command("audit", "verify", stdout=out)
    call_command("audit", "verify", "--tenant", "acme", stdout=out)
    assert "all is as it was written" in out.getvalue()
    with tampering():
        change(AuditEntry.objects.filter(tenant_id=acme.pk).order_by("pk").last(), actor="x")
        for arguments in (["--tenant", "acme"], [], ["--checkpoint", str(checkpoint_file)]):
            err = StringIO()
            with pytest.raises(SystemExit) as ended:
                call_command("audit", "verify", *arguments, stderr=err)
            assert ended.value.code == 1
            assert f"EDITED: chain {acme.pk}" in err.getvalue()
    for arguments in (["--tenant", "nowhere"], ["--checkpoint", "/nowhere"]):
        with pytest.raises(CommandError, match=arguments[0]):
            call_command("audit", "verify", *arguments)
    out = StringIO()
    call_command("audit", "public-key", stdout=out)
    assert "BEGIN PUBLIC KEY" in out.getvalue()
