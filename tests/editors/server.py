"""A YAML language server as an editor drives it: a process, spoken to over stdio."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

WITHIN = 60
"""Seconds that an answer may take; on a busy machine the first one takes some."""

SETTINGS: Mapping[str, Any] = {
    "yaml": {
        "validate": True,
        "hover": True,
        "completion": True,
        "schemaStore": {"enable": False},
        "kubernetesCRDStore": {"enable": False},
    }
}
CAPABILITIES: Mapping[str, Any] = {
    "textDocument": {
        "completion": {"completionItem": {"snippetSupport": True}},
        "hover": {"contentFormat": ["markdown", "plaintext"]},
        "publishDiagnostics": {},
    },
    "workspace": {"configuration": True, "workspaceFolders": True},
}


@dataclass(frozen=True, slots=True)
class Document:
    """A text that is open in an editor; lines and columns from 0."""

    server: LanguageServer
    uri: str
    findings: Sequence[Mapping[str, Any]]

    @property
    def messages(self) -> list[str]:
        """What it says is wrong, in order."""
        return [str(found["message"]) for found in self.findings]

    def complete(self, line: int, column: int) -> dict[str, str]:
        """What it offers at a place: the text that each label would insert.

        Raises AssertionError when a label comes twice.
        """
        answer = self.server.ask("textDocument/completion", **self._at(line, column))
        items = answer["items"] if isinstance(answer, dict) else answer
        offered = {str(item["label"]): str(item["insertText"]) for item in items}
        assert len(offered) == len(items), [item["label"] for item in items]
        return offered

    def hover(self, line: int, column: int) -> str:
        """What it shows when the pointer rests on a place, as Markdown."""
        answer = self.server.ask("textDocument/hover", **self._at(line, column))
        return "" if answer is None else str(answer["contents"]["value"])

    def _at(self, line: int, column: int) -> dict[str, Any]:
        position = {"line": line, "character": column}
        return {"textDocument": {"uri": self.uri}, "position": position}


class LanguageServer:
    """The server's process; every call waits for its answer. Ends with the block."""

    def __init__(self, command: Sequence[str], root: Path) -> None:
        """Start it and agree on what both sides can do."""
        self._process = subprocess.Popen(
            [*command, "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=root,
        )
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._diagnostics: queue.Queue[dict[str, Any]] = queue.Queue()
        self._ids = 0
        self._opened = 0
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to: BinaryIO = self._process.stdin  # type: ignore[assignment]  # opened as bytes
        self._from: BinaryIO = self._process.stdout  # type: ignore[assignment]
        self._sending = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._root = {"uri": root.as_uri(), "name": root.name}
        self.ask(
            "initialize",
            processId=None,
            rootUri=root.as_uri(),
            workspaceFolders=[self._root],
            capabilities=CAPABILITIES,
        )
        self._tell("initialized")
        self._tell("workspace/didChangeConfiguration", settings=SETTINGS)

    def __enter__(self) -> LanguageServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(WITHIN)
        self._reader.join(WITHIN)
        self._to.close()
        self._from.close()

    def open(self, text: str, folder: Path) -> Document:
        """Show it a text as if it stood in a new file of this folder, and wait for its findings."""
        self._opened += 1
        uri = (folder / f"opened-{self._opened}.yaml").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", textDocument=document)
        while True:
            found = self._diagnostics.get(timeout=WITHIN)
            if found["uri"] == uri:
                return Document(self, uri, found["diagnostics"])

    def ask(self, method: str, **params: Any) -> Any:
        """Send a request and return the answer's result. Raises AssertionError for an error."""
        self._ids += 1
        self._send({"id": self._ids, "method": method, "params": params})
        while True:
            answer = self._answers.get(timeout=WITHIN)
            if answer["id"] == self._ids:
                assert "error" not in answer, answer
                return answer["result"]

    def _tell(self, method: str, **params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        with self._sending:
            self._to.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            self._to.flush()

    def _read(self) -> None:
        while header := self._from.readline():
            length = int(header.partition(b":")[2])
            while self._from.readline().strip():
                pass
            self._take(json.loads(self._from.read(length)))

    def _take(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method is None:
            self._answers.put(message)
        elif method == "textDocument/publishDiagnostics":
            self._diagnostics.put(message["params"])
        elif "id" in message:
            self._send({"id": message["id"], "result": self._given(message)})

    def _given(self, message: Mapping[str, Any]) -> Any:
        """What the server asks of the editor: its settings, mostly."""
        if message["method"] == "workspace/configuration":
            items = message["params"]["items"]
            return [SETTINGS.get(item.get("section")) for item in items]
        if message["method"] == "workspace/workspaceFolders":
            return [self._root]
        return None
