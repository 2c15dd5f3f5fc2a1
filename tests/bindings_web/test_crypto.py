"""`crypto.subtle`: what it may cost, where it works, what a hostile guest gets. Its answers: tests/differential."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import time

import pytest

from durabox import JavaScriptError, LimitExceededError, Limits, ObjectBrokenError, Sandbox
from durabox.engine.ops import GuestError
from durabox.engine.webcrypto.keys import import_key
from tests.bindings_objects.conftest import InObject, OpenModule, ask_worker
from tests.served import environment

KEYS = """
  const S = crypto.subtle, bytes = (n) => new Uint8Array(n).fill(7);
  const name = async (run) => { try { await run(); return "no error"; } catch (error) { return error.name; } };
"""
GENERATE = """
  const pair = await crypto.subtle.generateKey(
    { name: "RSA-PSS", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" }, true, ["sign", "verify"]);
"""
PBKDF2 = """
  const key = await crypto.subtle.importKey("raw", new Uint8Array(3), "PBKDF2", false, ["deriveBits"]);
  const derive = (iterations) => crypto.subtle.deriveBits({ name: "PBKDF2", salt: new Uint8Array(8), iterations, hash: "SHA-256" }, key, 256);
"""


async def test_a_sandbox_digests_without_a_network() -> None:
    async with Sandbox() as box:
        small = await box.eval("crypto.subtle.digest('SHA-256', new TextEncoder().encode('abc'))")
        large = await box.eval("crypto.subtle.digest('SHA-512', new Uint8Array(1000000))")
    assert small == hashlib.sha256(b"abc").digest()
    assert large == hashlib.sha512(bytes(1_000_000)).digest()


async def test_long_work_completes_in_a_sandbox_and_in_an_object(in_object: InObject) -> None:
    body = PBKDF2 + "return (await derive(50000)).byteLength;"
    assert await in_object(body) == 32
    async with Sandbox() as box:
        assert await box.eval(f"(async () => {{ {body} }})()") == 32


async def test_the_event_loop_goes_on_while_a_key_is_derived() -> None:
    """One thread works while the loop turns: no turn waits for the whole of it."""
    async with Sandbox() as box:
        done = asyncio.create_task(
            box.eval(f"(async () => {{ {PBKDF2} for (let i = 0; i < 8; i++) await derive(100000); }})()")
        )
        turns = 0
        while not done.done():
            await asyncio.sleep(0)
            turns += 1
        await done
    assert turns > 100


async def test_iterations_and_moduli_are_bounded() -> None:
    async with Sandbox() as box:
        with pytest.raises(JavaScriptError, match="iteration counts above 100000 are not supported"):
            await box.eval(f"(async () => {{ {PBKDF2} await derive(100001); }})()")
        with pytest.raises(
            JavaScriptError, match="between 1024 and 4096, but 16384 was requested"
        ) as refused:
            await box.eval(f"(async () => {{ {GENERATE.replace('2048', '16384')} }})()")
    assert refused.value.name == "NotSupportedError"


async def test_long_work_counts_as_pending() -> None:
    async with Sandbox(limits=Limits(pending=4)) as box:
        outcome = await box.eval(
            f"(async () => {{ {PBKDF2} return (await Promise.allSettled(Array.from({{ length: 6 }}, () => derive(50000)))).map((r) => r.status); }})()"
        )
    assert outcome == ["fulfilled"] * 4 + ["rejected"] * 2


async def test_closing_a_sandbox_ends_what_waits_for_a_thread() -> None:
    async with Sandbox() as box:
        task = asyncio.create_task(
            box.eval(
                f"(async () => {{ {PBKDF2} await Promise.all(Array.from({{ length: 500 }}, () => derive(100000))); }})()"
            )
        )
        await asyncio.sleep(0.05)
        began = time.monotonic()
        box.close()
        with pytest.raises(Exception, match="closed"):
            await task
    assert time.monotonic() - began < 5


async def test_a_key_that_is_not_extractable_shows_nothing_of_itself(in_object: InObject) -> None:
    body = (
        KEYS
        + """
      const key = await S.importKey("raw", bytes(16), "AES-GCM", false, ["encrypt"]);
      Object.defineProperty(Object.prototype, "extractable", { get: () => true, configurable: true });
      return [await name(() => S.exportKey("raw", key)), await name(() => storage.put("k", key)), JSON.stringify(key).includes("7")];"""
    )
    assert await in_object(body) == ["InvalidAccessError", "DataCloneError", False]


async def test_keys_made_while_modules_load_work_in_every_object(in_object: InObject) -> None:
    more = 'const key = await crypto.subtle.importKey("raw", new Uint8Array(8), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);'
    body = 'return (await crypto.subtle.sign("HMAC", key, new Uint8Array(1))).byteLength;'
    assert await in_object(body, more) == 32


async def test_randomness_for_a_key_is_not_to_be_had_at_global_scope(open_module: OpenModule) -> None:
    source = """
      let said; try { await crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, true, ["encrypt"]); } catch (error) { said = error.message; }
      export default { fetch: () => new Response(said) };"""
    async with open_module(source) as host:
        assert (await ask_worker(host)).startswith("Disallowed operation called within global scope.")


async def test_a_class_that_uses_none_of_it_does_not_have_it_in_memory(open_module: OpenModule) -> None:
    probe = "export default { fetch: () => new Response(String(typeof Object.getOwnPropertyDescriptor(globalThis, ['Crypto', 'Key'].join('')).get)) };"
    async with open_module(probe) as host:
        assert await ask_worker(host) == "function"
    async with open_module(probe + "export const f = () => crypto.subtle;") as host:
        assert await ask_worker(host) == "undefined"


def test_a_server_that_needs_no_keys_does_not_import_the_library() -> None:
    code = "import sys, durabox, durabox.server.app, durabox.objects.host; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=environment(), check=False).returncode == 0


@pytest.mark.parametrize(
    ("family", "form", "parts"),
    [
        ("RSA", "jwk", [b"\xff" * 4096, b"\x01\x00\x01"]),  # too many bits
        ("RSA", "jwk", [b"\xfe" * 128, b"\x01\x00\x01"]),  # even
        ("RSA", "jwk", [b"\xff" * 128, b"\xff" * 128]),  # an exponent that takes long
        ("RSA", "jwk", [b"\xff" * 128, b"\x01\x00\x01", *[b"\x03"] * 6]),  # numbers that do not belong together
        ("RSA", "jwk", [b"\xff" * 128]),
        ("RSA", "jwk", []),
        ("RSA", "pkcs8", [b"\x30" * 20_000]),
        ("EC", "jwk", [b"\0" * 32, b"\0" * 32]),
        ("EC", "raw", [b"\x04" + b"\0" * 64]),
        ("EC", "raw", [b"\0"]),  # the point at infinity
        ("Ed25519", "jwk", [b"\0" * 32, b"\1" * 32]),  # halves of two keys
        ("X25519", "raw", [b""]),
        ("DSA", "spki", [b""]),
        ("EC", "pem", [b""]),
    ],
)  # fmt: skip
def test_numbers_that_make_no_key_are_refused(family: str, form: str, parts: list[bytes]) -> None:
    with pytest.raises(GuestError) as refused:
        import_key(family, form, "P-256", parts)
    assert refused.value.name == "DataError"


async def test_time_of_threads_counts_towards_the_limit() -> None:
    endless = """(async () => {
      const key = await crypto.subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]);
      const parameters = { name: "PBKDF2", salt: new Uint8Array(8), iterations: 50_000, hash: "SHA-256" };
      for (;;) await crypto.subtle.deriveBits(parameters, key, 256);
    })()"""
    async with Sandbox(limits=Limits(cpu_ms=300)) as box:
        with pytest.raises(LimitExceededError) as caught:
            await box.eval(endless)
    assert caught.value.limit == "cpu"


@pytest.mark.parametrize(
    "work",
    [
        'createHash("sha256").update(data).digest()',
        'createHmac("sha256", "key").update(data).digest()',
        'hkdfSync("sha512", "key", "salt", "info", 8000)',
    ],
)
async def test_time_of_hashes_by_node_counts_towards_the_limit(open_module: OpenModule, work: str) -> None:
    module = f"""
      import {{ createHash, createHmac, hkdfSync }} from "node:crypto";
      const data = new Uint8Array(60_000);
      export default {{ async fetch() {{ for (;;) {{ {work}; await null; }} }} }};"""
    async with open_module(module, limits=Limits(cpu_ms=100)) as host:
        with pytest.raises(ObjectBrokenError, match="exceeded its CPU time limit"):
            await ask_worker(host)


@pytest.mark.parametrize("kind", ["CompressionStream", "DecompressionStream"])
async def test_time_of_compression_counts_towards_the_limit(open_module: OpenModule, kind: str) -> None:
    module = f"""
      const packed = new Uint8Array([0x4b, 0x04, 0x00]);
      export default {{
        async fetch() {{
          const data = new Uint8Array(60_000);
          for (;;) {{
            const stream = new {kind}("deflate-raw");
            const writer = stream.writable.getWriter();
            void writer.write("{kind}" === "CompressionStream" ? data : packed).catch(() => {{}});
            void writer.close().catch(() => {{}});
            await new Response(stream.readable).arrayBuffer();
          }}
        }},
      }};"""
    async with open_module(module, limits=Limits(cpu_ms=100)) as host:
        with pytest.raises(ObjectBrokenError, match="exceeded its CPU time limit"):
            await ask_worker(host)


async def test_data_that_waits_for_a_thread_is_bounded() -> None:
    greedy = """(async () => {
      const key = await crypto.subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]);
      const parameters = { name: "PBKDF2", salt: new Uint8Array(8_000_000), iterations: 100_000, hash: "SHA-256" };
      const work = Array.from({ length: 40 }, () => crypto.subtle.deriveBits(parameters, key, 256));
      const outcomes = await Promise.allSettled(work);
      const refused = outcomes.filter(({ reason }) => reason?.name === "OperationError");
      return [outcomes.length - refused.length, refused[0].reason.message];
    })()"""
    async with Sandbox(limits=Limits(cpu_ms=60_000)) as box:
        done, message = await box.eval(greedy)
        assert 16 <= done < 40
        assert "Await what was started before" in message
        assert (
            await box.eval(
                "crypto.subtle.digest('SHA-1', new Uint8Array(9_000_000)).then((d) => d.byteLength)"
            )
            == 20
        )
