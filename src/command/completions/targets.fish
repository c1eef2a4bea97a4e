
# The targets that are configured or stored; all systems where none of them begins with what was typed.
function __crmauth_targets
    set -l known (command crmauth completions --targets 2>/dev/null)
    set -l typed (commandline -ct)
    string match -q -- "$typed*" $known
    or set known SYSTEMS
    string join \n $known
end

complete -c crmauth -n "__fish_crmauth_using_subcommand VERBS; and not contains -- -- (commandline -opc)" -f -a "(__crmauth_targets)"
complete -c crmauth -n "__fish_crmauth_using_subcommand providers" -f -a "SYSTEMS"
