"""The socket to a kernel, spoken to without a browser: rightly, wrongly, in no protocol."""

import asyncio
import json
import signal
from pathlib import Path

import pytest
from jupyter_server.services.kernels.connection.base import (
    deserialize_msg_from_ws_v1,
    serialize_msg_to_ws_v1,
)
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from stabn.knowledge.app.channel import V1, is_v1
from tests.knowledge.app.served import TOKENS, kernel_of, request, serving


def message(kind: str, channel: str, content: dict) -> bytes:
    header = {"msg_id": f"{kind}-{channel}", "msg_type": kind, "session": "s"}
    header |= {"username": "u", "version": "5.3", "date": "2024-01-01T00:00:00Z"}
    parts = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    return serialize_msg_to_ws_v1(parts, channel, pack=lambda part: json.dumps(part).encode())


class TestIsV1:
    def test_a_message_that_the_library_makes(self):
        assert is_v1(message("kernel_info_request", "shell", {}))

    @pytest.mark.parametrize(
        "other",
        [
            "{}",
            b"",
            b"\x01",
            (2**63).to_bytes(8, "little"),  # more offsets than would ever be counted
            (2).to_bytes(8, "little") + bytes(15),  # one byte short
            (1).to_bytes(4, "big") + (8).to_bytes(4, "big") + b'{"header": {}}',  # the old protocol
        ],
    )
    def test_anything_else(self, other):
        assert not is_v1(other)


@pytest.mark.slow(25)
def test_no_socket_stops_the_server_or_runs_code(queue, tmp_path):
    written = tmp_path / "written"
    token = TOKENS["annotators"]

    async def connected(url: str, **more) -> WebSocketClientConnection:
        headers = {"Authorization": f"token {token}"}
        return await websocket_connect(HTTPRequest(url, headers=headers), **more)

    async def told(socket: WebSocketClientConnection) -> set[str]:
        """Kinds of messages that come, up to the answer about the kernel."""
        kinds: set[str] = set()
        await socket.write_message(message("kernel_info_request", "shell", {}), binary=True)
        while "kernel_info_reply" not in kinds:
            _, parts = deserialize_msg_from_ws_v1(await socket.read_message())
            kinds.add(json.loads(parts[0])["msg_type"])
        return kinds

    async def visit(url: str) -> None:
        with pytest.raises(HTTPClientError, match="403"):
            await websocket_connect(url, subprotocols=[V1])
        for offered in ([], ["v2.kernel.websocket.jupyter.org"]):
            with pytest.raises(HTTPClientError, match="400"):
                await connected(url, subprotocols=offered)

        for wrong in ((2**63).to_bytes(8, "little"), "{}"):
            socket = await connected(url, subprotocols=[V1])
            await socket.write_message(wrong, binary=isinstance(wrong, bytes))
            while await socket.read_message() is not None:
                pass  # what the kernel said before
            assert socket.close_code == 1007

        socket = await connected(url, subprotocols=["other", V1])
        code = f"open({str(written)!r}, 'w')"
        for channel in ("shell", "control"):
            run = {"code": code, "silent": False, "user_expressions": {"x": code}}
            await socket.write_message(message("execute_request", channel, run), binary=True)
            ask = {"code": "import o", "cursor_pos": 8}
            await socket.write_message(message("complete_request", channel, ask), binary=True)
        assert not await told(socket) & {"execute_reply", "execute_input", "complete_reply"}
        socket.close()

    with serving(Path(tmp_path), queue, end=signal.SIGTERM) as served:
        address = served.url["annotators"]
        kernel = kernel_of(request(f"{address}?start", token)[1])
        channels = f"ws{address[4:]}api/kernels/{kernel}/channels"
        asyncio.run(asyncio.wait_for(visit(channels), timeout=120))
        assert request(f"{address}api/kernels/{kernel}", token)[0] == 200
    assert not written.exists()
