"""The kernels behind the pages: no more than memory holds, and none that waits for nobody."""

from datetime import timedelta

import psutil
from jupyter_server._tz import utcnow
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.web import HTTPError
from traitlets import Integer

PAGE = 210 * 2**20  # bytes of an annotator's kernel, as benchmarks/annotators.py measures them
SPARE = 2**30  # bytes for the server, the organiser's page and the system's caches


def room() -> int:
    """How many pages the memory that is free now holds, 1 at least."""
    return max(1, (psutil.virtual_memory().available - SPARE) // PAGE)


class Kernels(AsyncMappingKernelManager):
    """One kernel a page, `most` at once; one whose page never connects ends after `arrival`."""

    most = Integer(1, config=True, help="Kernels at once.")
    arrival = Integer(1, config=True, help="Seconds for the first connection.")

    _starting = 0

    async def start_kernel(self, **how) -> str:
        """Start one more.

        Raises:
            HTTPError: 503, all places are taken.
        """
        if len(self._kernels) + self._starting >= self.most:
            raise HTTPError(503, f"all {self.most} places are taken")
        self._starting += 1
        try:
            return await super().start_kernel(**how)
        finally:
            self._starting -= 1

    def notify_connect(self, kernel_id: str) -> None:
        """Note that somebody has come."""
        super().notify_connect(kernel_id)
        if kernel_id in self:
            self.get_kernel(kernel_id).met = True

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End a kernel that nobody needs; called for each every now and then."""
        kernel = self.get_kernel(kernel_id)
        waited = utcnow() - getattr(kernel, "last_activity", utcnow())
        alone = not getattr(kernel, "met", False) and kernel.execution_state != "busy"
        if alone and waited > timedelta(seconds=self.arrival):
            self.log.info("Nobody came to kernel %s: ended", kernel_id)
            await self.shutdown_kernel(kernel_id)
        else:
            await super().cull_kernel_if_idle(kernel_id)
