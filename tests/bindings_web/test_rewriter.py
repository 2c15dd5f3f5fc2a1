"""`HTMLRewriter`: what passes, what waits, what a document may take; `tests/differential` shows that it answers as workerd."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durabox import JavaScriptError, Limits, Sandbox
from durabox.engine.ops import GuestError
from durabox.engine.text import decode_text, encode_text
from durabox.errors import GuestProtocolError

#: `pieces` → what handlers saw, the texts put together, and the output as bytes.
REWRITE = """(async () => {
  const seen = [];
  let text = "";
  const note = (kind) => (token) => seen.push([kind, token.tagName ?? token.text ?? token.name, ...(token.attributes ?? [])]);
  const rewriter = new HTMLRewriter()
    .on("*", { element(e) { note("element")(e); if (e.hasAttribute("x")) e.setAttribute("x", "é"); e.onEndTag?.bind(e); } })
    .on("b", { element(e) { e.before("<"); e.append("b", { html: true }); } })
    .onDocument({ doctype: note("doctype"), comments: note("comment"), text(t) {
      text += t.text;
      if (!t.lastInTextNode) return;
      seen.push(["text", text]);
      text = "";
      t.after("|");
    }, end: (e) => e.append("$") });
  const body = new ReadableStream({ start(controller) {
    for (const piece of pieces) controller.enqueue(new Uint8Array(piece));
    controller.close();
  } });
  const output = await rewriter.transform(new Response(body)).arrayBuffer();
  return [seen, output];
})()"""

MARKUP = st.sampled_from(
    [b"<b>", b"</b>", b"<a x=1 y='>' z>", b"</a >", b"<!--", b"-->", b"--!>", b"<!doctype html>", b"<title>", b"</title>",
     b"<script>", b"</script>", b"<!--<script", b"<svg>", b"<![CDATA[", b"]]>", b"</svg>", b"<br/>", b"text", b"\xc3\xa9", b"\xff", b"<", b"&lt;"]
)  # fmt: skip


@pytest.fixture
async def box() -> Any:
    async with Sandbox() as sandbox:
        yield sandbox


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(MARKUP, max_size=12), data=st.data())
async def test_a_document_may_come_in_any_pieces(
    box: Sandbox, parts: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(parts)
    places = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=len(whole) + 1)))
    pieces = [whole[start:end] for start, end in zip([0, *places], [*places, len(whole)], strict=True)]
    cut = await box.eval(REWRITE, pieces=[piece for piece in pieces if piece])
    assert cut == await box.eval(REWRITE, pieces=[whole] if whole else [])


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.one_of(MARKUP, st.binary(max_size=8)), max_size=16))
async def test_what_no_handler_changes_passes_byte_for_byte(box: Sandbox, parts: list[bytes]) -> None:
    document = b"".join(parts)
    passed = await box.eval(
        """new HTMLRewriter().on("*", { element() {}, comments() {} }).onDocument({ doctype() {} })
           .transform(new Response(document)).arrayBuffer()""",
        document=document,
    )
    assert passed == document


async def test_a_document_is_read_no_faster_than_what_comes_out(box: Sandbox) -> None:
    read = await box.eval("""(async () => {
      let pulled = 0;
      const body = new ReadableStream({ pull(controller) { pulled++; controller.enqueue(new TextEncoder().encode("<p>text</p>")); } }, { highWaterMark: 0 });
      const reader = new HTMLRewriter().on("p", { element(e) { e.before("x"); } }).transform(new Response(body)).body.getReader();
      const counts = [];
      for (let i = 0; i < 3; i++) { await reader.read(); await new Promise((resolve) => setTimeout(resolve)); counts.push(pulled); }
      await reader.cancel();
      return counts;
    })()""")
    assert read == [2, 3, 4]


async def test_an_asynchronous_handler_holds_up_what_follows_it(box: Sandbox) -> None:
    order = await box.eval("""(async () => {
      const order = [];
      const text = await new HTMLRewriter().on("a", { async element(e) {
        order.push(`begin ${e.getAttribute("n")}`);
        await new Promise((resolve) => setTimeout(resolve));
        e.setAttribute("m", "1");
        order.push(`end ${e.getAttribute("n")}`);
      } }).transform(new Response("<a n=1><a n=2>")).text();
      return [...order, text];
    })()""")
    assert order == ["begin 1", "end 1", "begin 2", "end 2", '<a n=1 m="1"><a n=2 m="1">']


async def test_the_source_hears_that_a_handler_failed_or_that_nobody_reads(box: Sandbox) -> None:
    heard = await box.eval("""(async () => {
      const heard = [];
      const source = () => new ReadableStream({
        pull(controller) { controller.enqueue(new TextEncoder().encode("<a>")); },
        cancel(reason) { heard.push(`cancelled: ${reason}`); },
      });
      const failing = new HTMLRewriter().on("a", { element() { throw new Error("no"); } });
      await failing.transform(new Response(source())).text().catch((error) => heard.push(`${error}`));
      const { body } = new HTMLRewriter().transform(new Response(source()));
      const reader = body.getReader();
      await reader.read();
      await reader.cancel("enough");
      await new Promise((resolve) => setTimeout(resolve));
      return heard.sort();
    })()""")
    assert heard == ["Error: no", "cancelled: Error: no", "cancelled: enough"]


@pytest.mark.parametrize("beginning", ["<a x='", "<a x=1 ", "<!--", "<?", "<!doctype "])
async def test_what_nobody_wants_may_be_of_any_length(beginning: str) -> None:
    """Forty megabytes of a tag or comment pass in 32 MiB."""
    async with Sandbox(limits=Limits(memory_mb=32, cpu_ms=30_000)) as box:
        length = await box.eval(
            """(async () => {
              let left = 400;
              const piece = new TextEncoder().encode("y='1' ".repeat(17476));
              const body = new ReadableStream({ pull(controller) {
                if (left === 400) controller.enqueue(new TextEncoder().encode(beginning));
                if (left-- > 0) controller.enqueue(piece.slice()); else controller.close();
              } }, { highWaterMark: 0 });
              let length = 0;
              for await (const chunk of new HTMLRewriter().on("b", { element() {} }).transform(new Response(body)).body) length += chunk.length;
              return length;
            })()""",
            beginning=beginning,
        )
    assert length == len(beginning) + 400 * 6 * 17476


@pytest.mark.parametrize("beginning", ["<b x='", "<!--"])
async def test_what_a_handler_wants_may_not_wait_without_end(box: Sandbox, beginning: str) -> None:
    with pytest.raises(JavaScriptError, match=r"Parser error: The memory limit has been exceeded\."):
        await box.eval(
            """(async () => {
              const piece = new TextEncoder().encode("y".repeat(1 << 16));
              const body = new ReadableStream({ start(controller) { controller.enqueue(new TextEncoder().encode(beginning)); },
                pull(controller) { controller.enqueue(piece.slice()); } });
              await new HTMLRewriter().on("b", { element() {} }).onDocument({ comments() {} }).transform(new Response(body)).text();
            })()""",
            beginning=beginning,
        )


async def test_content_may_be_a_stream_of_any_length() -> None:
    """And a text as long as it likes in an encoding that the host writes."""
    async with Sandbox(limits=Limits(memory_mb=32, cpu_ms=30_000)) as box:
        lengths = await box.eval("""(async () => {
          let left = 400;
          const content = new ReadableStream({ pull(controller) {
            if (left-- > 0) controller.enqueue(new TextEncoder().encode("y".repeat(100_000))); else controller.close();
          } }, { highWaterMark: 0 });
          const lengths = [0];
          const long = new HTMLRewriter().on("a", { element(e) { e.before(content); } }).transform(new Response("<a>"));
          for await (const chunk of long.body) lengths[0] += chunk.length;
          const legacy = new HTMLRewriter().on("a", { element(e) { e.before("😀é".repeat(100_000)); } });
          const response = new Response("<a>", { headers: { "content-type": "text/html;charset=windows-1252" } });
          lengths.push((await legacy.transform(response).arrayBuffer()).byteLength);
          return lengths;
        })()""")
    assert lengths == [3 + 400 * 100_000, 3 + 100_000 * len("&#128512;é")]


async def test_end_tags_of_nothing_cost_nothing_however_deep_they_are() -> None:
    async with Sandbox(limits=Limits(cpu_ms=3000)) as box:
        seen = await box.eval("""(async () => {
          let seen = 0;
          const html = "<svg><desc>" + "<a>".repeat(16000) + "</b></c></d></e>".repeat(8000) + "</svg>" + "</a>".repeat(16000);
          await new HTMLRewriter().on("a:nth-child(1)", { element() { seen++; } }).transform(new Response(html)).text();
          return seen;
        })()""")
    assert seen == 16000


async def test_a_slow_sender_costs_no_more_than_a_fast_one() -> None:
    """A tag of a megabyte in small pieces, each of which might be its end: it is not read from its beginning for each."""
    async with Sandbox(limits=Limits(cpu_ms=4000, memory_mb=64)) as box:
        length = await box.eval("""(async () => {
          let left = 1 << 12;
          const piece = new TextEncoder().encode(` x="${"y".repeat(240)}>" z='>'`);
          const body = new ReadableStream({ pull(controller) {
            if (left === 1 << 12) controller.enqueue(new TextEncoder().encode("<a"));
            if (left-- > 0) controller.enqueue(piece.slice()); else { controller.enqueue(new TextEncoder().encode(">")); controller.close(); }
          } });
          return (await new HTMLRewriter().on("a", { element(e) { e.before("!"); } }).transform(new Response(body)).text()).length;
        })()""")
    assert length > 1_000_000


#: Encodings that Python decodes as the standard does, but for the euro sign and what Japanese encoders take for something else.
LEGACY = [
    "ibm866",
    "koi8-u",
    "macintosh",
    "windows-1252",
    "windows-1255",
    "gbk",
    "gb18030",
    "shift_jis",
    "euc-kr",
]


@pytest.mark.parametrize("name", LEGACY)
@given(
    text=st.text(
        st.characters(exclude_categories=["Cs", "Co", "Cn"], exclude_characters="&¥‾−€"), max_size=30
    )
)
def test_what_is_encoded_can_be_decoded(name: str, text: str) -> None:
    encoded = encode_text(name, True, text.encode())
    assert encoded is not None
    decoded = decode_text(name, True, False, encoded) if encoded else ""
    assert re.sub(r"&#(\d+);", lambda reference: chr(int(reference[1])), str(decoded)) == text
    assert encode_text(name, False, text.encode()) == (encoded if b"&" not in encoded else None)


def test_the_host_encodes_little_at_a_time_and_only_what_it_knows() -> None:
    with pytest.raises(GuestProtocolError):
        encode_text("big5", True, bytes(4097))
    with pytest.raises(GuestError):
        encode_text("utf-8", True, b"x")
