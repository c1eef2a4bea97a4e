#!/bin/sh
# The login as people write it in a shell: curl, jq, md5sum, curl, jq. Takes the .env and a CA file.
set -eu
. "$1"
ask() { curl -sS --cacert "$ca" "$@"; }
ca=$2
token=$(ask "$GLUO_URL/webservice.php?operation=getchallenge&username=$GLUO_USERNAME" | jq -er .result.token)
key=$(printf %s "$token$GLUO_ACCESS_KEY" | md5sum)
ask -d "operation=login&username=$GLUO_USERNAME&accessKey=${key%% *}" "$GLUO_URL/webservice.php" | jq -er .result.sessionName
