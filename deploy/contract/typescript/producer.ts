// A producer of recap's events: CloudEvents by their SDK, published with KafkaJS.
//
//   npm ci && npx tsc && KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 node out/producer.js structured
//
// The other mode is `binary`. TOPIC_PREFIX stands before the default names of the topics.
import { randomUUID } from "node:crypto";
import { CloudEvent, Kafka as Binding } from "cloudevents";
import { Kafka, logLevel, type IHeaders } from "kafkajs";

const prefix = process.env.TOPIC_PREFIX ?? "";
const mode = process.argv[2] === "binary" ? Binding.binary : Binding.structured;

const topics: Record<string, string> = {
  conversation: "recap.conversations",
  message: "recap.messages",
  tool_call: "recap.tool-calls",
  feedback: "recap.feedback",
  user: "recap.users",
  agent: "recap.agents",
};

type Data = { orgId: string; conversationId?: string; userId?: string; agentId?: number } & Record<string, unknown>;

const kafka = new Kafka({
  clientId: "chat",
  brokers: (process.env.KAFKA_BOOTSTRAP_SERVERS ?? "127.0.0.1:9092").split(","),
  logLevel: logLevel.WARN,
});
// Idempotent, so that an event is not lost when a broker changes; that an event arrives twice would change nothing.
const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });

/** An id that sorts by time, as UUIDv7 does: of two events with one time the greater id wins. */
function eventId(time: Date): string {
  return `${time.getTime().toString(16).padStart(12, "0")}-${randomUUID()}`;
}

/** The key keeps what belongs together on one partition. */
function key(data: Data): string {
  return data.conversationId ?? `${data.orgId}/${data.userId ?? data.agentId}`;
}

/** Ends once Kafka has acknowledged the event. */
async function publish(type: string, time: Date, data: Data): Promise<void> {
  const event = new CloudEvent({
    id: eventId(time),
    source: "/chat",
    type,
    time: time.toISOString(),
    datacontenttype: "application/json",
    data,
  });
  const message = mode(event);
  // The SDK leaves data as an object in binary mode, and attributes that are not set as undefined headers.
  const value = typeof message.body === "string" ? message.body : JSON.stringify(message.body);
  const headers = Object.fromEntries(Object.entries(message.headers).filter(([, text]) => text !== undefined)) as IHeaders;
  const topic = prefix + topics[type.split(".")[0]!]!;
  await producer.send({ topic, acks: -1, messages: [{ key: key(data), value, headers }] });
}

const org = { orgId: "org_demo" };
const chat = { ...org, conversationId: "chat-1" };
const at = (seconds: number) => new Date(Date.UTC(2026, 0, 5, 10, 0, seconds));

await producer.connect();
await publish("user.upserted", at(0), {
  ...org,
  userId: "user_ada",
  email: "ada@example.com",
  firstName: "Ada",
  lastName: "Lovelace",
  publicMetadata: { plan: "pro", seats: 3 },
});
await publish("agent.upserted", at(0), { ...org, agentId: 7, name: "Helper", model: "small-1" });
await publish("conversation.upserted", at(1), { ...chat, userId: "user_ada", agentId: 7, createdAt: at(1).toISOString() });
await publish("message.upserted", at(2), {
  ...chat,
  messageId: "m1",
  role: "user",
  createdAt: at(2).toISOString(),
  text: "Wie wird das Wetter in Zürich? ☂",
});
await publish("tool_call.started", at(3), { ...chat, toolCallId: "t1", toolName: "weather", args: { city: "Zürich", days: [1, 2] }, messageId: "m2" });
await publish("tool_call.finished", at(4), { ...chat, toolCallId: "t1", result: { rain: true, millimetres: 2.5 } });
await publish("message.upserted", at(5), {
  ...chat,
  messageId: "m2",
  role: "assistant",
  createdAt: at(5).toISOString(),
  text: "Nimm einen Schirm mit.",
  model: "large-2",
  finishReason: "stop",
  usage: { inputTokens: 40, outputTokens: 8 },
});
await publish("feedback.submitted", at(6), { ...chat, feedbackId: "f1", helpful: true, comment: "Danke!", messageId: "m2", userId: "user_ada" });
await producer.disconnect();
