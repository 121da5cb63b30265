// Records what a chat server with the AI SDK publishes from `onFinish`: real `streamText`, real UI messages, a model of the SDK's own test kit.
//
//     npm ci && node record.mjs > ../ai-sdk.examples/chat.records.ndjson
//
// Ids and times are counted, so that a second run gives the same lines.

import { convertToModelMessages, stepCountIs, streamText, tool } from 'ai';
import { MockLanguageModelV3, convertArrayToReadableStream } from 'ai/test';
import { z } from 'zod';

let now = Date.parse('2026-01-05T10:00:00.000Z');
const tick = (milliseconds) => (now += milliseconds);
let ids = 0;
const nextId = (prefix) => `${prefix}-${String(++ids).padStart(4, '0')}`;

const usage = (input, output) => ({
  inputTokens: { total: input, noCache: input, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: output, text: output, reasoning: 0 },
});

const text = (words) => [
  { type: 'text-start', id: 't' },
  ...words.match(/\S+\s*/g).map((delta) => ({ type: 'text-delta', id: 't', delta })),
  { type: 'text-end', id: 't' },
];
const reasoning = (words) => [
  { type: 'reasoning-start', id: 'r' },
  { type: 'reasoning-delta', id: 'r', delta: words },
  { type: 'reasoning-end', id: 'r' },
];
const call = (toolName, input) => [{ type: 'tool-call', toolCallId: nextId('call'), toolName, input: JSON.stringify(input) }];
const finish = (unified, input, output) => ({ type: 'finish', finishReason: { unified, raw: unified }, usage: usage(input, output) });

// Each answer is a list of steps, each step the parts that the model streams.
const model = (steps) => {
  const streams = steps.map((parts) => ({ stream: convertArrayToReadableStream([{ type: 'stream-start', warnings: [] }, ...parts]) }));
  return new MockLanguageModelV3({ modelId: 'gpt-5', provider: 'openai', supportedUrls: { 'image/*': [/.*/] }, doStream: async () => streams.shift() });
};

const tools = {
  trackOrder: tool({
    description: 'Where an order is',
    inputSchema: z.object({ order: z.number() }),
    execute: async ({ order }) => {
      tick(300);
      if (order === 404) throw new Error('there is no order 404');
      return { order, status: 'shipped', eta: '2026-01-07' };
    },
  }),
};

// What a record's consumer sees: the chat's id is the key, who asked is in the headers, the value is what `onFinish` was given.
const publish = (chat, messages) =>
  console.log(JSON.stringify({ offset: published++, timestamp: now, key: chat.id, headers: chat.headers, value: { id: chat.id, messages } }));
let published = 0;

const ask = async (chat, message, steps) => {
  tick(1000);
  const messages = [...chat.messages, message];
  const result = streamText({ model: model(steps), messages: await convertToModelMessages(messages), tools, stopWhen: stepCountIs(5) });
  const stream = result.toUIMessageStream({
    originalMessages: messages,
    generateMessageId: () => nextId('msg'),
    messageMetadata: ({ part }) => {
      if (part.type === 'start') return { createdAt: tick(250), model: 'gpt-5' };
      if (part.type === 'finish') return { finishReason: part.finishReason, usage: part.totalUsage };
    },
    onError: (error) => String(error.message ?? error),
    onFinish: ({ messages }) => {
      tick(1500);
      chat.messages = messages;
      publish(chat, messages);
    },
  });
  for await (const _ of stream);
};

const user = (text, ...parts) => ({ id: nextId('msg'), role: 'user', metadata: { createdAt: now }, parts: [...parts, { type: 'text', text }] });
const open = (id, organization, user, agent) => ({ id, headers: { 'recap-org': organization, 'recap-user': user, 'recap-agent': agent }, messages: [] });

const order = open('chat-1', 'org_a', 'user_1', '1000');
await ask(order, user('Where is my order 4711?'), [
  [...reasoning('The order has to be looked up.'), ...call('trackOrder', { order: 4711 }), finish('tool-calls', 820, 24)],
  [...text('It left the warehouse this morning and is with you on Wednesday.'), finish('stop', 880, 31)],
]);
await ask(order, user('And 404?'), [
  [...call('trackOrder', { order: 404 }), finish('tool-calls', 930, 22)],
  [...text('I cannot find an order with that number.'), finish('stop', 960, 12)],
]);

const picture = open('chat-2', 'org_b', 'user_2', '1000');
await ask(picture, user('What is on this picture?', { type: 'file', mediaType: 'image/png', filename: 'box.png', url: 'https://example.com/box.png' }), [
  [...text('A parcel with a torn'), finish('length', 1400, 5)],
]);
// The same answer is published twice: the server retried.
publish(picture, picture.messages);
