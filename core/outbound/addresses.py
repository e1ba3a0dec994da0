"""Which IP addresses and ports may be connected to (security M10).

Our own deny list, because ``ipaddress.is_global`` lets metadata services and tunnelled IPv4 addresses through.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

# One text for every network reason, so that the form cannot be used to map a network (hostile-inputs 3G13).
NOT_ALLOWED = "This address is not allowed or cannot be reached."


class AddressRefused(ValueError):
    """The address may not be used. ``field`` and ``rule`` (scheme, host, port, credentials, address) name what was
    broken; the message never says what a name resolved to."""

    code = "address_not_allowed"

    def __init__(self, rule: str, message: str = NOT_ALLOWED, *, field: str = "server_address") -> None:
        super().__init__(message)
        self.field = field
        self.rule = rule
        self.message = message


@dataclass(frozen=True)
class AllowedTarget:
    """An inside target that a platform admin listed: a network and one port."""

    network: IPv4Network | IPv6Network
    port: int


@dataclass(frozen=True)
class OutboundPolicy:
    """What may be reached besides the public internet; by default nothing."""

    allowed: frozenset[AllowedTarget] = frozenset()

    def lists(self, address: IPv4Address | IPv6Address, port: int) -> bool:
        """Say whether a listed target covers this address and port."""
        return any(target.port == port and address in target.network for target in self.allowed)

    def lists_port(self, port: int) -> bool:
        """Say whether any listed target has this port."""
        return any(target.port == port for target in self.allowed)


def _v4(*networks: str) -> tuple[IPv4Network, ...]:
    return tuple(IPv4Network(network) for network in networks)


def _v6(*networks: str) -> tuple[IPv6Network, ...]:
    return tuple(IPv6Network(network) for network in networks)


# Metadata and host agents of the clouds, link-local, "this host", multicast: refused even when listed (3G1).
_NEVER_V4 = _v4(
    "0.0.0.0/8", "169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "224.0.0.0/3"
)
_NEVER_V6 = _v6("::/128", "fe80::/10", "fd00:ec2::/32", "fd20:ce::254/128", "ff00::/8")

_INSIDE_V4 = _v4(
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
)
# In IPv6 only global unicast is outside, less these.
_GLOBAL_V6 = IPv6Network("2000::/3")
_INSIDE_V6 = _v6("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")

_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = IPv6Network("::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
_CARRIERS = (_NAT64, _NAT64_LOCAL, _COMPATIBLE, _SIX_TO_FOUR, _TEREDO)
_ISATAP_IDS = (0x0000_5EFE, 0x0200_5EFE)

_LOW_PORTS = (80, 443)
# Services above 1023 that an HTTP request must not be able to poke (databases, brokers, desktops, cluster agents).
_SERVICE_PORTS = frozenset(
    {1433, 1521, 1723, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 3690, 4369, 4444, 5432, 5433, 5601, 5671, 5672}
    | {5900, 5901, 5984, 5985, 5986, 6000, 6379, 6380, 6443, 6660, 6666, 6667, 6668, 6669, 6697, 7000, 7001, 7199}
    | {8086, 8500, 9042, 9092, 9160, 9200, 9300, 10250, 10255, 11211, 15672, 25672, 27017, 27018, 27019, 50070, 61616}
)


def port_is_open(port: int) -> bool:
    """Say whether a port may be used on a public address without being listed (hostile-inputs 3G8)."""
    return port in _LOW_PORTS or (1024 <= port <= 65535 and port not in _SERVICE_PORTS)


def judge(ip: str | IPv4Address | IPv6Address, port: int, policy: OutboundPolicy) -> None:
    """Raise :class:`AddressRefused` unless this address and port may be connected to.

    IPv4 inside IPv6 is unwrapped first, and every address found on the way has to pass.
    """
    try:
        address = ip_address(ip)
    except ValueError:
        raise AddressRefused("address") from None
    if isinstance(address, IPv6Address):
        # A zone (%eth0) only makes sense for link-local addresses, and would hide them from the comparison below.
        address = IPv6Address(int(address))
        inner = _embedded(address)
        if any(_never(candidate) for candidate in inner):
            raise AddressRefused("address")
        if address in _MAPPED or address in _NAT64:
            address = inner[0]
        elif any(_is_inside(candidate) for candidate in inner) and not policy.lists(address, port):
            raise AddressRefused("address")
    if _never(address):
        raise AddressRefused("address")
    if policy.lists(address, port):
        return
    if _is_inside(address):
        raise AddressRefused("address")
    if not port_is_open(port):
        raise AddressRefused("port")


def listable(text: str) -> IPv4Network | IPv6Network:
    """Return the network that may be listed for ``text`` (CIDR): IPv4 written as IPv6 becomes the IPv4 it reaches.

    Raises :class:`AddressRefused` with the rule ``cidr`` (no network), ``never`` (holds an address that is refused even
    when listed) or ``tunnel`` (more than one address of a range that carries IPv4 addresses inside).
    """
    try:
        network = ip_network(text, strict=True)
        if isinstance(network, IPv6Network):
            # Without the zone, which would hide the network from the comparisons below.
            network = _plain(IPv6Network((int(network.network_address), network.prefixlen)))
    except ValueError:
        raise AddressRefused(
            "cidr", "This is no network in CIDR form, for example 10.1.2.3/32.", field="cidr"
        ) from None
    if isinstance(network, IPv4Network):
        never = any(network.overlaps(other) for other in _NEVER_V4)
    else:
        # What holds all mapped addresses holds every IPv4 address, metadata services too.
        never = any(network.overlaps(other) for other in (*_NEVER_V6, _MAPPED))
        never = never or any(_never(inner) for inner in _embedded(network.network_address))
    if never:
        raise AddressRefused("never", field="cidr")
    if isinstance(network, IPv6Network) and network.prefixlen < 128 and any(map(network.overlaps, _CARRIERS)):
        raise AddressRefused("tunnel", field="cidr")
    return network


def _plain(network: IPv6Network) -> IPv4Network | IPv6Network:
    """Return the IPv4 network where ``judge`` would look at the IPv4 address inside, else the same network."""
    if network.subnet_of(_MAPPED) or network.subnet_of(_NAT64):
        return IPv4Network((int(network.network_address) & 0xFFFF_FFFF, network.prefixlen - 96))
    return network


def _never(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return any(address in network for network in _NEVER_V4)
    return any(address in network for network in _NEVER_V6)


def _is_inside(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return _never(address) or any(address in network for network in _INSIDE_V4)
    return address not in _GLOBAL_V6 or any(address in network for network in _INSIDE_V6)


def _embedded(address: IPv6Address) -> list[IPv4Address]:
    """Return every IPv4 address that a tunnel or translator could read out of ``address``."""
    number = int(address)
    low, low64 = number & 0xFFFF_FFFF, number & 0xFFFF_FFFF_FFFF_FFFF
    found: list[int] = []
    if address in _MAPPED or address in _NAT64 or (address in _COMPATIBLE and low > 1):
        found = [low]
    elif address in _NAT64_LOCAL:
        # RFC 6052 with a /48 prefix puts the address around bits 64-71; translators set to /64 or /96 put it elsewhere.
        around = (number >> 64 & 0xFFFF) << 16 | (number >> 40 & 0xFFFF)
        found = [low, around, number >> 24 & 0xFFFF_FFFF]
    elif address in _SIX_TO_FOUR:
        found = [number >> 80 & 0xFFFF_FFFF]
    elif address in _TEREDO:
        found = [number >> 64 & 0xFFFF_FFFF, low ^ 0xFFFF_FFFF]
    if low64 >> 32 in _ISATAP_IDS:
        found.append(low)
    return [IPv4Address(value) for value in found]
