"""Typed answers. A task picks a type and has its reader, its smooth and exact reward, its uniform guess and its blind baseline."""

from .base import Answer, Chance, Score
from .counts import Counts
from .interval import Interval
from .order import Order
from .reading import Unparseable

__all__ = ["Answer", "Chance", "Counts", "Interval", "Order", "Score", "Unparseable"]
