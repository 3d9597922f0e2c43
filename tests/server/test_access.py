"""Nobody gets in: every endpoint by every kind of caller → the status. A new endpoint without a row fails here."""

import re
import time

import jwt
import pytest

from mechtech import create_app
from mechtech.accounts import repository as accounts
from mechtech.settings import from_environment
from mechtech.web import tokens
from mechtech.web.paths import endpoints
from tests.conftest import BOOKING, CONTACT, MECHANIC, SECRET, Api, book, complete, hire, make_admin, signup
from tests.endpoints import ENDPOINTS
from tests.gunicorn_server import ROOT
from tests.tools import settings, sql

CALLERS = ("nobody", "customer", "stranger", "guest", "other guest", "admin")
ORIGINALS = ("customer", "admin")  # with a token that the original issued
BAD_TOKENS = (
    *("expired", "without signature", "unsigned", "another algorithm", "another secret", "no user any more"),
    *("before the new password", "another user's signature", "no token at all", "another scheme", "a cursor"),
)
pytestmark = pytest.mark.filterwarnings("ignore:The HMAC key is")  # one token is signed with HS512

UPDATE = {"status": "cancelled"}
CONFIRM = {"status": "confirmed"}
FORGOT = {"email": "customer@example.com"}
REVIEW = {"rating": 4}
TOKEN = "a-token-of-the-tests"  # for /metrics, and no caller's here

# {own} is the customer's booking and {theirs} the guest's, {done} and {rated} the same, completed.
# The columns are the CALLERS. A bad token is a 401 wherever one is looked at.
# fmt: off
TABLE = [
    ("GET", "/health", None,                                (200, 200, 200, 200, 200, 200)),
    ("GET", "/", None,                                      (200, 200, 200, 200, 200, 200)),
    ("GET", "/openapi.json", None,                          (200, 200, 200, 200, 200, 200)),
    ("GET", "/docs", None,                                  (200, 200, 200, 200, 200, 200)),
    ("GET", "/docs/swagger-ui/{part}", None,                (200, 200, 200, 200, 200, 200)),
    ("GET", "/admin", None,                                 (200, 200, 200, 200, 200, 200)),
    ("GET", "/booking", None,                               (200, 200, 200, 200, 200, 200)),
    ("GET", "/reset", None,                                 (200, 200, 200, 200, 200, 200)),
    ("GET", "/metrics", None,                               (401, 401, 401, 401, 401, 401)),
    ("GET", "/pages/{file}", None,                          (200, 200, 200, 200, 200, 200)),
    ("POST", "/api/auth/signup", "signup",                  (201, 201, 201, 201, 201, 201)),
    ("POST", "/api/auth/login", "login",                    (200, 200, 200, 200, 200, 200)),
    ("GET", "/api/auth/profile", None,                      (401, 200, 200, 401, 401, 200)),
    ("PUT", "/api/auth/profile", {"phone": "+1 555 01"},    (401, 200, 200, 401, 401, 200)),
    ("POST", "/api/auth/logout", None,                      (401, 200, 200, 401, 401, 200)),
    ("POST", "/api/auth/forgot", FORGOT,                    (202, 202, 202, 202, 202, 202)),
    ("POST", "/api/auth/reset", "reset",                    (200, 200, 200, 200, 200, 200)),
    ("POST", "/api/booking", BOOKING,                       (201, 201, 201, 201, 201, 201)),
    ("GET", "/api/booking", None,                           (401, 200, 200, 401, 401, 200)),
    ("GET", "/api/booking/{own}", None,                     (401, 200, 404, 404, 404, 200)),
    ("GET", "/api/booking/{theirs}", None,                  (401, 404, 404, 200, 404, 200)),
    ("PUT", "/api/booking/{own}", UPDATE,                   (401, 200, 404, 404, 404, 200)),
    ("PUT", "/api/booking/{theirs}", UPDATE,                (401, 404, 404, 200, 404, 200)),
    ("PUT", "/api/booking/{own}", CONFIRM,                  (401, 403, 404, 404, 404, 200)),
    ("PUT", "/api/booking/{theirs}", CONFIRM,               (401, 404, 404, 403, 404, 200)),
    ("PUT", "/api/booking/{own}", {"mechanicId": None},     (401, 403, 404, 404, 404, 200)),
    ("POST", "/api/booking/{own}/link", FORGOT,             (202, 202, 202, 202, 202, 202)),
    ("DELETE", "/api/booking/{own}", None,                  (401, 200, 404, 404, 404, 200)),
    ("DELETE", "/api/booking/{theirs}", None,               (401, 404, 404, 200, 404, 200)),
    ("POST", "/api/booking/{done}/review", REVIEW,          (401, 201, 404, 404, 404, 403)),
    ("POST", "/api/booking/{rated}/review", REVIEW,         (401, 404, 404, 201, 404, 403)),
    ("POST", "/api/contact", CONTACT,                       (201, 201, 201, 201, 201, 201)),
    ("GET", "/api/contact", None,                           (401, 403, 403, 401, 401, 200)),
    ("GET", "/api/contact/{message}", None,                 (401, 403, 403, 401, 401, 200)),
    ("PUT", "/api/contact/{message}/read", None,            (401, 403, 403, 401, 401, 200)),
    ("DELETE", "/api/contact/{message}", None,              (401, 403, 403, 401, 401, 200)),
    ("GET", "/api/mechanics", None,                         (200, 200, 200, 200, 200, 200)),
    ("GET", "/api/mechanics/{mechanic}", None,              (200, 200, 200, 200, 200, 200)),
    ("GET", "/api/mechanics/{hidden}", None,                (404, 404, 404, 404, 404, 200)),
    ("GET", "/api/mechanics/{mechanic}/availability", None, (200, 200, 200, 200, 200, 200)),
    ("GET", "/api/mechanics/{hidden}/availability", None,   (404, 404, 404, 404, 404, 200)),
    ("POST", "/api/mechanics", "mechanic",                  (401, 403, 403, 401, 401, 201)),
    ("PUT", "/api/mechanics/{mechanic}", {"verified": 1},   (401, 403, 403, 401, 401, 200)),
]
# fmt: on
UNASKED = (  # they look at no token
    "/health",
    "/",
    "/openapi.json",
    "/docs",
    "/docs/swagger-ui/{part}",
    "/admin",
    "/booking",
    "/reset",
    "/pages/{file}",
    "/api/auth/signup",
    "/api/auth/login",
    "/api/auth/forgot",
    "/api/auth/reset",
    "/api/booking/{own}/link",
    "/api/contact",
)
ROWS = [pytest.param(*row, id=f"{row[0]} {row[1]}") for row in TABLE]


class World:
    """One of everybody, in an app of its own; fresh bookings, messages and mechanics for each call."""

    def __init__(self, folder):
        environ = settings(folder, MECHANIC_CAPACITY="1000", METRICS_TOKEN=TOKEN)
        self.app = create_app(from_environment(environ))
        self.client = Api(self.app.test_client())
        self.count = 0
        self.tokens = {"nobody": None}
        for name in ("customer", "stranger"):
            self.tokens[name] = signup(self.client, f"{name}@example.com")
        self.tokens["admin"] = make_admin(self.app, self.client, "admin@example.com")
        self.tokens["other guest"] = book(self.client)["bookingToken"]
        self.mechanic = hire(self.client, self.tokens["admin"])
        self.hidden = hire(self.client, self.tokens["admin"], "hidden@garage.example", verified=False)
        self.bad = {name: f"Bearer {token}" for name, token in self.bad_tokens(folder).items()}
        self.bad["no token at all"] = "Bearer "
        self.bad["another scheme"] = f"Token {self.tokens['customer']}"

    def bad_tokens(self, folder) -> dict:
        client, good = self.client, self.tokens["admin"]
        claims = jwt.decode(good, SECRET, ["HS256"])
        now = int(time.time())
        gone = signup(client, "gone@example.com")
        sql(folder / "test.db", "DELETE FROM users WHERE email = 'gone@example.com'")
        old = signup(client, "changed@example.com")
        change = {"currentPassword": "password123", "newPassword": "password124"}
        assert client.put("/api/auth/profile", change, token=old).status_code == 200
        head, payload, _ = good.split(".")
        for _ in range(2):
            book(client, self.tokens["customer"])
        page = client.get("/api/booking/?limit=1", token=self.tokens["customer"])
        return {
            "expired": jwt.encode({**claims, "iat": now - 9, "exp": now - 1}, SECRET, "HS256"),
            "without signature": f"{head}.{payload}.",
            "unsigned": jwt.encode(claims, None, "none"),
            "another algorithm": jwt.encode(claims, SECRET, "HS512"),
            "another secret": jwt.encode(claims, SECRET + "x", "HS256"),
            "another user's signature": f"{head}.{payload}.{self.tokens['customer'].split('.')[2]}",
            "no user any more": gone,
            "before the new password": old,
            "a cursor": page.json["nextCursor"],
        }

    def sign_in(self):
        """Tokens for those whose tokens a logout has ended."""
        for name in ("customer", "stranger", "admin"):
            body = {"email": f"{name}@example.com", "password": "password123"}
            self.tokens[name] = self.client.post("/api/auth/login", body).json["token"]

    def original(self, caller: str) -> str:
        """As jsonwebtoken signs it: the same claims, the header's names in another order."""
        claims = jwt.decode(self.tokens[caller], SECRET, ["HS256"])
        return jwt.encode(dict(sorted(claims.items())), SECRET, "HS256")

    def places(self, path: str) -> tuple[str, dict]:
        """The path with fresh ids in it, and the guest's token."""
        ids = {"mechanic": self.mechanic, "hidden": self.hidden, "file": "style.css", "part": "LICENSE"}
        guest = self.tokens["other guest"]
        tokens = {"own": self.tokens["customer"], "done": self.tokens["customer"], "theirs": None, "rated": None}
        for name in re.findall("{(.*?)}", path):
            if name in tokens:
                made = book(self.client, tokens[name])
                ids[name], guest = made["bookingId"], made.get("bookingToken")
                if name in ("done", "rated"):
                    complete(self.client, self.tokens["admin"], ids[name], self.mechanic)
            elif name == "message":
                ids[name] = self.client.post("/api/contact/", CONTACT).json["id"]
        # On paths without the guest's booking: a guest all the same, of another booking.
        return path.format(**ids), guest or book(self.client)["bookingToken"]

    def reset_token(self) -> str:
        """That of a link for the stranger's password."""
        with self.app.app_context():
            account = accounts.find_by_address("stranger@example.com")
            return tokens.for_reset(account["id"], accounts.reset_key(account))

    def body(self, kind):
        self.count += 1
        return (
            {
                "signup": {"name": "New User", "email": f"new{self.count}@example.com", "password": "password123"},
                "login": {"email": "customer@example.com", "password": "password123"},
                "reset": {"token": self.reset_token(), "newPassword": "password123"},
                "mechanic": {**MECHANIC, "email": f"new{self.count}@garage.example"},
            }[kind]
            if isinstance(kind, str)
            else kind
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("access"))


def test_every_endpoint_has_a_row(world):
    """In the table above, in the list of the tests and in docs/api.md; and every row has an endpoint."""
    rules = {
        (method, re.sub("<.*?>", ":id", rule.rule))
        for rule in world.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert {(method, re.sub("{.*?}", ":id", path)) for method, path, *_ in TABLE} == rules
    assert {(method, path) for method, path, _ in ENDPOINTS} == rules - {
        ("GET", "/pages/:id"),
        ("GET", "/docs/swagger-ui/:id"),
    }


def test_the_documents_table_names_every_endpoint_and_who_may_call_it():
    lines = (ROOT / "docs" / "api.md").read_text().split("## Endpoints")[1].split("\n## ")[0].splitlines()
    rows = [re.fullmatch(r"\| ([A-Z]+) (`/.*?`) \| ([a-z]+).* \| .* \|", line) for line in lines]
    listed = {(row[1], path, row[3]) for row in rows if row for path in re.findall("`(.*?)`", row[2])}
    assert listed == ENDPOINTS


def test_the_documents_tables_name_every_field_of_a_body_and_of_a_query(world):
    section = (ROOT / "docs" / "api.md").read_text().split("## Fields")[1].split("\n## ")[0]
    noted = [vars(view) for _, _, view, _ in endpoints(world.app)]
    schemas = {view[kind] for view in noted for kind in ("body_schema", "query_schema") if kind in view}
    assert {name for schema in schemas for name in schema().sent_names} <= set(re.findall(r"`(\w+)", section))


@pytest.mark.parametrize("method, path, body, expected", ROWS)
def test_each_caller_gets_what_is_theirs(world, method, path, body, expected):
    seen = {}
    for caller in CALLERS:
        place, guest = world.places(path)
        token = guest if caller == "guest" else world.tokens[caller]
        seen[caller] = world.client.call(method, place, world.body(body), token=token).status_code
        if path.endswith(("/logout", "/reset")):
            world.sign_in()
    for caller in ORIGINALS:
        place, _ = world.places(path)
        answer = world.client.call(method, place, world.body(body), token=world.original(caller))
        assert answer.status_code == seen[caller], f"the {caller}'s token of the original"
        if path.endswith(("/logout", "/reset")):
            world.sign_in()
    assert seen == dict(zip(CALLERS, expected))


@pytest.mark.parametrize("method, path, body, expected", ROWS)
def test_no_bad_token_opens_anything(world, method, path, body, expected):
    """Where it makes no difference who asks, it counts as none."""
    unasked = (path in UNASKED and (method, path) != ("GET", "/api/contact")) or path.startswith("/api/mechanics")
    counts_as_none = unasked and (method == "GET" or path in UNASKED)
    due = expected[0] if counts_as_none else 401
    seen = {}
    for name in BAD_TOKENS:
        place, _ = world.places(path)
        answer = world.client.call(method, place, world.body(body), headers={"Authorization": world.bad[name]})
        seen[name] = answer.status_code
        if due == 401:
            expired = name == "expired" and path != "/metrics"
            assert answer.json["error"] == ("token_expired" if expired else "unauthorized")
            assert answer.headers["WWW-Authenticate"].partition(" ")[0] == "Bearer"
    assert seen == dict.fromkeys(BAD_TOKENS, due)
