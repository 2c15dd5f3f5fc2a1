"""``ctx.storage``: values, keys, options and the errors of wrong calls, in the platform's wording."""

from __future__ import annotations

import pytest

from durabox.limits import Limits

from .conftest import InObject


async def test_a_value_comes_back_as_a_fresh_copy(in_object: InObject) -> None:
    result = await in_object("""
      const value = { list: [1, new Date(5)], map: new Map([["k", 1n]]) };
      await storage.put("v", value);
      value.list.push("later");
      const [one, two] = [await storage.get("v"), await storage.get("v")];
      one.list.length = 0;
      return [two.list.length, two.list[1].getTime(), typeof two.map.get("k"), one === two];
    """)
    assert result == [2, 5, "bigint", False]


async def test_a_missing_key_reads_as_undefined(in_object: InObject) -> None:
    assert await in_object('return await storage.get("nothing") === undefined;') is True


async def test_keys_are_converted_to_strings(in_object: InObject) -> None:
    result = await in_object("""
      await storage.put(5, "number"); await storage.put(null, "null"); await storage.put(["q"], "array");
      await storage.put("", "empty");
      return [[...(await storage.list()).keys()], await storage.get(5), await storage.get("")];
    """)
    assert result == [["", "5", "null", "q"], "number", "empty"]


async def test_several_keys_give_a_map_in_key_order_without_the_missing_ones(in_object: InObject) -> None:
    result = await in_object("""
      await storage.put({ b: 2, a: 1, c: 3 });
      const map = await storage.get(["c", "nothing", "a", "c"]);
      return [map instanceof Map, [...map], [...await storage.get([])]];
    """)
    assert result == [True, [["a", 1], ["c", 3]], []]


async def test_undefined_is_refused_as_a_value_and_skipped_among_entries(in_object: InObject) -> None:
    result = await in_object("""
      await storage.put("a", "old");
      return [
        await attempt(() => storage.put("a", undefined)),
        await attempt(() => storage.put({ a: undefined, b: 1 })),
        await storage.get("a"), await storage.get("b"),
      ];
    """)
    assert result == ["TypeError: put() called with undefined value.", "undefined", "old", 1]


async def test_entries_are_written_all_or_none(in_object: InObject) -> None:
    result = await in_object("""
      return [await attempt(() => storage.put({ a: 1, b: () => 1 })), (await storage.list()).size];
    """)
    assert result == ["DataCloneError: () => 1 could not be cloned.", 0]


async def test_delete_tells_what_existed(in_object: InObject) -> None:
    result = await in_object("""
      await storage.put({ a: 1, b: 2, c: 3 });
      return [
        await storage.delete("a"), await storage.delete("a"),
        await storage.delete(["b", "nothing", "b"]), await storage.delete([]),
        await storage.delete("c", { allowUnconfirmed: true }), await storage.delete("c", { allowUnconfirmed: true }),
      ];
    """)
    assert result == [True, False, 1, 0, True, False]


async def test_delete_all_leaves_nothing(in_object: InObject) -> None:
    assert await in_object("""
      await storage.put({ a: 1, b: 2 }); await storage.deleteAll(); await storage.put("c", 3);
      return [...await storage.list()];
    """) == [["c", 3]]


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ("", ["a", "b", "b1", "b2", "c"]),
        ("{ start: 'b' }", ["b", "b1", "b2", "c"]),
        ("{ startAfter: 'b' }", ["b1", "b2", "c"]),
        ("{ end: 'b2' }", ["a", "b", "b1"]),
        ("{ prefix: 'b' }", ["b", "b1", "b2"]),
        ("{ prefix: 'b', start: 'b1', end: 'b2' }", ["b1"]),
        ("{ reverse: true, limit: 2 }", ["c", "b2"]),
        ("{ reverse: true, start: 'b', end: 'c' }", ["b2", "b1", "b"]),
        ("{ limit: '2' }", ["a", "b"]),
        ("{ limit: 1.9 }", ["a"]),
        ("{ start: 'z', end: 'a' }", []),
        ("{ end: '' }", []),
        ("{ prefix: 'x', start: 'b' }", []),
        ("null", ["a", "b", "b1", "b2", "c"]),
        ("{ limit: undefined, unknown: 1 }", ["a", "b", "b1", "b2", "c"]),
    ],
)
async def test_list_selects_a_range(in_object: InObject, options: str, keys: list[str]) -> None:
    assert (
        await in_object(f"""
      await storage.put({{ b2: 1, a: 1, c: 1, b: 1, b1: 1 }});
      return [...(await storage.list({options})).keys()];
    """)
        == keys
    )


async def test_list_orders_by_utf8_bytes(in_object: InObject) -> None:
    assert await in_object(r"""
      await storage.put({ "\u{1F600}": 1, "\uFFFD": 1, "é": 1, "z": 1 });
      return [...(await storage.list()).keys()];
    """) == ["z", "é", "\ufffd", "\U0001f600"]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (
            "get('a', 5)",
            "TypeError: Failed to execute 'get' on 'DurableObjectStorage': "
            "parameter 2 is not of type 'GetOptions'.",
        ),
        (
            "put('a', 1, 5)",
            "TypeError: Failed to execute 'put' on 'DurableObjectStorage': "
            "parameter 3 is not of type 'PutOptions'.",
        ),
        (
            "list(5)",
            "TypeError: Failed to execute 'list' on 'DurableObjectStorage': "
            "parameter 1 is not of type 'ListOptions'.",
        ),
        ("list({ limit: 0 })", "TypeError: List limit must be positive."),
        ("list({ limit: NaN })", "TypeError: List limit must be positive."),
        (
            "list({ limit: 2 ** 31 })",
            "TypeError: Value out of range. Must be between -2147483648 and 2147483647 (inclusive).",
        ),
        (
            "list({ start: 'a', startAfter: 'b' })",
            "TypeError: list() cannot be called with both start and startAfter values.",
        ),
        (
            "put({ a: 1 }, 3)",
            "TypeError: put() may only be called with a single key-value pair and optional options "
            "as put(key, value, options) or with multiple key-value pairs and optional options as put(entries, options)",
        ),
        (
            "transaction()",
            "TypeError: Failed to execute 'transaction' on 'DurableObjectStorage': "
            "parameter 1 is not of type 'function'.",
        ),
        ("put('a', Symbol('s'))", "DataCloneError: Symbol(s) could not be cloned."),
        ("put('a', { inner() {} })", "DataCloneError: inner() {} could not be cloned."),
    ],
)
async def test_a_wrong_call_is_a_rejection(in_object: InObject, call: str, error: str) -> None:
    assert await in_object(f"""
      const promise = storage.{call};
      return [promise instanceof Promise, await attempt(() => promise)];
    """) == [True, error]


async def test_delete_alone_throws_what_is_wrong_with_a_call(in_object: InObject) -> None:
    assert await in_object("""
      const thrown = (run) => { try { return run(); } catch (error) { return error.message; } };
      const wrong = thrown(() => storage.delete("a", "x"));
      return [wrong, await storage.transaction((txn) => { txn.rollback(); return thrown(() => txn.delete("a")); })];
    """) == [
        "Failed to execute 'delete' on 'DurableObjectStorage': parameter 2 is not of type 'PutOptions'.",
        "Cannot delete() on rolled back transaction",
    ]


async def test_a_key_of_undefined_is_a_key(in_object: InObject) -> None:
    assert await in_object("""
      await storage.put(undefined, 1);
      return [[...(await storage.list())], await storage.get(undefined), await storage.delete(undefined)];
    """) == [[["undefined", 1]], 1, True]


async def test_sync_resolves_after_writes(in_object: InObject) -> None:
    assert await in_object("""
      await storage.put("a", 1);
      const synced = await attempt(() => storage.sync());
      return [synced, await attempt(() => storage.sync())];
    """) == ["undefined", "undefined"]


async def test_sync_resolves_although_what_it_waits_for_was_taken_back(in_object: InObject) -> None:
    assert (
        await in_object("""
      storage.put("a", 1);
      const synced = storage.sync();
      storage.deleteAll();
      return attempt(() => synced);
    """)
        == "undefined"
    )


async def test_the_classes_show_their_platform_names_and_cannot_be_made(in_object: InObject) -> None:
    assert await in_object("""
      return [ctx, storage, ctx.id].map((value) => [
        value.constructor.name, Object.prototype.toString.call(value),
      ]).concat([[await attempt(() => new storage.constructor()), await attempt(() => new ctx.constructor())]]);
    """) == [
        ["DurableObjectState", "[object DurableObjectState]"],
        ["DurableObjectStorage", "[object DurableObjectStorage]"],
        ["DurableObjectId", "[object DurableObjectId]"],
        ["TypeError: Illegal constructor", "TypeError: Illegal constructor"],
    ]


async def test_large_values_that_are_kept_take_their_own_size_of_memory(in_object: InObject) -> None:
    # What the host answered is given back while the value that was made of it stays: by turns, of one size.
    answer = await in_object(
        """
      await storage.put("k", new Uint8Array(100_000));
      const kept = [];
      while (kept.length < 100) kept.push(await storage.get("k"));
      return kept.length;
    """,
        limits=Limits(memory_mb=16),
    )
    assert answer == 100


async def test_objects_of_every_form_keep_their_enumerable_fields_in_order(in_object: InObject) -> None:
    assert (
        await in_object("""
      const removed = { a: 1, b: 2, c: 3 };
      delete removed.b;
      const hidden = Object.defineProperty({ a: 1, b: 2 }, "c", { value: 3, enumerable: false });
      const rope = "left ".repeat(50) + String(Math.random() * 0) + " right".repeat(50);
      const values = {
        empty: {}, numbers: { b: 1, 2: "two", 1: "one", "1a": 0.5 }, wide: { "é": "ü", "中": "😀", "": null },
        nested: { a: { b: { c: true } }, list: [{ x: 1 }, {}] }, undefined: { a: undefined, b: -0, c: NaN, d: 12n, e: "" },
        [rope]: { text: rope }, removed, hidden, symbol: { [Symbol("s")]: 1, a: 1 }, getter: { get a() { delete this.b; return 1; }, b: 2 },
        class: new (class { #own = 1; a = this.#own; })(), many: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, i])),
      };
      const entries = Object.entries(values);
      values.getter = { get a() { delete this.b; return 1; }, b: 2 };
      await storage.put(values);
      for (const [key, value] of entries) await storage.put(`one ${key}`, value);
      const shown = (value) => typeof value === "bigint" ? `${value}n` : Object.is(value, -0) ? "-0" : value !== value ? "NaN"
        : value === undefined ? "undefined" : Array.isArray(value) ? value.map(shown)
        : value && typeof value === "object" ? Object.entries(value).map(([key, item]) => [key, shown(item)]) : value;
      const different = [];
      for (const [key, value] of entries) {
        const expected = JSON.stringify(shown(key === "getter" ? { a: 1 } : value));
        for (const found of [await storage.get(key), await storage.get(`one ${key}`)])
          if (JSON.stringify(shown(found)) !== expected) different.push([key, shown(found)]);
      }
      return different;
    """)
        == []
    )
