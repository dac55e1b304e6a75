"""A protocol: how a trainer's request becomes items, and how their results become the reply."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl

from starlette.requests import HTTPConnection

from ..scoring.items import MODES, Fault, Item, Mode
from .messages import Refusal

if TYPE_CHECKING:
    from fastapi import APIRouter


@dataclass(frozen=True)
class Call:
    """The parameters in a request's URL, e.g. `/run/exp7/slime/counting?mode=strict`."""

    task: str | None = None
    run: str = ""
    mode: Mode = "smooth"
    query: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, connection: HTTPConnection, default_mode: Mode) -> Self:
        """Read the parameters of a URL; raises Refusal 422 if it names an unknown mode."""
        query_string, path = connection.scope["query_string"], connection.path_params
        query = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)) if query_string else {}
        mode = query.get("mode", default_mode)
        if mode not in MODES:
            raise Refusal(422, "invalid_request", f"mode={mode!r} is unknown; allowed: {', '.join(MODES)}")
        return cls(path.get("task"), path.get("run", ""), mode, query)


@dataclass(frozen=True)
class Protocol:
    """One trainer's wire format. Its paths set the task of all items if a task's name follows: `path/TASK`."""

    name: str
    summary: str
    path: str
    request: Any  # the type of bodies, a msgspec Struct; unknown keys are ignored
    read: Callable[[Any, Call], list[Item | Fault]]  # the items of a request; one that is not valid may be a Fault
    write: Callable[[Any, list[Any], Call], Any]  # the reply; unless `partial`, it is called only if every item was scored
    example: Any  # a valid request, for the documentation
    aliases: tuple[str, ...] = ()  # paths that the trainer prescribes; they may hold `{task}`
    partial: bool = False  # whether a reply may hold both scores and Faults; else any Fault makes the reply an error
    decode: Callable[[bytes], Any] | None = None  # if decoding a body as `request` is not enough
    reply: Any = dict[str, Any]  # the type of replies
    routes: "APIRouter | None" = None  # further routes, served below `/`, `/NAME/` and `/NAME/TASK/`

    @property
    def all_paths(self) -> tuple[str, ...]:
        """All paths; `{task}` stands for a task's name."""
        paths = (self.path, *self.aliases)
        return tuple(dict.fromkeys([*paths, *(f"{path}/{{task}}" for path in paths if "{" not in path)]))
