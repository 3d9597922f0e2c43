"""A site on a host of its own, and a line to the service that can fail: what a frontend has and the pages do not."""

from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

DOCS = Path(__file__).parent.parent.parent / "docs"


class Files(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def site(folder: Path):
    """The address of a site with an empty page and the scripts of docs/; its files are in the folder's `site`."""
    folder = folder / "site"
    folder.mkdir()
    for file in DOCS.glob("*.js"):
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "index.html").write_text("<!doctype html><title>A site</title>", encoding="utf-8")
    with served(partial(Files, directory=folder)) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def line(server):
    """(address, lost): what passes each request on to the server, and closes the connection in place of the answer to
    as many POSTs as lost holds; the service has done its work by then."""
    lost = [0]

    class Line(BaseHTTPRequestHandler):
        def pass_on(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = server.call(self.command, self.path, body=body, headers=dict(self.headers))
            if self.command == "POST" and lost[0]:
                lost[0] -= 1
                return
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                if name not in ("Connection", "Transfer-Encoding"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_OPTIONS = pass_on

        def log_message(self, *args):
            pass

    with served(Line) as port:
        yield f"http://127.0.0.1:{port}", lost


@contextmanager
def served(handler):
    """The port of an HTTP server in a thread."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http_server:
        Thread(target=http_server.serve_forever, daemon=True).start()
        yield http_server.server_port
        http_server.shutdown()
