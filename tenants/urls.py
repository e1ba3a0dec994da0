"""Routes of tenants and of the platform's own settings."""

from django.urls import path

from core.policy import requires
from tenants import views

app_name = "tenants"

edit = requires("allowed_addresses.edit")
look = requires("tenants.view")

urlpatterns = [
    path("user-management/tenants/", look(views.TenantList.as_view()), name="tenants"),
    path("tenant-management/tenants/", look(views.tenants_alias), name="tenants_alias"),
    path("system/allowed-addresses/", edit(views.AddressList.as_view()), name="allowed_addresses"),
    path("system/allowed-addresses/add/", edit(views.AddressPage.as_view()), name="allowed_address_add"),
    path(
        "system/allowed-addresses/<int:pk>/delete/", edit(views.AddressDelete.as_view()), name="allowed_address_delete"
    ),
]
