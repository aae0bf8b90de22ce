"""Draw a table of text with box characters, its first row set off as titles."""

from collections.abc import Sequence


def table_text(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the table, a line per row, cells on the left; without rows only the titles stand in it."""
    widths = [len(title) for title in titles]
    for row in rows:
        for i, cell in enumerate(row):
            widths[i] = max(widths[i], len(cell))
    lines = [_border(widths, "┌", "┬", "┐"), _row(titles, widths)]
    if rows:
        lines.append(_border(widths, "├", "┼", "┤"))
    lines.extend(_row(row, widths) for row in rows)
    lines.append(_border(widths, "└", "┴", "┘"))
    return "\n".join(lines)


def _border(widths: list[int], left: str, middle: str, right: str) -> str:
    return left + middle.join(["─" * (width + 2) for width in widths]) + right


def _row(cells: Sequence[str], widths: list[int]) -> str:
    return "│" + "│".join([f" {cell}{' ' * (widths[i] - len(cell))} " for i, cell in enumerate(cells)]) + "│"
