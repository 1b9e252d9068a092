"""Which kind of task a prompt is, and what cuts across kinds: is there distress, is evidence supplied, is anything at stake?

In: a prompt as text. Out: a `Detected` with calibrated probabilities; under a certified threshold the kind is ``general``. May import
layer 0, metrics and policy's calibrators' inputs, never the gateway. The prompts that it is fitted on lie in ``prompts/``, one file for
each kind; ``held_out.jsonl`` is never fitted on. A new kind is a name in `kinds.KINDS` and a file of prompts.
"""
