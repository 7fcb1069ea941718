# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables that a suite writes, and their places in README.md: between <!-- tests/NAME: begin --> and its end."""
import os

README = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "README.md")


def make_table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def save(table, path):
    with open(path, "w", encoding="utf-8") as file:
        file.write(table)


def put(name, saved):
    """Puts the saved table in the place of tests/`name`."""
    begin, end = (f"<!-- tests/{name}: {word} -->\n" for word in ("begin", "end"))
    with open(saved, encoding="utf-8") as file:
        table = file.read()
    with open(README, encoding="utf-8") as file:
        before, rest = file.read().split(begin)
    save(before + begin + table + end + rest.split(end)[1], README)
