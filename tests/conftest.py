"""What the tests share: an app in this process, and real gunicorn processes where processes matter."""

import pytest

from tests.apps import SECRET, Apps, environ_of, fast_folder, started  # noqa: F401  tests import them from here
from tests.gunicorn_server import Server
from tests.postgresql_server import drop_all, drop_database_of

BOOKING = {
    "name": "John Doe",
    "email": "john.doe@example.com",
    "phone": "+1 555 0100",
    "vehicleType": "Car",
    "brand": "Toyota",
    "model": "Corolla",
    "service_type": "Engine Repair",
    "description": "It stopped on the bridge.",
    "location": "Brooklyn Bridge, New York",
    "latitude": 40.7061,
    "longitude": -73.9969,
}
CONTACT = {"fullName": "Jane Roe", "email": "jane.roe@example.com", "message": "Do you repair motorcycles too?"}
MECHANIC = {"name": "Max Torque", "email": "max@garage.example", "phone": "+1 555 0199", "verified": True}


LONG = {"test_slow_clients", "test_guessing", "test_platform", "test_sick_database", "test_crashes"}
LONG |= {"test_schemathesis"}


@pytest.fixture(scope="module")
def apps():
    """The apps that the tests of a module share."""
    with fast_folder() as folder:
        shared = Apps(folder)
        yield shared
        shared.close()


@pytest.fixture
def environ(request, apps):
    """The settings of a test, as an environment; a test may change them before it asks for `app` or `server`."""
    if request.node.get_closest_marker("own_database"):
        path = request.getfixturevalue("tmp_path") / "test.db"
        yield environ_of(path)
        drop_database_of(path)
    else:
        yield apps.environ()
        apps.empty()


def pytest_collection_modifyitems(items):
    """What waits most comes first, and the many short tests last: they fill what time is left to each process."""
    items.sort(key=lambda item: (item.path.stem not in LONG, "server" not in item.path.parts))


def pytest_sessionfinish():
    drop_all()


@pytest.fixture
def app(apps, environ):
    return apps.started(environ)


@pytest.fixture
def client(app):
    return Api(app.test_client())


@pytest.fixture(scope="module")
def lasting():
    with fast_folder() as folder:
        yield lasting_client(folder)


@pytest.fixture(scope="module")
def lasting_customer(lasting):
    return signup(lasting, "customer@example.com")


@pytest.fixture
def server(environ, tmp_path):
    """A running gunicorn with two workers. tests.server.Server tells what it can do."""
    with Server({**environ, "WEB_CONCURRENCY": "2"}, tmp_path / "server.log") as running:
        yield running


class Api:
    """Calls with JSON, as somebody: client.post(path, json, token=...) → werkzeug's TestResponse."""

    def __init__(self, client):
        self.client = client

    def call(self, method, path, json=None, token=None, headers=None, **kwargs):
        headers = dict(headers or {})
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if json is not None:
            kwargs["json"] = json
        return self.client.open(path, method=method, headers=headers, **kwargs)

    def get(self, path, **kwargs):
        return self.call("GET", path, **kwargs)

    def post(self, path, json=None, **kwargs):
        return self.call("POST", path, json, **kwargs)

    def put(self, path, json=None, **kwargs):
        return self.call("PUT", path, json, **kwargs)

    def delete(self, path, **kwargs):
        return self.call("DELETE", path, **kwargs)


def lasting_client(folder) -> Api:
    """For a module's tests that change nothing: making an app for each would take longer than all of them."""
    return Api(started(environ_of(folder / "lasting.db")).test_client())


def signup(client, email="user@example.com", password="password123", name="Some User"):
    """The token of a new customer."""
    answer = client.post("/api/auth/signup", {"name": name, "email": email, "password": password})
    assert answer.status_code == 201, answer.text
    return answer.json["token"]


@pytest.fixture
def customer(client):
    return signup(client, "customer@example.com")


@pytest.fixture
def admin(app, client):
    return make_admin(app, client, "admin@example.com")


def make_admin(app, client, email, password="password123"):
    """The token of a new admin."""
    token = signup(client, email, password)
    app.extensions["mechtech.db"].write("UPDATE users SET role = 'admin' WHERE lower(email) = :email", {"email": email})
    return token


def book(client, token=None, **changes):
    """The answer to a new booking: bookingId, and bookingToken for a guest."""
    answer = client.post("/api/booking/", {**BOOKING, **changes}, token=token)
    assert answer.status_code == 201, answer.text
    return answer.json


def hire(client, admin, email="max@garage.example", **changes):
    """The id of a new mechanic, verified unless changed."""
    answer = client.post("/api/mechanics/", {**MECHANIC, "email": email, **changes}, token=admin)
    assert answer.status_code == 201, answer.text
    return answer.json["mechanic"]["id"]


def complete(client, admin, booking_id, mechanic_id=None, **changes):
    """Take a pending booking to its end."""
    steps = [{"status": "confirmed", "mechanicId": mechanic_id}, {"status": "in-progress"}]
    for step in [*steps, {"status": "completed", **changes}]:
        answer = client.put(f"/api/booking/{booking_id}", step, token=admin)
        assert answer.status_code == 200, answer.text
