"""A web address to leave or refuse: what a configured or retrieved URL must not reach is the inside of the network.

Checked twice: when it is given, and again when a connection is made, to the very address that is then connected to. A name that
answers first with a public and then with a private address (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import SplitResult, urlsplit

from wager.errors import UsageError

__all__ = ["check_address", "check_form", "check_url", "checked_addresses"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# The registries of special-purpose addresses (RFC 6890 and later entries), written out: what Python calls global differs by version.
_V4 = tuple(
    (ipaddress.IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "private"),  # shared by carriers; also a cloud's metadata
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "private"),  # the host of a cloud's machine, although the range is public
        ("169.254.0.0/16", "link-local"),  # also the metadata of most clouds
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "reserved"),
        ("198.51.100.0/24", "reserved"),
        ("203.0.113.0/24", "reserved"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_V6 = tuple(
    (ipaddress.IPv6Network(network), kind)
    for network, kind in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fc00::/7", "private"),
        ("fec0::/10", "private"),
        ("fe80::/10", "link-local"),
        ("ff00::/8", "multicast"),
        ("2001::/23", "reserved"),  # with Teredo, which carries an IPv4 address
        ("2001:db8::/32", "reserved"),
        ("2002::/16", "6to4"),  # carries an IPv4 address
        ("3fff::/20", "reserved"),
    )
)
_GLOBAL = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)


def check_form(url: str) -> SplitResult:
    """The parts of a URL that is written as one should be; asks no name server.

    Raises:
        UsageError: it is not http or https, has credentials, a blank, a backslash or a control character, no host, a port outside
            1-65535, or a host in one of the spellings that programs read in several ways (``0x7f.1``, ``2130706433``, ``127.1``).
    """
    shown = repr(_without_credentials(url)[:200])
    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise UsageError(f"a URL has no blanks, backslashes or control characters, got {shown}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"not a URL: {shown} ({error})") from None
    if parts.scheme not in ("http", "https"):
        raise UsageError(f"a URL begins with http:// or https://, got {shown}")
    if "@" in parts.netloc:
        raise UsageError(f"a URL carries no user name or password, got {shown}: put them in a header")
    if not parts.hostname or port == 0:
        raise UsageError(f"a URL names a host, and a port from 1 to 65535 if any, got {shown}")
    if not parts.netloc.isascii():  # lower case turns some other letters into plain ones
        raise UsageError(f"the host of {shown} is no plain name: write it as xn--...")
    _check_host(parts.hostname, shown, bracketed="[" in parts.netloc)
    return parts


def check_address(address: str) -> str | None:
    """What is wrong with connecting to a numeric address: its kind, such as ``loopback``; None if it is on the public internet.

    IPv4 addresses within IPv6 ones (mapped, NAT64) are looked at themselves; 6to4 and Teredo are refused.

    >>> check_address("169.254.169.254"), check_address("::ffff:10.0.0.1"), check_address("1.1.1.1")
    ('link-local', 'private', None)
    """
    try:
        found: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif found in _NAT64:
            found = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    if isinstance(found, ipaddress.IPv4Address):
        return next((kind for network, kind in _V4 if found in network), None)
    kind = next((kind for network, kind in _V6 if found in network), None)
    return kind or (None if found in _GLOBAL else "reserved")


def checked_addresses(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The numeric addresses of a host, to connect to instead of its name. Blocks while a name server is asked.

    Raises:
        UsageError: it has none, or one that is not on the public internet and ``allow_private`` is false.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"the host {host!r} has no address: {getattr(error, 'strerror', None) or error}") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not allow_private:
        for address in addresses:
            if (kind := check_address(address)) is not None:
                raise UsageError(
                    f"the host {host!r} has the {kind} address {address}, and look-ups reach only the public internet:"
                    " set allow_private = true if that is meant"
                )
    return addresses


def check_url(url: str, *, allow_private: bool) -> None:
    """Refuses a URL that look-ups may not ask. Blocks while a name server is asked.

    Args:
        url: the whole address.
        allow_private: skip the look at where its host is; it must still be well formed.

    Raises:
        UsageError: see `check_form` and `checked_addresses`.
    """
    parts = check_form(url)
    assert parts.hostname is not None, "a URL that is well formed has a host"  # noqa: S101
    if not allow_private:
        checked_addresses(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80), allow_private=False)


def _check_host(host: str, shown: str, *, bracketed: bool) -> None:
    if bracketed:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise UsageError(f"the host of {shown} is no IPv6 address") from None
        if "%" in host:
            raise UsageError(f"the address of {shown} names a network interface: leave it out")
        return
    labels = host.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            ipaddress.IPv4Address(host)  # four decimal numbers without leading zeros, and nothing else
        except ValueError:
            raise UsageError(f"the host of {shown} is a number in an unusual spelling: write it as 192.0.2.1") from None
    elif len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise UsageError(f"the host of {shown} is no plain name: letters, digits and hyphens, others as xn--...")


def _without_credentials(url: str) -> str:
    """For messages: a password is never shown, nor what follows a question mark."""
    return re.sub(r"//[^/?#]*@", "//...@", url).partition("?")[0]
