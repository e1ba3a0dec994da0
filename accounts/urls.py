"""Routes of accounts."""

from django.urls import include, path

from accounts.profile import views as profile
from accounts.realms import pages as realm
from accounts.signin import single, tenant_page
from accounts.signin import views as signin
from accounts.user_security import EndRealmSession, EndSessions, ResetSecondFactor
from core.policy import requires

app_name = "accounts"

# Everybody has a profile of his own.
mine = requires()
# The offline-task API of a tenant: whoever decides how people sign in decides this too.
may_edit = requires("sign_in.edit")
REALM = "administration/user-management/tenants/<uuid:pk>/offline-tasks"

urlpatterns = [
    path("sign-in/", signin.sign_in, name="sign_in"),
    path("sign-in/second-factor/", signin.second_factor, name="second_factor"),
    path("sign-in/single-sign-on/", single.start, name="oidc_start"),
    path("sign-in/single-sign-on/callback/", single.callback, name="oidc_callback"),
    path("sign-out/", signin.sign_out, name="sign_out"),
    path("theme/", profile.theme, name="theme"),
    path("profile/", mine(profile.Profile.as_view()), name="profile"),
    path("profile/confirm/", mine(signin.confirm_password), name="confirm"),
    path("profile/password/", mine(profile.Password.as_view()), name="password"),
    path("profile/authenticator/", mine(profile.Authenticator.as_view()), name="authenticator"),
    path("profile/passkeys/add/", mine(profile.PasskeyAdd.as_view()), name="passkey_add"),
    path("profile/second-factors/<int:pk>/remove/", mine(profile.FactorRemove.as_view()), name="factor_remove"),
    path("profile/recovery-codes/", mine(profile.RecoveryCodes.as_view()), name="recovery_codes"),
    path("profile/sessions/<int:pk>/end/", mine(profile.SessionEnd.as_view()), name="session_end"),
    path("profile/sessions/end-others/", mine(profile.OtherSessionsEnd.as_view()), name="sessions_end_others"),
    path("profile/api-sessions/<uuid:pk>/end/", mine(profile.RealmSessionEnd.as_view()), name="realm_session_end"),
    path(f"{REALM}/", requires("sign_in.view", "sign_in.edit")(realm.RealmPage.as_view()), name="tenant_realm"),
    path(f"{REALM}/rotate/", may_edit(realm.KeyRotate.as_view()), name="tenant_realm_rotate"),
    path(f"{REALM}/issuers/add/", may_edit(realm.IssuerPage.as_view()), name="tenant_issuer_add"),
    path(f"{REALM}/issuers/<int:issuer_pk>/", may_edit(realm.IssuerPage.as_view()), name="tenant_issuer"),
    path(
        f"{REALM}/issuers/<int:issuer_pk>/remove/", may_edit(realm.IssuerRemove.as_view()), name="tenant_issuer_remove"
    ),
    path(f"{REALM}/sessions/<uuid:session_pk>/end/", may_edit(realm.SessionEnd.as_view()), name="tenant_realm_session"),
    path(
        "administration/user-management/tenants/<uuid:pk>/sign-in/",
        requires("sign_in.view", "sign_in.edit")(tenant_page.TenantSignInPage.as_view()),
        name="tenant_sign_in",
    ),
    path(
        "administration/user-management/users/<uuid:pk>/reset-second-factor/",
        requires("users.edit")(ResetSecondFactor.as_view()),
        name="user_reset_second_factor",
    ),
    path(
        "administration/user-management/users/<uuid:pk>/end-sessions/",
        requires("users.edit")(EndSessions.as_view()),
        name="user_end_sessions",
    ),
    path(
        "administration/user-management/users/<uuid:pk>/api-sessions/<uuid:session_pk>/end/",
        requires("users.edit")(EndRealmSession.as_view()),
        name="user_realm_session_end",
    ),
    path("administration/user-management/roles/", include("accounts.roles.urls")),
]
