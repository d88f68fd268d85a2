"""The socket between a page and its kernel: messages of protocol v1, or none.

Voilà looks into every binary message as if it were of Jupyter's protocol v1. In one of the older
protocol, which a browser speaks when a proxy drops `Sec-WebSocket-Protocol`, it finds so many
offsets that the server counts them for ever. So a socket speaks v1 or is refused.
"""

from tornado.web import HTTPError
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

V1 = "v1.kernel.websocket.jupyter.org"
WORD = 8  # bytes of each offset, and of their number, which comes first


class Channel(VoilaKernelWebsocketHandler):
    """Voilà's, for visitors who speak v1."""

    async def pre_get(self) -> None:
        """Refuse whoever does not offer v1, before anything is made for them.

        Raises:
            HTTPError: 400, without v1.
        """
        offered = self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        if V1 not in map(str.strip, offered):
            reason = f"Sec-WebSocket-Protocol does not offer {V1}; does a proxy drop the header?"
            self.log.warning("Socket refused: %s", reason)
            raise HTTPError(400, reason)
        await super().pre_get()

    def on_message(self, ws_message: str | bytes) -> None:
        """Pass a message on; end the socket at one that is no message of v1."""
        if is_v1(ws_message):
            super().on_message(ws_message)
        else:
            self.close(1007, f"no message of {V1}")


def is_v1(message: str | bytes) -> bool:
    """Whether a message is binary, and as long as the number of its offsets says at least."""
    if isinstance(message, str) or len(message) < WORD:
        return False
    return (1 + int.from_bytes(message[:WORD], "little")) * WORD <= len(message)
