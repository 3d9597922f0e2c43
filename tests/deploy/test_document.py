"""The commands of docs/deploy.md, in their order, in a fresh Debian: from nothing to HTTPS, an upgrade and a rollback.

It needs root, debootstrap, the network, and the free ports 80, 443 and 3000. What cannot run in such a root has a
stand-in: systemd (systemd.py; what its own programs say of the units is in test_units.py), and the certificate's
authority, for which certbot's stand-in looks for the proof over HTTP and makes a certificate that signs itself.
"""

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.gunicorn_server import ROOT

pytestmark = [pytest.mark.deploy, pytest.mark.document]

RELEASE = "bookworm"
PACKAGES = "adduser,ca-certificates,iproute2,procps"  # which a machine has, and a root as small as this has not
STAND_INS = {
    "systemctl": """
cd /opt/mechtech/current
case "$*" in
    daemon-reload | list-timers*) ;;
    "reload nginx") nginx -s reload ;;
    "start mechtech-backup")
        command=$(sed -n 's/^ExecStart=//p' /etc/systemd/system/mechtech-backup.service)
        runuser -u mechtech -- ${command//%%/%} ;;
    "enable --now mechtech.socket mechtech mechtech-backup.timer")
        install -d -o mechtech /run/mechtech
        runuser -u mechtech -- python3 -m tests.deploy.systemd start mechtech ;;
    *) runuser -u mechtech -- python3 -m tests.deploy.systemd "$@" ;;
esac""",
    "certbot": """
[ "$1" = certonly ] || exit 0
folder=/etc/letsencrypt/live/api.mechtech.example
nginx  # which Debian's package starts where systemd is
mkdir -p /var/www/acme/.well-known/acme-challenge $folder
echo proof > /var/www/acme/.well-known/acme-challenge/token
[ "$(curl -s http://api.mechtech.example/.well-known/acme-challenge/token)" = proof ]
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=api.mechtech.example \\
    -addext subjectAltName=DNS:api.mechtech.example -keyout $folder/privkey.pem -out $folder/fullchain.pem
cp $folder/fullchain.pem /usr/local/share/ca-certificates/api.crt
update-ca-certificates""",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("debian")
    root.chmod(0o755)  # the service's user walks through it too
    subprocess.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, root], check=True)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    shutil.copytree("/usr/local/share/ca-certificates", root / "usr/local/share/ca-certificates", dirs_exist_ok=True)
    with (root / "etc/hosts").open("a") as file:
        file.write("127.0.0.1 localhost api.mechtech.example\n")
    for name, script in STAND_INS.items():
        (root / "usr/local/bin" / name).write_text(f"#!/bin/bash -e\n{script}\n")
        (root / "usr/local/bin" / name).chmod(0o755)
    subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, root / "srv/repository"], check=True)
    yield root
    shutil.rmtree(root)


def commands(first: str, last: str) -> str:
    """What is to be pasted between two headings."""
    text = (ROOT / "docs/deploy.md").read_text()
    return "".join(
        re.findall(r"^```sh\n(.*?)^```", text[text.index(first) : text.index(last)], re.MULTILINE | re.DOTALL)
    )


def test_the_document_leads_from_an_empty_machine_to_https_through_an_upgrade_and_back(root):
    steps = commands("## From an empty VM to HTTPS", "### What is where") + commands("## Upgrades", "## Mails")
    for old, new in {
        "URL-OF-THIS-REPOSITORY": "/srv/repository",
        "--name 'Your Name'": "--name 'Your Name' <<< $'password123\\npassword123'",
        "THE-ONE-BEFORE": "$(ls releases | head -n 1)",
    }.items():
        assert old in steps
        steps = steps.replace(old, new)
    check = 'readlink /opt/mechtech/current; curl -sS "https://$NAME/api/mechanics"\n'
    (root / "root/steps.sh").write_text(f"set -e\nupdate-ca-certificates\n{steps}{check}")
    with socket.create_server(("127.0.0.1", 3000), backlog=1024) as listener:
        environ = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "DEBIAN_FRONTEND": "noninteractive",
            "PIP_CERT": "/etc/ssl/certs/ca-certificates.crt",
            "CODE": "/opt/mechtech/current",
            "FOLDER": "/run/mechtech",
            "LISTENER": str(listener.fileno()),
        }
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]  # all of it ends with the test
        mounts = f"mount -t proc proc {root}/proc; mount --rbind /dev {root}/dev"
        result = subprocess.run(
            [*alone, "bash", "-ec", f"{mounts}; exec chroot {root} bash /root/steps.sh"],
            env=environ,
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    print(result.stdout)
    assert result.returncode == 0
    assert result.stdout.count('"status":"OK"') == 2
    first, second = sorted(os.listdir(root / "opt/mechtech/releases"))
    assert f"upgrade: done: /opt/mechtech/releases/{second} serves" in result.stdout
    assert result.stdout.endswith(f'releases/{first}\n{{"total":0,"mechanics":[]}}\n')
    assert {path.name.split("-")[0] for path in (root / "var/backups/mechtech").iterdir()} == {"mechtech", "upgrade"}
