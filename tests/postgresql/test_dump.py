"""PostgreSQL's own programs back the database up and restore it, as docs/deploy.md says."""

import os
import re
import subprocess

from tests.conftest import Api, book, started
from tests.gunicorn_server import ROOT
from tests.postgresql_server import database_of, drop_database_of, find_program


def run(*command):
    subprocess.run([find_program(command[0]), *command[1:]], check=True)


def test_a_dump_that_is_restored_into_a_new_database_answers_as_before(environ, app, client, customer, tmp_path):
    booked, dump, path = book(client, customer), str(tmp_path / "mechtech.dump"), tmp_path / "new.db"
    try:
        run("pg_dump", "--format=custom", f"--file={dump}", environ["DATABASE_URL"])
        book(client, customer)
        new = {**environ, **database_of(path)}
        to = f"--dbname={new['DATABASE_URL']}"
        run("pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", to, dump)
        restored = Api(started(new).test_client())
        shown = [api.get(f"/api/booking/{booked['bookingId']}", token=customer).json for api in (client, restored)]
        assert shown[0] == shown[1]
        assert restored.get("/api/booking/", token=customer).json["total"] == 1
        assert book(restored, customer)["bookingId"] == booked["bookingId"] + 1
    finally:
        drop_database_of(path)


def test_the_nightly_dump_removes_old_ones_only_after_a_success(environ, app, tmp_path):
    text = (ROOT / "docs/deploy.md").read_text()
    script = re.search(r"/etc/cron\.daily/mechtech <<'EOF'\n(.*?)EOF\n", text, re.DOTALL)[1]
    script = script.replace("/var/backups/mechtech", str(tmp_path)).replace("/opt/mechtech", str(tmp_path))
    (tmp_path / "nightly").write_text(script)
    (tmp_path / "mechtech-2026-01-01.dump").write_text("old")
    os.utime(tmp_path / "mechtech-2026-01-01.dump", (0, 0))

    def run_nightly(url: str) -> list[str]:
        """The names of the dumps after it."""
        (tmp_path / ".env").write_text(f"DATABASE_URL={url}\n")
        path = f"{os.path.dirname(find_program('pg_dump'))}:{os.environ['PATH']}"
        subprocess.run(["sh", tmp_path / "nightly"], env={**os.environ, "PATH": path})
        return [file.name for file in tmp_path.glob("mechtech-*.dump")]

    assert run_nightly("postgresql://127.0.0.1:1/nowhere") == ["mechtech-2026-01-01.dump"]
    (new,) = run_nightly(environ["DATABASE_URL"])
    assert re.fullmatch(r"mechtech-[0-9-]{10}\.dump", new) and new != "mechtech-2026-01-01.dump"
