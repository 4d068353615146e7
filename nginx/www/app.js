// The page follows one run over Server-Sent Events. All it shows comes from the events: it folds them, and asks about the
// run only where its stream is refused. The run stands in the address, so a reload (or another device) replays and goes on.
const $ = (id) => document.getElementById(id);
const element = (name, text, attributes = {}) => Object.assign(document.createElement(name), { textContent: text ?? '' }, attributes);

// Requesting --------------------------------------------------------------------------------------------------------

// The project that each content of the form was sent for, until its run is complete: sending the same once more finds that
// run, or goes on with it, and never pays for a second one.
const requested = openStore();
const generateButton = $('request').querySelector('button');

$('request').addEventListener('submit', (event) => {
  event.preventDefault();
  atWork(generateButton, async () => {
    try {
      await start(new FormData(event.target));
    } catch {
      showFaults([{ field: '', problem: 'The service cannot be reached. Nothing is lost: try again.' }]);
    }
  });
});

async function start(form) {
  const number = (name) => (form.get(name) === '' ? null : Number(form.get(name)));
  const values = {
    topic: form.get('topic'), life_skill: form.get('life_skill'), title: form.get('title') || null,
    group_size: number('group_size'), duration_min: number('duration_min'), owner_email: form.get('owner_email'),
  };
  const projectId = (requested[JSON.stringify(values)] ??= makeId());
  const body = JSON.stringify({ project_id: projectId, chat_id: 'web-page', ...values });
  const response = await fetch('/start', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
  const answer = await response.json();
  if (!response.ok) return showFaults(answer.errors ?? [{ field: '', problem: answer.detail ?? answer.title }]);
  showFaults([]);
  if (answer.run_id === followed) goOn();
  location.hash = answer.run_id;
  followAddress();
  $('headline').focus();
}

// A browser that keeps nothing for pages remembers for as long as this one is open.
function openStore() {
  try {
    return sessionStorage;
  } catch {
    return {};
  }
}

// Not crypto.randomUUID: it is not there over plain HTTP.
function makeId() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-');
}

function forgetRequest(projectId) {
  for (const [values, id] of Object.entries(requested)) if (id === projectId) delete requested[values];
}

function showFaults(faults) {
  $('faults').replaceChildren(...faults.map(({ field, problem }) => element('li', field ? `${field}: ${problem}` : problem)));
}

// Stopping is a wish of its own: closing the page never cancels a run. The end itself comes as an event.
$('cancel').addEventListener('click', () => atWork($('cancel'), async () => {
  try {
    const response = await fetch(`/runs/${encodeURIComponent(followed)}/cancel`, { method: 'POST' });
    $('connection').textContent = (await response.json()).detail;
  } catch {
    $('connection').textContent = 'The service cannot be reached: the run goes on.';
  }
}));

// While a button is at work it takes no second click. It is not disabled, which would take the focus from it.
async function atWork(button, work) {
  if (button.ariaDisabled) return;
  button.ariaDisabled = 'true';
  try {
    await work();
  } finally {
    button.ariaDisabled = null;
  }
}

// Following ---------------------------------------------------------------------------------------------------------

const kConnected = 'Connected: parts appear as they are written.';
const kNotConnected = 'No connection: trying again, nothing will be missed.';
const kBriefMs = 1000; // longer than a stream lasts that is opened only to say: come back
const kFirstWaitMs = 4000;
const kLongestWaitMs = 30000;

let followed = ''; // the run that is shown; empty: none
let source = null;
let lastId = ''; // of its newest event that is shown
let refusals = 0; // of its stream, since that event
let connection = ''; // what was last said of it; the answer to Stop may stand in its place

function follow(runId) {
  source?.close();
  [source, followed, lastId, refusals] = [null, runId, '', 0];
  for (const id of ['timeline', 'sections']) $(id).replaceChildren();
  $('connection').textContent = connection = '';
  setOutcome('', '');
  $('headline').textContent = 'Waiting for the first words …';
  $('project').hidden = !runId;
  if (runId) connect();
}

// The run that is shown was asked for once more: its next events follow those that are here.
function goOn() {
  if ($('outcome').textContent) $('headline').textContent = 'Waiting to go on …';
  setOutcome('', '');
  connect();
}

function connect() {
  source?.close();
  const query = new URLSearchParams({ run_id: followed });
  if (lastId) query.set('last_event_id', lastId);
  const stream = new EventSource(`/events/stream?${query}`);
  source = stream;
  stream.addEventListener('open', () => setTimeout(() => {
    if (stream.readyState === EventSource.OPEN) setConnection(kConnected);
  }, kBriefMs));
  for (const [name, show] of Object.entries(handlers)) {
    stream.addEventListener(name, (event) => { if (event.data) take(event, show); });
  }
  // The browser's own `error` has no data: the connection broke, or was refused.
  stream.addEventListener('error', (event) => { if (!event.data) noteLoss(stream); });
}

function take(event, show) {
  [lastId, refusals] = [event.lastEventId, 0];
  setConnection(kConnected);
  show(JSON.parse(event.data));
}

// The browser comes back by itself, unless it was refused.
function noteLoss(stream) {
  if ($('outcome').textContent) return setConnection('');
  setConnection(kNotConnected);
  if (stream.readyState === EventSource.CLOSED) comeBack(stream);
}

// An EventSource does not tell why it was refused. Unless that is for good, the stream is asked for again.
async function comeBack(refused) {
  const reason = await findRefusal(followed);
  if (source !== refused) return; // another one was opened meanwhile
  if (reason) return giveUp(reason);
  const wait = Math.min(kLongestWaitMs, kFirstWaitMs * 2 ** refusals++);
  setTimeout(() => { if (source === refused) connect(); }, wait * (1 - Math.random() / 2));
}

function giveUp(reason) {
  if (!lastId) $('headline').textContent = 'Nothing to show';
  setConnection('');
  setOutcome('error', reason);
}

// Why the run's events cannot be had, now or later; empty where they can.
async function findRefusal(runId) {
  try {
    const response = await fetch(`/runs/${encodeURIComponent(runId)}`);
    if (response.status === 404 || response.status === 400) return 'This run is not known here.';
    if (response.ok && !(await response.json()).events_replayable) return 'This run has expired: it can be shown no more.';
  } catch {
    // the service cannot be reached, which says nothing about the run
  }
  return '';
}

const handlers = {
  run_started: ({ attempt, model }) => {
    $('headline').textContent = attempt > 1 ? `Going on (attempt ${attempt}, ${model})` : `Planning (${model})`;
    setOutcome('', '');
  },
  plan_completed: ({ plan }) => {
    $('timeline').replaceChildren(...plan.sections.map(renderPlanned));
    $('sections').replaceChildren(...plan.sections.map((section) => element('div', '', { id: `place-${section.id}` })));
    showProgress();
  },
  section_started: ({ section_id }) => mark($(`time-${section_id}`), 'writing'),
  section_completed: ({ section_id, name, section }) => {
    mark($(`time-${section_id}`), 'done');
    $(`place-${section_id}`)?.replaceChildren(renderSection(name, section));
    showProgress();
  },
  run_completed: ({ project_id, sections, duration_ms }) => {
    setOutcome('done', `Complete: ${sections} parts in ${(duration_ms / 1000).toFixed(1)} s.`);
    forgetRequest(project_id);
    source.close();
    setConnection('');
  },
  error: ({ project_id, code, message, retryable }) => {
    for (const item of document.querySelectorAll('#timeline [data-state=writing]')) mark(item, '');
    const canGoOn = retryable && Object.values(requested).includes(project_id);
    setOutcome('error', `${message} (${code})${canGoOn ? ' What is finished is kept; sending the same request again goes on from here.' : ''}`);
  },
};

function mark(item, state) {
  if (!item) return;
  item.dataset.state = state;
  item.lastChild.textContent = state && ` · ${state}`;
}

function showProgress() {
  const done = document.querySelectorAll('#timeline [data-state=done]').length;
  $('headline').textContent = `${done} of ${$('timeline').children.length} parts are written`;
}

// Only what is new: it is spoken as well as shown.
function setConnection(text) {
  if (text !== connection) $('connection').textContent = text;
  connection = text;
}

// Without an outcome the run goes on, and may be stopped.
function setOutcome(state, text) {
  const takesFocus = text && document.activeElement === $('cancel');
  $('outcome').dataset.state = state;
  $('outcome').textContent = text;
  if (takesFocus) $('outcome').focus();
  $('cancel').hidden = Boolean(text);
}

// Sections ----------------------------------------------------------------------------------------------------------

function renderPlanned({ id, name, constraints }) {
  const item = element('li', `${name} · ${constraints.time_min} min`, { id: `time-${id}` });
  item.append(element('span'));
  return item;
}

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

// The address ---------------------------------------------------------------------------------------------------------

function followAddress() {
  const runId = location.hash.slice(1);
  if (runId !== followed) follow(runId);
}
addEventListener('hashchange', followAddress);
followAddress();
generateButton.disabled = false;
