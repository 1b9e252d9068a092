"""``wager serve``: an OpenAI-compatible gateway in front of a model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from wager.cli.columns import plain
from wager.errors import MissingExtraError, UsageError

__all__ = ["add_parser"]

EXAMPLES = """\
examples:
  wager serve                                                       # the embedded model, at http://127.0.0.1:8080
  wager serve --upstream https://api.example.com/v1 --key-env API_KEY --policy policy.toml --workers 2
  wager serve --documents ~/notes                                   # looks things up there where the model is not sure
  wager serve --new-key laptop --keys keys.toml                     # makes an API key, prints it once
  wager serve --label labels.jsonl --kind debugging "why is my pod evicted"
"""

CHECKED = (
    "check settings, policy, keys, detector, a GGUF file and document folders, print what is expected, and do not start; nothing is asked "
    "of the upstream, the journal or Redis"
)


def add_parser(verbs: Any) -> None:  # Any: argparse names its subparsers' type privately
    """Adds the verb ``serve``."""
    parser = verbs.add_parser(
        "serve",
        help="put an OpenAI-compatible gateway in front of a model: it answers, hedges, looks up, asks or abstains",
        description="Serve a model over the OpenAI API: detect the task, set the knobs, answer, and say how sure that is.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--config", metavar="FILE", type=Path, help="settings in TOML; the options below go before it")
    add("--upstream", metavar="URL", action="append", help="embedded (default), gguf/PATH, or a base URL; again: a stand-in")
    add("--model", metavar="M", help="the model to ask for where a client names none")
    add("--key-env", metavar="NAME", help="environment variable with the upstream's API key")
    add("--policy", metavar="FILE", help="made by wager calibrate; default policy.toml if it is there, else the embedded model's own")
    add("--documents", metavar="FOLDER", type=Path, help="folder to look things up in")
    add("--host", metavar="H", help="address to listen on; default 127.0.0.1: this machine only")
    add("--port", metavar="P", type=int, help="default 8080")
    add("--workers", metavar="N", type=int, help="processes; default 1")
    add("--journal", metavar="WHERE", help="folder, or postgresql:// address; 'none' keeps nothing; default wager-journal")
    add("--keep-text", action="store_true", default=None, help="let the journal keep what is asked and answered")
    add("--keys", metavar="FILE", help="API keys of clients")
    add("--insecure", action="store_true", default=None, help="listen to other machines without keys")
    add("--redis", metavar="URL", help="limits that all workers share")
    add("--detector", metavar="FILE", help="a detector made with --label ... --refit")
    add("--logs", metavar="HOW", choices=("auto", "json", "text"), help="auto, json or text")
    add("--no-page", dest="page", action="store_false", default=None, help="no playground at /")
    add("--check", action="store_true", help=CHECKED)
    add("--new-key", metavar="NAME", help="make an API key in the file of --keys, print it once, and end")
    add("--label", metavar="FILE", type=Path, help="add PROMPTs of --kind to a file of your own examples, and end")
    add("--kind", metavar="K", help="the kind of the prompts that are labelled")
    add("--refit", metavar="FILE", type=Path, help="with --label: make a detector of the shipped prompts and your own, for --detector")
    add("--force", action="store_true", help="with --refit: also where it is worse on the shipped prompts")
    add("prompts", metavar="PROMPT", nargs="*", help="with --label: prompts; without any they are read from standard input, one a line")
    parser.set_defaults(run=run, stopped="what was decided is in the journal")


def run(options: argparse.Namespace) -> int:
    """Parses, checks, serves."""
    try:
        import aiohttp  # noqa: F401
        import orjson  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(error.name or "starlette", "serve", "wager serve") from error
    if options.label is not None or options.refit is not None:
        return _label(options)
    if options.prompts:
        raise UsageError(f"prompts go with --label FILE --kind KIND, got {options.prompts[0]!r} without")
    if options.new_key is not None:
        return _new_key(options)
    from wager.gateway.server import check, serve

    settings = _settings(options)
    lines = check(settings)
    for line in lines:
        print(f"wager serve: {plain(line)}", file=sys.stderr)
    if options.check:
        return 0
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    what = " and a playground at /" if settings.page else ""

    def ready(port: int) -> None:
        print(f"wager serve: http://{shown}:{port}/v1{what}; Ctrl-C ends it", file=sys.stderr, flush=True)

    return serve(settings, ready=ready)


def _settings(options: argparse.Namespace) -> Any:
    """The file's settings with the options in their place."""
    from wager.gateway.settings import Settings, UpstreamSettings, read_settings

    values = read_settings(options.config) if options.config else {}
    named = ("policy", "host", "port", "workers", "journal", "keep_text", "keys", "insecure", "redis", "detector", "logs", "page")
    values |= {name: getattr(options, name) for name in named if getattr(options, name) is not None}
    if values.get("journal") == "none":
        values["journal"] = None
    if options.upstream:
        values["upstreams"] = tuple(UpstreamSettings(url=url) for url in options.upstream)
    first, *others = values.get("upstreams", (UpstreamSettings(),))
    if options.model or options.key_env:
        first = UpstreamSettings(
            url=first.url, model=options.model or first.model, key_env=options.key_env or first.key_env, seconds=first.seconds
        )
    values["upstreams"] = (first, *others)
    if options.documents is not None:
        values["lookups"] = (*values.get("lookups", ()), {"name": "documents", "folder": str(options.documents.expanduser().resolve())})
    return Settings(**values)


def _new_key(options: argparse.Namespace) -> int:
    from wager.gateway.keys import add_key

    if options.keys is None:
        raise UsageError("--new-key NAME goes with --keys FILE, in which the key's hash is kept")
    key = add_key(options.keys, options.new_key)
    print(key)
    print(f"wager serve: this is the only time that the key is shown; {options.keys} keeps its hash", file=sys.stderr)
    return 0


def _label(options: argparse.Namespace) -> int:
    """Own examples for the detector."""
    from wager.detection.labelled import add_label

    if options.label is None:
        raise UsageError("--refit FILE goes with --label FILE, the file of your own examples")
    prompts = options.prompts or ([line.rstrip("\n") for line in sys.stdin if line.strip()] if options.kind else [])
    if prompts and options.kind is None:
        raise UsageError("--label needs --kind: which kind of task the prompts are")
    if not prompts and options.refit is None:
        raise UsageError("--label needs prompts with their --kind, or --refit FILE to make a detector of those that are there")
    for prompt in prompts:
        add_label(options.label, prompt, options.kind)
    if prompts:
        print(f"wrote {len(prompts)} prompts of the kind {options.kind} to {options.label}")
    if options.refit is not None:
        return _refit(options)
    return 0


def _refit(options: argparse.Namespace) -> int:
    """Exit status 1 where the new detector is not kept."""
    from wager.detection.labelled import refit

    found = refit(options.label, options.refit, force=options.force)
    own = "unknown" if found.own_accuracy is None else f"{100 * found.own_accuracy:.0f} %"
    print(f"fitted on {found.own} prompts of your own and {found.shipped:,} shipped ones")
    shipped = f"{100 * found.accuracy:.1f} % of the shipped ones (packaged: {100 * found.packaged:.1f} %)"
    print(f"right, cross-validated: {own} of your own, {shipped}")
    print(plain(found.reason))
    if not found.installed:
        return 1
    print(f"wrote {options.refit}: use it with  wager serve --detector {options.refit}")
    return 0
