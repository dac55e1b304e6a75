"""Typed answers. Each type brings a parser, the smooth and exact reward, a uniform guess and a blind baseline."""

from .base import Answer, Chance, Score
from .counts import Counts
from .instants import Instants
from .interval import Interval
from .labels import Labels
from .number import Number
from .order import Order
from .reading import Unparseable
from .sequence import Sequence

__all__ = [
    "Answer", "Chance", "Counts", "Instants", "Interval", "Labels", "Number", "Order", "Score", "Sequence", "Unparseable",
]  # fmt: skip
