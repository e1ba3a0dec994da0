"""Settings of the web server that its command line does not know; read from the directory that it is started in."""

from gunicorn.http import message

# A filter of the offline-task API has up to 8 KiB (R6.1) and is three times as long when every byte of it is escaped.
# Gunicorn takes no setting above its constant; without any limit, one line could fill the memory.
message.MAX_REQUEST_LINE = limit_request_line = 32_768
