"""A process of `netdraft watch`, asked as its page asks it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Thread
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LONG_S = 20
"""So long a machine with much to do may take."""


@dataclass
class Client:
    """What a page can ask, and the news that it was sent."""

    process: subprocess.Popen[str]
    port: int
    news: list[int] = field(default_factory=list)
    """Numbers of the outcomes that the stream told of."""
    listener: Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[HTTPResponse, bytes]:
        """Send a request as the page would, but for some headers; `Host_` is no header."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LONG_S)
        usual = {"Content-Type": "application/json", "Origin": self.url} if method == "POST" else {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {k: v for k, v in {**usual, **named}.items() if v})
        with closing(connection):
            response = connection.getresponse()
            return response, response.read()

    def ask(self, path: str, **asked: Any) -> Any:
        _, data = self.request("POST", f"/{path}", json.dumps(asked).encode())
        return json.loads(data)

    def program(self, **values: str) -> Any:
        """Return the program with values by key; `param__width` is `param:width`."""
        return self.ask("program", values={k.replace("__", ":"): v for k, v in values.items()})

    def listen(self) -> None:
        """Note the news as they come."""
        self.listener = Thread(target=self._listen)
        self.listener.start()

    def _listen(self) -> None:
        with closing(HTTPConnection("127.0.0.1", self.port)) as connection, suppress(OSError):
            connection.request("GET", "/events")
            with connection.getresponse() as stream:
                for line in iter(stream.readline, b""):
                    if line.startswith(b"data: "):
                        self.news.append(int(line[6:]))

    def await_news(self, after: int) -> None:
        """Wait until more news came than there were."""
        wait_for(lambda: len(self.news) > after)

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(LONG_S)


def wait_for(condition: Any) -> None:
    """Wait until something holds."""
    end = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.005)


@contextmanager
def watching(folder: Path, *arguments: str) -> Iterator[Client]:
    """Run `netdraft watch` in a folder; the page can be asked when this begins."""
    command = [sys.executable, "-P", "-m", "compiler", "watch", *arguments]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    client = None
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert found, process.communicate()[1]
        client = Client(process, int(found[1]))
        client.listen()
        wait_for(lambda: client.news)
        yield client
    finally:
        process.kill()
        process.communicate()
        if client is not None and client.listener is not None:
            client.listener.join()
