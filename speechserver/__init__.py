"""Reference server of the native asynchronous Speech API v2.

A process of its own (``python -m speechserver``): it takes audio, recognises it in limited child processes and keeps
jobs and results on disk. It imports no Django and no app of the project; everything it knows arrives over HTTP.
"""

VERSION = "1.0.0"
API_VERSION = "2.0"
