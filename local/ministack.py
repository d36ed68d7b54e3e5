"""Start MiniStack, an AWS on this machine, and find or kill the Lambda runtimes that it runs."""

import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import urllib3

from local.paths import MINISTACK
from local.processes import Service, free_port

REGION = "us-east-1"
# Nothing of the caller's AWS set-up may reach the local stack, nor the local one a real account.
_OWN_VARIABLES = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def aws_environment(endpoint: str) -> dict[str, str]:
    """The environment of every process that shall talk to the local AWS and to no other."""
    kept = {name: os.environ[name] for name in _OWN_VARIABLES if name in os.environ}
    return kept | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


class MiniStack:
    """The local AWS at ``endpoint``."""

    def __init__(self, logs: Path) -> None:
        self._port = free_port()
        self.endpoint = f"http://127.0.0.1:{self._port}"
        self.log = logs / "ministack.log"
        # It unpacks functions and layers into temporary directories and leaves them there.
        self._scratch = Path(tempfile.mkdtemp(prefix="tollgate-ministack-"))
        environment = aws_environment(self.endpoint) | {
            "GATEWAY_PORT": str(self._port),
            "BIND_HOST": "127.0.0.1",
            "HOME": str(self._scratch),
            "TMPDIR": str(self._scratch),
            "STATE_DIR": str(self._scratch / "state"),
            "S3_DATA_DIR": str(self._scratch / "s3"),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LAMBDA_EXECUTOR": "local",
            # A warm runtime stays warm for a whole test run.
            "LAMBDA_WARM_TTL_SECONDS": "3600",
            "LAMBDA_ACCOUNT_CONCURRENCY": "200",
        }
        self._service = Service("MiniStack", [str(MINISTACK)], environment, self.log, str(self._scratch))

    def start(self) -> None:
        """Raises ``StartFailed``."""
        if not MINISTACK.exists():
            raise FileNotFoundError(".venv-ministack is missing: run `make setup`")
        self._service.start(self._answers, seconds=60)

    def stop(self) -> None:
        """Also removes what it unpacked."""
        self._service.stop()
        shutil.rmtree(self._scratch, ignore_errors=True)  # also where it never started

    def runtimes(self, function: str) -> list[int]:
        """Process ids of the function's runtimes, warm or busy (Linux only)."""
        own = f"GATEWAY_PORT={self._port}".encode()
        name = f"AWS_LAMBDA_FUNCTION_NAME={function}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            try:
                variables = (entry / "environ").read_bytes().split(b"\0") if entry.name.isdigit() else []
            except OSError:
                continue
            if own in variables and name in variables:
                found.append(int(entry.name))
        return found

    def kill_runtimes(self, function: str) -> int:
        """SIGKILL the function's runtimes, as a machine that goes away does; returns how many there were."""
        killed = self.runtimes(function)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        # Returns when their connections are closed, too: a dead process is a zombie until its parent has looked.
        deadline = time.monotonic() + 5
        while any(_lives(pid) for pid in killed) and time.monotonic() < deadline:
            time.sleep(0.005)
        return len(killed)

    def _answers(self) -> bool:
        try:
            url = f"{self.endpoint}/_ministack/ready"
            return urllib3.request("GET", url, retries=False, timeout=2).status == 200
        except urllib3.exceptions.HTTPError:
            return False


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
