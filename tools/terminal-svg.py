"""Draws a terminal's text with its colours, as `tmux capture-pane -p -e` gives it on stdin, as SVG on stdout."""
import re
import sys
from html import escape

COLOURS = {30: "#484f58", 31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 34: "#79c0ff", 35: "#d2a8ff", 36: "#56d4dd", 90: "#8b949e"}
WIDTH, HEIGHT, MARGIN = 8.4, 20, 16

lines = sys.stdin.read().rstrip().split("\n")
shown = []
columns = 0
for number, line in enumerate(lines):
    parts, style, at = [], {}, 0
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        code = re.fullmatch(r"\x1b\[([0-9;]*)m", piece)
        if not code:
            if piece:
                kept = "".join(f' {name}="{value}"' for name, value in style.items())
                parts.append(f'<tspan x="{MARGIN + at * WIDTH:.1f}"{kept}>{escape(piece)}</tspan>')
                at += len(piece)
            continue
        for value in (int(value or 0) for value in code[1].split(";")):
            if value in (0, 39):
                style = {} if value == 0 else {key: kept for key, kept in style.items() if key != "fill"}
            elif value == 1:
                style["font-weight"] = "bold"
            elif value in COLOURS:
                style["fill"] = COLOURS[value]
    columns = max(columns, at)
    shown.append(f'<text y="{MARGIN + 15 + number * HEIGHT}">{"".join(parts)}</text>')

width, height = round(columns * WIDTH + 2 * MARGIN), len(lines) * HEIGHT + 2 * MARGIN
words = escape("\n".join(re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines))
print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">')
print(f"<title>{words}</title>")
print('<rect width="100%" height="100%" rx="8" fill="#0d1117"/>')
print('<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" fill="#e6edf3" xml:space="preserve">')
print("\n".join(shown))
print("</g>\n</svg>")
