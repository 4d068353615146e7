# shellcheck shell=bash
# shellcheck disable=SC2154  # state and port are set in stack.sh
# One generation, as a caller sees it: POST /start, the stream, the finished document.

demo_run() {
  local base project answer run_id
  base=$(cat "$state/run/address")
  project=demo_$(date +%s)_$$
  say "POST $base/start"
  answer=$(curl -sS --fail-with-body "$base/start" -H 'Content-Type: application/json' -d '{
    "project_id": "'"$project"'", "chat_id": "chat_demo", "topic": "Fractions and unit prices", "life_skill": "Negotiation",
    "group_size": 3, "duration_min": 45, "owner_email": "teacher@school.ae"}') || { echo "$answer" >&2; return 1; }
  echo "$answer"
  run_id=$(jq -r .run_id <<<"$answer")
  say "GET $base/events/stream?run_id=$run_id"
  curl -sSN --max-time 900 "$base/events/stream?run_id=$run_id" | demo_show
  say "GET $base/status/$project"
  local document
  document=$(curl -sS "$base/status/$project")
  jq -r '"status \(.status): \(.plan.sections | length) sections planned, \(.sections | length) written, checks ok: \(.validator.ok // false)"' <<<"$document"
  say "the project as JSON: $base/status/$project"
  say "the web page, with this run: $base/#$run_id"
  [[ $(jq -r .status <<<"$document") == complete ]]
}

# One line for each event, as it arrives.
demo_show() {
  local line event=''
  while IFS= read -r line; do
    case $line in
      'event: '*) event=${line#event: } ;;
      'data: '*) demo_line "$event" "${line#data: }" ;;
    esac
  done
}

demo_line() {
  jq -r --arg event "$1" '
    def text: if $event == "run_started" then "attempt \(.attempt) with \(.model)"
      elif $event == "plan_completed" then [.plan.sections[] | "\(.name) \(.constraints.time_min) min"] | join(", ")
      elif $event == "section_started" then "\(.section_id) \(.name) ..."
      elif $event == "section_completed" then "\(.section_id) \(.name), \(.index) of \(.total): \(.section.shared.objective)"
      elif $event == "run_completed" then "\(.sections) sections in \(.duration_ms / 1000) s"
      elif $event == "error" then "\(.code): \(.message)"
      else "" end;
    "\(.at[11:23])  \($event + "                  " | .[0:18]) \(text)"' <<<"$2"
}
