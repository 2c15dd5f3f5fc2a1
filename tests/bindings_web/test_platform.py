"""Ports, forms, patterns and marks: what a comparison with workerd cannot show. Their answers: tests/differential."""

from __future__ import annotations

from durabox import Sandbox
from tests.bindings_objects.conftest import InObject

PORTS = "const { port1, port2 } = new MessageChannel();"


async def test_ports_work_in_a_sandbox_and_leave_nothing_to_wait_for() -> None:
    async with Sandbox() as box:
        code = f"(() => {{ {PORTS} return new Promise((r) => {{ port2.onmessage = (e) => r(e.data); port1.postMessage([1]); }}); }})()"
        assert await box.eval(code) == [1]


async def test_a_message_waits_for_a_listener_and_a_closed_port_gets_none(in_object: InObject) -> None:
    body = (
        PORTS
        + """
      const seen = [];
      port1.postMessage("early");
      await scheduler.wait(1);
      port2.onmessage = (event) => { seen.push(event.data); port2.close(); };
      port1.postMessage("second");
      await scheduler.wait(1);
      return seen;"""
    )
    assert await in_object(body) == ["early"]


async def test_two_ports_that_answer_each_other_let_other_work_through(in_object: InObject) -> None:
    """Each message is a task: a timer is not starved by an endless exchange."""
    body = (
        PORTS
        + """
      let n = 0;
      port1.onmessage = port2.onmessage = (event) => { n++; event.target.postMessage(0); };
      port1.postMessage(0);
      await scheduler.wait(5);
      port1.close();
      return n > 0;"""
    )
    assert await in_object(body) is True


async def test_hostile_forms_are_read_in_one_go() -> None:
    """A boundary that almost matches everywhere, heads without an end, a name of a megabyte."""
    async with Sandbox() as box:
        outcome = await box.eval(r"""(async () => {
          const parse = async (body, boundary) => {
            try { return [...await new Response(body, { headers: { "content-type": `multipart/form-data; boundary=${boundary}` } }).formData()].length; }
            catch (error) { return error.name; }
          };
          return [
            await parse("\r\n--bbbbbbba".repeat(20000), "bbbbbbbb"),
            await parse("--b\r\n" + "x: y\r\n".repeat(20000), "b"),
            await parse(`--b\r\nContent-Disposition: form-data; name="${"n".repeat(1 << 20)}"\r\n\r\n1\r\n--b--`, "b"),
            await parse('--b\r\nContent-Disposition: form-data; name="' + '\\"'.repeat(20000) + "\r\n\r\n1\r\n--b--", "b"),
            await parse("\r".repeat(300000), "b"),
          ]; })()""")
    assert outcome == ["TypeError", "TypeError", 1, 1, "TypeError"]


async def test_a_name_cannot_add_headers_to_a_form(in_object: InObject) -> None:
    body = r"""
      const form = new FormData();
      form.append('a"\r\n\r\nX: y\r\n', "1");
      form.append("f", new File(["x"], 'n"\r\nContent-Type: text/html'));
      const text = await new Response(form).text();
      return [text.includes("\r\nX: y"), text.includes("\r\nContent-Type: text/html")];"""
    assert await in_object(body) == [False, False]
