"""Names the launch that a process belongs to, so that one service can tell training runs apart."""

import os
import socket
from pathlib import Path


def launch_name() -> str:
    """One name for each launch: the same on all ranks, another if the run is started again.

    Ranks that a launcher started on one node share their parent process. On several nodes without Slurm or torchrun's
    `--rdzv-id` each node gets a name of its own: set `VIDEOSSR_REWARD_RUN` there.
    """
    environment = os.environ
    if "SLURM_STEP_ID" in environment:
        return ".".join(environment.get(f"SLURM_{part}", "0") for part in ("JOB_ID", "STEP_ID", "RESTART_COUNT"))
    if (name := environment.get("TORCHELASTIC_RUN_ID", "none")) != "none":
        return name
    pid = os.getppid() if "LOCAL_RANK" in environment or "RAY_JOB_ID" in environment else os.getpid()
    try:  # containers give their processes the same ids each time, but not the same start, in ticks of the machine
        start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        start = ""
    return ".".join(filter(None, (socket.gethostname(), str(pid), start, environment.get("RAY_JOB_ID"))))
