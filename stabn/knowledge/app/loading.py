"""What is shown of a video, read before it is asked for: the next while this one is looked at."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stabn.data.ssv2 import VideoFolder
from stabn.data.video import probe
from stabn.knowledge.editor.editor import FPS
from stabn.knowledge.selection.queue import Queue, QueuedVideo, QueueError

if TYPE_CHECKING:  # it brings PyTorch, which takes seconds: loaded while the guidelines are read
    from stabn.knowledge.selection.rescoring import Rescorer


class Shown(NamedTuple):
    """One video.

    Attributes:
        frames: uint8 (n, H, W, 3).
        fps: frames a second, as the file says; the editor's default where it says nothing.
        network: what the network adds, as :class:`stabn.knowledge.editor.editor.Editor` names it:
            `own`, `spatial` and `rescore`, or nothing.
        missing: why it adds nothing; "" where it does.
    """

    frames: np.ndarray
    fps: float
    network: dict
    missing: str


class Loader:
    """Reads a queue's videos, one after the other, in a thread of its own.

    Args:
        queue: from :func:`stabn.knowledge.selection.queue.read_queue`. Its network is begun to be
            loaded at once.
    """

    def __init__(self, queue: Queue):
        self._queue = queue
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="loading")
        self._rescorer: Future[Rescorer] = self._thread.submit(_rescorer, queue)
        self._ahead: tuple[str, Future[Shown]] | None = None

    def begin(self, video: QueuedVideo | None) -> None:
        """Read this one ahead, in place of the one before; None reads nothing."""
        if self._ahead is not None and (video is None or video.video_id != self._ahead[0]):
            self._ahead[1].cancel()
            self._ahead = None
        if self._ahead is None and video is not None:
            self._ahead = video.video_id, self._thread.submit(self._read, video)

    def get(self, video: QueuedVideo) -> Shown:
        """The video, read now unless that has been begun.

        Raises:
            VideoError: its file cannot be read as queued.
        """
        self.begin(video)
        (_, reading), self._ahead = self._ahead, None
        return reading.result()

    def _read(self, video: QueuedVideo) -> Shown:
        video_id, folder = video.video_id, VideoFolder(self._queue.data_root)
        frames = folder.read(video_id, range(video.frames))
        fps = probe(folder.path(video_id)).fps or FPS
        try:
            rescorer = self._rescorer.result()
            network = {
                "own": rescorer.own(video_id),
                "spatial": rescorer.spatial(video_id),
                "rescore": lambda levels: rescorer(video_id, levels),
            }
        except QueueError as error:  # one can edit all the same
            return Shown(frames, fps, {}, str(error))
        return Shown(frames, fps, network, "")


def _rescorer(queue: Queue) -> "Rescorer":
    from stabn.knowledge.selection.rescoring import Rescorer

    return Rescorer(queue)
