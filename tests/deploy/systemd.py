"""systemd's part, for the shipped unit of the service: a port that stays open, READY=1, reload and restart.

Run as a command it is the `systemctl` of deploy/upgrade, which finds the port, the place of the code and the folder of
the unit's files in its environment.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

UNIT = Path(__file__).parents[2] / "deploy/mechtech.service"
CODE = "/opt/mechtech/current"  # as the unit has it


def lines(name: str) -> list[str]:
    """What the unit has under this name."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


class Service:
    """The unit with its code in another place. folder: for its files. environ: beside what the unit sets."""

    def __init__(self, code: Path, folder: Path, listener: int, environ: dict):
        self.code, self.folder, self.listener = code, folder, listener
        self.environ = {"PATH": os.environ["PATH"], **environ}
        for line in lines("Environment"):
            self.environ.update([line.split("=", 1)])
        self.pid_file, self.log = folder / "pid", folder / "service.log"

    def start(self):
        """Raises CalledProcessError if the service ends before it is ready."""
        for command in lines("ExecStartPre"):
            self._run(command)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, self.log.open("ab") as log:
            address = f"@{self.folder}-{time.monotonic_ns()}"
            notify.bind(f"\0{address[1:]}")
            notify.settimeout(0.1)
            (command,) = lines("ExecStart")
            # As sd_listen_fds(3) has it: the port is file 3, and LISTEN_PID names the process itself.
            shell = f"export LISTEN_FDS=1 LISTEN_PID=$$; exec {self._here(command)} 3<&{self.listener}"
            process = subprocess.Popen(
                ["bash", "-c", shell],
                cwd=self.code.resolve(),
                env={**self.environ, "NOTIFY_SOCKET": address},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[self.listener],
                start_new_session=True,
            )
            while True:
                with contextlib.suppress(TimeoutError):
                    if b"READY=1" in notify.recv(4096):
                        break
                if process.poll() is not None:
                    raise subprocess.CalledProcessError(process.returncode, command)
        new = self.pid_file.with_suffix(".new")
        new.write_text(str(process.pid))
        new.replace(self.pid_file)  # which others may be reading

    def reload(self):
        for command in lines("ExecReload"):
            self._run(command)

    def reload_or_restart(self):
        self.reload() if running(int(self.pid_file.read_text())) else self.start()

    def stop(self):
        pid = int(self.pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + int(*lines("TimeoutStopSec"))
        while running(pid):
            if time.monotonic() > deadline:
                os.killpg(pid, signal.SIGKILL)
            time.sleep(0.02)

    def restart(self):
        self.stop()
        self.start()

    def workers(self) -> list[int]:
        pid = int(self.pid_file.read_text())
        return [int(pid) for pid in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def _here(self, command: str) -> str:
        return command.replace(CODE, str(self.code))

    def _run(self, command: str):
        environ = dict(self.environ)
        if self.pid_file.exists():
            environ["MAINPID"] = self.pid_file.read_text()
        with self.log.open("ab") as log:
            subprocess.run(
                self._here(command),
                shell=True,
                cwd=self.code.resolve(),
                env=environ,
                check=True,
                stdout=log,
                stderr=log,
            )


def running(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    verb, unit = sys.argv[1:]
    if unit != UNIT.stem:
        sys.exit(5)  # it is not installed
    service = Service(Path(os.environ["CODE"]), Path(os.environ["FOLDER"]), int(os.environ["LISTENER"]), {})
    getattr(service, verb.replace("-", "_"))()
