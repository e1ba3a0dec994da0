"""WSGI entry point for gunicorn."""

import os

import django

from core.requests import Utf8Handler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
django.setup(set_prefix=False)
application = Utf8Handler()
