"""Names the launch that a process belongs to, so that one service can tell training runs apart."""

import os
import socket
from pathlib import Path


def launch_name() -> str:
    """One name for each launch: the same on all ranks, another if the run is started again.

    Ranks that a launcher started on one node share their parent process. On several nodes without Slurm or torchrun's
    `--rdzv-id` each node gets a name of its own: set `VIDEOSSR_REWARD_RUN` there.
    """
    if "SLURM_STEP_ID" in os.environ:
        return ".".join(os.environ.get(f"SLURM_{part}", "0") for part in ("JOB_ID", "STEP_ID", "RESTART_COUNT"))
    if (name := os.environ.get("TORCHELASTIC_RUN_ID", "none")) != "none":
        return name
    is_rank = "LOCAL_RANK" in os.environ or "RAY_JOB_ID" in os.environ
    pid = os.getppid() if is_rank else os.getpid()
    return ".".join(filter(None, (socket.gethostname(), str(pid), _start_time(pid), os.environ.get("RAY_JOB_ID"))))


def _start_time(pid: int) -> str:
    """Ticks since the machine started, where the system tells: containers give their processes the same ids each time."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
