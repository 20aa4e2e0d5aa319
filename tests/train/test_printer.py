"""What `train` tells the terminal."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from backends.train.step import Trainer
from compiler.cli.train import Printer, _train
from compiler.errors import UsageError
from tests.train.alone import run_of
from tests.train.small import recipe_of


class Failing(Printer):
    def stepped(self, trainer: Trainer, loss: float) -> None:
        raise UsageError("a picture is damaged")


def test_the_bar_is_taken_away_before_an_error_is_printed(tmp_path: Path) -> None:
    run = run_of(recipe_of(), tmp_path)
    printer = Failing(recipe_of(), tmp_path, is_logged=False)
    run.watcher = printer
    printer.bar = bar = Mock()
    made: Any = SimpleNamespace(run=run)
    with pytest.raises(UsageError, match="a picture is damaged"):
        _train(made, printer)
    bar.close.assert_called_once_with()
