"""What a recipe may say: how a network is trained, as data."""

# No `annotations` from `__future__`: pydantic would evaluate their text, see compiler/text/located.
from typing import Annotated, Literal

from pydantic import PlainValidator

from compiler.ops import CiteSpec
from compiler.recipe.values import (
    Auxiliary,
    Count,
    Decay,
    Hue,
    Positive,
    Range,
    Rates,
    Share,
    Side,
    Unsigned,
)
from compiler.text import Located
from compiler.text.fields import Names, Text
from compiler.text.names import read_recipe_name
from compiler.weights.mapping import Preprocessing


class SgdSpec(Located):
    """Gradient descent, as `torch.optim.SGD` computes it."""

    momentum: Share = 0.9
    """how much of the step before is kept"""
    nesterov: bool = False
    """true: the gradient is taken where the momentum leads"""


class RmspropSpec(Located):
    """RMSProp as TensorFlow computes it: the mean square starts at one, epsilon under the root."""

    decay: Share = 0.9
    """how much of the mean square is kept"""
    epsilon: Positive = 1.0
    """added to the mean square, under the root"""
    momentum: Share = 0.0
    """how much of the step before is kept"""


class AdamwSpec(Located):
    """Adam with decoupled weight decay, as `torch.optim.AdamW` computes it."""

    beta1: Decay = 0.9
    """how much of the mean gradient is kept"""
    beta2: Decay = 0.999
    """how much of the mean square is kept"""
    epsilon: Positive = 1e-8
    """added to the root"""


class OptimizerSpec(Located):
    """What becomes of gradients; exactly one of these."""

    sgd: SgdSpec | None = None
    rmsprop: RmspropSpec | None = None
    adamw: AdamwSpec | None = None


class ConstantSpec(Located):
    """The learning rate stays what it is."""


class ExponentialSpec(Located):
    """The learning rate is multiplied by a factor again and again, in steps."""

    factor: Share
    """what it is multiplied by"""
    every: Positive
    """after how many epochs"""


class CosineSpec(Located):
    """The learning rate falls along half a cosine, from the end of the warm-up to the last step."""

    end: Unsigned = 0.0
    """the rate at the end"""


class ScheduleSpec(Located):
    """What becomes of the learning rate; exactly one of these."""

    constant: ConstantSpec | None = None
    exponential: ExponentialSpec | None = None
    cosine: CosineSpec | None = None


class AverageSpec(Located):
    """The running average of parameters that evaluation uses."""

    decay: Share
    """how much of it is kept a step, at most `(1 + steps) / (10 + steps)` as in TensorFlow"""


class ResizedCropSpec(Located):
    """A part of the picture, of a random area and shape, scaled to the input."""

    area: Range = (0.08, 1.0)
    """its area as a share of the picture's"""
    ratio: Range = (3 / 4, 4 / 3)
    """its width by its height"""


class RandomCropSpec(Located):
    """The picture, moved at random."""

    padding: Side
    """by how many pixels at most"""


class FlipSpec(Located):
    """The picture, mirrored left to right."""

    probability: Share = 0.5
    """how often"""


class JitterSpec(Located):
    """Colours, changed at random by at most these shares."""

    brightness: Unsigned = 0.0
    contrast: Unsigned = 0.0
    saturation: Unsigned = 0.0
    hue: Hue = 0.0


class EraseSpec(Located):
    """A random rectangle of the input, set to zero."""

    probability: Share = 0.25
    """how often"""


class AugmentSpec(Located):
    """What is done to pictures at random; exactly one of these."""

    resized_crop: ResizedCropSpec | None = None
    random_crop: RandomCropSpec | None = None
    flip: FlipSpec | None = None
    color_jitter: JitterSpec | None = None
    autoaugment: Literal["imagenet", "cifar10", "svhn"] | None = None
    erase: EraseSpec | None = None


class RecipeSpec(Located):
    """A recipe of training."""

    recipe: Annotated[str, PlainValidator(read_recipe_name)]
    """its name"""
    doc: Text = ""
    """what it is, in words"""
    cite: CiteSpec | None = None
    """where it is printed"""
    sources: dict[str, Text] = {}
    """key -> where its value is published"""
    batch: Count
    """pictures in one step, those of all processes together"""
    epochs: Count
    """how often each picture is seen"""
    rate: Positive
    """the learning rate, after the warm-up"""
    optimizer: OptimizerSpec
    """what becomes of gradients"""
    schedule: ScheduleSpec
    """what becomes of the learning rate"""
    warmup: Unsigned = 0.0
    """epochs over which the rate rises from 0"""
    weight_decay: Unsigned = 0.0
    """times the parameter, added to its gradient"""
    decay_on: Literal["weights", "all"] = "weights"
    """which parameters decay: `weights` leaves out norms and biases"""
    label_smoothing: Share = 0.0
    """how much of the target is spread over all classes"""
    clip: Positive | None = None
    """the largest norm of all gradients together"""
    average: AverageSpec | None = None
    """a running average of the parameters, which evaluation then uses"""
    auxiliary: Auxiliary = 0.4
    """the weight of the loss of each output that is there in training alone"""
    preprocessing: Preprocessing | None = None
    """how a picture becomes the input, where the weights that training begins with do not say it"""
    augment: list[AugmentSpec] = []
    """what is done to training pictures besides, in order"""
    freeze: Names = []
    """patterns of the paths of layers that are not trained"""
    rates: Rates | None = None
    """pattern of a path -> what the learning rate of its layers is multiplied by"""
    norms: Literal["train", "frozen"] = "train"
    """frozen: norms keep the statistics that came with the weights, and their parameters"""
