INSERT INTO "Message_v2" VALUES ('00000000-0000-7000-8000-000000000012', 'org_a', '00000000-0000-7000-8000-000000000001', 'assistant',
  '[{"type": "step-start"}, {"type": "tool-trackOrder", "toolCallId": "call_1", "state": "output-available", "input": {"order": 4711}, "output": {"status": "shipped"}}, {"type": "text", "text": "It left this morning."}]', '[]', '2026-01-05 10:00:02');
INSERT INTO "Vote_v2" VALUES ('org_a', '00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000012', true);
UPDATE "Vote_v2" SET "isUpvoted" = false;
-- Two revisions in one transaction: the later wins, whatever is read again.
BEGIN;
UPDATE "Message_v2" SET parts = '[{"type": "text", "text": "It left"}]' WHERE id = '00000000-0000-7000-8000-000000000012';
UPDATE "Message_v2" SET parts = '[{"type": "text", "text": "It left this morning, by train."}]' WHERE id = '00000000-0000-7000-8000-000000000012';
COMMIT;
INSERT INTO "Chat" VALUES ('00000000-0000-7000-8000-000000000002', 'org_b', 'user_2', 'Picture', '2026-01-05 11:00:00');
INSERT INTO "Message_v2" VALUES ('00000000-0000-7000-8000-000000000021', 'org_b', '00000000-0000-7000-8000-000000000002', 'user',
  '[{"type": "text", "text": "What is this?"}]', '[{"name": "box.png", "contentType": "image/png", "url": "https://example.com/box.png"}]', '2026-01-05 11:00:00');
INSERT INTO "Message_v2" VALUES ('00000000-0000-7000-8000-000000000022', 'org_b', '00000000-0000-7000-8000-000000000002', 'user', '[{"type": "text", "text": "Never mind"}]', '[]', '2026-01-05 11:00:05');
DELETE FROM "Message_v2" WHERE id = '00000000-0000-7000-8000-000000000022';
INSERT INTO "Chat" VALUES ('00000000-0000-7000-8000-000000000003', 'org_b', 'user_2', 'Gone', '2026-01-05 12:00:00');
DELETE FROM "Chat" WHERE id = '00000000-0000-7000-8000-000000000003';
DELETE FROM "Vote_v2";
BEGIN;
INSERT INTO outbox VALUES ('00000000-0000-7000-8000-0000000000a1', 'conversation', 'chat-9', 'message.upserted',
  '{"orgId": "org_a", "conversationId": "chat-9", "messageId": "m1", "role": "user", "createdAt": "2026-01-05T13:00:00Z", "text": "Hello"}', '2026-01-05 13:00:00+00');
DELETE FROM outbox;
COMMIT;
