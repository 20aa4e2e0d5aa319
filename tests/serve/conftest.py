"""One server for the tests of a file; its folder is as at the start for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.client import Client, wait_for, watching

NET = """network: net
import: [blocks.yaml]
params: {width: 16, kernel: {type: kernel, default: 3x3}}
input: {image: [3, 32, 32]}
layers:
  - {conv: kernel, filters: width, name: first}   # the first
  - {block: pair, with: {n: 16}, repeat: 2, name: body}
  - {global_avg_pool: true}
"""
BLOCKS = """blocks:
  pair:
    params: {n: {type: channels}}
    layers: [{conv: 3x3, filters: n, name: one}, {conv: 1x1, filters: n}]
"""
FILES = {"net.yaml": NET, "blocks.yaml": BLOCKS}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path]]:
    folder = tmp_path_factory.mktemp("watched")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    with watching(folder, "net.yaml") as client:
        yield client, folder


@pytest.fixture
def client(served: tuple[Client, Path]) -> Client:
    client, folder = served
    for name, text in FILES.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    wait_for(lambda: is_as_at_first(client))
    return client


def is_as_at_first(client: Client) -> bool:
    found = client.program()
    values = client.ask("values", name="first")
    is_right = [v["text"] for v in values] == ["kernel", "width"] and not found["problems"]
    places = {"param:width": "16", "repeat:body": "2"}
    return is_right and found["places"].items() >= places.items()


@pytest.fixture
def net(served: tuple[Client, Path], client: Client) -> Path:
    return served[1] / "net.yaml"
