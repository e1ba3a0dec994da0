"""Routes of tenants, tenant groups and of the platform's own settings."""

from django.urls import path

from core.policy import requires
from tenants.views import adding, addresses, alias, details, groups, states, viewing

app_name = "tenants"

addresses_edit = requires("allowed_addresses.edit")
look = requires("tenants.view")
edit = requires("tenants.edit")
delete = requires("tenants.delete")

TENANTS = "user-management/tenants/"
ONE = f"{TENANTS}<uuid:pk>/"
GROUPS = "user-management/tenant-groups/"
ADDRESSES = "system/allowed-addresses/"

urlpatterns = [
    path("tenant-management/tenants/", look(alias.tenants_alias), name="tenants_alias"),
    path(f"{TENANTS}add/", edit(adding.AddTenant.as_view()), name="add"),
    path(f"{TENANTS}leave-view/", requires()(viewing.leave), name="leave_view"),
    path(ONE, look(details.General.as_view()), name="tenant"),
    path(f"{ONE}retention/", requires("retention.view")(details.Retention.as_view()), name="retention"),
    path(f"{ONE}provisioning/", look(details.Provisioning.as_view()), name="provisioning"),
    path(f"{ONE}suspend/", edit(states.Suspend.as_view()), name="suspend"),
    path(f"{ONE}resume/", edit(states.Resume.as_view()), name="resume"),
    path(f"{ONE}close/", edit(states.Close.as_view()), name="close"),
    path(f"{ONE}deletion/", delete(states.Deletion.as_view()), name="deletion"),
    path(f"{ONE}deletion/confirm/", delete(states.DeletionConfirm.as_view()), name="deletion_confirm"),
    path(f"{ONE}deletion/cancel/", delete(states.DeletionCancel.as_view()), name="deletion_cancel"),
    path(f"{ONE}view-as/", requires("tenants.view_as")(viewing.ViewAs.as_view()), name="view_as"),
    path(GROUPS, look(groups.GroupList.as_view()), name="groups"),
    path(f"{GROUPS}add/", edit(groups.GroupPage.as_view()), name="group_add"),
    path(f"{GROUPS}<int:pk>/", edit(groups.GroupPage.as_view()), name="group"),
    path(f"{GROUPS}<int:pk>/delete/", edit(groups.GroupDelete.as_view()), name="group_delete"),
    path(ADDRESSES, addresses_edit(addresses.AddressList.as_view()), name="allowed_addresses"),
    path(f"{ADDRESSES}bulk/", addresses_edit(addresses.AddressBulk.as_view()), name="allowed_addresses_bulk"),
    path(f"{ADDRESSES}add/", addresses_edit(addresses.AddressPage.as_view()), name="allowed_address_add"),
    path(
        f"{ADDRESSES}<int:pk>/delete/",
        addresses_edit(addresses.AddressDelete.as_view()),
        name="allowed_address_delete",
    ),
]
