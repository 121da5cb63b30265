// Generated types and openapi-fetch against the living service: the golden requests, and what a dashboard does with the answers.
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import createClient from 'openapi-fetch';
import type { components, paths } from './schema.js';

type Interaction = components['schemas']['Interaction'];
type Golden = { path: keyof paths; token: string; query: Record<string, string>; expected: unknown };

const from = '2024-03-01T00:00:00Z';
const to = '2024-03-31T23:59:59.999Z';
const baseUrl = process.env['RECAP_URL'] ?? '';
const golden = JSON.parse(readFileSync(process.env['RECAP_GOLDEN'] ?? '', 'utf8')) as Golden[];
// Lists come in other types too.
const clientOf = (token: string) => createClient<paths, 'application/json' | 'application/problem+json'>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
const must = (holds: boolean, what: string) => {
  if (!holds) throw new Error(what);
};

for (const { path, token, query, expected } of golden) {
  // Which path it is only the file says: each takes these parameters.
  const { data, error } = await clientOf(token).GET(path as '/api/dashboard/getStats', { params: { query: query as never } });
  must(error === undefined && isDeepStrictEqual(data, expected), `${path} ${JSON.stringify(query)}: ${JSON.stringify(error ?? data)}`);
}

const client = clientOf(process.env['RECAP_TOKEN'] ?? '');
const { data, error, response } = await client.GET('/api/dashboard/getInteractions', {
  params: { query: { from, to, allInOrg: true, limit: 1, exclude: ['toolCalls', 'feedbackData'] } },
});
must(error === undefined && response.headers.get('link')?.startsWith('<?') === true, 'a page has a next one');
const page: Interaction[] = data ?? [];
const departments = page.map((conversation) => conversation.userPublicMetadata['department']);
must(departments.some((department) => typeof department === 'string'), 'metadata has members');
must(page.every((conversation) => conversation.toolCalls === undefined && conversation.subConversations.length >= 0), 'exclude is taken');
must((page[0]?.agentId ?? 0) + (page[0]?.totalTokens ?? 0) >= 0, 'numbers are numbers');

const refused = await clientOf('nonsense').GET('/api/dashboard/getStats', { params: { query: { from, to } } });
const code: components['schemas']['ProblemCode'] | undefined = refused.error?.code;
must(refused.response.status === 401 && code === 'invalid_token', 'a refusal has its code');
console.log(`openapi-typescript and openapi-fetch: ${golden.length} golden requests answered exactly`);
