import { relations } from "drizzle-orm";
import { blob, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const accounts = sqliteTable("accounts", {
  id: integer().primaryKey({ autoIncrement: true }),
  owner: text().notNull().unique(),
  opened: integer({ mode: "timestamp_ms" }).notNull(),
  tags: text({ mode: "json" }).notNull().default([]),
});

export const entries = sqliteTable("entries", {
  id: integer().primaryKey({ autoIncrement: true }),
  account: integer().notNull().references(() => accounts.id, { onDelete: "cascade" }),
  cents: integer().notNull(),
  memo: blob({ mode: "buffer" }),
});

export const accountsRelations = relations(accounts, ({ many }) => ({ entries: many(entries) }));
export const entriesRelations = relations(entries, ({ one }) => ({
  of: one(accounts, { fields: [entries.account], references: [accounts.id] }),
}));
