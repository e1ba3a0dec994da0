"""Every test has an audio store of its own: rolled-back rows would leave their files to the next test."""

import pytest


@pytest.fixture(autouse=True)
def audio_store(settings, tmp_path_factory):
    """An empty store."""
    default = settings.STORAGES["default"]
    options = default["OPTIONS"] | {"location": str(tmp_path_factory.mktemp("store"))}
    settings.STORAGES = settings.STORAGES | {"default": default | {"OPTIONS": options}}
