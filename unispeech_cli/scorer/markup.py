"""HTML out of elements; every string that goes in is text and comes out escaped."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

VOID = {"meta", "input"}


@dataclass(frozen=True)
class Markup:
    """HTML that is ready; what is not Markup is text."""

    html: str


Node = Markup | str


def tag(head: str, *inner: Node, attributes: Mapping[str, str | None] | None = None) -> Markup:
    """An element: `head` is its name with its classes, `td.number`; an attribute that is None is left out."""
    name, *classes = head.split(".")
    given = {"class": " ".join(classes) or None, **(attributes or {})}
    shown = "".join(f' {key}="{escape(value)}"' for key, value in given.items() if value is not None)
    return Markup(f"<{name}{shown}>" + ("" if name in VOID else f"{join(inner).html}</{name}>"))


def join(nodes: Iterable[Node]) -> Markup:
    """Nodes one after another."""
    return Markup("".join(node.html if isinstance(node, Markup) else escape(node) for node in nodes))


def verbatim(name: str, code: str, attributes: Mapping[str, str | None] | None = None) -> Markup:
    """A `style` or `script` element, whose inside HTML does not unescape; `code` must not end it."""
    assert f"</{name}" not in code.lower()
    return Markup(tag(name, attributes=attributes).html.replace("></", f">{code}</"))
