"""Does a benchmark pay for bluffing?

In: the name of an Inspect task. Out: an `Audit`: what each scripted reply earns by the task's own prompt and scorer, and findings.
Knows Inspect; may import layers 0 to 2 and of `wager.evals` the parts that find tasks and read scores.
A new kind of reply goes into `replies.KINDS`, a new check of sources into `source.RULES`, a benchmark of the survey into `survey`.
Paper: Kalai, Nachum, Vempala and Zhang, "Why Language Models Hallucinate" (arXiv 2509.04664), section 5 and appendix F.
"""

from wager.audit.results import Audit, Evidence, Finding, Gain, Payoff
from wager.audit.run import audit

__all__ = ["Audit", "Evidence", "Finding", "Gain", "Payoff", "audit"]
