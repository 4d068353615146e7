// The official client talks to the simulated LLM at the address in argv[2]. Throws, and so fails, at the first surprise.
import assert from 'node:assert/strict';
import OpenAI from 'openai';

const address = process.argv[2];
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: 'test', maxRetries: 0 });

const inputs = {
  topic: 'Fractions', life_skill: 'Negotiation', grade_band: '6-8', group_size: 2, duration_min: 30, uae_context: true,
  seats: ['1', '2'], sections: ['sec_01', 'sec_02'], wanted: ['sec_01', 'sec_02'],
};
const request = (marker, more = {}) => ({
  model: 'gpt-5-mini',
  messages: [
    { role: 'system', content: 'Answer in JSON.' },
    { role: 'user', content: JSON.stringify({ ...inputs, topic: `Fractions ${marker}` }) },
  ],
  ...more,
});
const arm = (fault) => fetch(`${address}/control/faults`, { method: 'POST', body: JSON.stringify(fault) })
  .then((response) => assert.equal(response.status, 200));

const checks = {
  async 'a stream is whole JSON with a reason and usage'() {
    const stream = await client.chat.completions.create(
      request('plain', { stream: true, stream_options: { include_usage: true } }));
    let text = '';
    let finish = null;
    let usage = null;
    for await (const chunk of stream) {
      assert.equal(chunk.object, 'chat.completion.chunk');
      assert.match(chunk.model, /^simulated-/);
      text += chunk.choices[0]?.delta?.content ?? '';
      finish = chunk.choices[0]?.finish_reason ?? finish;
      usage = chunk.usage ?? usage;
    }
    const answer = JSON.parse(text);
    assert.deepEqual(Object.keys(answer), ['plan', 'sections']);
    assert.equal(finish, 'stop');
    assert.ok(usage.completion_tokens > 100);
  },
  async "the client's stream helper accepts it to the end"() {
    const final = await client.chat.completions.stream(request('helper')).finalChatCompletion();
    assert.equal(final.choices[0].finish_reason, 'stop');
    assert.ok(JSON.parse(final.choices[0].message.content).sections.sec_02);
  },
  async 'a response schema is honoured'() {
    const schema = {
      type: 'object',
      properties: { colour: { type: 'string', enum: ['red'] }, sizes: { type: 'array', items: { type: 'integer', minimum: 3 }, minItems: 4 } },
      required: ['colour', 'sizes'],
      additionalProperties: false,
    };
    const completion = await client.chat.completions.create({
      model: 'm',
      messages: [{ role: 'user', content: 'anything' }],
      response_format: { type: 'json_schema', json_schema: { name: 'thing', strict: true, schema } },
    });
    const answer = JSON.parse(completion.choices[0].message.content);
    assert.equal(answer.colour, 'red');
    assert.ok(answer.sizes.length >= 4 && answer.sizes.every((size) => size >= 3));
  },
  async 'a schema outside the strict subset is refused'() {
    const schema = { type: 'object', properties: { a: { type: 'string' } }, required: [], additionalProperties: false };
    await assert.rejects(
      client.chat.completions.create({ ...request('schema'), response_format: { type: 'json_schema', json_schema: { name: 'x', strict: true, schema } } }),
      (error) => error instanceof OpenAI.BadRequestError && error.param === 'response_format');
  },
  async 'errors are of the classes that the client knows'() {
    for (const [fault, type, code] of [
      ['rate_limit', OpenAI.RateLimitError, 'rate_limit_exceeded'],
      ['quota', OpenAI.RateLimitError, 'insufficient_quota'],
      ['server_error', OpenAI.InternalServerError, 'server_error'],
      ['model_not_found', OpenAI.NotFoundError, 'model_not_found'],
      ['bad_key', OpenAI.AuthenticationError, 'invalid_api_key'],
    ]) {
      await arm({ fault, match: `class ${fault}` });
      await assert.rejects(client.chat.completions.create(request(`class ${fault}`)),
        (error) => error instanceof type && error.code === code);
    }
  },
  async 'the client waits as it is told and tries again'() {
    await arm({ fault: 'rate_limit', match: 'waits', retry_after_s: 0.2 });
    const begun = Date.now();
    await client.chat.completions.create(request('waits'), { maxRetries: 1 });
    assert.ok(Date.now() - begun >= 190);
  },
  async 'an error object inside a stream is thrown'() {
    await arm({ fault: 'stream_error', match: 'inside' });
    const stream = await client.chat.completions.create(request('inside', { stream: true }));
    await assert.rejects(async () => { for await (const chunk of stream) assert.ok(chunk); }, OpenAI.APIError);
  },
  async 'a cut stream is told by the helper'() {
    await arm({ fault: 'cut', match: 'scissors' });
    await assert.rejects(client.chat.completions.stream(request('scissors')).finalChatCompletion());
  },
  async 'a refusal has its own member'() {
    await arm({ fault: 'refusal', match: 'refused', times: 2 });
    const completion = await client.chat.completions.create(request('refused'));
    assert.ok(completion.choices[0].message.refusal);
    const streamed = await client.chat.completions.stream(request('refused')).finalChatCompletion();
    assert.ok(streamed.choices[0].message.refusal);
  },
  async 'an emoji split over two chunks is whole for the client'() {
    await arm({ fault: 'split_emoji', match: 'emoji' });
    const final = await client.chat.completions.stream(request('emoji')).finalChatCompletion();
    assert.ok(final.choices[0].message.content.includes('\u{1F600}'));
  },
  async 'models are listed'() {
    const models = await client.models.list();
    assert.match(models.data[0].id, /^simulated-/);
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`ok ${name}`);
}
console.log(`${Object.keys(checks).length} checks passed on node ${process.version}`);
