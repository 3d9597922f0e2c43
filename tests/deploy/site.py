"""nginx with the shipped configuration, before a gunicorn: only paths, ports and the service's address are replaced."""

import getpass
import http.client
import os
import re
import socket
import ssl
import subprocess
import time
from pathlib import Path

from tests.gunicorn_server import ROOT, Answer, Server, call, free_port

NAME = "api.mechtech.example"  # as in the configuration, with the origin of the site's pages
ORIGIN = "https://mechtech.example"
CONFIGURATION = ROOT / "deploy/nginx.conf"
# What Debian's /etc/nginx/nginx.conf has around a site, with files that an ordinary folder can hold.
AROUND = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 768; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


class Connection(http.client.HTTPSConnection):
    """To this machine, under the name of the host."""

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


class Site:
    """An nginx whose files are in folder, before the service."""

    def __init__(self, folder: Path, service: Server):
        self.folder = folder
        self.service = service
        self.http_port, self.https_port = free_port(), free_port()
        self.log = folder / "mechtech.log"
        self.process = None

    def __enter__(self):
        certify(self.folder)
        text = CONFIGURATION.read_text()
        for old, new in {
            "127.0.0.1:3000": f"127.0.0.1:{self.service.port}",
            f"/etc/letsencrypt/live/{NAME}": str(self.folder),
            "/var/log/nginx": str(self.folder),
            "/var/www/acme": str(self.folder / "acme"),
        }.items():
            assert old in text
            text = text.replace(old, new)
        for old, new in (80, self.http_port), (443, self.https_port):
            text = re.sub(rf"(listen (?:\[::\]:)?){old}\b", rf"\g<1>{new}", text)
        (self.folder / "site.conf").write_text(text)
        user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
        (self.folder / "nginx.conf").write_text(AROUND.format(user=user, folder=self.folder))
        self.process = subprocess.Popen(self.nginx())
        self._wait_until_up()
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait(20)

    def _wait_until_up(self):
        for _ in range(200):
            try:
                return self.connect(timeout=1).connect()
            except OSError:
                time.sleep(0.05)
        raise RuntimeError((self.folder / "error.log").read_text())

    def nginx(self, *args: str) -> list[str]:
        return ["/usr/sbin/nginx", "-e", f"{self.folder}/error.log", "-c", f"{self.folder}/nginx.conf", *args]

    def connect(self, name: str = NAME, timeout: float = 40) -> Connection:
        """A connection over TLS that trusts the site's certificate and no other."""
        trusted = ssl.create_default_context(cafile=self.folder / "fullchain.pem")
        return Connection(name, self.https_port, context=trusted, timeout=timeout)

    def call(self, method, path, json=None, headers=None, body=None) -> Answer:
        connection = self.connect()
        try:
            return call(connection, method, path, json, None, headers, body)
        finally:
            connection.close()

    def call_http(self, method, path, headers=None) -> Answer:
        """Without TLS."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=10)
        try:
            return call(connection, method, path, headers={"Host": NAME, **(headers or {})})
        finally:
            connection.close()


def certify(folder: Path):
    """Make a certificate that signs itself, where nginx looks for one."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
    files = ["-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"]
    subprocess.run([*command, "-addext", f"subjectAltName=DNS:{NAME}", *files], check=True, capture_output=True)
