"""Administration > User Management > Users: list, form with licences, bulk changes, import."""
