
# The targets that are configured or stored and begin with $1; all systems where none does.
_crmauth_targets() {
    [[ "$1" == -* ]] && return
    local known
    known=$(compgen -W "$(command crmauth completions --targets 2>/dev/null)" -- "$1")
    echo "${known:-SYSTEMS}"
}

# bash takes @ for the start of a new word: what stands before it is not part of a candidate.
_crmauth_at() {
    # So is what stands before =, which is a word of its own.
    if [[ "$2" == "=" ]]; then
        set -- "$1" "" "$3"
    elif [[ "$3" == "=" ]]; then
        set -- "$1" "$2" "${COMP_WORDS[COMP_CWORD - 2]}"
    fi
    local word="${COMP_LINE:0:COMP_POINT}"
    word="${word##*[[:space:]]}"
    if [[ "$word" == [a-z]*@* ]]; then
        COMPREPLY=( $(compgen -W "$(_crmauth_targets "$word")" -- "$word") )
        COMPREPLY=( "${COMPREPLY[@]#"${word%"$2"}"}" )
    else
        _crmauth "$@"
    fi
}

complete -F _crmauth_at -o bashdefault -o default crmauth
