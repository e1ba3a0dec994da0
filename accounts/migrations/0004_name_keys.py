"""User names that look alike get the same key: width and the way a letter is put together no longer count.

Where two people of a tenant would now share a key, the one who is met later keeps the old one: an administrator has to
rename him before he can sign in again.
"""

import unicodedata

from django.db import migrations


def folded(text):
    """As the product folds names at the time of this migration."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.strip()).casefold())


def fold(apps, schema_editor):
    """Keys of ASCII names stay as they are and are not read."""
    User = apps.get_model("accounts", "User")
    people = User.objects.filter(username_key__regex=r"[^\x01-\x7f]").order_by("created_at", "pk")
    for pk, tenant_id, username, old in people.values_list("pk", "tenant_id", "username", "username_key").iterator():
        key = folded(username)
        taken = User.objects.filter(tenant_id=tenant_id, username_key=key).exists()
        if key != old and len(key) <= 300 and not taken:
            User.objects.filter(pk=pk).update(username_key=key)


class Migration(migrations.Migration):

    dependencies = [("accounts", "0003_sign_in")]

    operations = [migrations.RunPython(fold, migrations.RunPython.noop, elidable=True)]
