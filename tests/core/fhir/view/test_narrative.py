"""Sanitising of narrative."""

import pytest

from esante.core.fhir import build_document_view
from tests.core.fhir.samples import document, narrative


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<script>alert(1)</script><p>x</p>", "<p>x</p>"),
        ('<p onclick="alert(1)" style="position:fixed" id="a">x</p>', "<p>x</p>"),
        ('<a href="javascript:alert(1)">x</a>', "x"),
        ('<a href="https://x.test">x</a>', "x"),
        ('<p>x</p><img src="data:image/png;base64,AAAA" alt="y"/>', "<p>x</p>"),
        ('<p class="bold banner">x</p>', '<p class="bold">x</p>'),
        ('<table><tr><td colspan="2" class="y"/><td>x</td></tr></table>', '<table><tbody><tr><td colspan="2"></td><td>x</td></tr></tbody></table>'),
        ("<h1>Title</h1>", '<p class="bold">Title</p>'),
        ("<iframe src='x'></iframe><svg><script>y</script></svg><p>x</p>", "<p>x</p>"),
        ("<form action='/x'><input name='a'/><button>b</button></form><p>x</p>", "b<p>x</p>"),
        ("a &lt;script&gt; class=\"\" b", 'a &lt;script&gt; class="" b'),
        ("x<br/>y", "x<br>y"),
    ],
)  # fmt: skip
def test_narrative_is_sanitised(html, expected):
    view = build_document_view(document(sections=({"title": "T", "text": narrative(html)},)))
    assert view.sections[0].narrative == f"<div>{expected}</div>"


def test_removed_parts_of_a_narrative_are_counted():
    html = "<p>x</p><img src='a'/><img src='b'/><script>c</script>"
    view = build_document_view(document(sections=({"title": "T", "text": narrative(html)},)))
    assert [(o.what, o.count) for o in view.omissions] == [("<img> in a narrative", 2), ("<script> in a narrative", 1)]
    assert view.not_shown == 3
