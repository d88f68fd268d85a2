"""The kernels behind the pages: no more than memory holds, and none that waits for nobody.

A kernel's start and its imports take longer than all else on the way to the first video. So a few
are begun before anybody asks, and whoever comes next is given one of them.
"""

import asyncio
from datetime import timedelta

import psutil
from jupyter_server._tz import utcnow
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.web import HTTPError
from traitlets import Integer, Unicode

PAGE = 210 * 2**20  # bytes of an annotator's kernel, as benchmarks/annotators.py measures them
SPARE = 2**30  # bytes for the server, the organiser's page and the system's caches
ASKED = ("QUERY_STRING",)  # what of a visitor's request the pages read
LOUD = "--IPKernelApp.quiet=False"  # what a kernel logs is the server's log, too
PAUSE = 5.0  # seconds that a visitor's page has to itself before the next kernel is begun


def room() -> int:
    """How many pages the memory that is free now holds, 1 at least."""
    return max(1, (psutil.virtual_memory().available - SPARE) // PAGE)


class Kernels(AsyncMappingKernelManager):
    """One kernel a page, `most` at once; one whose page never connects ends after `arrival`."""

    most = Integer(1, config=True, help="Kernels at once.")
    arrival = Integer(1, config=True, help="Seconds for the first connection.")
    ready = Integer(0, config=True, help="Kernels that wait for visitors, within `most`.")
    preload = Unicode(config=True, help="Python that those have run.")

    def __init__(self, **how):
        super().__init__(**how)
        self._starting = 0
        self._waiting: list[str] = []  # ids of the kernels that are ready, the oldest first

    async def start_kernel(self, **how) -> str:
        """A kernel for a visitor: one that is ready, or one more.

        Raises:
            HTTPError: 503, all places are taken.
        """
        while self._waiting:
            kernel_id = self._waiting.pop(0)
            if kernel_id in self and await self.is_alive(kernel_id):
                await self._tell(kernel_id, how.get("env", {}))
                break
        else:
            if self._full:
                raise HTTPError(503, f"all {self.most} places are taken")
            kernel_id = await self._start(how)
        self._later = asyncio.ensure_future(self.make_ready(PAUSE))
        return kernel_id

    async def make_ready(self, after: float = 0.0) -> None:
        """Begin, so many seconds later, as many kernels as are to be ready."""
        await asyncio.sleep(after)
        while len(self._waiting) + self._starting < self.ready and not self._full:
            first = [f"--IPKernelApp.exec_lines={self.preload}"]
            self._waiting.append(await self._start({"extra_arguments": first}))

    async def _tell(self, kernel_id: str, env: dict[str, str]) -> None:
        """Let a kernel that was begun for anybody know what this visitor asks for."""
        kernel = self.get_kernel(kernel_id)
        kernel.last_activity = utcnow()  # from now on somebody may be waited for
        told = {name: env[name] for name in ASKED if name in env}
        client = kernel.client()
        client.start_channels()
        try:
            await client.execute(f"import os; os.environ.update({told!r})", reply=True)
        finally:
            client.stop_channels()

    @property
    def _full(self) -> bool:
        return len(self._kernels) + self._starting >= self.most

    async def _start(self, how: dict) -> str:
        self._starting += 1
        try:
            arguments = [*how.pop("extra_arguments", ()), LOUD]
            return await super().start_kernel(**how, extra_arguments=arguments)
        finally:
            self._starting -= 1

    def notify_connect(self, kernel_id: str) -> None:
        """Note that somebody has come."""
        super().notify_connect(kernel_id)
        if kernel_id in self:
            self.get_kernel(kernel_id).met = True

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End a kernel that nobody needs; called for each every now and then."""
        if kernel_id in self._waiting:
            return
        kernel = self.get_kernel(kernel_id)
        waited = utcnow() - getattr(kernel, "last_activity", utcnow())
        alone = not getattr(kernel, "met", False) and kernel.execution_state != "busy"
        if alone and waited > timedelta(seconds=self.arrival):
            self.log.info("Nobody came to kernel %s: ended", kernel_id)
            await self.shutdown_kernel(kernel_id)
        else:
            await super().cull_kernel_if_idle(kernel_id)
