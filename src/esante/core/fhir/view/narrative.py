"""Sanitising of narrative (FHIR R4, section 2.4.0) by allow-lists: no links, no images, no styles, no ids."""

import re
from collections import Counter

import nh3
from markupsafe import Markup

#: The elements that R4 allows in a narrative, without those with URLs (a, img).
TAGS = frozenset(
    [
        "abbr",
        "acronym",
        "b",
        "big",
        "blockquote",
        "br",
        "caption",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
        "hr",
        "i",
        "ins",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "q",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "tt",
        "ul",
        "var",
    ]
)
#: The style classes that R4 defines.
CLASSES = frozenset(
    [
        "bold",
        "italics",
        "underline",
        "strikethrough",
        "left",
        "right",
        "center",
        "justify",
        "capital",
        "highlight",
    ]
)

_ATTRIBUTES = {
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "col": {"span"},
    "colgroup": {"span"},
    "ol": {"type", "start"},
}
_VOID = frozenset({"br", "hr", "col", "img", "input"})
_DROPPED = frozenset({"script", "style", "iframe", "object", "embed", "svg", "math", "template", "noscript"})
#: Headings become bold paragraphs: the page has a heading order of its own; the text of a link stays.
_UNWRAPPED = frozenset({"a", "h1", "h2", "h3", "h4", "h5", "h6", "html", "body", "font", "center", "u", "address"})

_SELF_CLOSED = re.compile(r"<([A-Za-z][A-Za-z0-9]*)((?:\s[^<>]*)?)/>")
_HEADING = re.compile(r"<(/?)[hH][1-6](?:\s[^<>]*)?>")
_NO_CLASS = re.compile(r'(<[a-z0-9]+[^<>]*?) class=""')
_OPENED = re.compile(r"<([A-Za-z][A-Za-z0-9:-]*)")

_cleaner = nh3.Cleaner(
    tags=set(TAGS),
    clean_content_tags=set(_DROPPED),
    attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
    allowed_classes={tag: set(CLASSES) for tag in TAGS},
    url_schemes=set(),
    link_rel=None,
    strip_comments=True,
)


def sanitise_narrative(xhtml: str, omitted: Counter[str]) -> Markup | None:
    """Return the narrative as HTML for a page, or None when nothing remains; removed parts are counted in
    `omitted`."""
    for tag in _OPENED.findall(xhtml):
        name = tag.lower()
        if name not in TAGS and name not in _UNWRAPPED:
            omitted[f"<{name[:20]}> in a narrative"] += 1
    if "<![CDATA[" in xhtml:
        omitted["CDATA in a narrative"] += xhtml.count("<![CDATA[")
    html = _SELF_CLOSED.sub(_closed, xhtml)
    html = _HEADING.sub(lambda m: "</p>" if m[1] else '<p class="bold">', html)
    clean = _NO_CLASS.sub(r"\1", _cleaner.clean(html).strip())
    return Markup(clean) if re.sub(r"<[^>]*>|&nbsp;|\s", "", clean) else None  # noqa: S704  (sanitised above)


def _closed(match: re.Match[str]) -> str:
    """Return an element with its end tag: HTML has no self-closing elements; `<td/>` would include what follows."""
    tag, rest = match[1], match[2]
    return match[0] if tag.lower() in _VOID else f"<{tag}{rest}></{tag}>"
