#!/bin/bash
# T02: bash and curl alone: offline-transcription.sh FOLDER LANGUAGE; prints one line of words for each file.
set -eu
folder=$1 language=$2
member() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

token=$(curl -sf "$KEYCLOAK_BASE_URL/realms/$TENANT/protocol/openid-connect/token" \
    -d client_id=Browser_client -d grant_type=password -d "username=$USERNAME" --data-urlencode "password=$PASSWORD" |
    member access_token)

meetings='' parts=()
for file in "$folder"/*.wav; do
    name=$(basename "$file")
    meetings="$meetings${meetings:+,}{\"files\":[{\"file\":\"$name\",\"baseLanguage\":\"$language\"}],\"aiGenerationMode\":\"auto\"}"
    parts+=(-F "soundBlob=@$file")
done
task="{\"tenant\":\"$TENANT\",\"taskName\":\"Offline Upload Task\",\"taskType\":\"offline\",\"taskStatus\":\"sttPending\",
\"taskCreationTime\":\"$(date '+%d.%m.%Y %H:%M')\",\"baseLanguages\":[\"$language\"],\"meetings\":[$meetings],
\"supervisor\":{\"name\":\"\",\"email\":\"$SUPERVISOR_EMAIL\"}}"
id=$(curl -sf "$API_BASE_URL/hrec" -H "Authorization: Bearer $token" \
    -F "task=$task;type=application/json" "${parts[@]}" | member taskId)

# The rule of the guide: on entering sttProcessing wait as long as the task says, else a steady interval.
before=
wait=1
while :; do
    sleep "$wait"
    answer=$(curl -sf "$API_BASE_URL/api/tasks/$id" -H "Authorization: Bearer $token")
    status=$(member taskStatus <<<"$answer")
    case $status in sttDone | error) break ;; esac
    wait=1
    if [ "$status" = sttProcessing ] && [ "$before" != sttProcessing ]; then wait=$(member sttRemainingTime <<<"$answer"); fi
    before=$status
done
echo "$status"
number=0
for _file in "$folder"/*.wav; do
    number=$((number + 1))
    curl -sf "$API_BASE_URL/api/stt/$number.$id/0" -H "Authorization: Bearer $token" |
        python3 -c 'import json, sys; print(" ".join(p["text"] for p in json.load(sys.stdin)["transcription"]))'
done
