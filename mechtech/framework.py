"""Flask, without some steps that it takes for every request and that change none of ours: a sixth of the time."""

from functools import cache, lru_cache

import flask
from flask.sessions import NullSession, SessionInterface

ROUTES_AT_MOST = 256  # that are kept, by path and method


class Request(flask.Request):
    blueprints = ()  # in which to look for hooks and error handlers: ours are all the app's
    close = None  # it has no files to close


class Response(flask.Response):
    def __call__(self, environ, start_response):
        """Every answer is whole, with its length if it has a body, and none has a Location: nothing is left to add."""
        if not self.response and self.status_code != 204:
            self.headers["Content-Length"] = "0"
        start_response(self.status, self.headers.to_wsgi_list())
        return () if environ["REQUEST_METHOD"] == "HEAD" else self.response


class NoSessions(SessionInterface):
    """Callers say who they are by a token, each time."""

    none = NullSession()

    def open_session(self, app, request):
        return self.none


class App(flask.Flask):
    request_class = Request
    response_class = Response
    session_interface = NoSessions()

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._route = lru_cache(ROUTES_AT_MOST)(self._find_route)

    def wsgi_app(self, environ, start_response):
        """A thread of the server's enters the app's context once: nothing of a request is kept in it."""
        if environ["wsgi.multithread"] and not flask.has_app_context():
            self.app_context().push()
        return super().wsgi_app(environ, start_response)

    def create_url_adapter(self, request):
        """Path and method alone decide about the route: there are no subdomains, and no redirects to name a host in.

        So what was found for them once is found again.
        """
        if request is None:
            return None
        return self._route(request.environ["PATH_INFO"], request.environ["REQUEST_METHOD"])

    def _find_route(self, path, method):
        adapter = self.url_map.bind("", path_info=path, default_method=method)
        adapter.match = cache(adapter.match)
        adapter.match(return_rule=True)  # raises for addresses that are not ours, so none of them is kept
        return adapter

    def ensure_sync(self, func):
        """No view and no hook of ours is async."""
        return func

    def do_teardown_request(self, exc=None):
        """Nothing of ours waits for a request's end; what is registered for it would not be called."""

    def do_teardown_appcontext(self, exc=None):
        """The same goes for its context's."""
