"""Licences of users and the gates that judge every metered piece of work."""
