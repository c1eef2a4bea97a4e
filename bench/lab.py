"""What bench/run and bench/guard share: a server, a folder with settings, and counting instructions."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
USER = "integracao"
ID = "3f7fda97-d8e2-b9ad-eb89-5a2fe9b07650"


def target_folder():
    """Where cargo puts what it builds."""
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def build(*arguments):
    """Runs cargo build, with its output where people read it."""
    subprocess.run(["cargo", "build", "--locked", *arguments], cwd=ROOT, check=True)


class Lab:
    """A server and a folder for what runs against it; both are gone when it ends."""

    def __init__(self, server, program, delay=0):
        self.program = program
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="crmauth-bench-"))
        self.server = subprocess.Popen(
            [server, self.folder, str(delay)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.facts = json.loads(self.server.stdout.readline())
        self.ca = self.folder / "ca.pem"
        self.environment = {
            "HOME": str(self.folder),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stdin.close()
        self.server.wait(timeout=10)
        shutil.rmtree(self.folder)

    def settings(self, scheme, accounts=0):
        """A folder whose .env names the server, with so many accounts beside the default one."""
        folder = self.folder / f"{scheme}-{accounts}"
        folder.mkdir()
        url = self.facts[scheme]
        lines = [
            f"GLUO_URL={url}",
            f"HELLOCLOUD_URL={url}",
            f"HELLOCLOUD_CLIENT_ID={ID}",
            "HELLOCLOUD_CLIENT_SECRET=segredo",
        ]
        if accounts:
            # The batch is of one system's accounts alone.
            lines = lines[:1]
        for account in ["", *(f"_A{number:04}__" for number in range(1, accounts))]:
            lines.append(f"GLUO_{account}USERNAME={USER}{account.lower()}")
            lines.append(f"GLUO_{account}ACCESS_KEY={self.facts['access_key']}")
        env = folder / ".env"
        env.write_text("\n".join(lines) + "\n")
        env.chmod(0o600)
        return folder

    def run(self, command, cwd, **more):
        """Runs a command in the lab's environment; it must succeed."""
        done = subprocess.run(
            command, cwd=cwd, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, **more
        )
        if done.returncode != 0:
            raise SystemExit(f"{command}: exit code {done.returncode}\n{done.stderr}")
        return done

    def instructions(self, command, cwd):
        """How many instructions a command and its children take, as callgrind counts them."""
        callgrind = ["valgrind", "--tool=callgrind", "--trace-children=yes", "--callgrind-out-file=/dev/null"]
        done = self.run([*callgrind, *command], cwd)
        return sum(int(count) for count in re.findall(r"Collected : (\d+)", done.stderr))
