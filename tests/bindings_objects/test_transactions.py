"""``storage.transaction`` and ``transactionSync``: what stays, what is undone, and who may still use what."""

from __future__ import annotations

import pytest

from .conftest import InObject

COMMITTED = "Error: Cannot call {}() on transaction that has already committed: did you move `txn` outside of the closure?"


async def test_a_transaction_resolves_to_the_closures_value_and_keeps_its_writes(in_object: InObject) -> None:
    assert await in_object("""
      const value = await storage.transaction(async (txn) => { await txn.put("a", 1); return await txn.get("a") + 1; });
      return [value, await storage.transaction(() => 7), await storage.get("a")];
    """) == [2, 7, 1]


async def test_a_throwing_closure_undoes_everything_and_rejects_with_the_same_error(
    in_object: InObject,
) -> None:
    assert await in_object("""
      await storage.put("a", "before");
      const thrown = new RangeError("boo");
      const caught = await storage.transaction(async (txn) => {
        await txn.put("a", "inside"); await storage.put("b", "through storage"); throw thrown;
      }).catch((error) => error);
      const sync = await storage.transaction(() => { throw thrown; }).catch((error) => error);
      return [caught === thrown, sync === thrown, [...await storage.list()]];
    """) == [True, True, [["a", "before"]]]


async def test_rollback_undoes_and_still_resolves(in_object: InObject) -> None:
    assert await in_object("""
      let kept;
      const value = await storage.transaction(async (txn) => {
        kept = txn;
        await txn.put("a", 1);
        txn.rollback(); txn.rollback();
        const refused = [];
        for (const method of ["get", "put", "delete", "list"]) refused.push(await attempt(() => txn[method]("a")));
        await storage.put("after", 1);
        return refused;
      });
      return [value, [...await storage.list()], await attempt(() => kept.rollback())];
    """) == [
        [
            "Error: Cannot get() on rolled back transaction",
            "Error: Cannot put() on rolled back transaction",
            "Error: Cannot delete() on rolled back transaction",
            "Error: Cannot list() on rolled back transaction",
        ],
        [["after", 1]],
        "undefined",
    ]


async def test_a_transaction_that_ended_refuses_every_use(in_object: InObject) -> None:
    assert await in_object("""
      let kept;
      await storage.transaction((txn) => { kept = txn; });
      const refused = [];
      for (const method of ["get", "put", "delete", "list", "rollback"]) refused.push(await attempt(() => kept[method]()));
      return refused;
    """) == [COMMITTED.format(method) for method in ("get", "put", "delete", "list", "rollback")]


async def test_an_inner_rollback_leaves_the_outer_transaction_intact(in_object: InObject) -> None:
    assert await in_object("""
      const inner = await storage.transaction(async (outer) => {
        await outer.put("outer", 1);
        return attempt(() => storage.transaction(async (txn) => {
          await txn.put("inner", 1); await outer.put("outer in inner", 1);
          throw new Error(await attempt(() => outer.rollback()));
        }));
      });
      return [inner, [...await storage.list()]];
    """) == [
        "Error: Error: Cannot roll back an outer transaction while a nested transaction is still running.",
        [["outer", 1]],
    ]


async def test_siblings_run_one_after_the_other(in_object: InObject) -> None:
    assert await in_object("""
      const log = [];
      const pause = () => new Promise((resolve) => setTimeout(resolve, 1));
      const one = storage.transaction(async () => { log.push("1"); await pause(); log.push("1 end"); });
      const two = storage.transaction(async () => { log.push("2"); await pause(); log.push("2 end"); });
      log.push("called");
      await Promise.all([one, two]);
      return log;
    """) == ["called", "1", "1 end", "2", "2 end"]


async def test_a_closure_that_ends_before_its_nested_transaction_waits_for_it(in_object: InObject) -> None:
    assert await in_object("""
      const log = [];
      let letOuterEnd;
      const signal = new Promise((resolve) => { letOuterEnd = resolve; });
      await storage.transaction(async () => {
        void storage.transaction(async (txn) => {
          letOuterEnd();
          await new Promise((resolve) => setTimeout(resolve, 1));
          await txn.put("inner", 1);
          log.push("inner");
        });
        await signal;
      });
      log.push("outer");
      return [log, await storage.get("inner")];
    """) == [["inner", "outer"], 1]


async def test_delete_all_is_refused_inside(in_object: InObject) -> None:
    refused = "Error: Cannot call deleteAll() within a transaction"
    assert await in_object("""
      return storage.transaction(async (txn) => {
        const refusals = [await attempt(() => txn.deleteAll()), await attempt(() => storage.deleteAll())];
        txn.rollback();
        return [...refusals, await attempt(() => storage.deleteAll())];
      });
    """) == [refused, refused, refused]


async def test_transaction_sync_keeps_or_undoes_at_once(in_object: InObject) -> None:
    assert await in_object("""
      const value = storage.transactionSync(() => { storage.put("kept", 1); return 5; });
      let message;
      try {
        storage.transactionSync(() => {
          storage.put("undone", 1);
          storage.transactionSync(() => storage.put("inner", 1));
          throw new Error("no");
        });
      } catch (error) { message = error.message; }
      return [value, message, [...await storage.list()]];
    """) == [5, "no", [["kept", 1]]]


@pytest.mark.parametrize("method", ["get", "put", "list", "delete", "deleteAll", "rollback"])
async def test_a_transaction_offers_the_documented_methods(in_object: InObject, method: str) -> None:
    assert await in_object(f"return storage.transaction((txn) => typeof txn.{method});") == "function"


async def test_a_request_that_comes_meanwhile_waits(in_object: InObject) -> None:
    assert await in_object(
        """
        const stub = env.Other.getByName("o");
        const transfer = stub.fetch("http://o/transfer");
        const peek = stub.fetch("http://o/peek");
        await transfer;
        return [...await (await peek).json()];
        """,
        more="""
        export class Other extends DurableObject {
          async fetch(request) {
            const { storage } = this.ctx;
            if (request.url.endsWith("peek")) return Response.json([...await storage.list()]);
            await storage.transaction(async (txn) => {
              await txn.put("from", -1);
              await new Promise((resolve) => setTimeout(resolve, 5));
              await txn.put("to", 1);
            });
            return new Response();
          }
        }
        """,
    ) == [["from", -1], ["to", 1]]
