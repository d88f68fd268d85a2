"""The kernels behind the pages: one that is ready is handed out, and counts as any other."""

import asyncio
from itertools import count
from types import SimpleNamespace

import pytest
from jupyter_server._tz import utcnow
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.web import HTTPError

from stabn.knowledge.app import kernels
from stabn.knowledge.app.kernels import LOUD, Kernels


@pytest.fixture
def started(monkeypatch) -> list[dict]:
    """How each kernel was started, in order; no process is."""
    asked: list[dict] = []
    ids = (f"kernel {number}" for number in count())

    async def start(self, **how) -> str:
        asked.append(how)
        kernel_id = next(ids)
        await asyncio.sleep(0)
        self._kernels[kernel_id] = SimpleNamespace(alive=True, last_activity=None)
        return kernel_id

    async def is_alive(self, kernel_id: str) -> bool:
        return self._kernels[kernel_id].alive

    async def tell(self, kernel_id: str, env: dict) -> None:
        self._kernels[kernel_id].told = env

    async def shutdown(self, kernel_id: str) -> None:
        del self._kernels[kernel_id]

    monkeypatch.setattr(AsyncMappingKernelManager, "start_kernel", start)
    monkeypatch.setattr(Kernels, "is_alive", is_alive)
    monkeypatch.setattr(Kernels, "_tell", tell)
    monkeypatch.setattr(Kernels, "shutdown_kernel", shutdown)
    monkeypatch.setattr(kernels, "PAUSE", 0)
    return asked


async def settled(manager: Kernels) -> None:
    """Once what was begun behind the visitors is done."""
    await manager._later


def test_who_comes_gets_the_kernel_that_is_ready_and_the_next_is_begun(started):
    async def visit() -> None:
        manager = Kernels(most=9, ready=1, preload="import stabn")
        await manager.make_ready()
        assert started == [{"extra_arguments": ["--IPKernelApp.exec_lines=import stabn", LOUD]}]
        assert await manager.start_kernel(path="here", env={"A": "1"}) == "kernel 0"
        assert manager.get_kernel("kernel 0").told == {"A": "1"}
        await settled(manager)
        assert len(started) == 2
        assert await manager.start_kernel(path="here") == "kernel 1"

    asyncio.run(visit())


def test_a_real_one_has_run_its_preload_and_knows_what_its_visitor_asks_for(capfd):
    async def visit() -> None:
        manager = Kernels(most=1, ready=1, preload="import colorsys")
        await manager.make_ready()
        asked = "start&name=O'Hara\"\n"
        kernel_id = await manager.start_kernel(env={"QUERY_STRING": asked, "PATH": "gone"})
        client = manager.get_kernel(kernel_id).client()
        client.start_channels()
        try:
            said = {
                "there": "'colorsys' in dir()",
                "asked": "os.environ['QUERY_STRING']",
                "kept": "os.environ['PATH'] != 'gone'",
            }
            warning = "import logging; logging.getLogger('stabn').warning('a step failed')"
            reply = await client.execute(warning, user_expressions=said, reply=True, timeout=60)
            values = {
                name: value["data"]["text/plain"]
                for name, value in reply["content"]["user_expressions"].items()
            }
            assert values == {"there": "True", "asked": repr(asked), "kept": "True"}
            assert "a step failed" in capfd.readouterr().err  # where the organiser sees it
        finally:
            client.stop_channels()
            await manager.shutdown_all(now=True)

    asyncio.run(visit())


def test_without_one_a_kernel_is_started_as_asked(started):
    async def visit() -> None:
        manager = Kernels(most=9)
        assert await manager.start_kernel(path="here") == "kernel 0"
        await settled(manager)
        assert started == [{"path": "here", "extra_arguments": [LOUD]}]

    asyncio.run(visit())


def test_what_is_ready_takes_a_place_that_a_visitor_can_have(started):
    async def visit() -> None:
        manager = Kernels(most=2, ready=1)
        await manager.make_ready()
        for kernel_id in ("kernel 0", "kernel 1"):
            assert await manager.start_kernel() == kernel_id
            await settled(manager)
        assert len(started) == 2
        with pytest.raises(HTTPError, match="all 2 places are taken"):
            await manager.start_kernel()

    asyncio.run(visit())


def test_one_that_died_is_not_handed_out(started):
    async def visit() -> None:
        manager = Kernels(most=9, ready=1)
        await manager.make_ready()
        manager.get_kernel("kernel 0").alive = False
        assert await manager.start_kernel() == "kernel 1"

    asyncio.run(visit())


def test_what_is_ready_waits_for_as_long_as_nobody_comes(started):
    async def wait() -> None:
        manager = Kernels(most=9, ready=1, arrival=1)
        await manager.make_ready()
        taken = await manager.start_kernel()
        await settled(manager)
        long_ago = utcnow().replace(year=2000)
        for kernel_id in ("kernel 0", "kernel 1"):
            manager.get_kernel(kernel_id).last_activity = long_ago
            manager.get_kernel(kernel_id).execution_state = "idle"
            await manager.cull_kernel_if_idle(kernel_id)
        assert taken not in manager
        assert "kernel 1" in manager

    asyncio.run(wait())
