"""Child processes that end in order, and leave nothing behind when their parent is killed."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1  # prctl(2)


def end_with_parent(signum: int) -> None:
    """Ask Linux to send this process the signal when its parent ends, however it ends; elsewhere nothing happens."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)


def unshare_user() -> None:
    """Move this process into a user namespace of its own. Raises OSError where that is refused."""
    if _LIBC is None or _LIBC.unshare(0x10000000) != 0:  # CLONE_NEWUSER
        raise OSError(ctypes.get_errno(), "User namespaces are not allowed here.")


def born(pid: int) -> str:
    """When the process started, as a text to compare: with the pid it names one process for ever. "" when none runs."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        if sys.platform == "linux":
            return ""
        listed = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return listed.stdout.strip()
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[18]


@dataclass(frozen=True)
class PidFile:
    """One line: the process' pid, how it is asked to end, and when it was born."""

    path: Path

    @classmethod
    def of(cls, data_dir: Path, name: str) -> "PidFile":
        return cls(data_dir / "run" / f"{name}.pid")

    def write(self, pid: int, stop_signal: int) -> None:
        self.path.parent.mkdir(mode=0o711, exist_ok=True)
        self.path.write_text(f"{pid} {stop_signal} {born(pid)}", encoding="utf-8")

    def read(self) -> tuple[int, int] | None:
        """The pid and stop signal of the process this file names, if that very process still runs."""
        try:
            pid, stop_signal, since = self.path.read_text(encoding="utf-8").split(" ", 2)
        except (OSError, ValueError):
            return None
        return (int(pid), int(stop_signal)) if since and since == born(int(pid)) else None

    def runs(self) -> bool:
        return self.read() is not None

    def stop_leftover(self, grace: float) -> None:
        """End the process a killed supervisor left behind, if it is still there."""
        if (found := self.read()) is not None:
            pid, stop_signal = found
            os.kill(pid, stop_signal)
            if not wait_until(lambda: not self.runs(), grace):
                _kill_group(pid)
                wait_until(lambda: not self.runs(), 5)
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Program:
    """What to run. `confine` runs in the child just before the program does and may give rights up."""

    name: str
    argv: Sequence[str]
    stop_signal: int = signal.SIGTERM
    orphan_signal: int = signal.SIGTERM
    grace: float = 5.0
    confine: Callable[[], None] | None = None
    cwd: Path | None = None


class Process:
    """A running Program whose output goes to a log file."""

    def __init__(self, program: Program, data_dir: Path) -> None:
        self.program = program
        self.log = data_dir / "log" / f"{program.name}.log"
        self.pid_file = PidFile.of(data_dir, program.name)
        self.started_at = time.monotonic()
        parent = os.getpid()

        def prepare() -> None:
            if program.confine is not None:
                program.confine()
            # After confine(): changing user forgets the wish.
            end_with_parent(program.orphan_signal)
            if os.getppid() != parent:
                os._exit(1)

        with _log_file(self.log) as log:
            self._popen = subprocess.Popen(
                program.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=program.cwd,
                # Ctrl-C reaches the whole group of the terminal; the children must wait for their turn.
                start_new_session=True,
                preexec_fn=prepare,
            )
        try:
            self.pid_file.write(self._popen.pid, program.stop_signal)
        except OSError:
            # Nobody would know of it.
            self.stop()
            raise

    @property
    def pid(self) -> int:
        return self._popen.pid

    def ended(self) -> bool:
        """Whether it ended by itself; what it left in its process group is ended too."""
        if self._popen.poll() is None:
            return False
        _kill_group(self.pid)
        self.pid_file.path.unlink(missing_ok=True)
        return True

    def how_it_ended(self) -> str:
        code = self._popen.returncode
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def stop(self, grace: float | None = None) -> bool:
        """Ask it to end and wait; False when it had to be killed after its grace time (seconds)."""
        if self.ended():
            return True
        self._popen.send_signal(self.program.stop_signal)
        in_time = wait_until(self.ended, self.program.grace if grace is None else grace)
        if not in_time:
            _kill_group(self.pid)
            self._popen.wait()
            self.pid_file.path.unlink(missing_ok=True)
        return in_time

    def last_lines(self, count: int = 15) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-count:])


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again, at most for so many seconds; says whether it came true."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        pass


def _log_file(path: Path) -> BinaryIO:
    path.parent.mkdir(mode=0o711, exist_ok=True)
    if path.exists() and path.stat().st_size > 10 * 1024**2:
        path.replace(path.with_suffix(".log.1"))
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
