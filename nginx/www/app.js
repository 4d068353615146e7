// The page follows one run over Server-Sent Events. All it shows comes from the events: it folds them and needs no
// second request. The run stands in the address, so a reload (or another device) replays and goes on.
const $ = (id) => document.getElementById(id);
const element = (name, text, attributes = {}) => Object.assign(document.createElement(name), { textContent: text ?? '' }, attributes);
let source = null;

$('request').addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = event.submitter ?? $('request').querySelector('button');
  button.disabled = true;
  try {
    await start(new FormData(event.target));
  } catch {
    showFaults([{ field: '', problem: 'The service cannot be reached. Nothing is lost: try again.' }]);
  } finally {
    button.disabled = false;
  }
});

async function start(form) {
  const number = (name) => (form.get(name) === '' ? null : Number(form.get(name)));
  const body = {
    project_id: crypto.randomUUID?.() ?? String(Date.now()), chat_id: 'web-page',
    topic: form.get('topic'), life_skill: form.get('life_skill'), title: form.get('title') || null,
    group_size: number('group_size'), duration_min: number('duration_min'), owner_email: form.get('owner_email'),
  };
  const response = await fetch('/start', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) return showFaults(answer.errors ?? [{ field: '', problem: answer.detail ?? answer.title }]);
  showFaults([]);
  location.hash = answer.run_id;
}

function showFaults(faults) {
  $('faults').replaceChildren(...faults.map(({ field, problem }) => element('li', field ? `${field}: ${problem}` : problem)));
}

// Stopping is a wish of its own: closing the page never cancels a run. The end itself comes as an event.
$('cancel').addEventListener('click', async () => {
  $('cancel').disabled = true;
  try {
    const response = await fetch(`/runs/${encodeURIComponent(location.hash.slice(1))}/cancel`, { method: 'POST' });
    $('connection').textContent = (await response.json()).detail;
  } catch {
    $('connection').textContent = 'The service cannot be reached: the run goes on.';
  } finally {
    $('cancel').disabled = false;
  }
});

// Following ---------------------------------------------------------------------------------------------------------

function follow(runId) {
  source?.close();
  $('project').hidden = false;
  for (const id of ['timeline', 'sections']) $(id).replaceChildren();
  setOutcome('', '');
  $('headline').textContent = 'Waiting for the first words …';
  source = new EventSource(`/events/stream?run_id=${encodeURIComponent(runId)}`);
  source.addEventListener('open', () => { $('connection').textContent = 'Connected: parts appear as they are written.'; });
  for (const [name, show] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => { if (event.data) show(JSON.parse(event.data)); });
  }
  // The browser's own `error` has no data: the connection broke and it is coming back by itself, unless it was told to stop.
  source.addEventListener('error', (event) => {
    if (event.data) return;
    const gaveUp = source.readyState === EventSource.CLOSED;
    $('connection').textContent = gaveUp ? '' : 'Connection lost: reconnecting, nothing will be missed.';
    if (gaveUp && !$('outcome').textContent) setOutcome('error', 'This run is not known here.');
  });
}

const handlers = {
  run_started: ({ attempt, model }) => {
    $('headline').textContent = attempt > 1 ? `Going on (attempt ${attempt}, ${model})` : `Planning (${model})`;
    setOutcome('', '');
  },
  plan_completed: ({ plan }) => {
    $('headline').textContent = `${plan.sections.length} parts`;
    $('timeline').replaceChildren(...plan.sections.map(({ id, name, constraints }) =>
      element('li', `${name} · ${constraints.time_min} min`, { id: `time-${id}` })));
    $('sections').replaceChildren(...plan.sections.map((section) => element('div', '', { id: `place-${section.id}` })));
  },
  section_started: ({ section_id }) => mark(section_id, 'writing'),
  section_completed: ({ section_id, name, section }) => {
    mark(section_id, 'done');
    $(`place-${section_id}`)?.replaceChildren(renderSection(name, section));
  },
  run_completed: ({ sections, duration_ms }) => {
    setOutcome('done', `Complete: ${sections} parts in ${(duration_ms / 1000).toFixed(1)} s.`);
    source.close();
    $('connection').textContent = '';
  },
  error: ({ code, message, retryable }) => {
    setOutcome('error', `${message} (${code})${retryable ? ' What is finished is kept; sending the same request again goes on from here.' : ''}`);
  },
};

function mark(sectionId, state) {
  const item = $(`time-${sectionId}`);
  if (item) item.dataset.state = state;
}

// Without an outcome the run goes on, and may be stopped.
function setOutcome(state, text) {
  $('cancel').hidden = Boolean(text);
  $('outcome').dataset.state = state;
  $('outcome').textContent = text;
}

// Sections ----------------------------------------------------------------------------------------------------------

function renderSection(name, { teacher, shared, seats }) {
  const article = element('article');
  const parts = element('div', '', { className: 'parts' });
  parts.append(renderPart('Everybody', shared), renderPart('Teacher', teacher));
  for (const [seat, part] of Object.entries(seats)) parts.append(renderPart(`Seat ${seat}`, part));
  article.append(element('h3', name, { dir: 'auto' }), parts);
  return article;
}

function renderPart(title, { objective, steps, data, extras }) {
  const part = element('div', '', { className: 'part' });
  const list = element('ol', '', { dir: 'auto' });
  list.append(...steps.map((step) => element('li', step, { dir: 'auto' })));
  part.append(element('h4', title), element('div', objective, { dir: 'auto' }), list, renderPairs({ ...data, ...extras }));
  return part;
}

function renderPairs(pairs) {
  const list = element('dl', '', { dir: 'auto' });
  for (const [key, value] of Object.entries(pairs)) {
    list.append(element('dt', key.replaceAll('_', ' ')), element('dd', typeof value === 'object' ? JSON.stringify(value) : String(value), { dir: 'auto' }));
  }
  return list;
}

const followAddress = () => { if (location.hash.length > 1) follow(location.hash.slice(1)); };
addEventListener('hashchange', followAddress);
followAddress();
