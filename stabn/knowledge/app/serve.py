"""Serve the queue to people who do not code: one page for annotators, one for the organiser.

    stabn annotate --queue runs/mini_st_abn/queue

Two Voilà servers run in this process, each with a port and a token of its own; both listen on this
machine only unless `--host` says otherwise. Whoever opens a page gets a kernel, which runs the
page's notebook and nothing else.

What somebody with the annotators' token **can** do: open the page under any name (names are no
passwords: who types another's goes on with that person's videos), and so look at the videos of this
queue and add revisions of them to the store, where nothing is ever overwritten; open pages until
all places are taken, so that others have to wait. What they **cannot** do: run code (the server
passes on the messages of widgets, an `execute_request` is dropped), read or list files, notebooks
or kernels, see code or tracebacks, reach the organiser's page, set a password, change or delete a
revision. Without a token there are only a page that says so and the scripts of Voilà and
JupyterLab, which are public.

Voilà speaks HTTP: beyond a network that you trust put it behind a proxy that speaks HTTPS, and say
`--public-url` (the book's troubleshooting page has the lines for nginx).
"""

import asyncio
import errno
import logging
import os
import re
import secrets
import socket
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import click
from tornado.ioloop import IOLoop
from traitlets.config import Config
from voila.app import Voila

from stabn import given
from stabn.knowledge.app.address import Address, address_of
from stabn.knowledge.app.downloads import FILES, Download
from stabn.knowledge.app.ending import end_on_signals
from stabn.knowledge.app.found import ServeError, absolute, look, store_file
from stabn.knowledge.app.handlers import OURS, TokenOnly
from stabn.knowledge.app.kernels import PAGE, Kernels, room
from stabn.knowledge.app.meaning import read_levels
from stabn.knowledge.store.store import Store

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE / "notebooks"  # in a clone, links to those that the book shows
TEMPLATE = HERE / "page"  # Voilà's, without what comes from other hosts
EXTENSIONS = (  # of the front end: what draws widgets
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
)
IDLE = 3600  # seconds after which the kernel of a page that nobody touches ends
PORT, COUNT = click.IntRange(1, 65535), click.IntRange(min=1)
ARRIVAL = 60  # seconds for a page's first connection, counted from when its kernel is ready
CHECK = 60  # at most so many seconds between two looks for such kernels
ORGANISERS = 4  # organiser's pages at once
READY = 1  # annotators' pages begun before anybody asks
PRELOAD = "import stabn.knowledge.app.annotator, stabn.knowledge.selection.rescoring"


class Page(Voila):
    """One notebook on one port behind one token, and nothing else."""

    origin = ""  # of the proxy before it

    def setup_template_dirs(self) -> None:
        """Look for templates in our folder first."""
        super().setup_template_dirs()
        self.template_paths.insert(0, str(TEMPLATE))

    def init_handlers(self) -> list:
        """Voilà's own, but for those that `OURS` replaces; the organiser's page has files, too."""
        handlers = [
            (path, OURS.get(handler, handler), *more)
            for path, handler, *more in super().init_handlers()
        ]
        if self.is_organisers:
            names = "|".join(map(re.escape, FILES))
            handlers.insert(0, (f"{self.base_url}download/({names})", Download))
        return handlers

    def listen(self) -> None:
        """Take the port, or say that it is taken: an address on another port would mislead.

        Raises:
            ServeError: the port or the host cannot be had.
        """
        try:
            self.app.listen(self.port, self.ip, xheaders=bool(self.origin))
        except OSError as error:
            option = "--organiser-port" if self.is_organisers else "--port"
            remedy = f"is another server running? Stop it, or choose another {option}"
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                remedy = "--host is an address of this machine; 0.0.0.0 means all that it has"
            raise ServeError(
                f"{self.ip}:{self.port} cannot be served on ({error.strerror}); {remedy}"
            ) from error

    @property
    def is_organisers(self) -> bool:
        """Which of the two pages it is, wherever the notebooks lie."""
        return Path(self.notebook_path).stem == "organise"

    @property
    def address(self) -> str:
        """What to open in a browser, token included."""
        host = socket.gethostname() if self.ip in ("", "0.0.0.0", "::") else self.ip
        origin = self.origin or f"http://{host}:{self.port}"
        return f"{origin}{self.base_url}?token={quote(self.token)}"


@dataclass(frozen=True)
class Options:
    """What to serve, where, to whom."""

    queue: Path
    store: str
    host: str = "127.0.0.1"
    port: int = 8866
    organiser_port: int = 8867
    token: str = ""  # of the annotators; empty: a random one
    organiser_token: str = ""
    overlap: int = 1
    guidelines: Path | None = None
    idle: int = IDLE
    arrival: int = ARRIVAL
    pages: int | None = None  # of annotators at once; None: what memory has room for
    ready: int = READY
    base_url: str = ""
    public_url: str = ""


def make_page(
    notebook: str, port: int, token: str, options: Options, most: int, address: Address
) -> Page:
    """A page that is ready to start, for ``most`` visitors at once."""
    path = NOTEBOOKS / notebook
    token = token or secrets.token_urlsafe(24)
    settings = Config()
    settings.Voila.update(
        notebook_path=str(path),
        root_dir=str(path.parent),
        ip=options.host,
        port=port,
        base_url=address.path,
        tornado_settings={"allow_origin": address.origin},
        token=token,
        cookie_secret=sha256(token.encode()).digest(),  # who has come stays in after a restart
        identity_provider_class=TokenOnly,
        open_browser=False,
        log_level=logging.WARNING,
        config_file_paths=[],  # what lies about in a folder does not configure a public page
    )
    settings.TokenOnly.cookie_name = f"stabn-{path.stem}-{port}"  # a host's pages share cookies
    if address.origin:
        settings.TokenOnly.secure_cookie = address.origin.startswith("https://")
    settings.VoilaConfiguration.update(
        template="lab",
        multi_kernel_manager_class=Kernels,
        page_config_hook=with_themes_below,
        allow_template_override="NO",  # both would come from the address, typed by anyone
        allow_theme_override="NO",
        strip_sources=True,
        show_tracebacks=False,
        file_allowlist=[],
        file_denylist=[".*"],
        extension_allowlist=list(EXTENSIONS),
    )
    settings.VoilaExporter.exclude_markdown = True  # prose for readers of the book
    settings.Kernels.update(
        most=most,
        arrival=options.arrival,
        ready=options.ready if path.stem == "annotate" else 0,
        preload=PRELOAD,
        cull_idle_timeout=options.idle,
        cull_interval=min(CHECK, max(1, min(options.idle, options.arrival) // 4)),
        cull_connected=True,  # a forgotten tab too: its page then says so, and nothing is lost
    )
    page = Page(config=settings)
    page.origin = address.origin
    page.initialize(argv=[])
    return page


def with_themes_below(page: dict, base_url: str, **_) -> dict:
    """What a page is told, with the themes where they are: Voilà says them to be at the root."""
    return page | {"themesUrl": f"{base_url}voila/api/themes"}


def serve(options: Options) -> None:
    """Serve until interrupted (Ctrl-C or SIGTERM); end every kernel then.

    Raises:
        ServeError: no queue, or a port that is taken.
        AddressError: addresses that cannot be.
        GuidelinesError: guidelines that cannot be shown.
        StoreError: a store that cannot be used.
    """
    address = address_of(options.base_url, options.public_url)
    lines, file = look(options.queue, options.store), store_file(options.store)
    if options.guidelines:
        read_levels(options.guidelines)
    if file is None or file.exists():
        Store(options.store)  # what is wrong with it is said here, before a page says it
    os.environ.update(
        STABN_QUEUE=str(options.queue.resolve()),
        STABN_STORE=absolute(options.store),
        STABN_HOME=os.getcwd(),
        STABN_OVERLAP=str(options.overlap),
        STABN_GUIDELINES=str(options.guidelines.resolve()) if options.guidelines else "",
        OMP_NUM_THREADS=os.environ.get("OMP_NUM_THREADS", "1"),
    )
    asyncio.set_event_loop(asyncio.new_event_loop())
    loop = IOLoop.current()
    most = options.pages or room()
    wanted = [
        ("annotate.ipynb", options.port, options.token, most, address),
        (
            *("organise.ipynb", options.organiser_port, options.organiser_token, ORGANISERS),
            address.below("organise") if address != Address() else address,
        ),
    ]
    pages: list[Page] = []
    try:
        for notebook, port, token, places, where in wanted:
            page = make_page(notebook, port, token, options, places, where)
            pages.append(page)
            page.start()
            loop.add_callback(page.kernel_manager.make_ready)
        end_on_signals(lambda: loop.add_callback_from_signal(loop.stop))
        for line in lines:
            print(line)
        print(f"places:      {most} pages at once, each of about {PAGE / 2**20:.0f} MiB")
        print(f"annotators:  {pages[0].address}")
        print(f"organiser:   {pages[1].address}   (for you alone)")
        print("Ctrl-C ends both; what is saved stays saved", flush=True)
        loop.start()
    finally:
        for page in pages:
            if page.connection_dir:
                page.stop()
    print("ended, no kernel left", flush=True)


@click.command(help=__doc__.split("\n\n")[0])
@click.option(
    "--queue",
    type=given.path,
    default=Path("runs/mini_st_abn/queue"),
    show_default=True,
)
@click.option(
    "--store",
    envvar="STABN_STORE",
    help="File, or URL of a database (default: what STABN_STORE says, where a password is "
    "better kept than in a command; else edits.sqlite beside the queue).",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8866, show_default=True, type=PORT, help="Of the annotators' page.")
@click.option("--organiser-port", default=8867, show_default=True, type=PORT)
@click.option("--token", default="", help="Of the annotators (default: a random one).")
@click.option("--organiser-token", default="", help="(default: a random one)")
@click.option("--overlap", default=1, show_default=True, type=COUNT, help="Annotators a video.")
@click.option(
    "--guidelines",
    type=given.path,
    help="Markdown that says what 1, 0.5 and 0 mean in your videos (default: hands and things).",
)
@click.option(
    "--idle", default=IDLE, show_default=True, type=COUNT, help="Seconds until an idle page ends."
)
@click.option(
    "--arrival",
    default=ARRIVAL,
    show_default=True,
    type=COUNT,
    help="Seconds until a page ends that no browser has connected to.",
)
@click.option(
    "--public-url",
    default="",
    help="What people open where a proxy passes requests on, as in https://example.org/study/; "
    "the organiser's page is in organise/ below it.",
)
@click.option(
    "--base-url", default="", help="Path of the pages, as in /study/ (default: --public-url's)."
)
@click.option(
    "--pages",
    type=COUNT,
    help=f"Annotators' pages at once (default: what memory has room for, "
    f"{PAGE / 2**20:.0f} MiB each).",
)
@click.option(
    "--ready",
    default=READY,
    show_default=True,
    type=click.IntRange(min=0),
    help="Annotators' pages begun before anybody asks: whoever comes next does not wait.",
)
def command(queue: Path, store: str | None, **more) -> None:
    """Serve until interrupted."""
    serve(Options(queue=queue, store=store or str(queue.parent / "edits.sqlite"), **more))
