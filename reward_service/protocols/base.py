"""What a protocol is: how a trainer's request becomes items, and how their results become the reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from ..errors import Refusal
from ..items import MODES, Fault, Item, Mode


@dataclass(frozen=True)
class Call:
    """What the URL says of a request: `/slime/counting?mode=strict`."""

    task: str | None = None
    mode: Mode = "smooth"
    query: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, task: str | None, query_string: bytes, mode: Mode) -> Call:
        """What a URL says; `mode` where it says none.

        Raises:
            Refusal: if it names a mode that is unknown.
        """
        query = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
        asked = query.get("mode", mode)
        if asked not in MODES:
            raise Refusal(422, "invalid_request", f"mode={asked!r} is unknown; allowed: {', '.join(MODES)}")
        return cls(task, asked, query)


@dataclass(frozen=True)
class Protocol:
    """One trainer's wire format.

    Attributes:
        name: how documentation and metrics call it.
        path: where it is posted to. `path/TASK` names the task for all items.
        request: the type of its bodies, a msgspec Struct; what it does not name is ignored.
        reply: the type of its replies.
        read: a request's items. An item that is wrong may be a Fault.
        write: the reply's value. Without `partial` it is called only if every item was scored; a Fault makes the reply a 422.
        example: a request that is answered with 200.
        aliases: further paths, where the trainer fixes them; one may hold `{task}` itself.
        decode: reads a body where decoding it as `request` is not enough.
    """

    name: str
    summary: str
    path: str
    request: Any
    reply: Any
    read: Callable[[Any, Call], list[Item | Fault]]
    write: Callable[[Any, list[Any], Call], Any]
    example: Any
    aliases: tuple[str, ...] = ()
    partial: bool = False
    decode: Callable[[bytes], Any] | None = None
