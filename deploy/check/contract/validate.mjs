// The contract for machines by its kept validators: the schemas by Ajv, in its strict mode and with formats; the AsyncAPI document by AsyncAPI's own parser.
// Arguments: the folder of the contract, and the golden events.
import { readFileSync, readdirSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import parser from '@asyncapi/parser';
import Ajv2020 from 'ajv/dist/2020.js';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';

const [folder, golden] = process.argv.slice(2);
const must = (holds, what) => {
  if (!holds) throw new Error(what);
};
const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const events = readFileSync(golden, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
const options = { strict: true, allowUnionTypes: true, strictRequired: false, allErrors: true };

// Each schema stands alone and takes the golden events of its type.
const ajv = addFormats(new Ajv2020(options));
const names = readdirSync(`${folder}/schemas`).sort();
const schemas = new Map(names.map((name) => [name.replace('.json', ''), read(`${folder}/schemas/${name}`)]));
let fitting = 0;
const skipped = new Set();
for (const [name, schema] of schemas) {
  must(ajv.validateSchema(schema), `${name}: ${ajv.errorsText(ajv.errors)}`);
  const validate = ajv.compile(schema);
  const data = name === 'event' ? undefined : ajv.getSchema(`${schema.$id}#/$defs/data`);
  for (const event of events) {
    const isOfType = name === 'event' ? schemas.has(event.type) : event.type === name;
    must(validate(event) === isOfType, `${name}: ${event.id}: ${ajv.errorsText(validate.errors)}`);
    if (data && isOfType) must(data(event.data), `data of ${name}: ${event.id}`);
    if (!schemas.has(event.type)) skipped.add(event.type);
    fitting += isOfType ? 1 : 0;
  }
}
console.log(`${schemas.size} schemas are valid; golden events fitted them ${fitting} times, of unknown types: ${[...skipped]}`);

// The document is AsyncAPI without a complaint, holds these schemas, and no keyword of theirs means something else in draft-07.
const text = readFileSync(`${folder}/asyncapi.json`, 'utf8');
const { document, diagnostics } = await new parser.Parser().parse(text);
const complaints = diagnostics.filter((found) => found.severity <= 1);
must(document && complaints.length === 0, `asyncapi.json: ${JSON.stringify(complaints.map((found) => [found.code, found.message, found.path]), null, 1)}`);
const draft07 = addFormats(new Ajv(options)).addKeyword('components');
const components = JSON.parse(text).components.schemas;
for (const [name, schema] of schemas) {
  if (name === 'event') continue;
  must(isDeepStrictEqual(components[`${name}.data`], schema.$defs.data), `asyncapi.json holds another schema of ${name}`);
  const data = { ...schema.$defs.data };
  const validate = draft07.compile({ ...components[name], components: { schemas: { [`${name}.data`]: data } } });
  for (const event of events) {
    must(validate(event) === (event.type === name), `${name} in draft-07: ${event.id}: ${draft07.errorsText(validate.errors)}`);
  }
}
const channels = document.channels().all();
const topics = readFileSync(`${folder}/../kafka/topics.txt`, 'utf8').split('\n').filter((line) => /^[a-z]/.test(line)).map((line) => line.split(/\s+/)[0]);
must(isDeepStrictEqual(channels.map((channel) => channel.address()).sort(), topics.sort()), 'asyncapi.json has other topics than kafka/topics.txt');
console.log(`asyncapi.json is AsyncAPI ${document.version()}: ${channels.length} channels, ${document.allMessages().all().length} messages`);
