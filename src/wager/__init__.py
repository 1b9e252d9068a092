"""wager: make language models bet only on what they know.

A model that answers at confidence target t takes a bet: +1 if right, -t/(1-t) if wrong, 0 for "I don't know".
This top level holds the vocabulary; each room below it (``wager.metrics``, ``wager.evals``, ...) is imported by name.
"""

from wager.answers import Answer, Outcome
from wager.errors import WagerError
from wager.scoring import payoff
from wager.targets import ConfidenceTarget

__all__ = ["Answer", "ConfidenceTarget", "Outcome", "WagerError", "__version__", "payoff"]

__version__ = "0.1.0"
