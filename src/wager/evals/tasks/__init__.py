"""Our own tasks: real questions, graded strictly, without network.

Each is a plain Inspect task that also runs alone; `wager.evals.rubric` puts the targets around it. A sample's metadata may hold
``stratum`` and ``answerable`` (False where "I don't know" is the only right reply). A scorer gives the answer as read from the
reply, and reason ``invalid_response_format`` where none can be read. To add a task: a file here, and its name in
``wager.evals._registry``.
"""

from wager.evals.tasks.birthdays import birthdays
from wager.evals.tasks.capitals import capitals
from wager.evals.tasks.letters import letters
from wager.evals.tasks.questions import questions

__all__ = ["birthdays", "capitals", "letters", "questions"]
