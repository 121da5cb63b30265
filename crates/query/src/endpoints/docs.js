'use strict';
// Renders openapi.json. Text only ever becomes text nodes.
const node = (name, attributes, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
};
const code = (text) => node('code', {}, text);
const json = (value) => node('pre', {}, JSON.stringify(value, null, 2));
const table = (heads, rows) => node('table', {},
  node('thead', {}, node('tr', {}, ...heads.map((head) => node('th', {}, head)))),
  node('tbody', {}, ...rows.map((cells) => node('tr', {}, ...cells.map((cell) => node('td', {}, cell ?? ''))))));

const kind = (schema) => {
  if (!schema) return 'any';
  if (schema.$ref) { const name = schema.$ref.split('/').pop(); return node('a', { href: `#schema-${name}` }, name); }
  const choices = schema.oneOf || schema.anyOf || schema.allOf;
  if (choices) return node('span', {}, ...choices.flatMap((one, index) => index ? [' | ', kind(one)] : [kind(one)]));
  const type = Array.isArray(schema.type) ? schema.type.join(' | ') : schema.type || 'any';
  if (schema.items) return node('span', {}, `${type} of `, kind(schema.items));
  const limits = ['format', 'minimum', 'maximum', 'minLength', 'maxLength'].filter((key) => key in schema)
    .map((key) => key === 'format' ? schema[key] : `${key} ${schema[key]}`);
  const values = schema.enum ? [schema.enum.map((value) => JSON.stringify(value)).join(' | ')] : [];
  const more = [...limits, ...values].join(', ');
  return node('span', {}, type, more ? node('span', { class: 'soft' }, ` (${more})`) : null);
};

const operation = (path, method, described) => {
  const id = described.operationId || path;
  const section = node('section', { id });
  section.append(node('h2', {}, node('span', { class: 'method' }, method.toUpperCase()), ' ', code(path)));
  if (described.summary) section.append(node('p', {}, node('strong', {}, described.summary)));
  if (described.description) section.append(node('p', {}, described.description));
  if (described.security) section.append(node('p', { class: 'soft' }, 'Needs Authorization: Bearer <Clerk session token>.'));
  if (described.parameters) {
    section.append(node('h3', {}, 'Parameters'), table(['name', 'type', 'meaning'], described.parameters.map((parameter) => [
      node('span', {}, code(parameter.name), parameter.required ? ' (required)' : ''), kind(parameter.schema),
      node('span', {}, parameter.description || '', parameter.example === undefined ? null : node('div', { class: 'soft' }, 'as ', code(String(parameter.example)))),
    ])));
  }
  section.append(node('h3', {}, 'Answers'));
  for (const [status, response] of Object.entries(described.responses)) {
    const details = node('details', status === '200' ? { open: '' } : {}, node('summary', {}, code(status), ` ${response.description}`));
    const headers = Object.entries(response.headers || {});
    if (headers.length) details.append(table(['header', 'meaning'], headers.map(([name, header]) => [code(name), header.description])));
    for (const [type, content] of Object.entries(response.content || {})) {
      details.append(node('p', {}, code(type), ' ', content.schema ? kind(content.schema) : ''));
      if (content.example !== undefined) details.append(typeof content.example === 'string' ? node('pre', {}, content.example) : json(content.example));
    }
    section.append(details);
  }
  return section;
};

const schema = (name, described) => {
  const section = node('section', { id: `schema-${name}` }, node('h3', {}, name), described.description ? node('p', {}, described.description) : null);
  const required = new Set(described.required || []);
  const rows = Object.entries(described.properties || {}).map(([property, value]) =>
    [node('span', {}, code(property), required.has(property) ? '' : ' (optional)'), kind(value), value.description]);
  section.append(rows.length ? table(['member', 'type', 'meaning'], rows) : node('p', {}, kind(described)));
  return section;
};

fetch('openapi.json').then((answer) => answer.json()).then((document_) => {
  const get = (id) => document.getElementById(id);
  get('title').textContent = `${document_.info.title} ${document_.info.version}`;
  get('about').textContent = document_.info.description || '';
  const main = get('main');
  main.replaceChildren();
  for (const [path, item] of Object.entries(document_.paths)) {
    for (const method of ['get', 'post', 'put', 'patch', 'delete'].filter((method) => item[method])) {
      const described = item[method];
      get('nav').append(node('a', { href: `#${described.operationId || path}` }, path), ' ');
      main.append(operation(path, method, described));
    }
  }
  main.append(node('h2', {}, 'Schemas'));
  for (const [name, described] of Object.entries(document_.components?.schemas || {})) main.append(schema(name, described));
}).catch((error) => { document.getElementById('main').textContent = `The description can't be read: ${error}`; });
