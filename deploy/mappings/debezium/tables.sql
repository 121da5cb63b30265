-- The tables of a chat application, as the Vercel AI SDK's chatbot template has them, with the organization in each: a change of a row has to say whose it is.
CREATE TABLE "Chat" (id uuid PRIMARY KEY, "organizationId" text NOT NULL, "userId" text NOT NULL, title text NOT NULL, "createdAt" timestamp NOT NULL);
CREATE TABLE "Message_v2" (id uuid PRIMARY KEY, "organizationId" text NOT NULL, "chatId" uuid NOT NULL, role varchar NOT NULL, parts json NOT NULL, attachments json NOT NULL, "createdAt" timestamp NOT NULL);
CREATE TABLE "Vote_v2" ("organizationId" text NOT NULL, "chatId" uuid NOT NULL, "messageId" uuid NOT NULL, "isUpvoted" boolean NOT NULL, PRIMARY KEY ("chatId", "messageId"));
-- A deleted row is told whole, the organization included.
ALTER TABLE "Chat" REPLICA IDENTITY FULL;
ALTER TABLE "Message_v2" REPLICA IDENTITY FULL;
ALTER TABLE "Vote_v2" REPLICA IDENTITY FULL;

-- Debezium's outbox: rows that are inserted with what they are about, and deleted in the same transaction.
CREATE TABLE outbox (id uuid PRIMARY KEY, aggregatetype text NOT NULL, aggregateid text NOT NULL, type text NOT NULL, payload jsonb NOT NULL, happened_at timestamptz NOT NULL);
-- Before the connectors start: what a snapshot tells.
INSERT INTO "Chat" VALUES ('00000000-0000-7000-8000-000000000001', 'org_a', 'user_1', 'Order', '2026-01-05 10:00:00');
INSERT INTO "Message_v2" VALUES ('00000000-0000-7000-8000-000000000011', 'org_a', '00000000-0000-7000-8000-000000000001', 'user', '[{"type": "text", "text": "Where is my order 4711?"}]', '[]', '2026-01-05 10:00:00.25');
