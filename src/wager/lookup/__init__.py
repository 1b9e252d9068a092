"""Looking things up: a question to quoted passages of documents, with where they stand.

In: a question. Out: `Passage` values. `folder` searches the user's own documents (SQLite FTS5, BM25), `mcp` asks a tool of any MCP server,
`limits` bounds both in time and count. Retrieved text is data: it is quoted, never obeyed. May import layer 0; never the gateway.
"""
