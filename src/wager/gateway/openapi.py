"""What the gateway offers, as an OpenAPI 3.1 description.

Requests and responses of models are OpenAI's own, of which only what is read here is spelled out: other fields pass through.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from wager import __version__
from wager.detection.kinds import GENERAL, KINDS

__all__ = ["description"]

Json = dict[str, Any]

ERRORS = {
    "400": "The request cannot be served: what was got, and what is allowed.",
    "401": "No API key of this gateway.",
    "403": "From a page of another origin, or by another name than localhost.",
    "404": "Not there.",
    "408": "The body was not here in time.",
    "413": "The body is too large.",
    "422": "The model's server refuses the request.",
    "429": "Too many requests, or the day's tokens are spent.",
    "431": "Too many headers.",
    "500": "The gateway failed.",
    "501": "The model's server does not offer this.",
    "502": "The model's server gave no usable answer.",
    "503": "The model's server, or the journal, cannot be asked now.",
    "504": "The model's server was too slow.",
}


def _json(schema: Json, text: str) -> Json:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _responses(good: Json, *codes: str) -> Json:
    error = {"$ref": "#/components/schemas/Error"}
    return {"200": good} | {code: _json(error, ERRORS[code]) for code in codes}


def _body(name: str) -> Json:
    return {"required": True, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


MODEL = ("400", "401", "403", "404", "408", "413", "422", "429", "431", "500", "501", "502", "503", "504")
OWN = ("400", "401", "403", "404", "408", "413", "429", "431", "500", "503")

OBJECT: Json = {"type": "object"}

RESPONSE: Json = {"application/json": {"schema": OBJECT}, "text/event-stream": {"schema": {}}}

TURNED: Json = {
    "type": "object",
    "required": ["value", "dose", "fired", "probability"],
    "properties": {
        "value": {"type": "number", "minimum": -1, "maximum": 1},
        "dose": {"type": "number", "description": "Length of what was added, relative to that of the activations."},
        "fired": {"type": ["boolean", "null"], "description": "Whether the gate did; null without a gate."},
        "probability": {"type": ["number", "null"], "minimum": 0, "maximum": 1, "description": "What the gate read."},
    },
}

SCHEMAS: Json = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                    "param": {"type": ["string", "null"]},
                    "code": {"type": ["string", "null"]},
                },
            }
        },
    },
    "Options": {
        "type": ["object", "null"],
        "additionalProperties": False,
        "description": "What a request asks of the gateway.",
        "properties": {
            "target": {"type": ["number", "null"], "minimum": 0, "exclusiveMaximum": 1, "description": "Confidence target t."},
            "kind": {"type": ["string", "null"], "enum": [*KINDS, GENERAL, None], "description": "The kind of task."},
            "act": {"enum": ["raw", None], "description": "raw: pass the request through."},
            "why": {"type": "boolean", "description": "With the reasons."},
            "dials": {
                "type": ["object", "null"],
                "additionalProperties": {"type": "number", "minimum": -1, "maximum": 1},
                "description": "Dials to turn, where the model can be steered; notes of the response say what was left out.",
            },
        },
    },
    "Message": {
        "type": "object",
        "required": ["role"],
        "properties": {
            "role": {"enum": ["system", "developer", "user", "assistant", "tool", "function"]},
            "content": {"type": ["string", "array", "null"], "items": OBJECT},
        },
    },
    "ChatRequest": {
        "type": "object",
        "required": ["messages"],
        "properties": {
            "model": {"type": ["string", "null"], "maxLength": 300, "description": "Blank or auto: the gateway's own."},
            "messages": {"type": "array", "minItems": 1, "maxItems": 2000, "items": {"$ref": "#/components/schemas/Message"}},
            "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 16},
            "stream": {"type": ["boolean", "null"]},
            "wager": {"$ref": "#/components/schemas/Options"},
        },
    },
    "ResponsesRequest": {
        "type": "object",
        "required": ["input"],
        "properties": {
            "model": {"type": ["string", "null"], "maxLength": 300},
            "input": {"type": ["string", "array"], "minItems": 1, "items": OBJECT},
            "instructions": {"type": ["string", "null"]},
            "stream": {"type": ["boolean", "null"]},
            "wager": {"$ref": "#/components/schemas/Options"},
        },
    },
    "Decision": {
        "type": "object",
        "required": [
            *("schema", "id", "kind", "kind_probability", "act", "confidence", "source", "calibration_id", "target", "shade", "citations"),
            *("branches", "lookups", "policy", "cost"),
        ],
        "properties": {
            "schema": {"const": 1},
            "id": {"type": "string", "pattern": "^wd_[0-9a-f]{32}$"},
            "kind": {"enum": [*KINDS, GENERAL]},
            "kind_probability": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
            "act": {"enum": ["answer", "hedge", "look_up", "clarify", "abstain", "refuse", "imagine", "support"]},
            "confidence": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
            "no_confidence": {"type": ["string", "null"], "description": "Why there is no confidence."},
            "source": {"type": ["string", "null"]},
            "calibration_id": {"type": ["string", "null"], "description": "Null: the confidence is raw."},
            "target": {"type": ["number", "null"], "minimum": 0, "exclusiveMaximum": 1},
            "shade": {"type": ["string", "null"]},
            "citations": {"type": "array", "items": OBJECT},
            "branches": {"type": "array", "items": {"type": "string"}},
            "lookups": {"type": "array", "items": OBJECT},
            "policy": {"type": "string"},
            "cost": OBJECT,
            "dials": {"type": "object", "additionalProperties": TURNED, "description": "The dials that were turned."},
            "notes": {"type": "array", "items": {"type": "string"}},
        },
    },
    "Completion": {
        "type": "object",
        "required": ["id", "object", "created", "model", "choices"],
        "properties": {"choices": {"type": "array", "items": OBJECT}, "wager": {"$ref": "#/components/schemas/Decision"}},
    },
    "Feedback": {
        "type": "object",
        "required": ["id", "verdict"],
        "properties": {
            "id": {"type": "string"},
            "verdict": {"enum": ["right", "wrong", "unhelpful"]},
            "note": {"type": ["string", "null"], "maxLength": 4000},
        },
    },
}


def _answer(schema: str, text: str) -> Json:
    good = _json({"$ref": f"#/components/schemas/{schema}"}, text)
    good["content"]["text/event-stream"] = {"schema": {}}  # OpenAPI 3.1 has no words for events
    return good


def _query(name: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _get(what: str, text: str, *codes: str, parameters: list[Json] | None = None, schema: Json | None = None) -> Json:
    return {"get": {"summary": what, "parameters": parameters or [], "responses": _responses(_json(schema or OBJECT, text), *codes)}}


@lru_cache(maxsize=1)
def description() -> Json:
    """The whole description; the same object each time, not to be changed."""
    decision = {"$ref": "#/components/schemas/Decision"}
    paths: Json = {
        "/v1/chat/completions": {
            "post": {
                "summary": "Answer a conversation, as far as the policy allows.",
                "requestBody": _body("ChatRequest"),
                "responses": _responses(_answer("Completion", "The response; an abstention is one too."), *MODEL),
            }
        },
        "/v1/responses": {
            "post": {
                "summary": "The same as a response of the Responses API.",
                "requestBody": _body("ResponsesRequest"),
                "responses": _responses({"description": "The response.", "content": RESPONSE}, *MODEL),
            }
        },
        "/v1/models": _get("The models of the server behind the gateway.", "A list.", *MODEL),
        "/v1/models/{name}": _get("One of them.", "The model.", *MODEL, parameters=[_path("name")]),
        "/v1/embeddings": {
            "post": {
                "summary": "Passed through.",
                "requestBody": {"required": True, "content": {"application/json": {"schema": OBJECT}}},
                "responses": _responses(_json(OBJECT, "Vectors."), *MODEL),
            }
        },
        "/v1/wager/decisions": _get(
            "The last decisions, newest first.",
            "A list.",
            *OWN,
            parameters=[_query("limit", {"type": "integer", "minimum": 1, "maximum": 200}), _query("before", {"type": "string"})],
        ),
        "/v1/wager/decisions/{id}": _get(
            "One decision, with its reasons.", "The decision.", *OWN, parameters=[_path("id")], schema=decision
        ),
        "/v1/wager/summary": _get("Counts of acts, confidences and feedback.", "Counts.", *OWN),
        "/v1/wager/policy": _get("Kinds, knobs and rules as they hold here.", "The policy.", *OWN),
        "/v1/feedback": {
            "post": {
                "summary": "Was a reply right, wrong, or unhelpful?",
                "requestBody": _body("Feedback"),
                "responses": _responses(_json(OBJECT, "Kept."), *OWN),
            }
        },
        "/healthz": _get("This process runs.", "It does."),
        "/readyz": _get("Its model can be asked.", "It can.", "503"),
    }
    paths["/readyz"]["get"]["responses"]["503"] = _json(OBJECT, "The model's server does not answer.")
    return {
        "openapi": "3.1.0",
        "info": {"title": "wager", "version": __version__, "description": "A gateway that bets only on what its model knows."},
        "paths": paths,
        "components": {"schemas": SCHEMAS, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{"key": []}, {}],
    }
