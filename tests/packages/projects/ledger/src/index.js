import { DurableObject } from "cloudflare:workers";
import { desc, eq, gt, sql, sum } from "drizzle-orm";
import { drizzle } from "drizzle-orm/durable-sqlite";
import { migrate } from "drizzle-orm/durable-sqlite/migrator";
import migrations from "../drizzle/migrations";
import * as schema from "./schema";

const { accounts, entries } = schema;

/** Accounts and what was paid into and out of them. */
export class Ledger extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.db = drizzle(ctx.storage, { schema });
    ctx.blockConcurrencyWhile(() => migrate(this.db, migrations));
  }

  open(owner, tags) {
    return this.db.insert(accounts).values({ owner, opened: new Date(86_400_000), tags }).returning().get();
  }

  /** Move money, or nothing at all when there is not enough. */
  pay(from, to, cents) {
    this.db.transaction((tx) => {
      const of = (owner) => tx.select({ id: accounts.id }).from(accounts).where(eq(accounts.owner, owner)).get();
      tx.insert(entries).values([{ account: of(from).id, cents: -cents }, { account: of(to).id, cents }]).run();
      const { left } = tx.select({ left: sum(entries.cents).mapWith(Number) }).from(entries).where(eq(entries.account, of(from).id)).get();
      if (left < -1000) tx.rollback();
    });
    return this.balances();
  }

  balances() {
    return this.db
      .select({ owner: accounts.owner, cents: sql`coalesce(sum(${entries.cents}), 0)`, moves: sql`count(${entries.id})` })
      .from(accounts)
      .leftJoin(entries, eq(entries.account, accounts.id))
      .groupBy(accounts.id)
      .orderBy(desc(accounts.owner))
      .all();
  }

  async details(owner) {
    return this.db.query.accounts.findFirst({
      where: eq(accounts.owner, owner),
      with: { entries: { columns: { cents: true }, where: gt(entries.cents, 0) } },
    });
  }

  close(owner) {
    this.db.delete(accounts).where(eq(accounts.owner, owner)).run();
    return this.db.$count(entries);
  }
}

export default {
  async fetch(request, env) {
    const [, method, ...values] = new URL(request.url).pathname.split("/").map(decodeURIComponent);
    try {
      return Response.json(await env.LEDGER.getByName("main")[method](...values.map((value) => JSON.parse(value))));
    } catch (error) {
      return new Response(`${error.message} / ${error.cause?.message}`, { status: 409 });
    }
  },
};
