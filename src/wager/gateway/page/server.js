// Calls of this server, and of no other.

import { byId, oneLine, plural } from "./text.js";

export class Failure extends Error {
  constructor(message, code = null) {
    super(message);
    this.code = code;
  }
}

/** A response of this server; what goes wrong is a Failure in one line. */
export async function call(path, { body = null, signal = null } = {}) {
  const headers = {};
  const key = byId("key").value.trim();
  if (key) headers.authorization = "Bearer " + key;
  if (body !== null) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method: body === null ? "GET" : "POST", headers, body: body && JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(
      /non ISO-8859-1|ByteString|header/i.test(error.message)
        ? "The API key has characters that no key has."
        : "The gateway does not answer. Is wager serve still running?",
    );
  }
  if (!response.ok) throw await refused(response);
  return response;
}

/** The error that a response tells. */
export async function refused(response) {
  let said = null;
  try {
    said = (await response.json()).error;
  } catch {
    // no JSON: the status says it all
  }
  const message = oneLine(said && typeof said.message === "string" ? said.message : response.statusText || "no reason was given");
  const code = said ? said.code : null;
  if (response.status === 401) return new Failure(`401: ${message}. Put the key under Knobs, API key.`, code);
  const wait = response.headers.get("retry-after");
  const again = wait && /^\d+$/.test(wait) ? ` Try again in ${plural(Number(wait), "second")}.` : "";
  return new Failure(`${response.status}: ${message}${/[.?!]$/.test(message) || !again ? "" : "."}${again}`, code);
}

/** The data of server-sent events, as JSON; comments are passed over. */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      rest += value ?? "";
      const blocks = rest.split(/\r?\n\r?\n/);
      rest = blocks.pop();
      if (done && rest.trim()) blocks.push(rest);
      for (const block of blocks) {
        const lines = block.split(/\r?\n/).filter((line) => line.startsWith("data:"));
        const data = lines.map((line) => line.slice(5).trimStart()).join("\n");
        if (data === "[DONE]") return;
        if (data) yield parsed(data);
      }
      if (done) return;
    }
  } catch (error) {
    if (error.name === "AbortError" || error instanceof Failure) throw error;
    throw new Failure("The connection broke off in the middle of the reply.");
  } finally {
    reader.cancel().catch(() => {});
  }
}

export function parsed(data) {
  let found;
  try {
    found = JSON.parse(data);
  } catch {
    throw new Failure("The reply holds something that is no JSON.");
  }
  if (found && found.error) throw new Failure(oneLine(found.error.message ?? "the gateway failed"), found.error.code);
  return found ?? {};
}
