"""Which pictures a step takes: every one once, and the same wherever one begins."""

from __future__ import annotations

from itertools import islice

import pytest

from backends.train.order import Order, plan_order
from compiler.errors import UsageError


def pictures(parts: list[list[tuple[int, int]]]) -> list[int]:
    return [index for part in parts for _, index in part]


def test_an_epoch_takes_each_picture_once() -> None:
    order = Order(pictures=22, batch=4, part=2)
    assert (order.steps, order.parts) == (5, 2)
    first = list(order.from_step(0, end=5))
    assert [len(part) for part in first] == [2] * 10
    assert len(set(pictures(first))) == 20
    assert {epoch for part in first for epoch, _ in part} == {0}


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    order = Order(pictures=22, batch=4, part=4)
    second = pictures(list(order.from_step(5, end=10)))
    assert pictures(list(order.from_step(0, end=5))) != second
    assert pictures(list(Order(22, 4, 4, seed=1).from_step(5, end=10))) != second


@pytest.mark.parametrize("step", [1, 4, 5, 7])
def test_a_training_that_goes_on_takes_what_is_left(step: int) -> None:
    order = Order(pictures=22, batch=4, part=2)
    whole = list(order.from_step(0, end=12))
    assert list(order.from_step(step, end=12)) == whole[2 * step :]


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_the_parts_of_one(processes: int) -> None:
    alone = Order(pictures=40, batch=16, part=2)
    many = Order(pictures=40, batch=16, part=2, processes=processes)
    shares = [list(islice(many.from_step(0, p), many.parts)) for p in range(processes)]
    mixed = [shares[p][m] for m in range(many.parts) for p in range(processes)]
    assert mixed == list(islice(alone.from_step(0), alone.parts))


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (
            (7, 8, None, 1),
            "a step of the recipe takes 8 pictures, and there are 7 for training; say --batch with "
            "fewer",
        ),
        ((90, 8, None, 3), "8 pictures a step cannot be shared out over 3 processes"),
        (
            (90, 8, 3, 2),
            "--micro-batch 3: it does not divide the 4 pictures that a process has in a step",
        ),
    ],
)
def test_what_cannot_be_shared_is_refused(
    numbers: tuple[int, int, int | None, int], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        plan_order(*numbers, seed=0)
    assert str(caught.value) == message
