
# The targets that are configured or stored; all systems where none of them fits what was typed.
_crmauth_targets() {
    local -a known=(${(f)"$(command crmauth completions --targets 2>/dev/null)"})
    local -a systems=(SYSTEMS)
    compadd -a known || compadd -a systems
}

