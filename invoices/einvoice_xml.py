"""A small writer of XML: elements from nested pairs, so that the two syntaxes of EN 16931 read as what they say."""

from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element, SubElement, indent, register_namespace, tostring

# A name with its prefix, and text, children or (attributes, text). None and empty text are left out.

Pair = tuple[str, object]


def document(root: str, namespaces: Mapping[str, str], children: Iterable[Pair]) -> bytes:
    """Return a document as UTF-8 bytes, the same for the same content."""
    for prefix, name in namespaces.items():
        register_namespace(prefix, name)
    element = Element(_full(root, namespaces))
    _fill(element, children, namespaces)
    indent(element)
    found: bytes = tostring(element, encoding="UTF-8", xml_declaration=True)
    return found


def _fill(parent: Element, children: Iterable[Pair], namespaces: Mapping[str, str]) -> None:
    for name, content in children:
        if content is None or content == "" or content == []:
            continue
        element = SubElement(parent, _full(name, namespaces))
        if isinstance(content, tuple):
            element.attrib.update(content[0])
            element.text = content[1]
        elif isinstance(content, str):
            element.text = content
        else:
            assert isinstance(content, list)  # noqa: S101 - the two writers of this module give nothing else
            _fill(element, content, namespaces)


def _full(name: str, namespaces: Mapping[str, str]) -> str:
    prefix, _, local = name.rpartition(":")
    return f"{{{namespaces[prefix]}}}{local}"
