"""`optimize(module).for_inference(device, dtype)`: the fastest way to run a network here."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backends.run.at_size import at_size
from backends.run.candidates import FIRST_CALL_SECONDS, choose_target
from backends.run.engines import load_registered
from backends.run.place import Precision, device_from, precision_from
from backends.run.progress import telling
from backends.run.targets import TARGETS, Request, Result, Runner, build_runner, check_target
from backends.run.tune import ROUNDS, LockFile, Tuned, device_name
from backends.state.cache import cached
from backends.state.parameters import State, convert_state
from backends.torch.features import build_maps
from backends.torch.module import attach, build_module, computed_graph, feature_info_of, taps_of
from compiler.errors import BackendError
from compiler.graph import Graph
from compiler.passes.optimizer import DEFAULT_PASSES, TRAINING_PASSES, Pass, optimize_graph
from compiler.passes.outputs import keep_only, take_logits
from compiler.passes.tapping import hold_taps, let_go


def optimize(
    network: nn.Module | Graph,
    state: State | None = None,
    passes: Sequence[Pass | str] = DEFAULT_PASSES,
) -> Optimized:
    """Return a network after the passes, ready for `for_inference`.

    Args:
        network: a module that `build_module` made, or a graph.
        state: the parameters; a module's own where it is left out.
        passes: which passes run, in order.

    Raises:
        ValueError: the module carries no graph, or a graph came without parameters.
    """
    taps: tuple[str, ...] = ()
    maps = None
    if isinstance(network, nn.Module):
        state = network.state_dict() if state is None else state
        taps, maps = tuple(dict.fromkeys(taps_of(network))), feature_info_of(network)
        network = computed_graph(network)
    if state is None:
        raise ValueError(f"`{network.name}` is a graph without parameters: pass `state` too")
    network = take_logits(network, taps)
    if maps is not None:  # instead of the outputs
        network = replace(network, outputs=(), returns="outputs", spec=network.as_written)
    network = hold_taps(network, taps)
    network = keep_only(network, (output.node for output in network.outputs))
    graph = optimize_graph(network, passes)
    cpu = {name: value.detach().cpu() for name, value in state.items()}
    return Optimized(network, cpu, graph, convert_state(graph, cpu), tuple(passes), taps, maps)


@dataclass(frozen=True)
class Optimized:
    """A network before (`plain`) and after the passes, with the parameters of both.

    The last outputs of both graphs are what is tapped, in the order of `taps`.
    """

    plain: Graph
    plain_state: State
    graph: Graph
    state: State
    passes: tuple[Pass | str, ...] = DEFAULT_PASSES
    taps: tuple[str, ...] = ()
    maps: list[dict[str, object]] | None = None
    """What is known of feature maps, where the taps are all that is given."""

    def arranged(self, result: Result) -> Any:
        """Return the outputs in the structure that the module returns, from the tensors of all."""
        if not self.taps:
            return result
        tensors = [result] if isinstance(result, Tensor) else list(result)
        own = len(tensors) - len(self.taps)
        if self.maps is not None:
            return tensors
        whole = tensors[0] if own == 1 else tuple(tensors[:own])
        return whole, dict(zip(self.taps, tensors[own:], strict=True))

    def for_training(self, native: bool | None = None) -> nn.Module:
        """Return a module after the training-safe passes, channels last, with these parameters.

        Values and gradients are those of the network, and so are the names of its parameters
        and their kind of numbers: a checkpoint of one fits the other.

        Args:
            native: on a CPU, in float32 or under autocast to bfloat16, use kernels of our own, to
                about 1e-5 of the largest value, rounded to bfloat16 under autocast: batch
                normalisation in one go with its ReLU, and so residual sums; sibling convolutions
                as one, see `rewrite_blocks`; and for convolutions and each of their gradients what
                at the first step measures faster, see `TunedConv2d`. It takes `backends.native`
                and a C++ compiler; where it is left out, they are used if they are there.

        Raises:
            BackendError: `native` is true and something that it takes is not there.
        """
        graph = let_go(optimize_graph(self.plain, TRAINING_PASSES), self.taps)
        if self.maps is None:
            module = build_module(graph, taps=self.taps)
        else:
            module = build_maps(graph, self.taps, self.maps)
        numbers = {t.dtype for t in self.plain_state.values() if t.is_floating_point()}
        if len(numbers) == 1:
            module.to(dtype=numbers.pop())
        module.load_state_dict(self.plain_state)
        channels_last: Any = module.train()
        # The fast kernels of cuDNN and oneDNN read channels last; outputs follow the weights.
        channels_last.to(memory_format=torch.channels_last)
        if native is None:
            with contextlib.suppress(BackendError):
                _train_natively(module)
        elif native:
            _train_natively(module)
        return module

    def for_inference(
        self,
        device: str | torch.device = "cpu",
        dtype: Precision = torch.float32,
        target: str = "auto",
        lock: Path | None = None,
    ) -> InferenceModule:
        """Return a module that runs the network in evaluation mode.

        Args:
            device: `cpu`, `cuda`, `cuda:1`.
            dtype: float32, bfloat16, float16, or `tf32`: float32 whose products may round their
                operands, to 11 bits on a GPU and to 16 on a processor with matrix tiles.
            target: one of `TARGETS`; `auto` measures at the first call with an input shape, for
                `FIRST_CALL_SECONDS`, and keeps the fastest in the lock file; `netdraft tune` or
                `tune()` measure all.
            lock: the lock file; default: `netdraft/tune.json` in the user's cache.

        Raises:
            BackendError: there is no such target, or it says already that it cannot run this.
            UsageError: there is no such device here, or no computing in such numbers.
        """
        place, precision = device_from(device), precision_from(dtype)
        if target not in ("auto", *TARGETS):
            raise BackendError(f"unknown target `{target}` (known: auto, {', '.join(TARGETS)})")
        check_target(target, self.graph, place, torch.float32 if precision == "tf32" else precision)
        lock_file = LockFile(lock or cached("tune.json"))
        return InferenceModule(self, place, precision, target, lock_file)


def _train_natively(module: nn.Module) -> None:
    load_registered("training with kernels of our own", "native.training")(module)


class InferenceModule(nn.Module):
    """A network for inference. Call: inputs (N, C, H, W) -> the output, or a tuple of outputs.

    Of a module with taps also the tensors by tap, and of one of feature maps their list, as it
    gives them itself.

    Every new input shape is tuned or built once. Inputs may be in any dtype and on any device.
    """

    def __init__(
        self,
        optimized: Optimized,
        device: torch.device,
        dtype: Precision,
        target: str,
        lock: LockFile,
    ) -> None:
        super().__init__()
        self._optimized: Optimized | None = optimized
        # Without the states, which `forget_parameters` is to free.
        self._arranged = replace(optimized, plain_state={}, state={}).arranged
        if optimized.maps is not None:
            attach(self, "feature_info", optimized.maps)
        self.device = device
        self.dtype = torch.float32 if dtype == "tf32" else dtype
        self.tf32 = dtype == "tf32"
        self.target = target
        self.lock = lock
        self._runners: dict[tuple[torch.Size, ...], Runner] = {}
        self.eval()

    def forward(self, *inputs: Tensor) -> Any:
        """Return the output for a batch: (N, C, H, W) -> (N, classes)."""
        shapes = tuple(x.shape for x in inputs)
        if shapes not in self._runners:
            self._runners[shapes] = self._make(inputs)
        # One dtype here, so that a runner is built once per shape; it converts to its own.
        moved = (x.detach().to(self.device, torch.float32) for x in inputs)
        return self._arranged(self._runners[shapes](*moved))

    def tune(self, *inputs: Tensor, rounds: int = ROUNDS, budget: float = math.inf) -> Tuned:
        """Measure the targets that can run these inputs, and lock the fastest.

        Without a budget the unoptimised network in eager mode is among them, so the choice is
        never slower than that. What is being tried is said on a terminal, and to the logger
        `netdraft`.

        Args:
            inputs: (N, C, H, W) each.
            rounds: runs of every target.
            budget: seconds after which no other target is begun, those that take long to build
                not even before.

        Raises:
            BackendError: nothing can run this here.
        """
        request = self._request(inputs)
        with telling(self.optimized.plain.name) as say:
            tuned, runner = choose_target(request, rounds, budget, say)
        self.lock.write(self._key(inputs), tuned)
        self._runners[tuple(x.shape for x in inputs)] = runner
        return tuned

    def forget_parameters(self) -> None:
        """Let go of the parameters: what runs input shapes that were seen has its own.

        With the network's module gone too, that is all the memory that inference takes. Inputs
        of other shapes are refused from then on.
        """
        self._optimized = None

    @property
    def optimized(self) -> Optimized:
        """The network that it runs.

        Raises:
            BackendError: its parameters were let go.
        """
        if self._optimized is None:
            known = [", ".join("x".join(map(str, shape)) for shape in key) for key in self._runners]
            raise BackendError(
                f"after forget_parameters() only input shapes that were seen before can be run: "
                f"{'; '.join(known) or 'none'}"
            )
        return self._optimized

    def _make(self, inputs: tuple[Tensor, ...]) -> Runner:
        tuned = self.lock.read(self._key(inputs))
        if self.target != "auto":
            return build_runner(self.target, self._request(inputs, tuned))
        if tuned and tuned.target in TARGETS:
            with contextlib.suppress(BackendError):  # it ran when it was tuned, but not any more
                return build_runner(tuned.target, self._request(inputs, tuned))
        self.tune(*inputs, budget=FIRST_CALL_SECONDS)
        return self._runners[tuple(x.shape for x in inputs)]

    def _request(self, inputs: tuple[Tensor, ...], tuned: Tuned | None = None) -> Request:
        own = self.optimized
        example = tuple(x.detach().to(self.device, torch.float32) for x in inputs)
        choices = tuned.choices if tuned else {}
        graph, state = own.graph, own.state
        plain = at_size(own.plain, [tuple(x.shape[1:]) for x in inputs])
        if plain is not own.plain:  # padding and what can be merged depend on the sizes
            graph = optimize_graph(plain, own.passes)
            state = convert_state(graph, own.plain_state)
        return Request(
            graph,
            state,
            (plain, own.plain_state),
            example,
            self.dtype,
            own.passes,
            self.tf32,
            choices,
        )

    def _key(self, inputs: tuple[Tensor, ...]) -> str:
        shapes = " ".join("x".join(map(str, x.shape)) for x in inputs)
        precision = "tf32" if self.tf32 else str(self.dtype).removeprefix("torch.")
        where = device_name(self.device)
        parts = (
            self.optimized.plain.digest,
            where,
            precision,
            shapes,
            f"torch {torch.__version__}",
        )
        return " | ".join(parts)
