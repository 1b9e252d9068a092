"""What wrapping costs: a task under `wager/open_rubric` (closed, so the calls are the same) against plain Inspect, in turns.

    python benchmarks/overhead.py [items on the server] [items on the embedded model]

Needs the package `openai` for the first table: the instant server speaks its protocol on a loopback port.
"""

import json
import os
import statistics
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.scorer import choice
from inspect_ai.solver import multiple_choice

from wager.evals.rubric import open_rubric
from wager.evals.tasks import capitals

ROUNDS = 5
REPLY = {
    "id": "x",
    "object": "chat.completion",
    "created": 0,
    "model": "instant",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "ANSWER: B"}}],
    "usage": {"prompt_tokens": 50, "completion_tokens": 4, "total_tokens": 54},
}


class Instant(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(REPLY).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@task
def options(n: int = 300) -> Task:
    samples = [Sample(id=i, input=f"Question {i}?", choices=["w", "x", "y", "z"], target="ABCD"[i % 4]) for i in range(n)]
    return Task(dataset=samples, solver=multiple_choice(), scorer=choice())


def seconds(made: Task, model: str, **options: object) -> float:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        (log,) = inspect_eval(made, model=model, log_dir=folder, display="none", score_display=False, **options)  # type: ignore[arg-type]
        assert log.status == "success", log.error
        return time.perf_counter() - started


def compare(title: str, plain: object, wrapped: object, items: int) -> None:
    plain(), wrapped()  # type: ignore[operator]  # warm: imports, connections, weights
    pairs = [(plain(), wrapped()) for _ in range(ROUNDS)]  # type: ignore[operator]
    ratio = statistics.median(b / a for a, b in pairs)
    extra = statistics.median((b - a) / items * 1000 for a, b in pairs)
    middle = statistics.median(a / items * 1000 for a, _ in pairs)
    print(f"{title:<28} {items:5d} items  plain {middle:7.2f} ms/item  wrapped/plain {ratio:5.3f}  difference {extra:+6.2f} ms/item")


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    few = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    server = ThreadingHTTPServer(("127.0.0.1", 0), Instant)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {"INSTANT_BASE_URL": f"http://127.0.0.1:{server.server_port}/v1", "INSTANT_API_KEY": "none"}
    here = f"{Path(__file__).resolve()}@options"
    model = "openai-api/instant/x"
    compare(
        "instant local server",
        lambda: seconds(options(n), model, max_connections=20),
        lambda: seconds(open_rubric(task=here, task_args={"n": n}), model, max_connections=20),
        n,
    )
    model = "embedded/smollm2-135m-instruct"
    more = {"temperature": 0.0, "logprobs": True, "top_logprobs": 1, "limit": few}
    compare(
        "embedded model",
        lambda: seconds(capitals(), model, **more),
        lambda: seconds(open_rubric(task="wager/capitals"), model, **more),
        few,
    )


if __name__ == "__main__":
    main()
