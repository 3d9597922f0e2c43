from mechtech.version import VERSION


def test_health_tells_that_the_database_answers(client):
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json == {
        "status": "OK",
        "message": "MechTECH is running.",
        "version": VERSION,
        "database": "ok",
    }


def test_health_of_a_running_server(server):
    assert server.call("GET", "/health").json["status"] == "OK"
