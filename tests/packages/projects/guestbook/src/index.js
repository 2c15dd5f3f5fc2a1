import { DurableObject } from "cloudflare:workers";
import { Kysely, sql } from "kysely";
import { Migrator } from "kysely/migration";
import { DODialect } from "kysely-do";

const migrations = {
  "2026-01-01": {
    async up(db) {
      await db.schema
        .createTable("guests")
        .addColumn("id", "integer", (column) => column.primaryKey())
        .addColumn("name", "text", (column) => column.notNull().unique())
        .addColumn("visits", "integer", (column) => column.notNull().defaultTo(1))
        .execute();
      await db.schema.createIndex("guests_by_visits").on("guests").column("visits").execute();
    },
  },
  "2026-01-02": { up: (db) => db.schema.alterTable("guests").addColumn("note", "text").execute() },
};

/** Who came, and how often. */
export class Book extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.db = new Kysely({ dialect: new DODialect({ ctx }) });
    ctx.blockConcurrencyWhile(async () => {
      const provider = { getMigrations: async () => migrations };
      const { error } = await new Migrator({ db: this.db, provider, disableTransactions: true }).migrateToLatest();
      if (error) throw error;
    });
  }

  visit(name) {
    return this.db
      .insertInto("guests")
      .values({ name })
      .onConflict((conflict) => conflict.column("name").doUpdateSet((set) => ({ visits: set("guests.visits", "+", 1) })))
      .returning(["name", "visits"])
      .executeTakeFirstOrThrow();
  }

  async rename(from, to) {
    const { numUpdatedRows } = await this.db.updateTable("guests").set({ name: to }).where("name", "=", from).executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  report() {
    return this.db
      .with("ranked", (db) =>
        db.selectFrom("guests").select(["name", "visits"]).select(sql`rank() over (order by visits desc)`.as("place")),
      )
      .selectFrom("ranked")
      .selectAll()
      .orderBy("place")
      .orderBy("name")
      .execute();
  }

  async tables() {
    const tables = await this.db.introspection.getTables();
    return tables.filter(({ name }) => name === "guests").map(({ columns }) => columns.map(({ name }) => name));
  }

  transaction() {
    return this.db.transaction().execute(async () => {});
  }
}

export default {
  async fetch(request, env) {
    const [, method, ...values] = new URL(request.url).pathname.split("/");
    try {
      return Response.json(await env.BOOK.getByName("main")[method](...values));
    } catch (error) {
      return new Response(error.message, { status: 409 });
    }
  },
};
