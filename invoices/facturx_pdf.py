"""Marks a PDF/A-3 that carries an electronic invoice as Factur-X, so that programs find it without looking. Deterministic.

typst attaches the file; what it cannot write is Factur-X's own entry in the document's metadata, with its schema as PDF/A asks.
"""

import io

import pypdf
from pypdf.generic import IndirectObject, NameObject, StreamObject

FILE_NAME = "factur-x.xml"
_NAMESPACE = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_VALUES = {
    "DocumentType": "INVOICE",
    "DocumentFileName": FILE_NAME,
    "Version": "1.0",
    "ConformanceLevel": "EN 16931",
}
_PROPERTIES = "".join(
    '<rdf:li rdf:parseType="Resource"><pdfaProperty:category>external</pdfaProperty:category>'
    f"<pdfaProperty:description>{name} of the embedded invoice</pdfaProperty:description>"
    f"<pdfaProperty:name>{name}</pdfaProperty:name><pdfaProperty:valueType>Text</pdfaProperty:valueType></rdf:li>"
    for name in _VALUES
)
_SCHEMA = (
    '<rdf:li rdf:parseType="Resource"><pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>'
    f"<pdfaSchema:namespaceURI>{_NAMESPACE}</pdfaSchema:namespaceURI><pdfaSchema:prefix>fx</pdfaSchema:prefix>"
    f"<pdfaSchema:property><rdf:Seq>{_PROPERTIES}</rdf:Seq></pdfaSchema:property></rdf:li>"
)
_ENTRY = (
    f'<rdf:Description rdf:about="" xmlns:fx="{_NAMESPACE}">'
    + "".join(f"<fx:{name}>{value}</fx:{name}>" for name, value in _VALUES.items())
    + "</rdf:Description>"
)
_SCHEMAS, _END = "<pdfaExtension:schemas><rdf:Bag>", "</rdf:RDF>"


def marked(document: bytes) -> bytes:
    """Return the document with Factur-X's entry. Raise ValueError where it has no metadata of the expected kind."""
    writer = pypdf.PdfWriter(clone_from=pypdf.PdfReader(io.BytesIO(document)))
    writer.pdf_header = "%PDF-1.7"
    reference = writer.root_object.raw_get("/Metadata")
    metadata = reference.get_object()
    text = metadata.get_data().decode()
    if _SCHEMAS not in text or _END not in text:
        raise ValueError("The document's metadata has no place for a schema.")
    entry = StreamObject()
    entry.set_data(text.replace(_SCHEMAS, _SCHEMAS + _SCHEMA, 1).replace(_END, _ENTRY + _END, 1).encode())
    entry[NameObject("/Type")], entry[NameObject("/Subtype")] = NameObject("/Metadata"), NameObject("/XML")
    assert isinstance(reference, IndirectObject)  # noqa: S101 - PDF wants a stream to be one
    writer._replace_object(reference, entry)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
