"""Where browsers find the pages: on this machine, or at a proxy that passes requests on."""

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from stabn.errors import UserError


class AddressError(UserError):
    """An address at which nothing can be served; the message names the option."""


@dataclass(frozen=True)
class Address:
    """A page's.

    Attributes:
        path: begins and ends with "/"; a proxy passes it on as it is.
        origin: scheme, host and port of the proxy, as browsers say it; "" where there is none.
    """

    path: str = "/"
    origin: str = ""

    def below(self, name: str) -> "Address":
        """The address of that name, one step further down."""
        return replace(self, path=f"{self.path}{name}/")


def address_of(base_url: str, public_url: str) -> Address:
    """The address that two options give.

    Args:
        base_url: the path, with or without "/" around it; "": the public URL's.
        public_url: what people open, such as "https://example.org/study/"; "": no proxy.

    Raises:
        AddressError: no address of the web, one with more behind its path, or two paths.
    """
    try:
        public = urlsplit(public_url.strip().lower() if public_url else "")
        path = urlsplit(public_url.strip()).path
        public.port  # noqa: B018  which is read only now, and may be no number
    except ValueError as error:
        raise AddressError(f"--public-url {public_url}: {error}") from error
    origin = f"{public.scheme}://{public.netloc}" if public_url else ""
    whole = public.scheme in ("http", "https") and public.hostname and "@" not in public.netloc
    if public_url and not (whole and not public.query and not public.fragment):
        raise AddressError(
            f"--public-url {public_url}: give what people open, as in https://example.org/study/"
        )
    if base_url and public_url and base_url.strip("/") != path.strip("/"):
        raise AddressError(
            f"--base-url {base_url} is not the path of --public-url {public_url}; the proxy passes "
            "paths on as they are, so --public-url alone says both"
        )
    inner = (base_url or path).strip("/")
    if any(letter in inner for letter in "?#%\\ ") or ".." in inner.split("/"):
        raise AddressError(f"--base-url {base_url or path}: give a plain path, as in /study/")
    return Address(f"/{inner}/" if inner else "/", origin)
