"""``wager serve``: an OpenAI-compatible gateway in front of any model. Detect the task, set the knobs, answer, decide, journal.

In: chat requests over HTTP. Out: OpenAI responses with one object ``wager`` beside them. `app` is the ASGI application, `answering` the
path of one request, `upstream` the model behind it, `journal` what is kept. Workers share nothing but files or a database.
May import detection, lookup, policy, elicit, grading, models and layer 0; never Inspect, never the report.
"""
