"""Diagram -> Layout: measure inside out, place outside in, route, and turn upside down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from viz.diagram.parts import Arrow, Box, Diagram, Group, Item
from viz.layout.arrow_labels import place_labels
from viz.layout.below import with_notes
from viz.layout.cells import FRAME_PAD, Cells, GroupCell
from viz.layout.flows import find_flows
from viz.layout.measure import NOTE_LEADING, SIZE_GAP, BoxSize, measure_boxes
from viz.layout.placed import Area, Layout, PlacedArrow, PlacedBox, PlacedFrame, Point, Text
from viz.layout.route import Router
from viz.layout.split import split
from viz.layout.spots import Spots
from viz.layout.straighten import Rect
from viz.style.font import font
from viz.style.text import visible
from viz.style.theme import THEMES, Theme

Direction = Literal["up", "right"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
"""Where data can flow to in a picture."""


def lay_out(
    diagram: Diagram,
    theme: Theme = THEMES["paper"],
    direction: Direction = "up",
    columns: int = 1,
) -> Layout:
    """Return the position of everything in a diagram; the same for every output format.

    Args:
        diagram: what is drawn.
        theme: has the distances.
        direction: where data flows to. Places are found as if it were up, and then turned.
        columns: into how many it may be split; lines where data flows to the right.
    """
    turned = direction == "right"
    sizes = measure_boxes(diagram, theme, turned)
    flows = find_flows(diagram)
    cells = Cells(diagram, flows, sizes, theme, turned)
    spots = Spots(cells, diagram.content)
    # Routes need final places: an arrow is straightened against boxes of other series too.
    router = Router(diagram, flows, spots, sizes, theme)
    routes = router.routes()
    words = {i: visible(arrow.words) for i, arrow in enumerate(diagram.arrows) if arrow.words}
    extents = {i: (font().width(word, theme.note_pt), theme.note_pt) for i, word in words.items()}
    if turned:
        extents = {i: (height, width) for i, (width, height) in extents.items()}
    places = place_labels(routes, extents, router.obstacles())
    layout = _Drawing(diagram, theme, sizes, spots, routes, places).layout()
    return with_notes(split(layout, columns, turned) if columns > 1 else layout, theme)


class _Drawing:
    """Turns places into a layout: y downwards, nothing outside the picture."""

    def __init__(
        self,
        diagram: Diagram,
        theme: Theme,
        sizes: dict[str, BoxSize],
        spots: Spots,
        routes: list[list[Point]],
        words: dict[int, Rect],
    ) -> None:
        self.diagram = diagram
        self.theme = theme
        self.sizes = sizes
        self.spots = spots
        self.routes = routes
        self.words = words
        self.turned = spots.cells.turned
        whole = spots.cells.content
        xs = [x for route in routes for x, _ in route]
        xs += [x for left, _, right, _ in words.values() for x in (left, right)]
        self.left = max([whole.left, *(-x for x in xs)]) + theme.margin
        self.right = max([whole.right, *xs]) + theme.margin
        self.top = whole.height + theme.margin
        self.lead = theme.margin
        if self.turned:
            # A size below a circle is wider than the circle, at the ends of a picture too.
            ends = [self._overhang(box) for box in diagram.boxes() if sizes[box.id].round]
            self.lead += max([0.0, *(-low for low, _ in ends)])
            self.top += max([0.0, *(high - whole.height for _, high in ends)])

    def layout(self) -> Layout:
        """Return the finished layout."""
        boxes = [self._box(box) for box in self.diagram.boxes()]
        # As a diagram is read, bottom to top; rounded, so that boxes of one row stay in one row.
        if self.turned:
            boxes.sort(key=lambda b: (round(b.area.x, 3), b.area.y))
        else:
            boxes.sort(key=lambda b: (-round(b.area.bottom, 3), b.area.x))
        frames = tuple(self._frame(group) for group in self.diagram.groups())
        arrows = tuple(self._arrow(i, arrow) for i, arrow in enumerate(self.diagram.arrows))
        height = self.top + self.theme.margin
        width = self.left + self.right
        if self.turned:
            width, height = self.top + self.lead, width
        return Layout(self.diagram, width, height, frames, tuple(boxes), arrows, spine=self.left)

    def _overhang(self, box: Box) -> tuple[float, float]:
        """Return where along the flow the size below a box begins and ends."""
        middle = self.spots.bottom(box)[1] + self.sizes[box.id].height / 2
        half = font().width(visible(box.size or ""), self.theme.font_pt) / 2
        return middle - half, middle + half

    def _point(self, point: Point) -> Point:
        if self.turned:
            return point[1] + self.lead, point[0] + self.left
        return point[0] + self.left, self.top - point[1]

    def _area(self, item: Item, left: float, right: float) -> Area:
        x, y = self._point(self.spots.bottom(item))
        height = self.spots.cells.of(item).height
        if self.turned:
            return Area(x, y - left, height, left + right)
        return Area(x - left, y - height, left + right, height)

    def _box(self, box: Box) -> PlacedBox:
        size = self.sizes[box.id]
        area = self._area(box, size.width / 2, size.width / 2)
        texts = [*self._inside(size, area)]
        if box.size:
            texts.append(self._beside(box.size, area))
        return PlacedBox(box, area, tuple(texts), size.round)

    def _inside(self, size: BoxSize, area: Area) -> Iterator[Text]:
        """Yield the lines in a box, the block of them in its middle."""
        theme = self.theme
        middle = area.x + area.width / 2
        note_leading = NOTE_LEADING * theme.note_pt
        block = theme.leading * len(size.lines) + note_leading * len(size.notes)
        top = area.y + (area.height - block) / 2
        for line in size.lines:
            # 0.35 of the type size is half the height of a capital letter: it centres the line.
            baseline = top + theme.leading / 2 + 0.35 * theme.font_pt
            yield self._text(line, middle, baseline, theme.font_pt)
            top += theme.leading
        for note in size.notes:
            baseline = top + note_leading / 2 + 0.35 * theme.note_pt
            yield self._text(note, middle, baseline, theme.note_pt, role="note")
            top += note_leading

    def _text(
        self,
        text: str,
        x: float,
        y: float,
        size: float,
        anchor: str = "middle",
        role: str = "label",
    ) -> Text:
        return Text(text, x, y, size, font().width(text, size), anchor, role)  # type: ignore[arg-type]

    def _beside(self, size: str, area: Area) -> Text:
        words = visible(size)
        if self.turned:
            x, y = area.x + area.width / 2, area.bottom + self.theme.font_pt
            return self._text(words, x, y, self.theme.font_pt, "middle", "size")
        baseline = area.y + area.height / 2 + 0.35 * self.theme.font_pt
        x = area.right + SIZE_GAP
        return self._text(words, x, baseline, self.theme.font_pt, "start", "size")

    def _frame(self, group: Group) -> PlacedFrame:
        cell = self.spots.cells.of(group)
        assert isinstance(cell, GroupCell)
        area = self._area(group, cell.left, cell.right - cell.beside)
        # An ascender and a little padding below the frame's edge.
        baseline = area.y + 1.15 * self.theme.font_pt
        left, note_pt = area.x + FRAME_PAD / 2, self.theme.note_pt
        words = visible(group.label)
        texts = [self._text(words, left, baseline, self.theme.font_pt, "start", "caption")]
        for i, note in enumerate(group.notes, 1):
            y = baseline + i * NOTE_LEADING * note_pt
            texts.append(self._text(visible(note), left, y, note_pt, "start", "note"))
        if group.size:
            x, y = area.right + SIZE_GAP, baseline
            anchor = "start"
            if self.turned:
                x, y, anchor = area.right, area.bottom + self.theme.font_pt, "end"
            texts.append(self._text(visible(group.size), x, y, self.theme.font_pt, anchor, "size"))
        return PlacedFrame(group, area, tuple(texts))

    def _arrow(self, number: int, arrow: Arrow) -> PlacedArrow:
        points = tuple(map(self._point, self.routes[number]))
        texts = (self._flow(arrow, self.words[number]),) if arrow.words else ()
        return PlacedArrow(arrow, points, texts)

    def _flow(self, arrow: Arrow, place: Rect) -> Text:
        """Return the words beside an arrow."""
        x, y = self._point(((place[0] + place[2]) / 2, (place[1] + place[3]) / 2))
        size = self.theme.note_pt
        role = "flow" if arrow.label else "times"
        return self._text(visible(arrow.words), x, y + 0.35 * size, size, "middle", role)
