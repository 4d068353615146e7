# shellcheck shell=bash
# Completion of generate-project for bash. A test compares it with the program's own --help.

_generate_project() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [[ $word != -* ]]; then
      command=$word
      break
    fi
  done

  local words=''
  case $before in
    --state) words='queued running complete error' ;;
    --skip | --skip-check) words='services database spool log_folder nginx llm clock' ;;
    --tls-cert | --tls-key | --access-log | --openai-api-key-file | --nginx-dir)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    *)
      case $command in
        '') words='setup doctor migrate nginx-site run tail runs cancel document prune settings --help --version' ;;
        setup) words='--help --dry-run --openai-api-key-file --skip-check --nginx-dir --port --server-name --tls-cert --tls-key --access-log --metrics-allow' ;;
        doctor) words='--help --json --skip --nginx-dir' ;;
        migrate) words='--help --dry-run --check' ;;
        nginx-site) words='--help --enable --disable --port --server-name --tls-cert --tls-key --access-log --metrics-allow --nginx-dir' ;;
        run) words='--help --project-id --chat-id --topic --title --life-skill --group-size --duration-min --owner-email' ;;
        tail) words='--help --after --json' ;;
        runs) words='--help --state --limit --json' ;;
        cancel) words='--help' ;;
        document) words='--help --store' ;;
        prune) words='--help --dry-run' ;;
        settings) words='--help --sample --man' ;;
      esac
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _generate_project generate-project
