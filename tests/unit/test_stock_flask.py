"""What Flask's documentation promises works here: nothing of it is overridden."""

import pytest
from flask import Blueprint, g, jsonify

from mechtech import create_app
from mechtech.settings import from_environment
from tests.conftest import SECRET


class Teapot(Exception):
    pass


@pytest.fixture
def app(tmp_path):
    """The service with a blueprint of a newcomer's, which uses the ordinary idioms."""
    app = create_app(from_environment({"DB_PATH": str(tmp_path / "stock.db"), "JWT_SECRET": SECRET}))
    blueprint = Blueprint("newcomer", __name__, url_prefix="/newcomer")
    app.newcomer = {"torn_down": 0}

    @blueprint.before_request
    def begin():
        g.began = True

    @blueprint.after_request
    def end(response):
        response.headers["X-Newcomer"] = "yes"
        return response

    @blueprint.teardown_request
    def tear_down(error):
        app.newcomer["torn_down"] += 1

    @blueprint.errorhandler(Teapot)
    def short_and_stout(error):
        return {"error": "teapot"}, 418

    @blueprint.get("/g")
    def show_g():
        found = {"began": g.get("began"), "left": g.get("left")}
        g.left = "by an earlier request"
        return found

    @blueprint.get("/list")
    def show_list():
        return [1, 2]

    @blueprint.get("/response")
    def show_response():
        return jsonify(ok=True)

    @blueprint.get("/nested")
    def show_nested():
        return {"rows": [{"inner": "{}"}]}

    @blueprint.get("/teapot")
    def brew():
        raise Teapot

    @blueprint.get("/limited")
    @app.extensions["mechtech.limiter"].limit("2 per minute")
    def show_limited():
        return {}

    app.register_blueprint(blueprint)
    return app


def test_g_is_empty_at_each_request(app):
    client = app.test_client()
    for _ in range(2):
        assert client.get("/newcomer/g").json == {"began": True, "left": None}


def test_a_blueprints_hooks_run_for_its_own_requests_only(app):
    client = app.test_client()
    assert client.get("/newcomer/list").headers["X-Newcomer"] == "yes"
    assert app.newcomer["torn_down"] == 1
    assert "X-Newcomer" not in client.get("/health").headers
    assert app.newcomer["torn_down"] == 1


def test_a_blueprints_error_handler_answers_its_errors(app):
    answer = app.test_client().get("/newcomer/teapot")
    assert (answer.status_code, answer.json) == (418, {"error": "teapot"})


def test_a_view_may_return_a_list_a_dict_or_a_response(app):
    client = app.test_client()
    assert client.get("/newcomer/list").json == [1, 2]
    assert client.get("/newcomer/nested").json == {"rows": [{"inner": "{}"}]}
    assert client.get("/newcomer/response").json == {"ok": True}


def test_a_limit_of_flask_limiters_on_a_view_is_kept(app):
    client = app.test_client()
    answers = [client.get("/newcomer/limited") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json["error"] == "rate_limited"


def test_a_view_without_a_word_of_who_may_call_it_is_left_out_of_the_description(app):
    described = app.test_client().get("/openapi.json").json
    assert "/api/booking" in described["paths"]
    assert not [path for path in described["paths"] if path.startswith("/newcomer")]
