"""The CPU as a verl accelerator. Ray is told of one "GPU" that does not exist, because verl places its workers on GPUs."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import ray
import torch
import torch.distributed as dist
from verl.plugin.platform import PlatformBase, PlatformRegistry

from .torchvision import make_importable

make_importable()
_MEMORY = 16 << 30  # bytes: reported as free and as total memory; verl only logs them


class _Device(types.ModuleType):
    """Stands in for `torch.cuda`: counters return 0, all other functions do nothing."""

    _VALUES: ClassVar[dict[str, Callable[..., Any]]] = {
        "mem_get_info": lambda *_: (_MEMORY, _MEMORY),
        "is_available": lambda: False,
        "get_device_name": lambda *_: "cpu",
        "get_rng_state": lambda *_: torch.get_rng_state(),
        "set_rng_state": lambda state, *_: torch.set_rng_state(state),
    }
    _COUNTERS = ("memory_allocated", "memory_reserved", "max_memory_allocated", "max_memory_reserved", "device_count", "current_device")  # fmt: skip

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self._COUNTERS:
            return lambda *_, **__: 0
        return self._VALUES.get(name, lambda *_, **__: None)


@PlatformRegistry.register(platform="cpu")
class CpuPlatform(PlatformBase):  # type: ignore[misc]
    """verl's platform interface for one process without a device."""

    device_name = "cpu"
    vendor_name = "cpu"
    device_module = _Device("trainer_cpu_device")

    def is_available(self) -> bool:
        return True

    def current_device(self) -> str:
        return "cpu"

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None: ...

    def synchronize(self, device_index: int | None = None) -> None: ...

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None: ...

    def empty_cache(self) -> None: ...

    def get_device_capability(self, device_index: int | None = None) -> tuple[None, None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    @contextlib.contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        yield

    def profiler_start(self) -> None: ...

    def profiler_stop(self) -> None: ...

    def ray_resource_name(self) -> str:
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return []

    def is_ipc_supported(self) -> bool:
        return False

    def cudart(self) -> None:
        return None


_init_process_group = dist.init_process_group


def _init_gloo(backend: str | None = None, *args: Any, **kwargs: Any) -> Any:
    """verl requests `cpu:gloo,<device>:<backend>`, which would name the CPU twice here."""
    return _init_process_group("gloo" if backend == "cpu:gloo,cpu:gloo" else backend, *args, **kwargs)


dist.init_process_group = _init_gloo


_ray: Any = ray.util
_ray.get_node_ip_address = lambda: "127.0.0.1"  # where verl's servers listen
