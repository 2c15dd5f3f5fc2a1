"""`HTMLRewriter` makes of any document, cut anywhere, what workerd makes of it: output, and all that handlers see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import workerd
from tests.served import Server, free_port, peer, serve

HERE = Path(__file__).parent

#: What documents are made of: markup, whole and in parts, and what is no markup; "|" is a space.
_MARKUP = """
<a> </a> <b> </b> <p> </p> <div|class='x|y'> <div|id=q> </div> <i/> <br> <img|src=a> <li> <ul> </ul> <body> <html> <table> <td>
<svg> </svg> <math> </math> <desc> </desc> <foreignObject> </foreignObject> <circle/> <path|d=1|/> <mi> </mi> <mtext>
<annotation-xml|encoding=text/html> </annotation-xml> <font|color=red> <font> </font>
<title> </title> <script> </script> <style> </style> <textarea> </textarea> <noscript> </noscript> <xmp> </xmp> <iframe> </iframe>
<plaintext> <script/> <title/> <select> </select> <template> </template> <frameset> <input>
<!-- --> --!> <! <?x> </|> </> <!--> <!---> <!----> <!----!> <!--a-- <![CDATA[ ]]> <!doctype|html> <!DOCTYPE|a|PUBLIC|"x"|'y'>
<script><!-- <script </script <a </ </a|x> </a/> </A|> <A|HREF="x"|x='1'|y=z|w> <a|b=c/> <a/|b> <a|=b> <a|b|=|c|d=|> <a|b=' ' "
<a|"b"> = / > < -- - text a<b | &amp; &lt;x é ü< <é> <aé|b=é> </aé> <!é>
"""
MARKUP = st.one_of(
    st.sampled_from([text.replace("|", " ") for text in _MARKUP.split()]),
    st.text("<>/!-=\"' \nabAB[]?&\0", max_size=6),
)

_SELECTORS = """
*; a; b; p; div; div a; div > a; a b; p p; .x; #q; [href]; [b=c]; [x='1']; a:not(.x); :not(a, [b]); *:nth-child(2); a:first-child;
b:nth-of-type(2); svg *; math *; svg > *; title; script; div.x; div[class~=y]; [src^=a]; [href$='X' i]; foreignObject; br;
p:nth-child(odd); aé; [b=é], li
"""
SELECTORS = st.sampled_from([selector.strip() for selector in _SELECTORS.split(";")])
CONTENT = st.sampled_from(["<q>", "&", "w", "é", ""])


def _placing(*methods: str) -> st.SearchStrategy[list[Any]]:
    return st.tuples(st.sampled_from(methods), CONTENT, st.fixed_dictionaries({"html": st.booleans()})).map(
        list
    )


OF_END_TAG = st.one_of(_placing("before", "after"), st.sampled_from([["remove"], ["set", "name", "N"]]))
OF_ELEMENT = st.one_of(
    _placing("before", "after", "prepend", "append", "replace", "setInnerContent"),
    st.sampled_from(
        [
            ["remove"],
            ["removeAndKeepContent"],
            ["setAttribute", "b", 'a"b'],
            ["setAttribute", "Z", "é"],
            ["removeAttribute", "x"],
            ["set", "tagName", "N"],
            ["get", "removed"],
            ["wait"],
        ]
    ),
    st.lists(OF_END_TAG, max_size=2).map(lambda steps: ["try end", steps]),
)
OF_TEXT = st.one_of(_placing("before", "after", "replace"), st.just(["remove"]))


def _handlers(**kinds: st.SearchStrategy[list[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {}, optional={kind: st.lists(steps, max_size=3) for kind, steps in kinds.items()}
    )


@st.composite
def cut(draw: st.DrawFn, document: str) -> list[str]:
    """The same in pieces."""
    places = draw(
        st.one_of(st.just(range(len(document))), st.sets(st.integers(0, len(document)), max_size=8))
    )
    edges = [0, *sorted(places), len(document)]
    return [document[start:end] for start, end in pairwise(edges) if start < end]


@st.composite
def rewritings(draw: st.DrawFn) -> dict[str, Any]:
    """What `rewriter.js` carries out."""
    text = "".join(draw(st.lists(MARKUP, max_size=12)))
    document = text.encode(draw(st.sampled_from(["utf-8", "utf-8", "latin-1"]))).decode("latin-1")
    of_element = _handlers(element=OF_ELEMENT, comments=OF_TEXT, text=OF_TEXT)
    of_document = _handlers(comments=OF_TEXT, text=OF_TEXT, end=st.just(["append", "END"]))
    doctype = draw(st.sampled_from([{}, {"doctype": []}]))
    return {
        "pieces": draw(cut(document)),
        "on": draw(st.lists(st.tuples(SELECTORS, of_element), max_size=3)),
        "document": [doctype, *draw(st.lists(of_document, max_size=1))],
    }


@contextmanager
def _both(folder: Path) -> Iterator[tuple[Server, Server]]:
    project = folder / "project"
    project.mkdir()
    (project / "index.js").write_text((HERE / "rewriter.js").read_text())
    (project / "wrangler.json").write_text(json.dumps({"name": "probe", "main": "index.js"}))
    port = free_port()
    described = workerd.PeerProject(root=project, main="index.js", bindings={}, name="probe")
    with (
        serve(project, folder / "durabox", log_file=folder / "log") as ours,
        peer(workerd.start(described, port, folder / "workerd"), port, folder / "peer.log") as theirs,
    ):
        yield ours, theirs


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    with _both(tmp_path_factory.mktemp("rewriter")) as servers:
        yield servers


def _carried_out(server: Server, cases: list[dict[str, Any]]) -> list[Any]:
    answer = server.request("POST", "/", json.dumps(cases).encode())
    assert answer.status == 200, answer.text
    results: list[Any] = json.loads(answer.body)
    return results


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases=st.lists(rewritings(), min_size=1, max_size=4))
def test_any_document_becomes_what_workerd_makes_of_it(
    both: tuple[Server, Server], cases: list[dict[str, Any]]
) -> None:
    ours, theirs = both
    assert _carried_out(ours, cases) == _carried_out(theirs, cases)


def _of_selector(selector: str) -> dict[str, Any]:
    document = (
        "<a id=1 class='x y' FOO=Bar><b id=2 data-x=y><a id=3 class=c><b id=4 class=c lang=en-GB></b><b id=5 x=''></b>"
        "<b id=6 class='c x' x></b></b></b></a><svg id=7><B id=8></svg></a><input id=9 type=TEXT><i id=10></i><svg id=11 type=TEXT>"
    )
    return {"pieces": [document], "on": [[selector, {"element": []}]]}


SELECTORS_THAT_ARE = """
    *|||a|||A B|||a, i|||a > b|||a>b > b|||a b b|||a a|||.x.y|||.c|||.C|||#\\33|||[id='3']|||[x]|||[x='']|||[foo=Bar]|||[FOO=bar i]|||[foo=BAR s]|||[class~=y]|||
    [lang|=en]|||[data-x^=y]|||[data-x$='']|||[class*=' ']|||[type=text]|||[type=TEXT]|||[type=text s]|||[type=text i]|||:first-child|||:nth-child(2)|||:nth-child(odd)|||:nth-child(EVEN)|||
    :nth-child(2n+1)|||:nth-child(-n+2)|||:nth-child(n+2)|||b:nth-of-type(2)|||b:first-of-type|||b:nth-of-type(2n)|||:not(b)|||:not(b.c)|||:not(b:not(.c))|||
    :not(b, a)|||:not(:not(b))|||:not(:not(b.c))|||b:not(.c[x])|||b:not(:first-child)|||*|a|||\\61|||a /* c */ b|||[foo|||[foo='Bar|||a:not(b|||svg b|||svg > *
"""
SELECTORS_THAT_ARE_NOT = """
    |||>|||> a|||a >|||a > > b|||a + b|||a ~ b|||a,|||a,,b|||a:last-child|||a:hover|||a::before|||a:|||a::|||[|||[]|||[=x]|||[foo=|||[foo=]|||[foo!=x]|||[foo=1]|||
    [foo=x y]|||[foo=x q]|||[*]|||[a|b]|||[*|b]|||.|||.1|||..a|||#|||#1|||svg|a|||&|||@a|||'a'|||a(|||a()|||a{|||a]|||:not()|||:not(b c)|||:not(b > c)|||
    :not(b + c)|||:not(::before)|||:not(:hover)|||:is(a)|||:where(a)|||:has(a)|||:root|||:empty|||:scope|||:only-child|||:nth-last-child(1)|||
    :nth-child()|||:nth-child(x)|||:nth-child(2 of a)|||:nth-child(3 n)|||:nth-child(n+)|||:first-child()|||:nth-child|||:lang(en)|||:host|||::slotted(a)
"""


@pytest.mark.parametrize("listed", [SELECTORS_THAT_ARE, SELECTORS_THAT_ARE_NOT])
def test_selectors_match_and_are_refused_as_by_workerd(both: tuple[Server, Server], listed: str) -> None:
    selectors = [selector.strip() for selector in listed.split("|||")]
    ours, theirs = (_carried_out(server, list(map(_of_selector, selectors))) for server in both)
    assert dict(zip(selectors, ours, strict=True)) == dict(zip(selectors, theirs, strict=True))
    assert all(("error" in result) == (listed is SELECTORS_THAT_ARE_NOT) for result in ours[1:])


FOREIGN = """
<svg><x></svg><y> <svg/><y> <svg><g/><x> <svg><svg></svg><x></svg><y> <svg><math></svg><x></math><y> <svg><b><x> <svg><svg><b><x> <svg></p><x>
<math><svg></br><x> <svg></b><x> <svg><font><x> <svg><font|color><x> <svg><style><b></style><x> <svg><script></b></script><x> <svg><title>
<svg><title><b></title><x> <svg><desc></desc><x> <svg><desc/><x> <svg><desc></title><x> <svg><desc><b></desc><x> <svg><desc><b></b></desc><x>
<svg><desc><b><i></b></desc><x> <svg><desc><br><html></desc><x> <svg><desc><p><p></p></desc><x> <svg><desc><desc></desc></desc><x>
<svg><desc><svg><b></svg></desc><x> <svg><desc><svg></b></svg></desc><x> <svg><desc></svg><x> <svg><desc><svg><svg></p><x></desc><y>
<svg><foreignObject><div></div></foreignObject></svg><x> <math><mi></mi><x> <math><mi></mo><x> <math><mi><b></mi><x> <math><mglyph><x>
<math><annotation-xml><b><x> <math><annotation-xml|encoding=TEXT/html><x></annotation-xml><y> <math><annotation-xml|encoding=a><x>
<svg><![CDATA[<b>]]><x> <b><![CDATA[<b>]]><x> <svg><desc><![CDATA[<b>]]><x> <select><script><x> <select><xmp> <select><input><xmp>
<select><template><script> <select><template></template><script> <frameset><noframes><x></noframes><y> <frameset><script> <svg><select><title>
"""


def test_svg_mathml_and_where_tags_are_text_are_told_as_by_workerd(both: tuple[Server, Server]) -> None:
    documents = [text.replace("|", " ") for text in FOREIGN.split()]
    cases = [{"pieces": [text], "on": [["*", {"element": [], "text": []}]]} for text in documents]
    ours, theirs = (_carried_out(server, cases) for server in both)
    assert dict(zip(documents, ours, strict=True)) == dict(zip(documents, theirs, strict=True))


UNFINISHED = """
<|<a|<a b|<a b=|<a b='c|<a b=c/|</|</a|</a b|<!|<!-|<!--|<!---|<!--a-|<!--a--|<!--a--!|<!d|<!doctype|<!doctype |<!doctype a|<!doctype a public 'b|
<?|<?a|<title>a</tit|<title>a</title|<title>a</title b='|<script><!--<script></script>|<script><!--</script|<svg><![CDATA[a]]|<plaintext></plaintext>
"""


def test_what_the_end_of_a_document_cuts_off_is_taken_as_by_workerd(both: tuple[Server, Server]) -> None:
    documents = [text.strip("\n") for text in UNFINISHED.split("|")]
    all_kinds = {kind: [["before", "!"]] for kind in ("element", "comments", "text")}
    cases = [
        {
            "pieces": pieces,
            "on": [["*", all_kinds]],
            "document": [{"doctype": [], "text": [], "comments": []}],
        }
        for text in documents
        for pieces in ([f"x<b>{text}"], list(f"x<b>{text}"))
    ]
    ours, theirs = (_carried_out(server, cases) for server in both)
    assert ours == theirs
