"""What a client may claim about its text: UTF-8 or nothing; limits of bodies are named. Through the real handler."""

import io
import json
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from config.wsgi import application

PATHS = ["/healthz?x=1", "/sign-in/?q=1", "/calls/?q=1", "/theme/"]
BAD = [
    *(
        "hex",
        "HEX",
        "rot13",
        "rot_13",
        "base64",
        "zlib",
        "bz2",
        "quopri",
        "uu",
        "undefined",
        "punycode",
        "idna",
        "mbcs",
    ),
    *("utf-7", "unicode_escape", "raw_unicode_escape", "utf-16", "latin-1", "cp037", "nonsense", "utf_8_sig", '"he x"'),
]
GOOD = ["utf-8", "UTF-8", "us-ascii", "US-ASCII", '"utf-8"', ""]


def ask(path: str, body: bytes = b"", **extra: str) -> tuple[int, dict[str, str], bytes]:
    """One request as gunicorn hands it over; returns status, headers and body."""
    path, _, query = path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST" if body else "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_ACCEPT": "application/json",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        "wsgi.errors": io.StringIO(),
        **extra,
    }
    told: list[Any] = []
    # As Django's test client does: the connection holds the transaction of the test.
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    try:
        response = application(environ, lambda status, headers: told.extend([status, headers]))
        content = b"".join(response)
        response.close()
    finally:
        for signal in signals:
            signal.connect(close_old_connections)
    return int(told[0].split()[0]), dict(told[1]), content


CSRF = "csrftoken=" + "a" * 32  # without the cookie, forms are refused before their body is read


def multipart(*headers: str) -> bytes:
    """A body of one part for each header line."""
    return b"".join(f"--x\r\n{header}\r\n\r\ndark\r\n".encode() for header in headers) + b"--x--\r\n"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("charset", BAD)
def test_any_charset_but_utf8_is_refused_in_the_one_error_shape(db, path, charset):
    status, headers, content = ask(path, CONTENT_TYPE=f"text/plain; charset={charset}")
    assert status == 415
    told = json.loads(content)
    assert told["error"] == "charset"
    assert "UTF-8" in told["message"]
    assert told["request_id"] == headers["X-Request-Id"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("charset", GOOD)
def test_utf8_and_its_subset_are_taken(db, path, charset):
    status, _headers, _content = ask(path, CONTENT_TYPE=f"text/plain; charset={charset}")
    assert status == {"/healthz?x=1": 200, "/sign-in/?q=1": 200, "/calls/?q=1": 401, "/theme/": 405}[path]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "parameters", ["charset*=hex''%41", "charset*=nonsense''x", "charset*=utf-8''a%00b", "x*=nonsense''x"]
)
def test_a_content_type_that_cannot_be_read_is_refused_too(db, path, parameters):
    assert ask(path, CONTENT_TYPE=f"text/plain; {parameters}")[0] == 415


@pytest.mark.parametrize("charset", BAD)
def test_a_multipart_form_in_another_charset_is_refused(db, charset):
    body = multipart('Content-Disposition: form-data; name="theme"')
    assert ask("/theme/", body, CONTENT_TYPE=f"multipart/form-data; boundary=x; charset={charset}")[0] == 415
    assert ask("/theme/", body, CONTENT_TYPE="multipart/form-data; boundary=x; charset=utf-8")[0] == 403


def test_the_refusal_is_a_page_for_people(db):
    status, headers, content = ask("/sign-in/?q=1", CONTENT_TYPE="text/plain; charset=hex", HTTP_ACCEPT="text/html")
    assert (status, headers["Content-Type"]) == (415, "text/html; charset=utf-8")
    assert headers["Cache-Control"] == "private, no-store"
    assert b"UTF-8" in content


@pytest.mark.parametrize("query", ["q=%ED%A0%80", "q=%FF", "q=\xff\xfe", "%ED%B0%80=1", "q=+2AA-"])
def test_bytes_that_are_no_text_reach_no_database_as_surrogates(client_for, people, query):
    client = client_for(people.tenant_admin)
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    status, _headers, _content = ask(f"/calls/?{query}", HTTP_COOKIE=cookie)
    assert status in (200, 400)
    assert ask(f"/calls/?{query}", HTTP_COOKIE=cookie, CONTENT_TYPE="text/plain; charset=utf-7")[0] == 415


@pytest.mark.parametrize(
    "header",
    [
        "Content-Disposition: form-data; name*=hex''x",
        "Content-Disposition: form-data; name*=nonsense''x",
        "Content-Disposition: form-data; name=f; filename*=utf-7''+2AA-",
        "Content-Disposition: form-data; name=f; filename*=unicode_escape''%5Cud800",
        "Content-Disposition: form-data; name=f; filename*=hex''41",
        "Content-Disposition: form-data; name=f; filename=a; charset*=utf-8''%00",
        "Content-Disposition: form-data; name=f; filename*=utf-8''a%00b",
        "Content-Type: text/plain; charset=hex\r\nContent-Disposition: form-data; name=f; filename=a",
        "Content-Transfer-Encoding: base64\r\nContent-Disposition: form-data; name=f",
    ],
)
def test_a_part_with_an_odd_header_is_no_server_error(db, header):
    kind = "multipart/form-data; boundary=x"
    status, _headers, _content = ask("/theme/", multipart(header), CONTENT_TYPE=kind, HTTP_COOKIE=CSRF)
    assert status in (400, 403)


def test_too_much_of_something_is_413_and_names_the_limit(db, settings):
    form = "application/x-www-form-urlencoded"
    part = 'Content-Disposition: form-data; name="f"; filename="a"'
    asked = {
        "2 MB": (b"a=" + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE, form),
        "1,000 fields": (b"a=1&" * 1001, form),
        "250 files": (multipart(*[part] * 251), "multipart/form-data; boundary=x"),
    }
    for limit, (body, kind) in asked.items():
        status, _headers, content = ask("/theme/", body, CONTENT_TYPE=kind, HTTP_COOKIE=CSRF)
        assert status == 413, limit
        told = json.loads(content)
        assert limit in told["message"]
        assert told["error"] == "too_large"
    assert ask("/healthz?" + "a=1&" * 1001)[0] == 200
    assert ask("/theme/", b"theme=dark", CONTENT_TYPE=form, HTTP_COOKIE=CSRF)[0] == 403


@pytest.mark.parametrize("cookie", ['sessionid="abcdefgh\\000"', "sessionid=abcdefgh\xed\xa0\x80", "csrftoken=\xff"])
def test_an_odd_cookie_is_no_server_error(db, cookie):
    assert ask("/sign-in/?q=1", HTTP_COOKIE=cookie)[0] in (200, 400)


def test_a_file_name_beyond_all_bounds_is_named(db):
    body = multipart(f'Content-Disposition: form-data; name="f"; filename="{"n" * 5000}.wav"')
    status, _headers, content = ask("/theme/", body, CONTENT_TYPE="multipart/form-data; boundary=x", HTTP_COOKIE=CSRF)
    assert status == 400
    assert "file name" in json.loads(content)["message"]
