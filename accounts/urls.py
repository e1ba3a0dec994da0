"""Routes of accounts."""

from django.urls import include, path

from accounts.profile import views as profile
from accounts.signin import single, tenant_page
from accounts.signin import views as signin
from accounts.user_security import EndSessions, ResetSecondFactor
from core.policy import requires

app_name = "accounts"

# Everybody has a profile of his own.
mine = requires()

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
    path("administration/user-management/roles/", include("accounts.roles.urls")),
]
