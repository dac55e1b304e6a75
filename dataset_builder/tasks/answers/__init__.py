"""Typed answers. Each type brings a parser, the smooth and exact reward, a uniform guess and a blind baseline."""

from .base import Answer, Chance, Score
from .counts import Counts
from .interval import Interval
from .order import Order
from .reading import Unparseable

__all__ = ["Answer", "Chance", "Counts", "Interval", "Order", "Score", "Unparseable"]
