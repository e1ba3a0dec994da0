"""The paths of the identity facade (E1, E7–E11), with the prefix of old servers and with or without a slash at the end."""

from django.urls import re_path

from accounts.realms import views

app_name = "realms"
REALM = r"^(?:auth/)?realms/(?P<realm>[^/]+)"
CONNECT = REALM + r"/protocol/openid-connect"
urlpatterns = [
    re_path(REALM + r"/?$", views.realm_page, name="realm"),
    re_path(REALM + r"/\.well-known/openid-configuration/?$", views.discovery, name="discovery"),
    re_path(CONNECT + r"/token/?$", views.token, name="token"),
    re_path(CONNECT + r"/certs/?$", views.certs, name="certs"),
    re_path(CONNECT + r"/userinfo/?$", views.userinfo, name="userinfo"),
    re_path(CONNECT + r"/logout/?$", views.logout, name="logout"),
    re_path(CONNECT + r"/auth/?$", views.not_served, name="authorization"),
    re_path(CONNECT + r"/token/introspect/?$", views.not_served, name="introspection"),
]
