"""What Prometheus makes of /metrics, of the rules of its alerts, and of what the backup writes down for it."""

import json
import re
import shutil
import stat
import subprocess
import time
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from tests.gunicorn_server import ROOT, free_port
from tests.metrics import TOKEN
from tests.tools import all_workers_up, running, wait_until

pytestmark = pytest.mark.deploy

DEPLOY = ROOT / "deploy"
BACKUP_TIME = "mechtech_backup_last_success_timestamp_seconds"
OF_OTHERS = {BACKUP_TIME, "up", "probe_success", "probe_ssl_earliest_cert_expiry"}
OF_OTHERS |= {"node_filesystem_avail_bytes", "node_filesystem_size_bytes"}


def promtool(*args, **kwargs) -> subprocess.CompletedProcess:
    return subprocess.run(["promtool", *args], capture_output=True, text=True, **kwargs)


def alerts() -> list[str]:
    return re.findall("- alert: (.*)", (DEPLOY / "alerts.yml").read_text())


def test_promtool_finds_no_fault_with_the_rules():
    result = promtool("check", "rules", DEPLOY / "alerts.yml")
    assert (result.returncode, result.stderr) == (0, "")
    assert f"{len(alerts())} rules found" in result.stdout


def test_each_alert_goes_off_behind_its_bound_and_not_before_it(tmp_path):
    for path in DEPLOY / "alerts.yml", ROOT / "tests/deploy/alerts_tests.yml":
        shutil.copy(path, tmp_path)
    result = promtool("test", "rules", tmp_path / "alerts_tests.yml")
    assert result.returncode == 0, result.stdout + result.stderr
    tested = set(re.findall(r"alertname: (\w+)", (tmp_path / "alerts_tests.yml").read_text()))
    assert tested == set(alerts())


def test_the_document_says_for_each_alert_what_to_do():
    section = (ROOT / "docs/deploy.md").read_text().split("\n## Alerts")[1].split("\n## ")[0]
    assert re.findall(r"(?m)^\| `(\w+)` \|", section) == alerts()


def configured(folder: Path, port: int) -> Path:
    """deploy/prometheus.yml with its files in folder, for the service at the port, with a scrape each second."""
    (folder / "mechtech-token").write_text(f"{TOKEN}\n")
    shutil.copy(DEPLOY / "alerts.yml", folder / "mechtech-alerts.yml")
    text = (DEPLOY / "prometheus.yml").read_text()
    for old, new in ("/etc/prometheus", str(folder)), ("127.0.0.1:3000", f"127.0.0.1:{port}"), (" 15s", " 1s"):
        assert old in text
        text = text.replace(old, new)
    (folder / "prometheus.yml").write_text(text)
    return folder / "prometheus.yml"


def test_promtool_finds_no_fault_with_the_configuration(tmp_path):
    result = promtool("check", "config", configured(tmp_path, 3000))
    assert result.returncode == 0, result.stderr
    assert "WARNING" not in result.stdout + result.stderr


class Prometheus:
    """One that watches the service at the port."""

    def __init__(self, folder: Path, port: int):
        self.folder, self.port = folder, free_port()
        self.config = configured(folder, port)

    def __enter__(self):
        shown = [f"--config.file={self.config}", f"--storage.tsdb.path={self.folder / 'data'}"]
        where = f"--web.listen-address=127.0.0.1:{self.port}"
        with (self.folder / "prometheus.log").open("wb") as log:
            self.process = subprocess.Popen(["prometheus", *shown, where], cwd=self.folder, stdout=log, stderr=log)
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait(30)

    def ask(self, query: str) -> list[dict]:
        """What the query gives; [] while Prometheus is not up yet."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?query={quote(query)}", timeout=5) as answer:
                return json.load(answer)["data"]["result"]
        except OSError:
            return []


def test_prometheus_gets_all_that_the_alerts_ask_for_and_sees_a_database_that_is_not_well(tmp_path):
    with running(tmp_path, METRICS_TOKEN=TOKEN) as server, Prometheus(tmp_path, server.port) as prometheus:
        all_workers_up(server)
        text = server.call("GET", "/metrics", token=TOKEN).body.decode()
        lint = promtool("check", "metrics", input=text)
        assert (lint.returncode, lint.stdout, lint.stderr) == (0, "", "")
        wait_until(lambda: prometheus.ask('up{job="mechtech"} == 1'), 40, 0.2)
        asked = set(re.findall(r"\b(?:mechtech|node|probe)_[a-z_]+", (DEPLOY / "alerts.yml").read_text()))
        for name in asked - OF_OTHERS - {"mechtech_"}:
            wait_until(lambda name=name: prometheus.ask(name), 10, 0.2)
        assert not prometheus.ask('ALERTS{alertname="MechTECHDatabaseNotWell"}')
        database = tmp_path / "test.db"
        database.rename(tmp_path / "aside.db")
        wait_until(lambda: prometheus.ask('ALERTS{alertname="MechTECHDatabaseNotWell"}'), 40, 0.2)
        (tmp_path / "aside.db").rename(database)
        wait_until(lambda: not prometheus.ask('ALERTS{alertname="MechTECHDatabaseNotWell"}'), 40, 0.2)


def test_a_backup_tells_the_node_exporter_its_time(tmp_path):
    """As the unit has it, with another folder in place of the exporter's."""
    (command,) = re.findall(r"^ExecStartPost=\+(.*)$", (DEPLOY / "mechtech-backup.service").read_text(), re.MULTILINE)
    for folder in tmp_path / "missing", tmp_path:
        here = command.replace("/var/lib/prometheus/node-exporter", str(folder)).replace("%%", "%").replace("$$", "$")
        assert str(folder) in here
        subprocess.run(["sh", "-c", f"umask 077; {here}"], check=True)
    (file,) = tmp_path.glob("*.prom")
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    name, value = file.read_text().split()
    assert name == BACKUP_TIME
    assert 0 <= time.time() - int(value) < 60
