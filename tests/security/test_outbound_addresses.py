"""Addresses that point inside are refused, however they are spelled (hostile-inputs 3G1-3G3, 3G6, 3G8, 3G10, 3G11)."""

import time
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.outbound import AddressRefused, AllowedTarget, OutboundPolicy, check_url, judge

NOTHING = OutboundPolicy()
PUBLIC = "93.184.215.14"


def listing(*targets: tuple[str, int]) -> OutboundPolicy:
    return OutboundPolicy(frozenset(AllowedTarget(ip_network(network), port) for network, port in targets))


def answering(*addresses: str):
    def lookup(host: str, port: int) -> Sequence[str]:
        return addresses

    return lookup


METADATA = ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fe80::a9fe:a9fe"]


@pytest.mark.parametrize("address", METADATA)
def test_metadata_services_are_refused_even_when_listed(address: str) -> None:
    everything = listing(("0.0.0.0/0", 80), ("::/0", 80))
    judge("10.1.2.3", 80, everything)
    for policy in (NOTHING, everything):
        with pytest.raises(AddressRefused):
            judge(address, 80, policy)


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1:a9fe:a9:fe00::",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2001:0:5db8:d70e:0:0:5601:5601",
        "2001:db8::5efe:169.254.169.254",
        "fd00::200:5efe:100.100.100.200",
    ],
)
def test_metadata_inside_an_ipv6_form_is_refused_even_when_listed(address: str) -> None:
    with pytest.raises(AddressRefused):
        judge(address, 80, listing(("::/0", 80), ("0.0.0.0/0", 80)))


INSIDE = [
    *("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "172.16.0.1", "172.31.255.255"),
    *("192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "100::1", "5f00::1"),
    *("2001:db8::1", "2002:808:808::1", "2001::1", "3fff::1", "64:ff9b:1::808:808", "::8.8.8.8"),
    *("::ffff:100.64.0.1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::10.0.0.1"),
    *("::5efe:10.0.0.1", "2a00:1450::5efe:10.0.0.1", "2a00:1450::200:5efe:192.168.0.1"),
]


@pytest.mark.parametrize("address", INSIDE)
def test_inside_addresses_are_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        judge(address, 443, NOTHING)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_pass(address: str) -> None:
    judge(address, 443, NOTHING)


@given(st.ip_addresses(v=4))
def test_every_wrapping_of_a_refused_ipv4_address_is_refused(address: IPv4Address) -> None:
    try:
        judge(address, 443, NOTHING)
    except AddressRefused:
        number = int(address)
        for wrapped in (0xFFFF << 32 | number, number, 0x64_FF9B << 96 | number, 0x2002 << 112 | number << 80):
            with pytest.raises(AddressRefused):
                judge(IPv6Address(wrapped), 443, NOTHING)


def test_only_the_listed_address_and_port_pass() -> None:
    policy = listing(("10.1.2.3/32", 8600))
    judge("10.1.2.3", 8600, policy)
    judge("::ffff:10.1.2.3", 8600, policy)
    for address, port in (("10.1.2.4", 8600), ("10.1.2.3", 8601), ("2002:a01:203::", 8600), (PUBLIC, 5432)):
        with pytest.raises(AddressRefused):
            judge(address, port, policy)


def test_loopback_passes_only_when_listed() -> None:
    for url, network in (("http://127.0.0.1:8600", "127.0.0.1/32"), ("http://[::1]:8600", "::1/128")):
        assert check_url(url, listing((network, 8600))).port == 8600
        with pytest.raises(AddressRefused):
            check_url(url, NOTHING)


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "0.0.0.0", "[::1]", "[::]", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.1"),
        *("①②⑦.⓪.⓪.①", "１２７.０.０.１", "127。0。0。1", "127.0.0.1.", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
        *("[0:0:0:0:0:0:0:1]", "[fe80::1%eth0]", "[fe80::1%25eth0]", "0", "0x0"),
    ],
)
def test_odd_spellings_of_inside_addresses_are_refused(host: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        check_url(f"http://{host}/", NOTHING)
    assert "127" not in caught.value.message


def test_one_inside_answer_among_public_ones_refuses_the_name() -> None:
    assert check_url("https://stt.example", NOTHING, lookup=answering(PUBLIC, "8.8.8.8")).host == "stt.example"
    with pytest.raises(AddressRefused):
        check_url("https://stt.example", NOTHING, lookup=answering(PUBLIC, "10.0.0.1"))


def test_an_unresolved_name_is_refused_with_the_same_words_as_an_inside_one() -> None:
    def failing(host: str, port: int) -> Sequence[str]:
        raise OSError("no such host")

    messages = set()
    for lookup in (failing, answering(), answering("10.0.0.1"), answering("169.254.169.254")):
        with pytest.raises(AddressRefused) as caught:
            check_url("https://stt.example", NOTHING, lookup=lookup, field="token_url")
        messages.add((caught.value.code, caught.value.rule, str(caught.value), caught.value.field))
    assert messages == {
        ("address_not_allowed", "address", "This address is not allowed or cannot be reached.", "token_url")
    }


def test_a_resolver_that_does_not_answer_in_time_refuses_the_save() -> None:
    def slow(host: str, port: int) -> Sequence[str]:
        time.sleep(1.0)
        return [PUBLIC]

    started = time.monotonic()
    with pytest.raises(AddressRefused):
        check_url("https://stt.example", NOTHING, lookup=slow, timeout_s=0.05)
    assert time.monotonic() - started < 0.9


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "gopher://x/", "ftp://x/", "unix:/run/x", "data:text/plain,x", "javascript:alert(1)"),
        *("//stt.example", "stt.example", "", "http+unix://x"),
    ],
)
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        check_url(url, NOTHING, lookup=answering(PUBLIC))
    assert (caught.value.field, caught.value.rule) == ("server_address", "scheme")


@pytest.mark.parametrize("port", [22, 25, 5432, 6379, 0, 65536, 1, 1023, 27017])
def test_service_ports_are_refused_unless_listed(port: int) -> None:
    url = f"http://{PUBLIC}:{port}/"
    with pytest.raises(AddressRefused) as caught:
        check_url(url, NOTHING)
    assert caught.value.rule == "port"
    policy = listing((f"{PUBLIC}/32", port))
    if 1 <= port <= 65535:
        assert check_url(url, policy).port == port
        with pytest.raises(AddressRefused):
            check_url(f"http://8.8.8.8:{port}/", policy)
    else:
        with pytest.raises(AddressRefused):
            check_url(url, policy)


@pytest.mark.parametrize("port", [80, 443, 8080, 8443, 8600])
def test_web_ports_pass(port: int) -> None:
    assert check_url(f"http://{PUBLIC}:{port}/", NOTHING).port == port


def test_a_homograph_is_shown_as_punycode() -> None:
    checked = check_url("https://аpple.example/v2?x=1", NOTHING, lookup=answering(PUBLIC))
    assert checked.url == "https://xn--pple-43d.example/v2?x=1"


@pytest.mark.parametrize(
    "url",
    [
        f"http://{'a' * 64}.example/",
        f"http://{'.'.join(['abcdefghi'] * 26)}/",
        "http:///path",
        "http://a..b/",
        "http://-a.example/",
        "http://a%2eb/",
        "http://[::g]/",
        "http://user:secret@stt.example/",
        f"http://{PUBLIC}\\@stt.example/",
        "http://stt.example/\r\nHost: x",
        " http://stt.example/",
        "http://stt.example/#@10.0.0.1",
        f"http://stt.example/{'a' * 2000}",
        "http://stt.example:80x/",
        "http://\u2028/",
    ],
)
def test_malformed_addresses_are_refused_without_a_lookup(url: str) -> None:
    def never(host: str, port: int) -> Sequence[str]:
        raise AssertionError("looked up")

    with pytest.raises(AddressRefused) as caught:
        check_url(url, NOTHING, lookup=never)
    assert "secret" not in caught.value.message


@given(st.text(max_size=60))
def test_any_text_is_either_checked_or_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"https://stt.example:{text}"):
        try:
            checked = check_url(url, NOTHING, lookup=answering(PUBLIC))
        except AddressRefused:
            continue
        assert checked.host.isascii()
        assert checked.scheme in ("http", "https")
