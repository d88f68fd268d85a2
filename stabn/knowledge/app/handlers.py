"""What requests meet where Voilà's own answer would not do."""

from pathlib import Path
from urllib.parse import urlencode

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import IdentityProvider
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError, authenticated
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.static_file_handler import TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from stabn.knowledge.app.channel import Channel

NO_TOKEN = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<title>Annotating together</title><link rel="icon" href="data:;base64,=">
<style>body { font: 1em sans-serif; margin: 3em; color-scheme: light dark; }</style></head>
<body><h1>The address is not complete</h1><p>Please open the whole address that the organiser gave
you, with everything that comes after the question mark. If you did, let your browser keep this
page's cookie: it takes the place of what comes after the question mark.</p></body></html>"""


class Ask(JupyterHandler):
    """What somebody sees who comes without the token."""

    @allow_unauthenticated
    def get(self) -> None:
        """Say where to get it."""
        self.set_status(403)
        self.finish(NO_TOKEN)


class TokenOnly(IdentityProvider):
    """The token in the address, then a cookie. No form: Jupyter's would also set a password."""

    def get_handlers(self) -> list[tuple[str, type]]:
        """Where requests without the token end up."""
        return [(f"{self.parent.base_url}login", Ask)]


class Visit(TornadoVoilaHandler):
    """The page: its address in a few words, and what it is about once somebody starts it."""

    @authenticated
    async def get(self, path: str | None = None) -> None:
        """Start a kernel where `?start` asks for one; without, show a form that does.

        A token was swapped for a cookie just now: the address that follows no longer shows it to
        whoever looks over a shoulder, nor starts anything.
        """
        asked = self.request.query_arguments
        if path or ("start" in asked and "token" not in asked):
            await super().get(path)
        elif "token" in asked:
            rest = {name: asked[name] for name in asked if name not in ("token", "start")}
            self.redirect(self.base_url + (f"?{urlencode(rest, doseq=True)}" if rest else ""))
        else:
            annotators = Path(self.notebook_path).stem == "annotate"
            self.set_header("Cache-Control", "no-store")
            self.finish(self.render_template("start.html", annotators=annotators))


class Leave(VoilaShutdownKernelHandler):
    """Ends the kernel of a page that is closed."""

    def check_xsrf_cookie(self) -> None:
        """Let the page go: it cannot send the cookie's proof, and would leave its kernel behind.

        A kernel's id, which nobody can guess or list, is proof enough.
        """


class Templates(TemplateStaticFileHandler):
    """Files of Voilà's templates."""

    async def get(self, path: str, include_body: bool = True) -> None:
        """A file, or 404 where the path leads to none, out of the folder included."""
        try:
            await super().get(path, include_body)
        except (AssertionError, ValueError) as error:  # of a path that Voilà cannot take apart
            raise HTTPError(404) from error


OURS = {  # in place of Voilà's
    TemplateStaticFileHandler: Templates,
    TornadoVoilaHandler: Visit,
    VoilaKernelWebsocketHandler: Channel,
    VoilaShutdownKernelHandler: Leave,
}
