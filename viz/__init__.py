"""Graph -> picture: `diagram` is what is drawn, `layout` where, `formats` writes it to a file.

`style` has the colours, the font and the lines of words; `html` is the page that draws itself
anew while its parameters change. `render` is the way in.
"""
