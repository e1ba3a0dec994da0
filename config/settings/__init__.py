"""Settings, one module a place of use: ``local`` (the one-command stack), ``test`` and ``production``."""
