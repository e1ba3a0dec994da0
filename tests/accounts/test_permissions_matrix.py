"""Which role may open which page; a page without a row here fails."""

import pytest

from accounts.permissions import DefaultRole
from core.policy import PUBLIC
from tests.architecture.test_structure import routes

pytestmark = pytest.mark.django_db
ADMIN = "administration/"
ROLES = {
    "agent": "agent",
    "supervisor": "supervisor",
    "tenant_admin": "tenant_admin",
    "platform_admin": "platform_admin",
}


def allowed_roles(view) -> set[str]:
    from accounts.permissions import ROLE_PERMISSIONS

    return {role for role in DefaultRole if not view.policy or set(view.policy) & ROLE_PERMISSIONS[role]}


def test_administration_is_the_platform_admins_alone_and_conversations_are_for_everybody():
    for path, view in routes():
        if view.policy == PUBLIC:
            continue
        roles = allowed_roles(view)
        if path.startswith(ADMIN):
            assert roles == {DefaultRole.PLATFORM_ADMIN}, path
        else:
            assert DefaultRole.TENANT_ADMIN in roles, path


@pytest.mark.parametrize("who", ROLES)
def test_each_role_meets_exactly_the_pages_its_permissions_name(client_for, people, who):
    person = getattr(people, who)
    client = client_for(person)
    for path, view in routes():
        if view.policy == PUBLIC or "<" in path:
            continue
        status = client.get(f"/{path}").status_code
        expected_refusal = person.role.key not in allowed_roles(view)
        assert (status == 403) == expected_refusal, (path, status)
        assert status < 500, path
