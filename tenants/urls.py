"""Routes of the platform's own settings.

``accounts`` stands above this app, so its guard is named by dotted path and never imported (architecture §2).
"""

from django.urls import path
from django.utils.module_loading import import_string

from tenants import views

app_name = "tenants"

requires = import_string("accounts.policy.requires")
edit = requires(import_string("accounts.permissions.Permission").ADDRESSES_EDIT)

urlpatterns = [
    path("allowed-addresses/", edit(views.AddressList.as_view()), name="allowed_addresses"),
    path("allowed-addresses/add/", edit(views.AddressPage.as_view()), name="allowed_address_add"),
    path("allowed-addresses/<int:pk>/delete/", edit(views.AddressDelete.as_view()), name="allowed_address_delete"),
]
